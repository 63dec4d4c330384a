"""The commit of a batch: one PostgreSQL transaction in which stock is taken and orders exist.

Lock order, as everywhere: keys → orders → stock holds → earmarks → supplies → counters (levels,
allotments, capacities, slots, quotas), each sorted. Under the locks the core accepts the orders one
after another against what was read, all counters of an order or none; then one aggregated update
whose condition is an assertion, and inserts for the accepted orders only. What can be done without
a lock is done before (see `shape`): others wait for these locks.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from backend.db.pool import Record, TenantTransaction
from backend.dropship.quotas.counters import lock_quotas, move_quotas, try_quotas
from backend.dropship.quotas.model import QuotaAt
from backend.events.outbox import event_rows
from backend.inventory import ledger
from backend.inventory.allotments.counters import (
    lock_allotments,
    take_allotments,
    try_allotments,
)
from backend.inventory.allotments.model import AllotmentAt
from backend.inventory.counters import Counters
from backend.inventory.model import FreeAt
from backend.network.capacity import (
    CapacityAt,
    CapacityKey,
    CapacityMissing,
    lock_capacities,
    take_locked,
    try_parcels,
)
from backend.network.slots import list_slot_providers, lock_slots, take_slots
from backend.orders.accept import (
    Locked,
    accept,
    allotted_of,
    enough,
    moves_of,
    parcels_of,
    visits_of,
    with_freed,
)
from backend.orders.claim import SQL, KeyRow, claim_keys, delete_keys, key_rows, refused
from backend.orders.dealing.quota import hold_for_quota
from backend.orders.deposits.deposits import insert_deposits
from backend.orders.errors import (
    InsufficientStock,
    InvalidOrder,
    NoAppointment,
    NoNode,
    NoStrategy,
    NotAuthorised,
    ShortLine,
)
from backend.orders.model import Answer, LineOutcome, OrderStatus, Placed
from backend.orders.plan_on_locked import Ground, plan_on_locked
from backend.orders.shape import Shaped, shape_orders
from backend.orders.standing import Standing, standing_of
from backend.orders.step import line_outcome
from backend.orders.stock_holds.ending import EndingHolds, insert_holds, lock_holds
from backend.orders.stock_holds.model import StockHoldState
from backend.orders.supplies.presale import lock_supplies_of, read_to_come
from backend.orders.supplies.settle import may_take_of
from backend.orders.work import Work

ACTOR = "system:orders"


class Committed(NamedTuple):
    """What a commit came to. Outcomes hold once the transaction has committed."""

    outcomes: dict[Work, Answer]
    conflicts: list[Work]
    """Wanted a counter that had too little; to be planned again."""
    retired: list[Work]
    """Have a SKU that is no longer active, or are by older terms; to be understood again."""
    counters: Counters
    """All that were locked, as they are after it."""
    retired_skus: set[int]
    under_locks: Sequence[Work] = ()
    """Were planned on locked counters: what they say was available is so."""


Before = dict[Work, Standing]


class NotAllAccepted(Exception):
    """Somebody in the batch gets less than was planned: begin again, and look before inserting."""


async def commit_admitted(
    tx: TenantTransaction, works: Sequence[Work], ground: Ground, shaped: Shaped
) -> Committed:
    """Place new orders whose counters admission has taken, all of them, or raise NotAllAccepted.

    What admission has taken PostgreSQL hardly ever refuses, so everything is inserted before the
    counters are locked, and they are taken as they are locked: others wait for these locks, and
    wait for one statement a kind of counter. `shaped` has the rows of exactly these works.
    """
    if len(shaped.placed) < len(works) or not await insert_rows(tx, shaped, key_rows(works)):
        raise NotAllAccepted
    levels = await ledger.try_reserve(tx, shaped.takes, ACTOR)
    if levels is None:
        raise NotAllAccepted
    allotments = await try_allotments(tx, allotted_of(works))
    if allotments is None:
        raise NotAllAccepted
    capacities = await _try_parcels(tx, works, ground)
    quotas = await try_quotas(tx, moves_of(works), ground.around.day)
    if quotas is None:
        raise NotAllAccepted
    locked = Locked(levels, allotments, capacities, quotas=quotas)
    count = len(levels)
    outcomes: dict[Work, Answer] = {}
    retired, retired_skus, left = await _look_again(tx, works, locked, outcomes)
    if len(left) < len(works) or len(locked.levels) < count:
        raise NotAllAccepted
    seen = _seen(locked, _Taken([], {}, {}, {}))
    return Committed(dict(shaped.placed), [], retired, seen, retired_skus)


async def _try_parcels(
    tx: TenantTransaction, works: Iterable[Work], ground: Ground
) -> dict[CapacityKey, CapacityAt]:
    """Take a parcel of each node's day that has a limit, or raise NotAllAccepted."""
    day, limited = ground.around.day, ground.around.limited_nodes
    nodes = (node_id for work in works for node_id in work.nodes if node_id in limited)
    taken = await try_parcels(tx, Counter(CapacityKey(node_id, day) for node_id in nodes))
    if taken is None:
        raise NotAllAccepted
    return taken


