"""Supplies: stock to come, what is promised of it, and receiving it."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.catalog.find_skus import sku_id_by_code
from backend.channels.errors import UnknownShop
from backend.channels.shops import active_shops
from backend.inventory.pools.model import WHOLE_BP
from backend.inventory.supplies import supplies as cases
from backend.inventory.supplies.dispatch import Dispatch, dispatch
from backend.inventory.supplies.model import Supply as SupplyRecord
from backend.inventory.supplies.model import SupplyDraft, SupplyKind
from backend.orders.supplies.receive import receive_supply
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import YipanInfo
from graphql_schema.errors import (
    InputRefused,
    NotEnoughToMoveError,
    PermissionDenied,
    ReceiptTooLargeError,
    SupplyChangedError,
)
from graphql_schema.network import Warehouse, load_warehouse
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

FIRST_DAY = date(2000, 1, 1).toordinal()


@strawberry.type(description="A line of stock to come (在途, 采购, 生产).")
class Supply(relay.Node):
    number: relay.NodeID[int]
    record: strawberry.Private[SupplyRecord]
    code: str
    line_no: int
    kind: SupplyKind
    quantity: BigInt
    received: BigInt
    outstanding: BigInt = strawberry.field(description="Units that are still to come.")
    promised: BigInt = strawberry.field(description="Units that waiting orders are promised.")
    confidence_bp: int = strawberry.field(
        description="Basis points of what is to come that are promised at most."
    )
    expected_on: date
    is_open: bool
    version: BigInt
    set_by: str
    changed_at: datetime

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.record.sku_id)

    @strawberry.field
    async def warehouse(self, info: YipanInfo) -> Warehouse | None:
        return await load_warehouse(info, self.record.functional_warehouse_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(info, node_ids, cases.supplies_by_ids, supply_from)


def supply_from(found: SupplyRecord) -> Supply:
    return Supply(
        number=found.id,
        record=found,
        code=found.code,
        line_no=found.line_no,
        kind=found.kind,
        quantity=found.quantity,
        received=found.received,
        outstanding=found.outstanding,
        promised=found.promised,
        confidence_bp=found.confidence_bp,
        expected_on=found.expected_on,
        is_open=found.is_open,
        version=found.version,
        set_by=found.set_by,
        changed_at=found.changed_at,
    )


@strawberry.type(description="What can be had of a SKU from a day on.")
class SupplyOutlook:
    day: date
    units: BigInt = strawberry.field(description="That come on this day and are not promised.")
    total: BigInt = strawberry.field(description="What is offered now, and comes until then.")


@strawberry.input
class SupplyLineInput:
    code: str = strawberry.field(description="Of the purchase or production order, say.")
    line_no: int
    kind: SupplyKind
    warehouse: str
    sku: str
    quantity: int
    expected_on: date
    confidence_bp: int = WHOLE_BP
    compare_version: BigInt | None = strawberry.field(
        default=None, description="Only if it is still at this version; 0: does not exist yet."
    )


@strawberry.input
class SuppliesSetInput:
    idempotency_key: str
    supplies: list[SupplyLineInput]


@strawberry.input
class SupplyCloseInput:
    idempotency_key: str
    code: str
    line_no: int


@strawberry.input
class SupplyReceiveInput:
    idempotency_key: str
    code: str
    line_no: int
    quantity: int


@strawberry.input
class StockDispatchInput:
    idempotency_key: str
    code: str = strawberry.field(description="Of the supply that it will be.")
    source: str
    destination: str
    sku: str
    quantity: int
    arrives_on: date


@strawberry.type
class SuppliesRecorded:
    supplies: list[Supply]


@strawberry.type
class SupplyReceived:
    supply: Supply
    kept: BigInt = strawberry.field(
        description="Units that are kept for orders that were promised them."
    )


SuppliesSetPayload = Annotated[
    SuppliesRecorded | SupplyChangedError | InputRefused | PermissionDenied,
    strawberry.union("SuppliesSetPayload"),
]
SupplyClosePayload = Annotated[
    SuppliesRecorded | InputRefused | PermissionDenied, strawberry.union("SupplyClosePayload")
]
StockDispatchPayload = Annotated[
    SuppliesRecorded | NotEnoughToMoveError | SupplyChangedError | InputRefused | PermissionDenied,
    strawberry.union("StockDispatchPayload"),
]
SupplyReceivePayload = Annotated[
    SupplyReceived | ReceiptTooLargeError | InputRefused | PermissionDenied,
    strawberry.union("SupplyReceivePayload"),
]


@strawberry.type
class SuppliesQuery:
    @strawberry.field(description="Supplies by the day on which they are expected.")
    async def supplies(
        self,
        info: YipanInfo,
        only_open: bool = True,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Supply]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        day, number = key_of(after, (FIRST_DAY, 0))
        if not 1 <= day <= date.max.toordinal():
            raise InvalidPage("The cursor is not one of ours.")
        async with info.context.reading() as tx:
            rows = await cases.page_of_supplies(
                tx, (date.fromordinal(day), number), limit, only_open=only_open
            )
        return connection(
            rows,
            first,
            supply_from,
            lambda found: cursor_of(found.expected_on.toordinal(), found.id),
        )

    @strawberry.field(description="What a shop can sell of a SKU day by day: now, and to come.")
    async def supply_outlook(self, info: YipanInfo, sku: str, shop: str) -> list[SupplyOutlook]:
        info.context.principal.require(Permission.STOCK_READ)
        book = await info.context.book()
        async with info.context.reading() as tx:
            sku_id = await sku_id_by_code(tx, sku)
            found = (await active_shops(tx)).get(shop)
            if found is None:
                raise UnknownShop
            warehouses = {
                source.functional_warehouse_id
                for source in book.view.sources
                if book.view.may_take(found.id, source.functional_warehouse_id)
            }
            offered = book.offered(sku_id, found.id)
            days = await cases.outlook(tx, sku_id, warehouses, offered)
        return [SupplyOutlook(day=day, units=units, total=total) for day, units, total in days]


@strawberry.type
class SuppliesMutation:
    @strawberry.mutation(description="Keep lines of stock to come, or change them; all or none.")
    async def supplies_set(self, info: YipanInfo, input: SuppliesSetInput) -> SuppliesSetPayload:
        drafts = [
            SupplyDraft(
                code=line.code,
                line_no=line.line_no,
                kind=line.kind,
                warehouse=line.warehouse,
                sku=line.sku,
                quantity=line.quantity,
                expected_on=line.expected_on,
                confidence_bp=line.confidence_bp,
                compare_version=line.compare_version,
            )
            for line in input.supplies
        ]
        async with info.context.writing() as tx:
            found = await cases.set_supplies(tx, drafts, key=input.idempotency_key)
        await info.context.services.publish_levels(info.context.principal.tenant_id, [])
        return SuppliesRecorded(supplies=[supply_from(one) for one in found])

    @strawberry.mutation(
        description="Send free units to another node (调拨在途): a supply of it until they are "
        "received."
    )
    async def stock_dispatch(
        self, info: YipanInfo, input: StockDispatchInput
    ) -> StockDispatchPayload:
        command = Dispatch(
            code=input.code,
            source=input.source,
            destination=input.destination,
            sku=input.sku,
            quantity=input.quantity,
            arrives_on=input.arrives_on,
        )
        async with info.context.writing() as tx:
            done = await dispatch(tx, command, key=input.idempotency_key)
        await info.context.services.publish_levels(info.context.principal.tenant_id, done.levels)
        return SuppliesRecorded(supplies=[supply_from(done.supply)])

    @strawberry.mutation(description="Expect nothing more of a supply.")
    async def supply_close(self, info: YipanInfo, input: SupplyCloseInput) -> SupplyClosePayload:
        async with info.context.writing() as tx:
            found = await cases.close_supply(
                tx, input.code, input.line_no, key=input.idempotency_key
            )
        await info.context.services.publish_levels(info.context.principal.tenant_id, [])
        return SuppliesRecorded(supplies=[supply_from(found)])

    @strawberry.mutation(
        description="Receive units of a supply; those that orders were promised are kept for them."
    )
    async def supply_receive(
        self, info: YipanInfo, input: SupplyReceiveInput
    ) -> SupplyReceivePayload:
        services, principal = info.context.services, info.context.principal
        received = await receive_supply(
            services.database,
            principal,
            services.intake.ids,
            (input.code, input.line_no, input.quantity),
            key=input.idempotency_key,
        )
        await services.publish_levels(principal.tenant_id, received.levels)
        return SupplyReceived(supply=supply_from(received.supply), kept=received.kept)
