"""What people do to an order that has arrived, as it is played at once and cut off."""

from backend.after_sales.errors import UnknownReturn
from backend.after_sales.model import Inspected, ReturnDraft, ReturnKind, ReturnUnits
from backend.after_sales.pay_back import grant_refund, move_refund
from backend.after_sales.receive import (
    Arrived,
    ReturnedTo,
    inspect_return,
    receive_return,
    take_back,
    take_in_parcel,
)
from backend.after_sales.request import approve_return, end_return, request_return
from backend.after_sales.standing import returns_of_orders
from backend.db.pool import Database
from backend.fulfilment.errors import UnknownParcel
from backend.fulfilment.find import parcels_of_orders
from backend.inventory.counters import Counters
from loadtests.torture.target import Command, Target

UNITS = (ReturnUnits(1, 2),)


async def first_return(database: Database, at: Target) -> int:
    """Return the first request of an order."""
    async with database.tenant_transaction(at.principal, read_only=True) as tx:
        found = await returns_of_orders(tx, [at.key.order_id])
    if at.key.order_id not in found:
        raise UnknownReturn
    return found[at.key.order_id][0].id


async def _ask(database: Database, at: Target, key: str) -> None:
    draft = ReturnDraft(at.key.order_id, ReturnKind.RETURN, UNITS, "no")
    await request_return(database, at.principal, draft, key)


async def _claim(database: Database, at: Target, key: str) -> None:
    draft = ReturnDraft(at.key.order_id, ReturnKind.MISSING, (ReturnUnits(1, 1),), "no")
    await request_return(database, at.principal, draft, key)


async def _approve(database: Database, at: Target, key: str) -> None:
    number = await first_return(database, at)
    await approve_return(database, at.principal, number, seen=None, key=key)


async def _decline(database: Database, at: Target, key: str) -> None:
    number = await first_return(database, at)
    await end_return(
        database, at.principal, number, is_rejected=True, reason="no", seen=None, key=key
    )


async def _receive(database: Database, at: Target, key: str) -> Counters:
    number, arrived = await first_return(database, at), Arrived(at.node_id)
    done = await receive_return(database, at.principal, number, arrived, seen=None, key=key)
    return done.counters


async def _inspect(database: Database, at: Target, key: str) -> Counters:
    number, found = await first_return(database, at), [Inspected(1, good=1, scrapped=1)]
    done = await inspect_return(database, at.principal, number, found, seen=None, key=key)
    return done.counters


async def _take_back(database: Database, at: Target, key: str) -> Counters:
    draft = ReturnDraft(at.key.order_id, ReturnKind.RETURN, UNITS, "no", at.node_id)
    return (await take_back(database, at.principal, draft, key)).counters


async def _grant(database: Database, at: Target, key: str) -> None:
    await grant_refund(database, at.principal, at.key.order_id, 2_500, "sorry", key)


async def _pay(database: Database, at: Target, key: str) -> None:
    refund = (at.key.order_id, 1)
    await move_refund(database, at.principal, refund, "pay", "", seen=None, key=key)


async def _waive(database: Database, at: Target, key: str) -> None:
    refund = (at.key.order_id, 1)
    await move_refund(database, at.principal, refund, "waive", "", seen=None, key=key)


async def _take_in(database: Database, at: Target, key: str) -> Counters:
    async with database.tenant_transaction(at.principal, read_only=True) as tx:
        parcels = (await parcels_of_orders(tx, [at.key.order_id])).get(at.key.order_id, [])
    mine = [row["id"] for row in parcels if row["fulfilment_no"] == at.key.fulfilment_no]
    if not mine:
        raise UnknownParcel
    where = ReturnedTo(at.node_id, "no")
    return (await take_in_parcel(database, at.principal, mine[0], where, key)).counters


COMMANDS: dict[str, Command] = {
    "take_in": _take_in,
    "ask": _ask,
    "claim": _claim,
    "approve": _approve,
    "decline": _decline,
    "receive": _receive,
    "inspect": _inspect,
    "take_back": _take_back,
    "grant": _grant,
    "pay": _pay,
    "waive": _waive,
}
