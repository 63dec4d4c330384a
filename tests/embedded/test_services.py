"""Both servers start, answer, stop, and find their data again."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio as redis

from backend.embedded.folders import runtime_folder
from backend.embedded.processes import LOG_LIMIT_BYTES
from backend.embedded.services import EmbeddedServices

from .asking import ask, is_alive, leave_a_mark, mark_of, postmaster, valkey


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServices]:
    with EmbeddedServices(tmp_path_factory.mktemp("shared"), valkey=False) as services:
        yield services


async def test_valkey_answers_and_never_evicts(folder: Path) -> None:
    with EmbeddedServices(folder, database=False) as services:
        client = redis.from_url(services.valkey_url)
        assert await client.ping()
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
        assert (await client.config_get("save"))["save"] == ""
        await client.aclose()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("server_version_num", "18"),
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("wal_level", "minimal"),
        ("max_connections", "200"),
        ("TimeZone", "UTC"),
        ("server_encoding", "UTF8"),
    ],
)
def test_settings(shared: EmbeddedServices, setting: str, value: str) -> None:
    assert ask(shared, f"SHOW {setting}").startswith(value)


def test_sorts_by_code_point_and_knows_letters(shared: EmbeddedServices) -> None:
    assert ask(shared, "SELECT 'B' < 'a' AND upper('é') = 'É'")


def test_data_is_found_again(folder: Path) -> None:
    with EmbeddedServices(folder) as services:
        leave_a_mark(services)
    with EmbeddedServices(folder) as services:
        assert mark_of(services) == 42


def test_data_goes_with_its_folder(folder: Path) -> None:
    with EmbeddedServices(folder) as services:
        leave_a_mark(services)
    shutil.rmtree(folder)
    with EmbeddedServices(folder) as services:
        assert ask(services, "SELECT to_regclass('mark') IS NULL")


def test_stop_leaves_no_process_and_no_socket(folder: Path) -> None:
    with EmbeddedServices(folder) as services:
        running = [postmaster(folder), valkey(folder)]
    assert not any(is_alive(pid) for pid in running)
    assert not runtime_folder(folder).exists()
    assert not list(folder.rglob("*.sock"))
    services.stop()


def test_a_second_start_changes_nothing(folder: Path) -> None:
    with EmbeddedServices(folder) as services:
        first = postmaster(folder)
        services.start()
        assert postmaster(folder) == first


def test_urls_are_known_to_other_processes(folder: Path) -> None:
    with EmbeddedServices(folder) as services:
        leave_a_mark(services)
        assert mark_of(EmbeddedServices(folder)) == 42


@pytest.mark.parametrize("name", ["一盘 货", "a, b", "100%?#&", "x" * 120])
async def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    with EmbeddedServices(tmp_path / name / ".yipan") as services:
        connection = await asyncpg.connect(services.database_url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
        client = redis.from_url(services.valkey_url)
        assert await client.ping()
        await client.aclose()


def test_a_long_log_is_put_aside(folder: Path) -> None:
    folder.mkdir()
    with (folder / "valkey.log").open("wb") as log:
        log.truncate(LOG_LIMIT_BYTES + 1)
    with EmbeddedServices(folder, database=False):
        assert (folder / "valkey.log").stat().st_size < LOG_LIMIT_BYTES
        assert (folder / "valkey.log.1").exists()
