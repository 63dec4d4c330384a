"""Earmarks: stock kept for one pool, filled, lent, given back."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Self

import msgspec
import strawberry
from strawberry import relay

from backend.db.pool import Record
from backend.inventory.earmarks import change_earmarks as cases
from backend.inventory.earmarks import queries as reading
from backend.inventory.earmarks.change_earmarks import EarmarkChanged
from backend.inventory.earmarks.declare import declare, earmark_declared
from backend.inventory.earmarks.lend import lend_earmark
from backend.inventory.earmarks.model import (
    Earmark as EarmarkRecord,
)
from backend.inventory.earmarks.model import EarmarkDraft, EarmarkKind, EarmarkLine, Lending
from backend.inventory.earmarks.queries import earmark_levels_by_keys, earmarks_by_ids
from backend.inventory.model import LevelKey
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import Context, YipanInfo
from graphql_schema.errors import InputRefused, NotEnoughToEarmarkError, PermissionDenied
from graphql_schema.network import Warehouse, load_warehouse
from graphql_schema.nodes import nodes_by_keys, nodes_by_numbers
from graphql_schema.paging import PAGE_DEFAULT, connection, cursor_of, key_of, page_size
from graphql_schema.scalars import BigInt
from tenants.principal import Permission


@strawberry.type(description="Stock that is kept for one pool (预留), with what became of it.")
class Earmark(relay.Node):
    number: relay.NodeID[int]
    code: str
    name: str
    kind: EarmarkKind
    pool: str
    ends_at: datetime | None = strawberry.field(
        description="When what is unused becomes free to all."
    )
    lend_keep_bp: int | None = strawberry.field(
        description="Basis points of what was put in that are never lent; null: nothing is lent."
    )
    lend_keep_days: int | None
    filled: BigInt = strawberry.field(description="Units put in, less those taken out again.")
    used: BigInt = strawberry.field(description="Units that orders took.")
    unused: BigInt
    lent: BigInt = strawberry.field(
        description="Units that others may sell for now; new stock repays them first."
    )
    opened_by: str
    opened_at: datetime
    closed_by: str | None
    closed_at: datetime | None

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(info, node_ids, earmarks_by_ids, earmark_from)


@strawberry.type(description="What an earmark keeps of a SKU in a functional warehouse.")
class EarmarkLevel(relay.Node):
    key: relay.NodeID[str]
    record: strawberry.Private[Record]
    filled: BigInt
    unused: BigInt
    lent: BigInt

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.record["sku_id"])

    @strawberry.field
    async def warehouse(self, info: YipanInfo) -> Warehouse | None:
        return await load_warehouse(info, self.record["functional_warehouse_id"])

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_keys(info, node_ids, 3, earmark_levels_by_keys, earmark_level_from)


def earmark_from(found: EarmarkRecord) -> Earmark:
    return Earmark(
        number=found.id,
        code=found.code,
        name=found.name,
        kind=found.kind,
        pool=found.pool,
        ends_at=found.ends_at,
        lend_keep_bp=found.lending.keep_bp if found.lending else None,
        lend_keep_days=found.lending.keep_days if found.lending else None,
        filled=found.filled,
        used=found.used,
        unused=found.unused,
        lent=found.lent,
        opened_by=found.opened_by,
        opened_at=found.opened_at,
        closed_by=found.closed_by,
        closed_at=found.closed_at,
    )


def earmark_level_from(row: Record) -> EarmarkLevel:
    return EarmarkLevel(
        key=f"{row['earmark_id']}-{row['sku_id']}-{row['functional_warehouse_id']}",
        record=row,
        filled=row["filled"],
        unused=row["unused"],
        lent=row["lent"],
    )


@strawberry.input(description="What an earmark keeps for itself before it lends.")
class LendingInput:
    keep_bp: int = strawberry.field(description="Basis points of what was put in.")
    keep_days: int = strawberry.field(default=0, description="Days of sales.")


@strawberry.input
class EarmarkOpenInput:
    idempotency_key: str
    code: str
    name: str
    kind: EarmarkKind
    pool: str = strawberry.field(description="A pool of the active layout.")
    ends_at: datetime | None = None
    lending: LendingInput | None = None


@strawberry.input(description="Without a functional warehouse: where most of it is, first.")
class EarmarkLineInput:
    sku: str
    quantity: int
    warehouse: str | None = None


@strawberry.type(description="All stock of a SKU on the declaration (统一库存申报); units.")
class DeclaredStock:
    sku: str
    on_hand: BigInt
    reserved: BigInt
    floor: BigInt
    earmarked: BigInt
    free: BigInt = strawberry.field(description="Of sellable goods: what can be kept.")
    in_transit: BigInt = strawberry.field(description="On its way, or moved between nodes.")
    ordered: BigInt = strawberry.field(description="To come from purchase and production.")


@strawberry.input(description="An earmark to be opened, and what to keep for it.")
class StockDeclareInput:
    idempotency_key: str
    code: str
    name: str
    kind: EarmarkKind
    pool: str
    lines: list[EarmarkLineInput]
    ends_at: datetime | None = None
    lending: LendingInput | None = None


@strawberry.input
class EarmarkFillInput:
    idempotency_key: str
    earmark: str
    lines: list[EarmarkLineInput]


@strawberry.input
class EarmarkDropInput:
    idempotency_key: str
    earmark: str
    lines: list[EarmarkLineInput]


@strawberry.input
class EarmarkCloseInput:
    idempotency_key: str
    earmark: str


@strawberry.input
class EarmarkLendInput:
    idempotency_key: str
    earmark: str


@strawberry.type
class EarmarkRecorded:
    earmark: Earmark


EarmarkPayload = Annotated[
    EarmarkRecorded | InputRefused | PermissionDenied, strawberry.union("EarmarkPayload")
]
EarmarkFillPayload = Annotated[
    EarmarkRecorded | NotEnoughToEarmarkError | InputRefused | PermissionDenied,
    strawberry.union("EarmarkFillPayload"),
]


def _lines(given: Sequence[EarmarkLineInput]) -> list[EarmarkLine]:
    return [
        EarmarkLine(sku=line.sku, quantity=line.quantity, warehouse=line.warehouse)
        for line in given
    ]


def _draft(input: EarmarkOpenInput | StockDeclareInput) -> EarmarkDraft:
    lending = input.lending
    return EarmarkDraft(
        code=input.code,
        name=input.name,
        kind=input.kind,
        pool=input.pool,
        ends_at=input.ends_at,
        lending=Lending(lending.keep_bp, lending.keep_days) if lending else None,
    )


async def _recorded(context: Context, changed: EarmarkChanged) -> EarmarkRecorded:
    """Tell everybody of the levels of an earmark, which has changed."""
    await context.services.publish_levels(context.principal.tenant_id, changed.levels)
    return EarmarkRecorded(earmark=earmark_from(changed.earmark))


@strawberry.type
class EarmarksQuery:
    @strawberry.field(description="Earmarks, the newest first.")
    async def earmarks(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[Earmark]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (below,) = key_of(after, (reading.NEWEST,))
        async with info.context.reading() as tx:
            rows = await reading.page_of_earmarks(tx, below, limit)
        return connection(rows, first, earmark_from, lambda found: cursor_of(found.id))

    @strawberry.field(description="What an earmark keeps, by SKU and functional warehouse.")
    async def earmark_levels(
        self, info: YipanInfo, earmark: str, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[EarmarkLevel]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        sku_id, warehouse_id = key_of(after, (0, 0))
        async with info.context.reading() as tx:
            found = await reading.earmark_by_code(tx, earmark)
            level = LevelKey(warehouse_id, sku_id)
            rows = await reading.page_of_earmark_levels(tx, found.id, level, limit)
        return connection(
            rows,
            first,
            earmark_level_from,
            lambda row: cursor_of(row["sku_id"], row["functional_warehouse_id"]),
        )

    @strawberry.field(
        description="All stock of some SKUs on one sheet, with what is on its way (统一库存申报)."
    )
    async def stock_declaration(self, info: YipanInfo, skus: list[str]) -> list[DeclaredStock]:
        info.context.principal.require(Permission.STOCK_READ)
        async with info.context.reading() as tx:
            found = await declare(tx, skus)
        return [DeclaredStock(**msgspec.structs.asdict(row)) for row in found]


@strawberry.type
class EarmarksMutation:
    @strawberry.mutation(description="Open an earmark, empty, for a pool of the active layout.")
    async def earmark_open(self, info: YipanInfo, input: EarmarkOpenInput) -> EarmarkPayload:
        async with info.context.writing() as tx:
            changed = await cases.open_earmark(tx, _draft(input), key=input.idempotency_key)
        return await _recorded(info.context, changed)

    @strawberry.mutation(
        description="Open an earmark for an event and fill it from the declaration, at once."
    )
    async def stock_declare(self, info: YipanInfo, input: StockDeclareInput) -> EarmarkFillPayload:
        async with info.context.writing() as tx:
            changed = await earmark_declared(
                tx,
                _draft(input),
                _lines(input.lines),
                key=input.idempotency_key,
                regions=info.context.services.regions,
            )
        return await _recorded(info.context, changed)

    @strawberry.mutation(description="Keep free units for an earmark's pool; all lines or none.")
    async def earmark_fill(self, info: YipanInfo, input: EarmarkFillInput) -> EarmarkFillPayload:
        async with info.context.writing() as tx:
            changed = await cases.fill_earmark(
                tx,
                input.earmark,
                _lines(input.lines),
                key=input.idempotency_key,
                regions=info.context.services.regions,
            )
        return await _recorded(info.context, changed)

    @strawberry.mutation(description="Give unused units back to all; all lines or none.")
    async def earmark_drop(self, info: YipanInfo, input: EarmarkDropInput) -> EarmarkFillPayload:
        async with info.context.writing() as tx:
            changed = await cases.drop_earmark(
                tx, input.earmark, _lines(input.lines), key=input.idempotency_key
            )
        return await _recorded(info.context, changed)

    @strawberry.mutation(
        description="Give all that is unused back to all, and forgive what was lent."
    )
    async def earmark_close(self, info: YipanInfo, input: EarmarkCloseInput) -> EarmarkPayload:
        async with info.context.writing() as tx:
            changed = await cases.close_earmark(tx, input.earmark, key=input.idempotency_key)
        return await _recorded(info.context, changed)

    @strawberry.mutation(
        description="Lend now what an earmark does not need; it also happens every hour."
    )
    async def earmark_lend(self, info: YipanInfo, input: EarmarkLendInput) -> EarmarkPayload:
        local = await info.context.local_time()
        async with info.context.writing() as tx:
            changed = await lend_earmark(tx, input.earmark, local, key=input.idempotency_key)
        return await _recorded(info.context, changed)
