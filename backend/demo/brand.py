"""The demo's brand: a home-appliance maker in real Chinese cities, made up otherwise.

Everything follows from SEED, so every machine has the same brand.
"""

from random import Random
from typing import NamedTuple

from backend.catalog.model import SkuDraft
from backend.network.model import NodeKind
from backend.network.regions.table import RegionTable

SEED = 20_261_111
BRAND_CODE = "haiyun"
BRAND_NAME = "海云电器"
GROUP_CODE = "haiyun-group"
PASSWORD = "yipan-demo"
"""Of the demo's users; the demo listens on this machine only."""


class DemoNode(NamedTuple):
    """A node of the demo."""

    code: str
    name: str
    kind: NodeKind
    region_code: int
    priority: int
    daily_capacity: int
    dealer: str | None = None


class DemoShop(NamedTuple):
    """A shop of the demo."""

    code: str
    name: str
    channel: str
    dealer: str | None = None


WAREHOUSES = (
    DemoNode("wh-shanghai", "上海中心仓", NodeKind.WAREHOUSE, 310117, 10, 50_000),
    DemoNode("wh-guangzhou", "广州中心仓", NodeKind.WAREHOUSE, 440113, 10, 50_000),
    DemoNode("wh-beijing", "北京中心仓", NodeKind.WAREHOUSE, 110115, 10, 50_000),
)
STORE_REGIONS = (
    ("上海徐汇店", 310104), ("上海浦东店", 310115), ("杭州西湖店", 330106), ("南京鼓楼店", 320106),
    ("广州天河店", 440106), ("深圳南山店", 440305), ("北京朝阳店", 110105), ("北京海淀店", 110108),
    ("成都锦江店", 510104), ("武汉江汉店", 420103), ("西安雁塔店", 610113), ("重庆渝中店", 500103),
)  # fmt: skip
STORES = tuple(
    DemoNode(f"store-{number:02}", name, NodeKind.STORE, region, 100, 200)
    for number, (name, region) in enumerate(STORE_REGIONS, 1)
)
DEALERS = (
    ("dealer-huadong", "华东家电经销", 330106),
    ("dealer-huanan", "华南家电经销", 440305),
    ("dealer-xinan", "西南家电经销", 510104),
    ("dealer-huazhong", "华中家电经销", 420103),
)
DEALER_NODES = tuple(
    DemoNode(f"node-{code}", f"{name}仓", NodeKind.DEALER, region, 60, 1_000, code)
    for code, name, region in DEALERS
)
NODES = (*WAREHOUSES, *STORES, *DEALER_NODES)
SHOPS = (
    DemoShop("tmall", "天猫旗舰店", "tmall"),
    DemoShop("jd", "京东自营店", "jd"),
    DemoShop("douyin", "抖音直播间", "douyin"),
    DemoShop("app", "品牌小程序", "wechat"),
    *(DemoShop(f"shop-{code}", f"{name}网店", "pinduoduo", code) for code, name, _ in DEALERS),
)
PLATFORM_SHOPS = ("tmall", "jd", "douyin")
"""Shops whose platform is played; the others' orders come through the API."""

PRODUCTS = (
    ("冰箱", "refrigerator", 65_000, True, 289_900),
    ("洗衣机", "washer", 62_000, True, 229_900),
    ("空调", "air-conditioner", 42_000, True, 259_900),
    ("电视", "television", 18_000, True, 319_900),
    ("热水器", "water-heater", 26_000, True, 149_900),
    ("油烟机", "range-hood", 24_000, True, 199_900),
    ("电饭煲", "rice-cooker", 4_200, False, 39_900),
    ("微波炉", "microwave", 11_500, False, 49_900),
    ("吸尘器", "vacuum", 3_800, False, 89_900),
    ("空气净化器", "purifier", 7_600, False, 119_900),
    ("电水壶", "kettle", 1_300, False, 12_900),
    ("破壁机", "blender", 4_900, False, 45_900),
    ("电磁炉", "cooktop", 2_900, False, 24_900),
    ("扫地机器人", "robot", 5_100, False, 199_900),
    ("吹风机", "dryer", 700, False, 29_900),
    ("滤芯", "filter", 400, False, 9_900),
    ("饮水机", "dispenser", 9_800, False, 69_900),
    ("加湿器", "humidifier", 2_400, False, 19_900),
    ("电风扇", "fan", 5_600, False, 17_900),
    ("烤箱", "oven", 8_700, False, 35_900),
)
"""Name, category, weight in grams, whether it is installed, price in fen."""
VARIANTS = 10


def districts(regions: RegionTable) -> list[int]:
    """Return the codes of all districts of China: customers live everywhere."""
    return [
        region.code
        for region in regions.by_code.values()
        if region.country == "CN" and region.level == 3
    ]


def demo_skus() -> list[tuple[SkuDraft, int]]:
    """Return the 200 SKUs with their prices in fen: twenty products in ten variants."""
    random = Random(SEED)
    skus = []
    for name, category, weight_g, is_installed, price_minor in PRODUCTS:
        for variant in range(1, VARIANTS + 1):
            edge_mm = round((weight_g * 4_000) ** (1 / 3))
            draft = SkuDraft(
                code=f"{category.upper()}-{variant:02}",
                name=f"{BRAND_NAME} {name} {variant:02} 型",
                category=category,
                product_line="major" if is_installed else "small",
                weight_g=weight_g + random.randrange(weight_g // 5),
                length_mm=edge_mm,
                width_mm=edge_mm,
                height_mm=edge_mm,
                needs_installation=is_installed,
            )
            skus.append((draft, price_minor + 100 * random.randrange(500)))
    return skus


def demo_stock(random: Random, kind: NodeKind, *, is_major: bool) -> int:
    """Return how many units of a SKU lie at a node: deep in warehouses, few in stores, or none."""
    if kind is NodeKind.WAREHOUSE:
        return random.randrange(500, 3_000)
    if kind is NodeKind.DEALER:
        return random.randrange(20, 120) if random.random() < 0.6 else 0
    carried = 0.25 if is_major else 0.6
    return random.randrange(2, 20) if random.random() < carried else 0
