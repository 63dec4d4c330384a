"""Orders that customers fetch (到店自提): what stores do for them, and who may fetch them."""

import asyncio
from datetime import date, datetime
from typing import Annotated, Any

import strawberry
from strawberry import relay
from strawberry.scalars import JSON

from backend.orders.model import OrderStatus
from backend.pickups import codes as code_cases
from backend.pickups import store_work
from backend.pickups.errors import PickupChanged, PickupLocked
from backend.pickups.gather import Gathering, gather_pickup, gather_sources
from backend.pickups.hand_over import Handing, hand_over
from backend.pickups.model import (
    CodeState,
    HandedLine,
    PickupCode,
    PickupDone,
    PickupStatus,
    PickupTerms,
)
from backend.pickups.model import Pickup as PickupRecord
from backend.pickups.move import Moving, move_pickup
from backend.pickups.qr import qr_svg
from backend.pickups.standing import page_of_pickups
from backend.pickups.states import OPEN
from backend.pickups.terms import pickup_terms, set_pickup_terms
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, UserError, WithDetails
from graphql_schema.orders import Order, Pickup, order_from, pickup_from
from graphql_schema.paging import PAGE_DEFAULT, connection, cursor_of, key_of, number_of, page_size
from graphql_schema.scalars import BigInt
from tenants.principal import Permission

strawberry.enum(CodeState, name="PickupCodeState", description="Whether a code opens anything.")


@strawberry.type(name="PickupCode", description="Who may fetch an order, and with what.")
class PickupCodeType:
    code_no: int
    name: str
    phone: str
    state: CodeState
    issued_at: datetime
    code: str | None = strawberry.field(
        description="Eight digits (取货码), while it is ready and the code is valid."
    )
    token: str | None = strawberry.field(
        description="For a QR code: a signed token (JWT, Ed25519) that phones check offline."
    )

    @strawberry.field(description="The token as a QR code (二维码): an SVG image of any size.")
    async def qr(self) -> str | None:
        return None if self.token is None else await asyncio.to_thread(qr_svg, self.token)


@strawberry.type(description="For how long stores keep what is ready.")
class PickupTermsType:
    keep_hours: int
    remind_hours: int = strawberry.field(
        description="So long before the end customers are reminded; 0: they are not."
    )


@strawberry.type(name="PickupChanged", description="How the order stands now.")
class PickupChangedError(UserError):
    pickup: Pickup


@strawberry.type(name="PickupLocked", description="Until when no code of it is looked at.")
class PickupLockedError(UserError):
    locked_until: datetime


PICKUP_HANDLERS: tuple[strawberry.ExceptionHandler[Any, Any], ...] = (
    WithDetails(PickupChanged, PickupChangedError, pickup=pickup_from),
    WithDetails(PickupLocked, PickupLockedError),
)


@strawberry.type(description="It was done.")
class PickupSaved:
    number: strawberry.Private[int]
    pickup: Pickup
    order_status: OrderStatus

    @strawberry.field(description="The order as it is now.")
    async def order(self, info: YipanInfo) -> Order | None:
        row = await info.context.orders.load(self.number)
        return order_from(row) if row else None


PickupPayload = Annotated[
    PickupSaved | PickupChangedError | InputRefused | PermissionDenied,
    strawberry.union("PickupPayload"),
]
PickupHandOverPayload = Annotated[
    PickupSaved | PickupChangedError | PickupLockedError | InputRefused | PermissionDenied,
    strawberry.union("PickupHandOverPayload"),
]


@strawberry.input(
    description="A phone makes the key, and says which version it saw: without network for hours, "
    "it sends its commands again until each is answered."
)
class PickupInput:
    idempotency_key: str
    order_id: strawberry.ID
    seen_version: int | None = strawberry.field(
        default=None, description="Refused where the order has changed since; left out: it may."
    )


@strawberry.input
class PickupRejectInput(PickupInput):
    reason: str


@strawberry.input
class PickupKeepInput(PickupInput):
    keep_until: datetime


@strawberry.input
class HandedLineInput:
    line_no: int
    quantity: int