async def commit_planned(
    tx: TenantTransaction, works: Sequence[Work], ground: Ground, shaped: Shaped
) -> Committed:
    """Place what can be placed as it was planned, and say what became of every order.

    `shaped` has the rows of the new orders whose plan is enough, and is left as it is. What no
    longer fits its counters is a conflict. Raises CapacityMissing.
    """
    outcomes, before, open_works = await _begin(tx, works)
    await lock_supplies_of(tx, [work for work in open_works if work.is_sold_out])
    locked = await _lock_planned(tx, open_works, ground)
    retired, retired_skus, open_works = await _look_again(tx, open_works, locked, outcomes)
    accepted, conflicts = accept(open_works, locked)
    sold_out = [work for work in conflicts if work.is_sold_out and not enough(work)]
    outcomes |= _refusals(sold_out, before)
    conflicts = [work for work in conflicts if work not in outcomes]
    await delete_keys(tx, {*conflicts, *sold_out, *retired})
    new = [work for work in accepted if work.intake is not None]
    if len(new) < len(shaped.placed) or len(new) < len(accepted):
        shaped = shape_orders(new, ground.around)
    taken = await _write(tx, accepted, before, locked, shaped, outcomes)
    return Committed(outcomes, conflicts, retired, _seen(locked, taken), retired_skus)


async def commit_finally(tx: TenantTransaction, works: Sequence[Work], ground: Ground) -> Committed:
    """Lock every counter of all candidate nodes, plan on those alone, and give the final answer.

    There are no conflicts. Raises CapacityMissing.
    """
    for work in works:
        work.wait_for_quota(None)  # whatever an earlier try of this transaction found
    outcomes, before, open_works = await _begin(tx, works)
    holds = await lock_holds(tx, [one for work in open_works for one in work.converts])
    open_works = await _without_foreign_holds(tx, open_works, holds, outcomes)
    supplies = await lock_supplies_of(tx, open_works)
    locked = await _lock_candidates(tx, open_works, ground, holds)
    retired, retired_skus, open_works = await _look_again(tx, open_works, locked, outcomes)
    too_much = hold_for_quota(open_works, locked.quotas)
    outcomes |= too_much
    await delete_keys(tx, set(too_much))
    open_works = [work for work in open_works if work not in too_much]
    to_come = await read_to_come(tx, open_works, supplies, may_take_of(ground.planner.view))
    took_over = plan_on_locked(open_works, locked, ground, holds, to_come)
    accepted, short = accept(open_works, with_freed(locked, holds, took_over))
    converted = {one: work.order_id for one, work in took_over.items() if work not in short}
    outcomes |= _refusals(short, before)
    await delete_keys(tx, {*short, *retired})
    shaped = shape_orders((w for w in accepted if w.intake is not None), ground.around)
    freed = await holds.end(tx, converted, StockHoldState.CONVERTED, ACTOR)
    taken = await _write(tx, accepted, before, locked, shaped, outcomes)
    seen = freed.and_also(_seen(locked, taken))
    return Committed(outcomes, [], retired, seen, retired_skus, under_locks=open_works)


