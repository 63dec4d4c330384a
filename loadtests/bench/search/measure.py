"""Finding orders among two million, over HTTP: by number, buyer, telephone, SKU, node, state, time.

A year of orders of one brand: 5,000 SKUs and 50 nodes of which a few have most, 200,000 names of
buyers, of which 500 stand on a fifth of all orders; all but the newest are delivered or cancelled.
Four clients each ask for the first page of 20 with its lines, and for the next kind of question
when they have their answer; one that has spent its budget of requests waits, as it is told to. The
orders are made once and kept: that takes minutes.
"""

import asyncio
import base64
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import uvloop

from loadtests.bench.brands import create_brands, keys_of_brands, sku_code
from loadtests.bench.ground import Ground, bench_servers, kept_database, serving
from loadtests.bench.http_client import Connection
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch, quantile
from loadtests.bench.search.fill import SIZE, fill_orders

ORDERS, QUICK_ORDERS = 2_000_000, 50_000
CLIENTS = 4
PAGE = 20
QUERY = """
query ($search: OrderSearchInput!) { ordersFound(search: $search, first: 20) {
  edges { node { id externalId status buyerName buyerPhone placedAt total { amountMinor }
    lines { skuCode quantity } } }
  pageInfo { hasNextPage endCursor } } }
"""
STATUSES = ("HELD", "BACKORDERED", "PARTIALLY_SHIPPED", "SHIPPED", "DELIVERED", "CANCELLED")

Search = dict[str, Any]
Make = Callable[[Random, "Facts"], Search]


class WrongAnswer(RuntimeError):
    """Something was found that was not looked for, or not found that is there."""


class Facts:
    """What the orders are like that questions are asked about."""

    def __init__(self, orders: int, first_node: int, shop_id: int) -> None:
        self.orders = orders
        self.first_node = first_node
        self.shop = id_of("Shop", shop_id)

    def number(self, random: Random) -> str:
        return f"N{random.randint(1, self.orders)}"

    def buyer(self, random: Random) -> str:
        share = random.random()
        return f"王{round(share * 2_500)}" if share < 0.2 else f"买家{round(share * 250_000)}"

    def sku(self, random: Random) -> str:
        return sku_code(int(random.random() ** 3 * SIZE.skus))

    def node(self, random: Random) -> str:
        return id_of("Location", self.first_node + int(random.random() ** 2 * SIZE.nodes))

    def day(self, random: Random) -> Search:
        begin = datetime.now(UTC) - timedelta(days=random.randint(1, 364))
        return {
            "placedFrom": begin.isoformat(),
            "placedBefore": (begin + timedelta(days=1)).isoformat(),
        }


