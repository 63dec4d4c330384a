"""What nodes do for orders, as it is read: waves, pick lists, parcels and intercepts."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from operator import itemgetter
from typing import Any, Self

import strawberry
from strawberry import relay
from strawberry.relay.utils import to_base64

from backend.db.pool import Record, TenantTransaction
from backend.fulfilment import find
from backend.fulfilment.model import Intercept as InterceptRecord
from backend.fulfilment.model import InterceptState, ParcelStatus, PickLine
from backend.fulfilment.pick_lists import pick_list_lines
from backend.orders.move_fulfilments import FulfilmentKey
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import YipanInfo
from graphql_schema.network import Location, Warehouse, load_location, load_warehouse
from graphql_schema.nodes import nodes_by_numbers
from graphql_schema.paging import (
    NUMBER_MAX,
    PAGE_DEFAULT,
    InvalidId,
    connection,
    cursor_of,
    id_of,
    key_of,
    key_of_id,
    number_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Permission

strawberry.enum(ParcelStatus, name="ParcelStatus", description="Where a parcel stands.")
strawberry.enum(InterceptState, name="InterceptState", description="What became of a request.")


FULFILMENT_NO_MAX = 2**31 - 1
FindRows = Callable[[TenantTransaction, list[int]], Awaitable[Iterable[Record]]]


def fulfilment_id(key: FulfilmentKey) -> strawberry.ID:
    """Return the Relay id of a fulfilment."""
    return strawberry.ID(to_base64("Fulfilment", f"{key.order_id}-{key.fulfilment_no}"))


async def _nodes(info: YipanInfo, node_ids: Iterable[str], find: FindRows, node: Any) -> list[Any]:
    return await nodes_by_numbers(
        info,
        node_ids,
        find,
        node,
        permission=Permission.ORDERS_READ,
        number=itemgetter("id"),
    )


def fulfilment_key(text: strawberry.ID) -> FulfilmentKey:
    """Return which fulfilment a Relay id means; raises InvalidId."""
    order_id, number = key_of_id("Fulfilment", text, 2)
    if number > FULFILMENT_NO_MAX:
        raise InvalidId
    return FulfilmentKey(order_id, number)


@strawberry.type(description="What nodes were given to begin with at one time (波次).")
class Wave(relay.Node):
    number: relay.NodeID[int]
    node_id: strawberry.Private[int | None]
    fulfilments: BigInt
    released_by: str
    released_at: datetime

    @strawberry.field(description="The node it is for; null: several.")
    async def location(self, info: YipanInfo) -> Location | None:
        return None if self.node_id is None else await load_location(info, self.node_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await _nodes(info, node_ids, find.waves_by_ids, wave_from)


@strawberry.type(
    name="PickLine", description="Units of a fulfilment that are to be fetched from somewhere."
)
class PickLineType:
    line: strawberry.Private[PickLine]

    @strawberry.field
    def fulfilment_id(self) -> strawberry.ID:
        return fulfilment_id(self.line.key)

    @strawberry.field
    def line_no(self) -> int:
        return self.line.line_no

    @strawberry.field
    def quantity(self) -> BigInt:
        return self.line.quantity

    @strawberry.field
    def picked(self) -> BigInt:
        return self.line.picked

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.line.sku_id)

    @strawberry.field
    async def warehouse(self, info: YipanInfo) -> Warehouse | None:
        return await load_warehouse(info, self.line.functional_warehouse_id)


@strawberry.type(description="What somebody fetches in one round of a node (拣货单).")
class PickList(relay.Node):
    number: relay.NodeID[int]
    node_id: strawberry.Private[int]
    is_batch: bool = strawberry.field(description="One round for all, to be sorted after it.")
    fulfilments: BigInt
    picker: str
    started_at: datetime

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.node_id)

    @strawberry.field(description="What is to be fetched, place by place.")
    async def lines(self, info: YipanInfo) -> list[PickLineType]:
        async with info.context.reading() as tx:
            return [PickLineType(line=line) for line in await pick_list_lines(tx, self.number)]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await _nodes(info, node_ids, find.pick_lists_by_ids, pick_list_from)


@strawberry.type(name="ParcelLine", description="Units of an order's line in a parcel.")
class ParcelLineType:
    sku_id: strawberry.Private[int]
    line_no: int
    quantity: BigInt

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.sku_id)


@strawberry.type(description="What a carrier told of a parcel.")
class TrackingEvent:
    kind: str
    happened_at: datetime
    received_at: datetime
    place: str
    text: str


@strawberry.type(description="A parcel of a fulfilment (包裹).")
class Parcel(relay.Node):
    number: relay.NodeID[int]
    key: strawberry.Private[FulfilmentKey]
    carrier: str
    weight_g: BigInt
    status: ParcelStatus
    waybill: str | None = strawberry.field(description="What its carrier calls it (运单号).")
    label_url: str | None
    said: str = strawberry.field(description="What its carrier last said of it.")
    said_at: datetime | None
    packed_at: datetime
    host: strawberry.Private[int | None]

    @strawberry.field
    def fulfilment_id(self) -> strawberry.ID:
        return fulfilment_id(self.key)

    @strawberry.field(
        description="The parcel of another order in which it lies, under its waybill (合包)."
    )
    def lies_in(self) -> strawberry.ID | None:
        return None if self.host is None else strawberry.ID(id_of("Parcel", self.host))

    @strawberry.field
    async def lines(self, info: YipanInfo) -> list[ParcelLineType]:
        return [
            ParcelLineType(sku_id=row["sku_id"], line_no=row["line_no"], quantity=row["quantity"])
            for row in await info.context.parcel_lines.load(self.number)
        ]

    @strawberry.field(description="What its carrier told, as it happened.")
    async def tracking(self, info: YipanInfo) -> list[TrackingEvent]:
        return [
            TrackingEvent(
                kind=row["kind"],
                happened_at=row["happened_at"],
                received_at=row["received_at"],
                place=row["place"],
                text=row["text"],
            )
            for row in await info.context.tracking.load(self.number)
        ]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await _nodes(info, node_ids, find.parcels_by_ids, parcel_from)


@strawberry.type(description="A request that a node stops what it has begun with (拦截).")
class Intercept:
    key: strawberry.Private[FulfilmentKey]
    node_id: strawberry.Private[int]
    intercept_no: int
    state: InterceptState
    reason: str
    asked_by: str
    asked_at: datetime
    answer: str
    answered_by: str | None
    answered_at: datetime | None

    @strawberry.field
    def fulfilment_id(self) -> strawberry.ID:
        return fulfilment_id(self.key)

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.node_id)


def wave_from(row: Record) -> Wave:
    return Wave(
        number=row["id"],
        node_id=row["node_id"],
        fulfilments=row["fulfilments"],
        released_by=row["released_by"],
        released_at=row["released_at"],
    )


def pick_list_from(row: Record) -> PickList:
    return PickList(
        number=row["id"],
        node_id=row["node_id"],
        is_batch=row["is_batch"],
        fulfilments=row["fulfilments"],
        picker=row["picker"],
        started_at=row["started_at"],
    )


def parcel_from(row: Record) -> Parcel:
    return Parcel(
        number=row["id"],
        key=FulfilmentKey(row["order_id"], row["fulfilment_no"]),
        carrier=row["carrier"],
        weight_g=row["weight_g"],
        status=ParcelStatus(row["status"]),
        waybill=row["waybill"],
        label_url=row["label_url"],
        said=row["said"],
        said_at=row["said_at"],
        packed_at=row["packed_at"],
        host=row["host_id"],
    )


def intercept_from(record: InterceptRecord) -> Intercept:
    return Intercept(
        key=record.key,
        node_id=record.node_id,
        intercept_no=record.intercept_no,
        state=record.state,
        reason=record.reason,
        asked_by=record.asked_by,
        asked_at=record.asked_at,
        answer=record.answer,
        answered_by=record.answered_by,
        answered_at=record.answered_at,
    )


@strawberry.type
class ParcelsQuery:
    @strawberry.field(description="Waves that you may see, newest first.")
    async def waves(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[Wave]:
        info.context.principal.require(Permission.ORDERS_READ)
        (before,) = key_of(after, (NUMBER_MAX,))
        limit = page_size(first)
        async with info.context.reading() as tx:
            rows = await find.page_of_waves(tx, before, limit)
        return connection(rows, first, wave_from, lambda row: cursor_of(row["id"]))

    @strawberry.field(description="Pick lists that you may see, newest first: of a node, or all.")
    async def pick_lists(
        self,
        info: YipanInfo,
        location_id: strawberry.ID | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[PickList]:
        info.context.principal.require(Permission.ORDERS_READ)
        (before,) = key_of(after, (NUMBER_MAX,))
        limit = page_size(first)
        node_id = None if location_id is None else number_of("Location", location_id)
        async with info.context.reading() as tx:
            rows = await find.page_of_pick_lists(tx, node_id, before, limit)
        return connection(rows, first, pick_list_from, lambda row: cursor_of(row["id"]))

    @strawberry.field(description="Parcels that you may see, newest first; in a state, or all.")
    async def parcels(
        self,
        info: YipanInfo,
        status: ParcelStatus | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Parcel]:
        info.context.principal.require(Permission.ORDERS_READ)
        (before,) = key_of(after, (NUMBER_MAX,))
        limit = page_size(first)
        async with info.context.reading() as tx:
            rows = await find.page_of_parcels(tx, status, before, limit)
        return connection(rows, first, parcel_from, lambda row: cursor_of(row["id"]))

    @strawberry.field(
        description="What nodes are asked to stop and have not answered, the oldest orders first; "
        "at most 100 of a node, or of all."
    )
    async def open_intercepts(
        self, info: YipanInfo, location_id: strawberry.ID | None = None
    ) -> list[Intercept]:
        info.context.principal.require(Permission.ORDERS_READ)
        node_id = None if location_id is None else number_of("Location", location_id)
        async with info.context.reading() as tx:
            found = await find.page_of_intercepts(tx, node_id, FulfilmentKey(0, 0), 100)
        return [intercept_from(one) for one in found]
