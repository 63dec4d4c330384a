"""Pools: the layout, what shops may offer, and why."""

import asyncio
from array import array
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Self

import msgspec
import strawberry
from strawberry import relay

from backend.catalog.find_skus import sku_ids_by_codes
from backend.channels.errors import UnknownShop
from backend.channels.model import Shop as ShopRecord
from backend.channels.shops import active_shops
from backend.inventory.model import Level
from backend.inventory.pools import layouts as cases
from backend.inventory.pools.explain import Explanation, LinkStep, PoolStep, explain
from backend.inventory.pools.layouts import LAYOUTS, LayoutVersion
from backend.inventory.pools.live import LivePools
from backend.inventory.pools.model import Layer
from backend.inventory.pools.numbers import NumberChange
from backend.inventory.pools.preview import preview
from backend.routing.live_book import FRESH_SECONDS
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import Context, YipanInfo
from graphql_schema.errors import InputRefused, LayoutChangedError, PermissionDenied
from graphql_schema.inventory import StockLevel, level_from
from graphql_schema.network import Location, Shop, load_location, load_shop
from graphql_schema.nodes import nodes_by_keys
from graphql_schema.paging import (
    PAGE_DEFAULT,
    InvalidPage,
    connection,
    cursor_of,
    key_of,
    page_size,
)
from graphql_schema.pool_inputs import PoolLayoutInput, layout_of
from graphql_schema.scalars import BigInt
from graphql_schema.versions import NEWEST, VersionNode, fields_of
from tenants.principal import Kind, Permission

SKUS_MAX = 100
"""SKUs whose numbers are asked for, or followed, at once."""


@strawberry.type(description="One version of the brand's layout of pools (五层库存).")
class PoolLayout(VersionNode):
    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_keys(info, node_ids, 1, LAYOUTS.some, pool_layout_from)


def pool_layout_from(found: LayoutVersion) -> PoolLayout:
    return PoolLayout(**fields_of(found))


@strawberry.type(description="A number of a shop, before and after a layout.")
class PoolNumberChange:
    change: strawberry.Private[NumberChange]
    before: BigInt | None
    after: BigInt | None

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.change.sku_id)

    @strawberry.field
    async def shop(self, info: YipanInfo) -> Shop | None:
        return await load_shop(info, self.change.shop_id)


@strawberry.type(description="What would change for the shops if a draft were activated now.")
class PoolLayoutPreview:
    changes: int = strawberry.field(description="Numbers (of a shop and a SKU) that would change.")
    skus: int
    shops: int
    units_more: BigInt
    units_less: BigInt
    largest: list[PoolNumberChange]


@strawberry.type(description="What came over one link.")
class AvailabilityLink:
    from_pools: list[str]
    from_warehouses: int = strawberry.field(description="How many functional warehouses.")
    quantity: BigInt
    reserve: BigInt
    ratio_bp: int
    most: BigInt | None
    is_ruled: bool = strawberry.field(description="A rule gave other figures than the link's own.")
    flow: BigInt


@strawberry.type(description="What a pool, or in the end the shop, has.")
class AvailabilityStep:
    code: str
    layer: Layer | None
    links: list[AvailabilityLink]
    flows_in: BigInt
    bound: BigInt = strawberry.field(description="Free units above it, each counted once.")
    floor: BigInt = strawberry.field(
        description="What the shop keeps back of that: the safety stock of its channel."
    )
    earmarks: BigInt
    cap: BigInt | None
    number: BigInt


@strawberry.type(description="A node that offers only a part of its stock (准确率加权).")
class AvailabilityWeight:
    node_id: strawberry.Private[int]
    weight_bp: int

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.node_id)


@strawberry.type(description="What a shop may offer of a SKU, and every step that led to it.")
class AvailabilityExplanation:
    at: datetime
    layout_version: int
    levels: list[StockLevel]
    accuracies: list[AvailabilityWeight] = strawberry.field(
        description="Nodes that do not offer all they have, since too often something is missing."
    )
    steps: list[AvailabilityStep]
    number: BigInt | None = strawberry.field(description="Null for a shop without a share.")
    shown: BigInt | None = strawberry.field(description="After the shop's sync policy.")


