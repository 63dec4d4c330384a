"""Trade-ins (以旧换新单): old units that customers give with the order of new ones."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Self

import strawberry
from strawberry import relay

from backend.after_sales.errors import TradeInChanged
from backend.after_sales.model import TradeIn as TradeInRecord
from backend.after_sales.model import TradeInDraft, TradeInStatus, UnitMove
from backend.after_sales.trade_ins import (
    move_trade_in,
    page_of_trade_ins,
    promise_trade_in,
    trade_ins_by_ids,
)
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, UserError, WithDetails
from graphql_schema.network import Location, load_location
from graphql_schema.nodes import nodes_of_orders
from graphql_schema.paging import (
    PAGE_DEFAULT,
    connection,
    cursor_of,
    id_of,
    key_of,
    number_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Permission

strawberry.enum(TradeInStatus, name="TradeInStatus", description="Where a trade-in stands.")
ENDED = (TradeInStatus.PAID, TradeInStatus.CLOSED, TradeInStatus.CANCELLED)
OPEN = tuple(status for status in TradeInStatus if status not in ENDED)


@strawberry.type(
    description="An old unit that is given for a part of the price (以旧换新单); it is no stock."
)
class TradeIn(relay.Node):
    number: relay.NodeID[int]
    order_number: strawberry.Private[int]
    node_id: strawberry.Private[int | None]
    line_no: int = strawberry.field(description="Of the new one.")
    status: TradeInStatus
    version: int = strawberry.field(description="Grows with every change: say which one you saw.")
    description: str = strawberry.field(description="What it is, as the customer says.")
    serial: str
    promised_minor: BigInt
    finding: str = strawberry.field(description="What it was found to be.")
    credit_minor: BigInt = strawberry.field(description="What it is worth so.")
    reason: str = strawberry.field(description="Why it is not given after all.")
    reference: str = strawberry.field(description="What the payment is called.")
    carrier: str
    waybill: str
    requested_by: str
    requested_at: datetime
    changed_at: datetime

    @strawberry.field
    def order_id(self) -> strawberry.ID:
        return strawberry.ID(id_of("Order", self.order_number))

    @strawberry.field(description="Where it lies.")
    async def location(self, info: YipanInfo) -> Location | None:
        return None if self.node_id is None else await load_location(info, self.node_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_of_orders(info, node_ids, trade_ins_by_ids, trade_in_from)


def trade_in_from(one: TradeInRecord) -> TradeIn:
    return TradeIn(
        number=one.id,
        order_number=one.order_id,
        node_id=one.node_id,
        line_no=one.line_no,
        status=one.status,
        version=one.version,
        description=one.description,
        serial=one.serial,
        promised_minor=one.promised_minor,
        finding=one.finding,
        credit_minor=one.credit_minor,
        reason=one.reason,
        reference=one.reference,
        carrier=one.carrier,
        waybill=one.waybill,
        requested_by=one.requested_by,
        requested_at=one.requested_at,
        changed_at=one.changed_at,
    )


@strawberry.type(name="TradeInChanged", description="How the trade-in stands now.")
class TradeInChangedError(UserError):
    trade_in: TradeIn


TRADE_IN_HANDLERS: tuple[strawberry.ExceptionHandler[Any, Any], ...] = (
    WithDetails(TradeInChanged, TradeInChangedError, trade_in=trade_in_from),
)


@strawberry.type(description="It was done.")
class TradeInSaved:
    trade_in: TradeIn


TradeInPayload = Annotated[
    TradeInSaved | TradeInChangedError | InputRefused | PermissionDenied,
    strawberry.union("TradeInPayload"),
]


@strawberry.input
class TradeInPromiseInput:
    idempotency_key: str
    order_id: strawberry.ID
    line_no: int = strawberry.field(description="Of the new one.")
    description: str = strawberry.field(description="What the old one is.")
    promised_minor: BigInt = strawberry.field(
        description="What it is worth if that is so: at most what the new one costs."
    )
    serial: str = ""


@strawberry.input
class TradeInInput:
    idempotency_key: str
    trade_in_id: strawberry.ID
    seen_version: int | None = strawberry.field(
        default=None, description="Refused where it has changed since; left out: it may."
    )


@strawberry.input
class TradeInReceiveInput(TradeInInput):
    location_id: strawberry.ID


@strawberry.input
class TradeInGradeInput(TradeInInput):
    finding: str
    worth_minor: BigInt = strawberry.field(
        description="Where it is what was promised, or more, that is credited at once."
    )


@strawberry.input
class TradeInAcceptInput(TradeInInput):
    amount_minor: BigInt = strawberry.field(description="The credit, as the customer knows it.")


@strawberry.input
class TradeInReasonInput(TradeInInput):
    reason: str


@strawberry.input
class TradeInSendHomeInput(TradeInInput):
    carrier: str = ""
    waybill: str = ""


@strawberry.input
class TradeInPayInput(TradeInInput):
    reference: str


@strawberry.type
class TradeInsQuery:
    @strawberry.field(
        description="Trade-ins that you may see, the oldest first: of a location, of an order, in "
        "some states, or (left out) all with which something is to be done."
    )
    async def trade_ins(
        self,
        info: YipanInfo,
        location_id: strawberry.ID | None = None,
        order_id: strawberry.ID | None = None,
        statuses: list[TradeInStatus] | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[TradeIn]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        of = (
            None if location_id is None else number_of("Location", location_id),
            None if order_id is None else number_of("Order", order_id),
        )
        async with info.context.reading() as tx:
            found = await page_of_trade_ins(tx, of, statuses or OPEN, start, limit)
        return connection(found, first, trade_in_from, lambda one: cursor_of(one.id))


@strawberry.type
class TradeInsMutation:
    @strawberry.mutation(
        description="Promise so much for an old unit, with the order of a new one."
    )
    async def trade_in_promise(self, info: YipanInfo, input: TradeInPromiseInput) -> TradeInPayload:
        draft = TradeInDraft(
            number_of("Order", input.order_id),
            input.line_no,
            input.description,
            input.promised_minor,
            input.serial,
        )
        done = await promise_trade_in(
            info.context.services.database, info.context.principal, draft, input.idempotency_key
        )
        return TradeInSaved(trade_in=trade_in_from(done))

    @strawberry.mutation(description="It does not come.")
    async def trade_in_cancel(self, info: YipanInfo, input: TradeInReasonInput) -> TradeInPayload:
        return await _moved(info, input, UnitMove("cancel", input.reason))

    @strawberry.mutation(description="It lies at a location.")
    async def trade_in_receive(self, info: YipanInfo, input: TradeInReceiveInput) -> TradeInPayload:
        node_id = number_of("Location", input.location_id)
        return await _moved(info, input, UnitMove("receive", node_id=node_id))

    @strawberry.mutation(description="What it is, and what it is worth (验机).")
    async def trade_in_grade(self, info: YipanInfo, input: TradeInGradeInput) -> TradeInPayload:
        move = UnitMove("grade", input.finding, input.worth_minor)
        return await _moved(info, input, move)

    @strawberry.mutation(description="The customer takes what it is worth.")
    async def trade_in_accept(self, info: YipanInfo, input: TradeInAcceptInput) -> TradeInPayload:
        move = UnitMove("accept", amount_minor=input.amount_minor)
        return await _moved(info, input, move)

    @strawberry.mutation(description="The customer wants it back.")
    async def trade_in_decline(self, info: YipanInfo, input: TradeInReasonInput) -> TradeInPayload:
        return await _moved(info, input, UnitMove("decline", input.reason))

    @strawberry.mutation(description="It goes home, by a carrier or with the customer.")
    async def trade_in_send_home(
        self, info: YipanInfo, input: TradeInSendHomeInput
    ) -> TradeInPayload:
        move = UnitMove("send_home", carrier=input.carrier, waybill=input.waybill)
        return await _moved(info, input, move)

    @strawberry.mutation(description="What it is worth was paid to the customer.")
    async def trade_in_pay(self, info: YipanInfo, input: TradeInPayInput) -> TradeInPayload:
        return await _moved(info, input, UnitMove("pay", input.reference))


async def _moved(info: YipanInfo, input: TradeInInput, move: UnitMove) -> TradeInSaved:
    done = await move_trade_in(
        info.context.services.database,
        info.context.principal,
        number_of("TradeIn", input.trade_in_id),
        move,
        seen=input.seen_version,
        key=input.idempotency_key,
    )
    return TradeInSaved(trade_in=trade_in_from(done))
