"""The brands that are played with: one with dealers and stores, and two small ones beside it."""

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import NamedTuple

from backend.catalog.model import SkuDraft
from backend.channels.model import ShopDraft
from backend.channels.shops import create_shop
from backend.db.pool import TenantTransaction, Transaction
from backend.environment import Servers
from backend.inventory.model import LevelKey
from backend.inventory.warehouses import create_warehouse
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_legal_entity, create_node, list_nodes
from backend.runtime import Runtime, open_runtime
from loadtests.bench.brands import districts, sku_code
from loadtests.fresh_brand import ACTOR, BrandDraft, FreshBrand, create_fresh_brand
from loadtests.receive_stock import receive_stock
from tenants import organisation
from tenants.principal import Kind, Permission

TEMPLATE = "load_1"
"""The kept template; raise its number whenever what is created here changes."""
SEED = 20_261_111
PASSWORD = "only for load"
SALE_SKU = "FLASH"
DEEP = 1_000_000
"""Units in a warehouse, which carries everything: no run sells it out."""
STORE_UNITS_MAX = 60
STORE_CARRIES = 0.5
"""Share of the SKUs that a store, or a dealer, carries; it may sell out, the warehouses go on."""
DAILY_CAPACITY = 10_000_000
DEALERS = ("dealer-east", "dealer-south", "dealer-west", "dealer-north")
PLATFORM_SHOPS = ("tmall", "jd", "douyin")
DEALER_MAY = (Permission.ORDERS_READ, Permission.ORDERS_PLACE, Permission.STOCK_READ)
STORE_MAY = (Permission.ORDERS_READ, Permission.STOCK_READ)


class BrandSize(NamedTuple):
    """A brand of the set."""

    code: str
    warehouses: int
    stores: int
    skus: int
    people: int
    dealers: tuple[str, ...] = ()


MAIN = BrandSize("load-main", warehouses=4, stores=12, skus=500, people=12, dealers=DEALERS)
BRANDS = (
    MAIN,
    BrandSize("load-small", warehouses=1, stores=3, skus=60, people=3),
    BrandSize("load-tiny", warehouses=1, stores=0, skus=20, people=1),
)


def brand_code(size: BrandSize) -> str:
    """Return the code that a brand gets: the first of its name."""
    return f"{size.code}-1"


def person_email(size: BrandSize, number: int) -> str:
    return f"person-{number:02}@{size.code}.example"


def store_email(size: BrandSize, code: str) -> str:
    return f"{code}@{size.code}.example"


def skus_of(size: BrandSize) -> tuple[str, ...]:
    """Return what a brand sells every day."""
    return tuple(sku_code(number) for number in range(size.skus))


async def create_brands(where: Servers, database_url: str) -> None:
    """Create the brands in a database, with their stock and the people who log in."""
    random = Random(SEED)
    async with open_runtime(
        database_url, where.valkey_url, where.secret, with_maintenance=False
    ) as runtime:
        for size in BRANDS:
            await _create_brand(runtime, size, random)


async def _create_brand(runtime: Runtime, size: BrandSize, random: Random) -> None:
    nodes = _nodes(size, random)
    codes = [*skus_of(size), SALE_SKU]
    skus = [SkuDraft(code=code, name=code, weight_g=random.randrange(200, 5_000)) for code in codes]
    draft = BrandDraft(size.code, size.code, "CNY", "Asia/Shanghai", "app")
    brand = await create_fresh_brand(runtime, draft, nodes, skus)
    async with runtime.database.platform_transaction() as tx:
        dealers = await _sign_dealers(tx, brand.tenant_id, size.dealers)
    async with runtime.database.tenant_transaction(brand.principal) as tx:
        places = random.sample(districts(), len(dealers))
        for (code, dealer_id), place in zip(dealers.items(), places, strict=True):
            brand.warehouses[code] = await _create_dealer(tx, runtime, code, dealer_id, place)
        entity = await create_legal_entity(tx, f"{size.code}-platforms", size.code)
        for shop in PLATFORM_SHOPS:
            await create_shop(tx, ShopDraft(shop, shop, shop, None, entity))
        ids = {node.code: node.id for node in await list_nodes(tx)}
        await _register_people(tx, brand, size, nodes, ids)
    await receive_stock(runtime, brand.principal, _units(brand, nodes, random), "opening")


