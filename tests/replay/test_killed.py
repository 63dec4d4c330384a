"""A replay whose process is killed three times, and simply started again, adds up all the same."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from backend.settings import Settings, environment_of
from loadtests.waiting import until
from tests.catalogue import Connection

DEATHS = 3
PATIENCE_SECONDS = 120


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "folder", "files", "orders"),
    [("online-retail", "online-retail", "2010-12*", 1_400), ("olist", "olist-sample", "*", 1_000)],
)
async def test_a_replay_survives_three_deaths(
    name: str,
    folder: str,
    files: str,
    orders: int,
    admin: Connection,
    database_url: str,
    valkey_url: str,
    tmp_path: Path,
) -> None:
    data = os.environ.get("YIPAN_TEST_DATA")
    if not data:
        pytest.skip("YIPAN_TEST_DATA names no folder with the real data")
    part = tmp_path / folder
    part.mkdir()
    for file in (Path(data) / folder).glob(files):
        (part / file.name).symlink_to(file)
    command = [sys.executable, "-m", "backend", "replay", name, str(part), "--json"]
    command += ["--brand=killed", f"--rejects={tmp_path / 'rejects.csv'}"]
    environment = environment_of(
        Settings(data=tmp_path), database_url=database_url, valkey_url=valkey_url
    )
    for death in range(1, DEATHS + 1):
        await _die_at(command, environment, admin, orders * death // (DEATHS + 1))
    report = await _finish(command, environment)
    assert report["audit_differences"] == 0
    counted = sum(report[f"lines_{what}"] for what in ("placed", "cancelled", "fees", "rejected"))
    assert counted == report["lines_read"] > orders
    stored = await admin.fetchval("select count(*) from orders")
    assert stored == report["orders_placed"] >= orders


async def _die_at(
    command: Sequence[str], environment: dict[str, str], admin: Connection, orders: int
) -> None:
    """Start a replay and kill it once there are so many orders."""

    async def enough() -> bool:
        found: int = await admin.fetchval("select count(*) from orders")
        assert process.returncode is None, "it has ended by itself"
        return found >= orders

    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await until(enough, PATIENCE_SECONDS)
    finally:
        process.kill()
        await process.wait()


async def _finish(command: Sequence[str], environment: dict[str, str]) -> dict[str, Any]:
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report
