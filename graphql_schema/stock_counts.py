"""Counts of stock, and deciding on large variances."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.inventory.counts import count_stock as cases
from backend.inventory.counts.count_stock import Counted
from backend.inventory.counts.model import CountLine, CountState
from backend.inventory.counts.model import StockCount as StockCountRecord
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import Context, YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.network import Warehouse, load_warehouse
from graphql_schema.nodes import nodes_by_numbers
from graphql_schema.paging import (
    NUMBER_MAX,
    PAGE_DEFAULT,
    connection,
    cursor_of,
    key_of,
    number_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Permission


@strawberry.type(description="What somebody counted (盘点), and what became of the difference.")
class StockCount(relay.Node):
    number: relay.NodeID[int]
    record: strawberry.Private[StockCountRecord]
    on_hand: BigInt = strawberry.field(description="When it was counted.")
    counted: BigInt
    variance: BigInt
    state: CountState
    reason: str
    counted_by: str
    counted_at: datetime
    decided_by: str | None
    decided_at: datetime | None

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
        return await nodes_by_numbers(info, node_ids, cases.counts_by_ids, stock_count_from)


def stock_count_from(found: StockCountRecord) -> StockCount:
    return StockCount(
        number=found.id,
        record=found,
        on_hand=found.on_hand,
        counted=found.counted,
        variance=found.variance,
        state=found.state,
        reason=found.reason,
        counted_by=found.counted_by,
        counted_at=found.counted_at,
        decided_by=found.decided_by,
        decided_at=found.decided_at,
    )


@strawberry.input
class StockCountLineInput:
    warehouse: str
    sku: str
    counted: int
    reason: str = ""


@strawberry.input
class StockCountInput:
    idempotency_key: str
    lines: list[StockCountLineInput]


@strawberry.input
class StockCountDecideInput:
    idempotency_key: str
    count_id: strawberry.ID
    approve: bool


@strawberry.type
class StockCounted:
    counts: list[StockCount]


StockCountPayload = Annotated[
    StockCounted | InputRefused | PermissionDenied, strawberry.union("StockCountPayload")
]


async def _counted(context: Context, done: Counted) -> StockCounted:
    """Tell everybody of the levels that counts have changed."""
    if done.levels:
        await context.services.publish_levels(context.principal.tenant_id, done.levels)
    return StockCounted(counts=[stock_count_from(one) for one in done.counts])


@strawberry.type
class StockCountsQuery:
    @strawberry.field(description="Counts, the newest first.")
    async def stock_counts(
        self,
        info: YipanInfo,
        state: CountState | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[StockCount]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (below,) = key_of(after, (NUMBER_MAX,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_counts(tx, below, limit, state)
        return connection(rows, first, stock_count_from, lambda found: cursor_of(found.id))


@strawberry.type
class StockCountsMutation:
    @strawberry.mutation(
        description="Say what was counted; a small difference counts at once, a large one when "
        "somebody else approves it."
    )
    async def stock_count(self, info: YipanInfo, input: StockCountInput) -> StockCountPayload:
        lines = [
            CountLine(
                warehouse=line.warehouse, sku=line.sku, counted=line.counted, reason=line.reason
            )
            for line in input.lines
        ]
        async with info.context.stock_writing() as tx:
            done = await cases.count_stock(tx, lines, key=input.idempotency_key)
        return await _counted(info.context, done)

    @strawberry.mutation(description="Approve or reject a variance that waits.")
    async def stock_count_decide(
        self, info: YipanInfo, input: StockCountDecideInput
    ) -> StockCountPayload:
        async with info.context.writing() as tx:
            done = await cases.decide_count(
                tx,
                number_of("StockCount", input.count_id),
                approve=input.approve,
                key=input.idempotency_key,
            )
        return await _counted(info.context, done)
