"""Collection at the door (上门取件): carriers fetch what customers send."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Self

import strawberry
from strawberry import relay

from backend.after_sales.collecting import Wanted, change_collection, request_collection
from backend.fulfilment.carriers.model import Recipient
from backend.fulfilment.collections.model import (
    CollectedFor,
    CollectionStatus,
    CollectionTime,
    Subject,
)
from backend.fulfilment.collections.model import Collection as CollectionRecord
from backend.fulfilment.collections.standing import collections_by_ids, page_of_collections
from backend.fulfilment.errors import CollectionChanged
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, UserError, WithDetails
from graphql_schema.network import Location, load_location
from graphql_schema.nodes import nodes_of_orders
from graphql_schema.paging import (
    PAGE_DEFAULT,
    InvalidId,
    connection,
    cursor_of,
    id_of,
    key_of,
    number_of,
    page_size,
)
from tenants.principal import Permission

strawberry.enum(CollectionStatus, name="CollectionStatus", description="Where a collection stands.")
strawberry.enum(CollectedFor, name="CollectedFor", description="What a collection is a part of.")
TYPE_OF = {
    CollectedFor.RETURN: "Return",
    CollectedFor.REPAIR: "Repair",
    CollectedFor.TRADE_IN: "TradeIn",
}
ENDED = (CollectionStatus.ARRIVED, CollectionStatus.CANCELLED)
OPEN = tuple(status for status in CollectionStatus if status not in ENDED)


@strawberry.type(description="A carrier that fetches what a customer sends (上门取件).")
class Collection(relay.Node):
    number: relay.NodeID[int]
    order_number: strawberry.Private[int]
    node_id: strawberry.Private[int]
    subject: strawberry.Private[Subject]
    status: CollectionStatus
    version: int = strawberry.field(description="Grows with every change: say which one you saw.")
    carrier: str
    from_at: datetime = strawberry.field(description="When the customer is at home.")
    until_at: datetime
    waybill: str
    label_url: str | None
    said: str = strawberry.field(description="What the carrier says where something is wrong.")
    requested_by: str
    requested_at: datetime
    changed_at: datetime

    @strawberry.field
    def order_id(self) -> strawberry.ID:
        return strawberry.ID(id_of("Order", self.order_number))

    @strawberry.field
    def collected_for(self) -> CollectedFor:
        return self.subject.kind

    @strawberry.field(description="The return, the repair or the trade-in that is fetched.")
    def subject_id(self) -> strawberry.ID:
        return strawberry.ID(id_of(TYPE_OF[self.subject.kind], self.subject.id))

    @strawberry.field(description="Where it goes.")
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.node_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_of_orders(info, node_ids, collections_by_ids, collection_from)


def collection_from(one: CollectionRecord) -> Collection:
    return Collection(
        number=one.id,
        order_number=one.order_id,
        node_id=one.node_id,
        subject=one.subject,
        status=one.status,
        version=one.version,
        carrier=one.time.carrier,
        from_at=one.time.from_at,
        until_at=one.time.until_at,
        waybill=one.waybill,
        label_url=one.label_url,
        said=one.said,
        requested_by=one.requested_by,
        requested_at=one.requested_at,
        changed_at=one.changed_at,
    )


@strawberry.type(name="CollectionChanged", description="How the collection stands now.")
class CollectionChangedError(UserError):
    collection: Collection


COLLECTION_HANDLERS: tuple[strawberry.ExceptionHandler[Any, Any], ...] = (
    WithDetails(CollectionChanged, CollectionChangedError, collection=collection_from),
)


@strawberry.type(description="It was done; the carrier is asked in the background.")
class CollectionSaved:
    collection: Collection


CollectionPayload = Annotated[
    CollectionSaved | CollectionChangedError | InputRefused | PermissionDenied,
    strawberry.union("CollectionPayload"),
]


@strawberry.input(description="Where it is fetched.")
class CollectionPlaceInput:
    name: str
    phone: str
    address: str
    region_code: int | None = None


@strawberry.input
class CollectionTimeInput:
    carrier: str = strawberry.field(description="One of carrierAccounts that gives waybills.")
    from_at: datetime
    until_at: datetime


@strawberry.input
class CollectionRequestInput:
    idempotency_key: str
    subject_id: strawberry.ID = strawberry.field(
        description="A return that is approved, a repair or a trade-in."
    )
    time: CollectionTimeInput
    location_id: strawberry.ID = strawberry.field(description="Where it goes.")
    weight_g: int | None = strawberry.field(
        default=None, description="Left out: what its SKUs weigh."
    )
    place: CollectionPlaceInput | None = strawberry.field(
        default=None, description="Left out: where the order went."
    )


@strawberry.input
class CollectionInput:
    idempotency_key: str
    collection_id: strawberry.ID
    seen_version: int | None = strawberry.field(
        default=None, description="Refused where it has changed since; left out: it may."
    )


@strawberry.input
class CollectionTimeSetInput(CollectionInput):
    time: CollectionTimeInput


@strawberry.type
class CollectionsQuery:
    @strawberry.field(
        description="Collections that you may see, the oldest first: to a location, of an order, "
        "in some states, or (left out) all that have not ended."
    )
    async def collections(
        self,
        info: YipanInfo,
        location_id: strawberry.ID | None = None,
        order_id: strawberry.ID | None = None,
        statuses: list[CollectionStatus] | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Collection]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        of = (
            None if location_id is None else number_of("Location", location_id),
            None if order_id is None else number_of("Order", order_id),
        )
        async with info.context.reading() as tx:
            found = await page_of_collections(tx, of, statuses or OPEN, start, limit)
        return connection(found, first, collection_from, lambda one: cursor_of(one.id))


@strawberry.type
class CollectionsMutation:
    @strawberry.mutation(
        description="Have a return, a repair or a trade-in fetched at the customer's door."
    )
    async def collection_request(
        self, info: YipanInfo, input: CollectionRequestInput
    ) -> CollectionPayload:
        place = input.place
        wanted = Wanted(
            _time(input.time),
            number_of("Location", input.location_id),
            input.weight_g,
            None
            if place is None
            else Recipient(place.name, place.phone, place.region_code, place.address),
        )
        done = await request_collection(
            info.context.services.database,
            info.context.principal,
            _subject(input.subject_id),
            wanted,
            input.idempotency_key,
        )
        return CollectionSaved(collection=collection_from(done))

    @strawberry.mutation(description="Agree on another time, or with another carrier (改约).")
    async def collection_time_set(
        self, info: YipanInfo, input: CollectionTimeSetInput
    ) -> CollectionPayload:
        return await _change(info, input, _time(input.time))

    @strawberry.mutation(description="Nobody comes.")
    async def collection_call_off(
        self, info: YipanInfo, input: CollectionInput
    ) -> CollectionPayload:
        return await _change(info, input, None)


async def _change(
    info: YipanInfo, input: CollectionInput, time: CollectionTime | None
) -> CollectionSaved:
    done = await change_collection(
        info.context.services.database,
        info.context.principal,
        number_of("Collection", input.collection_id),
        time,
        seen=input.seen_version,
        key=input.idempotency_key,
    )
    return CollectionSaved(collection=collection_from(done))


def _subject(global_id: str) -> Subject:
    """Return what an id of a return, a repair or a trade-in is of; raises InvalidId."""
    for kind, name in TYPE_OF.items():
        with suppress(InvalidId):
            return Subject(kind, number_of(name, global_id))
    raise InvalidId


def _time(given: CollectionTimeInput) -> CollectionTime:
    return CollectionTime(given.carrier, given.from_at, given.until_at)
