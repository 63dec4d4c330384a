"""Repairs (维修): a customer's unit comes, is looked at, priced, repaired, and goes home again."""

from collections.abc import Iterable
from functools import partial

from msgspec.structs import replace

from backend.after_sales.customers_units import ENDS_COLLECTION, UnitWork
from backend.after_sales.errors import (
    InvalidAfterSalesInput,
    RepairChanged,
    TooManyReturned,
    UnknownRepair,
)
from backend.after_sales.events import RepairChanged as RepairTold
from backend.after_sales.model import TEXT_MAX, Repair, RepairDraft, RepairStatus, UnitMove
from backend.after_sales.request import sold_and_claimed
from backend.after_sales.standing import SQL
from backend.after_sales.states import REPAIR
from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.fulfilment.collections.model import CollectedFor, Subject
from backend.fulfilment.collections.standing import end_collection, was_fetched
from backend.orders.errors import WrongAmount
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.step import changing_order, tell_order
from tenants.principal import Permission, Principal

SERIAL_MAX = 100
WORK = UnitWork(
    REPAIR,
    frozenset({"receive", "quote", "finish", "send_home"}),
    SQL.order_of_repair,
    SQL.lock_repair,
    UnknownRepair,
    {"quote": "finding", "accept": "reference", "decline": "reason", "finish": "work"},
    {"quote": "priceMinor"},
)
AFTER = {
    "receive": RepairStatus.RECEIVED,
    "accept": RepairStatus.ACCEPTED,
    "decline": RepairStatus.DECLINED,
    "finish": RepairStatus.REPAIRED,
    "send_home": RepairStatus.CLOSED,
    "cancel": RepairStatus.CANCELLED,
}


async def request_repair(
    database: Database, principal: Principal, draft: RepairDraft, key: str
) -> Repair:
    """Ask to have a unit repaired that has arrived, once.

    Locks the key, the order. Emits `repair.changed`. Raises PermissionMissing, WriteRefused,
    UnknownOrder, InvalidAfterSalesInput, TooManyReturned where the customer has no such unit, or
    all of them are sent back or repaired already, CommandConflict; then nothing has changed.
    """
    if not 0 < len(draft.fault) <= TEXT_MAX:
        raise InvalidAfterSalesInput(
            f"Say what is wrong with it, in 1 to {TEXT_MAX} characters.", path=("fault",)
        )
    if len(draft.serial) > SERIAL_MAX:
        raise InvalidAfterSalesInput(f"At most {SERIAL_MAX} characters.", path=("serial",))

    async def work(tx: TenantTransaction) -> Repair:
        (order,) = await lock_orders_of(tx, [FulfilmentKey(draft.order_id, 0)])
        line = await _line_with_a_unit(tx, draft)
        repair_id = await tx.fetch_value(
            SQL.insert_repair,
            tx.tenant_id,
            draft.order_id,
            draft.line_no,
            line["sku_id"],
            order["dealer_id"],
            draft.fault,
            draft.serial,
            tx.principal.actor,
        )
        row = await tx.fetch_row(SQL.lock_repair, tx.tenant_id, repair_id)
        assert row is not None, "it was kept"
        return await _told(tx, repair_of(row))

    async with changing_order(database, principal, draft.order_id, Permission.ORDERS_CANCEL) as tx:
        return await apply_once(tx, key, ("request_repair", draft), Repair, partial(work, tx))


async def _line_with_a_unit(tx: TenantTransaction, draft: RepairDraft) -> Record:
    """Return the line of a locked order; raises TooManyReturned where no unit of it is left."""
    order_id, line_no = draft.order_id, draft.line_no
    lines, claimed = await sold_and_claimed(tx, order_id)
    has = lines[line_no]["delivered"] if line_no in lines else 0
    if has - claimed.get(line_no, 0) < 1:
        raise TooManyReturned(
            f"Of line {line_no} the customer has no unit that could be repaired.", path=("lineNo",)
        )
    return lines[line_no]


