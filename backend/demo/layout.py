"""The demo's pools: the warehouses' goods for all online shops, a part of them for dealers."""

from backend.db.pool import TenantTransaction
from backend.demo import brand as demo
from backend.inventory.pools.layouts import activate_layout, active_version, propose_layout
from backend.inventory.pools.model import Feed, Layer, Layout, Mode, Pool, Share, Supply, Sync
from backend.network.model import Condition
from backend.network.regions.table import RegionTable

DEALERS_BP = 3_000
"""Of each warehouse's goods that its dealers may sell: 上海正品仓 30 % 向华东经销商供货."""
DEALERS_WAREHOUSE = {
    "dealer-huadong": "wh-shanghai",
    "dealer-huanan": "wh-guangzhou",
    "dealer-xinan": "wh-guangzhou",
    "dealer-huazhong": "wh-beijing",
}
STORES_BP = 5_000
"""Of the stores' goods that may be sold online; a store keeps one of each for who walks in."""
DROPSHIP_BP = 5_000
"""Of their own goods that dealers send for the brand."""
SHARES_BP = {"tmall": 8_000, "jd": 6_000, "douyin": 5_000, "app": 10_000}
"""More than the whole together: shares shape what is offered, stock decides what is sold."""


def demo_layout() -> Layout:
    """Return the layout: two supply pools online, one of what dealers send for the brand, one a
    dealer, and what each shop is given.
    """
    warehouses = tuple(_good(node.code) for node in demo.WAREHOUSES)
    stores = tuple(_good(node.code) for node in demo.STORES)
    pools = [
        Pool(
            code="online-supply",
            name="线上业务逻辑仓",
            layer=Layer.SUPPLY,
            supplies=(Supply(warehouses=warehouses),),
        ),
        Pool(
            code="store-supply",
            name="门店共享仓",
            layer=Layer.SUPPLY,
            supplies=(Supply(warehouses=stores, ratio_bp=STORES_BP, reserve=len(stores)),),
        ),
        Pool(
            code="online",
            name="线上调度池",
            layer=Layer.DISPATCH,
            feeds=(Feed(pools=("online-supply",)), Feed(pools=("store-supply",))),
        ),
    ]
    pools.append(_dropship())
    shares = [Share(pool="online", shop=shop, ratio_bp=bp) for shop, bp in SHARES_BP.items()]
    shares.append(Share(pool="dropship", shop="app"))
    for code, name, _ in demo.DEALERS:
        pools += _dealers_pools(code, name)
        shares.append(Share(pool=f"{code}-pool", shop=f"shop-{code}"))
    return Layout(
        pools=tuple(pools),
        shares=tuple(shares),
        syncs=(
            Sync(shop="tmall", buffer=2, minimum_change=1),
            Sync(shop="jd", zero_below=3),
            Sync(shop="douyin", cap=500),
        ),
    )


def _dropship() -> Pool:
    """Return what dealers send of their own goods for the brand's shops (一件代发)."""
    own = tuple(_good(node.code) for node in demo.DEALER_NODES)
    return Pool(
        code="dropship",
        name="经销商代发逻辑仓",
        layer=Layer.SUPPLY,
        supplies=(Supply(warehouses=own, ratio_bp=DROPSHIP_BP),),
    )


def _dealers_pools(code: str, name: str) -> list[Pool]:
    """Return what a dealer's shop sells from: its own goods, and a part of a warehouse's."""
    part = Supply(warehouses=(_good(DEALERS_WAREHOUSE[code]),), ratio_bp=DEALERS_BP)
    own = Supply(warehouses=(_good(f"node-{code}"),))
    return [
        Pool(
            code=f"{code}-supply",
            name=f"{name}逻辑仓",
            layer=Layer.SUPPLY,
            supplies=(part, own),
        ),
        Pool(
            code=f"{code}-pool",
            name=f"{name}调度池",
            layer=Layer.DISPATCH,
            mode=Mode.PARTITIONED,
            feeds=(Feed(pools=(f"{code}-supply",)),),
        ),
    ]


def _good(node: str) -> str:
    return f"{node}-{Condition.GOOD}"


async def seed_layout(tx: TenantTransaction, regions: RegionTable) -> None:
    """Put the layout in force where none is."""
    if await active_version(tx):
        return
    draft = await propose_layout(
        tx,
        demo_layout(),
        based_on=0,
        comment="一盘货演示",
        key="demo-layout-propose",
        regions=regions,
    )
    await activate_layout(tx, draft.version, key="demo-layout-activate", regions=regions)