def id_of(kind: str, number: int) -> str:
    """Return the id that the API knows something by."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def _digits(random: Random, count: int) -> str:
    return f"{random.randrange(10**count):0{count}}"


KINDS: dict[str, Make] = {
    "everything": lambda random, facts: {},
    "number": lambda random, facts: {"number": facts.number(random)},
    "buyer": lambda random, facts: {"buyer": facts.buyer(random)},
    "phone_4": lambda random, facts: {"phone": _digits(random, 4)},
    "phone_6": lambda random, facts: {"phone": _digits(random, 6)},
    "sku": lambda random, facts: {"skus": [facts.sku(random)]},
    "node": lambda random, facts: {"locationId": facts.node(random)},
    "status": lambda random, facts: {"statuses": [random.choice(STATUSES)]},
    "day": lambda random, facts: facts.day(random),
    "two_skus": lambda random, facts: {"skus": [facts.sku(random), facts.sku(random)]},
    "sku_node": lambda random, facts: {
        "skus": [facts.sku(random)],
        "locationId": facts.node(random),
    },
    "status_node": lambda random, facts: {
        "statuses": [random.choice(STATUSES)],
        "locationId": facts.node(random),
    },
    "status_sku_day": lambda random, facts: {
        "statuses": [random.choice(STATUSES)],
        "skus": [facts.sku(random)],
        **facts.day(random),
    },
    "shop_buyer_phone": lambda random, facts: {
        "shopId": facts.shop,
        "buyer": facts.buyer(random),
        "phone": _digits(random, 4),
    },
}
"""Kinds of questions, asked in turn."""


def run(options: Options) -> BenchReport:
    """Measure how long the first page of each kind of question takes."""
    report = BenchReport(name="search", metrics={}, seconds=options.seconds, seed=options.seed)
    with bench_servers() as ground:
        uvloop.run(_measure(ground, options, report))
    return report


async def _measure(ground: Ground, options: Options, report: BenchReport) -> None:
    orders = QUICK_ORDERS if options.quick else ORDERS
    setting_up = Stopwatch()

    async def fill(database_url: str) -> None:
        await create_brands(ground.where, database_url, SIZE, options.seed)
        await fill_orders(database_url, orders)

    async with kept_database(ground, f"search_{orders}", fill) as own:
        keys = [
            key
            for _ in range(CLIENTS)
            for key in (await keys_of_brands(own.where.database_url)).values()
        ]
        facts = await _facts(own.where.database_url, orders)
        async with serving(own, workers=options.workers or 1) as served:
            asking = [
                _Asking(await Connection.open(served.address, _headers(key)), facts, number)
                for number, key in enumerate(keys)
            ]
            await asyncio.gather(*(one.ask(1.0) for one in asking))
            for one in asking:
                one.took.clear()
            report.set_up_seconds = setting_up.seconds
            processor = Processor()
            with processor.measured():
                await asyncio.gather(*(one.ask(options.seconds) for one in asking))
            report.cpu_seconds = processor.seconds
            for one in asking:
                one.close()
    took = {kind: [at for one in asking for at in one.took[kind]] for kind in KINDS}
    everything = [at for times in took.values() for at in times]
    report.metrics |= {
        "orders": orders,
        "questions_per_second": round(len(everything) / options.seconds, 1),
        "p50_ms": round(quantile(everything, 0.5) * 1000, 2),
        "p99_ms": round(quantile(everything, 0.99) * 1000, 2),
        "p99_ms_by_kind": {
            kind: round(quantile(times, 0.99) * 1000, 2) for kind, times in took.items()
        },
        "max_ms": round(max(everything) * 1000, 2),
    }


def _headers(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}", "content-type": "application/json"}


async def _facts(database_url: str, orders: int) -> Facts:
    admin = await asyncpg.connect(database_url)  # door-ok: looks at ids
    try:
        first_node = await admin.fetchval("select min(id) from node")  # sql-ok: a bench's own
        shop_id = await admin.fetchval("select min(id) from shop")  # sql-ok: a bench's own
        return Facts(orders, first_node, shop_id)
    finally:
        await admin.close()


class _Asking:
    """A client that asks one question after the other, each kind in turn."""

    def __init__(self, connection: Connection, facts: Facts, number: int) -> None:
        self._connection = connection
        self._facts = facts
        self._random = Random(f"search-{number}")
        self._turn = number * len(KINDS) // CLIENTS
        self.took: defaultdict[str, list[float]] = defaultdict(list)

    def close(self) -> None:
        self._connection.close()

    async def ask(self, seconds: float) -> None:
        """Ask for some seconds; raises WrongAnswer."""
        until = Stopwatch()
        while until.seconds < seconds:
            kind = list(KINDS)[self._turn % len(KINDS)]
            self._turn += 1
            search = KINDS[kind](self._random, self._facts)
            body = json.dumps({"query": QUERY, "variables": {"search": search}}).encode()
            watch = Stopwatch()
            answer = json.loads((await self._connection.post("/graphql", body)).body)
            took = watch.seconds
            if wait := _wait_of(answer):
                await asyncio.sleep(wait)
                continue
            self.took[kind].append(took)
            _check(kind, search, answer)


def _wait_of(answer: dict[str, Any]) -> float:
    """Return for how many seconds a client is to wait that has spent its budget; 0: for none."""
    found = answer.get("errors", [{}])[0].get("extensions", {})
    return 0.05 + found["retryAfterSeconds"] if found.get("code") == "RATE_LIMITED" else 0.0


def _check(kind: str, search: Search, answer: dict[str, Any]) -> None:
    if "errors" in answer:
        raise WrongAnswer(f"{kind} {search}: {answer['errors']}")
    found = [edge["node"] for edge in answer["data"]["ordersFound"]["edges"]]
    is_full = kind in ("everything", "day", "node") and len(found) < PAGE
    is_missing = kind == "number" and [one["externalId"] for one in found] != [search["number"]]
    if is_full or is_missing or not all(_fits(search, one) for one in found):
        raise WrongAnswer(f"{kind} {search}: {found}")


def _fits(search: Search, order: dict[str, Any]) -> bool:
    codes = {line["skuCode"] for line in order["lines"]}
    return (
        search.get("buyer", order["buyerName"]) == order["buyerName"]
        and order["buyerPhone"].endswith(search.get("phone", ""))
        and codes.issuperset(search.get("skus", ()))
        and order["status"] in search.get("statuses", (order["status"],))
    )