@strawberry.type(description="What a shop may offer of a SKU now.")
class ShopAvailability:
    sku: str
    shop: str
    number: BigInt | None
    shown: BigInt | None


def _link_from(step: LinkStep) -> AvailabilityLink:
    return AvailabilityLink(
        from_pools=list(step.from_pools),
        from_warehouses=len(step.from_warehouse_ids),
        quantity=step.quantity,
        reserve=step.reserve,
        ratio_bp=step.ratio_bp,
        most=step.most,
        is_ruled=step.is_ruled,
        flow=step.flow,
    )


def _step_from(step: PoolStep) -> AvailabilityStep:
    return AvailabilityStep(
        code=step.code,
        layer=step.layer,
        links=[_link_from(link) for link in step.links],
        flows_in=step.flows_in,
        bound=step.bound,
        floor=step.floor,
        earmarks=step.earmarks,
        cap=step.cap,
        number=step.number,
    )


def _explanation_from(found: Explanation, levels: list[Level]) -> AvailabilityExplanation:
    return AvailabilityExplanation(
        at=found.at,
        layout_version=found.layout_version,
        levels=[level_from(level) for level in levels],
        accuracies=[
            AvailabilityWeight(node_id=node_id, weight_bp=weight)
            for node_id, weight in found.weights
        ],
        steps=[_step_from(step) for step in found.steps],
        number=found.number,
        shown=found.shown,
    )


@strawberry.input
class PoolLayoutProposeInput:
    idempotency_key: str
    based_on: int = strawberry.field(description="The active version that it changes; 0 for none.")
    comment: str = ""
    layout: PoolLayoutInput


@strawberry.input
class PoolLayoutActivateInput:
    idempotency_key: str
    version: int


@strawberry.type
class PoolLayoutSaved:
    layout: PoolLayout


PoolLayoutPayload = Annotated[
    PoolLayoutSaved | LayoutChangedError | InputRefused | PermissionDenied,
    strawberry.union("PoolLayoutPayload"),
]


async def _visible_shop(context: Context, code: str) -> ShopRecord:
    """Return a shop that the principal may see; raises UnknownShop."""
    async with context.reading() as tx:
        found = (await active_shops(tx)).get(code)
    if found is None:
        raise UnknownShop
    return found


async def _sku_ids(context: Context, codes: Sequence[str]) -> dict[str, int]:
    """Return ids by code; raises UnknownSku, and InvalidPage for more than SKUS_MAX."""
    if not 1 <= len(codes) <= SKUS_MAX:
        raise InvalidPage(f"Name 1 to {SKUS_MAX} SKUs.")
    async with context.reading() as tx:
        return await sku_ids_by_codes(tx, codes)


def _numbers(
    pools: LivePools | None, shop: ShopRecord, sku_ids: dict[str, int]
) -> list[ShopAvailability]:
    """Return what a shop may offer of some SKUs."""
    found = []
    for code, sku_id in sku_ids.items():
        number = None if pools is None else pools.of_shop(sku_id, shop.id)
        shown = None if pools is None or number is None else pools.shown(shop.code, number)
        found.append(ShopAvailability(sku=code, shop=shop.code, number=number, shown=shown))
    return found


