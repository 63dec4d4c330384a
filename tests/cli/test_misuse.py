"""A command that cannot work says why in one line, ends with status 1 and changes nothing."""

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from backend.cli import cli
from tests.cli.databases import Settings, contents_of, settings_for
from tests.cli.running import Finished, end_of, run, start
from tests.conftest import Servers


class Misuse(NamedTuple):
    """What somebody does wrong, and what is said of it."""

    words: tuple[str, ...]
    settings: Settings
    says: str


NOBODY = {"database_url": "postgresql://nobody@127.0.0.1:1/none"}
MISUSES = {
    "misspelt variable": Misuse(
        ("audit",),
        {"prot": 9000},
        "Cannot start: YIPAN_PROT is not a setting of Yipan. Did you mean YIPAN_PORT?",
    ),
    "no server for serve": Misuse(("serve",), NOBODY, "The database does not take connections"),
    "no server for worker": Misuse(("worker",), NOBODY, "Check YIPAN_DATABASE_URL"),
    "no Kafka for relay": Misuse(("relay",), {}, "YIPAN_KAFKA_BOOTSTRAP says where Kafka is."),
    "no Valkey in production": Misuse(
        ("serve",),
        {"environment": "production", "valkey_url": ""},
        "Cannot start: YIPAN_VALKEY_URL is missing",
    ),
    "unknown brand": Misuse(
        ("import", "orders.ndjson", "--brand", "nobody", "--answers", "answers"),
        {},
        "There is no brand 'nobody'.",
    ),
    "not the marketplace": Misuse(
        ("replay", "olist", "made-up"), {}, "There is no file olist_order_items.csv in made-up."
    ),
    "not the retailer": Misuse(
        ("replay", "online-retail", "made-up"), {}, "The columns of made-up/2010-12.csv.gz are not"
    ),
}


USAGE = {
    "a missing file": (("import", "missing", "--brand", "acme"), "'missing' does not exist"),
    "no brand": (("import", __file__), "Missing option '--brand'"),
    "an unknown replay": (("replay", "nonsense", "."), "'online-retail', 'olist'"),
    "a preset for the retailer": (
        ("replay", "online-retail", ".", "--preset", "cost"),
        "Only olist is routed by a preset.",
    ),
    "a file for a folder": (("replay", "olist", __file__), "is a file"),
    "an unknown command": (("nonsense",), "No such command 'nonsense'"),
    "an unknown option": (("audit", "--nonsense"), "No such option: --nonsense"),
}


class Aftermath(NamedTuple):
    """What became of all misuses, and the database before and after them."""

    finished: dict[str, Finished]
    before: dict[str, str]
    after: dict[str, str]
    folder: Path


def make_up(folder: Path) -> None:
    """Put in files that are not what they seem."""
    (folder / "orders.ndjson").write_text('{"shop": "shop"}\n')
    (folder / "made-up").mkdir()
    (folder / "made-up/olist_orders.csv").write_text("order_id\n1\n")
    with gzip.open(folder / "made-up/2010-12.csv.gz", "wt") as file:
        file.write("one,two\n1,2\n")


@pytest.fixture(scope="module")
def aftermath(
    servers: Servers, world_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Aftermath:
    """Everything that is wrong, done at once."""
    folder = tmp_path_factory.mktemp("misuse")
    make_up(folder)
    before = contents_of(world_url)
    settings = settings_for(servers, world_url)
    processes = {
        name: start(folder, *misuse.words, **{**settings, **misuse.settings})
        for name, misuse in MISUSES.items()
    }
    finished = {name: end_of(process) for name, process in processes.items()}
    return Aftermath(finished, before, contents_of(world_url), folder)


@pytest.mark.parametrize("name", MISUSES)
def test_it_is_said_in_one_line(aftermath: Aftermath, name: str) -> None:
    finished = aftermath.finished[name]
    assert (finished.status, finished.out) == (1, "")
    (line,) = finished.said
    assert MISUSES[name].says in line


def test_nothing_has_changed(aftermath: Aftermath) -> None:
    assert aftermath.before == aftermath.after
    assert not (aftermath.folder / "answers").exists()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield int(somebody.getsockname()[1])


def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path, taken: int) -> None:
    finished = run(tmp_path, "serve", port=taken)
    assert finished.status == 1
    (line,) = finished.said
    assert f"Cannot listen on 127.0.0.1:{taken} (Address already in use)" in line
    assert "YIPAN_PORT" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", USAGE)
def test_what_cannot_be_understood_is_explained(name: str) -> None:
    words, says = USAGE[name]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2
    assert says in " ".join(result.output.replace("│", " ").split())
