"""Changing what an order says (改单): seen first, then done."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any

import strawberry

from backend.orders.edit_order import Edited, LineEdit, OrderEdit, edit_order
from backend.orders.errors import OrderChanged
from backend.orders.events import Edit
from backend.orders.model import AddressDraft, OrderStatus
from backend.orders.split_order import SplitLine, SplitPart, split_order
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, UserError, WithDetails
from graphql_schema.order_commands import AddressInput
from graphql_schema.orders import Order, order_from
from graphql_schema.paging import number_of
from graphql_schema.scalars import BigInt


@strawberry.input(description="Another quantity, or another SKU at the price of the line.")
class LineEditInput:
    line_no: int
    quantity: int | None = strawberry.field(
        default=None, description="Of units that are not cancelled."
    )
    sku: str | None = None


@strawberry.input(description="What is left out stays as it is.")
class OrderEditInput:
    idempotency_key: str
    order_id: strawberry.ID
    seen_version: int = strawberry.field(
        description="The version of the order that you looked at; refused where it has changed."
    )
    is_preview: bool = strawberry.field(
        default=False, description="Only say what it would come to."
    )
    address: AddressInput | None = None
    remark: str | None = strawberry.field(default=None, description="Of the shop (卖家备注).")
    promised_on: date | None = None
    lines: list[LineEditInput] = strawberry.field(default_factory=list)
    location: str | None = strawberry.field(
        default=None,
        description="The code of the location that is to send what is not sent (指定仓), with a "
        "reason; an empty one: routing chooses again. For the brand.",
    )
    reason: str = ""


@strawberry.type(name="OrderEditedField", description="What the order said, and says.")
class EditedField:
    field: str
    before: str
    after: str


@strawberry.type(description="What it came to, or, of a preview, would.")
class OrderEdited:
    number: strawberry.Private[int]
    is_preview: bool
    status: OrderStatus
    version: int
    edits: list[EditedField]
    cancelled: BigInt
    added: BigInt
    freed: BigInt = strawberry.field(
        description="Units that are free where they were reserved, and wait for a node again."
    )
    total_minor: BigInt

    @strawberry.field(description="The order as it is now.")
    async def order(self, info: YipanInfo) -> Order | None:
        row = await info.context.orders.load(self.number)
        return order_from(row) if row else None


@strawberry.type(name="OrderChanged", description="The version of the order now.")
class OrderChangedError(UserError):
    version: int


@strawberry.input(description="Units of a line.")
class SplitLineInput:
    line_no: int
    quantity: int


@strawberry.input(description="What a location sends, by its code.")
class SplitPartInput:
    location: str
    lines: list[SplitLineInput]


@strawberry.input(description="The parts are all units of the order, each once.")
class OrderSplitInput:
    idempotency_key: str
    order_id: strawberry.ID
    seen_version: int = strawberry.field(
        description="The version of the order that you looked at; refused where it has changed."
    )
    is_preview: bool = strawberry.field(
        default=False, description="Only say what it would come to."
    )
    parts: list[SplitPartInput]
    reason: str


@strawberry.type(description="What it came to, or, of a preview, would.")
class OrderSplit:
    number: strawberry.Private[int]
    is_preview: bool
    version: int
    edits: list[EditedField]
    moved: BigInt = strawberry.field(description="Units that come from elsewhere than before.")

    @strawberry.field(description="The order as it is now.")
    async def order(self, info: YipanInfo) -> Order | None:
        row = await info.context.orders.load(self.number)
        return order_from(row) if row else None


ORDER_EDIT_HANDLERS: tuple[strawberry.ExceptionHandler[Any, Any], ...] = (
    WithDetails(OrderChanged, OrderChangedError),
)
OrderEditPayload = Annotated[
    OrderEdited | OrderChangedError | InputRefused | PermissionDenied,
    strawberry.union("OrderEditPayload"),
]


OrderSplitPayload = Annotated[
    OrderSplit | OrderChangedError | InputRefused | PermissionDenied,
    strawberry.union("OrderSplitPayload"),
]


@strawberry.type
class OrderEditsMutation:
    @strawberry.mutation(
        description="Change to whom, where, when, what of it, and from which location an order is "
        "sent, while nobody has begun with what is changed: all of it, or nothing."
    )
    async def order_edit(self, info: YipanInfo, input: OrderEditInput) -> OrderEditPayload:
        services, principal = info.context.services, info.context.principal
        edited = await edit_order(
            services.database,
            principal,
            number_of("Order", input.order_id),
            _edit(input),
            services.regions,
            seen=input.seen_version,
            key=input.idempotency_key,
            is_preview=input.is_preview,
        )
        if not input.is_preview:
            await services.publish_counters(principal.tenant_id, edited.counters)
        return _edited_from(edited, is_preview=input.is_preview)

    @strawberry.mutation(
        description="Say which units of an order come from where (手工拆单), while no location has "
        "begun with it: all of it, or nothing. For the brand."
    )
    async def order_split(self, info: YipanInfo, input: OrderSplitInput) -> OrderSplitPayload:
        services, principal = info.context.services, info.context.principal
        split = await split_order(
            services.database,
            principal,
            number_of("Order", input.order_id),
            [
                SplitPart(
                    part.location,
                    tuple(SplitLine(line.line_no, line.quantity) for line in part.lines),
                )
                for part in input.parts
            ],
            await services.books.open(principal.tenant_id),
            input.reason,
            seen=input.seen_version,
            key=input.idempotency_key,
            is_preview=input.is_preview,
        )
        if not input.is_preview:
            await services.publish_counters(principal.tenant_id, split.counters)
        return OrderSplit(
            number=split.order_id,
            is_preview=input.is_preview,
            version=split.version,
            edits=_fields(split.edits),
            moved=split.moved,
        )


def _fields(edits: Iterable[Edit]) -> list[EditedField]:
    return [EditedField(field=one.field, before=one.before, after=one.after) for one in edits]


def _edit(given: OrderEditInput) -> OrderEdit:
    address = None
    if given.address is not None:
        address = AddressDraft(
            detail=given.address.detail,
            region_code=given.address.region_code,
            region_path=tuple(given.address.region_path),
            name=given.address.name,
            phone=given.address.phone,
        )
    return OrderEdit(
        address=address,
        remark=given.remark,
        promised_on=given.promised_on,
        lines=tuple(LineEdit(one.line_no, one.quantity, one.sku) for one in given.lines),
        node=given.location,
        reason=given.reason,
    )


def _edited_from(edited: Edited, *, is_preview: bool) -> OrderEdited:
    return OrderEdited(
        number=edited.order_id,
        is_preview=is_preview,
        status=edited.status,
        version=edited.version,
        edits=_fields(edited.edits),
        cancelled=edited.cancelled,
        added=edited.added,
        freed=edited.freed,
        total_minor=edited.total_minor,
    )
