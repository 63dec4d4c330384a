"""Giving orders that are not sent yet to other nodes where that is cheaper (改派).

A plan is made on the book, as if what the order has were free; what differs is released and
reserved in one transaction, under the order's lock, if the order still stands as it was planned on.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import structlog

from backend.db.pool import Database, Record, TenantTransaction
from backend.inventory import ledger
from backend.inventory.accuracy.accuracy import nodes_that_missed
from backend.inventory.allotments.book import AllotmentBook
from backend.inventory.allotments.counters import lock_allotments, try_allotments
from backend.inventory.counters import Counters
from backend.inventory.model import LevelKey
from backend.metrics import REROUTED
from backend.network.capacity import CapacityKey, create_capacities, lock_capacities, try_parcels
from backend.orders.claim import SQL
from backend.orders.commit import ACTOR, insert_rows
from backend.orders.events import FulfilmentChanged, OrderRerouted
from backend.orders.model import OrderStatus
from backend.orders.place_orders import OrderIntake
from backend.orders.releasing import Releasing
from backend.orders.shape import NO_BATCH, Circumstances, Counts, Shaped, ShipTo, Standing
from backend.orders.step import StepEvent, lines_of_order
from backend.orders.stored import understand_stored
from backend.orders.work import Backorder, Share, Work, shares_of_lines
from backend.routing.kpis import Figures, figures_of
from backend.routing.model import Allocation, Rerouting
from backend.routing.tenant_book import TenantBook
from core_ext import StockBook
from tenants.brands import Brand, BrandDirectory
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

ORDERS_A_ROUND = 20_000
"""Orders that one round looks at for a brand: some seconds; the next one goes on."""
PAGE = 200
BEFORE_ALL = (datetime(1970, 1, 1, tzinfo=UTC), 0)

PublishCounters = Callable[[int, Counters], Awaitable[None]]
"""Tells everybody of a tenant's counters that were changed."""


class Abandoned(Exception):
    """The order, or what it would take, is not what it was: nothing is changed."""


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


class Rerouter:
    """Does it for the brands whose policy says when; safe to run in several processes at once."""

    def __init__(
        self,
        database: Database,
        intake: OrderIntake,
        brands: BrandDirectory,
        publish_counters: PublishCounters,
    ) -> None:
        self._database = database
        self._intake = intake
        self._brands = brands
        self._publish_counters = publish_counters
        self._after: dict[int, tuple[datetime, int]] = {}
        """How far the last round has come, by brand."""

    async def reroute_all(self) -> None:
        """Look at the orders of all brands, each from where the last round has come to."""
        for brand in await self._brands.all():
            await self.reroute(brand)

    async def reroute(self, brand: Brand) -> int:
        """Look at orders that have all their nodes; returns how many were given to others.

        Left alone: orders that are held, whose time is agreed, or that have units from an earmark.
        Emits `order.rerouted` and what comes with it of `fulfilment.cancelled` and
        `fulfilment.created`.
        """
        live = (await self._intake.lane(brand.id)).live
        await live.freshen()
        rerouting = live.book.planner.policy.rerouting
        if rerouting is None:
            return 0
        principal, rerouted = system_principal(brand.id, "rerouting"), 0
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            found = await tx.fetch(
                SQL.allocated_orders,
                tx.tenant_id,
                *self._after.get(brand.id, BEFORE_ALL),
                rerouting.within_hours,
                ORDERS_A_ROUND,
            )
        for first in range(0, len(found), PAGE):
            ids = [row["id"] for row in found[first : first + PAGE]]
            await live.freshen()
            async with self._database.tenant_transaction(principal, read_only=True) as tx:
                standbys = await _standbys(tx, ids)
            for standby in standbys:
                move = plan_move(live.book, standby, rerouting)
                if move is not None and await self._carry_out(brand, live.book, move):
                    rerouted += 1
        is_end = len(found) < ORDERS_A_ROUND
        self._after[brand.id] = BEFORE_ALL if is_end else (found[-1]["placed_at"], found[-1]["id"])
        if rerouted:
            log.info("routing.rerouted", tenant=brand.id, orders=rerouted, of=len(found))
        return rerouted

    async def _carry_out(self, brand: Brand, book: TenantBook, move: Move) -> bool:
        day, limited = book.day, book.view.limited_nodes
        around = Circumstances(day, NO_BATCH, 1, limited)
        principal = system_principal(brand.id, "rerouting")
        try:
            days = {CapacityKey(share.node_id, day) for share in move.added}
            if missing := [key for key in days if key.node_id in limited]:
                async with self._database.tenant_transaction(principal) as tx:
                    await create_capacities(tx, missing)
            async with self._database.tenant_transaction(principal) as tx:
                counters = await carry_out(tx, move, around)
        except Abandoned:
            return False
        REROUTED.inc()
        await self._publish_counters(brand.id, counters)
        return True


