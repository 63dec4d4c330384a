"""Packing together what several orders of one customer get from one location (合包发货)."""

from typing import Annotated

import strawberry

from backend.fulfilment.pack_together import Proposal, joint_proposals, pack_together
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.network import Location, load_location
from graphql_schema.paging import id_of, number_of
from graphql_schema.parcels import fulfilment_id, fulfilment_key
from graphql_schema.scalars import BigInt
from tenants.principal import Permission


@strawberry.type(description="What a location could send to one customer in one parcel.")
class JointProposal:
    node_id: strawberry.Private[int]
    buyer_name: str
    address: str
    fulfilment_ids: list[strawberry.ID]
    picked: int = strawberry.field(description="So many of them can be packed now.")

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.node_id)


def proposal_from(found: Proposal) -> JointProposal:
    return JointProposal(
        node_id=found.node_id,
        buyer_name=found.buyer_name,
        address=found.address,
        fulfilment_ids=[fulfilment_id(one) for one in found.keys],
        picked=found.picked,
    )


@strawberry.input(description="Picked fulfilments of one location, for one customer.")
class FulfilmentsPackTogetherInput:
    idempotency_key: str
    fulfilment_ids: list[strawberry.ID] = strawberry.field(description="2 to 20.")
    carrier: str
    weight_g: BigInt | None = strawberry.field(
        default=None, description="Left out: that of its goods."
    )


@strawberry.type(description="They go in one parcel, and are handed over together.")
class PackedTogether:
    parcel_id: strawberry.ID = strawberry.field(description="The one that has the waybill.")
    parcels: int
    weight_g: BigInt


FulfilmentsPackTogetherPayload = Annotated[
    PackedTogether | InputRefused | PermissionDenied,
    strawberry.union("FulfilmentsPackTogetherPayload"),
]


@strawberry.type
class PackTogetherQuery:
    @strawberry.field(
        description="At most 200 times what a location, or each, has of several orders of one "
        "customer, given to it within so many hours, that is not packed yet (合单建议)."
    )
    async def joint_proposals(
        self, info: YipanInfo, location_id: strawberry.ID | None = None, within_hours: int = 24
    ) -> list[JointProposal]:
        info.context.principal.require(Permission.ORDERS_READ)
        node_id = None if location_id is None else number_of("Location", location_id)
        async with info.context.reading() as tx:
            return [proposal_from(one) for one in await joint_proposals(tx, node_id, within_hours)]


@strawberry.type
class PackTogetherMutation:
    @strawberry.mutation(description="Pack what several orders get into one parcel (合包).")
    async def fulfilments_pack_together(
        self, info: YipanInfo, input: FulfilmentsPackTogetherInput
    ) -> FulfilmentsPackTogetherPayload:
        done = await pack_together(
            info.context.services.database,
            info.context.principal,
            [fulfilment_key(one) for one in input.fulfilment_ids],
            input.carrier,
            input.weight_g,
            input.idempotency_key,
        )
        return PackedTogether(
            parcel_id=strawberry.ID(id_of("Parcel", done.parcel_id)),
            parcels=done.parcels,
            weight_g=done.weight_g,
        )
