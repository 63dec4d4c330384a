"""A brand of its own for every run, so that a run can be repeated in the same database."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from backend.catalog.find_skus import SkuCache
from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.channels.model import ShopDraft
from backend.channels.shops import create_shop
from backend.db.errors import AlreadyExists
from backend.inventory.warehouses import create_warehouse, list_warehouses
from backend.network.model import NodeDraft, WarehouseDraft
from backend.network.nodes import create_legal_entity, create_node
from backend.runtime import Runtime
from loadtests.errors import TooManyRuns
from tenants import organisation
from tenants.principal import Principal, system_principal

ACTOR = "system:loadtests"
SHOP = "shop"
BRAND_ATTEMPTS_MAX = 20
"""Codes tried where several runs start at the same moment."""
SKUS_AT_ONCE = 1_000


class BrandDraft(NamedTuple):
    """What a run's brand is like."""

    prefix: str
    """Its code is this and a number."""
    name: str
    currency: str
    time_zone: str
    channel: str


class FreshBrand(NamedTuple):
    """A brand that was created for a run."""

    tenant_id: int
    code: str
    warehouses: dict[str, int]
    """The functional warehouse of each node, by the node's code."""
    skus: dict[str, int]

    @property
    def principal(self) -> Principal:
        return system_principal(self.tenant_id, "loadtests")


async def create_fresh_brand(
    runtime: Runtime,
    brand: BrandDraft,
    nodes: Sequence[NodeDraft],
    skus: Sequence[SkuDraft],
    *,
    code: str | None = None,
) -> FreshBrand:
    """Create a brand with one legal entity that owns all nodes, one shop, and no stock.

    With a code: the brand of that code, as far as an interrupted run has come with it. Raises
    TooManyRuns, and what `create_node` and `save_skus` raise.
    """
    tenant_id, code = await _register(runtime, brand, code)
    principal = system_principal(tenant_id, "loadtests")
    async with runtime.database.tenant_transaction(principal) as tx:
        found = {each.code: each.id for each in await list_warehouses(tx)}
        if found:
            known = await SkuCache().fetch(tx, [sku.code for sku in skus])
            return FreshBrand(tenant_id, code, found, {sku.code: sku.id for sku in known.values()})
        entity = await create_legal_entity(tx, brand.prefix, brand.name)
        await create_shop(tx, ShopDraft(SHOP, brand.name, brand.channel, None, entity))
        warehouses = {}
        for node in nodes:
            owned = msgspec.structs.replace(node, legal_entity_id=entity)
            node_id = await create_node(tx, owned, runtime.regions)
            warehouse = WarehouseDraft(node_id=node_id, code=node.code, legal_entity_id=entity)
            warehouses[node.code] = await create_warehouse(tx, warehouse)
        sku_ids: dict[str, int] = {}
        for first in range(0, len(skus), SKUS_AT_ONCE):
            sku_ids |= await save_skus(tx, skus[first : first + SKUS_AT_ONCE])
    return FreshBrand(tenant_id, code, warehouses, sku_ids)


async def _register(runtime: Runtime, brand: BrandDraft, wanted: str | None) -> tuple[int, str]:
    """Register the brand under its code, if it is not there, or under the first free number."""
    taken = {known.code: known.id for known in await runtime.brands.all()}
    if wanted in taken:
        return taken[wanted], wanted
    codes = (f"{brand.prefix}-{number}" for number in itertools.count(1))
    free = [wanted] if wanted else (code for code in codes if code not in taken)
    for code in itertools.islice(free, BRAND_ATTEMPTS_MAX):
        try:
            async with runtime.database.platform_transaction() as tx:
                tenant_id = await organisation.register_brand(
                    tx,
                    ACTOR,
                    code=code,
                    name=brand.name,
                    currency=brand.currency,
                    time_zone=brand.time_zone,
                )
        except AlreadyExists:
            continue
        return tenant_id, code
    raise TooManyRuns
