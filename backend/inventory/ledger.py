"""The ledger: the only writer of stock levels.

Every function works inside the caller's transaction and keeps the lock order: levels by
(functional warehouse, SKU), each once.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.model import CauseKind, FreeAt, Level, LevelKey, Movement
from backend.inventory.movement_types import EFFECTS, Effect, MovementType

SQL = load_queries(__file__)

assert EFFECTS[MovementType.RESERVED] == Effect(reserved=1), (
    "the query `reserve` writes this effect"
)


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
    """What the intake needs of a level that it has locked."""

    free: int
    """May be below 0: a shortage."""
    version: int
    node_id: int


async def lock_free(tx: TenantTransaction, keys: Iterable[LevelKey]) -> dict[LevelKey, LockedLevel]:
    """Lock the levels in the one order and return what is free; unknown ones are left out."""
    ordered = sorted(set(keys))
    warehouses, skus = [key[0] for key in ordered], [key[1] for key in ordered]
    return _free_by_key(await tx.fetch(SQL.lock_free, tx.tenant_id, warehouses, skus))


async def lock_free_of_skus(
    tx: TenantTransaction, sku_ids: Sequence[int], warehouse_ids: Sequence[int]
) -> dict[LevelKey, LockedLevel]:
    """Lock every level of the SKUs in the functional warehouses, in the one order."""
    rows = await tx.fetch(SQL.lock_free_of_skus, tx.tenant_id, sku_ids, warehouse_ids)
    return _free_by_key(rows)


Take = tuple[int, int, int, int, int]
"""Functional warehouse, SKU, units, order, line: the fields of the row type `new_take`."""


async def reserve_locked(
    tx: TenantTransaction, takes: Sequence[Take], cause: CauseKind, actor: str
) -> list[FreeAt]:
    """Reserve in levels that are locked and were read, with a movement for each take.

    Returns what is free after it, each level once. Raises ReservationMoved if a level has less
    than was read under the lock.
    """
    levels = await try_reserve(tx, takes, cause, actor)
    if levels is None:
        raise ReservationMoved
    return [FreeAt(*key, level.free, level.version) for key, level in levels.items()]


async def try_reserve(
    tx: TenantTransaction, takes: Sequence[Take], cause: CauseKind, actor: str
) -> dict[LevelKey, LockedLevel] | None:
    """Lock the levels in the one order and reserve in them, with a movement for each take.

    Returns what they are after it, or None where one of them has less than is taken: the caller
    rolls back, for the others have been taken from.
    """
    if not takes:
        return {}
    levels = _free_by_key(await tx.fetch(SQL.reserve, tx.tenant_id, takes, cause.value, actor))
    return levels if len(levels) == len({take[:2] for take in takes}) else None


async def record(
    tx: TenantTransaction, movements: Sequence[Movement], actor: str
) -> dict[LevelKey, Level]:
    """Apply movements to their levels and append them; returns the levels after it.

    Levels that do not exist yet are created. Locks each level, in order, before it is changed.
    """
    changes: dict[LevelKey, list[int]] = {}
    for movement in movements:
        sums = changes.setdefault(movement.key, [0, 0, 0, 0])
        for position, delta in enumerate(movement.deltas):
            sums[position] += delta
    keys = sorted(changes)
    warehouses, skus = [key[0] for key in keys], [key[1] for key in keys]
    await lock_levels(tx, keys, create=True)
    columns = ([changes[key][position] for key in keys] for position in range(4))
    rows = await tx.fetch(SQL.change_levels, tx.tenant_id, warehouses, skus, *columns)
    levels = _by_key(rows)
    await append_movements(tx, [(movement, levels[movement.key]) for movement in movements], actor)
    return levels


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


def free_at(levels: Iterable[Level]) -> list[FreeAt]:
    """Return what admission and the stock books are told of levels."""
    return [FreeAt(level[0], level[1], level.signed_free, level.version) for level in levels]


def _free_by_key(rows: Iterable[Record]) -> dict[LevelKey, LockedLevel]:
    return {
        LevelKey(warehouse_id, sku_id): LockedLevel(free, version, node_id)
        for warehouse_id, sku_id, free, version, node_id in rows
    }


def _by_key(rows: Iterable[Record]) -> dict[LevelKey, Level]:
    return {LevelKey(row[0], row[1]): Level(*row) for row in rows}
