"""Trading in (以旧换新): an old unit is promised with a new one, comes, is graded, and credited."""

from collections.abc import Iterable
from functools import partial

from msgspec.structs import replace

from backend.after_sales.customers_units import ENDS_COLLECTION, UnitWork
from backend.after_sales.errors import (
    InvalidAfterSalesInput,
    TradeInChanged,
    TradeInRefused,
    UnknownTradeIn,
)
from backend.after_sales.events import TradeInChanged as TradeInTold
from backend.after_sales.model import TEXT_MAX, TradeIn, TradeInDraft, TradeInStatus, UnitMove
from backend.after_sales.standing import SQL
from backend.after_sales.states import TRADE_IN
from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.fulfilment.collections.model import CollectedFor, Subject
from backend.fulfilment.collections.standing import end_collection, is_in_trouble
from backend.orders.errors import WrongAmount
from backend.orders.model import AMOUNT_MINOR_MAX
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.step import changing_order, tell_order
from tenants.principal import Kind, Permission, PermissionMissing, Principal

SERIAL_MAX = 100
AFTER = {
    "cancel": TradeInStatus.CANCELLED,
    "receive": TradeInStatus.RECEIVED,
    "accept": TradeInStatus.CREDITED,
    "decline": TradeInStatus.DECLINED,
    "send_home": TradeInStatus.CLOSED,
    "pay": TradeInStatus.PAID,
}
WORK = UnitWork(
    TRADE_IN,
    frozenset({"receive", "grade", "send_home"}),
    SQL.order_of_trade_in,
    SQL.lock_trade_in,
    UnknownTradeIn,
    {"cancel": "reason", "grade": "finding", "decline": "reason", "pay": "reference"},
    {"grade": "worthMinor"},
)


async def promise_trade_in(
    database: Database, principal: Principal, draft: TradeInDraft, key: str
) -> TradeIn:
    """Promise so much for an old unit that a customer gives for a new one of an order, once.

    One for each unit that the customer buys, and no more than that one costs. Locks the key, the
    order. Emits `trade_in.changed`. Raises PermissionMissing, WriteRefused, UnknownOrder,
    InvalidAfterSalesInput, TradeInRefused, CommandConflict; then nothing has changed.
    """
    if not 0 < len(draft.description) <= TEXT_MAX:
        raise InvalidAfterSalesInput(
            f"Say what it is, in 1 to {TEXT_MAX} characters.", path=("description",)
        )
    if len(draft.serial) > SERIAL_MAX:
        raise InvalidAfterSalesInput(f"At most {SERIAL_MAX} characters.", path=("serial",))
    if not 0 < draft.promised_minor <= AMOUNT_MINOR_MAX:
        raise InvalidAfterSalesInput("An amount is 1 or more.", path=("promisedMinor",))

    async def work(tx: TenantTransaction) -> TradeIn:
        await lock_orders_of(tx, [FulfilmentKey(draft.order_id, 0)])
        new = await tx.fetch_row(SQL.new_units, tx.tenant_id, draft.order_id, draft.line_no)
        if new is None or new["promised"] >= new["units"]:
            raise TradeInRefused(
                "The customer gives an old unit for every new one of this line already, or buys "
                "none of it.",
                path=("lineNo",),
            )
        if draft.promised_minor > new["price_minor"]:
            raise TradeInRefused(
                f"It is worth at most what the new one costs: {new['price_minor']}.",
                path=("promisedMinor",),
            )
        trade_in_id = await tx.fetch_value(
            SQL.insert_trade_in,
            tx.tenant_id,
            draft.order_id,
            draft.line_no,
            new["dealer_id"],
            draft.description,
            draft.serial,
            draft.promised_minor,
            tx.principal.actor,
        )
        row = await tx.fetch_row(SQL.lock_trade_in, tx.tenant_id, trade_in_id)
        assert row is not None, "it was kept"
        return await _told(tx, trade_in_of(row))

    async with changing_order(database, principal, draft.order_id, Permission.ORDERS_PLACE) as tx:
        content = ("promise_trade_in", draft)
        return await apply_once(tx, key, content, TradeIn, partial(work, tx))


