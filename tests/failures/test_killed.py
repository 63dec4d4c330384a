"""A serving process is killed at each boundary: its order is placed once, its unit is not lost."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from backend.orders.model import OrderDraft, Placed
from backend.runtime import Runtime
from backend.settings import Settings, environment_of
from loadtests.bench.http_client import Connection
from loadtests.processes import free_port, start_role, wait_until_ready
from loadtests.waiting import until
from loadtests.wire import Trap, Wire
from tenants.tokens import TokenIssuer
from tests.api.client import PLACE
from tests.conftest import SECRET
from tests.failures.conftest import url_through
from tests.failures.selling import (
    SELLABLE_SECONDS,
    assert_healed,
    insist,
    processes,
)
from tests.orders.checks import facts, refused
from tests.world import World, draft, receive

COMMIT = re.compile(rb"Q\x00\x00\x00\x0bcommit\x00")
"""The message with which asyncpg commits (PostgreSQL's protocol, simple query)."""
FINISH = re.compile(rb"yipan_finish.*\x94\x91", re.DOTALL)
"""A call of `finish` that drops one token: four columns, of which the first has one item."""
WARM_UP_SECONDS = 0.7
UNITS = 3


class Victim(NamedTuple):
    """A serving process, behind a wire of its own on each side."""

    process: subprocess.Popen[bytes]
    client: Wire
    database: Wire
    valkey: Wire


@pytest.fixture
async def victim(
    database_url: str, database_wire: Wire, valkey_wire: Wire, valkey_url: str
) -> AsyncIterator[Victim]:
    port = free_port()
    environment = environment_of(
        Settings(),
        environment="production",
        database_url=url_through(database_wire, database_url),
        valkey_url=valkey_url,
        jwt_secret=SECRET,
        port=str(port),
        log_level="error",
    )
    process = start_role("serve", environment)
    try:
        await wait_until_ready(("127.0.0.1", port), process)
        async with Wire(("127.0.0.1", port)) as client:
            yield Victim(process, client, database_wire, valkey_wire)
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


@asynccontextmanager
async def survivor(database_url: str, valkey_own: str) -> AsyncIterator[Runtime]:
    """Another process, which goes on."""
    async with processes(database_url, valkey_own, 1) as (runtime,):
        yield runtime


async def ask(victim: Victim, world: World, order: OrderDraft) -> dict[str, Any]:
    """Place an order over HTTP; raises ConnectionError where the process dies."""
    token = TokenIssuer(SECRET).issue(world.brand)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    connection = await Connection.open(victim.client.address, headers)
    try:
        answer = await connection.post("/graphql", body_of(order))
    finally:
        connection.close()
    placed: dict[str, Any] = json.loads(answer.body)["data"]["orderPlace"]
    return placed


def body_of(order: OrderDraft) -> bytes:
    (line,), address = order.lines, order.address
    fields = {
        "shop": order.shop,
        "idempotencyKey": order.idempotency_key,
        "address": {
            "detail": address.detail,
            "regionCode": address.region_code,
            "name": address.name,
            "phone": address.phone,
        },
        "lines": [
            {"sku": line.sku, "quantity": line.quantity, "unitPriceMinor": line.unit_price_minor}
        ],
    }
    return json.dumps({"query": PLACE, "variables": {"input": fields}}).encode()


@pytest.mark.parametrize(
    ("where", "passes", "is_stored"),
    [
        ("commit", False, False),
        ("commit", True, True),
        ("finish", False, True),
        ("finish", True, True),
    ],
    ids=["before commit", "commit unanswered", "before finish", "before the reply"],
)
async def test_a_killed_process_loses_nothing_and_keeps_nothing(
    victim: Victim,
    world: World,
    database_url: str,
    valkey_url: str,
    where: str,
    passes: bool,
    is_stored: bool,
) -> None:
    async with survivor(database_url, valkey_url) as other:
        await receive(other.database, world.brand, "wh", "A", UNITS)
        assert await other.admission.ensure_warm(world.tenant_id)
        for _ in range(2):  # a first order warms its caches, a second one shows that it is warm
            assert (await ask(victim, world, draft({"B": 1})))["code"] == "INSUFFICIENT_STOCK"
        assert (await ask(victim, world, draft({"A": 1})))["status"] == "ALLOCATED"
        await asyncio.sleep(WARM_UP_SECONDS)  # its admission warms up beside its first order
        order = draft({"A": 1})
        mine = re.compile((order.idempotency_key or "").encode())  # not what else is committed
        trap = (
            Trap(COMMIT, passes=passes, after=mine)
            if where == "commit"
            else Trap(FINISH, passes=passes)
        )
        (victim.database if where == "commit" else victim.valkey).trap = trap
        victim.client.swallows_answers = True
        asking = asyncio.create_task(ask(victim, world, order))
        await asyncio.wait_for(trap.sprung.wait(), 30)
        victim.process.kill()
        with pytest.raises(ConnectionError):
            await asking
        await victim.database.cut()
        stored = 2 if is_stored else 1
        await until(lambda: _there_are(other, world, stored))
        async with asyncio.timeout(SELLABLE_SECONDS):
            again = await insist(other, world, order)
            last = await insist(other, world, draft({"A": 1}))
        assert isinstance(again, Placed)
        assert isinstance(last, Placed)
        assert again.order_id != last.order_id
        refused(await insist(other, world, draft({"A": 1})), "INSUFFICIENT_STOCK")
        assert await insist(other, world, order) == again
        now = await facts(other, world)
        assert (now.orders, now.reserved) == (UNITS, UNITS)
        await assert_healed(other, world)


async def _there_are(runtime: Runtime, world: World, orders: int) -> bool:
    return (await facts(runtime, world)).orders == orders
