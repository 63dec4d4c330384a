"""The simulated platform as a process of its own, and the door of its operator."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2

from backend.publishing.connections import connect_shop
from backend.runtime import Runtime
from tenants.principal import Principal

TOKEN = "load"
LISTINGS_A_CALL = 200
END_SECONDS = 10.0


@contextmanager
def platform_process(calls_per_second: int) -> Iterator[str]:
    """Start the platform, which takes so many calls of one shop; gives its address."""
    words = ["--until-eof", "--port", "0", "--rate", str(calls_per_second)]
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


class SimulatedPlatform:
    """A platform at an address; its shops are called as often as it takes."""

    def __init__(self, url: str, http: httpx2.AsyncClient, calls_per_second: int) -> None:
        self.url = url
        self.http = http
        self._calls_per_second = calls_per_second

    async def open_shop(
        self, runtime: Runtime, principal: Principal, shop: str, skus: Sequence[str]
    ) -> None:
        """Open a shop there that lists the SKUs, and say in Yipan how it is reached."""
        await self.call("POST", "/control/shops", {"code": shop, "token": TOKEN})
        for first in range(0, len(skus), LISTINGS_A_CALL):
            items = [
                {"listing": sku, "title": sku, "price_minor": 100}
                for sku in skus[first : first + LISTINGS_A_CALL]
            ]
            await self.call("PUT", f"/v1/shops/{shop}/listings", {"items": items})
        async with runtime.database.tenant_transaction(principal) as tx:
            await connect_shop(
                tx,
                shop,
                kind="simulated",
                base_url=self.url,
                remote_shop=shop,
                token=TOKEN,
                calls_per_second=self._calls_per_second,
            )

    async def state(self) -> dict[str, Any]:
        """Return what its operator sees: the clock, and of each shop numbers, pushes and orders."""
        answer = await self.http.get(f"{self.url}/control/state")
        state: dict[str, Any] = answer.raise_for_status().json()
        return state

    async def call(self, method: str, path: str, body: object) -> None:
        """Call it, waiting as long as it says where that is too soon."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        while True:
            answer = await self.http.request(
                method, f"{self.url}{path}", json=body, headers=headers
            )
            if answer.status_code != httpx2.codes.TOO_MANY_REQUESTS:
                answer.raise_for_status()
                return
            await asyncio.sleep(float(answer.headers["Retry-After"]))
