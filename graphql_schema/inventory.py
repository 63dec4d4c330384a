"""Stock: levels, movements and the commands that change them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.db.pool import Record
from backend.inventory import change_stock as commands
from backend.inventory import levels as reading
from backend.inventory.model import Level, LevelKey
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import Context, YipanInfo
from graphql_schema.errors import (
    InputRefused,
    NotEnoughToMoveError,
    PermissionDenied,
    StockChangedError,
)
from graphql_schema.network import Location, Warehouse, load_location, load_warehouse
from graphql_schema.paging import (
    PAGE_DEFAULT,
    composite_key,
    connection,
    cursor_of,
    key_of,
    number_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Kind, Permission


@strawberry.type(description="The stock of a SKU in a functional warehouse.")
class StockLevel(relay.Node):
    key: relay.NodeID[str]
    record: strawberry.Private[Level]
    on_hand: BigInt
    reserved: BigInt
    floor: BigInt
    earmark_unused: BigInt
    free: BigInt
    version: BigInt

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.record.sku_id)

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.record.node_id)

    @strawberry.field
    async def warehouse(self, info: YipanInfo) -> Warehouse | None:
        return await load_warehouse(info, self.record.functional_warehouse_id)

    @strawberry.field(description="The 20 newest movements of the level, the newest first.")
    async def movements(self, info: YipanInfo) -> list["StockMovement"]:
        rows = await info.context.movements.load(self.record.key)
        return [movement_from(row) for row in rows]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        info.context.principal.require(Permission.STOCK_READ)
        keys = [LevelKey(*composite_key(node_id, 2)) for node_id in node_ids]
        found = await info.context.levels.load_many(keys)
        return [level_from(level) if level else None for level in found]  # type: ignore[misc]


@strawberry.type(description="A row of the ledger.")
class StockMovement:
    type: str
    quantity: BigInt
    on_hand_delta: BigInt
    reserved_delta: BigInt
    level_version: BigInt
    cause_kind: str
    reason: str | None
    actor: str
    recorded_at: datetime


def level_from(level: Level) -> StockLevel:
    return StockLevel(
        key=f"{level.functional_warehouse_id}-{level.sku_id}",
        record=level,
        on_hand=level.on_hand,
        reserved=level.reserved,
        floor=level.floor,
        earmark_unused=level.earmark_unused,
        free=max(0, level.signed_free),
        version=level.version,
    )


def movement_from(row: Record) -> StockMovement:
    return StockMovement(
        type=row["type"],
        quantity=row["quantity"],
        on_hand_delta=row["on_hand_delta"],
        reserved_delta=row["reserved_delta"],
        level_version=row["level_version"],
        cause_kind=row["cause_kind"],
        reason=row["reason"],
        actor=row["actor"],
        recorded_at=row["recorded_at"],
    )


@strawberry.input
class StockReceiveInput:
    idempotency_key: str
    warehouse: str
    sku: str
    quantity: int


@strawberry.input
class StockAdjustInput:
    idempotency_key: str
    warehouse: str
    sku: str
    quantity: int = strawberry.field(description="Signed.")
    reason: str


@strawberry.input(description="Give compareOnHand or compareVersion: what you believe to replace.")
class StockSetInput:
    idempotency_key: str
    warehouse: str
    sku: str
    on_hand: int
    compare_on_hand: int | None = None
    compare_version: BigInt | None = None


@strawberry.input
class StockTransferInput:
    idempotency_key: str
    source: str
    destination: str
    sku: str
    quantity: int
    reason: str = ""


@strawberry.input
class StockSellInput:
    idempotency_key: str
    warehouse: str
    sku: str
    quantity: int
    receipt: str = strawberry.field(default="", description="The till's own number.")


@strawberry.type
class StockRecorded:
    levels: list[StockLevel]


StockPayload = Annotated[
    StockRecorded | InputRefused | PermissionDenied, strawberry.union("StockPayload")
]
StockSetPayload = Annotated[
    StockRecorded | StockChangedError | InputRefused | PermissionDenied,
    strawberry.union("StockSetPayload"),
]
StockTransferPayload = Annotated[
    StockRecorded | NotEnoughToMoveError | InputRefused | PermissionDenied,
    strawberry.union("StockTransferPayload"),
]


async def _change(
    context: Context, command: commands.StockCommand, idempotency_key: str
) -> StockRecorded:
    is_stores_own = isinstance(command, commands.STORE_COMMANDS)
    is_store = context.principal.kind is Kind.STORE
    door = context.writing() if is_store and not is_stores_own else context.stock_writing()
    async with door as tx:
        levels = await commands.change_stock(tx, command, idempotency_key)
    await context.services.publish_levels(context.principal.tenant_id, levels)
    return StockRecorded(levels=[level_from(level) for level in levels])


@strawberry.type
class InventoryQuery:
    @strawberry.field(description="Levels by SKU and functional warehouse.")
    async def stock_levels(
        self,
        info: YipanInfo,
        sku_id: strawberry.ID | None = None,
        location_id: strawberry.ID | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[StockLevel]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        sku, warehouse = key_of(after, (0, 0))
        async with info.context.reading() as tx:
            rows = await reading.page_of_levels(
                tx,
                sku_id=None if sku_id is None else number_of("Sku", sku_id),
                node_id=None if location_id is None else number_of("Location", location_id),
                after=LevelKey(warehouse, sku),
                limit=limit,
            )
        return connection(
            rows,
            first,
            level_from,
            lambda level: cursor_of(level.sku_id, level.functional_warehouse_id),
        )


@strawberry.type
class InventoryMutation:
    @strawberry.mutation(description="Receive goods (收货).")
    async def stock_receive(self, info: YipanInfo, input: StockReceiveInput) -> StockPayload:
        command = commands.StockReceive(
            warehouse=input.warehouse, sku=input.sku, quantity=input.quantity
        )
        return await _change(info.context, command, input.idempotency_key)

    @strawberry.mutation(description="Correct a level by a signed quantity, with a reason (调整).")
    async def stock_adjust(self, info: YipanInfo, input: StockAdjustInput) -> StockPayload:
        command = commands.StockAdjust(
            warehouse=input.warehouse, sku=input.sku, quantity=input.quantity, reason=input.reason
        )
        return await _change(info.context, command, input.idempotency_key)

    @strawberry.mutation(
        description="Set what is on hand, if it is what you compared with; for systems of record."
    )
    async def stock_set(self, info: YipanInfo, input: StockSetInput) -> StockSetPayload:
        command = commands.StockSet(
            warehouse=input.warehouse,
            sku=input.sku,
            on_hand=input.on_hand,
            compare_on_hand=input.compare_on_hand,
            compare_version=input.compare_version,
        )
        return await _change(info.context, command, input.idempotency_key)

    @strawberry.mutation(
        description="Record what a store sold at its own till, even where it was promised."
    )
    async def stock_sell(self, info: YipanInfo, input: StockSellInput) -> StockPayload:
        command = commands.StockSell(
            warehouse=input.warehouse,
            sku=input.sku,
            quantity=input.quantity,
            receipt=input.receipt,
        )
        return await _change(info.context, command, input.idempotency_key)

    @strawberry.mutation(
        description="Move free units to another functional warehouse at once (调拨): of the same "
        "node, where their condition, purpose or owner changes, or of another one."
    )
    async def stock_transfer(
        self, info: YipanInfo, input: StockTransferInput
    ) -> StockTransferPayload:
        command = commands.StockTransfer(
            source=input.source,
            destination=input.destination,
            sku=input.sku,
            quantity=input.quantity,
            reason=input.reason,
        )
        return await _change(info.context, command, input.idempotency_key)
