"""The commit of a batch: one PostgreSQL transaction in which stock is taken and orders exist.

Lock order, as everywhere: keys → orders → counters (levels, then capacities), each sorted. Under
the locks the core accepts the orders one after another against what was read, all counters of an
order or none; then one aggregated update whose condition is an assertion, and inserts for the
accepted orders only.
"""

from array import array
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from backend.catalog.find_skus import inactive_skus
from backend.db.pool import TenantTransaction
from backend.inventory import ledger
from backend.inventory.model import FreeAt, Level, LevelKey
from backend.network.capacity import (
    CapacityAt,
    CapacityKey,
    lock_capacities,
    take_locked,
)
from backend.network.nodes import closed_nodes
from backend.orders.claim import SQL, check_authority, claim_keys, delete_keys, refused
from backend.orders.errors import InsufficientStock, NoNode, ShortLine
from backend.orders.model import LineOutcome, OrderStatus, Outcome, Placed, Shortage
from backend.orders.records import Counts, Records
from backend.orders.step import line_outcome
from backend.orders.work import Work
from backend.routing.model import PolicyDocument
from backend.routing.network_view import NetworkView
from backend.routing.plan_orders import plan_orders
from core_ext import StockBook, reserve

ACTOR = "system:orders"


class Ground(NamedTuple):
    """What a batch is planned and committed on."""

    view: NetworkView
    policy: PolicyDocument
    policy_version: int
    day: date
    batch_id: int
    attempt: int


class Committed(NamedTuple):
    """What a commit came to. Outcomes hold once the transaction has committed."""

    outcomes: dict[Work, Outcome]
    conflicts: list[Work]
    """Wanted a counter that had too little; to be planned again."""
    retired: list[Work]
    """Have a SKU that is no longer active; to be understood again."""
    levels: list[FreeAt]
    capacities: list[CapacityAt]
    retired_skus: set[int]


class Locked(NamedTuple):
    """The counters that a batch locked, as they were read."""

    levels: dict[LevelKey, Level]
    capacities: dict[CapacityKey, CapacityAt]


Before = dict[Work, tuple[OrderStatus, bool, Counts, Sequence[LineOutcome]]]


async def commit_batch(
    tx: TenantTransaction, works: Sequence[Work], ground: Ground, *, is_last: bool
) -> Committed:
    """Place what can be placed, and say what became of every order.

    Without `is_last`, each work carries a plan, and what no longer fits its counters is a conflict.
    With it, every counter of all candidate nodes is locked first, the plan is made on those alone,
    and the answer is final: there are no conflicts.
    """
    outcomes = await claim_keys(tx, works)
    denied = await check_authority(tx, [work for work in works if work not in outcomes])
    await delete_keys(tx, set(denied))
    outcomes |= denied
    open_works = [work for work in works if work not in outcomes]
    before, gone = await _lock_backorders(tx, open_works)
    outcomes |= gone
    open_works = [work for work in open_works if work not in outcomes]
    lock = _lock_candidates if is_last else _lock_planned
    locked = await lock(tx, open_works, ground)
    retired_skus = await _look_again(tx, open_works, locked)
    retired = [work for work in open_works if _has_retired(work, retired_skus)]
    open_works = [work for work in open_works if work not in retired]
    if is_last:
        _plan_on_locked(open_works, locked, ground)
    accepted, conflicts = _accept(open_works, locked)
    final = [work for work in conflicts if is_last or (work.is_sold_out and not _will_do(work))]
    for work in final:
        outcomes[work] = (
            refused(_refusal(work)) if work.intake is not None else _unchanged(work, before)
        )
    await delete_keys(tx, {*conflicts, *retired})
    conflicts = [work for work in conflicts if work not in outcomes]
    levels, capacities = await _take(tx, accepted, locked, ground)
    records = Records(locked.levels, levels, locked.capacities)
    for work in accepted:
        if work.intake is not None:
            outcomes[work] = records.add_order(work, ground.day, ground.batch_id, ground.attempt)
        elif work.plan and work.plan.allocations:
            outcomes[work] = records.add_backorder(
                work, before[work], ground.day, ground.batch_id, ground.attempt
            )
        else:
            outcomes[work] = _unchanged(work, before)
    await records.write(tx, ACTOR)
    seen = {key: FreeAt(*key, level.signed_free, level.version) for key, level in
            locked.levels.items()}  # fmt: skip
    return Committed(
        outcomes,
        conflicts,
        retired,
        list((seen | levels).values()),
        list((locked.capacities | capacities).values()),
        retired_skus,
    )


