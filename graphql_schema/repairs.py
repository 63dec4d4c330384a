"""Repairs (维修单): a customer's unit that comes, is looked at, priced, repaired, and goes home."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Self

import strawberry
from strawberry import relay

from backend.after_sales.errors import RepairChanged
from backend.after_sales.model import Repair as RepairRecord
from backend.after_sales.model import RepairDraft, RepairStatus, UnitMove
from backend.after_sales.repairs import (
    move_repair,
    page_of_repairs,
    repairs_by_ids,
    request_repair,
)
from graphql_schema.catalog import Sku, load_sku
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

strawberry.enum(RepairStatus, name="RepairStatus", description="Where a repair stands.")
OPEN = tuple(
    status for status in RepairStatus if status not in (RepairStatus.CLOSED, RepairStatus.CANCELLED)
)


@strawberry.type(description="A unit of a customer's that is repaired (维修单); it is no stock.")
class Repair(relay.Node):
    number: relay.NodeID[int]
    order_number: strawberry.Private[int]
    sku_id: strawberry.Private[int]
    node_id: strawberry.Private[int | None]
    line_no: int
    status: RepairStatus
    version: int = strawberry.field(description="Grows with every change: say which one you saw.")
    fault: str = strawberry.field(description="What the customer says.")
    serial: str
    finding: str = strawberry.field(description="What is wrong with it.")
    price_minor: BigInt = strawberry.field(description="0 under warranty.")
    reference: str = strawberry.field(description="What the payment is called.")
    work: str = strawberry.field(description="What was done, or why it was not.")
    carrier: str = strawberry.field(description="That takes it home; none where it is fetched.")
    waybill: str
    requested_by: str
    requested_at: datetime
    changed_at: datetime

    @strawberry.field
    def order_id(self) -> strawberry.ID:
        return strawberry.ID(id_of("Order", self.order_number))

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.sku_id)

    @strawberry.field(description="Where it lies.")
    async def location(self, info: YipanInfo) -> Location | None:
        return None if self.node_id is None else await load_location(info, self.node_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_of_orders(info, node_ids, repairs_by_ids, repair_from)


def repair_from(repair: RepairRecord) -> Repair:
    return Repair(
        number=repair.id,
        order_number=repair.order_id,
        sku_id=repair.sku_id,
        node_id=repair.node_id,
        line_no=repair.line_no,
        status=repair.status,
        version=repair.version,
        fault=repair.fault,
        serial=repair.serial,
        finding=repair.finding,
        price_minor=repair.price_minor,
        reference=repair.reference,
        work=repair.work,
        carrier=repair.carrier,
        waybill=repair.waybill,
        requested_by=repair.requested_by,
        requested_at=repair.requested_at,
        changed_at=repair.changed_at,
    )


@strawberry.type(name="RepairChanged", description="How the repair stands now.")
class RepairChangedError(UserError):
    repair: Repair


REPAIR_HANDLERS: tuple[strawberry.ExceptionHandler[Any, Any], ...] = (
    WithDetails(RepairChanged, RepairChangedError, repair=repair_from),
)


@strawberry.type(description="It was done.")
class RepairSaved:
    repair: Repair


RepairPayload = Annotated[
    RepairSaved | RepairChangedError | InputRefused | PermissionDenied,
    strawberry.union("RepairPayload"),
]


@strawberry.input
class RepairRequestInput:
    idempotency_key: str
    order_id: strawberry.ID
    line_no: int
    fault: str
    serial: str = ""


@strawberry.input
class RepairInput:
    idempotency_key: str
    repair_id: strawberry.ID
    seen_version: int | None = strawberry.field(
        default=None, description="Refused where it has changed since; left out: it may."
    )


@strawberry.input
class RepairReceiveInput(RepairInput):
    location_id: strawberry.ID


@strawberry.input
class RepairQuoteInput(RepairInput):
    finding: str
    price_minor: BigInt = strawberry.field(description="0: it is accepted at once.")


@strawberry.input
class RepairAcceptInput(RepairInput):
    amount_minor: BigInt = strawberry.field(description="The price, as the customer knows it.")
    reference: str


@strawberry.input
class RepairReasonInput(RepairInput):
    reason: str


@strawberry.input
class RepairFinishInput(RepairInput):
    work: str


@strawberry.input
class RepairSendHomeInput(RepairInput):
    carrier: str = ""
    waybill: str = ""


@strawberry.type
class RepairsQuery:
    @strawberry.field(
        description="Repairs that you may see, the oldest first: of a location, of an order, in "
        "some states, or (left out) all with which something is to be done."
    )
    async def repairs(
        self,
        info: YipanInfo,
        location_id: strawberry.ID | None = None,
        order_id: strawberry.ID | None = None,
        statuses: list[RepairStatus] | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Repair]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        of = (
            None if location_id is None else number_of("Location", location_id),
            None if order_id is None else number_of("Order", order_id),
        )
        async with info.context.reading() as tx:
            found = await page_of_repairs(tx, of, statuses or OPEN, start, limit)
        return connection(found, first, repair_from, lambda one: cursor_of(one.id))


@strawberry.type
class RepairsMutation:
    @strawberry.mutation(description="Ask to have a unit repaired that has arrived.")
    async def repair_request(self, info: YipanInfo, input: RepairRequestInput) -> RepairPayload:
        draft = RepairDraft(
            number_of("Order", input.order_id), input.line_no, input.fault, input.serial
        )
        done = await request_repair(
            info.context.services.database, info.context.principal, draft, input.idempotency_key
        )
        return RepairSaved(repair=repair_from(done))

    @strawberry.mutation(description="It does not come.")
    async def repair_cancel(self, info: YipanInfo, input: RepairReasonInput) -> RepairPayload:
        return await _moved(info, input, UnitMove("cancel", input.reason))

    @strawberry.mutation(description="It lies at a location.")
    async def repair_receive(self, info: YipanInfo, input: RepairReceiveInput) -> RepairPayload:
        node_id = number_of("Location", input.location_id)
        return await _moved(info, input, UnitMove("receive", node_id=node_id))

    @strawberry.mutation(description="What is wrong with it, and what repairing costs.")
    async def repair_quote(self, info: YipanInfo, input: RepairQuoteInput) -> RepairPayload:
        move = UnitMove("quote", input.finding, input.price_minor)
        return await _moved(info, input, move)

    @strawberry.mutation(description="The customer pays the price.")
    async def repair_accept(self, info: YipanInfo, input: RepairAcceptInput) -> RepairPayload:
        move = UnitMove("accept", input.reference, input.amount_minor)
        return await _moved(info, input, move)

    @strawberry.mutation(description="The customer wants it back as it is.")
    async def repair_decline(self, info: YipanInfo, input: RepairReasonInput) -> RepairPayload:
        return await _moved(info, input, UnitMove("decline", input.reason))

    @strawberry.mutation(description="It is repaired, and what was done.")
    async def repair_finish(self, info: YipanInfo, input: RepairFinishInput) -> RepairPayload:
        return await _moved(info, input, UnitMove("finish", input.work))

    @strawberry.mutation(description="It goes home, by a carrier or with the customer.")
    async def repair_send_home(self, info: YipanInfo, input: RepairSendHomeInput) -> RepairPayload:
        move = UnitMove("send_home", carrier=input.carrier, waybill=input.waybill)
        return await _moved(info, input, move)


async def _moved(info: YipanInfo, input: RepairInput, move: UnitMove) -> RepairSaved:
    done = await move_repair(
        info.context.services.database,
        info.context.principal,
        number_of("Repair", input.repair_id),
        move,
        seen=input.seen_version,
        key=input.idempotency_key,
    )
    return RepairSaved(repair=repair_from(done))