@strawberry.input
class PickupHandOverInput(PickupInput):
    code: str = strawberry.field(description="The digits, or what the QR code says.")
    lines: list[HandedLineInput] | None = strawberry.field(
        default=None, description="What they take; left out: all. The rest is cancelled."
    )
    happened_at: datetime | None = strawberry.field(
        default=None, description="By the phone's clock; left out: now."
    )


@strawberry.input
class PickupMoveInput(PickupInput):
    location: str | None = strawberry.field(
        default=None, description="The code of where it is fetched; left out: it is sent."
    )
    reason: str = ""


@strawberry.input
class PickupGatherInput(PickupInput):
    location: str = strawberry.field(description="The code of where the goods come from.")
    arrives_on: date = strawberry.field(description="When they are at the store.")


@strawberry.type(description="Units of a SKU that are on their way to a store.")
class GatheredLine:
    code: str = strawberry.field(description="Under which the store receives it (supplyReceive).")
    sku: str
    units: BigInt


@strawberry.type(description="What the order waited for is on its way to its store.")
class PickupGathered:
    pickup: Pickup
    supplies: list[GatheredLine]


PickupGatherPayload = Annotated[
    PickupGathered | PickupChangedError | InputRefused | PermissionDenied,
    strawberry.union("PickupGatherPayload"),
]


@strawberry.input
class PickupCodeIssueInput:
    idempotency_key: str
    order_id: strawberry.ID
    name: str
    phone: str = ""
    revokes: list[int] = strawberry.field(
        default_factory=list, description="Numbers of codes that are valid no more."
    )


@strawberry.type
class PickupCodeIssued:
    code_no: int


PickupCodeIssuePayload = Annotated[
    PickupCodeIssued | InputRefused | PermissionDenied, strawberry.union("PickupCodeIssuePayload")
]


@strawberry.input
class PickupTermsSetInput:
    idempotency_key: str
    keep_hours: int
    remind_hours: int = 0


@strawberry.type
class PickupTermsSaved:
    terms: PickupTermsType


PickupTermsSetPayload = Annotated[
    PickupTermsSaved | InputRefused | PermissionDenied, strawberry.union("PickupTermsSetPayload")
]


def terms_from(terms: PickupTerms) -> PickupTermsType:
    return PickupTermsType(keep_hours=terms.keep_hours, remind_hours=terms.remind_hours)


def code_from(code: PickupCode) -> PickupCodeType:
    return PickupCodeType(
        code_no=code.code_no,
        name=code.name,
        phone=code.phone,
        state=code.state,
        issued_at=code.issued_at,
        code=code.code,
        token=code.token,
    )


@strawberry.type
class PickupsQuery:
    @strawberry.field(
        description="Orders that are fetched, the oldest first: of a location or of all that you "
        "may see, in some states, or (left out) all with which something is to be done."
    )
    async def pickups(
        self,
        info: YipanInfo,
        location_id: strawberry.ID | None = None,
        statuses: list[PickupStatus] | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Pickup]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        node_id = None if location_id is None else number_of("Location", location_id)
        async with info.context.reading() as tx:
            found = await page_of_pickups(tx, node_id, statuses or OPEN, start, limit)

        def cursor(one: PickupRecord) -> str:
            return cursor_of(one.order_id)

        return connection(found, first, pickup_from, cursor)

    @strawberry.field(description="Who may fetch an order; for who sold it, not for stores.")
    async def pickup_codes(self, info: YipanInfo, order_id: strawberry.ID) -> list[PickupCodeType]:
        found = await code_cases.codes_of_order(
            info.context.services.database,
            info.context.principal,
            number_of("Order", order_id),
        )
        return [code_from(one) for one in found]

    @strawberry.field(
        description="The public key (JWK) by which phones check the tokens of QR codes."
    )
    async def pickup_key(self, info: YipanInfo) -> JSON:
        context = info.context
        return JSON(await code_cases.public_key(context.services.database, context.principal))

    @strawberry.field(
        description="Locations that have all that an order waits for at its store, the nearest to "
        "the store first. For the brand."
    )
    async def pickup_sources(self, info: YipanInfo, order_id: strawberry.ID) -> list[str]:
        context = info.context
        return await gather_sources(
            context.services.database,
            context.principal,
            number_of("Order", order_id),
            await context.services.books.open(context.principal.tenant_id),
        )

    @strawberry.field
    async def pickup_terms(self, info: YipanInfo) -> PickupTermsType:
        info.context.principal.require(Permission.ORDERS_READ)
        async with info.context.reading() as tx:
            return terms_from(await pickup_terms(tx))


