"""What happens to the servers."""

import asyncio
from enum import StrEnum
from typing import Protocol

from loadtests.torture.database_server import DatabaseServer
from loadtests.torture.valkey_server import ValkeyServer

PAUSE_SECONDS = 3.0
RESTART_SECONDS = 0.3
DATABASE_AWAY_SECONDS = 1.0
REPLICA_LAG_SECONDS = 0.05


class Accident(StrEnum):
    """An accident of a server."""

    VALKEY_FLUSHED = "Valkey flushed"
    VALKEY_RESTARTED = "Valkey restarted empty"
    VALKEY_PAUSED = "Valkey paused"
    VALKEY_FAILED_OVER = "Valkey replaced by a replica that is behind"
    DATABASE_RESTARTED = "PostgreSQL restarted"


class Servers(Protocol):
    """The servers of a history."""

    database: DatabaseServer
    valkey: ValkeyServer


async def happen(accident: Accident, servers: Servers) -> None:
    """Let an accident happen, and end."""
    database, valkey = servers.database, servers.valkey
    match accident:
        case Accident.VALKEY_FLUSHED:
            valkey.flush()
        case Accident.VALKEY_RESTARTED:
            valkey.kill()
            await asyncio.sleep(RESTART_SECONDS)
            valkey.start()
        case Accident.VALKEY_PAUSED:
            valkey.paused_until = asyncio.get_running_loop().time() + PAUSE_SECONDS
        case Accident.VALKEY_FAILED_OVER:
            valkey.keep_replica()
            await asyncio.sleep(REPLICA_LAG_SECONDS)
            valkey.fail_over()
        case Accident.DATABASE_RESTARTED:
            database.is_up.clear()
            database.crash()
            await asyncio.sleep(DATABASE_AWAY_SECONDS)
            database.is_up.set()
