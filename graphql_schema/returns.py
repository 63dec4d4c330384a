"""What customers send back or claim, and what is paid back to them, as it is read."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

import strawberry
from strawberry import relay

from backend.after_sales.model import Exchange as ExchangeRecord
from backend.after_sales.model import ExchangeStatus, RefundStatus, ReturnKind, ReturnStatus
from backend.after_sales.model import Refund as RefundRecord
from backend.after_sales.model import Return as ReturnRecord
from backend.after_sales.model import ReturnLine as LineRecord
from backend.orders.refunds import RefundCause
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import YipanInfo
from graphql_schema.money import Money
from graphql_schema.network import Location, load_location
from graphql_schema.paging import id_of, numbers_of
from graphql_schema.scalars import BigInt
from tenants.principal import Permission

strawberry.enum(ReturnKind, name="ReturnKind", description="What a customer wants.")
strawberry.enum(ReturnStatus, name="ReturnStatus", description="Where a request stands.")
strawberry.enum(RefundStatus, name="RefundStatus", description="Where paying back stands.")
strawberry.enum(ExchangeStatus, name="ExchangeStatus", description="Where an exchange stands.")
strawberry.enum(RefundCause, name="RefundCause", description="Why something is paid back.")


@strawberry.type(description="A line of a request, and what its units were found to be.")
class ReturnLine:
    sku_id: strawberry.Private[int]
    line_no: int
    quantity: BigInt
    received: BigInt
    good: BigInt
    defective: BigInt
    scrapped: BigInt
    denied: BigInt = strawberry.field(description="Not paid back.")

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.sku_id)


@strawberry.type(description="What is sent for what comes back (换货).")
class Exchange:
    replacement_number: strawberry.Private[int | None]
    status: ExchangeStatus
    version: int = strawberry.field(description="Grows with every change: say which one you saw.")
    credit_minor: BigInt = strawberry.field(
        description="What came back is worth so much of what replaces it."
    )
    due_minor: BigInt = strawberry.field(description="To be paid, or paid, beside that.")
    reference: str = strawberry.field(description="What the payment is called.")
    changed_at: datetime

    @strawberry.field(description="The order that replaces it; null while it is being ordered.")
    def replacement_id(self) -> strawberry.ID | None:
        number = self.replacement_number
        return None if number is None else strawberry.ID(id_of("Order", number))


@strawberry.type(description="What a customer sends back, or claims (售后单).")
class Return(relay.Node):
    number: relay.NodeID[int]
    order_number: strawberry.Private[int]
    node_id: strawberry.Private[int | None]
    kind: ReturnKind
    status: ReturnStatus
    version: int = strawberry.field(description="Grows with every change: say which one you saw.")
    reason: str
    decision: str = strawberry.field(description="Why it was decided as it was.")
    carrier: str
    waybill: str
    requested_by: str
    requested_at: datetime
    changed_at: datetime

    @strawberry.field(description="Where it comes back to.")
    async def location(self, info: YipanInfo) -> Location | None:
        return None if self.node_id is None else await load_location(info, self.node_id)

    @strawberry.field
    def order_id(self) -> strawberry.ID:
        return strawberry.ID(id_of("Order", self.order_number))

    @strawberry.field(description="What is sent for it, where it is exchanged.")
    async def exchange(self, info: YipanInfo) -> Exchange | None:
        found = await info.context.exchanges.load(self.number)
        return exchange_from(found) if found else None

    @strawberry.field
    async def lines(self, info: YipanInfo) -> list[ReturnLine]:
        return [return_line_from(one) for one in await info.context.return_lines.load(self.number)]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        info.context.principal.require(Permission.ORDERS_READ)
        found = await info.context.returns.load_many(numbers_of(node_ids))
        return [return_from(one) if one else None for one in found]  # type: ignore[misc]


@strawberry.type(description="Units of a line that are paid back, with their frozen share.")
class RefundLine:
    line_no: int
    quantity: BigInt
    amount_minor: BigInt


@strawberry.type(description="What is paid back of an order (退款).")
class Refund:
    order_number: strawberry.Private[int]
    return_number: strawberry.Private[int | None]
    refund_no: int
    cause: RefundCause
    status: RefundStatus
    version: int
    amount: Money
    offset: Money = strawberry.field(
        description="So much of it is not paid back: it was exchanged for something."
    )
    reason: str
    reference: str = strawberry.field(description="What whoever pays it back calls it.")
    owed_at: datetime
    changed_at: datetime

    @strawberry.field
    def order_id(self) -> strawberry.ID:
        return strawberry.ID(id_of("Order", self.order_number))

    @strawberry.field(description="The request that it is for, if there is one.")
    async def request(self, info: YipanInfo) -> Return | None:
        if self.return_number is None:
            return None
        found = await info.context.returns.load(self.return_number)
        return return_from(found) if found else None

    @strawberry.field
    async def lines(self, info: YipanInfo) -> list[RefundLine]:
        rows = await info.context.refund_lines.load(self.order_number)
        return [
            RefundLine(
                line_no=row["line_no"], quantity=row["quantity"], amount_minor=row["amount_minor"]
            )
            for row in rows
            if row["refund_no"] == self.refund_no
        ]


def return_from(one: ReturnRecord) -> Return:
    return Return(
        number=one.id,
        order_number=one.order_id,
        node_id=one.node_id,
        kind=one.kind,
        status=one.status,
        version=one.version,
        reason=one.reason,
        decision=one.decision,
        carrier=one.carrier,
        waybill=one.waybill,
        requested_by=one.requested_by,
        requested_at=one.requested_at,
        changed_at=one.changed_at,
    )


def exchange_from(one: ExchangeRecord) -> Exchange:
    return Exchange(
        replacement_number=one.replacement_id,
        status=one.status,
        version=one.version,
        credit_minor=one.credit_minor,
        due_minor=one.due_minor,
        reference=one.reference,
        changed_at=one.changed_at,
    )


def return_line_from(one: LineRecord) -> ReturnLine:
    return ReturnLine(
        sku_id=one.sku_id,
        line_no=one.line_no,
        quantity=one.quantity,
        received=one.received,
        good=one.good,
        defective=one.defective,
        scrapped=one.scrapped,
        denied=one.denied,
    )


def refund_from(one: RefundRecord) -> Refund:
    return Refund(
        order_number=one.order_id,
        return_number=one.return_id,
        refund_no=one.refund_no,
        cause=one.cause,
        status=one.status,
        version=one.version,
        amount=Money(amount_minor=one.amount_minor, currency=one.currency),
        offset=Money(amount_minor=one.offset_minor, currency=one.currency),
        reason=one.reason,
        reference=one.reference,
        owed_at=one.owed_at,
        changed_at=one.changed_at,
    )
