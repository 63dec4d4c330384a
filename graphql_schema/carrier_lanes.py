"""Lanes: what carriers charge and how long they take, from nodes to regions."""

from collections.abc import Iterable
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.network import lanes as cases
from backend.network.model import Lane, LaneDraft
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.network import Location, load_location
from graphql_schema.nodes import nodes_by_numbers
from graphql_schema.paging import PAGE_DEFAULT, connection, cursor_of, key_of, page_size
from graphql_schema.scalars import BigInt
from tenants.principal import Permission


@strawberry.type(
    description="What a carrier charges and how long it takes from a node to a region (线路运价); "
    "the most specific region counts."
)
class CarrierLane(relay.Node):
    number: relay.NodeID[int]
    node_id: strawberry.Private[int]
    carrier: str
    region_code: BigInt
    base_minor: BigInt = strawberry.field(description="For a parcel of up to stepG (首重).")
    step_minor: BigInt = strawberry.field(description="For each further stepG begun (续重).")
    step_g: int
    transit_minutes: int
    is_active: bool

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.node_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(info, node_ids, cases.lanes_by_ids, lane_from)


def lane_from(found: Lane) -> CarrierLane:
    return CarrierLane(
        number=found.id,
        node_id=found.node_id,
        carrier=found.carrier,
        region_code=found.region_code,
        base_minor=found.base_minor,
        step_minor=found.step_minor,
        step_g=found.step_g,
        transit_minutes=found.transit_minutes,
        is_active=found.is_active,
    )


@strawberry.input(description="Known by its location, carrier and region.")
class CarrierLaneInput:
    location: str = strawberry.field(description="The code of the node.")
    carrier: str
    region_code: BigInt = strawberry.field(description="Of a province, city or district.")
    base_minor: BigInt
    step_minor: BigInt = 0
    step_g: int = 1_000
    transit_minutes: int
    is_active: bool = True


@strawberry.input
class CarrierLanesSetInput:
    idempotency_key: str
    lanes: list[CarrierLaneInput] = strawberry.field(description="At most 5,000.")


@strawberry.type
class CarrierLanesRecorded:
    lanes: int = strawberry.field(description="How many were set.")


CarrierLanesSetPayload = Annotated[
    CarrierLanesRecorded | InputRefused | PermissionDenied,
    strawberry.union("CarrierLanesSetPayload"),
]


@strawberry.type
class CarrierLanesQuery:
    @strawberry.field(description="The brand's lanes, those that are switched off too, by id.")
    async def carrier_lanes(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[CarrierLane]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_lanes(tx, start, limit)
        return connection(rows, first, lane_from, lambda row: cursor_of(row.id))


@strawberry.type
class CarrierLanesMutation:
    @strawberry.mutation(
        description="Set lanes, or change those that are there, all or none; others stay."
    )
    async def carrier_lanes_set(
        self, info: YipanInfo, input: CarrierLanesSetInput
    ) -> CarrierLanesSetPayload:
        drafts = [
            LaneDraft(
                node=lane.location,
                carrier=lane.carrier,
                region_code=lane.region_code,
                base_minor=lane.base_minor,
                step_minor=lane.step_minor,
                step_g=lane.step_g,
                transit_minutes=lane.transit_minutes,
                is_active=lane.is_active,
            )
            for lane in input.lanes
        ]
        async with info.context.writing() as tx:
            count = await cases.set_lanes(
                tx, drafts, key=input.idempotency_key, regions=info.context.services.regions
            )
        return CarrierLanesRecorded(lanes=count)
