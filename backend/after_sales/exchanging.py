"""How exchanges stand, and what becomes of one when its goods are back, or do not come."""

from collections.abc import Iterable
from typing import NamedTuple

from backend.after_sales.errors import ExchangeChanged, UnknownExchange
from backend.after_sales.events import ExchangeChanged as ExchangeTold
from backend.after_sales.events import RefundChanged
from backend.after_sales.model import Exchange, ExchangeStatus, RefundStatus
from backend.after_sales.standing import SQL, refund_of
from backend.after_sales.states import EXCHANGE, REFUND
from backend.db.pool import Record, TenantTransaction
from backend.inventory.counters import Counters
from backend.machines import Step
from backend.orders.cancel_orders import cancel_rest
from backend.orders.model import HoldKind, OrderStatus
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.refunds import mark_paid, price_of
from backend.orders.release_holds import release_kind
from backend.orders.step import lines_of_order, tell_order

NOTHING_CAME = "what it was to be exchanged for does not come"


class Exchanging(NamedTuple):
    """An exchange under the locks of both its orders."""

    exchange: Exchange
    replacement: Record | None
    """None while it is not ordered; it may be, and not be linked yet."""
    wanted: str
    is_even: bool

    @property
    def replacement_id(self) -> int | None:
        return None if self.replacement is None else int(self.replacement["id"])


async def lock_exchange(tx: TenantTransaction, return_id: int) -> Exchanging | None:
    """Lock what is exchanged for a request, its orders first; None where nothing is."""
    while True:
        ids = await tx.fetch_row(SQL.order_of_exchange, tx.tenant_id, return_id)
        if ids is None:
            return None
        keys = [FulfilmentKey(one, 0) for one in ids if one is not None]
        orders = {order["id"]: order for order in await lock_orders_of(tx, keys)}
        row = await tx.fetch_row(SQL.lock_exchange, tx.tenant_id, return_id)
        assert row is not None, "exchanges are not deleted"
        if row["replacement_id"] in (None, ids["placed_id"]):  # else it was linked meanwhile
            replacement = orders.get(ids["placed_id"])
            return Exchanging(exchange_of(row), replacement, row["wanted"], row["is_even"])


async def lock_for(
    tx: TenantTransaction, return_id: int, step: Step, seen: int | None
) -> Exchanging:
    """Lock an exchange that may take a step, as it was seen: by its version, if given.

    Raises UnknownExchange, ExchangeChanged.
    """
    found = await lock_exchange(tx, return_id)
    if found is None:
        raise UnknownExchange
    exchange = found.exchange
    if exchange.status not in step.sources or seen not in (None, exchange.version):
        raise ExchangeChanged(exchange)
    return found


async def settle(tx: TenantTransaction, found: Exchanging | None, *, is_all: bool) -> int:
    """Exchange what came back, and is owed, for the replacement: then that may be sent.

    Where it is worth less, the difference is to be paid first, and what is owed is kept until then;
    not of an even exchange of which all came back. Where the replacement was cancelled, it stays
    owed. Returns what is exchanged or kept of it, and so is not to be paid back now. Emits
    `exchange.changed`, `refund.changed`.
    """
    if found is None or found.exchange.status in EXCHANGE.final:
        return 0
    exchange, replacement = found.exchange, found.replacement
    if replacement is None or replacement["status"] == OrderStatus.CANCELLED:
        await set_exchange(tx, found, ExchangeStatus.CANCELLED)
        return 0
    price = await price_of(tx, replacement["id"])
    row = await _refund(tx, exchange)
    worth = row["amount_minor"] if row is not None else 0
    if worth < price and not (found.is_even and is_all):
        if row is not None and row["status"] == RefundStatus.DUE:
            await _set_refund(tx, row, "keep", RefundStatus.KEPT)
        await set_exchange(tx, found, ExchangeStatus.UNPAID, credit=worth, due=price - worth)
        return int(worth)
    await finish(tx, found, credit=min(worth, price), paid_beside=0)
    return int(min(worth, price))


async def finish(
    tx: TenantTransaction,
    found: Exchanging,
    *,
    credit: int,
    paid_beside: int,
    reference: str = "",
) -> Exchange:
    """Let the replacement be sent: by what came back (`credit`), and what was paid beside it."""
    exchange, replacement = found.exchange, found.replacement
    assert replacement is not None, "it is ordered"
    row = await _refund(tx, exchange)
    if row is not None and row["status"] in REFUND.step("exchange").sources:
        rest = RefundStatus.DUE if row["amount_minor"] > credit else RefundStatus.PAID
        await _set_refund(tx, row, "exchange", rest, offset=credit)
    await mark_paid(tx, replacement["id"], credit + paid_beside)
    await release_kind(tx, replacement, HoldKind.EXCHANGE)
    return await set_exchange(
        tx, found, ExchangeStatus.DONE, credit=credit, due=paid_beside, paid=reference
    )


