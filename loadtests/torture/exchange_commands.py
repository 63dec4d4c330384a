"""What people do about an exchange, as it is played at once and cut off."""

from backend.after_sales.errors import UnknownReturn
from backend.after_sales.exchange import (
    drop_exchange,
    pay_exchange,
    request_exchange,
    waive_exchange,
)
from backend.after_sales.exchanging import exchanges_by_returns
from backend.after_sales.model import (
    Exchange,
    ExchangeDraft,
    ReturnDraft,
    ReturnKind,
    ReturnUnits,
    WantedLine,
)
from backend.after_sales.standing import returns_of_orders
from backend.db.pool import Database
from backend.inventory.counters import Counters
from backend.orders.cancel_orders import cancel_order
from loadtests.torture.target import SKU, Command, Target

DEARER_MINOR = 1_500
"""A unit costs so much that is wanted for one of 1,000."""


async def exchange_of(database: Database, at: Target) -> Exchange:
    """Return the first exchange of an order."""
    async with database.tenant_transaction(at.principal, read_only=True) as tx:
        requests = (await returns_of_orders(tx, [at.key.order_id])).get(at.key.order_id, [])
        found = await exchanges_by_returns(tx, [one.id for one in requests])
    if not found:
        raise UnknownReturn
    return found[min(found)]


async def _swap(database: Database, at: Target, key: str) -> Counters:
    assert at.intake is not None, "it is exchanged for something"
    back = ReturnDraft(at.key.order_id, ReturnKind.RETURN, (ReturnUnits(1, 2),), "no")
    draft = ExchangeDraft(back, (WantedLine(SKU, 2, DEARER_MINOR),))
    _, done = await request_exchange(database, at.intake, at.principal, draft, key)
    return done.counters


async def _pay(database: Database, at: Target, key: str) -> Counters:
    found = await exchange_of(database, at)
    given = (found.return_id, found.due_minor, "paid")
    return (await pay_exchange(database, at.principal, *given, seen=None, key=key)).counters


async def _waive(database: Database, at: Target, key: str) -> Counters:
    found = await exchange_of(database, at)
    given = (found.return_id, "sorry")
    return (await waive_exchange(database, at.principal, *given, seen=None, key=key)).counters


async def _drop(database: Database, at: Target, key: str) -> Counters:
    found = await exchange_of(database, at)
    done = await drop_exchange(database, at.principal, found.return_id, seen=None, key=key)
    return done.counters


async def _cancel_replacement(database: Database, at: Target, key: str) -> Counters:
    found = await exchange_of(database, at)
    if found.replacement_id is None:
        raise UnknownReturn
    done = await cancel_order(database, at.principal, found.replacement_id, None, key)
    return done.counters


COMMANDS: dict[str, Command] = {
    "swap": _swap,
    "swap_pay": _pay,
    "swap_waive": _waive,
    "swap_drop": _drop,
    "swap_cancel": _cancel_replacement,
}
