"""After-sales (售后): what customers send back or claim, and what is paid back to them."""

from collections.abc import Iterable
from typing import Annotated, Any

import strawberry
from strawberry import relay

from backend.after_sales import receive, request
from backend.after_sales.errors import RefundChanged, ReturnChanged
from backend.after_sales.model import (
    Inspected,
    RefundStatus,
    ReturnDone,
    ReturnDraft,
    ReturnKind,
    ReturnStatus,
    ReturnUnits,
)
from backend.after_sales.model import ReturnRule as RuleRecord
from backend.after_sales.pay_back import grant_refund, move_refund
from backend.after_sales.receive import Arrived
from backend.after_sales.rules import return_rules, set_return_rules
from backend.after_sales.standing import page_of_refunds, page_of_returns
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, UserError, WithDetails
from graphql_schema.paging import (
    PAGE_DEFAULT,
    connection,
    cursor_of,
    key_of,
    number_of,
    page_size,
)
from graphql_schema.returns import Refund, Return, refund_from, return_from
from graphql_schema.scalars import BigInt
from tenants.principal import Permission

OPEN_RETURNS = (
    ReturnStatus.REQUESTED,
    ReturnStatus.APPROVED,
    ReturnStatus.SENT_BACK,
    ReturnStatus.RECEIVED,
)
OPEN_REFUNDS = (RefundStatus.DUE, RefundStatus.ASKED, RefundStatus.FAILED)


@strawberry.type(
    description="How long after it has come goods may be sent back; empty: of all channels, or "
    "categories, that have no rule of their own."
)
class ReturnRule:
    days: int = strawberry.field(description="0: never.")
    is_automatic: bool
    channel: str
    category: str
    is_exception: bool = strawberry.field(description="It is not the rule for all.")


@strawberry.type(name="ReturnChanged", description="How the request stands now.")
class ReturnChangedError(UserError):
    request: Return


@strawberry.type(name="RefundChanged", description="How the refund stands now.")
class RefundChangedError(UserError):
    refund: Refund


AFTER_SALES_HANDLERS: tuple[strawberry.ExceptionHandler[Any, Any], ...] = (
    WithDetails(ReturnChanged, ReturnChangedError, request=return_from),
    WithDetails(RefundChanged, RefundChangedError, refund=refund_from),
)


@strawberry.type(description="It was done.")
class ReturnSaved:
    request: Return
    owed_minor: BigInt = strawberry.field(description="What is owed with it.")


ReturnPayload = Annotated[
    ReturnSaved | ReturnChangedError | InputRefused | PermissionDenied,
    strawberry.union("ReturnPayload"),
]


@strawberry.type(description="It was done.")
class RefundSaved:
    refund: Refund


RefundPayload = Annotated[
    RefundSaved | RefundChangedError | InputRefused | PermissionDenied,
    strawberry.union("RefundPayload"),
]


@strawberry.input
class ReturnUnitsInput:
    line_no: int
    quantity: int


@strawberry.input
class ReturnRequestInput:
    idempotency_key: str
    order_id: strawberry.ID
    kind: ReturnKind
    lines: list[ReturnUnitsInput]
    reason: str
    location_id: strawberry.ID | None = strawberry.field(
        default=None, description="Where it comes back to, if that is known."
    )


@strawberry.input
class ReturnInput:
    idempotency_key: str
    return_id: strawberry.ID
    seen_version: int | None = strawberry.field(
        default=None, description="Refused where it has changed since; left out: it may."
    )


@strawberry.input
class ReturnApproveInput(ReturnInput):
    location_id: strawberry.ID | None = None


@strawberry.input
class ReturnEndInput(ReturnInput):
    reason: str = ""


@strawberry.input
class ReturnSendBackInput(ReturnInput):
    carrier: str
    waybill: str


@strawberry.input
class ReturnReceiveInput(ReturnInput):
    location_id: strawberry.ID
    lines: list[ReturnUnitsInput] | None = strawberry.field(
        default=None, description="What came; left out: all of it."
    )


@strawberry.input(description="Together they are what was received of the line.")
class InspectedInput:
    line_no: int
    good: int = 0
    defective: int = 0
    scrapped: int = 0
    denied: int = 0


@strawberry.input
class ReturnInspectInput(ReturnInput):
    lines: list[InspectedInput]


@strawberry.input
class ReturnTakeBackInput:
    idempotency_key: str
    order_id: strawberry.ID
    location_id: strawberry.ID
    lines: list[ReturnUnitsInput]
    reason: str


@strawberry.input
class ParcelTakeInInput:
    idempotency_key: str
    parcel_id: strawberry.ID
    location_id: strawberry.ID = strawberry.field(description="Where it is now.")
    reason: str = strawberry.field(description="Why nobody accepted it.")


