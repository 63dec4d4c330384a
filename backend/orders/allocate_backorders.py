"""Giving stock that came free to the orders that wait for it, as they queue."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime

from backend.db.pool import Database
from backend.inventory.accuracy.accuracy import nodes_that_missed
from backend.orders.claim import SQL
from backend.orders.lane import Lane
from backend.orders.model import Placed
from backend.orders.place_orders import OrderIntake
from backend.orders.stock_holds.ending import holds_of_orders
from backend.orders.stored import understand_stored
from backend.orders.supplies.settle import may_take_of, settle_promises
from tenants.principal import system_principal

PAGE = 200
"""Orders tried together: one batch of the pipeline."""
BEFORE_ALL = (0, datetime(1970, 1, 1, tzinfo=UTC), 0)
"""A place before every order. Ids alone tell no age: each process hands out its own block."""


class BackorderAllocator:
    """Allocates for all tenants: one run at a time for each of them in this process."""

    def __init__(self, database: Database, intake: OrderIntake) -> None:
        self._database = database
        self._intake = intake
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: dict[int, asyncio.Event] = {}
        """By tenant, the run whose turn is next: set once it has ended."""

    async def allocate(self, tenant_id: int) -> int:
        """Give the tenant's free stock to waiting orders and return the units.

        Then supply to come is promised to those that still wait.

        What came free before a run begins is seen by it: while one call waits for its turn, further
        ones wait for what it does, and return 0.
        """
        if waiting := self._waiting.get(tenant_id):
            await waiting.wait()
            return 0
        done = self._waiting[tenant_id] = asyncio.Event()
        try:
            async with self._turns[tenant_id]:
                self._waiting.pop(tenant_id, None)
                lane = await self._intake.lane(tenant_id)
                units = await allocate_backorders(self._database, lane)
                view = lane.live.book.view
                await settle_promises(self._database, tenant_id, may_take_of(view))
                return units
        finally:
            if self._waiting.get(tenant_id) is done:
                del self._waiting[tenant_id]
            done.set()


async def allocate_backorders(database: Database, lane: Lane) -> int:
    """Plan again every order that waits for a SKU with free stock; returns units allocated.

    Goes through the same pipeline as new orders. Emits `order.allocated` and `fulfilment.created`
    for what found stock; the others go on waiting.
    """
    principal = system_principal(lane.brand.id, "backorders")
    await lane.live.freshen()
    sources = lane.live.book.view.sources
    warehouses = list({source.functional_warehouse_id for source in sources})
    units, after = 0, BEFORE_ALL
    while True:
        async with database.tenant_transaction(principal, read_only=True) as tx:
            waiting = await tx.fetch(SQL.waiting_orders, tx.tenant_id, *after, warehouses, PAGE)
            if not waiting:
                return units
            ids = [row["id"] for row in waiting]
            rows = await tx.fetch(SQL.backorders, tx.tenant_id, ids)
            holds = await holds_of_orders(tx, ids)
            missed = await nodes_that_missed(tx, ids)
            waits = await understand_stored(tx, rows)
        last = waiting[-1]
        after = (last["place"], last["placed_at"], last["id"])
        backorders = [
            waiting_part._replace(
                holds=tuple(holds.get(waiting_part.order_id, ())),
                not_from=missed.get(waiting_part.order_id, frozenset()),
            )
            for waiting_part in waits
        ]
        outcomes = await asyncio.gather(*(lane.submit_backorder(item) for item in backorders))
        for backorder, outcome in zip(backorders, outcomes, strict=True):
            if isinstance(outcome, Placed):
                waited = sum(line.quantity for line in backorder.lines)
                units += waited - sum(line.backordered for line in outcome.lines)
