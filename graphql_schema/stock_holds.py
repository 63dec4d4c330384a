"""Stock holds: units kept for a cart, an unpaid order or a platform, until a time."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Self, cast

import msgspec
import strawberry
from strawberry import relay

from backend.orders.model import AddressDraft, Held, LineDraft, OrderDraft, Pickup, Shortage
from backend.orders.normalise import NOWHERE
from backend.orders.stock_holds import change_holds as cases
from backend.orders.stock_holds.change_holds import HoldChanged
from backend.orders.stock_holds.in_store import Kept, KeptUnits, kept_at, sell_of_hold
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind, StockHoldState
from backend.orders.stock_holds.model import StockHold as StockHoldRecord
from graphql_schema.context import Context, YipanInfo
from graphql_schema.errors import (
    InputRefused,
    InsufficientStockError,
    PermissionDenied,
    TooBusy,
    error_from_refused,
)
from graphql_schema.network import Shop, load_shop
from graphql_schema.nodes import nodes_by_numbers
from graphql_schema.order_commands import PlacedLine, placed_line_from
from graphql_schema.orders import Order, order_from
from graphql_schema.paging import (
    NUMBER_MAX,
    PAGE_DEFAULT,
    PAGE_MAX,
    connection,
    cursor_of,
    id_of,
    key_of,
    number_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Permission


@strawberry.type(description="Units that are kept for somebody until a time (预占).")
class StockHold(relay.Node):
    number: relay.NodeID[int]
    record: strawberry.Private[StockHoldRecord]
    kind: StockHoldKind
    external_id: str | None
    state: StockHoldState
    expires_at: datetime
    taken_by: str
    taken_at: datetime
    ended_at: datetime | None

    @strawberry.field(description="What it was converted to, or what came for it.")
    async def order(self, info: YipanInfo) -> Order | None:
        if self.record.order_id is None:
            return None
        row = await info.context.orders.load(self.record.order_id)
        return order_from(row) if row else None

    @strawberry.field
    async def shop(self, info: YipanInfo) -> Shop | None:
        return await load_shop(info, self.record.shop_id)

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(
            info,
            node_ids,
            cases.stock_holds_by_ids,
            stock_hold_from,
            permission=Permission.ORDERS_READ,
        )


def stock_hold_from(found: StockHoldRecord) -> StockHold:
    return StockHold(
        number=found.id,
        record=found,
        kind=found.kind,
        external_id=found.external_id,
        state=found.state,
        expires_at=found.expires_at,
        taken_by=found.taken_by,
        taken_at=found.taken_at,
        ended_at=found.ended_at,
    )


@strawberry.input
class StockHoldLineInput:
    sku: str
    quantity: int


@strawberry.input
class StockHoldTakeInput:
    idempotency_key: str
    shop: str
    kind: StockHoldKind
    lines: list[StockHoldLineInput]
    expires_in_seconds: int
    external_id: str | None = None
    region_code: BigInt | None = strawberry.field(
        default=None, description="Where it will go to, if that is known."
    )
    shortage: Shortage | None = strawberry.field(
        default=None, description="REFUSE (the default), or PARTIAL: keep what is there."
    )
    location: str | None = strawberry.field(
        default=None,
        description="The code of the location that keeps it, of what is kept IN_STORE (门店预留).",
    )


@strawberry.input
class StockHoldExtendInput:
    idempotency_key: str
    hold_id: strawberry.ID
    expires_in_seconds: int = strawberry.field(description="From now on.")


@strawberry.input
class StockHoldReleaseInput:
    idempotency_key: str
    hold_id: strawberry.ID


@strawberry.type(description="The units are kept; `reserved` says how many of each line.")
class StockHoldTaken:
    hold: StockHold
    lines: list[PlacedLine]


@strawberry.type
class StockHoldRecorded:
    hold: StockHold


StockHoldTakePayload = Annotated[
    StockHoldTaken | InsufficientStockError | TooBusy | InputRefused | PermissionDenied,
    strawberry.union("StockHoldTakePayload"),
]
StockHoldPayload = Annotated[
    StockHoldRecorded | InputRefused | PermissionDenied, strawberry.union("StockHoldPayload")
]


async def _recorded(context: Context, changed: HoldChanged) -> StockHoldRecorded:
    """Tell everybody of what a hold gave back."""
    await context.services.publish_counters(context.principal.tenant_id, changed.counters)
    return StockHoldRecorded(hold=stock_hold_from(changed.hold))


def _draft(input: StockHoldTakeInput) -> OrderDraft:
    region = input.region_code
    return OrderDraft(
        shop=input.shop,
        address=NOWHERE if region is None else AddressDraft(detail="", region_code=region),
        lines=tuple(LineDraft(line.sku, line.quantity) for line in input.lines),
        external_id=input.external_id,
        idempotency_key=input.idempotency_key,
        shortage=input.shortage,
        pickup=msgspec.UNSET if input.location is None else Pickup(input.location),
    )


@strawberry.type(description="Units of a SKU.")
class KeptUnitsType:
    sku: str
    quantity: int


@strawberry.type(description="What a location keeps for a customer who comes to try it (门店预留).")
class StoreReservation:
    hold_id: strawberry.ID
    external_id: str | None = strawberry.field(description="What the shop calls it.")
    expires_at: datetime
    taken_at: datetime
    units: list[KeptUnitsType]


def reservation_from(kept: Kept) -> StoreReservation:
    return StoreReservation(
        hold_id=strawberry.ID(id_of("StockHold", kept.hold_id)),
        external_id=kept.external_id,
        expires_at=kept.expires_at,
        taken_at=kept.taken_at,
        units=[KeptUnitsType(sku=one.sku, quantity=one.quantity) for one in kept.units],
    )


@strawberry.input
class StockHoldSellInput:
    idempotency_key: str
    hold_id: strawberry.ID
    units: list[StockHoldLineInput] | None = strawberry.field(
        default=None, description="What they buy; left out: all. The rest is free again."
    )
    receipt: str = ""


@strawberry.type(description="It was sold at the till.")
class StockHoldSold:
    hold_id: strawberry.ID
    sold: int
    left: int = strawberry.field(description="Units that are free again.")


StockHoldSellPayload = Annotated[
    StockHoldSold | InputRefused | PermissionDenied, strawberry.union("StockHoldSellPayload")
]


@strawberry.type
class StockHoldsQuery:
    @strawberry.field(description="Stock holds, the newest first; a dealer sees its own.")
    async def stock_holds(
        self,
        info: YipanInfo,
        state: StockHoldState | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[StockHold]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (below,) = key_of(after, (NUMBER_MAX,))
        async with info.context.reading() as tx:
            rows: Sequence[StockHoldRecord] = await cases.page_of_stock_holds(
                tx, below, limit, state
            )
        return connection(rows, first, stock_hold_from, lambda found: cursor_of(found.id))

    @strawberry.field(
        description="At most 100 things that a location of yours keeps for customers who come, the "
        "oldest first, after one (门店预留)."
    )
    async def store_reservations(
        self,
        info: YipanInfo,
        location_id: strawberry.ID,
        after_hold_id: strawberry.ID | None = None,
    ) -> list[StoreReservation]:
        after = 0 if after_hold_id is None else number_of("StockHold", after_hold_id)
        found = await kept_at(
            info.context.services.database,
            info.context.principal,
            number_of("Location", location_id),
            after,
            PAGE_MAX,
        )
        return [reservation_from(one) for one in found]


@strawberry.type
class StockHoldsMutation:
    @strawberry.mutation(
        description="Keep units for a while; `orderPlace` with the hold takes them over."
    )
    async def stock_hold_take(
        self, info: YipanInfo, input: StockHoldTakeInput
    ) -> StockHoldTakePayload:
        context = info.context
        terms = HoldTerms(input.kind, input.expires_in_seconds)
        outcome = await context.services.intake.take_hold(_draft(input), terms, context.principal)
        if not isinstance(outcome, Held):
            return cast(InputRefused, error_from_refused(outcome))
        async with context.reading() as tx:
            found = await cases.stock_holds_by_ids(tx, [outcome.hold_id])
        return StockHoldTaken(
            hold=stock_hold_from(found[0]),
            lines=[placed_line_from(line) for line in outcome.lines],
        )

    @strawberry.mutation(
        description="Let an active hold end later, or earlier; at payment, say. Late is in time."
    )
    async def stock_hold_extend(
        self, info: YipanInfo, input: StockHoldExtendInput
    ) -> StockHoldPayload:
        changed = await cases.extend_hold(
            info.context.services.database,
            info.context.principal,
            number_of("StockHold", input.hold_id),
            input.expires_in_seconds,
            key=input.idempotency_key,
        )
        return await _recorded(info.context, changed)

    @strawberry.mutation(
        description="Sell at the till what a location keeps for a customer (试后购买)."
    )
    async def stock_hold_sell(
        self, info: YipanInfo, input: StockHoldSellInput
    ) -> StockHoldSellPayload:
        units = None
        if input.units is not None:
            units = tuple(KeptUnits(one.sku, one.quantity) for one in input.units)
        done = await sell_of_hold(
            info.context.services.database,
            info.context.principal,
            number_of("StockHold", input.hold_id),
            units,
            input.receipt,
            key=input.idempotency_key,
        )
        await info.context.services.publish_counters(
            info.context.principal.tenant_id, done.counters
        )
        return StockHoldSold(hold_id=input.hold_id, sold=done.sold, left=done.left)

    @strawberry.mutation(description="Give the units of an active hold back to all.")
    async def stock_hold_release(
        self, info: YipanInfo, input: StockHoldReleaseInput
    ) -> StockHoldPayload:
        changed = await cases.release_stock_hold(
            info.context.services.database,
            info.context.principal,
            number_of("StockHold", input.hold_id),
            key=input.idempotency_key,
        )
        return await _recorded(info.context, changed)