async def move_trade_in(
    database: Database,
    principal: Principal,
    trade_in_id: int,
    move: UnitMove,
    *,
    seen: int | None,
    key: str,
) -> TradeIn:
    """Let a trade-in take a step of its machine, once.

    `receive` needs the node where it lies; `grade` what it is, and its worth: where that is what
    was promised or more, the promise is credited at once, and where it is less the customer
    decides; `accept` the worth again; `decline` and `cancel` why; `send_home` the carrier and its
    waybill, or neither where the customer fetches it; `pay`, for the brand, what the payment is
    called. Nothing is credited for a new unit that is cancelled or sent back. Locks the key, the
    order, the trade-in. Emits `trade_in.changed`. Raises PermissionMissing, WriteRefused,
    UnknownTradeIn, TradeInChanged, TradeInRefused, InvalidAfterSalesInput, WrongAmount,
    CommandConflict; then nothing has changed.
    """
    WORK.check(move)
    if move.step == "pay" and principal.kind is Kind.DEALER:
        raise PermissionMissing(Permission.ORDERS_CANCEL)

    async def work(tx: TenantTransaction) -> TradeIn:
        before = trade_in_of(await WORK.locked(tx, trade_in_id))
        await WORK.check_place(tx, move.step, before.node_id, move.node_id)
        sources = TRADE_IN.step(move.step).sources
        if before.status not in sources or seen not in (None, before.version):
            raise TradeInChanged(before)
        new = await tx.fetch_row(SQL.new_units, tx.tenant_id, before.order_id, before.line_no)
        assert new is not None, "lines are not deleted"
        if move.step in ENDS_COLLECTION:
            subject = Subject(CollectedFor.TRADE_IN, before.id)
            is_on_its_way = before.status is TradeInStatus.COLLECTED
            if move.step == "cancel" and is_on_its_way and not await is_in_trouble(tx, subject):
                raise InvalidAfterSalesInput("Its carrier has it: receive it, and decline it then.")
            await end_collection(tx, subject, has_come=move.step == "receive")
        return await set_trade_in(tx, _moved(before, move, new))

    async with WORK.door(database, principal, trade_in_id, move.step) as tx:
        content = ("move_trade_in", trade_in_id, move, seen)
        return await apply_once(tx, key, content, TradeIn, partial(work, tx))


def _moved(before: TradeIn, move: UnitMove, new: Record) -> TradeIn:
    """Return a trade-in as it is after a step that it may take.

    Raises WrongAmount, TradeInRefused.
    """
    is_bought = new["credited"] < new["units"]
    after = replace(before, status=AFTER.get(move.step, TradeInStatus.GRADED))
    match move.step:
        case "receive":
            return replace(after, node_id=move.node_id)
        case "grade":
            is_as_promised = is_bought and move.amount_minor >= before.promised_minor
            credit = min(move.amount_minor, before.promised_minor)
            status = TradeInStatus.CREDITED if is_as_promised else TradeInStatus.GRADED
            return replace(after, status=status, finding=move.text, credit_minor=credit)
        case "accept":
            if not is_bought:
                raise TradeInRefused("The new one is cancelled or sent back: decline it.")
            if move.amount_minor != before.credit_minor:
                raise WrongAmount(f"It is worth {before.credit_minor}.", path=("amountMinor",))
            return after
        case "send_home":
            return replace(after, carrier=move.carrier, waybill=move.waybill)
        case "pay":
            return replace(after, reference=move.text)
        case _:
            return replace(after, reason=move.text)


async def set_trade_in(tx: TenantTransaction, after: TradeIn) -> TradeIn:
    """Let a locked trade-in stand elsewhere, and tell of it."""
    row = await tx.fetch_row(
        SQL.set_trade_in,
        tx.tenant_id,
        after.id,
        after.status.value,
        after.node_id,
        after.finding,
        after.credit_minor,
        after.reason,
        after.reference,
        after.carrier,
        after.waybill,
    )
    assert row is not None, "it is locked"
    return await _told(tx, trade_in_of(row))


async def _told(tx: TenantTransaction, after: TradeIn) -> TradeIn:
    amounts = after.promised_minor, after.credit_minor
    payload = TradeInTold(after.order_id, after.id, after.status, *amounts)
    await tell_order(tx, after.order_id, payload, after.node_id)
    return after


def trade_in_of(row: Record) -> TradeIn:
    return TradeIn(**{**row, "status": TradeInStatus(row["status"])})


async def trade_ins_by_ids(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, TradeIn]:
    """Return the trade-ins that the principal may see, by id."""
    rows = await tx.fetch(SQL.trade_ins_by_ids, tx.tenant_id, list(ids))
    return {row["id"]: trade_in_of(row) for row in rows}


async def page_of_trade_ins(
    tx: TenantTransaction,
    of: tuple[int | None, int | None],
    statuses: Iterable[TradeInStatus],
    after: int,
    limit: int,
) -> list[TradeIn]:
    """Return trade-ins of a node and of an order (None: of any), in some states, after an id."""
    wanted = [status.value for status in statuses]
    rows = await tx.fetch(SQL.page_of_trade_ins, tx.tenant_id, *of, wanted, after, limit)
    return [trade_in_of(row) for row in rows]
