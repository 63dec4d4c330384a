"""Deposits (定金): an order is paid in part, reserved, and goes when the rest (尾款) is paid."""

from collections.abc import Iterable, Sequence
from functools import partial

from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.counters import Counters
from backend.orders.cancel_orders import cancel_rest
from backend.orders.each_by_itself import end_each
from backend.orders.errors import InvalidOrder, NothingToPay, WrongAmount
from backend.orders.events import OrderPaid
from backend.orders.model import DepositStatus, HoldKind, OrderStatus
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.refunds import RefundCause, mark_paid, owe_refund, price_of
from backend.orders.release_holds import release_kind
from backend.orders.step import changing_order, tell_order
from tenants.principal import Permission, Principal, system_principal

SQL = load_queries(__file__)

NOT_PAID = "the rest was not paid in time"
ENDED_AT_ONCE = 200
REFERENCE_MAX = 200


async def insert_deposits(tx: TenantTransaction, rows: Sequence[tuple[object, ...]]) -> None:
    """Note what was paid ahead for new orders, in the transaction that stores them."""
    columns = zip(*rows, strict=True)
    await tx.execute(SQL.insert_deposits, tx.tenant_id, *map(list, columns))


async def pay_rest(
    database: Database,
    principal: Principal,
    order_id: int,
    amount_minor: int,
    reference: str,
    key: str,
) -> OrderStatus:
    """Note that the rest of an order was paid, all that it costs now, once: then it may be sent.

    Locks the key, the order, its deposit. Emits `order.paid`, `order.hold_released`. Raises
    PermissionMissing, WriteRefused, UnknownOrder, InvalidOrder, NothingToPay, WrongAmount,
    CommandConflict; then nothing has changed.
    """
    if not 0 < len(reference) <= REFERENCE_MAX:
        raise InvalidOrder(
            f"Say what the payment is called, in 1 to {REFERENCE_MAX} characters.",
            path=("reference",),
        )
    async with changing_order(database, principal, order_id, Permission.ORDERS_PLACE) as tx:
        content = ("pay_rest", order_id, amount_minor, reference)
        work = partial(_pay, tx, order_id, amount_minor, reference)
        return await apply_once(tx, key, content, OrderStatus, work)


async def _pay(
    tx: TenantTransaction, order_id: int, amount_minor: int, reference: str
) -> OrderStatus:
    (order,) = await lock_orders_of(tx, [FulfilmentKey(order_id, 0)])
    deposit = await tx.fetch_row(SQL.lock_deposit, tx.tenant_id, order_id)
    if (
        deposit is None
        or deposit["status"] != DepositStatus.OPEN
        or order["status"] == OrderStatus.CANCELLED
    ):
        raise NothingToPay
    price = await price_of(tx, order_id)
    due = max(0, price - deposit["amount_minor"])
    if amount_minor != due:
        raise WrongAmount(f"{due} is to be paid now.", path=("amountMinor",))
    await mark_paid(tx, order_id, deposit["amount_minor"] + due)
    await tx.execute(SQL.set_deposit, tx.tenant_id, order_id, DepositStatus.PAID.value, reference)
    await release_kind(tx, order, HoldKind.DEPOSIT)
    return await tell_order(tx, order_id, OrderPaid(order_id, amount_minor, reference))


async def end_deposits(database: Database, tenant_id: int) -> tuple[int, Counters]:
    """Cancel orders whose rest was not paid in time, each by itself; their units are free again.

    What was paid ahead is owed, unless it is kept. Returns how many, and the counters that are to
    be published. Several processes may do so at once. Locks the order, its deposit, then what
    cancelling does. Emits `order.cancelled`, `refund.due`.
    """
    principal = system_principal(tenant_id, "deposits")
    async with database.tenant_transaction(principal, read_only=True) as tx:
        rows = await tx.fetch(SQL.due_deposits, tx.tenant_id, ENDED_AT_ONCE)

    end = partial(end_deposit, database, tenant_id)
    return await end_each([row["order_id"] for row in rows], end, "deposits")


async def end_deposit(database: Database, tenant_id: int, order_id: int) -> Counters:
    """Cancel an order whose rest is not paid; nothing where it is, or was ended before."""
    async with database.tenant_transaction(system_principal(tenant_id, "deposits")) as tx:
        return await _end(tx, order_id)


async def _end(tx: TenantTransaction, order_id: int) -> Counters:
    (order,) = await lock_orders_of(tx, [FulfilmentKey(order_id, 0)])
    deposit = await tx.fetch_row(SQL.lock_deposit, tx.tenant_id, order_id)
    if deposit is None or deposit["status"] != DepositStatus.OPEN:
        return Counters()
    await tx.execute(SQL.set_deposit, tx.tenant_id, order_id, DepositStatus.ENDED.value, "")
    owed = None
    if not deposit["is_kept"]:
        amount = deposit["amount_minor"]
        owed = await owe_refund(
            tx, order, {}, RefundCause.CANCELLED, amount_minor=amount, reason=NOT_PAID
        )
    counters = await cancel_rest(tx, order_id, tx.principal.subject, NOT_PAID)
    if owed is not None:
        await tell_order(tx, order_id, owed)
    return counters


async def deposits_of_orders(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, list[Record]]:
    """Return what was paid ahead for orders, and what is to be paid as they cost now."""
    rows = await tx.fetch(SQL.deposits_of_orders, tx.tenant_id, list(ids))
    return {row["order_id"]: [row] for row in rows}