@strawberry.input
class RefundInput:
    idempotency_key: str
    order_id: strawberry.ID
    refund_no: int
    reference: str = strawberry.field(default="", description="What whoever pays it back calls it.")
    seen_version: int | None = None


@strawberry.input
class RefundGrantInput:
    idempotency_key: str
    order_id: strawberry.ID
    amount_minor: BigInt
    reason: str


@strawberry.input
class ReturnRuleInput:
    days: int
    is_automatic: bool = False
    channel: str = ""
    category: str = ""


@strawberry.input(description="The first rule is for all; the others except from it.")
class ReturnRulesSetInput:
    idempotency_key: str
    rules: list[ReturnRuleInput]


@strawberry.type
class ReturnRulesSaved:
    rules: list[ReturnRule]


ReturnRulesSetPayload = Annotated[
    ReturnRulesSaved | InputRefused | PermissionDenied, strawberry.union("ReturnRulesSetPayload")
]


def rule_from(rule: RuleRecord) -> ReturnRule:
    return ReturnRule(
        days=rule.days,
        is_automatic=rule.is_automatic,
        channel=rule.channel,
        category=rule.category,
        is_exception=bool(rule.channel or rule.category),
    )


@strawberry.type
class AfterSalesQuery:
    @strawberry.field(
        description="Requests that you may see, the oldest first: of a location or all, in some "
        "states, or (left out) all with which something is to be done."
    )
    async def returns(
        self,
        info: YipanInfo,
        location_id: strawberry.ID | None = None,
        statuses: list[ReturnStatus] | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Return]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        node_id = None if location_id is None else number_of("Location", location_id)
        async with info.context.reading() as tx:
            found = await page_of_returns(tx, node_id, statuses or OPEN_RETURNS, start, limit)
        return connection(found, first, return_from, lambda one: cursor_of(one.id))

    @strawberry.field(
        description="At most 100 refunds that you may see, the oldest orders first, after an order "
        "and number: in some states, or (left out) all that are to be paid back still."
    )
    async def refunds(
        self,
        info: YipanInfo,
        statuses: list[RefundStatus] | None = None,
        after_order_id: strawberry.ID | None = None,
        after_refund_no: int = 0,
    ) -> list[Refund]:
        info.context.principal.require(Permission.ORDERS_READ)
        after = (
            0 if after_order_id is None else number_of("Order", after_order_id),
            after_refund_no,
        )
        async with info.context.reading() as tx:
            found = await page_of_refunds(tx, statuses or OPEN_REFUNDS, after, 100)
        return [refund_from(one) for one in found]

    @strawberry.field(description="The rule for all first, then what is excepted from it.")
    async def return_rules(self, info: YipanInfo) -> list[ReturnRule]:
        info.context.principal.require(Permission.ORDERS_READ)
        async with info.context.reading() as tx:
            return [rule_from(rule) for rule in await return_rules(tx)]


