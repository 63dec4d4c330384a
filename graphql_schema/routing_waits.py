"""Orders that routing lets wait: queues for people, and days on which a wait ends."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Self

import strawberry
from strawberry import relay

from backend.db.pool import TenantTransaction
from backend.orders import routing_waits as cases
from graphql_schema.context import YipanInfo
from graphql_schema.nodes import nodes_by_keys
from graphql_schema.orders import Order, order_from
from graphql_schema.paging import NUMBER_MAX, PAGE_DEFAULT, connection, cursor_of, key_of, page_size
from tenants.principal import Permission


@strawberry.type(description="How an order waits that no node could send all of (路由异常队列).")
class RoutingWait(relay.Node):
    number: relay.NodeID[int]
    strategy: str = strawberry.field(description="The strategy that was for it.")
    queue: str | None
    cancel_on: date | None = strawberry.field(
        description="What still waits on this day is cancelled."
    )
    waits_from: datetime

    @strawberry.field
    async def order(self, info: YipanInfo) -> Order | None:
        row = await info.context.orders.load(self.number)
        return order_from(row) if row else None

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        async def find(
            tx: TenantTransaction, keys: list[tuple[int, ...]]
        ) -> dict[tuple[int, ...], cases.RoutingWait]:
            found = await cases.routing_waits_of_orders(tx, [number for (number,) in keys])
            return {(one.order_id,): one for one in found}

        return await nodes_by_keys(
            info, node_ids, 1, find, _wait_from, permission=Permission.ORDERS_READ
        )


def _wait_from(found: cases.RoutingWait) -> RoutingWait:
    return RoutingWait(
        number=found.order_id,
        strategy=found.strategy,
        queue=found.queue,
        cancel_on=found.cancel_on,
        waits_from=found.waits_from,
    )


@strawberry.type
class RoutingWaitsQuery:
    @strawberry.field(
        description="Orders of which units still wait as a strategy said, the newest first: of all "
        "queues and days, or of one queue. See routingExplanation for why."
    )
    async def routing_waits(
        self,
        info: YipanInfo,
        queue: str | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[RoutingWait]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (below,) = key_of(after, (NUMBER_MAX,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_routing_waits(tx, queue=queue, below=below, limit=limit)
        return connection(rows, first, _wait_from, lambda found: cursor_of(found.order_id))