async def move_repair(
    database: Database,
    principal: Principal,
    repair_id: int,
    move: UnitMove,
    *,
    seen: int | None,
    key: str,
) -> Repair:
    """Let a repair take a step of its machine, once.

    `receive` needs the node where it lies; `quote` what was found, and a price: with none (it is
    under warranty) it is accepted at once; `accept` the price again, and what its payment is
    called; `decline` why; `finish` what was done; `send_home` the carrier and its waybill, or
    neither where the customer fetches it. Locks the key, the order, the repair. Emits
    `repair.changed`. Raises PermissionMissing, WriteRefused, UnknownRepair, RepairChanged,
    InvalidAfterSalesInput, WrongAmount, CommandConflict; then nothing has changed.
    """
    WORK.check(move)

    async def work(tx: TenantTransaction) -> Repair:
        before = await _lock(tx, repair_id, move, seen)
        if move.step in ENDS_COLLECTION:
            subject = Subject(CollectedFor.REPAIR, before.id)
            if move.step == "cancel" and await was_fetched(tx, subject):
                raise InvalidAfterSalesInput("Its carrier has it: receive it, and send it home.")
            await end_collection(tx, subject, has_come=move.step == "receive")
        return await _told(tx, await _set(tx, _moved(before, move)))

    async with WORK.door(database, principal, repair_id, move.step) as tx:
        content = ("move_repair", repair_id, move, seen)
        return await apply_once(tx, key, content, Repair, partial(work, tx))


async def _lock(tx: TenantTransaction, repair_id: int, move: UnitMove, seen: int | None) -> Repair:
    """Lock a repair that may take a step, as it was seen: by its version, if given."""
    found = repair_of(await WORK.locked(tx, repair_id))
    await WORK.check_place(tx, move.step, found.node_id, move.node_id)
    if found.status not in REPAIR.step(move.step).sources or seen not in (None, found.version):
        raise RepairChanged(found)
    return found


def _moved(before: Repair, move: UnitMove) -> Repair:
    """Return a repair as it is after a step that it may take; raises WrongAmount."""
    after = replace(before, status=AFTER.get(move.step, RepairStatus.QUOTED))
    match move.step:
        case "receive":
            return replace(after, node_id=move.node_id)
        case "quote":
            is_free = move.amount_minor == 0
            status = RepairStatus.ACCEPTED if is_free else RepairStatus.QUOTED
            return replace(after, status=status, finding=move.text, price_minor=move.amount_minor)
        case "accept":
            if move.amount_minor != before.price_minor:
                raise WrongAmount(f"It costs {before.price_minor}.", path=("amountMinor",))
            return replace(after, reference=move.text)
        case "send_home":
            return replace(after, carrier=move.carrier, waybill=move.waybill)
        case _:
            return replace(after, work=move.text)


async def _set(tx: TenantTransaction, after: Repair) -> Repair:
    row = await tx.fetch_row(
        SQL.set_repair,
        tx.tenant_id,
        after.id,
        after.status.value,
        after.node_id,
        after.finding,
        after.price_minor,
        after.reference,
        after.work,
        after.carrier,
        after.waybill,
    )
    assert row is not None, "it is locked"
    return repair_of(row)


async def _told(tx: TenantTransaction, after: Repair) -> Repair:
    payload = RepairTold(after.order_id, after.id, after.status, after.price_minor)
    await tell_order(tx, after.order_id, payload, after.node_id)
    return after


def repair_of(row: Record) -> Repair:
    return Repair(**{**row, "status": RepairStatus(row["status"])})


async def repairs_by_ids(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, Repair]:
    """Return the repairs that the principal may see, by id."""
    rows = await tx.fetch(SQL.repairs_by_ids, tx.tenant_id, list(ids))
    return {row["id"]: repair_of(row) for row in rows}


async def page_of_repairs(
    tx: TenantTransaction,
    of: tuple[int | None, int | None],
    statuses: Iterable[RepairStatus],
    after: int,
    limit: int,
) -> list[Repair]:
    """Return repairs of a node and of an order (None: of any), in some states, after an id."""
    wanted = [status.value for status in statuses]
    rows = await tx.fetch(SQL.page_of_repairs, tx.tenant_id, *of, wanted, after, limit)
    return [repair_of(row) for row in rows]
