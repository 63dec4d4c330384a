"""The engine: two policies over the same orders, each on the stock as it stood.

Everything happens in the order in which it happened: orders are planned and take their stock on
each side's own book, levels move as they moved, and what was cancelled goes back to where that side
took it from. The network, its terms and layout, and what is known of ages and worth of stock, are
those of today. Reads alone; takes nothing.
"""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from backend.db.pool import Database
from backend.inventory.history import Moved, free_at
from backend.network.node_terms import closed_days
from backend.network.regions.table import RegionTable
from backend.network.terms import CLOSED_DAYS_AHEAD, read_terms
from backend.orders.simulation.history import Cancellation, History, PastOrder, Piece
from backend.orders.simulation.model import Difference, Finding, Simulation, SimulationResult
from backend.orders.simulation.side import Side
from backend.orders.simulation.simulations import SQL
from backend.routing.node_figures import FigureReader, criteria_of
from backend.routing.policies import document_of
from backend.routing.read_network import read_topology, view_of
from tenants.principal import Principal

BATCH = 200
"""Orders that are planned together; between two batches others have their turn."""
DIFFERENCES_MAX = 10_000
"""Differences that are kept, the largest: more than anybody reads."""

Report = Callable[[int, int], Awaitable[None]]
"""Told how many orders are done, of how many; what it raises ends the run."""


async def run_simulation(
    database: Database,
    principal: Principal,
    asked: Simulation,
    *,
    time_zone: str,
    regions: RegionTable,
    report: Report,
) -> Finding:
    """Return what both policies make of the orders of a period. Takes and writes nothing.

    Between two batches the event loop has its turn, and between two pieces `report` is asked.
    """
    zone = ZoneInfo(time_zone)
    history = History(database, principal, asked.since, asked.until)
    ends = await history.ends()
    total = ends[-1].number if ends else 0
    await report(0, total)
    run = Run(await _sides(database, principal, asked, zone, regions), zone)
    await _fill(database, principal, asked, run, lambda: report(0, total))
    async with aclosing(history.pieces(ends)) as pieces:
        async for after, end, piece in pieces:
            start = max(after.placed_at, asked.since)
            moved: list[Moved] = []
            async for some in history.moved(start, end.placed_at):
                if some and (not piece.orders or some[-1].at <= piece.orders[0].placed_at):
                    run.move(some)
                else:
                    moved += some
                await report(after.number, total)
            await run.play(piece, moved)
            await report(end.number, total)
    return run.finding()


async def _sides(
    database: Database,
    principal: Principal,
    asked: Simulation,
    zone: ZoneInfo,
    regions: RegionTable,
) -> list[Side]:
    """Return both policies over the network of today, with the closed days of the period."""
    first, last = asked.since.astimezone(zone).date(), asked.until.astimezone(zone).date()
    async with database.tenant_transaction(principal, read_only=True) as tx:
        topology = await read_topology(tx)
        terms = await read_terms(tx, first)
        closed = await closed_days(tx, first, last + timedelta(days=CLOSED_DAYS_AHEAD))
        days = {node_id: frozenset(found) for node_id, found in closed.items()}
        terms = terms._replace(closed_days=days)
        versions = asked.baseline, asked.candidate
        documents = [await document_of(tx, version) for version in versions]
        wanted, today = criteria_of(*documents), datetime.now(zone)
        figures = await FigureReader().read(tx, topology.weights, wanted, today)
        sides = []
        for version, document in zip(versions, documents, strict=True):
            view, _ = await view_of(tx, topology, terms, regions)
            sides.append(Side(document, version, view, figures))
    return sides


async def _fill(
    database: Database,
    principal: Principal,
    asked: Simulation,
    run: "Run",
    breathe: Callable[[], Awaitable[None]],
) -> None:
    """Let both sides begin with what was free, and what nodes still took of the first day."""
    levels: defaultdict[tuple[int, int], int] = defaultdict(int)
    first = asked.since.astimezone(run.zone).date()
    async with database.tenant_transaction(
        principal, read_only=True, isolation="repeatable_read"
    ) as tx:
        async for piece in free_at(tx, asked.since):
            for level in piece:
                levels[level.functional_warehouse_id, level.sku_id] += level.free
            await breathe()
        rows = await tx.fetch(SQL.parcels_before, tx.tenant_id, first, asked.since)
    run.begin({row["node_id"]: row["parcels"] for row in rows}, levels)


