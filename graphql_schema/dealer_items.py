"""What dealers sell under their own names (代发商品), and where it is offered."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.dropship.items import save_items as cases
from backend.dropship.items.model import DealerItem as ItemRecord
from backend.dropship.items.model import ItemDraft, ItemPart, ListingDraft
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, TermsChangedError
from graphql_schema.network import Shop, load_shop
from graphql_schema.nodes import nodes_by_numbers
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


@strawberry.type(description="Units of a SKU that are in one item.")
class DealerItemPart:
    sku_number: strawberry.Private[int]
    sku_code: str
    quantity: int

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.sku_number)


@strawberry.type(description="How an item is offered in a shop of the dealer's.")
class DealerListing:
    shop_number: strawberry.Private[int]
    title: str
    price_minor: BigInt
    is_listed: bool
    changed_at: datetime

    @strawberry.field
    async def shop(self, info: YipanInfo) -> Shop | None:
        return await load_shop(info, self.shop_number)


@strawberry.type(description="What a dealer sells under its own name: a SKU, or a bundle of them.")
class DealerItem(relay.Node):
    number: relay.NodeID[int]
    dealer_id: strawberry.ID
    code: str = strawberry.field(description="What its shops call it in their orders.")
    title: str
    price_minor: BigInt
    pictures: list[str]
    is_active: bool
    parts: list[DealerItemPart]
    version: BigInt
    set_by: str
    changed_at: datetime

    @strawberry.field
    async def listings(self, info: YipanInfo) -> list[DealerListing]:
        return [
            DealerListing(
                shop_number=one.shop_id,
                title=one.title,
                price_minor=one.price_minor,
                is_listed=one.is_listed,
                changed_at=one.changed_at,
            )
            for one in await info.context.dealer_listings.load(self.number)
        ]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(
            info, node_ids, cases.items_by_ids, item_from, permission=Permission.DEALERS_READ
        )


def item_from(found: ItemRecord) -> DealerItem:
    return DealerItem(
        number=found.id,
        dealer_id=strawberry.ID(id_of("Dealer", found.dealer_id)),
        code=found.code,
        title=found.title,
        price_minor=found.price_minor,
        pictures=list(found.pictures),
        is_active=found.is_active,
        parts=[
            DealerItemPart(sku_number=part.sku_id, sku_code=part.sku_code, quantity=part.quantity)
            for part in found.parts
        ],
        version=found.version,
        set_by=found.set_by,
        changed_at=found.changed_at,
    )


@strawberry.input
class DealerItemPartInput:
    sku: str
    quantity: int = 1


@strawberry.input
class DealerItemInput:
    code: str
    title: str
    price_minor: BigInt
    parts: list[DealerItemPartInput]
    pictures: list[str] = strawberry.field(default_factory=list)
    is_active: bool = True
    compare_version: BigInt | None = strawberry.field(
        default=None, description="Only if it is still at this version; 0: does not exist yet."
    )


@strawberry.input
class DealerItemsSaveInput:
    idempotency_key: str
    items: list[DealerItemInput]
    dealer: str | None = strawberry.field(
        default=None, description="Whose, where the brand saves them; a dealer saves its own."
    )


@strawberry.input
class DealerListingInput:
    item: str
    shop: str
    is_listed: bool = True
    title: str | None = strawberry.field(default=None, description="Null: the item's.")
    price_minor: BigInt | None = strawberry.field(default=None, description="Null: the item's.")


@strawberry.input
class DealerListingsSaveInput:
    idempotency_key: str
    listings: list[DealerListingInput]
    dealer: str | None = None


@strawberry.type
class DealerItemsRecorded:
    items: list[DealerItem]


DealerItemsSavePayload = Annotated[
    DealerItemsRecorded | TermsChangedError | InputRefused | PermissionDenied,
    strawberry.union("DealerItemsSavePayload"),
]
DealerListingsSavePayload = Annotated[
    DealerItemsRecorded | InputRefused | PermissionDenied,
    strawberry.union("DealerListingsSavePayload"),
]


@strawberry.type
class DealerItemsQuery:
    @strawberry.field(description="What dealers sell; a dealer sees its own.")
    async def dealer_items(
        self,
        info: YipanInfo,
        dealer_id: strawberry.ID | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[DealerItem]:
        info.context.principal.require(Permission.DEALERS_READ)
        limit = page_size(first)
        (after_id,) = key_of(after, (0,))
        dealer = None if dealer_id is None else number_of("Dealer", dealer_id)
        async with info.context.reading() as tx:
            rows = await cases.page_of_items(tx, after_id, limit, dealer_id=dealer)
        return connection(rows, first, item_from, lambda one: cursor_of(one.id))


@strawberry.type
class DealerItemsMutation:
    @strawberry.mutation(description="Save what a dealer sells; all or none.")
    async def dealer_items_save(
        self, info: YipanInfo, input: DealerItemsSaveInput
    ) -> DealerItemsSavePayload:
        drafts = [
            ItemDraft(
                code=one.code,
                title=one.title,
                price_minor=one.price_minor,
                parts=[ItemPart(part.sku, part.quantity) for part in one.parts],
                pictures=one.pictures,
                is_active=one.is_active,
                compare_version=one.compare_version,
            )
            for one in input.items
        ]
        async with info.context.acting() as tx:
            dealer_id = await cases.dealer_for(tx, info.context.principal, input.dealer)
            found = await cases.save_items(tx, dealer_id, drafts, key=input.idempotency_key)
        return DealerItemsRecorded(items=[item_from(one) for one in found])

    @strawberry.mutation(description="Say where items of a dealer are offered; all or none.")
    async def dealer_listings_save(
        self, info: YipanInfo, input: DealerListingsSaveInput
    ) -> DealerListingsSavePayload:
        drafts = [
            ListingDraft(
                item=one.item,
                shop=one.shop,
                is_listed=one.is_listed,
                title=one.title,
                price_minor=one.price_minor,
            )
            for one in input.listings
        ]
        async with info.context.acting() as tx:
            dealer_id = await cases.dealer_for(tx, info.context.principal, input.dealer)
            found = await cases.save_listings(tx, dealer_id, drafts, key=input.idempotency_key)
        return DealerItemsRecorded(items=[item_from(one) for one in found])