async def _without_foreign_holds(
    tx: TenantTransaction, works: list[Work], holds: EndingHolds, outcomes: dict[Work, Answer]
) -> list[Work]:
    """Refuse orders that would take over what is kept for somebody else; returns the others.

    Who has paid is never refused, and does without.
    """
    foreign = {work for work in works if _is_foreign(work, holds) and not work.is_sold}
    if foreign:
        error = InvalidOrder(
            "The stock hold is of another shop, or for another order.", path=("hold",)
        )
        outcomes |= dict.fromkeys(foreign, refused(error))
        await delete_keys(tx, foreign)
    return [work for work in works if work not in foreign]


def _is_foreign(work: Work, holds: EndingHolds) -> bool:
    named = holds.named(work.converts)
    return not all(hold.is_for(work.shop_id, work.order_id) for hold in named)


async def _begin(
    tx: TenantTransaction, works: Sequence[Work]
) -> tuple[dict[Work, Answer], Before, list[Work]]:
    """Claim the keys and lock the orders that wait; returns what is answered, and what is open."""
    outcomes = await claim_keys(tx, works)
    before, gone = await _lock_backorders(tx, [work for work in works if work.backorder])
    outcomes |= gone
    return outcomes, before, [work for work in works if work not in outcomes]


async def _lock_backorders(
    tx: TenantTransaction, works: Sequence[Work]
) -> tuple[Before, dict[Work, Answer]]:
    """Lock the orders that wait; those that wait otherwise than planned are answered at once."""
    waiting = {work.order_id: work for work in works}
    if not waiting:
        return {}, {}
    ids = sorted(waiting)
    orders = {row["id"]: row for row in await tx.fetch(SQL.lock_orders, tx.tenant_id, ids)}
    held = {row["order_id"] for row in await tx.fetch(SQL.held_orders, tx.tenant_id, ids, None)}
    lines: dict[int, list[LineOutcome]] = {order_id: [] for order_id in ids}
    stored: dict[int, list[Record]] = {order_id: [] for order_id in ids}
    for row in await tx.fetch(SQL.lines_of_orders, tx.tenant_id, ids):
        stored[row["order_id"]].append(row)
        lines[row["order_id"]].append(line_outcome(row))
    before: Before = {}
    gone: dict[Work, Answer] = {}
    for order_id, work in waiting.items():
        row = orders[order_id]
        if _waits_as_planned(work, row, stored[order_id]):
            before[work] = standing_of(row, lines[order_id], is_held=order_id in held)
        else:
            gone[work] = Placed(order_id, OrderStatus(row["status"]), tuple(lines[order_id]))
    return before, gone


def _waits_as_planned(work: Work, order: Record, lines: Iterable[Record]) -> bool:
    """Whether what was planned still waits: the same SKUs, from there, to there."""
    backorder = work.backorder
    assert backorder is not None, "new orders wait for nobody"
    only_at = order["pickup_node_id"] or order["node_by_hand_id"] or 0
    if only_at != backorder.only_at or order["region_code"] != backorder.place.region_code:
        return False
    waiting = {(row["line_no"], row["sku_id"]): row["backordered"] for row in lines}
    return all(waiting.get((line.line_no, line.sku_id), 0) >= line.quantity for line in work.lines)


async def _lock_planned(tx: TenantTransaction, works: Iterable[Work], ground: Ground) -> Locked:
    """Lock the counters that the plans name."""
    keys = {key.level for work in works for key in work.units_by_key}
    nodes = {node_id for work in works for node_id in work.nodes}
    levels = await ledger.lock_free(tx, keys) if keys else {}
    allotments = {one for work in works for one in work.units_by_allotment}
    locked = await _lock(tx, levels, allotments, nodes, ground)
    quotas = await lock_quotas(tx, [one for work in works for one in work.quota])
    return locked._replace(quotas=quotas)


