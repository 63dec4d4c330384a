"""The simulated platform as a child process, and a test's view of one of its shops."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from backend.channels.http_platform import HttpChannelStock
from backend.channels.platform import StockPush

ROOT = Path(__file__).parents[2]
TOKEN = "a token"
END_SECONDS = 10.0
"""Far longer than an end takes; a process that hangs is killed, and fails its test."""
HASTY_SECONDS = 0.3
"""How long the client of a test waits for an answer that will not come."""
KEPT = ("listings", "pushes", "orders", "unpaid")
"""What a refusal leaves as it is; calls and refusals are counted."""
BUYER = {"name": "林芳", "phone": "13800000000", "region_code": 310104, "address": "漕溪北路 1 号"}


class Platform(NamedTuple):
    """A platform that listens."""

    process: "subprocess.Popen[str]"
    url: str
    line: str


def start_platform(*words: str) -> "subprocess.Popen[str]":
    """Start a platform; whoever calls sees to its end."""
    return subprocess.Popen(
        [sys.executable, "-m", "backend.demo.platform", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def platform_process(*words: str) -> Iterator[Platform]:
    """A platform on a port of its own; whatever happens, it does not outlive the block."""
    process = start_platform("--port", "0", *words)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, "the platform did not start"
        yield Platform(process, line.split()[-1], line)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


class Shopfront:
    """A shop on a platform, as everybody sees it: seller, buyers, and who looks behind it."""

    def __init__(self, url: str, code: str, http: httpx2.AsyncClient) -> None:
        self.url = url
        self.code = code
        self.http = http

    def seller(self, call_seconds: float = 5.0, token: str = TOKEN) -> HttpChannelStock:
        return HttpChannelStock(self.url, self.code, token, self.http, call_seconds)

    async def open(self, **more: Any) -> None:
        await self.control("POST", "shops", {"code": self.code, "token": TOKEN, **more})

    async def control(self, method: str, path: str, body: object = None) -> Any:
        """Go through the control door, which takes what it is given."""
        answer = await self.http.request(method, f"{self.url}/control/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def call(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """Call as the seller, and return the answer whatever it is."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{self.url}/v1/shops/{self.code}/{path}"
        return await self.http.request(method, url, **{"json": body, "headers": headers, **more})

    async def list_articles(self, *codes: str) -> None:
        items = [{"listing": code, "title": code, "price_minor": 100} for code in codes]
        assert (await self.call("PUT", "listings", {"items": items})).is_success

    async def show(self, sequence: int = 1, **quantities: int) -> None:
        """Let listings show quantities, without fault."""
        items = [StockPush(code, quantity, sequence) for code, quantity in quantities.items()]
        await self.seller().push(items)

    async def break_down(self, kind: str, **more: Any) -> None:
        """Let calls of this shop go wrong."""
        await self.control("POST", "faults", {"kind": kind, "shop": self.code, **more})

    async def buy(self, *, paid: bool = True, **quantities: int) -> Any:
        """Buy, at 100 apiece, and return the answer whatever it is."""
        lines = [
            {"listing": code, "quantity": quantity, "unit_price_minor": 100}
            for code, quantity in quantities.items()
        ]
        body = {"buyer": BUYER, "lines": lines, "paid": paid}
        return await self.call("POST", "purchases", body, headers={})

    async def state(self) -> dict[str, Any]:
        """Return what the platform has of this shop."""
        found: dict[str, Any] = (await self.control("GET", "state"))["shops"][self.code]
        return found

    async def is_struck(self) -> bool:
        """Whether a call of this shop went wrong, or does so now."""
        return bool((await self.state())["faults"])

    async def shown(self) -> dict[str, int]:
        """Return what the listings really show that show anything."""
        listings = (await self.state())["listings"]
        return {code: one["quantity"] for code, one in listings.items() if one["quantity"]}

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """What is inside changes nothing of this shop."""
        before = await self.state()
        yield
        after = await self.state()
        assert [after[name] for name in KEPT] == [before[name] for name in KEPT]
