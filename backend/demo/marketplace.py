"""The demo's platforms: a simulated marketplace as a process of its own, and its buyers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx2

from backend.demo import brand as demo
from backend.demo.simulated import simulated
from backend.demo.stream import Tally
from backend.publishing.connections import connect_shop
from backend.runtime import Runtime
from tenants.principal import system_principal

TOKEN = "yipan-demo-token"
LISTINGS_A_CALL = 200
BUYERS_PER_SECOND = 1.0
SECONDS_BEFORE_BUYING = 5.0
"""Until the first numbers have arrived there is nothing to buy."""


class Marketplace:
    """The platform, seen from the demo."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        self.url = url
        self._http = http
        self._random = Random()
        self._skus = demo.demo_skus()
        stamp = datetime.now(UTC).strftime("%m%d%H%M%S")
        self._remote = {shop: f"{shop}-{stamp}" for shop in demo.PLATFORM_SHOPS}
        """What the platform calls the shops: it forgets when it ends, and begins with new ones."""

    async def open_shops(self, runtime: Runtime, tenant_id: int) -> None:
        """Open the shops, list every SKU in them, and say in Yipan how they are reached."""
        for shop, remote in self._remote.items():
            await self._call("POST", "/control/shops", {"code": remote, "token": TOKEN})
            items = [
                {"listing": sku.code, "title": sku.name, "price_minor": price}
                for sku, price in self._skus
            ]
            for first in range(0, len(items), LISTINGS_A_CALL):
                body = {"items": items[first : first + LISTINGS_A_CALL]}
                await self._call("PUT", f"/v1/shops/{remote}/listings", body)
            async with runtime.database.tenant_transaction(
                system_principal(tenant_id, "demo")
            ) as tx:
                await connect_shop(
                    tx,
                    shop,
                    kind="simulated",
                    base_url=self.url,
                    remote_shop=remote,
                    token=TOKEN,
                )

    async def buy_for_ever(self, region_codes: list[int], tally: Tally) -> None:
        """Let buyers come until cancelled; what is not shown they cannot buy."""
        await asyncio.sleep(SECONDS_BEFORE_BUYING)
        while True:
            with suppress(httpx2.HTTPError):  # a platform may be away
                tally.counts["bought"] += await self._buy(self._random.choice(region_codes))
            await asyncio.sleep(self._random.expovariate(BUYERS_PER_SECOND))

    async def _buy(self, region_code: int) -> bool:
        """Buy something, if it is shown; returns whether it was."""
        remote = self._remote[self._random.choice(demo.PLATFORM_SHOPS)]
        chosen = self._random.sample(self._skus, k=1 + int(self._random.random() < 0.3))
        body = {
            "buyer": {
                "name": "平台买家",
                "phone": f"139{self._random.randrange(10**8):08}",
                "region_code": region_code,
                "address": f"解放路 {self._random.randrange(1, 999)} 号",
            },
            "lines": [
                {"listing": sku.code, "quantity": 1, "unit_price_minor": price}
                for sku, price in chosen
            ],
            "paid": True,
        }
        answer = await self._http.post(f"{self.url}/v1/shops/{remote}/purchases", json=body)
        return answer.is_success

    async def _call(self, method: str, path: str, body: Any) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await self._http.request(method, f"{self.url}{path}", json=body, headers=headers)
        answer.raise_for_status()


@asynccontextmanager
async def marketplace() -> AsyncIterator[Marketplace]:
    """Start the platform on a free port of this machine; it ends with the block."""
    async with simulated("platform") as url, httpx2.AsyncClient() as http:
        yield Marketplace(url, http)
