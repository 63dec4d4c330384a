"""Products: the SKUs."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Self

import strawberry
from strawberry import relay
from strawberry.scalars import JSON

from backend.catalog import find_skus, save_skus
from backend.catalog.model import Sku as SkuRecord
from backend.catalog.model import SkuDraft
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.paging import (
    PAGE_DEFAULT,
    connection,
    cursor_of,
    id_of,
    key_of,
    numbers_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Permission


@strawberry.type(description="A thing that can be sold and lies in stock.")
class Sku(relay.Node):
    number: relay.NodeID[int]
    code: str
    name: str
    category: str
    product_line: str
    weight_g: BigInt
    length_mm: int
    width_mm: int
    height_mm: int
    needs_installation: bool
    attributes: JSON
    is_active: bool

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        found = await info.context.skus.load_many(numbers_of(node_ids))
        return [sku_from(sku) if sku else None for sku in found]  # type: ignore[misc]


def sku_from(record: SkuRecord) -> Sku:
    return Sku(
        number=record.id,
        code=record.code,
        name=record.name,
        category=record.category,
        product_line=record.product_line,
        weight_g=record.weight_g,
        length_mm=record.length_mm,
        width_mm=record.width_mm,
        height_mm=record.height_mm,
        needs_installation=record.needs_installation,
        attributes=JSON(record.attributes),
        is_active=record.is_active,
    )


async def load_sku(info: YipanInfo, sku_id: int | None) -> Sku | None:
    """Return the SKU of an id; None for None, or where the principal may not see it."""
    found = None if sku_id is None else await info.context.skus.load(sku_id)
    return sku_from(found) if found else None


@strawberry.input(description="A SKU to create, or to change where its code exists.")
class SkuInput:
    code: str
    name: str
    category: str = ""
    product_line: str = ""
    weight_g: BigInt = 0
    length_mm: int = 0
    width_mm: int = 0
    height_mm: int = 0
    needs_installation: bool = False
    attributes: JSON = strawberry.field(default_factory=lambda: JSON({}))
    is_active: bool = True


@strawberry.input
class SkusSaveInput:
    idempotency_key: str
    skus: list[SkuInput]


@strawberry.type
class SkusSaved:
    ids: list[strawberry.ID]


SkusSavePayload = Annotated[
    SkusSaved | InputRefused | PermissionDenied, strawberry.union("SkusSavePayload")
]


@strawberry.type
class CatalogQuery:
    @strawberry.field(description="SKUs by id.")
    async def skus(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[Sku]:
        limit = page_size(first)
        (start,) = key_of(after, (0,))
        async with info.context.reading() as tx:
            rows = await find_skus.page_of_skus(tx, start, limit)
        return connection(rows, first, sku_from, lambda row: cursor_of(row.id))


@strawberry.type
class CatalogMutation:
    @strawberry.mutation(description="Create or change SKUs (商品); all or none.")
    async def skus_save(self, info: YipanInfo, input: SkusSaveInput) -> SkusSavePayload:
        drafts = [SkuDraft(**vars(sku)) for sku in input.skus]
        ids = await info.context.apply_once(
            Permission.CATALOG_WRITE,
            input.idempotency_key,
            ("skusSave", drafts),
            dict[str, int],
            partial(save_skus.save_skus, drafts=drafts),
        )
        return SkusSaved(ids=[strawberry.ID(id_of("Sku", ids[draft.code])) for draft in drafts])
