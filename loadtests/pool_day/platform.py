"""The platform of the day's shops, as its buyers and its operator see it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import httpx2

from backend.publishing.connections import connect_shop
from backend.runtime import Runtime
from loadtests.fresh_brand import FreshBrand
from loadtests.pool_day.brand import REGIONS, SHOPS, SKUS, shop_code, sku_code

TOKEN = "day"
CALLS_PER_SECOND = 20
END_SECONDS = 10.0


@contextmanager
def platform_process() -> Iterator[str]:
    """Start the platform as a process of its own; gives its address."""
    words = ["--until-eof", "--port", "0", "--rate", str(CALLS_PER_SECOND)]
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.demo.platform", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait(END_SECONDS)


class Platform:
    """All shops of the brand are on it."""

    def __init__(self, url: str, http: httpx2.AsyncClient, random: Random) -> None:
        self._url = url
        self._http = http
        self._random = random

    async def open_shops(self, runtime: Runtime, brand: FreshBrand) -> None:
        """Open the shops, list every SKU, and say in Yipan how they are reached."""
        items = [
            {"listing": sku_code(n), "title": sku_code(n), "price_minor": 100} for n in range(SKUS)
        ]
        for number in range(SHOPS):
            shop = shop_code(number)
            await self._call("POST", "/control/shops", {"code": shop, "token": TOKEN})
            await self._call("PUT", f"/v1/shops/{shop}/listings", {"items": items})
            async with runtime.database.tenant_transaction(brand.principal) as tx:
                await connect_shop(
                    tx,
                    shop,
                    kind="simulated",
                    base_url=self._url,
                    remote_shop=shop,
                    token=TOKEN,
                    calls_per_second=CALLS_PER_SECOND,
                )

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
        answer = await self._http.post(f"{self._url}/v1/shops/{shop}/purchases", json=body)
        return bool(answer.status_code == httpx2.codes.CREATED)

    async def fail(self) -> None:
        """Let every call of every seller end in an error."""
        await self._call("POST", "/control/faults", {"kind": "error500"})

    async def recover(self) -> None:
        await self._call("DELETE", "/control/faults", None)

    async def state(self) -> dict[str, Any]:
        """Return what each shop shows, and its orders."""
        answer = await self._http.get(f"{self._url}/control/state")
        shops: dict[str, Any] = answer.raise_for_status().json()["shops"]
        return shops

    async def _call(self, method: str, path: str, body: object) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await self._http.request(method, f"{self._url}{path}", json=body, headers=headers)
        answer.raise_for_status()
