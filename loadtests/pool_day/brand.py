"""The brand of the day: its nodes, goods, shops and pools."""

from backend.catalog.model import SkuDraft
from backend.channels.model import ShopDraft
from backend.channels.shops import active_shops, create_shop
from backend.inventory.model import LevelKey
from backend.inventory.pools.layouts import activate_layout, propose_layout
from backend.inventory.pools.model import Feed, Layer, Layout, Mode, Pool, Share, Supply, Sync
from backend.network.model import NodeDraft, NodeKind
from backend.runtime import Runtime
from loadtests.fresh_brand import BrandDraft, FreshBrand, create_fresh_brand
from loadtests.receive_stock import receive_stock

SHOPS, PROMOTED_SHOPS, PARTITIONED_SHOPS = 40, 5, 6
SKUS = 60
WAREHOUSES, STORES = 4, 8
WAREHOUSE_UNITS, STORE_UNITS = 60, 6
REGIONS = (310104, 330106, 110105, 440106)
PROMOTED = tuple(f"sku-{number:03}" for number in range(12))
"""SKUs of which an earmark keeps something."""
SCARCE = tuple(f"sku-{number:03}" for number in range(50, 60))
"""SKUs that sell out, and of which more is to come."""


def shop_code(number: int) -> str:
    return f"shop-{number:02}"


def sku_code(number: int) -> str:
    return f"sku-{number:03}"


def warehouse_code(number: int) -> str:
    return f"wh-{number}"


def store_code(number: int) -> str:
    return f"store-{number}"


def layout() -> Layout:
    """Warehouses and half of what stores have; a promotion, and shops that share a whole."""
    warehouses = tuple(warehouse_code(number) for number in range(WAREHOUSES))
    stores = tuple(store_code(number) for number in range(STORES))
    supply = Pool(
        code="supply",
        name="Supply",
        layer=Layer.SUPPLY,
        supplies=(Supply(warehouses=warehouses), Supply(warehouses=stores, ratio_bp=5_000)),
    )
    every = (Feed(pools=("supply",)),)
    pools = (
        supply,
        Pool(code="online", name="Online", layer=Layer.DISPATCH, feeds=every),
        Pool(code="promo", name="Promotion", layer=Layer.DISPATCH, feeds=every),
        Pool(
            code="split",
            name="Split",
            layer=Layer.DISPATCH,
            feeds=every,
            mode=Mode.PARTITIONED,
        ),
    )
    shares = []
    for number in range(SHOPS):
        if number < PROMOTED_SHOPS:
            shares.append(Share(pool="promo", shop=shop_code(number)))
        elif number < PROMOTED_SHOPS + PARTITIONED_SHOPS:
            part = 10_000 // PARTITIONED_SHOPS
            shares.append(Share(pool="split", shop=shop_code(number), ratio_bp=part, binding=True))
        else:
            ratio = 10_000 - 100 * number
            shares.append(Share(pool="online", shop=shop_code(number), ratio_bp=ratio))
    syncs = tuple(
        Sync(shop=shop_code(number), buffer=number % 3, zero_below=number % 2)
        for number in range(0, SHOPS, 4)
    )
    return Layout(pools=pools, shares=tuple(shares), syncs=syncs)


async def create_brand(runtime: Runtime) -> FreshBrand:
    """Create the brand with its stock, its shops and its pools."""
    nodes = [
        NodeDraft(
            code=code,
            name=code,
            kind=kind,
            region_code=REGIONS[number % len(REGIONS)],
            priority=100,
        )
        for kind, codes in (
            (NodeKind.WAREHOUSE, [warehouse_code(n) for n in range(WAREHOUSES)]),
            (NodeKind.STORE, [store_code(n) for n in range(STORES)]),
        )
        for number, code in enumerate(codes)
    ]
    skus = [SkuDraft(code=sku_code(n), name=sku_code(n), weight_g=500) for n in range(SKUS)]
    draft = BrandDraft("day", "A day", "CNY", "Asia/Shanghai", "web")
    brand = await create_fresh_brand(runtime, draft, nodes, skus)
    async with runtime.database.tenant_transaction(brand.principal) as tx:
        for number in range(SHOPS):
            await create_shop(tx, ShopDraft(shop_code(number), shop_code(number), "simulated"))
        found = await propose_layout(
            tx, layout(), based_on=0, comment="", key="propose", regions=runtime.regions
        )
        await activate_layout(tx, found.version, key="activate", regions=runtime.regions)
    await receive_stock(runtime, brand.principal, stock_of(brand), "opening")
    return brand


def stock_of(brand: FreshBrand) -> dict[LevelKey, int]:
    """Return what lies where in the morning; of what is scarce, a few units in one place."""
    units = {}
    for code, sku_id in brand.skus.items():
        for place, warehouse_id in brand.warehouses.items():
            if code in SCARCE:
                count = 5 if place == warehouse_code(0) else 0
            else:
                count = WAREHOUSE_UNITS if place.startswith("wh") else STORE_UNITS
            if count:
                units[LevelKey(warehouse_id, sku_id)] = count
    return units


async def shop_ids(runtime: Runtime, brand: FreshBrand) -> dict[str, int]:
    """Return the ids of the day's shops by code."""
    async with runtime.database.tenant_transaction(brand.principal, read_only=True) as tx:
        found = await active_shops(tx)
    return {shop_code(number): found[shop_code(number)].id for number in range(SHOPS)}
