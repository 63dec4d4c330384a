"""The ledger: the only writer of stock levels.

Every function works inside the caller's transaction and keeps the lock order: levels by
(functional warehouse, SKU), each once.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.model import CauseKind, FreeAt, Level, LevelKey, Movement, StockKey
from backend.inventory.movement_types import (
    EARMARK_EFFECTS,
    EFFECTS,
    WITH_EARMARK,
    Effect,
    MovementType,
)

SQL = load_queries(__file__)

assert EFFECTS[MovementType.RESERVED] == Effect(reserved=1), (
    "the query `reserve` writes this effect"
)
assert WITH_EARMARK[MovementType.RESERVED] == Effect(reserved=1, earmark_unused=-1), (
    "and this one for what is taken from an earmark"
)

NEW_STOCK = frozenset({MovementType.RECEIVED, MovementType.RETURNED, MovementType.MOVED_IN})
"""Movements that bring units; earmarks take back first what they have lent of the level."""


class LedgerRow(NamedTuple):
    """A row of the ledger as it is inserted; the fields of the row type `new_movement`."""

    functional_warehouse_id: int
    sku_id: int
    node_id: int
    dealer_id: int | None
    type: str
    quantity: int
    on_hand_delta: int
    reserved_delta: int
    floor_delta: int
    earmark_delta: int
    level_version: int
    cause_kind: str
    cause_id: int | None
    cause_line: int | None
    reason: str | None
    earmark_id: int | None


class ReservationMoved(AssertionError):
    """A level changed although it was locked: a writer outside of the ledger."""


async def lock_levels(
    tx: TenantTransaction, keys: Iterable[LevelKey], *, create: bool = False
) -> dict[LevelKey, Level]:
    """Lock the levels in the one order and return them.

    A key without a level is left out, or, with `create`, gets an empty one first: before any lock,
    so that the order holds.
    """
    ordered = sorted(set(keys))
    warehouses, skus = [key[0] for key in ordered], [key[1] for key in ordered]
    if create:
        await tx.execute(SQL.create_levels, tx.tenant_id, warehouses, skus)
    return _by_key(await tx.fetch(SQL.lock_levels, tx.tenant_id, warehouses, skus))


class LockedLevel(msgspec.Struct, frozen=True, gc=False):
    """What the intake needs of a level, or of what an earmark keeps of it, that it has locked."""

    free: int
    """May be below 0: a shortage. Of a level that lacks some, earlier earmarks come first."""
    version: int
    node_id: int
    told: int
    """What everybody is told of it, whoever read it: an earmark as if it were the only one."""
    unreserved: int
    """What is on hand of the level and not reserved; below 0 where units were lost."""


Locked = dict[StockKey, LockedLevel]
"""Levels that are locked; each with its earmarks."""


async def lock_free(tx: TenantTransaction, keys: Iterable[LevelKey]) -> Locked:
    """Lock the levels in the one order and return what is free; unknown ones are left out."""
    ordered = sorted(set(keys))
    warehouses, skus = [key[0] for key in ordered], [key[1] for key in ordered]
    return _free_by_key(await tx.fetch(SQL.lock_free, tx.tenant_id, warehouses, skus))


async def lock_free_of_skus(
    tx: TenantTransaction, sku_ids: Sequence[int], warehouse_ids: Sequence[int]
) -> Locked:
    """Lock every level of the SKUs in the functional warehouses, in the one order."""
    rows = await tx.fetch(SQL.lock_free_of_skus, tx.tenant_id, sku_ids, warehouse_ids)
    return _free_by_key(rows)


Take = tuple[int, int, int, int, int, int | None, CauseKind]
"""Functional warehouse, SKU, units, cause, its line, earmark, kind of cause: a row `new_take`."""


def taken_keys(takes: Iterable[Take]) -> set[StockKey]:
    """Return what is taken from: the levels, and the earmarks."""
    keys = {StockKey(take[0], take[1]) for take in takes}
    return keys | {StockKey(take[0], take[1], take[5]) for take in takes if take[5]}


async def reserve_locked(tx: TenantTransaction, takes: Sequence[Take], actor: str) -> list[FreeAt]:
    """Reserve in levels that are locked and were read, with a movement for each take.

    Returns what is free after it, of levels and their earmarks. Raises ReservationMoved if one of
    them has less than was read under the lock.
    """
    levels = await try_reserve(tx, takes, actor)
    if levels is None:
        raise ReservationMoved
    return free_of_locked(levels)


def free_of_locked(levels: Locked) -> list[FreeAt]:
    """Return what admission and the stock books are told of locked levels."""
    return [
        FreeAt(key[0], key[1], level.told, level.version, key[2]) for key, level in levels.items()
    ]


async def try_reserve(tx: TenantTransaction, takes: Sequence[Take], actor: str) -> Locked | None:
    """Lock the levels in the one order and reserve in them, with a movement for each take.

    Returns what they and their earmarks are after it, or None where one of them has less than is
    taken: the caller rolls back, for the others have been taken from.
    """
    if not takes:
        return {}
    levels = _free_by_key(await tx.fetch(SQL.reserve, tx.tenant_id, takes, actor))
    return levels if levels.keys() >= taken_keys(takes) else None


async def record(
    tx: TenantTransaction, movements: Sequence[Movement], actor: str
) -> dict[LevelKey, Level]:
    """Apply movements to their levels and append them; returns the levels after it.

    Levels that do not exist yet are created. Locks each level, in order, before it is changed.
    Of units that come new, earmarks first take back what they have lent of the level.
    """
    await lock_levels(tx, {movement.key for movement in movements}, create=True)
    movements = [*movements, *await _repayments(tx, movements)]
    changes: dict[LevelKey, list[int]] = {}
    for movement in movements:
        sums = changes.setdefault(movement.key, [0, 0, 0, 0])
        for position, delta in enumerate(movement.deltas):
            sums[position] += delta
    keys = sorted(changes)
    warehouses, skus = [key[0] for key in keys], [key[1] for key in keys]
    columns = ([changes[key][position] for key in keys] for position in range(4))
    rows = await tx.fetch(SQL.change_levels, tx.tenant_id, warehouses, skus, *columns)
    levels = _by_key(rows)
    await _change_earmarks(tx, movements)
    await append_movements(tx, [(movement, levels[movement.key]) for movement in movements], actor)
    return levels


async def _repayments(tx: TenantTransaction, movements: Sequence[Movement]) -> list[Movement]:
    """Return what new units repay to earmarks, the oldest first, of what they have lent."""
    new: dict[LevelKey, int] = {}
    causes: dict[LevelKey, Movement] = {}
    for movement in movements:
        if movement.type in NEW_STOCK:
            new[movement.key] = new.get(movement.key, 0) + movement.quantity
            causes.setdefault(movement.key, movement)
    if not new:
        return []
    found = []
    warehouses, skus = [key[0] for key in new], [key[1] for key in new]
    for row in await tx.fetch(SQL.lent_of_levels, tx.tenant_id, warehouses, skus):
        key = LevelKey(row["functional_warehouse_id"], row["sku_id"])
        part = min(row["lent"], new[key])
        new[key] -= part
        if part:
            repaid = MovementType.EARMARK_REPAID
            found.append(
                msgspec.structs.replace(
                    causes[key], type=repaid, quantity=part, earmark_id=row["earmark_id"]
                )
            )
    return found


async def _change_earmarks(tx: TenantTransaction, movements: Sequence[Movement]) -> None:
    """Apply movements to what earmarks keep of their levels, which are locked."""
    changes: dict[StockKey, list[int]] = {}
    for movement in movements:
        if movement.earmark_id is not None and movement.type in EARMARK_EFFECTS:
            key = StockKey(*movement.key, movement.earmark_id)
            sums = changes.setdefault(key, [0, 0, 0])
            for position, effect in enumerate(EARMARK_EFFECTS[movement.type]):
                sums[position] += effect * movement.quantity
    if not changes:
        return
    keys = [[key[position] for key in changes] for position in range(3)]
    columns = ([sums[position] for sums in changes.values()] for position in range(3))
    await tx.execute(SQL.create_earmarks, tx.tenant_id, *keys)
    await tx.execute(SQL.change_earmarks, tx.tenant_id, *keys, *columns)


async def append_movements(
    tx: TenantTransaction, movements: Sequence[tuple[Movement, Level]], actor: str
) -> None:
    """Append movements, each with its level as it stands after it, to the ledger."""
    await append_rows(
        tx,
        [
            LedgerRow(
                *movement.key,
                level.node_id,
                level.dealer_id,
                movement.type.value,
                movement.quantity,
                *movement.deltas,
                level.version,
                movement.cause_kind.value,
                movement.cause_id,
                movement.cause_line,
                movement.reason,
                movement.earmark_id,
            )
            for movement, level in movements
        ],
        actor,
    )


async def append_rows(tx: TenantTransaction, rows: Sequence[LedgerRow], actor: str) -> None:
    """Append rows whose effect on the levels the caller has applied."""
    if rows:
        await tx.execute(SQL.insert_movements, tx.tenant_id, rows, actor)


async def next_cause_id(tx: TenantTransaction) -> int:
    """Return a fresh number that joins the movements of one command."""
    return int(await tx.fetch_value(SQL.next_cause_id))


async def free_after(
    tx: TenantTransaction, levels: Iterable[Level], *, with_earmarks: bool = False
) -> list[FreeAt]:
    """Return what admission and the stock books are told of levels that were just changed.

    `with_earmarks` where one of their earmarks was changed too.
    """
    changed = list(levels)
    if with_earmarks or any(level.earmark_unused for level in changed):
        return await free_of_levels(tx, [level.key for level in changed])
    return [FreeAt(level[0], level[1], level.signed_free, level.version) for level in changed]


async def free_of_levels(tx: TenantTransaction, keys: Iterable[LevelKey]) -> list[FreeAt]:
    """Return what is free of the levels and their earmarks; unknown ones are left out."""
    ordered = sorted(set(keys))
    warehouses, skus = [key[0] for key in ordered], [key[1] for key in ordered]
    rows = await tx.fetch(SQL.free_of_levels, tx.tenant_id, warehouses, skus)
    return [FreeAt(*row) for row in rows]


def _free_by_key(rows: Iterable[Record]) -> Locked:
    """Return levels and their earmarks by key; rows of levels come first.

    Where more is promised of a level than it has, the earlier earmark may be used first.
    """
    levels: Locked = {}
    left: dict[tuple[int, int], int] = {}
    for warehouse_id, sku_id, free, version, node_id, earmark_id, unreserved in rows:
        key = StockKey(warehouse_id, sku_id, earmark_id)
        told = free
        if earmark_id:
            told = max(0, min(free, unreserved))
            free = max(0, min(free, left.setdefault(key[:2], unreserved)))
            if levels[StockKey(warehouse_id, sku_id)].free < 0:
                left[key[:2]] -= free
        levels[key] = LockedLevel(free, version, node_id, told, unreserved)
    return levels


def _by_key(rows: Iterable[Record]) -> dict[LevelKey, Level]:
    return {LevelKey(row[0], row[1]): Level(*row) for row in rows}
