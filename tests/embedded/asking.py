"""Questions the tests ask the servers, the system, and each other."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

from backend.embedded.processes import command_line
from backend.embedded.services import EmbeddedServices

WAIT_SECONDS = 10.0


def ask(services: EmbeddedServices, statement: str) -> Any:
    """The first value `statement` returns."""

    async def run() -> Any:
        connection = await asyncpg.connect(services.database_url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def leave_a_mark(services: EmbeddedServices) -> None:
    ask(services, "CREATE TABLE mark AS SELECT 42 AS value")


def mark_of(services: EmbeddedServices) -> Any:
    return ask(services, "SELECT value FROM mark")


def postmaster(folder: Path) -> int:
    return int((folder / "postgres/data/postmaster.pid").read_text().split()[0])


def valkey(folder: Path) -> int:
    return int((folder / "valkey/valkey.pid").read_text())


def is_alive(pid: int) -> bool:
    return command_line(pid) != ""


def comes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
