"""Paying back: whoever pays is asked, says so, or refuses; and what is granted beside the lines."""

from backend.after_sales.errors import (
    InvalidAfterSalesInput,
    NothingToRefund,
    RefundChanged,
    UnknownRefund,
)
from backend.after_sales.events import RefundChanged as RefundTold
from backend.after_sales.model import TEXT_MAX, Refund, RefundStatus
from backend.after_sales.standing import SQL, refund_of
from backend.after_sales.states import REFUND
from backend.db.commands import apply_once
from backend.db.pool import Database, TenantTransaction
from backend.orders.model import AMOUNT_MINOR_MAX
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.refunds import RefundCause, owe_refund
from backend.orders.step import changing_order, tell_order
from tenants.principal import Kind, Permission, PermissionMissing, Principal

TARGETS = {
    "ask": RefundStatus.ASKED,
    "pay": RefundStatus.PAID,
    "fail": RefundStatus.FAILED,
    "waive": RefundStatus.WAIVED,
}


async def move_refund(
    database: Database,
    principal: Principal,
    refund: tuple[int, int],
    step: str,
    reference: str,
    *,
    seen: int | None,
    key: str,
) -> Refund:
    """Let a refund (order, number) take a step of its machine, once; `reference`: whoever pays
    calls it so.

    For the brand: a dealer sees what is paid back of its orders. Locks the key, the order. Emits
    `refund.changed`. Raises PermissionMissing, WriteRefused, UnknownOrder, UnknownRefund,
    RefundChanged, InvalidAfterSalesInput, CommandConflict; then nothing has changed.
    """
    if len(reference) > TEXT_MAX:
        raise InvalidAfterSalesInput(f"At most {TEXT_MAX} characters.", path=("reference",))
    _for_the_brand(principal)

    async with changing_order(database, principal, refund[0], Permission.ORDERS_CANCEL) as tx:

        async def work() -> Refund:
            await lock_orders_of(tx, [FulfilmentKey(refund[0], 0)])
            row = await tx.fetch_row(SQL.lock_refund, tx.tenant_id, *refund)
            if row is None:
                raise UnknownRefund
            before, target = refund_of(row), TARGETS[step]
            if before.status not in REFUND.step(step).sources or seen not in (None, before.version):
                raise RefundChanged(before)
            if target is RefundStatus.WAIVED and before.offset_minor:
                raise InvalidAfterSalesInput("A part of it was exchanged: the rest is to be paid.")
            named = reference or before.reference
            row = await tx.fetch_row(SQL.set_refund, tx.tenant_id, *refund, target.value, named)
            assert row is not None, "it is locked"
            after = refund_of(row)
            told = RefundTold(*refund, after.status, after.amount_minor, before.offset_minor)
            await tell_order(tx, after.order_id, told)
            return after

        content = ("move_refund", refund, step, reference, seen)
        return await apply_once(tx, key, content, Refund, work)


async def grant_refund(
    database: Database,
    principal: Principal,
    order_id: int,
    amount_minor: int,
    reason: str,
    key: str,
) -> Refund:
    """Owe an amount of an order beside its lines: freight, or goodwill; once.

    All refunds of an order never exceed what it cost: more is refused. For the brand. Locks the
    key, the order. Emits `refund.due`. Raises PermissionMissing, WriteRefused, UnknownOrder,
    InvalidAfterSalesInput, NothingToRefund, CommandConflict; then nothing has changed.
    """
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        raise InvalidAfterSalesInput("An amount is 1 or more.", path=("amountMinor",))
    if not 0 < len(reason) <= TEXT_MAX:
        raise InvalidAfterSalesInput(f"Say why, in 1 to {TEXT_MAX} characters.", path=("reason",))
    _for_the_brand(principal)
    async with changing_order(database, principal, order_id, Permission.ORDERS_CANCEL) as tx:
        content = ("grant_refund", order_id, amount_minor, reason)
        return await apply_once(
            tx, key, content, Refund, lambda: _grant(tx, order_id, amount_minor, reason)
        )


async def _grant(tx: TenantTransaction, order_id: int, amount_minor: int, reason: str) -> Refund:
    order = (await lock_orders_of(tx, [FulfilmentKey(order_id, 0)]))[0]
    owed = await owe_refund(
        tx, order, {}, RefundCause.GOODWILL, amount_minor=amount_minor, reason=reason
    )
    if owed is None:
        raise NothingToRefund
    if owed.amount_minor < amount_minor:
        raise NothingToRefund(
            f"Of what was paid {owed.amount_minor} minor units are left to be paid back.",
            path=("amountMinor",),
        )
    await tell_order(tx, order_id, owed)
    row = await tx.fetch_row(SQL.lock_refund, tx.tenant_id, order_id, owed.refund_no)
    assert row is not None, "it is owed"
    return refund_of(row)


def _for_the_brand(principal: Principal) -> None:
    if principal.kind in (Kind.DEALER, Kind.STORE):
        raise PermissionMissing(Permission.ORDERS_CANCEL)
