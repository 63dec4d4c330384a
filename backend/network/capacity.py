"""Daily capacity: how many parcels a node takes on a day. The second counter of the lock order.

Every function works inside the caller's transaction and locks by (node, day), after the levels.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from backend.db.pool import Record, TenantTransaction
from backend.network.nodes import DAILY_CAPACITY_MAX, SQL


class CapacityKey(NamedTuple):
    """Which counter; also the order in which they are locked."""

    node_id: int
    day: date


class CapacityAt(NamedTuple):
    """What is free of a counter at a version."""

    node_id: int
    day: date
    free: int
    version: int

    @property
    def key(self) -> CapacityKey:
        return CapacityKey(self.node_id, self.day)


class CapacityMissing(Exception):
    """A day has begun for nodes whose counters do not exist yet: create them, and begin again."""

    def __init__(self, keys: set[CapacityKey]) -> None:
        super().__init__(type(self).__doc__)
        self.keys = keys


class CapacityMoved(AssertionError):
    """A counter changed although it was locked."""


async def capacities_of_day(tx: TenantTransaction, day: date) -> list[CapacityAt]:
    """Return what each node that has a capacity still takes on a day."""
    rows = await tx.fetch(SQL.capacities_of_day, tx.tenant_id, day)
    return [CapacityAt(row["node_id"], day, row["free"], row["version"]) for row in rows]


async def lock_capacities(
    tx: TenantTransaction, keys: Iterable[CapacityKey]
) -> dict[CapacityKey, CapacityAt]:
    """Lock the counters in the one order; one that does not exist is left out."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    nodes, days = [key.node_id for key in ordered], [key.day for key in ordered]
    return _by_key(await tx.fetch(SQL.lock_capacities, tx.tenant_id, nodes, days))


async def create_capacities(tx: TenantTransaction, keys: Iterable[CapacityKey]) -> None:
    """Create the counters of days that have begun, in a transaction that holds nothing else."""
    ordered = sorted(set(keys))
    nodes, days = [key.node_id for key in ordered], [key.day for key in ordered]
    await tx.execute(SQL.create_capacities, tx.tenant_id, nodes, days, DAILY_CAPACITY_MAX)


async def take_locked(
    tx: TenantTransaction, parcels: dict[CapacityKey, int]
) -> dict[CapacityKey, CapacityAt]:
    """Take from (or, below 0, give back to) locked counters; returns what is free after it.

    Raises CapacityMoved if a counter has less than was read under the lock.
    """
    taken = await try_parcels(tx, parcels)
    if taken is None:
        raise CapacityMoved
    return taken


async def try_parcels(
    tx: TenantTransaction, parcels: dict[CapacityKey, int]
) -> dict[CapacityKey, CapacityAt] | None:
    """Lock counters in the one order and take from them; returns what is free after it.

    None where one of them has less than is taken, or does not exist yet: the caller rolls back.
    """
    if not parcels:
        return {}
    keys = list(parcels)
    rows = await tx.fetch(
        SQL.take_capacities,
        tx.tenant_id,
        [key.node_id for key in keys],
        [key.day for key in keys],
        list(parcels.values()),
    )
    return _by_key(rows) if len(rows) == len(keys) else None


async def read_capacities(tx: TenantTransaction, keys: Iterable[CapacityKey]) -> list[CapacityAt]:
    """Return what is free of the counters, without a lock; one that does not exist is left out."""
    ordered = sorted(set(keys))
    nodes, days = [key.node_id for key in ordered], [key.day for key in ordered]
    rows = await tx.fetch(SQL.free_of_capacities, tx.tenant_id, nodes, days)
    return list(_by_key(rows).values())


def _by_key(rows: Iterable[Record]) -> dict[CapacityKey, CapacityAt]:
    return {CapacityKey(row[0], row[1]): CapacityAt(*row) for row in rows}
