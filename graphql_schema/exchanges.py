"""Exchanging (换货): something else for what a customer sends back."""

from typing import Annotated, Any

import strawberry

from backend.after_sales import exchange
from backend.after_sales.errors import ExchangeChanged
from backend.after_sales.exchanging import page_of_exchanges
from backend.after_sales.model import (
    ExchangeDone,
    ExchangeDraft,
    ReturnDraft,
    ReturnKind,
    ReturnUnits,
    WantedLine,
)
from graphql_schema.after_sales import ReturnUnitsInput
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, UserError, WithDetails
from graphql_schema.paging import number_of
from graphql_schema.returns import Exchange, Return, exchange_from, return_from
from graphql_schema.scalars import BigInt
from tenants.principal import Permission


@strawberry.type(name="ExchangeChanged", description="How the exchange stands now.")
class ExchangeChangedError(UserError):
    exchange: Exchange


EXCHANGE_HANDLERS: tuple[strawberry.ExceptionHandler[Any, Any], ...] = (
    WithDetails(ExchangeChanged, ExchangeChangedError, exchange=exchange_from),
)


@strawberry.type(description="It was done.")
class ExchangeSaved:
    exchange: Exchange


ExchangePayload = Annotated[
    ExchangeSaved | ExchangeChangedError | InputRefused | PermissionDenied,
    strawberry.union("ExchangePayload"),
]


@strawberry.type(description="It is to come back; what replaces it is ordered.")
class ExchangeRequested:
    request: Return
    exchange: Exchange


ExchangeRequestPayload = Annotated[
    ExchangeRequested | InputRefused | PermissionDenied,
    strawberry.union("ExchangeRequestPayload"),
]


@strawberry.input(description="Units of what replaces it.")
class WantedLineInput:
    sku: str
    quantity: int
    unit_price_minor: BigInt | None = strawberry.field(
        default=None,
        description="For each line, or for none: then all costs what comes back is worth.",
    )


@strawberry.input
class ExchangeRequestInput:
    idempotency_key: str
    order_id: strawberry.ID
    lines: list[ReturnUnitsInput] = strawberry.field(description="What comes back.")
    wanted: list[WantedLineInput]
    reason: str
    location_id: strawberry.ID | None = strawberry.field(
        default=None, description="Where it comes back to, if that is known."
    )


@strawberry.input
class ExchangeInput:
    idempotency_key: str
    return_id: strawberry.ID
    seen_version: int | None = strawberry.field(
        default=None, description="Refused where it has changed since; left out: it may."
    )


@strawberry.input
class ExchangePayInput(ExchangeInput):
    amount_minor: BigInt = strawberry.field(description="What was paid: all that is due now.")
    reference: str = strawberry.field(description="What the payment is called.")


@strawberry.input
class ExchangeWaiveInput(ExchangeInput):
    reason: str


@strawberry.type
class ExchangesQuery:
    @strawberry.field(
        description="At most 100 exchanges with which something is to be done, the oldest first, "
        "after a request."
    )
    async def exchanges(
        self, info: YipanInfo, after_return_id: strawberry.ID | None = None
    ) -> list[Return]:
        info.context.principal.require(Permission.ORDERS_READ)
        after = 0 if after_return_id is None else number_of("Return", after_return_id)
        async with info.context.reading() as tx:
            found = await page_of_exchanges(tx, after, 100)
        requests = await info.context.returns.load_many(found)
        return [return_from(one) for one in requests if one is not None]


@strawberry.type
class ExchangesMutation:
    @strawberry.mutation(
        description="Send units back for others: those are ordered, and reserved, at once, and go "
        "when what comes back was inspected and the difference is paid. Release their hold to send "
        "them before (先换后退)."
    )
    async def exchange_request(
        self, info: YipanInfo, input: ExchangeRequestInput
    ) -> ExchangeRequestPayload:
        back = ReturnDraft(
            number_of("Order", input.order_id),
            ReturnKind.RETURN,
            tuple(ReturnUnits(line.line_no, line.quantity) for line in input.lines),
            input.reason,
            None if input.location_id is None else number_of("Location", input.location_id),
        )
        wanted = tuple(
            WantedLine(line.sku, line.quantity, line.unit_price_minor) for line in input.wanted
        )
        services = info.context.services
        request, done = await exchange.request_exchange(
            services.database,
            services.intake,
            info.context.principal,
            ExchangeDraft(back, wanted),
            input.idempotency_key,
        )
        await _publish(info, done)
        return ExchangeRequested(
            request=return_from(request), exchange=exchange_from(done.exchange)
        )

    @strawberry.mutation(description="The difference was paid: what replaces it may be sent.")
    async def exchange_pay(self, info: YipanInfo, input: ExchangePayInput) -> ExchangePayload:
        done = await exchange.pay_exchange(
            info.context.services.database,
            info.context.principal,
            number_of("Return", input.return_id),
            input.amount_minor,
            input.reference,
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        await _publish(info, done)
        return ExchangeSaved(exchange=exchange_from(done.exchange))

    @strawberry.mutation(description="Forgo the difference: what replaces it may be sent, or was.")
    async def exchange_waive(self, info: YipanInfo, input: ExchangeWaiveInput) -> ExchangePayload:
        done = await exchange.waive_exchange(
            info.context.services.database,
            info.context.principal,
            number_of("Return", input.return_id),
            input.reason,
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        await _publish(info, done)
        return ExchangeSaved(exchange=exchange_from(done.exchange))

    @strawberry.mutation(
        description="Give it up: what replaces it is cancelled, and what came back is paid back."
    )
    async def exchange_drop(self, info: YipanInfo, input: ExchangeInput) -> ExchangePayload:
        done = await exchange.drop_exchange(
            info.context.services.database,
            info.context.principal,
            number_of("Return", input.return_id),
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        await _publish(info, done)
        return ExchangeSaved(exchange=exchange_from(done.exchange))


async def _publish(info: YipanInfo, done: ExchangeDone) -> None:
    if done.counters.has_any:
        tenant_id = info.context.principal.tenant_id
        await info.context.services.publish_counters(tenant_id, done.counters)
