"""The platform of the day's shops, as its buyers and its operator see it."""

from random import Random

import httpx2

from backend.runtime import Runtime
from loadtests.fresh_brand import FreshBrand
from loadtests.platform import SimulatedPlatform
from loadtests.pool_day.brand import REGIONS, SHOPS, SKUS, shop_code, sku_code

CALLS_PER_SECOND = 20


class Platform(SimulatedPlatform):
    """All shops of the brand are on it."""

    def __init__(self, url: str, http: httpx2.AsyncClient, random: Random) -> None:
        super().__init__(url, http, CALLS_PER_SECOND)
        self._random = random

    async def open_shops(self, runtime: Runtime, brand: FreshBrand) -> None:
        """Open the shops; every one lists every SKU."""
        skus = [sku_code(number) for number in range(SKUS)]
        for number in range(SHOPS):
            await self.open_shop(runtime, brand.principal, shop_code(number), skus)

    async def buy(self) -> bool:
        """Let somebody buy a unit or two of something; returns whether it was shown."""
        shop = shop_code(self._random.randrange(SHOPS))
        line = {
            "listing": sku_code(self._random.randrange(SKUS)),
            "quantity": self._random.randint(1, 2),
            "unit_price_minor": 100,
        }
        buyer = {
            "name": "买家",
            "phone": "13900000000",
            "region_code": self._random.choice(REGIONS),
            "address": "解放路 1 号",
        }
        body = {"buyer": buyer, "lines": [line], "paid": True}
        answer = await self.http.post(f"{self.url}/v1/shops/{shop}/purchases", json=body)
        return bool(answer.status_code == httpx2.codes.CREATED)

    async def fail(self) -> None:
        """Let every call of every seller end in an error."""
        await self.call("POST", "/control/faults", {"kind": "error500"})

    async def recover(self) -> None:
        await self.call("DELETE", "/control/faults", None)