# ---------------------------------------------------------------------------------- planning


async def _standbys(tx: TenantTransaction, ids: Sequence[int]) -> list[Standby]:
    """Return orders that may be given to other nodes, with what they have."""
    rows = await tx.fetch(SQL.allocated_lines, tx.tenant_id, ids)
    missed = await nodes_that_missed(tx, ids)
    orders = await understand_stored(tx, rows)
    reservations, fulfilments = await _by_order(tx, ids)
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


async def _by_order(
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

    By the policy, with what it has counted as free; for so much less as is asked for, in no more
    parcels, and no later than it was promised unless it is late already. The book is left as it
    was.
    """
    planner, view = book.planner, book.view
    work = Work(standby.order, asyncio.get_running_loop().create_future())
    index_of = {row.sku_id: index for index, row in enumerate(work.rows)}
    sources = [
        view.source_index.get((row["functional_warehouse_id"], 0)) for row in standby.reservations
    ]
    if None in sources:  # a node that is closed, or goods that nobody may sell any more
        return None
    _move(book, standby, sources, 1)
    (plan,) = planner.plan([work.request], book.book)
    _move(book, standby, sources, -1)
    if not plan.is_whole or any(part.earmark_id for part in plan.allocations):
        return None
    now = msgspec.structs.replace(
        plan,
        allocations=tuple(
            [
                Allocation(
                    index_of[row["sku_id"]],
                    row["node_id"],
                    row["functional_warehouse_id"],
                    row["active"],
                )
                for row in standby.reservations
            ]
        ),
    )
    saved_minor = _saving(figures_of(view, work.request, now), figures_of(view, work.request, plan))
    if saved_minor < rerouting.least_saving_minor:
        return None
    work.set_plan(plan, AllotmentBook())
    released, added = _difference(work, standby.reservations)
    return Move(work, standby, released, added, saved_minor) if added else None


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


def _difference(
    work: Work, reservations: Sequence[Record]
) -> tuple[list[tuple[Record, int]], list[Share]]:
    """Return the units of reservations that a plan does without, and the shares that it adds."""
    stays: Counter[tuple[int, int]] = Counter()
    for row in reservations:
        stays[row["line_no"], row["functional_warehouse_id"]] += row["active"]
    bound = {row["sku_id"]: row["allotment_ids"] for row in reservations}
    added = []
    for share in shares_of_lines(work):
        key = (share.line_no, share.functional_warehouse_id)
        kept = min(stays[key], share.quantity)
        stays[key] -= kept
        if share.quantity > kept:
            ids = bound[share.sku_id]
            added.append(
                msgspec.structs.replace(
                    share,
                    quantity=share.quantity - kept,
                    allotment_ids=None if ids is None else tuple(ids),
                )
            )
    released = []
    for row in reversed(reservations):
        key = (row["line_no"], row["functional_warehouse_id"])
        part = min(stays[key], row["active"])
        if part:
            stays[key] -= part
            released.append((row, part))
    return released, added


# --------------------------------------------------------------------------------- commit


async def carry_out(tx: TenantTransaction, move: Move, around: Circumstances) -> Counters:
    """Release what an order does without and reserve what it has instead; returns the counters.

    Locks the order, then its counters in the one order. Raises Abandoned where the order does not
    stand as it was planned on any more, or a counter has too little: the caller rolls back.
    """
    order_id = move.work.order_id
    before = await _lock_as_planned(tx, move)
    releasing = Releasing(tx, order_id, move.standby.reservations)
    for row, part in move.released:
        releasing.add(row, part)
    await releasing.lock(
        LevelKey(share.functional_warehouse_id, share.sku_id) for share in move.added
    )
    units: Counter[int] = Counter()
    for share in move.added:
        units.update(dict.fromkeys(share.allotment_ids or (), share.quantity))
    await lock_allotments(tx, units)
    live = _lasting(move)
    new_nodes = {share.node_id for share in move.added} - live.keys()
    days = [CapacityKey(node, around.day) for node in new_nodes if node in around.limited_nodes]
    await lock_capacities(tx, [*days, *_days_of(move.standby.fulfilments)])
    given_back, emptied = await releasing.carry_out(ACTOR)
    total = sum(share.quantity for share in move.added)
    payload = OrderRerouted(order_id, before.status, total, move.saved_minor)
    shaped = Shaped(around)
    events = [StepEvent(payload), *emptied, *_changed(move, live)]
    shaped.add_reroute(move.work, before, move.added, live, events)
    taken = await _take(tx, shaped, units, days)
    await tx.execute(SQL.update_orders, tx.tenant_id, *zip(*shaped.updated_orders, strict=True))
    await insert_rows(tx, shaped)
    return given_back.and_also(taken)


async def _lock_as_planned(tx: TenantTransaction, move: Move) -> Standing:
    """Lock an order and see that it stands as it did. Raises Abandoned.

    What was planned on was read without a lock, in several questions: so lines are looked at too.
    """
    ids = [move.work.order_id]
    orders = await tx.fetch(SQL.lock_orders, tx.tenant_id, ids)
    if not orders or orders[0]["status"] != OrderStatus.ALLOCATED:
        raise Abandoned
    before = await _standing(tx, orders[0])
    wanted = {line.line_no: line.reserved for line in before.lines if line.reserved}
    reservations, fulfilments = await _by_order(tx, ids)
    appointments = await tx.fetch(SQL.appointments_of_orders, tx.tenant_id, ids)
    nodes = list({share.node_id for share in move.added})
    looked_at = await tx.fetch(SQL.look_again, tx.tenant_id, [], [], [], [], nodes, [])
    if (
        _plain(reservations[ids[0]]) != _plain(move.standby.reservations)
        or _plain(fulfilments[ids[0]]) != _plain(move.standby.fulfilments)
        or wanted != {line.line_no: line.quantity for line in move.work.lines}
        or any(row["is_booked"] for row in appointments)
        or any(kind == "closed" for kind, _ in looked_at)
    ):
        raise Abandoned
    return before


def _plain(rows: Sequence[Record]) -> list[tuple[object, ...]]:
    return [tuple(row) for row in rows]


def _days_of(fulfilments: Sequence[Record]) -> list[CapacityKey]:
    return [
        CapacityKey(row["node_id"], row["capacity_day"])
        for row in fulfilments
        if row["capacity_day"] is not None
    ]


def _lasting(move: Move) -> dict[int, int]:
    """Return the fulfilments, by node, of which something stays: the others end."""
    left: Counter[int] = Counter()
    for row in move.standby.reservations:
        left[row["fulfilment_no"]] += row["active"]
    for row, part in move.released:
        left[row["fulfilment_no"]] -= part
    return {
        row["node_id"]: row["fulfilment_no"]
        for row in move.standby.fulfilments
        if left[row["fulfilment_no"]]
    }


def _changed(move: Move, live: Mapping[int, int]) -> list[StepEvent]:
    """Return the events of fulfilments that go on with other units."""
    units: Counter[int] = Counter()
    for row in move.standby.reservations:
        units[row["node_id"]] += row["active"]
    before = dict(units)
    for row, part in move.released:
        units[row["node_id"]] -= part
    for share in move.added:
        units[share.node_id] += share.quantity
    order_id = move.work.order_id
    return [
        StepEvent(FulfilmentChanged(order_id, number, node_id, units[node_id]), node_id)
        for node_id, number in live.items()
        if units[node_id] and units[node_id] != before[node_id]
    ]


async def _standing(tx: TenantTransaction, order: Record) -> Standing:
    counts = Counts(
        order["event_sequence"],
        order["fulfilment_count"],
        order["reservation_count"],
        order["decision_count"],
    )
    ship_to = ShipTo(
        order["buyer_name"], order["buyer_phone"], order["region_code"], order["address"]
    )
    lines = await lines_of_order(tx, order["id"])
    return Standing(OrderStatus(order["status"]), False, counts, lines, ship_to)


async def _take(
    tx: TenantTransaction, shaped: Shaped, units: Mapping[int, int], days: Sequence[CapacityKey]
) -> Counters:
    """Take what the new shares need of counters that are locked. Raises Abandoned."""
    levels = await ledger.try_reserve(tx, shaped.takes, ACTOR)
    allotments = await try_allotments(tx, units)
    parcels = await try_parcels(tx, dict.fromkeys(days, 1))
    if levels is None or allotments is None or parcels is None:
        raise Abandoned
    return Counters(
        ledger.free_of_locked(levels), list(parcels.values()), list(allotments.values())
    )
