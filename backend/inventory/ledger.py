"""The ledger: the only writer of stock levels.

Every function works inside the caller's transaction and keeps the lock order: levels by
(functional warehouse, SKU), each once.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.model import FreeAt, Level, LevelKey, Movement

SQL = load_queries(__file__)


class LedgerRow(NamedTuple):
    """A row of the ledger as it is inserted."""

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


async def lock_levels_of_skus(
    tx: TenantTransaction, sku_ids: Sequence[int], warehouse_ids: Sequence[int]
) -> dict[LevelKey, Level]:
    """Lock every level of the SKUs in the functional warehouses, in the one order."""
    rows = await tx.fetch(SQL.lock_levels_of_skus, tx.tenant_id, sku_ids, warehouse_ids)
    return _by_key(rows)


async def count_levels_of_skus(
    tx: TenantTransaction, sku_ids: Sequence[int], warehouse_ids: Sequence[int]
) -> int:
    """Return how many levels `lock_levels_of_skus` would lock."""
    count: int = await tx.fetch_value(
        SQL.count_levels_of_skus, tx.tenant_id, sku_ids, warehouse_ids
    )
    return count


async def reserve_locked(
    tx: TenantTransaction, quantities: dict[LevelKey, int]
) -> dict[LevelKey, FreeAt]:
    """Reserve in levels that are locked and were read; returns what is free after it.

    Writes no movement: the caller appends one for each cause. Raises ReservationMoved if a level
    has less than was read under the lock.
    """
    keys = list(quantities)
    rows = await tx.fetch(
        SQL.reserve_levels,
        tx.tenant_id,
        [key[0] for key in keys],
        [key[1] for key in keys],
        list(quantities.values()),
    )
    if len(rows) != len(keys):
        raise ReservationMoved
    free = (FreeAt(row[0], row[1], row[2], row[3]) for row in rows)
    return {LevelKey(item[0], item[1]): item for item in free}


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
        await tx.execute(SQL.insert_movements, tx.tenant_id, *zip(*rows, strict=True), actor)


async def next_cause_id(tx: TenantTransaction) -> int:
    """Return a fresh number that joins the movements of one command."""
    return int(await tx.fetch_value(SQL.next_cause_id))


def free_at(levels: Iterable[Level]) -> list[FreeAt]:
    """Return what admission and the stock books are told of levels."""
    return [FreeAt(level[0], level[1], level.signed_free, level.version) for level in levels]


def _by_key(rows: Iterable[Record]) -> dict[LevelKey, Level]:
    return {LevelKey(row[0], row[1]): Level(*row) for row in rows}