async def _lock_candidates(
    tx: TenantTransaction, works: Iterable[Work], ground: Ground, holds: EndingHolds
) -> Locked:
    """Lock every counter of every node that might serve one of the orders, and those of holds."""
    parts = holds.parts
    skus = sorted({row.sku_id for w in works for row in w.rows} | {part.sku_id for part in parts})
    warehouses = sorted(
        {source.functional_warehouse_id for source in ground.planner.view.sources}
        | {part.functional_warehouse_id for part in parts}
    )
    levels = await ledger.lock_free_of_skus(tx, skus, warehouses) if skus else {}
    nodes = {level.node_id for level in levels.values()}
    book = ground.allotments
    allotments = {
        one
        for work in works
        for row in work.rows
        for one in book.of(row.sku_id, work.shop_id, work.dealer_id)
    }
    allotments.update(one for part in parts for one in part.allotment_ids)
    locked = await _lock(tx, levels, allotments, nodes, ground)
    windows = {visit.window for work in works if work.rows and (visit := work.visit)}
    if windows:
        slots = await lock_slots(tx, windows)
        locked = locked._replace(slots=slots, providers=await list_slot_providers(tx))
    quotas = await lock_quotas(tx, [one for work in works for one in work.quota_needs])
    return locked._replace(quotas=quotas)


async def _lock(
    tx: TenantTransaction,
    levels: ledger.Locked,
    allotment_ids: set[int],
    nodes: set[int],
    ground: Ground,
) -> Locked:
    """Lock what comes after the levels."""
    allotments = await lock_allotments(tx, allotment_ids)
    day, limited = ground.around.day, ground.around.limited_nodes
    days = {CapacityKey(node_id, day) for node_id in nodes if node_id in limited}
    capacities = await lock_capacities(tx, days)
    if missing := days - capacities.keys():
        raise CapacityMissing(missing)
    return Locked(levels, allotments, capacities)


async def _look_again(
    tx: TenantTransaction, works: Sequence[Work], locked: Locked, outcomes: dict[Work, Answer]
) -> tuple[list[Work], set[int], list[Work]]:
    """Look again, under the locks, at authority, nodes, SKUs and dealers' terms, in one question.

    Refuses the orders of those who may no longer place any, takes the levels of closed nodes out
    of `locked`, and returns the new orders with a retired SKU (what waits was ordered when it was
    not) or by terms that are not the newest, the retired SKUs, and the works that are left.
    """
    new = [work for work in works if work.intake is not None]
    principals = list(dict.fromkeys(work.intake.principal for work in new if work.intake))
    rows = await tx.fetch(
        SQL.look_again,
        tx.tenant_id,
        [principal.kind.value for principal in principals],
        [principal.user_id for principal in principals],
        [principal.key_id for principal in principals],
        [principal.dealer_id for principal in principals],
        list({level.node_id for level in locked.levels.values()}),
        list({row.sku_id for work in new for row in work.rows}),
        list({version for work in new if (version := _dealing_version(work)) is not None}),
    )
    found: dict[str, set[int]] = {
        "authority": set(),
        "closed": set(),
        "retired": set(),
        "stale": set(),
    }
    for kind, number in rows:
        found[kind].add(number)
    in_force = {principals[ordinal - 1] for ordinal in found["authority"]}
    denied = [work for work in new if work.intake and work.intake.principal not in in_force]
    if denied:
        outcomes |= dict.fromkeys(denied, refused(NotAuthorised()))
        await delete_keys(tx, set(denied))
    for key in [k for k, level in locked.levels.items() if level.node_id in found["closed"]]:
        del locked.levels[key]
    retired_skus = found["retired"]
    retired = [
        work
        for work in new
        if work not in outcomes
        and (
            any(row.sku_id in retired_skus for row in work.rows)
            or _dealing_version(work) in found["stale"]
        )
    ]
    left = [work for work in works if work not in outcomes]
    if retired:
        left = [work for work in left if work not in retired]
    return retired, retired_skus, left


def _dealing_version(work: Work) -> int | None:
    return None if work.intake is None else work.intake.dealing_version


class _Taken(NamedTuple):
    levels: list[FreeAt]
    allotments: dict[int, AllotmentAt]
    capacities: dict[CapacityKey, CapacityAt]
    quotas: Mapping[int, QuotaAt]