class Run:
    """A simulation under way."""

    def __init__(self, sides: Sequence[Side], zone: ZoneInfo) -> None:
        self.zone = zone
        self._baseline, self._candidate = sides
        self._sides = sides
        self._asks_minutes = any(side.asks_minutes for side in sides)
        self._used: dict[int, int] = {}
        self._day = date.min
        self._minute: datetime | None = None
        self._cancellations: list[tuple[Cancellation, frozenset[int]]] = []
        self._largest: list[tuple[tuple[int, int, int], int, Difference]] = []
        self._differing = 0

    def begin(self, used: dict[int, int], levels: dict[tuple[int, int], int]) -> None:
        """Begin with what was free, and the parcels of the first day that nodes had been given."""
        self._used = used
        for side in self._sides:
            side.fill(levels)

    def move(self, moved: Sequence[Moved]) -> None:
        """Let levels move on both sides."""
        for side in self._sides:
            side.move(moved)

    async def play(self, piece: Piece, moved: Sequence[Moved]) -> None:
        """Play the orders of a piece, and what happened meanwhile.

        Orders are planned together until one comes for a SKU that has moved since the first.
        """
        self._expect(piece)
        batch: list[tuple[PastOrder, datetime]] = []
        late: list[Moved | Cancellation] = []
        touched: set[int] = set()
        coming = _Coming(moved, self._cancellations)
        for order in piece.orders:
            for event, skus in coming.until(order.placed_at):
                late.append(event)
                touched |= skus
            local = order.placed_at.astimezone(self.zone)
            if len(batch) == BATCH or self._is_apart(order, local, touched):
                await self._settle(batch, late)
                batch, late, touched = [], [], set()
                self._turn(local)
            batch.append((order, local))
        late += [event for event, _ in coming.rest()]
        await self._settle(batch, late)

    def _expect(self, piece: Piece) -> None:
        skus = {order.order_id: frozenset(order.cancelled) for order in piece.orders}
        for one in piece.cancellations:
            heapq.heappush(self._cancellations, (one, skus[one.order_id]))

    def _is_apart(self, order: PastOrder, local: datetime, touched: set[int]) -> bool:
        """Whether an order is to be planned after what is pending, and not with it."""
        if local.date() != self._day:
            return True
        if self._asks_minutes and local.replace(second=0, microsecond=0) != self._minute:
            return True
        return bool(touched) and any(row.sku_id in touched for row in order.request.rows)

    def _turn(self, local: datetime) -> None:
        """Take over what time it is; where another day has begun, nodes take parcels again."""
        self._minute = local.replace(second=0, microsecond=0)
        if local.date() != self._day:
            self._day = local.date()
            for side in self._sides:
                side.begin_day(self._day, self._used)
            self._used = {}
        for side in self._sides:
            side.look_at(local)

    async def _settle(
        self,
        batch: Sequence[tuple[PastOrder, datetime]],
        late: Sequence[Moved | Cancellation],
    ) -> None:
        """Plan a batch on both sides and take what the plans give; then let happen what did."""
        if batch:
            requests = [order.request for order, _ in batch]
            plans = []
            for side in self._sides:
                plans.append(side.plan(requests))
                await asyncio.sleep(0)
            for (order, local), before, after in zip(batch, *plans, strict=True):
                self._compare(
                    order.order_id,
                    Difference(
                        order.order_id,
                        self._baseline.take(order, before, local),
                        self._candidate.take(order, after, local),
                    ),
                )
        for event in late:
            if isinstance(event, Moved):
                self.move([event])
                continue
            today = event.at.astimezone(self.zone).date()
            for side in self._sides:
                side.cancel(event.order_id, event.units, today)
        await asyncio.sleep(0)

    def _compare(self, order_id: int, found: Difference) -> None:
        if found.before == found.after:
            return
        self._differing += 1
        entry = (found.size, -order_id, found)
        if len(self._largest) < DIFFERENCES_MAX:
            heapq.heappush(self._largest, entry)
        elif entry[:2] > self._largest[0][:2]:
            heapq.heapreplace(self._largest, entry)

    def finding(self) -> Finding:
        """Return what both sides came to."""
        largest = sorted(self._largest, key=lambda entry: entry[:2], reverse=True)
        result = SimulationResult(
            baseline=self._baseline.result(),
            candidate=self._candidate.result(),
            differing=self._differing,
        )
        return Finding(result, [found for *_, found in largest])


class _Coming:
    """What happens beside the orders, in order."""

    def __init__(
        self,
        moved: Sequence[Moved],
        cancellations: list[tuple[Cancellation, frozenset[int]]],
    ) -> None:
        self._moved = moved
        self._next = 0
        self._cancellations = cancellations

    def until(self, time: datetime) -> list[tuple[Moved | Cancellation, frozenset[int]]]:
        """Return what happened up to a time, with the SKUs that it touches; each once."""
        found: list[tuple[Moved | Cancellation, frozenset[int]]] = []
        while self._next < len(self._moved) and self._moved[self._next].at <= time:
            moved = self._moved[self._next]
            found.append((moved, frozenset([moved.sku_id])))
            self._next += 1
        while self._cancellations and self._cancellations[0][0].at <= time:
            found.append(heapq.heappop(self._cancellations))
        return found

    def rest(self) -> list[tuple[Moved | Cancellation, frozenset[int]]]:
        """Return the movements that are left."""
        left = self._moved[self._next :]
        self._next = len(self._moved)
        return [(moved, frozenset([moved.sku_id])) for moved in left]