@strawberry.type
class PoolsQuery:
    @strawberry.field(description="The layout that decides now.")
    async def pool_layout(self, info: YipanInfo) -> PoolLayout | None:
        info.context.principal.require(Permission.STOCK_READ)
        async with info.context.reading() as tx:
            found = await LAYOUTS.active(tx)
        return None if found is None else pool_layout_from(found)

    @strawberry.field(description="All versions, the newest first.")
    async def pool_layouts(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[PoolLayout]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (below,) = key_of(after, (NEWEST,))
        async with info.context.reading() as tx:
            rows = await LAYOUTS.page(tx, below, limit)
        return connection(rows, first, pool_layout_from, lambda row: cursor_of(row.version))

    @strawberry.field(description="What would change if a version were activated now.")
    async def pool_layout_preview(
        self, info: YipanInfo, version: int, largest: int = PAGE_DEFAULT
    ) -> PoolLayoutPreview:
        context = info.context
        context.principal.require(Permission.NETWORK_WRITE)
        limit = page_size(largest) - 1
        local = await context.local_time()
        async with context.reading() as tx:
            changes = await preview(tx, version, local, context.services.regions)
        moved = [(change.after or 0) - (change.before or 0) for change in changes]
        return PoolLayoutPreview(
            changes=len(changes),
            skus=len({change.sku_id for change in changes}),
            shops=len({change.shop_id for change in changes}),
            units_more=sum(units for units in moved if units > 0),
            units_less=-sum(units for units in moved if units < 0),
            largest=[
                PoolNumberChange(change=change, before=change.before, after=change.after)
                for change in changes[:limit]
            ],
        )

    @strawberry.field(
        description="Why a shop may offer so many units of a SKU, now or at a moment in the past. "
        "A dealer sees the numbers of its shops, not the brand's stock behind them."
    )
    async def availability(
        self, info: YipanInfo, sku: str, shop: str, as_of: datetime | None = None
    ) -> AvailabilityExplanation:
        context = info.context
        context.principal.require(Permission.STOCK_READ)
        await _visible_shop(context, shop)
        async with context.acting() as tx:
            found = await explain(
                tx,
                sku,
                shop,
                as_of=as_of,
                time_zone=(await context.brand()).time_zone,
                regions=context.services.regions,
            )
        if context.principal.kind not in (Kind.BRAND, Kind.GROUP):
            found = msgspec.structs.replace(found, levels=(), weights=(), steps=())
        return _explanation_from(found, list(found.levels))

    @strawberry.field(description="What a shop may offer of some SKUs (at most 100) now.")
    async def shop_availabilities(
        self, info: YipanInfo, shop: str, skus: list[str]
    ) -> list[ShopAvailability]:
        context = info.context
        context.principal.require(Permission.STOCK_READ)
        found = await _visible_shop(context, shop)
        sku_ids = await _sku_ids(context, skus)
        return _numbers((await context.book()).pools, found, sku_ids)


@strawberry.type
class PoolsMutation:
    @strawberry.mutation(
        description="Keep a layout as a draft, on top of the one that is active. Nothing changes "
        "for the shops until it is activated; look at poolLayoutPreview before."
    )
    async def pool_layout_propose(
        self, info: YipanInfo, input: PoolLayoutProposeInput
    ) -> PoolLayoutPayload:
        async with info.context.writing() as tx:
            saved = await cases.propose_layout(
                tx,
                layout_of(input.layout),
                based_on=input.based_on,
                comment=input.comment,
                key=input.idempotency_key,
                regions=info.context.services.regions,
            )
        return PoolLayoutSaved(layout=pool_layout_from(saved))

    @strawberry.mutation(description="Let a draft decide from now on.")
    async def pool_layout_activate(
        self, info: YipanInfo, input: PoolLayoutActivateInput
    ) -> PoolLayoutPayload:
        async with info.context.writing() as tx:
            saved = await cases.activate_layout(
                tx,
                input.version,
                key=input.idempotency_key,
                regions=info.context.services.regions,
            )
        return PoolLayoutSaved(layout=pool_layout_from(saved))


@strawberry.type
class PoolsSubscription:
    @strawberry.subscription(
        description="What a shop may offer of some SKUs (at most 100): all of it first, then each "
        "number that changes, within milliseconds of the movement."
    )
    async def availability_changed(
        self, info: YipanInfo, shop: str, skus: list[str]
    ) -> AsyncGenerator[ShopAvailability, None]:
        context = info.context
        context.principal.require(Permission.STOCK_READ)
        found = await _visible_shop(context, shop)
        sku_ids = await _sku_ids(context, skus)
        wanted = frozenset(sku_ids.values())
        book = await context.book()
        moved = asyncio.Event()

        def hear(changed: "array[int]") -> None:
            if not wanted.isdisjoint(changed):
                moved.set()

        told: dict[str, ShopAvailability] = {}
        book.listeners.append(hear)
        try:
            while True:
                for number in _numbers(book.pools, found, sku_ids):
                    if told.get(number.sku) != number:
                        told[number.sku] = number
                        yield number
                with suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), FRESH_SECONDS)
                moved.clear()
                book = await context.book()
        finally:
            book.listeners.remove(hear)
