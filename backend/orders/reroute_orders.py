"""Giving orders that are not sent yet to other nodes where that is cheaper (改派).

A plan is made on the book; what differs from it is released and reserved in one transaction, under
the order's lock, if the order still stands as it was planned on.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from backend.db.errors import DatabaseUnavailable
from backend.db.pool import CONNECTION_LOST, Database, Record, TenantTransaction
from backend.events.model import Payload
from backend.inventory import ledger
from backend.inventory.allotments.counters import lock_allotments, try_allotments
from backend.inventory.counters import Counters, PublishCounters
from backend.inventory.levels import database_time
from backend.inventory.model import LevelKey
from backend.metrics import REROUTED
from backend.network.capacity import CapacityKey, create_capacities, lock_capacities, try_parcels
from backend.orders.claim import SQL
from backend.orders.commit import ACTOR, insert_rows
from backend.orders.events import FulfilmentChanged, OrderRerouted
from backend.orders.model import OrderStatus
from backend.orders.place_orders import OrderIntake
from backend.orders.plan_reroutes import Move, by_order, plan_move, read_standbys, requests_of
from backend.orders.releasing import Releasing
from backend.orders.shape import NO_BATCH, Circumstances, Shaped
from backend.orders.standing import Standing, standing_of
from backend.orders.step import StepEvent, lines_of_order
from backend.orders.work import BREATH_ORDERS
from backend.routing.live_book import LiveBook
from tenants.brands import Brand, BrandDirectory
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

ORDERS_A_ROUND = 20_000
"""Orders that one round looks at for a brand: some seconds; the next one goes on."""
PAGE = 200
BEFORE_ALL = (datetime(1970, 1, 1, tzinfo=UTC), 0)


Tell = Callable[[OrderStatus, int], Payload]


class Abandoned(Exception):
    """The order, or what it would take, is not what it was: nothing is changed."""


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
        self._is_stopping = False
        self._after: dict[int, tuple[datetime, int]] = {}
        """How far the rounds have come, by brand."""

    def stop(self) -> None:
        """Let a round end with the orders in hand."""
        self._is_stopping = True

    async def reroute_all(self) -> None:
        """Look at the orders of all brands, each from where the last round has come to."""
        for brand in await self._brands.all():
            if self._is_stopping:
                return
            try:
                await self.reroute(brand)
            except (DatabaseUnavailable, *CONNECTION_LOST):
                raise
            except Exception:  # another brand's orders are none of its business
                log.exception("routing.not_rerouted", tenant=brand.id)

    async def reroute(self, brand: Brand) -> int:
        """Look at orders that have all their nodes; returns how many were given to others.

        Left alone: orders that are held, whose time is agreed, that have units from an earmark or
        would get some, of shops that a binding share bounds, and that a policy on trial routes.
        Emits `order.rerouted` and what comes with it of `fulfilment.cancelled`,
        `fulfilment.changed` and `fulfilment.created`.
        """
        live = (await self._intake.lane(brand.id)).live
        await live.freshen()
        rerouting = live.book.planner.policy.rerouting
        if rerouting is None:
            return 0
        principal, rerouted = system_principal(brand.id, "rerouting"), 0
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            since = await database_time(tx) - timedelta(hours=rerouting.within_hours)
            after = max(self._after.get(brand.id, BEFORE_ALL), (since, 0))
            found = await tx.fetch(SQL.allocated_orders, tx.tenant_id, *after, ORDERS_A_ROUND)
        for first in range(0, len(found), PAGE):
            if self._is_stopping:
                return rerouted
            page = found[first : first + PAGE]
            rerouted += await self._reroute_page(brand, live, [row["id"] for row in page])
            self._after[brand.id] = (page[-1]["placed_at"], page[-1]["id"])
        if len(found) < ORDERS_A_ROUND:
            self._after[brand.id] = BEFORE_ALL
        if rerouted:
            log.info("routing.rerouted", tenant=brand.id, orders=rerouted, of=len(found))
        return rerouted

    async def _reroute_page(self, brand: Brand, live: LiveBook, ids: Sequence[int]) -> int:
        await live.freshen()
        principal = system_principal(brand.id, "rerouting")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            standbys = await read_standbys(tx, ids)
        book, rerouting = live.book, live.book.planner.policy.rerouting
        if rerouting is None or not standbys:
            return 0
        book.planner.get_to_know(requests_of(standbys), book.book)
        rerouted, counters = 0, Counters()
        for number, standby in enumerate(standbys, 1):
            if number % BREATH_ORDERS == 0:
                await asyncio.sleep(0)
            move = plan_move(live.book, standby, rerouting)
            moved = None if move is None else await self._carry_out(brand, live, move)
            if moved is not None:
                live.book.apply(moved)
                rerouted, counters = rerouted + 1, counters.and_also(moved)
        if rerouted:
            REROUTED.inc(rerouted)
            await self._publish_counters(brand.id, counters)
        return rerouted

    async def _carry_out(self, brand: Brand, live: LiveBook, move: Move) -> Counters | None:
        """Carry a move out; None where it cannot be any more, or was in somebody's way."""
        day, limited = live.book.day, live.book.view.limited_nodes
        around = Circumstances(day, NO_BATCH, 1, limited, live.book.planner.ready_at)
        principal = system_principal(brand.id, "rerouting")
        order_id = move.work.order_id

        def tell(status: OrderStatus, units: int) -> OrderRerouted:
            return OrderRerouted(order_id, status, units, move.saved_minor)

        try:
            days = {CapacityKey(share.node_id, day) for share in move.added}
            if missing := [key for key in days if key.node_id in limited]:
                async with self._database.tenant_transaction(principal) as tx:
                    await create_capacities(tx, missing)
            async with self._database.tenant_transaction(principal) as tx:
                return await carry_out(tx, move, around, tell)
        except Abandoned:
            return None
        except (DatabaseUnavailable, *CONNECTION_LOST):
            raise
        except Exception:  # the others are looked at all the same
            log.exception("routing.order_not_rerouted", order=order_id)
            return None


