"""Allotments: how many units of a SKU a shop, or all shops of a dealer, may sell."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.inventory.allotments import set_allotments as cases
from backend.inventory.allotments.model import Allotment as AllotmentRecord
from backend.inventory.allotments.model import AllotmentAt, AllotmentLine, AllotmentOwner
from backend.inventory.counters import Counters
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import Context, YipanInfo
from graphql_schema.errors import AllotmentChangedError, InputRefused, PermissionDenied
from graphql_schema.network import Shop, load_shop
from graphql_schema.nodes import nodes_by_numbers
from graphql_schema.paging import (
    PAGE_DEFAULT,
    connection,
    cursor_of,
    key_of,
    number_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Permission


@strawberry.type(description="A sellable quantity (配额) of a shop, or of all shops of a dealer.")
class Allotment(relay.Node):
    number: relay.NodeID[int]
    record: strawberry.Private[AllotmentRecord]
    quantity: BigInt
    taken: BigInt = strawberry.field(description="Units that orders have taken of it.")
    left: BigInt
    is_active: bool
    version: BigInt
    reason: str
    set_by: str
    changed_at: datetime

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.record.sku_id)

    @strawberry.field(description="Null for one of all shops of a dealer.")
    async def shop(self, info: YipanInfo) -> Shop | None:
        return await load_shop(info, self.record.shop_id)

    @strawberry.field(description="Whose shop it is, or whose shops; null for the brand's own.")
    def dealer_id(self) -> BigInt | None:
        return self.record.dealer_id

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(info, node_ids, cases.allotments_by_ids, allotment_from)


def allotment_from(found: AllotmentRecord) -> Allotment:
    return Allotment(
        number=found.id,
        record=found,
        quantity=found.quantity,
        taken=found.taken,
        left=max(0, found.quantity - found.taken),
        is_active=found.is_active,
        version=found.version,
        reason=found.reason,
        set_by=found.set_by,
        changed_at=found.changed_at,
    )


@strawberry.input(description="Of a shop, or of all shops of a dealer: name one of them.")
class AllotmentLineInput:
    sku: str
    quantity: int
    shop: str | None = None
    dealer: str | None = None
    compare_version: BigInt | None = strawberry.field(
        default=None, description="Only if it is still at this version; 0: does not exist yet."
    )
    reason: str = ""


@strawberry.input(description="Of a shop, or of all shops of a dealer: name one of them.")
class AllotmentOwnerInput:
    sku: str
    shop: str | None = None
    dealer: str | None = None


@strawberry.input
class AllotmentsSetInput:
    idempotency_key: str
    allotments: list[AllotmentLineInput]


@strawberry.input
class AllotmentsEndInput:
    idempotency_key: str
    allotments: list[AllotmentOwnerInput]


@strawberry.type
class AllotmentsRecorded:
    allotments: list[Allotment]


AllotmentsSetPayload = Annotated[
    AllotmentsRecorded | AllotmentChangedError | InputRefused | PermissionDenied,
    strawberry.union("AllotmentsSetPayload"),
]
AllotmentsEndPayload = Annotated[
    AllotmentsRecorded | InputRefused | PermissionDenied,
    strawberry.union("AllotmentsEndPayload"),
]


async def _recorded(context: Context, found: Sequence[AllotmentRecord]) -> AllotmentsRecorded:
    """Tell everybody of allotments that were set."""
    counters = [AllotmentAt(one.id, one.quantity - one.taken, one.version) for one in found]
    await context.services.publish_counters(
        context.principal.tenant_id, Counters(allotments=counters)
    )
    return AllotmentsRecorded(allotments=[allotment_from(one) for one in found])


@strawberry.type
class AllotmentsQuery:
    @strawberry.field(description="Allotments; a dealer sees its own.")
    async def allotments(
        self,
        info: YipanInfo,
        shop_id: strawberry.ID | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Allotment]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (after_id,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_allotments(
                tx,
                after_id,
                limit,
                shop_id=None if shop_id is None else number_of("Shop", shop_id),
            )
        return connection(rows, first, allotment_from, lambda found: cursor_of(found.id))


@strawberry.type
class AllotmentsMutation:
    @strawberry.mutation(description="Set allotments; all or none.")
    async def allotments_set(
        self, info: YipanInfo, input: AllotmentsSetInput
    ) -> AllotmentsSetPayload:
        lines = [
            AllotmentLine(
                sku=line.sku,
                quantity=line.quantity,
                shop=line.shop,
                dealer=line.dealer,
                compare_version=line.compare_version,
                reason=line.reason,
            )
            for line in input.allotments
        ]
        async with info.context.writing() as tx:
            found = await cases.set_allotments(tx, lines, key=input.idempotency_key)
        return await _recorded(info.context, found)

    @strawberry.mutation(description="Let allotments bound nothing any more; all or none.")
    async def allotments_end(
        self, info: YipanInfo, input: AllotmentsEndInput
    ) -> AllotmentsEndPayload:
        owners = [
            AllotmentOwner(sku=owner.sku, shop=owner.shop, dealer=owner.dealer)
            for owner in input.allotments
        ]
        async with info.context.writing() as tx:
            found = await cases.end_allotments(tx, owners, key=input.idempotency_key)
        return await _recorded(info.context, found)
