"""Orders as they are read: the order, its lines, holds, fulfilments and what led to them."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.db.pool import Record
from backend.orders import find_orders
from backend.orders.model import FulfilmentStatus, HoldKind, OrderStatus, Shortage
from backend.pickups.model import Pickup as PickupRecord
from backend.pickups.model import PickupStatus
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import YipanInfo
from graphql_schema.deposits import OrderDeposit, deposit_from
from graphql_schema.events import OrderEvent, order_event_from
from graphql_schema.money import Money
from graphql_schema.network import Location, Shop, load_location, load_shop
from graphql_schema.paging import (
    PAGE_DEFAULT,
    composite_key,
    connection,
    cursor_of,
    id_of,
    key_of,
    number_of,
    numbers_of,
    page_size,
)
from graphql_schema.parcels import Intercept, Parcel, intercept_from, parcel_from
from graphql_schema.returns import Refund, Return, refund_from, return_from
from graphql_schema.scalars import BigInt
from graphql_schema.slots import OrderAppointment, Visit, appointment_from, load_visit
from tenants.principal import Permission

strawberry.enum(OrderStatus, name="OrderStatus", description="Where it stands.")
strawberry.enum(FulfilmentStatus, name="FulfilmentStatus", description="Where it stands.")
strawberry.enum(PickupStatus, name="PickupStatus", description="Where it stands.")
strawberry.enum(Shortage, name="Shortage", description="What to do where stock is short.")
strawberry.enum(HoldKind, name="HoldKind", description="Why an order waits.")


@strawberry.type(description="A line, and where its units stand.")
class OrderLine:
    sku_id: strawberry.Private[int | None]
    line_no: int
    sku_code: str
    quantity: int
    reserved: int
    backordered: int
    held: int
    cancelled: int
    at_node: int = strawberry.field(description="A node picks and packs them.")
    shipped: int = strawberry.field(description="They are on their way.")
    delivered: int
    unit_price_minor: BigInt
    line_discount_minor: BigInt
    order_discount_minor: BigInt
    amount_minor: BigInt
    expected_on: date | None = strawberry.field(
        description="When the last of what waits is expected; null where not all is promised."
    )
    item_code: str | None = strawberry.field(
        description="What it is called in the dealer's shop, where that is no SKU."
    )
    agreement_id: strawberry.ID | None = strawberry.field(
        description="By which agreement a dealer sells it."
    )
    dealer_price_minor: BigInt | None = strawberry.field(
        description="What the dealer pays for a unit."
    )
    quota_account_id: strawberry.ID | None = strawberry.field(
        description="What is taken for every unit that is neither held nor cancelled."
    )

    @strawberry.field(description="None while the line is held for its SKU.")
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.sku_id)


@strawberry.type(description="Something paid for that is no goods.")
class OrderFee:
    code: str
    description: str
    amount_minor: BigInt


@strawberry.type(description="A reason why an order waits for a person.")
class OrderHold:
    hold_no: int
    line_no: int | None
    kind: HoldKind
    reason: str
    released_at: datetime | None
    placed_by: str | None = strawberry.field(description="Who placed it, where somebody did.")
    expires_at: datetime | None = strawberry.field(description="When it ends by itself.")
    claimed_by: str | None = strawberry.field(description="Who has it in hand.")
    claimed_at: datetime | None


@strawberry.type(description="Units of a line at a functional warehouse.")
class Reservation:
    sku_id: strawberry.Private[int]
    line_no: int
    quantity: int
    active: int = strawberry.field(description="In the node's stock still, for this order.")
    picked: int
    shipped: int

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.sku_id)


@strawberry.type(description="When somebody is warned that a step lasts long, and when it is late.")
class Deadline:
    warn_at: datetime
    late_at: datetime


@strawberry.type(description="What one node does for an order.")
class Fulfilment(relay.Node):
    key: relay.NodeID[str]
    order_id: strawberry.Private[int]
    node_id: strawberry.Private[int]
    slot_id: strawberry.Private[int | None]
    fulfilment_no: int
    status: FulfilmentStatus
    buyer_name: str
    buyer_phone: str
    region_code: BigInt | None
    address: str

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.node_id)

    @strawberry.field(description="The visit by which it is delivered, where a time is agreed.")
    async def visit(self, info: YipanInfo) -> Visit | None:
        return await load_visit(info, self.slot_id)

    @strawberry.field
    async def reservations(self, info: YipanInfo) -> list[Reservation]:
        rows = await info.context.reservations.load(self.order_id)
        return [
            Reservation(
                sku_id=row["sku_id"],
                line_no=row["line_no"],
                quantity=row["quantity"],
                active=row["active"],
                picked=row["picked"],
                shipped=row["shipped"],
            )
            for row in rows
            if row["fulfilment_no"] == self.fulfilment_no
        ]

    @strawberry.field(description="Until when it should have taken its next step, if that is set.")
    async def deadline(self, info: YipanInfo) -> Deadline | None:
        for row in await info.context.deadlines.load(self.order_id):
            if row["fulfilment_no"] == self.fulfilment_no:
                return Deadline(warn_at=row["warn_at"], late_at=row["late_at"])
        return None

    @strawberry.field(description="What it is packed in.")
    async def parcels(self, info: YipanInfo) -> list[Parcel]:
        rows = await info.context.parcels.load(self.order_id)
        return [parcel_from(row) for row in rows if row["fulfilment_no"] == self.fulfilment_no]

    @strawberry.field(description="When somebody asked to stop it, and what the node answered.")
    async def intercepts(self, info: YipanInfo) -> list[Intercept]:
        found = await info.context.intercepts.load(self.order_id)
        return [intercept_from(one) for one in found if one.key.fulfilment_no == self.fulfilment_no]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        info.context.principal.require(Permission.ORDERS_READ)
        keys = [composite_key(node_id, 2) for node_id in node_ids]
        of_orders = await info.context.fulfilments.load_many([key[0] for key in keys])
        found = [
            next((fulfilment_from(row) for row in rows if row["fulfilment_no"] == number), None)
            for (_, number), rows in zip(keys, of_orders, strict=True)
        ]
        return found  # type: ignore[return-value]


@strawberry.type(description="How a plan came about.")
class RoutingDecision:
    decision_no: int
    policy_version: int
    attempt: int
    is_proved: bool = strawberry.field(description="No cheaper plan existed.")
    cost: str = strawberry.field(description="Packed by the policy's objectives.")
    lower_bound: str
    runner_up_cost: str | None


@strawberry.type(description="How the handing over of an order at a location stands (到店自提).")
class Pickup(relay.Node):
    number: relay.NodeID[int]
    node_id: strawberry.Private[int]
    status: PickupStatus
    version: int = strawberry.field(description="Grows with every change: say which one you saw.")
    ready_by: datetime | None = strawberry.field(
        description="Until when the customer was promised to have it ready."
    )
    ready_at: datetime | None
    keep_until: datetime | None = strawberry.field(description="For so long it is kept.")
    reason: str
    changed_at: datetime | None

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.node_id)

    @strawberry.field(description="The order; null for stores, who see what they do for it.")
    async def order(self, info: YipanInfo) -> Annotated["Order", strawberry.lazy(".orders")] | None:
        row = await info.context.orders.load(self.number)
        return order_from(row) if row else None

    @strawberry.field(description="What the location does for it.")
    async def fulfilments(self, info: YipanInfo) -> list[Fulfilment]:
        rows = await info.context.fulfilments.load(self.number)
        return [fulfilment_from(row) for row in rows if row["node_id"] == self.node_id]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        info.context.principal.require(Permission.ORDERS_READ)
        found = await info.context.pickups.load_many(numbers_of(node_ids))
        return [pickup_from(one) if one else None for one in found]  # type: ignore[misc]


@strawberry.type(description="An order from any channel.")
class Order(relay.Node):
    number: relay.NodeID[int]
    shop_id: strawberry.Private[int]
    external_id: str | None
    status: OrderStatus
    shortage: Shortage
    total: Money
    freight: Money
    buyer_name: str
    buyer_phone: str
    region_code: BigInt | None
    address: str
    remark: str
    ordered_at: datetime
    placed_at: datetime
    version: int = strawberry.field(
        description="Grows with everything that happens to it: say which one you saw."
    )

    @strawberry.field
    async def shop(self, info: YipanInfo) -> Shop | None:
        return await load_shop(info, self.shop_id)

    @strawberry.field
    async def lines(self, info: YipanInfo) -> list[OrderLine]:
        return [line_from(row) for row in await info.context.lines.load(self.number)]

    @strawberry.field
    async def fees(self, info: YipanInfo) -> list[OrderFee]:
        return [
            OrderFee(
                code=row["code"], description=row["description"], amount_minor=row["amount_minor"]
            )
            for row in await info.context.fees.load(self.number)
        ]

    @strawberry.field
    async def holds(self, info: YipanInfo) -> list[OrderHold]:
        return [hold_from(row) for row in await info.context.holds.load(self.number)]

    @strawberry.field
    async def fulfilments(self, info: YipanInfo) -> list[Fulfilment]:
        return [fulfilment_from(row) for row in await info.context.fulfilments.load(self.number)]

    @strawberry.field(
        description="When it is to be delivered, and installed, where that is agreed."
    )
    async def appointment(self, info: YipanInfo) -> OrderAppointment | None:
        found = await info.context.appointments.load(self.number)
        return appointment_from(found[0]) if found else None

    @strawberry.field(description="How it is handed over, where the customer fetches it.")
    async def pickup(self, info: YipanInfo) -> Pickup | None:
        found = await info.context.pickups.load(self.number)
        return pickup_from(found) if found else None

    @strawberry.field(description="What was paid ahead, where it is paid in two.")
    async def deposit(self, info: YipanInfo) -> OrderDeposit | None:
        found = await info.context.deposits.load(self.number)
        return deposit_from(found[0]) if found else None

    @strawberry.field(description="What the customer sent back, or claimed.")
    async def returns(self, info: YipanInfo) -> list[Return]:
        found = await info.context.returns_of_orders.load(self.number)
        return [return_from(one) for one in found]

    @strawberry.field(description="What is paid back of it.")
    async def refunds(self, info: YipanInfo) -> list[Refund]:
        return [refund_from(one) for one in await info.context.refunds.load(self.number)]

    @strawberry.field(description="What happened to the order, in order.")
    async def events(self, info: YipanInfo) -> list[OrderEvent]:
        return [order_event_from(event) for event in await info.context.events.load(self.number)]

    @strawberry.field(description="How its plans came about; for the brand.")
    async def decisions(self, info: YipanInfo) -> list[RoutingDecision]:
        return [
            RoutingDecision(
                decision_no=row["decision_no"],
                policy_version=row["policy_version"],
                attempt=row["attempt"],
                is_proved=row["is_proved"],
                cost=row["cost"],
                lower_bound=row["lower_bound"],
                runner_up_cost=row["runner_up_cost"],
            )
            for row in await info.context.decisions.load(self.number)
        ]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        info.context.principal.require(Permission.ORDERS_READ)
        found = await info.context.orders.load_many(numbers_of(node_ids))
        return [order_from(row) if row else None for row in found]  # type: ignore[misc]


def order_from(row: Record) -> Order:
    currency = row["currency"]
    return Order(
        number=row["id"],
        shop_id=row["shop_id"],
        external_id=row["external_id"],
        status=OrderStatus(row["status"]),
        shortage=Shortage(row["shortage"]),
        total=Money(amount_minor=row["total_minor"], currency=currency),
        freight=Money(amount_minor=row["freight_minor"], currency=currency),
        buyer_name=row["buyer_name"],
        buyer_phone=row["buyer_phone"],
        region_code=row["region_code"],
        address=row["address"],
        remark=row["remark"],
        ordered_at=row["ordered_at"],
        placed_at=row["placed_at"],
        version=row["event_sequence"],
    )


def pickup_from(pickup: PickupRecord) -> Pickup:
    return Pickup(
        number=pickup.order_id,
        node_id=pickup.node_id,
        status=pickup.status,
        version=pickup.version,
        ready_by=pickup.ready_by,
        ready_at=pickup.ready_at,
        keep_until=pickup.keep_until,
        reason=pickup.reason,
        changed_at=pickup.changed_at,
    )


def line_from(row: Record) -> OrderLine:
    return OrderLine(
        sku_id=row["sku_id"],
        line_no=row["line_no"],
        sku_code=row["sku_code"],
        quantity=row["quantity"],
        reserved=row["reserved"],
        backordered=row["backordered"],
        held=row["held"],
        cancelled=row["cancelled"],
        at_node=row["at_node"],
        shipped=row["shipped"],
        delivered=row["delivered"],
        unit_price_minor=row["unit_price_minor"],
        line_discount_minor=row["line_discount_minor"],
        order_discount_minor=row["order_discount_minor"],
        amount_minor=row["amount_minor"],
        expected_on=row["expected_on"],
        item_code=row["item_code"],
        agreement_id=_id_or_none("DealerAgreement", row["agreement_id"]),
        dealer_price_minor=row["dealer_price_minor"],
        quota_account_id=_id_or_none("QuotaAccount", row["quota_account_id"]),
    )


def _id_or_none(kind: str, number: int | None) -> strawberry.ID | None:
    return None if number is None else strawberry.ID(id_of(kind, number))


def hold_from(row: Record) -> OrderHold:
    return OrderHold(
        hold_no=row["hold_no"],
        line_no=row["line_no"],
        kind=HoldKind(row["kind"]),
        reason=row["reason"],
        released_at=row["released_at"],
        placed_by=row["placed_by"],
        expires_at=row["expires_at"],
        claimed_by=row["claimed_by"],
        claimed_at=row["claimed_at"],
    )


def fulfilment_from(row: Record) -> Fulfilment:
    return Fulfilment(
        key=f"{row['order_id']}-{row['fulfilment_no']}",
        order_id=row["order_id"],
        node_id=row["node_id"],
        slot_id=row["slot_id"] if row["status"] != "cancelled" else None,
        fulfilment_no=row["fulfilment_no"],
        status=FulfilmentStatus(row["status"]),
        buyer_name=row["buyer_name"],
        buyer_phone=row["buyer_phone"],
        region_code=row["region_code"],
        address=row["address"],
    )


@strawberry.type
class OrdersQuery:
    @strawberry.field(description="Orders that you may see, newest first.")
    async def orders(
        self,
        info: YipanInfo,
        status: OrderStatus | None = None,
        shop_id: strawberry.ID | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Order]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (before,) = key_of(after, (find_orders.NEWEST,))
        async with info.context.reading() as tx:
            rows = await find_orders.page_of_orders(
                tx,
                status=status,
                shop_id=None if shop_id is None else number_of("Shop", shop_id),
                before=before,
                limit=limit,
            )
        return connection(rows, first, order_from, lambda row: cursor_of(row["id"]))

    @strawberry.field(description="One order by its id; none where you may not see it.")
    async def order(self, info: YipanInfo, id: strawberry.ID) -> Order | None:
        info.context.principal.require(Permission.ORDERS_READ)
        row = await info.context.orders.load(number_of("Order", id))
        return order_from(row) if row else None

    @strawberry.field(description="What nodes have to do, newest first; stores see their own.")
    async def fulfilments(
        self,
        info: YipanInfo,
        location_id: strawberry.ID | None = None,
        status: FulfilmentStatus | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Fulfilment]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        before = key_of(after, (find_orders.NEWEST, 0))
        async with info.context.reading() as tx:
            rows = await find_orders.page_of_fulfilments(
                tx,
                node_id=None if location_id is None else number_of("Location", location_id),
                status=status,
                before=(before[0], before[1]),
                limit=limit,
            )
        return connection(
            rows,
            first,
            fulfilment_from,
            lambda row: cursor_of(row["order_id"], row["fulfilment_no"]),
        )
