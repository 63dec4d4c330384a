"""What buyers ask for on the platforms of shops (平台售后单)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.channels.platform import ChannelReturnKind, ChannelReturnStatus
from backend.db.pool import Record
from backend.publishing.decide_returns import (
    channel_returns_by_ids,
    decide_channel_return,
    page_of_channel_returns,
)
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.network import load_shop
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
from tenants.principal import Permission

strawberry.enum(
    ChannelReturnStatus,
    name="PlatformReturnStatus",
    description="Where a request stands on its platform.",
)
strawberry.enum(
    ChannelReturnKind, name="PlatformReturnKind", description="What a buyer wants on a platform."
)


@strawberry.type(description="A request of a buyer on a platform, kept in step with ours.")
class PlatformReturn(relay.Node):
    number_here: relay.NodeID[int]
    shop_id: strawberry.Private[int]
    order_number: strawberry.Private[int | None]
    return_number: strawberry.Private[int | None]
    number: str = strawberry.field(description="What the platform calls it.")
    platform_order: str = strawberry.field(description="What the platform calls its order.")
    kind: ChannelReturnKind
    status: ChannelReturnStatus = strawberry.field(description="Where it stands there.")
    reason: str
    problem: str = strawberry.field(description="Why somebody has to look at it.")
    refusal: str | None = strawberry.field(description="Why it is refused there.")
    is_settled: bool = strawberry.field(description="It has ended there and here.")
    changed_at: datetime

    @strawberry.field
    async def shop(self, info: YipanInfo) -> str | None:
        shop = await load_shop(info, self.shop_id)
        return None if shop is None else shop.code

    @strawberry.field
    def order_id(self) -> strawberry.ID | None:
        number = self.order_number
        return None if number is None else strawberry.ID(id_of("Order", number))

    @strawberry.field(description="What it is here.")
    def return_id(self) -> strawberry.ID | None:
        number = self.return_number
        return None if number is None else strawberry.ID(id_of("Return", number))

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_of_orders(info, node_ids, channel_returns_by_ids, platform_return_from)


def platform_return_from(row: Record) -> PlatformReturn:
    return PlatformReturn(
        number_here=row["id"],
        shop_id=row["shop_id"],
        order_number=row["order_id"],
        return_number=row["return_id"],
        number=row["number"],
        platform_order=row["order_number"],
        kind=ChannelReturnKind(row["kind"]),
        status=ChannelReturnStatus(row["theirs"]),
        reason=row["reason"],
        problem=row["problem"],
        refusal=row["refusal"],
        is_settled=row["is_settled"],
        changed_at=row["changed_at"],
    )


@strawberry.input
class PlatformReturnDecideInput:
    idempotency_key: str
    platform_return_id: strawberry.ID
    refuses: bool = strawberry.field(
        description="It is refused on the platform; otherwise it is tried once more."
    )
    reason: str = strawberry.field(default="", description="Why; the buyer reads it.")


@strawberry.type
class PlatformReturnDecided:
    platform_return: PlatformReturn


PlatformReturnDecidePayload = Annotated[
    PlatformReturnDecided | InputRefused | PermissionDenied,
    strawberry.union("PlatformReturnDecidePayload"),
]


@strawberry.type
class ChannelReturnsQuery:
    @strawberry.field(
        description="What buyers ask for on platforms and has not ended, the oldest first; or only "
        "that with which something is wrong. For the brand."
    )
    async def platform_returns(
        self,
        info: YipanInfo,
        only_problems: bool = False,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[PlatformReturn]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            found = await page_of_channel_returns(tx, start, limit, only_problems=only_problems)
        return connection(found, first, platform_return_from, lambda row: cursor_of(row["id"]))


@strawberry.type
class ChannelReturnsMutation:
    @strawberry.mutation(
        description="Have a request refused on its platform, or tried once more (平台售后处理)."
    )
    async def platform_return_decide(
        self, info: YipanInfo, input: PlatformReturnDecideInput
    ) -> PlatformReturnDecidePayload:
        number = number_of("PlatformReturn", input.platform_return_id)
        async with info.context.writing() as tx:
            await decide_channel_return(
                tx,
                number,
                refuses=input.refuses,
                reason=input.reason,
                key=input.idempotency_key,
            )
            found = await channel_returns_by_ids(tx, [number])
        return PlatformReturnDecided(platform_return=platform_return_from(found[number]))
