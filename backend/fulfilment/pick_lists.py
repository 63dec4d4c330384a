"""Picking (拣货): a list of what somebody fetches in a round, scanned unit by unit or at once."""

from collections.abc import Sequence

import msgspec

from backend.catalog.find_skus import skus_by_ids
from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.events.model import Payload
from backend.fulfilment.bulk import Done, carry_out, check_size, working
from backend.fulfilment.errors import (
    InvalidFulfilmentInput,
    NothingToPick,
    TooManyPicked,
    WrongSku,
)
from backend.fulfilment.events import FulfilmentPicking
from backend.fulfilment.model import PICK_LIST_MAX, TEXT_MAX, PickLine
from backend.fulfilment.waves import SQL
from backend.orders.find_work import (
    UnitsToSend,
    fulfilments_of_pick_list,
    released_fulfilments,
    units_to_send,
)
from backend.orders.move_fulfilments import (
    Batch,
    FulfilmentKey,
    Moved,
    lock_fulfilment,
    move_fulfilments,
    note_picked,
    picked,
)
from backend.orders.states import FULFILMENT
from tenants.principal import Principal

START = FULFILMENT.step("start_picking")
PICK = FULFILMENT.step("pick")


class PickListDraft(msgspec.Struct, frozen=True):
    """What is to be fetched in one round; no fulfilments: the oldest `first` that are released."""

    node_id: int
    keys: tuple[FulfilmentKey, ...] = ()
    first: int = 20
    is_batch: bool = True
    """One round for all, to be sorted after it; else one order after the other."""
    picker: str = ""
    """Who fetches it; nobody named: who asks."""


class NewPickList(msgspec.Struct, frozen=True):
    """A pick list, and how many fulfilments it is for."""

    id: int
    fulfilments: int


class Scanned(msgspec.Struct, frozen=True):
    """What is left to pick of a fulfilment; none: it is picked."""

    units_left: int


async def create_pick_list(
    database: Database, principal: Principal, draft: PickListDraft, key: str
) -> NewPickList:
    """Make a pick list of released fulfilments of a node, once.

    What is no longer released, or lies elsewhere, is left out. Locks the key, then the orders.
    Emits `fulfilment.picking`. Raises PermissionMissing, WriteRefused, InvalidFulfilmentInput,
    NothingToPick, CommandConflict; then nothing has changed.
    """
    if draft.keys:
        check_size(draft.keys, PICK_LIST_MAX)
    if not 0 < draft.first <= PICK_LIST_MAX:
        raise InvalidFulfilmentInput(f"A list has 1 to {PICK_LIST_MAX} of them.", path=("first",))
    if len(draft.picker) > TEXT_MAX:
        raise InvalidFulfilmentInput(f"At most {TEXT_MAX} characters.", path=("picker",))
    async with working(database, principal) as tx:
        return await apply_once(
            tx, key, ("pick_list", draft), NewPickList, lambda: _create(tx, draft)
        )


async def _create(tx: TenantTransaction, draft: PickListDraft) -> NewPickList:
    if not tx.principal.may_work_at(draft.node_id, None):
        raise NothingToPick
    keys: Sequence[FulfilmentKey] = draft.keys
    if not keys:
        keys = await released_fulfilments(tx, draft.node_id, draft.first)
    if not keys:
        raise NothingToPick
    picker = draft.picker or tx.principal.subject
    list_id: int = await tx.fetch_value(
        SQL.insert_pick_list, tx.tenant_id, draft.node_id, draft.is_batch, len(keys), picker
    )

    def tell(row: Record) -> Payload:
        where = row["order_id"], row["fulfilment_no"], row["node_id"]
        return FulfilmentPicking(*where, list_id, picker)

    def elsewhere(row: Record) -> NothingToPick | None:
        return None if row["node_id"] == draft.node_id else NothingToPick()

    moved = await move_fulfilments(
        tx, START, keys, tell, batch=Batch(pick_list_id=list_id), check=elsewhere
    )
    if not moved.done:
        raise NothingToPick
    await tx.execute(SQL.count_pick_list, tx.tenant_id, list_id, len(moved.done))
    return NewPickList(list_id, len(moved.done))


async def pick_list_lines(tx: TenantTransaction, list_id: int) -> list[PickLine]:
    """Return what is to be fetched, place by place; what has left the node is none of it."""
    keys = await fulfilments_of_pick_list(tx, list_id)
    lines = [
        PickLine(
            unit.key,
            unit.line_no,
            unit.sku_id,
            unit.functional_warehouse_id,
            unit.quantity,
            unit.picked,
        )
        for unit in await units_to_send(tx, keys)
    ]
    return sorted(lines, key=lambda line: (line.functional_warehouse_id, line.sku_id, line.key))


async def scan_pick(
    database: Database,
    principal: Principal,
    fulfilment: FulfilmentKey,
    sku: str,
    quantity: int,
    key: str,
) -> Scanned:
    """Note that units of a SKU were fetched for a fulfilment, once; with the last it is picked.

    Locks the key, then the order. Emits `fulfilment.picked` with the last unit. Raises
    PermissionMissing, WriteRefused, InvalidFulfilmentInput, UnknownFulfilment,
    WrongFulfilmentState, WrongSku, TooManyPicked, CommandConflict; then nothing has changed.
    """
    if quantity < 1:
        raise InvalidFulfilmentInput("Scan 1 unit or more.", path=("quantity",))
    async with working(database, principal) as tx:
        return await apply_once(
            tx,
            key,
            ("scan", fulfilment, sku, quantity),
            Scanned,
            lambda: _scan(tx, fulfilment, sku, quantity),
        )


async def _scan(tx: TenantTransaction, key: FulfilmentKey, sku: str, quantity: int) -> Scanned:
    await lock_fulfilment(tx, key, PICK.sources)
    units = await units_to_send(tx, [key])
    known = await skus_by_ids(tx, [unit.sku_id for unit in units])
    matching = [unit for unit in units if known[unit.sku_id].code == sku]
    if not matching:
        wanted = ", ".join(sorted({one.code for one in known.values()}))
        raise WrongSku(f"{sku} is not what the order wants; it wants {wanted}.", path=("sku",))
    parts = _share_out(matching, quantity)
    for unit, part in parts:
        await note_picked(tx, key.order_id, unit.reservation_no, part)
    left = sum(unit.quantity - unit.picked for unit in units) - quantity
    if not left:
        await _finish(tx, [key])
    return Scanned(left)


def _share_out(units: Sequence[UnitsToSend], quantity: int) -> list[tuple[UnitsToSend, int]]:
    """Return how many of the fetched units each place takes; raises TooManyPicked."""
    parts = []
    left = quantity
    for unit in units:
        part = min(left, unit.quantity - unit.picked)
        left -= part
        if part:
            parts.append((unit, part))
    if left:
        wanted = quantity - left
        raise TooManyPicked(f"The order wants {wanted} more; put {left} back.", path=("quantity",))
    return parts


async def pick_fulfilments(
    database: Database, principal: Principal, keys: Sequence[FulfilmentKey], key: str
) -> Done:
    """Note that all of fulfilments is fetched, without scanning; each is answered by itself.

    Locks the key, then the orders. Emits `fulfilment.picked`. Raises what `carry_out` does.
    """
    return await carry_out(
        database, principal, key, ("pick", keys), keys, lambda tx: _finish(tx, keys)
    )


async def _finish(tx: TenantTransaction, keys: Sequence[FulfilmentKey]) -> Moved:
    return await move_fulfilments(tx, PICK, keys, picked)
