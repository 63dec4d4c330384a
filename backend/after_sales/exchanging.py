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
from backend.orders.cancel_orders import cancel_units
from backend.orders.model import HoldKind, OrderStatus
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.refunds import mark_paid
from backend.orders.release_holds import release_kind
from backend.orders.step import lines_of_order, tell_order

NOTHING_CAME = "what it was to be exchanged for does not come"


class Exchanging(NamedTuple):
    """An exchange under the locks of both its orders."""

    exchange: Exchange
    replacement: Record | None
    """None while it is not ordered."""
    wanted: str


async def lock_exchange(tx: TenantTransaction, return_id: int) -> Exchanging | None:
    """Lock what is exchanged for a request, its orders first; None where nothing is."""
    ids = await tx.fetch_row(SQL.order_of_exchange, tx.tenant_id, return_id)
    if ids is None:
        return None
    keys = [FulfilmentKey(one, 0) for one in ids if one is not None]
    orders = {order["id"]: order for order in await lock_orders_of(tx, keys)}
    row = await tx.fetch_row(SQL.lock_exchange, tx.tenant_id, return_id)
    assert row is not None, "exchanges are not deleted"
    exchange = exchange_of(row)
    return Exchanging(exchange, orders.get(exchange.replacement_id), row["wanted"])


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


async def settle(tx: TenantTransaction, found: Exchanging | None) -> None:
    """Exchange what came back, and is owed, for the replacement: then that may be sent.

    Where it is worth less, the difference is to be paid first, and what is owed is kept until then.
    Where the replacement was cancelled, it stays owed. Emits `exchange.changed`, `refund.changed`.
    """
    if found is None or found.exchange.status in EXCHANGE.final:
        return
    exchange, replacement = found.exchange, found.replacement
    if replacement is None or replacement["status"] == OrderStatus.CANCELLED:
        await set_exchange(tx, exchange, ExchangeStatus.CANCELLED)
        return
    price = await tx.fetch_value(SQL.price_left, tx.tenant_id, replacement["id"])
    row = await tx.fetch_row(
        SQL.refund_of_return, tx.tenant_id, exchange.order_id, exchange.return_id
    )
    worth = row["amount_minor"] if row is not None else 0
    credit, due = min(worth, price), max(0, price - worth)
    if due:
        await _set_refund(tx, row, "keep", RefundStatus.KEPT)
        await set_exchange(tx, exchange, ExchangeStatus.UNPAID, credit=credit, due=due)
        return
    await finish(tx, found, credit=credit)


async def finish(
    tx: TenantTransaction, found: Exchanging, *, credit: int, reference: str = ""
) -> Exchange:
    """Let the replacement be sent: it is paid, by what came back and what was paid beside it."""
    exchange, replacement = found.exchange, found.replacement
    assert replacement is not None, "it is ordered"
    row = await tx.fetch_row(
        SQL.refund_of_return, tx.tenant_id, exchange.order_id, exchange.return_id
    )
    if row is not None and credit:
        rest = RefundStatus.DUE if row["amount_minor"] > credit else RefundStatus.PAID
        await _set_refund(tx, row, "exchange", rest, offset=credit)
    await mark_paid(tx, replacement["id"])
    await release_kind(tx, replacement, HoldKind.EXCHANGE)
    return await set_exchange(
        tx, exchange, ExchangeStatus.DONE, credit=credit, due=exchange.due_minor, paid=reference
    )


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
        price = await tx.fetch_value(SQL.price_left, tx.tenant_id, replacement["id"])
        await set_exchange(tx, found.exchange, ExchangeStatus.UNPAID, due=price)
        return Counters()
    return await drop(tx, found, actor)


async def drop(tx: TenantTransaction, found: Exchanging, actor: str) -> Counters:
    """Cancel a replacement that no node has begun with; what came back is owed."""
    exchange = found.exchange
    row = await tx.fetch_row(
        SQL.refund_of_return, tx.tenant_id, exchange.order_id, exchange.return_id
    )
    if row is not None and row["status"] == RefundStatus.KEPT:
        await _set_refund(tx, row, "let_go", RefundStatus.DUE)
    await set_exchange(tx, exchange, ExchangeStatus.CANCELLED)
    if found.replacement is None:
        return Counters()
    return await cancel_replacement(tx, found.replacement["id"], actor)


async def cancel_replacement(tx: TenantTransaction, order_id: int, actor: str) -> Counters:
    """Cancel what is left of an order with which no node has begun."""
    await lock_orders_of(tx, [FulfilmentKey(order_id, 0)])
    lines = await lines_of_order(tx, order_id)
    left = {line.line_no: line.reserved + line.backordered + line.held for line in lines}
    if not any(left.values()):
        return Counters()
    return (await cancel_units(tx, order_id, left, actor, NOTHING_CAME)).counters


async def is_begun(tx: TenantTransaction, order_id: int) -> bool:
    """Whether a node works on units of an order, or they have left."""
    lines = await lines_of_order(tx, order_id)
    return any(line.at_node + line.shipped + line.delivered for line in lines)


async def set_exchange(
    tx: TenantTransaction,
    before: Exchange,
    status: ExchangeStatus,
    *,
    replacement_id: int | None = None,
    credit: int = 0,
    due: int = 0,
    paid: str = "",
) -> Exchange:
    """Let a locked exchange stand elsewhere, and tell of it."""
    assert EXCHANGE.allows(before.status, status), f"no step from {before.status} to {status}"
    row = await tx.fetch_row(
        SQL.set_exchange,
        tx.tenant_id,
        before.return_id,
        status.value,
        before.replacement_id if replacement_id is None else replacement_id,
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


async def _set_refund(
    tx: TenantTransaction, row: Record | None, name: str, status: RefundStatus, *, offset: int = 0
) -> None:
    if row is None:
        return
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
    payload = RefundChanged(before.order_id, before.refund_no, status, before.amount_minor)
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


async def page_of_exchanges(tx: TenantTransaction, after: int, limit: int) -> list[Exchange]:
    """Return exchanges with which something is to be done, the oldest first, after an id."""
    rows = await tx.fetch(SQL.page_of_exchanges, tx.tenant_id, after, limit)
    return [exchange_of(row) for row in rows]
