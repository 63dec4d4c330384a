"""Slots: who makes visits at agreed times, how many, and when an order is to come."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.db.pool import Record
from backend.network import model
from backend.network import slots as cases
from backend.network.model import EVERY_DAY, SlotKind, SlotProviderDraft, SlotWindow
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.network import Location, load_location
from graphql_schema.node_terms import Weekday, bits_of
from graphql_schema.nodes import nodes_by_numbers
from graphql_schema.paging import (
    PAGE_DEFAULT,
    InvalidPage,
    connection,
    cursor_of,
    key_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Permission

strawberry.enum(SlotKind, name="SlotKind", description="What is done in a slot.")


@strawberry.type(
    description="Who delivers a location's parcels at agreed times (its dock, or a carrier), or "
    "installs goods (安装服务商)."
)
class SlotProvider(relay.Node):
    number: relay.NodeID[int]
    node_id: strawberry.Private[int | None]
    code: str
    name: str
    kind: SlotKind
    regions: list[BigInt] = strawberry.field(description="Where it goes; none: everywhere.")
    categories: list[str] = strawberry.field(description="Which goods it installs; none: all.")
    is_active: bool

    @strawberry.field(description="Whose parcels it delivers; none for an installer.")
    async def location(self, info: YipanInfo) -> Location | None:
        return None if self.node_id is None else await load_location(info, self.node_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(
            info,
            node_ids,
            cases.slot_providers_by_ids,
            provider_from,
            permission=Permission.ORDERS_READ,
        )


@strawberry.type(description="A window of a day in which a provider makes visits (档期).")
class Slot(relay.Node):
    number: relay.NodeID[int]
    provider_id: strawberry.Private[int]
    day: date
    first_minute: int = strawberry.field(description="Since midnight where the brand is.")
    end_minute: int
    visits: BigInt = strawberry.field(description="How many it makes.")
    free: BigInt = strawberry.field(
        description="How many are left; below 0 where fewer are made than are agreed."
    )

    @strawberry.field
    async def provider(self, info: YipanInfo) -> SlotProvider | None:
        return await load_provider(info, self.provider_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(
            info, node_ids, cases.slots_by_ids, slot_from, permission=Permission.ORDERS_READ
        )


@strawberry.type(description="A visit by which something is delivered, or installed.")
class Visit:
    provider_id: strawberry.Private[int]
    day: date
    first_minute: int = strawberry.field(description="Since midnight where the brand is.")
    end_minute: int

    @strawberry.field
    async def provider(self, info: YipanInfo) -> SlotProvider | None:
        return await load_provider(info, self.provider_id)


@strawberry.type(description="When an order is to be delivered, and installed (预约).")
class OrderAppointment:
    installation_slot_id: strawberry.Private[int | None]
    day: date
    from_minute: int
    to_minute: int
    is_booked: bool = strawberry.field(
        description="All its visits are; if not, none is. What is left of it is held until another "
        "time is agreed."
    )

    @strawberry.field(description="Who installs it, and when; deliveries are in its fulfilments.")
    async def installation(self, info: YipanInfo) -> Visit | None:
        return await load_visit(info, self.installation_slot_id)


def provider_from(found: model.SlotProvider) -> SlotProvider:
    return SlotProvider(
        number=found.id,
        node_id=found.node_id,
        code=found.code,
        name=found.name,
        kind=found.kind,
        regions=list(found.regions),
        categories=list(found.categories),
        is_active=found.is_active,
    )


async def load_provider(info: YipanInfo, provider_id: int) -> SlotProvider | None:
    """Return a provider by its id, for whom it concerns."""
    found = await info.context.slot_providers.load(provider_id)
    return provider_from(found) if found else None


def slot_from(found: model.Slot) -> Slot:
    return Slot(
        number=found.id,
        provider_id=found.provider_id,
        day=found.day,
        first_minute=found.first_minute,
        end_minute=found.end_minute,
        visits=found.limit_visits,
        free=found.free,
    )


def appointment_from(row: Record) -> OrderAppointment:
    return OrderAppointment(
        installation_slot_id=row["installation_slot_id"],
        day=row["day"],
        from_minute=row["from_minute"],
        to_minute=row["to_minute"],
        is_booked=row["is_booked"],
    )


async def load_visit(info: YipanInfo, slot_id: int | None) -> Visit | None:
    """Return the visit that is made in a slot, for whom it is made to; None where there is none.

    How many others it takes is the brand's to know.
    """
    if slot_id is None:
        return None
    found = await info.context.visits.load(slot_id)
    if found is None:
        return None
    return Visit(
        provider_id=found.provider_id,
        day=found.day,
        first_minute=found.first_minute,
        end_minute=found.end_minute,
    )


@strawberry.input(description="Known by its code; what it does, and for which location, stays.")
class SlotProviderSetInput:
    idempotency_key: str
    code: str
    name: str
    kind: SlotKind
    location: str | None = strawberry.field(
        default=None, description="The code of the node whose parcels it delivers."
    )
    regions: list[BigInt] = strawberry.field(default_factory=list)
    categories: list[str] = strawberry.field(default_factory=list)
    is_active: bool = True


@strawberry.type
class SlotProviderSet:
    number: strawberry.Private[int]

    @strawberry.field
    async def provider(self, info: YipanInfo) -> SlotProvider | None:
        return await load_provider(info, self.number)


SlotProviderSetPayload = Annotated[
    SlotProviderSet | InputRefused | PermissionDenied, strawberry.union("SlotProviderSetPayload")
]


@strawberry.input(description="Minutes since midnight where the brand is.")
class SlotWindowInput:
    first_minute: int
    end_minute: int
    visits: int


@strawberry.input(description="Windows on every working day from the first day to the last.")
class SlotsSetInput:
    idempotency_key: str
    provider: str
    first_day: date
    last_day: date
    windows: list[SlotWindowInput]
    working_days: list[Weekday] | None = strawberry.field(
        default=None, description="Every day of the week where left out."
    )


@strawberry.type
class SlotsRecorded:
    slots: int = strawberry.field(description="How many were set.")


SlotsSetPayload = Annotated[
    SlotsRecorded | InputRefused | PermissionDenied, strawberry.union("SlotsSetPayload")
]


@strawberry.type
class SlotsQuery:
    @strawberry.field(description="Who makes visits at agreed times, by id.")
    async def slot_providers(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[SlotProvider]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_slot_providers(tx, start, limit)
        return connection(rows, first, provider_from, lambda row: cursor_of(row.id))

    @strawberry.field(description="Slots of all providers or one, by day.")
    async def slots(
        self,
        info: YipanInfo,
        first_day: date,
        last_day: date,
        provider: str | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Slot]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        day, number = key_of(after, (1, 0))
        if not 1 <= day <= date.max.toordinal():
            raise InvalidPage("The cursor is not one of ours.")
        start = (date.fromordinal(day), number)
        async with info.context.reading() as tx:
            rows = await cases.page_of_slots(tx, (first_day, last_day), provider, start, limit)
        return connection(
            rows, first, slot_from, lambda row: cursor_of(row.day.toordinal(), row.id)
        )


@strawberry.type
class SlotsMutation:
    @strawberry.mutation(description="Set who makes visits at agreed times, or change it.")
    async def slot_provider_set(
        self, info: YipanInfo, input: SlotProviderSetInput
    ) -> SlotProviderSetPayload:
        draft = SlotProviderDraft(
            code=input.code,
            name=input.name,
            kind=input.kind,
            node=input.location,
            regions=tuple(input.regions),
            categories=tuple(input.categories),
            is_active=input.is_active,
        )
        regions = info.context.services.regions
        async with info.context.writing() as tx:
            number = await cases.set_slot_provider(
                tx, draft, key=input.idempotency_key, regions=regions
            )
        return SlotProviderSet(number=number)

    @strawberry.mutation(
        description="Set how many visits a provider makes in windows of days. Below what is agreed "
        "nothing more is agreed, and what is agreed stays."
    )
    async def slots_set(self, info: YipanInfo, input: SlotsSetInput) -> SlotsSetPayload:
        windows = [
            SlotWindow(
                first_minute=window.first_minute,
                end_minute=window.end_minute,
                visits=window.visits,
            )
            for window in input.windows
        ]
        chosen = input.working_days
        async with info.context.writing() as tx:
            count = await cases.set_slots(
                tx,
                input.provider,
                (input.first_day, input.last_day),
                windows,
                working_days=EVERY_DAY if chosen is None else bits_of(chosen),
                key=input.idempotency_key,
            )
        return SlotsRecorded(slots=count)
