"""Holds of orders: placing them by hand, the queue of who resolves them, releasing many."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import relay

from backend.inventory.counters import Counters
from backend.orders import hold_orders as cases
from backend.orders.model import HoldKind, OrderStatus
from backend.orders.release_holds import Resolution
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.orders import Order, order_from
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


@strawberry.input
class OrderHoldInput:
    idempotency_key: str
    order_id: strawberry.ID
    reason: str
    expires_at: datetime | None = strawberry.field(
        default=None, description="When it ends by itself; left out: when somebody releases it."
    )


@strawberry.type(description="Nothing of it is released or handed over until it is released.")
class OrderHoldPlaced:
    hold_no: int
    status: OrderStatus


OrderHoldPayload = Annotated[
    OrderHoldPlaced | InputRefused | PermissionDenied, strawberry.union("OrderHoldPayload")
]


@strawberry.input
class OrderHoldClaimInput:
    order_id: strawberry.ID
    hold_no: int
    gives_back: bool = False


@strawberry.type
class OrderHoldClaimed:
    hold_no: int


OrderHoldClaimPayload = Annotated[
    OrderHoldClaimed | InputRefused | PermissionDenied, strawberry.union("OrderHoldClaimPayload")
]


@strawberry.input(description="A hold, and what resolves it where it needs a SKU or a region.")
class HoldResolutionInput:
    order_id: strawberry.ID
    hold_no: int
    sku: str | None = None
    region_code: BigInt | None = None


@strawberry.input(description="At most 200 holds; each is answered by itself.")
class OrderHoldsReleaseInput:
    idempotency_key: str
    holds: list[HoldResolutionInput]


@strawberry.type(description="What became of one hold: released where there is no code.")
class HoldAnswer:
    order_id: strawberry.ID
    hold_no: int
    status: OrderStatus | None
    code: str | None
    message: str | None


@strawberry.type(description="An answer a hold, in the order given.")
class OrderHoldsReleased:
    results: list[HoldAnswer]


OrderHoldsReleasePayload = Annotated[
    OrderHoldsReleased | InputRefused | PermissionDenied,
    strawberry.union("OrderHoldsReleasePayload"),
]


def answer_from(resolved: cases.Resolved) -> HoldAnswer:
    error = resolved.error
    return HoldAnswer(
        order_id=strawberry.ID(id_of("Order", resolved.order_id)),
        hold_no=resolved.hold_no,
        status=resolved.status,
        code=error.code if error else None,
        message=error.message if error else None,
    )


@strawberry.type
class HoldsQuery:
    @strawberry.field(
        description="Orders with an open hold (审单队列), the oldest first: of a kind or of any; "
        "with `isFree` those that nobody has in hand."
    )
    async def held_orders(
        self,
        info: YipanInfo,
        kind: HoldKind | None = None,
        is_free: bool = False,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Order]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_held_orders(
                tx, kind=kind, is_free=is_free, after=start, limit=limit
            )
        return connection(rows, first, order_from, lambda row: cursor_of(row["id"]))


@strawberry.type
class HoldsMutation:
    @strawberry.mutation(description="Hold an order by hand (人工挂起).")
    async def order_hold(self, info: YipanInfo, input: OrderHoldInput) -> OrderHoldPayload:
        number, status = await cases.hold_order(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            input.reason,
            input.expires_at,
            input.idempotency_key,
        )
        return OrderHoldPlaced(hold_no=number, status=status)

    @strawberry.mutation(
        description="Take a hold in hand for half an hour, or give it back; twice changes nothing."
    )
    async def order_hold_claim(
        self, info: YipanInfo, input: OrderHoldClaimInput
    ) -> OrderHoldClaimPayload:
        await cases.claim_hold(
            info.context.services.database,
            info.context.principal,
            number_of("Order", input.order_id),
            input.hold_no,
            gives_back=input.gives_back,
        )
        return OrderHoldClaimed(hold_no=input.hold_no)

    @strawberry.mutation(description="Release holds of many orders.")
    async def order_holds_release(
        self, info: YipanInfo, input: OrderHoldsReleaseInput
    ) -> OrderHoldsReleasePayload:
        services, principal = info.context.services, info.context.principal
        resolutions = [
            (number_of("Order", one.order_id), Resolution(one.hold_no, one.sku, one.region_code))
            for one in input.holds
        ]
        done = await cases.release_holds(
            services.database, principal, resolutions, services.regions, input.idempotency_key
        )
        await services.publish_counters(principal.tenant_id, Counters())
        return OrderHoldsReleased(results=[answer_from(one) for one in done])
