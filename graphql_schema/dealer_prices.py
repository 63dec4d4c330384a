"""What dealers pay, and the least they may ask: price lists."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.dropship import price_lists as cases
from backend.dropship.model import PriceLine, PriceListDraft, TermsStatus
from backend.dropship.model import PriceList as PriceListRecord
from graphql_schema.catalog import Sku, load_sku
from graphql_schema.context import YipanInfo
from graphql_schema.dealer_agreements import TermsDecideInput, TermsEndInput
from graphql_schema.errors import InputRefused, PermissionDenied, TermsChangedError
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


@strawberry.type(description="What a dealer pays for a SKU, and the least it may ask, a unit.")
class DealerPrice:
    sku_number: strawberry.Private[int]
    price_minor: BigInt
    min_resale_minor: BigInt = strawberry.field(description="The least resale price (最低零售价).")

    @strawberry.field
    async def sku(self, info: YipanInfo) -> Sku | None:
        return await load_sku(info, self.sku_number)


@strawberry.type(description="What some dealers pay (经销价): one, those of a level, or all.")
class DealerPriceList(relay.Node):
    number: relay.NodeID[int]
    code: str
    dealer_id: strawberry.ID | None
    level: str | None
    status: TermsStatus
    starts_on: date
    ends_on: date | None
    version: BigInt
    set_by: str
    approved_by: str | None
    changed_at: datetime

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(
            info,
            node_ids,
            cases.price_lists_by_ids,
            price_list_from,
            permission=Permission.DEALERS_READ,
        )


def price_list_from(found: PriceListRecord) -> DealerPriceList:
    dealer = found.dealer_id
    return DealerPriceList(
        number=found.id,
        code=found.code,
        dealer_id=None if dealer is None else strawberry.ID(id_of("Dealer", dealer)),
        level=found.level,
        status=found.status,
        starts_on=found.starts_on,
        ends_on=found.ends_on,
        version=found.version,
        set_by=found.set_by,
        approved_by=found.approved_by,
        changed_at=found.changed_at,
    )


@strawberry.input
class DealerPriceInput:
    sku: str
    price_minor: BigInt
    min_resale_minor: BigInt = 0


@strawberry.input(description="Of a dealer, of the dealers of a level, or (neither) of all.")
class DealerPriceListSaveInput:
    idempotency_key: str
    code: str
    starts_on: date
    prices: list[DealerPriceInput]
    ends_on: date | None = None
    dealer: str | None = None
    level: str | None = None


@strawberry.type
class DealerPriceListRecorded:
    price_list: DealerPriceList


DealerPriceListSavePayload = Annotated[
    DealerPriceListRecorded | InputRefused | PermissionDenied,
    strawberry.union("DealerPriceListSavePayload"),
]
DealerPriceListDecidePayload = Annotated[
    DealerPriceListRecorded | TermsChangedError | InputRefused | PermissionDenied,
    strawberry.union("DealerPriceListDecidePayload"),
]


@strawberry.type
class DealerPricesQuery:
    @strawberry.field(description="Price lists; a dealer sees those that are its own.")
    async def dealer_price_lists(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[DealerPriceList]:
        info.context.principal.require(Permission.DEALERS_READ)
        limit = page_size(first)
        (after_id,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_price_lists(tx, after_id, limit)
        return connection(rows, first, price_list_from, lambda one: cursor_of(one.id))

    @strawberry.field(description="The prices of a list, by SKU; up to 100 after a SKU.")
    async def dealer_prices(
        self,
        info: YipanInfo,
        price_list_id: strawberry.ID,
        after_sku_id: strawberry.ID | None = None,
        first: int = PAGE_DEFAULT,
    ) -> list[DealerPrice]:
        info.context.principal.require(Permission.DEALERS_READ)
        limit = page_size(first) - 1
        list_id = number_of("DealerPriceList", price_list_id)
        after = 0 if after_sku_id is None else number_of("Sku", after_sku_id)
        async with info.context.reading() as tx:
            rows = await cases.page_of_prices(tx, list_id, after, limit)
        return [
            DealerPrice(
                sku_number=row["sku_id"],
                price_minor=row["price_minor"],
                min_resale_minor=row["min_resale_minor"],
            )
            for row in rows
        ]


@strawberry.type
class DealerPricesMutation:
    @strawberry.mutation(description="Write the draft of a price list, whole.")
    async def dealer_price_list_save(
        self, info: YipanInfo, input: DealerPriceListSaveInput
    ) -> DealerPriceListSavePayload:
        draft = PriceListDraft(
            code=input.code,
            starts_on=input.starts_on,
            ends_on=input.ends_on,
            dealer=input.dealer,
            level=input.level,
            lines=[
                PriceLine(
                    sku=one.sku,
                    price_minor=one.price_minor,
                    min_resale_minor=one.min_resale_minor,
                )
                for one in input.prices
            ],
        )
        async with info.context.writing() as tx:
            found = await cases.save_price_list(tx, draft, key=input.idempotency_key)
        return DealerPriceListRecorded(price_list=price_list_from(found))

    @strawberry.mutation(description="Let the draft of a price list hold on its days.")
    async def dealer_price_list_approve(
        self, info: YipanInfo, input: TermsDecideInput
    ) -> DealerPriceListDecidePayload:
        async with info.context.writing() as tx:
            found = await cases.approve_price_list(
                tx, input.code, input.version, key=input.idempotency_key
            )
        return DealerPriceListRecorded(price_list=price_list_from(found))

    @strawberry.mutation(description="Drop the draft of a price list.")
    async def dealer_price_list_discard(
        self, info: YipanInfo, input: TermsDecideInput
    ) -> DealerPriceListDecidePayload:
        async with info.context.writing() as tx:
            found = await cases.discard_price_list(
                tx, input.code, input.version, key=input.idempotency_key
            )
        return DealerPriceListRecorded(price_list=price_list_from(found))

    @strawberry.mutation(description="Let a price list hold until a day; placed orders stay.")
    async def dealer_price_list_end(
        self, info: YipanInfo, input: TermsEndInput
    ) -> DealerPriceListSavePayload:
        async with info.context.writing() as tx:
            found = await cases.end_price_list(
                tx, input.code, input.last_day, key=input.idempotency_key
            )
        return DealerPriceListRecorded(price_list=price_list_from(found))
