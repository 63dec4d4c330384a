"""How orders that have their nodes would be sent for less, as if what they have were free."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from backend.db.pool import Record, TenantTransaction
from backend.inventory.accuracy.accuracy import nodes_that_missed
from backend.inventory.allotments.book import AllotmentBook
from backend.orders.claim import SQL
from backend.orders.stored import understand_stored
from backend.orders.work import Backorder, Share, Work, shares_of_lines
from backend.routing.kpis import Figures, figures_of
from backend.routing.model import Allocation, OrderPlan, PlanRequest, Rerouting
from backend.routing.tenant_book import TenantBook
from core_ext import StockBook


class Standby(NamedTuple):
    """An order that has its nodes, and what is reserved for it where."""

    order: Backorder
    reservations: Sequence[Record]
    fulfilments: Sequence[Record]


class Move(NamedTuple):
    """What of an order is to come from elsewhere."""

    work: Work
    standby: Standby
    released: Sequence[tuple[Record, int]]
    added: Sequence[Share]
    saved_minor: int


async def read_standbys(tx: TenantTransaction, ids: Sequence[int]) -> list[Standby]:
    """Return orders that may be given to other nodes, with what they have."""
    rows = await tx.fetch(SQL.allocated_lines, tx.tenant_id, ids)
    missed = await nodes_that_missed(tx, ids)
    orders = await understand_stored(tx, rows)
    reservations, fulfilments = await by_order(tx, ids)
    agreed = {
        row["order_id"]
        for row in await tx.fetch(SQL.appointments_of_orders, tx.tenant_id, ids)
        if row["is_booked"]
    }
    return [
        Standby(
            order._replace(
                place=order.place._replace(joins=frozenset()),
                not_from=missed.get(order.order_id, frozenset()),
            ),
            reservations[order.order_id],
            fulfilments[order.order_id],
        )
        for order in orders
        if order.order_id not in agreed
        and not any(row["earmark_id"] for row in reservations[order.order_id])
    ]


async def by_order(
    tx: TenantTransaction, ids: Sequence[int]
) -> tuple[Mapping[int, list[Record]], Mapping[int, list[Record]]]:
    """Return what is reserved of orders, and their fulfilments that stand."""
    reservations: defaultdict[int, list[Record]] = defaultdict(list)
    for row in await tx.fetch(SQL.active_reservations, tx.tenant_id, ids):
        reservations[row["order_id"]].append(row)
    fulfilments: defaultdict[int, list[Record]] = defaultdict(list)
    for row in await tx.fetch(SQL.live_fulfilments, tx.tenant_id, ids):
        fulfilments[row["order_id"]].append(row)
    return reservations, fulfilments


def plan_move(book: TenantBook, standby: Standby, rerouting: Rerouting) -> Move | None:
    """Return how an order would be sent for less, or None where it stays.

    By the policy in force, with what it has counted as free; for so much less as is asked for, in
    no more parcels, and no later than it was promised unless it is late already. Orders that a
    policy on trial routes stay, and those of shops that a binding share bounds. The book is left as
    it was.
    """
    planner, view = book.planner, book.view
    work = Work(standby.order, asyncio.get_running_loop().create_future())
    request, skus = work.request, [row.sku_id for row in work.rows]
    is_bound = book.pools is not None and book.pools.binds(work.shop_id, skus, is_sold=True)
    sources = [
        view.source_index.get((row["functional_warehouse_id"], 0)) for row in standby.reservations
    ]
    if _units_by_line(standby) != {line.line_no: line.quantity for line in work.lines}:
        return None  # it was changed while it was read
    # No source: of a node that is closed, or goods that nobody may sell any more.
    if is_bound or planner.is_on_trial(request) or None in sources:
        return None
    _move(book, standby, sources, 1)
    try:
        (plan,) = planner.plan([request], book.book)
    finally:
        _move(book, standby, sources, -1)
    if not plan.is_whole or any(part.earmark_id for part in plan.allocations):
        return None
    now = _as_it_is(plan, skus, standby)
    saved_minor = _saving(figures_of(view, request, now), figures_of(view, request, plan))
    if saved_minor < rerouting.least_saving_minor:
        return None
    work.set_plan(plan, AllotmentBook())
    released, added = difference(shares_of_lines(work), standby.reservations)
    return Move(work, standby, released, added, saved_minor) if added else None


def _units_by_line(standby: Standby) -> dict[int, int]:
    units: Counter[int] = Counter()
    for row in standby.reservations:
        units[row["line_no"]] += row["active"]
    return dict(units)


def requests_of(standbys: Sequence[Standby]) -> list[PlanRequest]:
    """Return orders as the planner sees them."""
    loop = asyncio.get_running_loop()
    return [Work(standby.order, loop.create_future()).request for standby in standbys]


def _as_it_is(plan: OrderPlan, skus: Sequence[int], standby: Standby) -> OrderPlan:
    """Return a plan with what an order has in the place of what it would have."""
    index_of = {sku_id: index for index, sku_id in enumerate(skus)}
    parts = [
        Allocation(
            index_of[row["sku_id"]],
            row["node_id"],
            row["functional_warehouse_id"],
            row["active"],
        )
        for row in standby.reservations
    ]
    return msgspec.structs.replace(plan, allocations=tuple(parts))


def _saving(now: Figures, then: Figures) -> int:
    """Return what is saved, or 0 where something else is worse."""
    if then.parcels > now.parcels or then.late > now.late:
        return 0
    return (now.freight_minor + now.fees_minor) - (then.freight_minor + then.fees_minor)


def _move(book: TenantBook, standby: Standby, sources: Sequence[int | None], sign: int) -> None:
    """Put what an order has into the book, or (sign -1) take it out again."""
    stock: StockBook = book.book
    move, move_capacity = (
        (stock.give, stock.give_capacity) if sign > 0 else (stock.take, stock.take_capacity)
    )
    for row, source in zip(standby.reservations, sources, strict=True):
        assert source is not None, "every level is in the book"
        move(row["sku_id"], source, row["active"])
    for row in standby.fulfilments:
        node = book.view.node_index.get(row["node_id"])
        if row["capacity_day"] == book.day and node is not None:
            move_capacity(node, 1)


def difference(
    shares: Sequence[Share], reservations: Sequence[Record]
) -> tuple[list[tuple[Record, int]], list[Share]]:
    """Return the units of reservations that a plan does without, and the shares that it adds.

    What the ones have taken of allotments the others have: unit by unit, line by line.
    """
    stays: Counter[tuple[int, int]] = Counter()
    for row in reservations:
        stays[row["line_no"], row["functional_warehouse_id"]] += row["active"]
    elsewhere = []
    for share in shares:
        key = (share.line_no, share.functional_warehouse_id)
        kept = min(stays[key], share.quantity)
        stays[key] -= kept
        if share.quantity > kept:
            elsewhere.append(msgspec.structs.replace(share, quantity=share.quantity - kept))
    released, bound = [], defaultdict[int, list[list[Any]]](list)
    for row in reversed(reservations):
        key = (row["line_no"], row["functional_warehouse_id"])
        if part := min(stays[key], row["active"]):
            stays[key] -= part
            released.append((row, part))
            bound[row["line_no"]].append([row["allotment_ids"], part])
    return released, [part for share in elsewhere for part in _bind(share, bound[share.line_no])]


def _bind(share: Share, bound: list[list[Any]]) -> list[Share]:
    """Return a share in parts, each with the allotments of units that are given back for it.

    `bound` has those of a line, with how many units are left of each.
    """
    parts, left = [], share.quantity
    for entry in bound:
        units = min(left, entry[1])
        if units:
            entry[1] -= units
            left -= units
            ids = None if entry[0] is None else tuple(entry[0])
            parts.append(msgspec.structs.replace(share, quantity=units, allotment_ids=ids))
    assert left == 0, "a line gives back as many units as it has elsewhere"
    return parts