async def credit_and_due(tx: TenantTransaction, found: Exchanging) -> tuple[int, int]:
    """Return what came back is worth of an unpaid exchange as its replacement costs now, and what
    is to be paid beside that."""
    assert found.replacement is not None, "it is ordered"
    price = await price_of(tx, found.replacement["id"])
    row = await _refund(tx, found.exchange)
    worth = row["amount_minor"] if row is not None else 0
    return min(worth, price), max(0, price - worth)


async def abandon(tx: TenantTransaction, found: Exchanging | None, actor: str) -> Counters:
    """End an exchange for which nothing comes back: its replacement is cancelled.

    Where a node works on that already, or it has left, it is to be paid. Emits `exchange.changed`,
    `order.cancelled`.
    """
    if found is None or found.exchange.status not in (
        ExchangeStatus.ASKED,
        ExchangeStatus.WAITING,
    ):
        return Counters()
    replacement = found.replacement
    if replacement is not None and await is_begun(tx, replacement["id"]):
        price = await price_of(tx, replacement["id"])
        await set_exchange(tx, found, ExchangeStatus.UNPAID, due=price)
        return Counters()
    return await drop(tx, found, actor)


async def drop(tx: TenantTransaction, found: Exchanging, actor: str) -> Counters:
    """Cancel a replacement that no node has begun with; what came back is owed."""
    row = await _refund(tx, found.exchange)
    if row is not None and row["status"] == RefundStatus.KEPT:
        await _set_refund(tx, row, "let_go", RefundStatus.DUE)
    await set_exchange(tx, found, ExchangeStatus.CANCELLED)
    if found.replacement is None:
        return Counters()
    return await cancel_rest(tx, found.replacement["id"], actor, NOTHING_CAME)


async def is_begun(tx: TenantTransaction, order_id: int) -> bool:
    """Whether a node works on units of an order, or they have left."""
    lines = await lines_of_order(tx, order_id)
    return any(line.at_node + line.shipped + line.delivered for line in lines)


async def is_replacement(tx: TenantTransaction, order_id: int) -> bool:
    """Whether an order is to replace something, and that is open."""
    return await tx.fetch_value(SQL.open_exchange_of, tx.tenant_id, order_id) is not None


async def set_exchange(
    tx: TenantTransaction,
    found: Exchanging,
    status: ExchangeStatus,
    *,
    credit: int = 0,
    due: int = 0,
    paid: str = "",
) -> Exchange:
    """Let a locked exchange stand elsewhere, with what replaces it, and tell of it."""
    before = found.exchange
    assert EXCHANGE.allows(before.status, status), f"no step from {before.status} to {status}"
    row = await tx.fetch_row(
        SQL.set_exchange,
        tx.tenant_id,
        before.return_id,
        status.value,
        found.replacement_id,
        credit,
        due,
        paid,
    )
    assert row is not None, "it is locked"
    after = exchange_of(row)
    payload = ExchangeTold(
        after.order_id,
        after.return_id,
        after.replacement_id,
        after.status,
        after.credit_minor,
        after.due_minor,
    )
    await tell_order(tx, after.order_id, payload)
    return after


async def _refund(tx: TenantTransaction, exchange: Exchange) -> Record | None:
    """Return what is owed for what came back, locked; None where nothing is, or was waived."""
    return await tx.fetch_row(
        SQL.refund_of_return, tx.tenant_id, exchange.order_id, exchange.return_id
    )


async def _set_refund(
    tx: TenantTransaction, row: Record, name: str, status: RefundStatus, *, offset: int = 0
) -> None:
    before = refund_of(row)
    step = REFUND.step(name)
    assert before.status in step.sources, f"a refund that is {before.status} is not exchanged"
    await tx.execute(
        SQL.exchange_refund,
        tx.tenant_id,
        before.order_id,
        before.refund_no,
        status.value,
        offset,
    )
    payload = RefundChanged(before.order_id, before.refund_no, status, before.amount_minor, offset)
    await tell_order(tx, before.order_id, payload)


def exchange_of(row: Record) -> Exchange:
    return Exchange(
        row["return_id"],
        row["order_id"],
        row["replacement_id"],
        ExchangeStatus(row["status"]),
        row["version"],
        row["credit_minor"],
        row["due_minor"],
        row["reference"],
        row["changed_at"],
    )


async def exchanges_by_returns(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, Exchange]:
    rows = await tx.fetch(SQL.exchanges_by_returns, tx.tenant_id, list(ids))
    return {row["return_id"]: exchange_of(row) for row in rows}


async def page_of_exchanges(tx: TenantTransaction, after: int, limit: int) -> list[int]:
    """Return requests for which something is to be exchanged, the oldest first, after an id."""
    rows = await tx.fetch(SQL.page_of_exchanges, tx.tenant_id, after, limit)
    return [row["return_id"] for row in rows]
