"""Nodes, their functional warehouses, and shops."""

from collections.abc import Iterable
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.channels import shops as shop_cases
from backend.channels.model import Shop as ShopRecord
from backend.channels.model import ShopDraft
from backend.inventory.warehouses import create_warehouse
from backend.network.model import (
    Condition,
    FunctionalWarehouse,
    NodeDraft,
    NodeKind,
    WarehouseDraft,
)
from backend.network.model import Node as NodeRecord
from backend.network.nodes import create_node, list_nodes, set_node_active
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.paging import id_of, number_of
from graphql_schema.scalars import BigInt

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

    @strawberry.field(description="The functional warehouses of the node.")
    async def warehouses(self, info: YipanInfo) -> list[Warehouse]:
        return [
            warehouse_from(item) for item in await info.context.warehouses_of_node.load(self.number)
        ]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        found = await info.context.nodes.load_many([int(number) for number in node_ids])
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
        found = await info.context.shops.load_many([int(number) for number in node_ids])
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


@strawberry.input
class LocationCreateInput:
    code: str
    name: str
    kind: NodeKind
    region_code: BigInt
    longitude: float | None = None
    latitude: float | None = None
    priority: int = 100
    daily_capacity: BigInt | None = None
    lead_time_minutes: BigInt = 0
    dealer_id: BigInt | None = None


@strawberry.type
class LocationCreated:
    id: strawberry.ID


@strawberry.input
class LocationSetActiveInput:
    code: str
    is_active: bool


@strawberry.input
class WarehouseCreateInput:
    location_id: strawberry.ID
    code: str
    condition: Condition = Condition.GOOD
    purpose: str = "default"
    dealer_id: BigInt | None = None
    rank: int = 0


@strawberry.type
class WarehouseCreated:
    code: str


@strawberry.input
class ShopCreateInput:
    code: str
    name: str
    channel: str
    dealer_id: BigInt | None = None


@strawberry.type
class ShopCreated:
    id: strawberry.ID


LocationCreatePayload = Annotated[
    LocationCreated | InputRefused | PermissionDenied, strawberry.union("LocationCreatePayload")
]
WarehouseCreatePayload = Annotated[
    WarehouseCreated | InputRefused | PermissionDenied, strawberry.union("WarehouseCreatePayload")
]
ShopCreatePayload = Annotated[
    ShopCreated | InputRefused | PermissionDenied, strawberry.union("ShopCreatePayload")
]


@strawberry.type
class NetworkQuery:
    @strawberry.field(description="The nodes that you may see, at most a few thousand.")
    async def locations(self, info: YipanInfo) -> list[Location]:
        async with info.context.reading() as tx:
            return [location_from(node) for node in await list_nodes(tx)]

    @strawberry.field(description="The shops that you may see.")
    async def shops(self, info: YipanInfo) -> list[Shop]:
        async with info.context.reading() as tx:
            return [shop_from(shop) for shop in await shop_cases.list_shops(tx)]


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
            dealer_id=input.dealer_id,
        )
        async with info.context.writing() as tx:
            node_id = await create_node(tx, draft, info.context.services.regions)
        return LocationCreated(id=strawberry.ID(id_of("Location", node_id)))

    @strawberry.mutation(description="Open or close a node; what is reserved there stays.")
    async def location_set_active(
        self, info: YipanInfo, input: LocationSetActiveInput
    ) -> LocationCreatePayload:
        async with info.context.writing() as tx:
            node_id = await set_node_active(tx, input.code, input.is_active)
        return LocationCreated(id=strawberry.ID(id_of("Location", node_id)))

    @strawberry.mutation(description="Create a functional warehouse (功能逻辑仓) in a node.")
    async def warehouse_create(
        self, info: YipanInfo, input: WarehouseCreateInput
    ) -> WarehouseCreatePayload:
        draft = WarehouseDraft(
            node_id=number_of("Location", input.location_id),
            code=input.code,
            condition=input.condition,
            purpose=input.purpose,
            dealer_id=input.dealer_id,
            rank=input.rank,
        )
        async with info.context.writing() as tx:
            await create_warehouse(tx, draft)
        return WarehouseCreated(code=input.code)

    @strawberry.mutation(description="Create a shop on a channel.")
    async def shop_create(self, info: YipanInfo, input: ShopCreateInput) -> ShopCreatePayload:
        draft = ShopDraft(
            code=input.code, name=input.name, channel=input.channel, dealer_id=input.dealer_id
        )
        async with info.context.writing() as tx:
            shop_id = await shop_cases.create_shop(tx, draft)
        return ShopCreated(id=strawberry.ID(id_of("Shop", shop_id)))
