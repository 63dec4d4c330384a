"""Made-up brands to measure with: nodes in real Chinese districts, SKUs, deep stock."""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from backend.catalog.model import SkuDraft
from backend.db.pool import Database
from backend.environment import Servers
from backend.inventory.model import LevelKey
from backend.network.model import NodeDraft, NodeKind
from backend.network.regions.table import bundled_regions
from backend.runtime import Runtime, open_runtime
from loadtests.fresh_brand import ACTOR, SHOP, BrandDraft, create_fresh_brand
from loadtests.receive_stock import receive_stock
from tenants.brands import BrandDirectory
from tenants.organisation import issue_api_key
from tenants.principal import Permission

BRAND = BrandDraft("bench", "Bench", "CNY", "Asia/Shanghai", "app")
CARRIED = 0.5
"""Share of the SKUs that a node carries."""
WAREHOUSES_EVERY = 5
LINES = 3
PRICE_MINOR = 19_900
CHINA = "CN"
DISTRICT = 3


class Size(NamedTuple):
    """How large the brands of a benchmark are."""

    brands: int
    nodes: int
    skus: int
    units: int = 1_000_000
    """Of each SKU where it is carried: no run sells out."""


def districts() -> list[int]:
    """Return the codes of all Chinese districts."""
    regions = bundled_regions().by_code.values()
    return sorted(r.code for r in regions if r.country == CHINA and r.level == DISTRICT)


def sku_code(number: int) -> str:
    return f"SKU-{number:05}"


async def create_brands(where: Servers, database_url: str, size: Size, seed: int) -> None:
    """Create the brands of a size in a database, with their stock."""
    random = Random(seed)
    async with open_runtime(
        database_url, where.valkey_url, where.secret, with_maintenance=False
    ) as runtime:
        for _ in range(size.brands):
            await _create_brand(runtime, size, random)


async def _create_brand(runtime: Runtime, size: Size, random: Random) -> None:
    places = random.sample(districts(), size.nodes)
    nodes = [
        NodeDraft(
            code=f"node-{number:03}",
            name=f"Node {number}",
            kind=NodeKind.STORE if number % WAREHOUSES_EVERY else NodeKind.WAREHOUSE,
            region_code=place,
            priority=100 if number % WAREHOUSES_EVERY else 10,
            daily_capacity=10_000_000,
            lead_time_minutes=240,
        )
        for number, place in enumerate(places)
    ]
    skus = [
        SkuDraft(code=sku_code(n), name=f"SKU {n}", weight_g=random.randrange(200, 5_000))
        for n in range(size.skus)
    ]
    brand = await create_fresh_brand(runtime, BRAND, nodes, skus)
    warehouses = list(brand.warehouses.values())
    units = {
        LevelKey(warehouse, sku): size.units
        for number, sku in enumerate(brand.skus.values())
        for place, warehouse in enumerate(warehouses)
        if random.random() < CARRIED or place == number % len(warehouses)
    }
    await receive_stock(runtime, brand.principal, units, "opening")


async def keys_of_brands(database_url: str) -> dict[int, str]:
    """Issue an API key that may do everything for each brand of a database."""
    database = await Database.connect(database_url)
    try:
        keys = {}
        for brand in await BrandDirectory(database).all():
            async with database.platform_transaction() as tx:
                _, keys[brand.id] = await issue_api_key(tx, ACTOR, brand.id, "bench", Permission)
        return keys
    finally:
        await database.close()


class OrderSource:
    """Makes records of orders: three lines, a random district, one unit or two of each SKU."""

    def __init__(
        self, random: Random, skus: int, *, prefix: str = "", shops: Sequence[str] = (SHOP,)
    ) -> None:
        self._random = random
        self._shops = shops
        self._skus = range(skus)
        self._districts = districts()
        self._prefix = prefix
        self._number = 0

    def fields(self) -> dict[str, object]:
        """Return the fields that every entrance shares."""
        random = self._random
        self._number += 1
        return {
            "shop": self._shops[self._number % len(self._shops)],
            "externalId": f"{self._prefix}{self._number}",
            "address": {
                "detail": f"人民路 {random.randrange(1, 999)} 号",
                "regionCode": random.choice(self._districts),
                "name": "王女士",
                "phone": f"138{random.randrange(10**8):08}",
            },
            "lines": [
                {
                    "sku": sku_code(sku),
                    "quantity": random.randint(1, 2),
                    "unitPriceMinor": PRICE_MINOR,
                }
                for sku in random.sample(self._skus, LINES)
            ],
        }

    def page(self, size: int) -> bytes:
        """Return so many records as NDJSON."""
        records = (json.dumps(self.fields(), ensure_ascii=False) for _ in range(size))
        return "".join(record + "\n" for record in records).encode()


def pages(sources: Sequence[OrderSource], size: int, count: int) -> Iterator[bytes]:
    """Yield `count` pages, from each source in turn."""
    for number in range(count):
        yield sources[number % len(sources)].page(size)
