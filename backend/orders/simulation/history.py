"""What happened in a period: orders as they were placed, their cancellations, how stock moved."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from typing import NamedTuple

import msgspec

from backend.catalog.find_skus import skus_by_ids
from backend.catalog.model import Sku
from backend.channels.model import Shop
from backend.channels.shops import shops_by_ids
from backend.db.pool import Database, Record, TenantTransaction
from backend.events.log import events_of_orders
from backend.inventory.history import Moved, moved_but_for_orders
from backend.orders.events import OrderCancelled
from backend.orders.simulation.simulations import SQL
from backend.orders.stored import Around, order_of, request_as_placed
from backend.orders.work import BREATH_ORDERS
from backend.routing.model import PlanRequest
from tenants.principal import Principal

PIECE = 2_000
"""Orders that are read together: a tenth of a second, and some megabytes."""
MOVED_AT_ONCE = timedelta(days=1)
"""Movements that are read together."""
TICK = timedelta(microseconds=1)

_by_order = itemgetter("order_id")


class PastOrder(NamedTuple):
    """An order as it was placed."""

    order_id: int
    placed_at: datetime
    request: PlanRequest
    cancelled: Mapping[int, int]
    """Units of it that were cancelled later, by SKU."""


class Cancellation(NamedTuple):
    """Units of an order that were cancelled."""

    at: datetime
    order_id: int
    units: int


class End(NamedTuple):
    """The last order of a piece, and how many came until there."""

    placed_at: datetime
    order_id: int
    number: int


class Piece(NamedTuple):
    """Orders one after another, and when units of them were cancelled."""

    orders: list[PastOrder]
    cancellations: list[Cancellation]


class History:
    """The orders of a brand from one time to another; reads a piece in a transaction of its own."""

    def __init__(
        self, database: Database, principal: Principal, since: datetime, until: datetime
    ) -> None:
        self._database = database
        self._principal = principal
        self._since = since
        self._until = until
        self._shops: dict[int, Shop] = {}
        self._skus: dict[int, Sku] = {}

    async def ends(self) -> list[End]:
        """Return where the pieces of the period end, in order."""
        async with self._reading() as tx:
            rows = await tx.fetch(SQL.ends_of_pieces, tx.tenant_id, self._since, self._until, PIECE)
        return [End(*row) for row in rows]

    async def pieces(self, ends: Sequence[End]) -> AsyncGenerator[tuple[End, End, Piece], None]:
        """Yield after which order, and with which, each piece ends, and the piece.

        The next one is read while a piece is played; whoever ends early closes the generator.
        """
        steps = deque(pairwise([End(self._since - TICK, 0, 0), *ends]))
        reading = asyncio.create_task(self._piece(*steps[0])) if steps else None
        try:
            while steps:
                after, end = steps.popleft()
                assert reading is not None, "one is read for each step"
                piece = await reading
                reading = asyncio.create_task(self._piece(*steps[0])) if steps else None
                yield after, end, piece
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.wait([reading])

    async def _piece(self, after: End, end: End) -> Piece:
        """Return the orders after one and up to another one."""
        async with self._reading() as tx:
            rows = await tx.fetch(SQL.lines_of_piece, tx.tenant_id, *after[:2], *end[:2])
            await self._look_up(tx, rows)
            orders = await self._orders(rows)
            cancelled = [order.order_id for order in orders if order.cancelled]
            cancellations = await _cancellations(tx, cancelled) if cancelled else []
        return Piece(orders, cancellations)

    async def moved(self, start: datetime, until: datetime) -> AsyncIterator[list[Moved]]:
        """Yield how stock moved between two times, whatever these orders did; a day at a time."""
        while start < until:
            end = min(until, start + MOVED_AT_ONCE)
            async with self._reading() as tx:
                moved = await moved_but_for_orders(tx, start, end, orders_since=self._since)
            yield moved
            start = end

    def _reading(self) -> AbstractAsyncContextManager[TenantTransaction]:
        return self._database.tenant_transaction(self._principal, read_only=True)

    async def _look_up(self, tx: TenantTransaction, rows: Sequence[Record]) -> None:
        shops = {row["shop_id"] for row in rows} - self._shops.keys()
        skus = {row["sku_id"] for row in rows} - self._skus.keys()
        if shops:
            self._shops |= await shops_by_ids(tx, sorted(shops))
        if skus:
            self._skus |= await skus_by_ids(tx, sorted(skus))

    async def _orders(self, rows: Sequence[Record]) -> list[PastOrder]:
        ordered: defaultdict[int, Counter[int]] = defaultdict(Counter)
        for row in rows:
            ordered[row["order_id"]][row["sku_id"]] += row["quantity"]
        around = Around(self._shops, self._skus, ordered)
        orders: list[PastOrder] = []
        for order_id, found in groupby(rows, key=_by_order):
            lines = list(found)
            request = request_as_placed(order_of(lines, around), lines[0])
            cancelled: dict[int, int] = {}
            for line in lines:
                if line["cancelled"]:
                    units = cancelled.get(line["sku_id"], 0) + line["cancelled"]
                    cancelled[line["sku_id"]] = units
            orders.append(PastOrder(order_id, lines[0]["placed_at"], request, cancelled))
            if len(orders) % BREATH_ORDERS == 0:
                await asyncio.sleep(0)
        return orders


async def _cancellations(tx: TenantTransaction, order_ids: Sequence[int]) -> list[Cancellation]:
    found = await events_of_orders(tx, order_ids)
    return [
        Cancellation(event.recorded_at, order_id, payload.units)
        for order_id, events in found.items()
        for event in events
        if event.type == OrderCancelled.TYPE
        for payload in [msgspec.convert(event.payload, OrderCancelled)]
    ]