async def _lock_backorders(
    tx: TenantTransaction, works: Sequence[Work]
) -> tuple[Before, dict[Work, Outcome]]:
    """Lock the orders that wait; those whose waiting units have changed are answered at once."""
    waiting = {work.order_id: work for work in works if work.backorder}
    if not waiting:
        return {}, {}
    ids = sorted(waiting)
    orders = {row["id"]: row for row in await tx.fetch(SQL.lock_orders, tx.tenant_id, ids)}
    held = {row["order_id"] for row in await tx.fetch(SQL.held_orders, tx.tenant_id, ids)}
    lines: dict[int, list[LineOutcome]] = {order_id: [] for order_id in ids}
    for row in await tx.fetch(SQL.lines_of_orders, tx.tenant_id, ids):
        lines[row["order_id"]].append(line_outcome(row))
    before: Before = {}
    gone: dict[Work, Outcome] = {}
    for order_id, work in waiting.items():
        row = orders[order_id]
        status = OrderStatus(row["status"])
        backordered = {line.line_no: line.backordered for line in lines[order_id]}
        if all(backordered[line.line_no] >= line.quantity for line in work.lines):
            counts = Counts(
                row["event_sequence"],
                row["fulfilment_count"],
                row["reservation_count"],
                row["decision_count"],
            )
            before[work] = (status, order_id in held, counts, lines[order_id])
        else:
            gone[work] = Placed(order_id, status, tuple(lines[order_id]))
    return before, gone


async def _lock_planned(tx: TenantTransaction, works: Sequence[Work], ground: Ground) -> Locked:
    """Lock the counters that the plans name."""
    keys: set[LevelKey] = set()
    nodes: set[int] = set()
    for work in works:
        if work.plan is not None:
            nodes |= {allocation.node_id for allocation in work.plan.allocations}
            keys |= _levels_of(work).keys()
    return await _lock(tx, await _levels(tx, keys), nodes, ground)


async def _lock_candidates(tx: TenantTransaction, works: Sequence[Work], ground: Ground) -> Locked:
    """Lock every counter of every node that might serve one of the orders."""
    skus = sorted({row.sku_id for work in works for row in work.rows})
    warehouses = sorted(source.id for source in ground.view.sources)
    levels = await ledger.lock_levels_of_skus(tx, skus, warehouses) if skus else {}
    nodes = {level.node_id for level in levels.values()}
    return await _lock(tx, levels, nodes, ground)


async def _levels(tx: TenantTransaction, keys: set[LevelKey]) -> dict[LevelKey, Level]:
    return await ledger.lock_levels(tx, keys) if keys else {}


async def _lock(
    tx: TenantTransaction, levels: dict[LevelKey, Level], nodes: set[int], ground: Ground
) -> Locked:
    limited = {node.id for node in ground.view.nodes if node.daily_capacity is not None}
    days = [CapacityKey(node_id, ground.day) for node_id in nodes & limited]
    return Locked(levels, await lock_capacities(tx, days))


async def _look_again(tx: TenantTransaction, works: Sequence[Work], locked: Locked) -> set[int]:
    """Look again, under the locks, at the SKUs and nodes of the batch.

    Returns the SKUs of new orders that are no longer active (what waits was ordered when they
    were); levels of nodes that have closed are taken out.
    """
    nodes = {level.node_id for level in locked.levels.values()}
    closed = await closed_nodes(tx, list(nodes)) if nodes else set()
    for key in [key for key, level in locked.levels.items() if level.node_id in closed]:
        del locked.levels[key]
    skus = {row.sku_id for work in works if work.intake for row in work.rows}
    return await inactive_skus(tx, list(skus)) if skus else set()


def _has_retired(work: Work, retired_skus: set[int]) -> bool:
    return work.intake is not None and any(row.sku_id in retired_skus for row in work.rows)


