"""Commands on orders: place, cancel, release a hold."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, cast

import msgspec
import strawberry
from strawberry.types.arguments import InputContext
from strawberry.types.base import get_object_definition

from backend.inventory.accuracy.model import ShortageCause
from backend.inventory.counters import Counters
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.model import (
    LINES_MAX,
    HoldKind,
    LineOutcome,
    OrderDraft,
    OrderStatus,
    Outcome,
    Placed,
    Shortage,
)
from backend.orders.release_holds import Resolution, release_hold
from backend.orders.report_shortage import ShortPick, report_shortage
from graphql_schema.appointments import AppointmentInput
from graphql_schema.context import YipanInfo
from graphql_schema.deposits import OrderDepositInput
from graphql_schema.errors import (
    AmountsDoNotAddUp,
    InputRefused,
    InsufficientStockError,
    PermissionDenied,
    TooBusy,
    error_from_refused,
)
from graphql_schema.orders import Order, order_from
from graphql_schema.paging import id_of, number_of
from graphql_schema.parcels import fulfilment_key
from graphql_schema.scalars import BigInt

strawberry.enum(ShortageCause, name="ShortageCause", description="Why units cannot be sent.")

OPTIONAL = ("hold", "traits", "appointment", "pickup", "deposit")
"""What stands nowhere in a draft if it is left out."""
ORDERS_PER_CALL_MAX = 100
"""Orders of one `ordersPlace`; more go to POST /intake/orders, which streams."""


@strawberry.input
class OrderLineInput:
    sku: str
    quantity: int
    unit_price_minor: BigInt = 0
    discount_minor: BigInt = 0


@strawberry.input
class OrderFeeInput:
    code: str
    amount_minor: BigInt
    description: str = ""


@strawberry.input(description="A region by code, or by its names from the outside in.")
class AddressInput:
    detail: str
    region_code: BigInt | None = None
    region_path: list[str] = strawberry.field(default_factory=list)
    name: str = ""
    phone: str = ""


@strawberry.input(description="What whoever sends an order may say about it for routing.")
class OrderTraitsInput:
    order_type: str = strawberry.field(
        default="", description="As the channel calls it: normal, exchange, group buy."
    )
    customer_level: int = strawberry.field(
        default=0, description="0 for anybody, to 9 for the best customers."
    )
    payment: str = ""
    promised_on: date | None = strawberry.field(
        default=None, description="The day by which the customer was promised to have it."
    )
    tags: list[str] = strawberry.field(default_factory=list)
    promotions: list[str] = strawberry.field(default_factory=list)
    subsidy_region: BigInt | None = strawberry.field(
        default=None, description="The region whose subsidy (国补) it was sold with."
    )


@strawberry.input(description="Where the customer fetches an order (到店自提).")
class OrderPickupInput:
    location: str = strawberry.field(description="The code of a location that hands orders over.")


@strawberry.input(description=f"An order of at most {LINES_MAX} lines.")
class OrderPlaceInput:
    shop: str
    address: AddressInput
    idempotency_key: str
    lines: list[OrderLineInput] = strawberry.field(default_factory=list)
    external_id: str | None = None
    is_paid: bool = strawberry.field(
        default=False, description="Paid on its platform already: never refused for stock."
    )
    shortage: Shortage | None = None
    fees: list[OrderFeeInput] = strawberry.field(default_factory=list)
    order_discount_minor: BigInt = 0
    freight_minor: BigInt = 0
    total_minor: BigInt | None = strawberry.field(
        default=None, description="Checked against the sum."
    )
    ordered_at: datetime | None = None
    remark: str = ""
    hold: strawberry.ID | None = strawberry.field(
        default=None,
        description="The stock hold whose units it takes over; one that has ended changes nothing.",
    )
    traits: OrderTraitsInput | None = strawberry.field(
        default=None, description="What routing policies may ask about, beside all the rest."
    )
    appointment: AppointmentInput | None = strawberry.field(
        default=None,
        description="When it is to be delivered, and installed: all of it then, or it is refused. "
        "What is paid already, or takes what is there (PARTIAL, BACKORDER), is held for another "
        "time instead.",
    )
    pickup: OrderPickupInput | None = strawberry.field(
        default=None, description="It is fetched there; left out: it is sent."
    )
    deposit: OrderDepositInput | None = strawberry.field(
        default=None, description="What was paid ahead; it goes when the rest is paid (尾款)."
    )


@strawberry.input
class OrdersPlaceInput:
    orders: list[OrderPlaceInput]


@strawberry.type(description="What became of a line's units when the order was placed.")
class PlacedLine:
    line_no: int
    reserved: int
    backordered: int
    held: int
    cancelled: int


@strawberry.type(description="The order exists and its stock is taken.")
class OrderPlaced:
    number: strawberry.Private[int]
    order_id: strawberry.ID
    status: OrderStatus
    lines: list[PlacedLine]
    holds: list[HoldKind]
    parcels: int

    @strawberry.field(description="The order as it is now.")
    async def order(self, info: YipanInfo) -> Order | None:
        row = await info.context.orders.load(self.number)
        return order_from(row) if row else None


OrderPlacePayload = Annotated[
    OrderPlaced
    | InsufficientStockError
    | AmountsDoNotAddUp
    | TooBusy
    | InputRefused
    | PermissionDenied,
    strawberry.union("OrderPlacePayload"),
]


@strawberry.type(description="An answer an order, in the order given.")
class OrdersPlaced:
    results: list[OrderPlacePayload]


OrdersPlacePayload = Annotated[
    OrdersPlaced | InputRefused | PermissionDenied, strawberry.union("OrdersPlacePayload")
]


@strawberry.input
class CancelLineInput:
    line_no: int
    quantity: int


@strawberry.input
class OrderCancelInput:
    order_id: strawberry.ID
    idempotency_key: str
    lines: list[CancelLineInput] | None = strawberry.field(
        default=None, description="Left out: all that is left of the order."
    )
    reason: str = ""


@strawberry.type
class OrderCancelled:
    number: strawberry.Private[int]
    status: OrderStatus
    units: int

    @strawberry.field
    async def order(self, info: YipanInfo) -> Order | None:
        row = await info.context.orders.load(self.number)
        return order_from(row) if row else None


OrderCancelPayload = Annotated[
    OrderCancelled | InputRefused | PermissionDenied, strawberry.union("OrderCancelPayload")
]


@strawberry.input(description="What resolves the hold: the right SKU, or the right region.")
class OrderHoldReleaseInput:
    idempotency_key: str
    order_id: strawberry.ID
    hold_no: int
    sku: str | None = None
    region_code: BigInt | None = None


@strawberry.type
class OrderHoldReleased:
    status: OrderStatus


OrderHoldReleasePayload = Annotated[
    OrderHoldReleased | InputRefused | PermissionDenied,
    strawberry.union("OrderHoldReleasePayload"),
]


def _draft(_: type, values: Mapping[str, Any], __: InputContext) -> OrderDraft:
    """Return the draft that every entrance makes of its input.

    Resolvers get it where the schema shows an `OrderPlaceInput`. GraphQL has checked the values,
    and their names are the draft's own; building it in one go takes a hundredth of the time that an
    input object a line takes.
    """
    hold = values.get("hold")
    if hold is not None:
        values = {**values, "hold": number_of("StockHold", hold)}
    left_out = {name for name in OPTIONAL if values.get(name, 0) is None}
    if left_out:
        values = {name: value for name, value in values.items() if name not in left_out}
    return msgspec.convert(values, OrderDraft)


get_object_definition(OrderPlaceInput, strict=True).from_input = _draft


def placed_line_from(line: LineOutcome) -> PlacedLine:
    return PlacedLine(
        line_no=line.line_no,
        reserved=line.reserved,
        backordered=line.backordered,
        held=line.held,
        cancelled=line.cancelled,
    )


def payload_from(outcome: Outcome) -> OrderPlacePayload:
    """Return an outcome as the API shows it."""
    if not isinstance(outcome, Placed):
        return error_from_refused(outcome)  # type: ignore[return-value]
    return OrderPlaced(
        number=outcome.order_id,
        order_id=strawberry.ID(id_of("Order", outcome.order_id)),
        status=outcome.status,
        lines=[placed_line_from(line) for line in outcome.lines],
        holds=[HoldKind(hold) for hold in outcome.holds],
        parcels=outcome.parcels,
    )


@strawberry.input
class ShortPickInput:
    line_no: int
    quantity: int = strawberry.field(description="Units that cannot be sent.")


@strawberry.input
class FulfilmentReportShortageInput:
    idempotency_key: str
    fulfilment_id: strawberry.ID
    lines: list[ShortPickInput]
    cause: ShortageCause


@strawberry.type(description="The units have left the node's stock, and wait for another node.")
class FulfilmentShort:
    status: OrderStatus = strawberry.field(description="Of the order, before it is allocated anew.")
    units: BigInt


FulfilmentReportShortagePayload = Annotated[
    FulfilmentShort | InputRefused | PermissionDenied,
    strawberry.union("FulfilmentReportShortagePayload"),
]


@strawberry.type
class OrdersMutation:
    @strawberry.mutation(description="Place an order: all of it, unless `shortage` says otherwise.")
    async def order_place(self, info: YipanInfo, input: OrderPlaceInput) -> OrderPlacePayload:
        draft = cast(OrderDraft, input)
        outcome = await info.context.services.intake.place(draft, info.context.principal)
        return payload_from(outcome)

    @strawberry.mutation(description="Place up to 100 orders, each by itself.")
    async def orders_place(self, info: YipanInfo, input: OrdersPlaceInput) -> OrdersPlacePayload:
        if not 1 <= len(input.orders) <= ORDERS_PER_CALL_MAX:
            return InputRefused(
                code="INVALID_INPUT",
                message=f"Give 1 to {ORDERS_PER_CALL_MAX} orders; stream more to /intake/orders.",
                path=["orders"],
            )
        drafts = cast(list[OrderDraft], input.orders)
        outcomes = await info.context.services.intake.place_many(drafts, info.context.principal)
        return OrdersPlaced(results=[payload_from(outcome) for outcome in outcomes])

    @strawberry.mutation(description="Cancel units of lines, or all that is left of an order.")
    async def order_cancel(self, info: YipanInfo, input: OrderCancelInput) -> OrderCancelPayload:
        services, principal = info.context.services, info.context.principal
        lines = input.lines
        cancelled = await cancel_order(
            services.database,
            principal,
            number_of("Order", input.order_id),
            None if lines is None else [CancelLine(line.line_no, line.quantity) for line in lines],
            input.idempotency_key,
            input.reason,
        )
        await services.publish_counters(principal.tenant_id, cancelled.counters)
        return OrderCancelled(
            number=cancelled.order_id, status=cancelled.status, units=cancelled.units
        )

    @strawberry.mutation(
        description="Say what a node did not find of a fulfilment (缺货上报): its units leave its "
        "stock, and the order is given to another node."
    )
    async def fulfilment_report_shortage(
        self, info: YipanInfo, input: FulfilmentReportShortageInput
    ) -> FulfilmentReportShortagePayload:
        services, principal = info.context.services, info.context.principal
        reported = await report_shortage(
            services.database,
            principal,
            fulfilment_key(input.fulfilment_id),
            [ShortPick(line.line_no, line.quantity) for line in input.lines],
            input.cause,
            input.idempotency_key,
        )
        await services.publish_counters(principal.tenant_id, reported.counters)
        return FulfilmentShort(status=reported.status, units=reported.units)

    @strawberry.mutation(description="Release one hold of an order.")
    async def order_hold_release(
        self, info: YipanInfo, input: OrderHoldReleaseInput
    ) -> OrderHoldReleasePayload:
        services, principal = info.context.services, info.context.principal
        status = await release_hold(
            services.database,
            principal,
            number_of("Order", input.order_id),
            Resolution(input.hold_no, input.sku, input.region_code),
            services.regions,
            input.idempotency_key,
        )
        await services.publish_counters(principal.tenant_id, Counters())
        return OrderHoldReleased(status=status)