async def _write(
    tx: TenantTransaction,
    accepted: Sequence[Work],
    before: Before,
    locked: Locked,
    shaped: Shaped,
    outcomes: dict[Work, Answer],
) -> _Taken:
    """Take the counters and insert the rows of what was accepted."""
    for work in accepted:
        if work.backorder is not None:
            if work.plan and work.plan.allocations:
                shaped.add_backorder(work, before[work])
            else:
                outcomes[work] = _unchanged(work, before)
    outcomes |= shaped.placed
    taken = await _take(tx, accepted, locked, shaped)
    if shaped.moved_lines:
        await tx.execute(SQL.move_line_units, tx.tenant_id, *zip(*shaped.moved_lines, strict=True))
        await tx.execute(SQL.update_orders, tx.tenant_id, *zip(*shaped.updated_orders, strict=True))
    if shaped.orders or shaped.stock_holds or shaped.reservations or shaped.events:
        await insert_rows(tx, shaped)
    return taken


async def _take(
    tx: TenantTransaction, works: Iterable[Work], locked: Locked, shaped: Shaped
) -> _Taken:
    """Take from the locked counters what the plans of the works say."""
    works = list(works)
    levels = await ledger.reserve_locked(tx, shaped.takes, ACTOR)
    allotments = await take_allotments(tx, allotted_of(works))
    capacities = await take_locked(tx, parcels_of(works, locked))
    await take_slots(tx, visits_of(works))
    quotas = await move_quotas(tx, moves_of(works), shaped.day)
    return _Taken(levels, allotments, capacities, quotas)


async def insert_rows(tx: TenantTransaction, shaped: Shaped, keys: Sequence[KeyRow] = ()) -> bool:
    """Insert the rows of orders and their events, and take keys; whether all of these were free."""
    claimed = await tx.fetch_value(
        SQL.insert_orders,
        tx.tenant_id,
        shaped.orders,
        shaped.lines,
        shaped.fees,
        shaped.holds,
        shaped.fulfilments,
        shaped.reservations,
        shaped.decisions,
        keys,
        event_rows(shaped.events, tx.principal.actor),
    )
    if shaped.stock_holds:
        await insert_holds(tx, shaped.stock_holds, shaped.stock_hold_parts)
    if shaped.routing_waits:
        columns = zip(*shaped.routing_waits, strict=True)
        await tx.execute(SQL.insert_routing_waits, tx.tenant_id, *map(list, columns))
    if shaped.appointments:
        columns = zip(*shaped.appointments, strict=True)
        await tx.execute(SQL.insert_appointments, tx.tenant_id, *map(list, columns))
    if shaped.pickups:
        columns = zip(*shaped.pickups, strict=True)
        await tx.execute(SQL.insert_pickups, tx.tenant_id, *map(list, columns))
    if shaped.deposits:
        await insert_deposits(tx, shaped.deposits)
    return bool(claimed == len(keys))


def _seen(locked: Locked, taken: _Taken) -> Counters:
    """Return every counter that was locked, as it is after this commit."""
    written = {level[:2] for level in taken.levels}
    others = {key: level for key, level in locked.levels.items() if key[:2] not in written}
    levels = ledger.free_of_locked(others)
    return Counters(
        taken.levels + levels,
        list((locked.capacities | taken.capacities).values()),
        list((locked.allotments | taken.allotments).values()),
        list({**locked.quotas, **taken.quotas}.values()),
    )


def _refusals(works: Sequence[Work], before: Before) -> dict[Work, Answer]:
    """Return the answers of works that got nothing; what waits goes on waiting."""
    return {
        work: refused(_refusal(work)) if work.intake is not None else _unchanged(work, before)
        for work in works
    }


def _refusal(work: Work) -> InsufficientStock | NoAppointment | NoNode | NoStrategy:
    """Return why an order got nothing in the last attempt."""
    assert work.intake is not None, "only new orders are refused"
    codes = {line.sku_id: line.sku_code for line in work.intake.lines}
    if work.plan is None:
        return NoNode()
    if not work.plan.is_matched:
        return NoStrategy()
    if work.misses_its_time and (work.plan.is_whole or work.is_covered):
        return NoAppointment(path=("appointment",))
    coming = work.coming or (0,) * len(work.rows)
    short = [
        ShortLine(codes[row.sku_id], row.quantity, available + to_come)
        for row, available, to_come in zip(work.rows, work.plan.available, coming, strict=True)
        if available + to_come < row.quantity
    ]
    return InsufficientStock(short) if short else NoNode()


def _unchanged(work: Work, before: Before) -> Placed:
    standing = before[work]
    return Placed(work.order_id, standing.status, tuple(standing.lines))
