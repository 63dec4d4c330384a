"""Nodes, their functional warehouses, and shops."""

from collections.abc import Iterable
from datetime import date
from functools import partial
from typing import Annotated, Self

import strawberry
from msgspec.structs import asdict
from strawberry import relay

from backend.channels import shops as shop_cases
from backend.channels.model import Shop as ShopRecord
from backend.channels.model import ShopDraft
from backend.inventory.warehouses import create_warehouse
from backend.network.model import (
    Capability,
    Condition,
    FunctionalWarehouse,
    NodeDraft,
    NodeKind,
    WarehouseDraft,
)
from backend.network.model import Node as NodeRecord
from backend.network.nodes import create_node, delete_node, page_of_nodes, set_node_active
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.node_terms import NodeTermsInput, Weekday, days_of, node_terms
from graphql_schema.paging import (
    PAGE_DEFAULT,
    connection,
    cursor_of,
    id_of,
    key_of,
    number_of,
    numbers_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Permission

strawberry.enum(NodeKind, name="NodeKind", description="What a node is.")
strawberry.enum(Condition, name="Condition", description="The condition of goods.")


@strawberry.type(
    name="Warehouse", description="A part of a node (功能逻辑仓): condition, purpose, owner."
)
class Warehouse:
    code: str
    condition: Condition
    purpose: str
    rank: int


@strawberry.type(
    name="Location", description="A place that holds goods: warehouse, store, dealer, 3PL."
)
class Location(relay.Node):
    number: relay.NodeID[int]
    code: str
    name: str
    kind: NodeKind
    region_code: BigInt
    longitude: float
    latitude: float
    priority: int
    daily_capacity: BigInt | None
    lead_time_minutes: BigInt
    is_active: bool
    capabilities: list[Capability]
    cut_off_minute: int | None = strawberry.field(
        description="The minute of the brand's day after which an order is dispatched on the next "
        "working day; null: none."
    )
    working_days: list[Weekday]
    service_level: int = strawberry.field(description="0 (least) to 9.")
    handling_minor: BigInt = strawberry.field(description="What handling a parcel costs.")
    keeps_for_region: bool = strawberry.field(
        description="Its stock is meant for its own province first."
    )

    @strawberry.field(description="Days on which it does not dispatch, of 400 from today on.")
    async def closed_days(self, info: YipanInfo) -> list[date]:
        return list(await info.context.closed_days.load(self.number))

    @strawberry.field(description="The functional warehouses of the node.")
    async def warehouses(self, info: YipanInfo) -> list[Warehouse]:
        return [
            warehouse_from(item) for item in await info.context.warehouses_of_node.load(self.number)
        ]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        found = await info.context.nodes.load_many(numbers_of(node_ids))
        return [location_from(node) if node else None for node in found]  # type: ignore[misc]


@strawberry.type(description="A shop on a channel; a dealer's or the brand's own.")
class Shop(relay.Node):
    number: relay.NodeID[int]
    code: str
    name: str
    channel: str
    is_dealers: bool
    is_active: bool

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        found = await info.context.shops.load_many(numbers_of(node_ids))
        return [shop_from(shop) if shop else None for shop in found]  # type: ignore[misc]


def warehouse_from(record: FunctionalWarehouse) -> Warehouse:
    return Warehouse(
        code=record.code, condition=record.condition, purpose=record.purpose, rank=record.rank
    )


def location_from(record: NodeRecord) -> Location:
    return Location(
        number=record.id,
        code=record.code,
        name=record.name,
        kind=record.kind,
        region_code=record.region_code,
        longitude=record.longitude_e6 / 1e6,
        latitude=record.latitude_e6 / 1e6,
        priority=record.priority,
        daily_capacity=record.daily_capacity,
        lead_time_minutes=record.lead_time_minutes,
        is_active=record.is_active,
        capabilities=sorted(record.capabilities),
        cut_off_minute=record.cut_off_minute,
        working_days=days_of(record.working_days),
        service_level=record.service_level,
        handling_minor=record.handling_minor,
        keeps_for_region=record.keeps_for_region,
    )


def shop_from(record: ShopRecord) -> Shop:
    return Shop(
        number=record.id,
        code=record.code,
        name=record.name,
        channel=record.channel,
        is_dealers=record.dealer_id is not None,
        is_active=record.is_active,
    )


async def load_warehouse(info: YipanInfo, warehouse_id: int) -> Warehouse | None:
    """Return the functional warehouse of an id; None where the principal may not see it."""
    found = await info.context.warehouses.load(warehouse_id)
    return warehouse_from(found) if found else None


async def load_location(info: YipanInfo, node_id: int | None) -> Location | None:
    """Return the node of an id; None for None, or where the principal may not see it."""
    found = None if node_id is None else await info.context.nodes.load(node_id)
    return location_from(found) if found else None


async def load_shop(info: YipanInfo, shop_id: int | None) -> Shop | None:
    """Return the shop of an id; None for None, or where the principal may not see it."""
    found = None if shop_id is None else await info.context.shops.load(shop_id)
    return shop_from(found) if found else None


@strawberry.input
class LocationCreateInput:
    idempotency_key: str
    code: str
    name: str
    kind: NodeKind
    region_code: BigInt
    longitude: float | None = None
    latitude: float | None = None
    priority: int = 100
    daily_capacity: BigInt | None = None
    lead_time_minutes: BigInt = 0
    dealer_id: strawberry.ID | None = None
    terms: NodeTermsInput | None = strawberry.field(
        default=None, description="Null: works every day, without a cut-off, and can nothing more."
    )


@strawberry.type
class LocationCreated:
    id: strawberry.ID


@strawberry.type
class LocationDeleted:
    code: str


@strawberry.type
class LocationActiveSet:
    id: strawberry.ID
    is_active: bool


@strawberry.input
class LocationDeleteInput:
    idempotency_key: str
    code: str


@strawberry.input
class LocationSetActiveInput:
    idempotency_key: str
    code: str
    is_active: bool


@strawberry.input
class WarehouseCreateInput:
    idempotency_key: str
    location_id: strawberry.ID
    code: str
    condition: Condition = Condition.GOOD
    purpose: str = "default"
    dealer_id: strawberry.ID | None = None
    rank: int = 0


@strawberry.type
class WarehouseCreated:
    code: str


@strawberry.input
class ShopCreateInput:
    idempotency_key: str
    code: str
    name: str
    channel: str
    dealer_id: strawberry.ID | None = None


@strawberry.type
class ShopCreated:
    id: strawberry.ID


LocationCreatePayload = Annotated[
    LocationCreated | InputRefused | PermissionDenied, strawberry.union("LocationCreatePayload")
]
LocationDeletePayload = Annotated[
    LocationDeleted | InputRefused | PermissionDenied, strawberry.union("LocationDeletePayload")
]
LocationSetActivePayload = Annotated[
    LocationActiveSet | InputRefused | PermissionDenied,
    strawberry.union("LocationSetActivePayload"),
]
WarehouseCreatePayload = Annotated[
    WarehouseCreated | InputRefused | PermissionDenied, strawberry.union("WarehouseCreatePayload")
]
ShopCreatePayload = Annotated[
    ShopCreated | InputRefused | PermissionDenied, strawberry.union("ShopCreatePayload")
]


def _dealer(dealer_id: strawberry.ID | None) -> int | None:
    return None if dealer_id is None else number_of("Dealer", dealer_id)


@strawberry.type
class NetworkQuery:
    @strawberry.field(description="The nodes that you may see, by id.")
    async def locations(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[Location]:
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            rows = await page_of_nodes(tx, start, limit)
        return connection(rows, first, location_from, lambda row: cursor_of(row.id))

    @strawberry.field(description="The shops that you may see, by id.")
    async def shops(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[Shop]:
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            rows = await shop_cases.page_of_shops(tx, start, limit)
        return connection(rows, first, shop_from, lambda row: cursor_of(row.id))


@strawberry.type
class NetworkMutation:
    @strawberry.mutation(description="Create a node.")
    async def location_create(
        self, info: YipanInfo, input: LocationCreateInput
    ) -> LocationCreatePayload:
        draft = NodeDraft(
            code=input.code,
            name=input.name,
            kind=input.kind,
            region_code=input.region_code,
            longitude_e6=None if input.longitude is None else round(input.longitude * 1e6),
            latitude_e6=None if input.latitude is None else round(input.latitude * 1e6),
            priority=input.priority,
            daily_capacity=input.daily_capacity,
            lead_time_minutes=input.lead_time_minutes,
            dealer_id=_dealer(input.dealer_id),
            **asdict(node_terms(input.terms)),
        )
        node_id = await info.context.apply_once(
            Permission.NETWORK_WRITE,
            input.idempotency_key,
            ("locationCreate", draft),
            int,
            partial(create_node, draft=draft, regions=info.context.services.regions),
        )
        return LocationCreated(id=strawberry.ID(id_of("Location", node_id)))

    @strawberry.mutation(description="Open or close a node; what is reserved there stays.")
    async def location_set_active(
        self, info: YipanInfo, input: LocationSetActiveInput
    ) -> LocationSetActivePayload:
        node_id = await info.context.apply_once(
            Permission.NETWORK_WRITE,
            input.idempotency_key,
            ("locationSetActive", input.code, input.is_active),
            int,
            partial(set_node_active, code=input.code, is_active=input.is_active),
        )
        return LocationActiveSet(
            id=strawberry.ID(id_of("Location", node_id)), is_active=input.is_active
        )

    @strawberry.mutation(
        description="Delete a node that never had stock or orders, with its functional warehouses."
    )
    async def location_delete(
        self, info: YipanInfo, input: LocationDeleteInput
    ) -> LocationDeletePayload:
        await info.context.apply_once(
            Permission.NETWORK_WRITE,
            input.idempotency_key,
            ("locationDelete", input.code),
            int,
            partial(delete_node, code=input.code),
        )
        return LocationDeleted(code=input.code)

    @strawberry.mutation(description="Create a functional warehouse (功能逻辑仓) in a node.")
    async def warehouse_create(
        self, info: YipanInfo, input: WarehouseCreateInput
    ) -> WarehouseCreatePayload:
        draft = WarehouseDraft(
            node_id=number_of("Location", input.location_id),
            code=input.code,
            condition=input.condition,
            purpose=input.purpose,
            dealer_id=_dealer(input.dealer_id),
            rank=input.rank,
        )
        await info.context.apply_once(
            Permission.NETWORK_WRITE,
            input.idempotency_key,
            ("warehouseCreate", draft),
            int,
            partial(create_warehouse, draft=draft),
        )
        return WarehouseCreated(code=input.code)

    @strawberry.mutation(description="Create a shop on a channel.")
    async def shop_create(self, info: YipanInfo, input: ShopCreateInput) -> ShopCreatePayload:
        draft = ShopDraft(input.code, input.name, input.channel, _dealer(input.dealer_id))
        shop_id = await info.context.apply_once(
            Permission.NETWORK_WRITE,
            input.idempotency_key,
            ("shopCreate", draft),
            int,
            partial(shop_cases.create_shop, draft=draft),
        )
        return ShopCreated(id=strawberry.ID(id_of("Shop", shop_id)))