def _nodes(size: BrandSize, random: Random) -> list[NodeDraft]:
    kinds = [(NodeKind.WAREHOUSE, "warehouse", number) for number in range(size.warehouses)]
    kinds += [(NodeKind.STORE, "store", number) for number in range(size.stores)]
    places = random.sample(districts(), len(kinds))
    return [
        _node(f"{name}-{number:02}", kind, place)
        for (kind, name, number), place in zip(kinds, places, strict=True)
    ]


def _node(
    code: str,
    kind: NodeKind,
    place: int,
    dealer_id: int | None = None,
    legal_entity_id: int | None = None,
) -> NodeDraft:
    return NodeDraft(
        code=code,
        name=code,
        kind=kind,
        region_code=place,
        priority=10 if kind is NodeKind.WAREHOUSE else 100,
        daily_capacity=DAILY_CAPACITY,
        lead_time_minutes=240,
        dealer_id=dealer_id,
        legal_entity_id=legal_entity_id,
    )


async def _sign_dealers(tx: Transaction, brand_id: int, codes: Sequence[str]) -> dict[str, int]:
    dealers = {}
    for code in codes:
        dealers[code] = await organisation.register_dealer(tx, ACTOR, code, code)
        await organisation.sign_agreement(tx, ACTOR, brand_id, dealers[code], date(2026, 1, 1))
    return dealers


async def _create_dealer(
    tx: TenantTransaction, runtime: Runtime, code: str, dealer_id: int, place: int
) -> int:
    """Create a dealer's node and shop, and return its functional warehouse."""
    entity = await create_legal_entity(tx, code, code, dealer_id)
    node = _node(code, NodeKind.DEALER, place, dealer_id, entity)
    node_id = await create_node(tx, node, runtime.regions)
    await create_shop(tx, ShopDraft(code, code, "wechat", dealer_id, entity))
    warehouse = WarehouseDraft(
        node_id=node_id, code=code, legal_entity_id=entity, dealer_id=dealer_id
    )
    return await create_warehouse(tx, warehouse)


async def _register_people(
    tx: Transaction,
    brand: FreshBrand,
    size: BrandSize,
    nodes: Sequence[NodeDraft],
    ids: dict[str, int],
) -> None:
    for number in range(size.people):
        email = person_email(size, number)
        user = await organisation.register_user(tx, ACTOR, email, email, PASSWORD)
        await organisation.grant_membership(
            tx, ACTOR, user, Kind.BRAND, Permission, brand_id=brand.tenant_id
        )
    for node in nodes:
        if node.kind is NodeKind.STORE:
            email = store_email(size, node.code)
            user = await organisation.register_user(tx, ACTOR, email, email, PASSWORD)
            await organisation.grant_membership(
                tx,
                ACTOR,
                user,
                Kind.STORE,
                STORE_MAY,
                brand_id=brand.tenant_id,
                node_ids=[ids[node.code]],
            )


def _units(brand: FreshBrand, nodes: Sequence[NodeDraft], random: Random) -> dict[LevelKey, int]:
    deep = {node.code for node in nodes if node.kind is NodeKind.WAREHOUSE}
    units = {}
    for code, warehouse in brand.warehouses.items():
        for sku, sku_id in brand.skus.items():
            if sku == SALE_SKU:
                continue
            if code in deep:
                units[LevelKey(warehouse, sku_id)] = DEEP
            elif random.random() < STORE_CARRIES:
                units[LevelKey(warehouse, sku_id)] = random.randint(1, STORE_UNITS_MAX)
    return units
