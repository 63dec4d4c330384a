"""What is done at the customer's door for a return, as it is played at once and cut off."""

from datetime import UTC, datetime, timedelta

from backend.after_sales.collecting import Wanted, change_collection, request_collection
from backend.after_sales.collecting import note_collected as on_collected
from backend.after_sales.request import send_back
from backend.db.pool import Database
from backend.fulfilment.carriers.model import TrackingEvent, TrackingKind, Waybill
from backend.fulfilment.carriers.tracking import record_tracking
from backend.fulfilment.collections.collector import book, collections_to_ask
from backend.fulfilment.collections.model import (
    CollectedFor,
    Collection,
    CollectionStatus,
    CollectionTime,
    Subject,
)
from backend.fulfilment.collections.standing import page_of_collections
from backend.fulfilment.errors import UnknownCollection
from loadtests.torture.return_commands import first_return
from loadtests.torture.target import Command, Target
from tenants.principal import Principal, system_principal

CARRIER, ASKED_AT_ONCE = "sim", 100
TOMORROW = datetime.now(UTC) + timedelta(days=1)
TIME = CollectionTime(CARRIER, TOMORROW, TOMORROW + timedelta(hours=3))
LATER = CollectionTime(CARRIER, TOMORROW + timedelta(days=1), TOMORROW + timedelta(days=1, hours=3))


async def _collection(database: Database, at: Target) -> Collection:
    """Return the collection of an order."""
    of = (None, at.key.order_id)
    async with database.tenant_transaction(at.principal, read_only=True) as tx:
        found = await page_of_collections(tx, of, CollectionStatus, 0, 1)
    if not found:
        raise UnknownCollection
    return found[0]


async def _ask(database: Database, at: Target, key: str) -> None:
    subject = Subject(CollectedFor.RETURN, await first_return(database, at))
    await request_collection(database, at.principal, subject, Wanted(TIME, at.node_id), key)


async def _come(database: Database, at: Target, _: str) -> None:
    """Let the carrier say that it comes, as the background work asks it."""
    mine = (await _collection(database, at)).id
    async with database.tenant_transaction(_system(at)) as tx:
        for asked in await collections_to_ask(tx, [CARRIER], ASKED_AT_ONCE):
            if asked.id == mine:
                await book(tx, asked, Waybill(f"W{mine}-{asked.round}"))


async def _another_time(database: Database, at: Target, key: str) -> None:
    await _change(database, at, LATER, key)


async def _call_off(database: Database, at: Target, key: str) -> None:
    await _change(database, at, None, key)


async def _change(database: Database, at: Target, time: CollectionTime | None, key: str) -> None:
    mine = (await _collection(database, at)).id
    await change_collection(database, at.principal, mine, time, seen=None, key=key)


async def _tell(database: Database, at: Target, kind: TrackingKind) -> None:
    """Let the carrier tell something of its first waybill."""
    mine = (await _collection(database, at)).id
    event = TrackingEvent(f"{mine}-{kind}", f"W{mine}-1", kind, TOMORROW)
    tenant_id = at.principal.tenant_id
    await record_tracking(database, tenant_id, CARRIER, [event], on_collected)


async def _picked_up(database: Database, at: Target, _: str) -> None:
    await _tell(database, at, TrackingKind.PICKED_UP)


async def _missed(database: Database, at: Target, _: str) -> None:
    await _tell(database, at, TrackingKind.FAILED_ATTEMPT)


async def _brought(database: Database, at: Target, _: str) -> None:
    await _tell(database, at, TrackingKind.DELIVERED)


async def _send(database: Database, at: Target, key: str) -> None:
    number = await first_return(database, at)
    await send_back(database, at.principal, number, ("own", "X1"), seen=None, key=key)


def _system(at: Target) -> Principal:
    return system_principal(at.principal.tenant_id, "labels")


COMMANDS: dict[str, Command] = {
    "fetch_at_door": _ask,
    "come": _come,
    "another_time": _another_time,
    "call_off": _call_off,
    "picked_up": _picked_up,
    "missed": _missed,
    "brought": _brought,
    "send": _send,
}
