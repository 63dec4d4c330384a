"""Buyers over HTTP: `python -m loadtests.bench.http_buyers COUNT NUMBER PORT API_KEY`.

Each has a connection of its own and sends `orderPlace`, again with the same key until there is an
answer: after a transport error at once, and when told to where the server is too busy.
"""

import asyncio
import gc
import sys
from random import Random

import msgspec
import uvloop

from loadtests.bench.buyers import GC_THRESHOLDS, SHANGHAI, SKU
from loadtests.bench.crowd import Tally, say, wait_for_the_word
from loadtests.bench.http_client import Connection
from loadtests.fresh_brand import SHOP

CONNECTING = 200
"""So many connect at a time."""
RETRY_SECONDS = 0.05
TOO_BUSY_SECONDS = 1.0
PLACED, REFUSED = "ALLOCATED", "INSUFFICIENT_STOCK"
AGAIN = ("TOO_BUSY", "UNAVAILABLE")
DOCUMENT = """mutation Buy($input: OrderPlaceInput!) { orderPlace(input: $input) {
  ... on OrderPlaced { status } ... on UserError { code }
  ... on TooBusy { retryAfterSeconds } } }"""


class Buyer:
    """One buyer, with a connection of its own."""

    def __init__(self, name: str, address: tuple[str, int], key: str) -> None:
        self._random = Random(name)
        self._address = address
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._body = _body(name)
        self._connection: Connection | None = None

    async def connect(self) -> Connection:
        """Connect where there is no connection, as often as it takes."""
        while self._connection is None or not self._connection.is_open:
            try:
                self._connection = await Connection.open(self._address, self._headers)
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
        return self._connection

    async def buy(self, tally: Tally) -> None:
        """Ask until there is an answer."""
        code = await self._ask()
        while code in AGAIN:
            pause = TOO_BUSY_SECONDS if code == "TOO_BUSY" else RETRY_SECONDS
            await asyncio.sleep(pause * self._random.uniform(0.5, 1.5))
            code = await self._ask()
        if code == PLACED:
            tally.placed()
        else:
            tally.refused()
        (await self.connect()).close()

    async def _ask(self) -> str:
        try:
            answer = await (await self.connect()).post("/graphql", self._body)
        except OSError:
            return "UNAVAILABLE"
        try:
            return _code(answer.body)
        except msgspec.DecodeError:
            raise RuntimeError(f"nobody expected {answer.status} {answer.body[:200]!r}") from None


def _body(name: str) -> bytes:
    order = {
        "shop": SHOP,
        "idempotencyKey": name,
        "address": {"detail": "x", "regionCode": SHANGHAI},
        "lines": [{"sku": SKU, "quantity": 1, "unitPriceMinor": 9_900}],
    }
    return msgspec.json.encode({"query": DOCUMENT, "variables": {"input": order}})


def _code(body: bytes) -> str:
    """Return what an answer says: the status of the order, or why there is none."""
    answer = msgspec.json.decode(body)
    if answer.get("data") is None:
        code = str(answer["errors"][0].get("extensions", {}).get("code", answer["errors"]))
    else:
        outcome = answer["data"]["orderPlace"]
        code = str(outcome.get("status") or outcome["code"])
    if code not in (PLACED, REFUSED, *AGAIN):
        raise RuntimeError(f"nobody expected {code}")
    return code


async def _main(count: int, number: str, port: int, key: str) -> None:
    buyers = [Buyer(f"{number}-{buyer}", ("127.0.0.1", port), key) for buyer in range(count)]
    for first in range(0, count, CONNECTING):
        await asyncio.gather(*(buyer.connect() for buyer in buyers[first : first + CONNECTING]))
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    await wait_for_the_word()
    tally = Tally()
    await asyncio.gather(*(buyer.buy(tally) for buyer in buyers))
    say(tally.bought)


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]))