async def carry_out(
    tx: TenantTransaction, move: Move, around: Circumstances, tell: Tell
) -> Counters:
    """Release what an order does without and reserve what it has instead; returns the counters.

    `tell` makes the event of it, of the order's status and the units that come from elsewhere.
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
        for one in share.allotment_ids or ():
            units[one] += share.quantity
    await lock_allotments(tx, units)
    live = _lasting(move)
    new_nodes = {share.node_id for share in move.added} - live.keys()
    days = [CapacityKey(node, around.day) for node in new_nodes if node in around.limited_nodes]
    await lock_capacities(tx, [*days, *_days_of(move.standby.fulfilments)])
    given_back, emptied = await releasing.carry_out(ACTOR)
    total = sum(share.quantity for share in move.added)
    shaped = Shaped(around)
    events = [StepEvent(tell(before.status, total)), *emptied, *_changed(move, live)]
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
    lines = await lines_of_order(tx, orders[0]["id"])
    before = standing_of(orders[0], lines, is_held=False)
    wanted = {line.line_no: line.reserved for line in before.lines if line.reserved}
    reservations, fulfilments = await by_order(tx, ids)
    appointments = await tx.fetch(SQL.appointments_of_orders, tx.tenant_id, ids)
    nodes = list({share.node_id for share in move.added})
    looked_at = await tx.fetch(SQL.look_again, tx.tenant_id, [], [], [], [], nodes, [], [])
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


def _left(move: Move) -> Counter[int]:
    """Return the units that stay in each fulfilment, by number."""
    left: Counter[int] = Counter()
    for row in move.standby.reservations:
        left[row["fulfilment_no"]] += row["active"]
    for row, part in move.released:
        left[row["fulfilment_no"]] -= part
    return left


def _lasting(move: Move) -> dict[int, int]:
    """Return the fulfilments, one a node, of which something stays: the others end."""
    left = _left(move)
    return {
        row["node_id"]: row["fulfilment_no"]
        for row in move.standby.fulfilments
        if left[row["fulfilment_no"]]
    }


def _changed(move: Move, live: Mapping[int, int]) -> list[StepEvent]:
    """Return the events of fulfilments that go on with other units; `live` has what is added to."""
    units = _left(move)
    for share in move.added:
        if share.node_id in live:
            units[live[share.node_id]] += share.quantity
    before: Counter[int] = Counter()
    for row in move.standby.reservations:
        before[row["fulfilment_no"]] += row["active"]
    events = []
    for row in move.standby.fulfilments:
        number, node_id = row["fulfilment_no"], row["node_id"]
        if units[number] and units[number] != before[number]:
            payload = FulfilmentChanged(move.work.order_id, number, node_id, units[number])
            events.append(StepEvent(payload, node_id))
    return events


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