@strawberry.type
class AfterSalesMutation:
    @strawberry.mutation(
        description="Ask to send units back, or to be paid back for them; the rules decide whether "
        "it may be, and whether somebody looks at it."
    )
    async def return_request(self, info: YipanInfo, input: ReturnRequestInput) -> ReturnPayload:
        draft = ReturnDraft(
            number_of("Order", input.order_id),
            input.kind,
            _units(input.lines),
            input.reason,
            _node_id(input.location_id),
        )
        done = await request.request_return(
            info.context.services.database, info.context.principal, draft, input.idempotency_key
        )
        return await _saved(info, done)

    @strawberry.mutation(description="Let it come back, or owe what is claimed.")
    async def return_approve(self, info: YipanInfo, input: ReturnApproveInput) -> ReturnPayload:
        done = await request.approve_return(
            info.context.services.database,
            info.context.principal,
            number_of("Return", input.return_id),
            node_id=_node_id(input.location_id),
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(description="Say no, and why.")
    async def return_reject(self, info: YipanInfo, input: ReturnEndInput) -> ReturnPayload:
        return await _end(info, input, is_rejected=True)

    @strawberry.mutation(description="The customer keeps it after all.")
    async def return_cancel(self, info: YipanInfo, input: ReturnEndInput) -> ReturnPayload:
        return await _end(info, input, is_rejected=False)

    @strawberry.mutation(description="The customer has sent it.")
    async def return_send_back(self, info: YipanInfo, input: ReturnSendBackInput) -> ReturnPayload:
        done = await request.send_back(
            info.context.services.database,
            info.context.principal,
            number_of("Return", input.return_id),
            (input.carrier, input.waybill),
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(description="It came to a location, and lies there to be inspected.")
    async def return_receive(self, info: YipanInfo, input: ReturnReceiveInput) -> ReturnPayload:
        lines = None if input.lines is None else _units(input.lines)
        done = await receive.receive_return(
            info.context.services.database,
            info.context.principal,
            number_of("Return", input.return_id),
            Arrived(number_of("Location", input.location_id), lines),
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(
        description="Take goods back at a counter (线下退货), wherever they were bought."
    )
    async def return_take_back(self, info: YipanInfo, input: ReturnTakeBackInput) -> ReturnPayload:
        draft = ReturnDraft(
            number_of("Order", input.order_id),
            ReturnKind.RETURN,
            _units(input.lines),
            input.reason,
            number_of("Location", input.location_id),
        )
        done = await receive.take_back(
            info.context.services.database, info.context.principal, draft, input.idempotency_key
        )
        return await _saved(info, done)

    @strawberry.mutation(
        description="Take a parcel in that nobody accepted (拒收入库): then it is inspected."
    )
    async def parcel_take_in(self, info: YipanInfo, input: ParcelTakeInInput) -> ReturnPayload:
        at = receive.ReturnedTo(number_of("Location", input.location_id), input.reason)
        done = await receive.take_in_parcel(
            info.context.services.database,
            info.context.principal,
            number_of("Parcel", input.parcel_id),
            at,
            input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(
        description="What units that came were found to be (质检): then it is closed, and owed."
    )
    async def return_inspect(self, info: YipanInfo, input: ReturnInspectInput) -> ReturnPayload:
        done = await receive.inspect_return(
            info.context.services.database,
            info.context.principal,
            number_of("Return", input.return_id),
            [
                Inspected(one.line_no, one.good, one.defective, one.scrapped, one.denied)
                for one in input.lines
            ],
            seen=input.seen_version,
            key=input.idempotency_key,
        )
        return await _saved(info, done)

    @strawberry.mutation(description="Say what may be sent back, and how long (售后政策).")
    async def return_rules_set(
        self, info: YipanInfo, input: ReturnRulesSetInput
    ) -> ReturnRulesSetPayload:
        rules = [
            RuleRecord(one.days, one.is_automatic, one.channel, one.category) for one in input.rules
        ]
        async with info.context.writing() as tx:
            saved = await set_return_rules(tx, rules, input.idempotency_key)
        return ReturnRulesSaved(rules=[rule_from(rule) for rule in saved])

    @strawberry.mutation(description="Whoever pays it back was asked to.")
    async def refund_ask(self, info: YipanInfo, input: RefundInput) -> RefundPayload:
        return await _move(info, input, "ask")

    @strawberry.mutation(description="It was paid back.")
    async def refund_pay(self, info: YipanInfo, input: RefundInput) -> RefundPayload:
        return await _move(info, input, "pay")

    @strawberry.mutation(description="Whoever pays it back has refused.")
    async def refund_fail(self, info: YipanInfo, input: RefundInput) -> RefundPayload:
        return await _move(info, input, "fail")

    @strawberry.mutation(description="It is not paid back after all.")
    async def refund_waive(self, info: YipanInfo, input: RefundInput) -> RefundPayload:
        return await _move(info, input, "waive")

    @strawberry.mutation(description="Owe an amount beside the lines: freight, or goodwill.")
    async def refund_grant(self, info: YipanInfo, input: RefundGrantInput) -> RefundPayload:
        refund = await grant_refund(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            input.amount_minor,
            input.reason,
            input.idempotency_key,
        )
        return RefundSaved(refund=refund_from(refund))


async def _end(info: YipanInfo, input: ReturnEndInput, *, is_rejected: bool) -> ReturnSaved:
    done = await request.end_return(
        info.context.services.database,
        info.context.principal,
        number_of("Return", input.return_id),
        is_rejected=is_rejected,
        reason=input.reason,
        seen=input.seen_version,
        key=input.idempotency_key,
    )
    return await _saved(info, done)


async def _move(info: YipanInfo, input: RefundInput, step: str) -> RefundSaved:
    refund = await move_refund(
        info.context.services.database,
        info.context.principal,
        (number_of("Order", input.order_id), input.refund_no),
        step,
        input.reference,
        seen=input.seen_version,
        key=input.idempotency_key,
    )
    return RefundSaved(refund=refund_from(refund))


async def _saved(info: YipanInfo, done: ReturnDone) -> ReturnSaved:
    """Tell everybody of the counters that changed, and answer."""
    if done.counters.has_any:
        tenant_id = info.context.principal.tenant_id
        await info.context.services.publish_counters(tenant_id, done.counters)
    return ReturnSaved(request=return_from(done.request), owed_minor=done.owed_minor)


def _units(lines: Iterable[ReturnUnitsInput]) -> tuple[ReturnUnits, ...]:
    return tuple(ReturnUnits(line.line_no, line.quantity) for line in lines)


def _node_id(location_id: strawberry.ID | None) -> int | None:
    return None if location_id is None else number_of("Location", location_id)
