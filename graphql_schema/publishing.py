"""Publishing: how the platforms of shops are reached, and what they show."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.channels.errors import UnknownShop
from backend.channels.shops import active_shops
from backend.db.pool import Record
from backend.publishing import connections as cases
from backend.publishing.model import Connection as ShopConnectionRecord
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.nodes import nodes_by_keys
from graphql_schema.paging import PAGE_DEFAULT, connection, cursor_of, key_of, page_size
from graphql_schema.scalars import BigInt
from tenants.principal import Permission


@strawberry.type(description="How the platform of a shop is reached; its token is not shown.")
class ShopPlatform:
    shop: str
    kind: str
    base_url: str
    remote_shop: str
    calls_per_second: int
    is_active: bool
    problem: str | None = strawberry.field(description="What a person has to look at.")


@strawberry.type(description="What a platform is to show of a SKU, and shows.")
class ShownNumber(relay.Node):
    key: relay.NodeID[str]
    sku: str
    wanted: BigInt
    shown: BigInt | None = strawberry.field(description="What it last acknowledged.")
    acknowledged_at: datetime | None
    drifted_at: datetime | None = strawberry.field(
        description="When it was found to show something else than it acknowledged."
    )
    is_unlisted: bool = strawberry.field(description="The platform does not sell it.")

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_keys(info, node_ids, 2, cases.shown_by_keys, shown_number_from)


def shop_platform_from(found: ShopConnectionRecord) -> ShopPlatform:
    return ShopPlatform(
        shop=found.shop_code,
        kind=found.kind,
        base_url=found.base_url,
        remote_shop=found.remote_shop,
        calls_per_second=found.calls_per_second,
        is_active=found.is_active,
        problem=found.problem,
    )


def shown_number_from(row: Record) -> ShownNumber:
    return ShownNumber(
        key=f"{row['shop_id']}-{row['sku_id']}",
        sku=row["sku_code"],
        wanted=row["wanted"],
        shown=row["shown"],
        acknowledged_at=row["acknowledged_at"],
        drifted_at=row["drifted_at"],
        is_unlisted=row["is_unlisted"],
    )


@strawberry.input
class ShopConnectInput:
    shop: str
    kind: str = strawberry.field(description="The connector, as in simulated.")
    base_url: str
    remote_shop: str = strawberry.field(description="What the platform calls the shop.")
    token: str
    calls_per_second: int = strawberry.field(
        default=cases.CALLS_PER_SECOND, description="What the platform takes of the shop."
    )


@strawberry.input
class ShopDisconnectInput:
    shop: str


@strawberry.type
class ShopConnected:
    platform: ShopPlatform


@strawberry.type
class ShopDisconnected:
    was_connected: bool


ShopConnectPayload = Annotated[
    ShopConnected | InputRefused | PermissionDenied, strawberry.union("ShopConnectPayload")
]
ShopDisconnectPayload = Annotated[
    ShopDisconnected | InputRefused | PermissionDenied, strawberry.union("ShopDisconnectPayload")
]


@strawberry.type
class PublishingQuery:
    @strawberry.field(description="How the platforms of the shops are reached.")
    async def shop_platforms(self, info: YipanInfo) -> list[ShopPlatform]:
        info.context.principal.require(Permission.STOCK_READ)
        async with info.context.reading() as tx:
            return [shop_platform_from(found) for found in await cases.list_connections(tx)]

    @strawberry.field(description="What the platform of a shop shows, as far as we know.")
    async def shown_numbers(
        self, info: YipanInfo, shop: str, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[ShownNumber]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (sku_id,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            found = (await active_shops(tx)).get(shop)
            if found is None:
                raise UnknownShop
            rows = await cases.page_of_shown(tx, found.id, sku_id, limit)
        return connection(rows, first, shown_number_from, lambda row: cursor_of(row["sku_id"]))


@strawberry.type
class PublishingMutation:
    @strawberry.mutation(
        description="Say how the platform of a shop is reached: from now on it is told the shop's "
        "numbers, and its orders are taken. Safe to repeat; replaces what was said before."
    )
    async def shop_connect(self, info: YipanInfo, input: ShopConnectInput) -> ShopConnectPayload:
        async with info.context.writing() as tx:
            found = await cases.connect_shop(
                tx,
                input.shop,
                kind=input.kind,
                base_url=input.base_url,
                remote_shop=input.remote_shop,
                token=input.token,
                calls_per_second=input.calls_per_second,
            )
        return ShopConnected(platform=shop_platform_from(found))

    @strawberry.mutation(description="Tell the platform of a shop nothing more.")
    async def shop_disconnect(
        self, info: YipanInfo, input: ShopDisconnectInput
    ) -> ShopDisconnectPayload:
        async with info.context.writing() as tx:
            return ShopDisconnected(was_connected=await cases.disconnect_shop(tx, input.shop))
