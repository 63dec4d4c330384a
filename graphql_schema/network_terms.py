"""What routing asks of the network beside places: terms of nodes, dealers and channels."""

from datetime import date
from functools import partial
from typing import Annotated

import strawberry

from backend.network.channel_terms import list_channel_terms, set_channel_terms
from backend.network.dealer_terms import list_dealer_terms, set_dealer_terms
from backend.network.model import ChannelTerms as ChannelTermsRecord
from backend.network.model import DealerTerms as DealerTermsRecord
from backend.network.model import NodeKind
from backend.network.node_terms import set_closed_days, set_node_terms
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.network import Location, load_location
from graphql_schema.node_terms import NodeTermsInput, node_terms
from graphql_schema.paging import id_of, number_of
from graphql_schema.scalars import BigInt
from tenants.principal import Permission


@strawberry.type(description="What is agreed with a dealer (经销商) who sends orders.")
class DealerRoutingTerms:
    dealer_id: strawberry.ID
    territory: list[BigInt] = strawberry.field(
        description="Codes of the regions that it sends to; none: everywhere."
    )
    performance_bp: int = strawberry.field(description="How well it sends, of 10,000.")
    service_fee_minor: BigInt = strawberry.field(
        description="What the brand pays it for a parcel that it sends."
    )


def dealer_terms_from(found: DealerTermsRecord) -> DealerRoutingTerms:
    return DealerRoutingTerms(
        dealer_id=strawberry.ID(id_of("Dealer", found.dealer_id)),
        territory=list(found.territory),
        performance_bp=found.performance_bp,
        service_fee_minor=found.service_fee_minor,
    )


@strawberry.type(description="The commission (扣点) of a channel where a node of a kind sends.")
class ChannelTerms:
    channel: str
    node_kind: NodeKind
    commission_bp: int = strawberry.field(description="Basis points of the order.")


def channel_terms_from(found: ChannelTermsRecord) -> ChannelTerms:
    return ChannelTerms(
        channel=found.channel, node_kind=found.node_kind, commission_bp=found.commission_bp
    )


@strawberry.input
class LocationSetTermsInput:
    idempotency_key: str
    code: str
    terms: NodeTermsInput


@strawberry.input
class LocationSetClosedDaysInput:
    idempotency_key: str
    code: str
    first_day: date
    last_day: date = strawberry.field(description="Included.")
    is_closed: bool = strawberry.field(default=True, description="False: it dispatches again.")


@strawberry.input
class DealerSetRoutingTermsInput:
    idempotency_key: str
    dealer_id: strawberry.ID
    territory: list[BigInt] = strawberry.field(
        default_factory=list,
        description="Codes of provinces, cities or districts; none: everywhere.",
    )
    performance_bp: int = 10_000
    service_fee_minor: BigInt = 0


@strawberry.input
class ChannelTermsInput:
    channel: str
    node_kind: NodeKind
    commission_bp: int


@strawberry.input
class ChannelTermsSetInput:
    idempotency_key: str
    terms: list[ChannelTermsInput]


@strawberry.type
class LocationTermsSet:
    number: strawberry.Private[int]

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.number)


@strawberry.type
class LocationClosedDaysSet:
    number: strawberry.Private[int]

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.number)


@strawberry.type
class DealerRoutingTermsSet:
    terms: DealerRoutingTerms


@strawberry.type
class ChannelTermsRecorded:
    terms: list[ChannelTerms] = strawberry.field(description="All there is now.")


LocationSetTermsPayload = Annotated[
    LocationTermsSet | InputRefused | PermissionDenied, strawberry.union("LocationSetTermsPayload")
]
LocationSetClosedDaysPayload = Annotated[
    LocationClosedDaysSet | InputRefused | PermissionDenied,
    strawberry.union("LocationSetClosedDaysPayload"),
]
DealerSetRoutingTermsPayload = Annotated[
    DealerRoutingTermsSet | InputRefused | PermissionDenied,
    strawberry.union("DealerSetRoutingTermsPayload"),
]
ChannelTermsSetPayload = Annotated[
    ChannelTermsRecorded | InputRefused | PermissionDenied,
    strawberry.union("ChannelTermsSetPayload"),
]


@strawberry.type
class NetworkTermsQuery:
    @strawberry.field(
        description="What is agreed with dealers who send orders; a dealer sees its own."
    )
    async def dealer_routing_terms(self, info: YipanInfo) -> list[DealerRoutingTerms]:
        info.context.principal.require(Permission.STOCK_READ)
        async with info.context.reading() as tx:
            return [dealer_terms_from(terms) for terms in await list_dealer_terms(tx)]

    @strawberry.field(description="What channels charge, by the kind of node that sends.")
    async def channel_terms(self, info: YipanInfo) -> list[ChannelTerms]:
        info.context.principal.require(Permission.STOCK_READ)
        async with info.context.reading() as tx:
            return [channel_terms_from(terms) for terms in await list_channel_terms(tx)]


@strawberry.type
class NetworkTermsMutation:
    @strawberry.mutation(
        description="Replace what a node can do, and when and at what cost it sends."
    )
    async def location_set_terms(
        self, info: YipanInfo, input: LocationSetTermsInput
    ) -> LocationSetTermsPayload:
        terms = node_terms(input.terms)
        node_id = await info.context.apply_once(
            Permission.NETWORK_WRITE,
            input.idempotency_key,
            ("locationSetTerms", input.code, terms),
            int,
            partial(set_node_terms, code=input.code, terms=terms),
        )
        info.context.nodes.clear_all()
        return LocationTermsSet(number=node_id)

    @strawberry.mutation(
        description="Let a node not dispatch on up to 400 days, or do so again; others stay."
    )
    async def location_set_closed_days(
        self, info: YipanInfo, input: LocationSetClosedDaysInput
    ) -> LocationSetClosedDaysPayload:
        first, last = input.first_day, input.last_day
        node_id = await info.context.apply_once(
            Permission.NETWORK_WRITE,
            input.idempotency_key,
            ("locationSetClosedDays", input.code, first, last, input.is_closed),
            int,
            partial(
                set_closed_days, code=input.code, first=first, last=last, is_closed=input.is_closed
            ),
        )
        info.context.closed_days.clear_all()
        return LocationClosedDaysSet(number=node_id)

    @strawberry.mutation(description="Replace what is agreed with a dealer who sends orders.")
    async def dealer_set_routing_terms(
        self, info: YipanInfo, input: DealerSetRoutingTermsInput
    ) -> DealerSetRoutingTermsPayload:
        terms = DealerTermsRecord(
            dealer_id=number_of("Dealer", input.dealer_id),
            territory=tuple(input.territory),
            performance_bp=input.performance_bp,
            service_fee_minor=input.service_fee_minor,
        )
        async with info.context.writing() as tx:
            kept = await set_dealer_terms(
                tx, terms, key=input.idempotency_key, regions=info.context.services.regions
            )
        return DealerRoutingTermsSet(terms=dealer_terms_from(kept))

    @strawberry.mutation(
        description="Set what channels charge, all or none; what is not named stays."
    )
    async def channel_terms_set(
        self, info: YipanInfo, input: ChannelTermsSetInput
    ) -> ChannelTermsSetPayload:
        terms = [
            ChannelTermsRecord(
                channel=one.channel, node_kind=one.node_kind, commission_bp=one.commission_bp
            )
            for one in input.terms
        ]
        async with info.context.writing() as tx:
            kept = await set_channel_terms(tx, terms, key=input.idempotency_key)
        return ChannelTermsRecorded(terms=[channel_terms_from(one) for one in kept])
