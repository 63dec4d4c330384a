"""Giving stock that came free to the orders that wait for it, oldest first."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

import msgspec

from backend.catalog.find_skus import skus_by_ids
from backend.catalog.model import Sku
from backend.channels.model import Shop
from backend.channels.shops import shops_by_ids
from backend.db.pool import Database, Record, TenantTransaction
from backend.inventory.accuracy.accuracy import nodes_that_missed
from backend.orders.claim import SQL
from backend.orders.lane import Lane
from backend.orders.model import Placed, Shortage
from backend.orders.place_orders import OrderIntake
from backend.orders.stock_holds.ending import holds_of_orders
from backend.orders.supplies.settle import may_take_of, settle_promises
from backend.orders.work import Backorder, WorkLine
from backend.routing.goods_needs import charged_weight_g, needs_of
from backend.routing.model import OrderFacts, Place
from backend.routing.traits import OrderTraits
from tenants.principal import system_principal

PAGE = 200
"""Orders tried together: one batch of the pipeline."""
_traits = msgspec.json.Decoder(OrderTraits).decode
BEFORE_ALL = (datetime(1970, 1, 1, tzinfo=UTC), 0)
"""A position before every order. Ids alone tell no age: each process hands out its own block."""


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
            around = await _look_up(tx, ids, rows)
        after = (waiting[-1]["placed_at"], waiting[-1]["id"])
        backorders = [
            _backorder(list(lines), around)._replace(
                holds=tuple(holds.get(order_id, ())),
                not_from=missed.get(order_id, frozenset()),
            )
            for order_id, lines in groupby(rows, key=lambda row: row["order_id"])
        ]
        outcomes = await asyncio.gather(*(lane.submit_backorder(item) for item in backorders))
        for backorder, outcome in zip(backorders, outcomes, strict=True):
            if isinstance(outcome, Placed):
                waited = sum(line.quantity for line in backorder.lines)
                units += waited - sum(line.backordered for line in outcome.lines)


class _Around(NamedTuple):
    """What waiting orders are understood by."""

    shops: Mapping[int, Shop]
    skus: Mapping[int, Sku]
    sending: Mapping[int, frozenset[int]]
    """The nodes that send a part of an order already."""
    ordered: Mapping[int, Mapping[int, int]]
    """By order, the units of each SKU that it had when it came."""


async def _look_up(tx: TenantTransaction, ids: Sequence[int], rows: Sequence[Record]) -> _Around:
    shops = await shops_by_ids(tx, list({row["shop_id"] for row in rows}))
    ordered: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for row in await tx.fetch(SQL.lines_of_orders, tx.tenant_id, ids):
        if row["sku_id"] is not None:
            ordered[row["order_id"]][row["sku_id"]] += row["quantity"]
    skus = await skus_by_ids(tx, list({sku_id for units in ordered.values() for sku_id in units}))
    sending: defaultdict[int, set[int]] = defaultdict(set)
    for row in await tx.fetch(SQL.live_fulfilments, tx.tenant_id, ids):
        sending[row["order_id"]].add(row["node_id"])
    nodes = {one: frozenset(found) for one, found in sending.items()}
    return _Around(shops, skus, nodes, ordered)


def _backorder(rows: list[Record], around: _Around) -> Backorder:
    """Return the waiting part of an order, from the rows of its lines."""
    first = rows[0]
    shop, traits = around.shops[first["shop_id"]], _traits(first["traits"])
    return Backorder(
        order_id=first["order_id"],
        shop_id=shop.id,
        dealer_id=first["dealer_id"],
        place=Place(
            first["region_code"],
            shop.legal_entity_id,
            channel=shop.channel,
            customer_level=traits.customer_level,
            promised_on=traits.promised_on,
            subsidy_region=traits.subsidy_region,
            joins=around.sending.get(first["order_id"], frozenset()),
        ),
        lines=tuple([_line(row, around.skus[row["sku_id"]]) for row in rows]),
        facts=_facts(first, shop, around, traits),
    )


def _facts(order: Record, shop: Shop, around: _Around, traits: OrderTraits) -> OrderFacts:
    """Return what policies could ask about an order when it came."""
    ordered = [(around.skus[one], n) for one, n in around.ordered[order["order_id"]].items()]
    return OrderFacts(
        shop=shop,
        skus=[sku for sku, _ in ordered],
        units=sum(units for _, units in ordered),
        weight_g=sum(units * charged_weight_g(sku) for sku, units in ordered),
        amount_minor=order["total_minor"],
        remark=order["remark"],
        is_paid=order["is_paid"],
        is_presale=order["shortage"] == Shortage.PRESALE,
        traits=traits,
    )


def _line(row: Record, sku: Sku) -> WorkLine:
    return WorkLine(
        row["line_no"],
        sku.id,
        row["backordered"],
        charged_weight_g(sku),
        max(0, row["amount_minor"]) * row["backordered"] // row["quantity"],
        needs_of(sku),
    )
