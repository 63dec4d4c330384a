"""What the tests of orders look at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from backend.audit.audit import audit
from backend.inventory.ledger import lock_levels
from backend.inventory.model import Level, LevelKey
from backend.orders.model import Outcome, Placed, Refused
from backend.runtime import Runtime, open_runtime
from tests.conftest import SECRET
from tests.world import World


class Facts(NamedTuple):
    """How much of everything there is."""

    orders: int
    keys: int
    movements: int
    events: int
    reserved: int


COUNTS = """
    select (select count(*) from orders), (select count(*) from command_key),
           (select count(*) from stock_movement), (select count(*) from outbox),
           (select coalesce(sum(reserved), 0)::bigint from stock_level)
"""


async def facts(runtime: Runtime, world: World) -> Facts:
    """Return the counts of the tenant, as its system principal sees them."""
    async with runtime.database.tenant_transaction(world.system, read_only=True) as tx:
        row = await tx._connection.fetchrow(COUNTS)
    return Facts(*row)


async def level(runtime: Runtime, world: World, warehouse_id: int, sku: str) -> Level:
    key = LevelKey(warehouse_id, world.skus[sku])
    async with runtime.database.tenant_transaction(world.system) as tx:
        return (await lock_levels(tx, [key], create=True))[key]


async def assert_clean(runtime: Runtime, world: World) -> None:
    """The audit finds nothing."""
    await runtime.settle()
    report = await audit(runtime.database, runtime.admission, runtime.counters, world.tenant_id)
    assert report.differences == []


def placed(outcome: Outcome) -> Placed:
    assert isinstance(outcome, Placed), outcome
    return outcome


def refused(outcome: Outcome, code: str) -> Refused:
    assert isinstance(outcome, Refused), outcome
    assert outcome.code == code
    return outcome


@asynccontextmanager
async def second_runtime(database_url: str, valkey_url: str) -> AsyncIterator[Runtime]:
    """Another process's parts on the same servers."""
    async with open_runtime(database_url, valkey_url, SECRET, with_maintenance=False) as runtime:
        yield runtime