@strawberry.type
class PickupsMutation:
    @strawberry.mutation(description="A store has it ready in time, and may begin (接单).")
    async def pickup_accept(self, info: YipanInfo, input: PickupInput) -> PickupPayload:
        done = await store_work.accept_pickup(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(
        description="A store does not hand it over (拒单): it is held until another one is chosen."
    )
    async def pickup_reject(self, info: YipanInfo, input: PickupRejectInput) -> PickupPayload:
        done = await store_work.reject_pickup(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            input.reason,
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(description="What the store has of it may be fetched (备货完成).")
    async def pickup_ready(self, info: YipanInfo, input: PickupInput) -> PickupPayload:
        done = await store_work.make_ready(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(description="Keep what is ready until another time.")
    async def pickup_keep(self, info: YipanInfo, input: PickupKeepInput) -> PickupPayload:
        done = await store_work.keep_pickup(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            input.keep_until,
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(
        description="Hand it over to who shows a code (核销): once, all of it or what they take."
    )
    async def pickup_hand_over(
        self, info: YipanInfo, input: PickupHandOverInput
    ) -> PickupHandOverPayload:
        lines = None
        if input.lines is not None:
            lines = tuple(HandedLine(line.line_no, line.quantity) for line in input.lines)
        done = await hand_over(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            Handing(input.code, lines, input.happened_at),
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(
        description="Let it be fetched at another location, or be sent; or fetched, where it was "
        "to be sent and no node has begun."
    )
    async def pickup_move(self, info: YipanInfo, input: PickupMoveInput) -> PickupPayload:
        done = await move_pickup(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            Moving(input.location, input.reason),
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(
        description="Send what an order waits for at its store there, from another location "
        "(调货自提); the store receives it, and has it for the order. For the brand."
    )
    async def pickup_gather(self, info: YipanInfo, input: PickupGatherInput) -> PickupGatherPayload:
        services, principal = info.context.services, info.context.principal
        done = await gather_pickup(
            services.database,
            principal,
            number_of("Order", input.order_id),
            Gathering(input.location, input.arrives_on),
            await services.books.open(principal.tenant_id),
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        await services.publish_levels(principal.tenant_id, done.levels)
        return PickupGathered(
            pickup=pickup_from(done.pickup),
            supplies=[
                GatheredLine(code=one.code, sku=one.sku, units=one.units) for one in done.supplies
            ],
        )

    @strawberry.mutation(
        description="Let somebody fetch an order: whom the buyer sends (代取), or the buyer anew."
    )
    async def pickup_code_issue(
        self, info: YipanInfo, input: PickupCodeIssueInput
    ) -> PickupCodeIssuePayload:
        number = await code_cases.issue_code(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            (input.name, input.phone),
            input.revokes,
            input.idempotency_key,
        )
        return PickupCodeIssued(code_no=number)

    @strawberry.mutation(description="Say for how long stores keep what becomes ready.")
    async def pickup_terms_set(
        self, info: YipanInfo, input: PickupTermsSetInput
    ) -> PickupTermsSetPayload:
        terms = PickupTerms(input.keep_hours, input.remind_hours)
        async with info.context.writing() as tx:
            saved = await set_pickup_terms(tx, terms, input.idempotency_key)
        return PickupTermsSaved(terms=terms_from(saved))


async def _saved(info: YipanInfo, done: PickupDone) -> PickupSaved:
    """Tell everybody of the counters that changed, and answer."""
    counters = done.counters
    if counters.has_any:
        tenant_id = info.context.principal.tenant_id
        await info.context.services.publish_counters(tenant_id, counters)
    return PickupSaved(
        number=done.pickup.order_id,
        pickup=pickup_from(done.pickup),
        order_status=done.order_status,
    )