def _plan_on_locked(works: Sequence[Work], locked: Locked, ground: Ground) -> None:
    view = ground.view
    book = StockBook(view.source_node, len(view.nodes))
    for key, level in locked.levels.items():
        source = view.source_index.get(key.functional_warehouse_id)
        if source is not None:
            book.put(key.sku_id, source, level.signed_free, level.version)
    for capacity in locked.capacities.values():
        book.set_capacity(view.node_index[capacity.node_id], capacity.free, capacity.version)
    planned = [work for work in works if work.rows]
    plans = plan_orders(
        [work.request for work in planned], book, view, ground.policy, ground.policy_version
    )
    for work, plan in zip(planned, plans, strict=True):
        work.plan = plan


def _levels_of(work: Work) -> dict[LevelKey, int]:
    """Return the units that a plan takes of each level."""
    taken: dict[LevelKey, int] = {}
    if work.plan is not None:
        for row, _, warehouse_id, quantity in work.plan.allocations:
            key = LevelKey(warehouse_id, work.rows[row].sku_id)
            taken[key] = taken.get(key, 0) + quantity
    return taken


def _accept(works: Sequence[Work], locked: Locked) -> tuple[list[Work], list[Work]]:
    """Let the core accept the orders one after another: all counters of an order or none."""
    level_index = {key: index for index, key in enumerate(locked.levels)}
    free = array("q", [level.signed_free for level in locked.levels.values()])
    capacity_index = {key.node_id: len(free) + index for index, key in enumerate(locked.capacities)}
    free.extend(capacity.free for capacity in locked.capacities.values())
    candidates, conflicts = [], []
    offsets, counters, quantities = array("i", [0]), array("i"), array("q")
    for work in works:
        needs = _levels_of(work)
        if not _will_do(work) or any(key not in level_index for key in needs):
            conflicts.append(work)
            continue
        for key, quantity in needs.items():
            counters.append(level_index[key])
            quantities.append(quantity)
        nodes = {allocation.node_id for allocation in work.plan.allocations} if work.plan else set()
        for node_id in sorted(nodes & capacity_index.keys()):
            counters.append(capacity_index[node_id])
            quantities.append(1)
        offsets.append(len(counters))
        candidates.append(work)
    answer = reserve(free, offsets, counters, quantities)
    accepted = [work for work, taken in zip(candidates, answer.accepted, strict=True) if taken]
    conflicts += [
        work for work, taken in zip(candidates, answer.accepted, strict=True) if not taken
    ]
    return accepted, conflicts


def _will_do(work: Work) -> bool:
    """Whether a plan, if its units are there, gives the order enough of what it wants."""
    if not work.rows or work.shortage is Shortage.BACKORDER:
        return True
    if work.plan is None:
        return False
    if work.shortage is Shortage.PARTIAL:
        return bool(work.plan.allocations)
    return work.plan.is_whole


async def _take(
    tx: TenantTransaction, accepted: Sequence[Work], locked: Locked, ground: Ground
) -> tuple[dict[LevelKey, FreeAt], dict[CapacityKey, CapacityAt]]:
    units: dict[LevelKey, int] = {}
    parcels: dict[CapacityKey, int] = {}
    for work in accepted:
        for key, quantity in _levels_of(work).items():
            units[key] = units.get(key, 0) + quantity
        nodes = {allocation.node_id for allocation in work.plan.allocations} if work.plan else set()
        for node_id in nodes:
            day = CapacityKey(node_id, ground.day)
            if day in locked.capacities:
                parcels[day] = parcels.get(day, 0) + 1
    levels = await ledger.reserve_locked(tx, units) if units else {}
    return levels, await take_locked(tx, parcels)


def _refusal(work: Work) -> InsufficientStock | NoNode:
    """Return why an order got nothing in the last attempt."""
    assert work.intake is not None, "only new orders are refused"
    codes = {line.sku_id: line.sku_code for line in work.intake.lines}
    if work.plan is None:
        return NoNode()
    short = [
        ShortLine(codes[row.sku_id], row.quantity, available)
        for row, available in zip(work.rows, work.plan.available, strict=True)
        if available < row.quantity
    ]
    return InsufficientStock(short) if short else NoNode()


def _unchanged(work: Work, before: Before) -> Placed:
    status, _, _, lines = before[work]
    return Placed(work.order_id, status, tuple(lines))
