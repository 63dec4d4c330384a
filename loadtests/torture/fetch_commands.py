"""What people do to an order that a customer fetches, as it is played at once and cut off."""

from datetime import UTC, datetime

from backend.db.pool import Database
from backend.inventory.counters import Counters
from backend.pickups.expire import expire_pickup
from backend.pickups.hand_over import Handing, hand_over
from backend.pickups.model import HandedLine
from backend.pickups.move import Moving, move_pickup
from backend.pickups.store_work import accept_pickup, make_ready, reject_pickup
from loadtests.torture.target import NEAR, SPARE, Command, Target

LATER = datetime(2100, 1, 1, tzinfo=UTC)


async def _accept(database: Database, at: Target, key: str) -> None:
    await accept_pickup(database, at.principal, at.key.order_id, seen=None, key=key)


async def _reject(database: Database, at: Target, key: str) -> Counters:
    order_id = at.key.order_id
    done = await reject_pickup(database, at.principal, order_id, "no", seen=None, key=key)
    return done.counters


async def _make_ready(database: Database, at: Target, key: str) -> None:
    await make_ready(database, at.principal, at.key.order_id, seen=None, key=key)


async def _hand_over(database: Database, at: Target, key: str) -> Counters:
    handing = Handing(at.token)
    done = await hand_over(database, at.principal, at.key.order_id, handing, seen=None, key=key)
    return done.counters


async def _hand_one_over(database: Database, at: Target, key: str) -> Counters:
    handing = Handing(at.token, (HandedLine(1, 1),))
    done = await hand_over(database, at.principal, at.key.order_id, handing, seen=None, key=key)
    return done.counters


async def _move(database: Database, at: Target, key: str, location: str | None) -> Counters:
    moving = Moving(location)
    done = await move_pickup(database, at.principal, at.key.order_id, moving, seen=None, key=key)
    return done.counters


async def fetch(database: Database, at: Target, key: str) -> Counters:
    """Let an order that is sent be fetched."""
    return await _move(database, at, key, NEAR)


async def _elsewhere(database: Database, at: Target, key: str) -> Counters:
    return await _move(database, at, key, SPARE)


async def _send(database: Database, at: Target, key: str) -> Counters:
    return await _move(database, at, key, None)


async def _expire(database: Database, at: Target, key: str) -> Counters:
    return await expire_pickup(database, at.principal.tenant_id, at.key.order_id, LATER)


COMMANDS: dict[str, Command] = {
    "accept": _accept,
    "reject": _reject,
    "make_ready": _make_ready,
    "hand_over": _hand_over,
    "hand_one_over": _hand_one_over,
    "elsewhere": _elsewhere,
    "send": _send,
    "expire": _expire,
}
