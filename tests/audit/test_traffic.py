"""The audit runs while the brand sells, and takes what merely moved for no difference."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from backend.admission.model import ADMITTED, Base, Request, Take
from backend.audit import audit as auditing
from backend.inventory.counters import CounterReader
from backend.orders.model import Placed
from backend.runtime import Runtime
from loadtests.processes import free_port
from tests.audit.history import audited
from tests.catalogue import Connection
from tests.orders.checks import second_runtime
from tests.world import World, draft, receive

WAVES, BUYERS = 20, 6
Meanwhile = Callable[[], Awaitable[None]]


class MeanwhileReader(CounterReader):
    """Lets something happen once the counters are read, and once some are read again."""

    after_reading: Meanwhile | None = None
    before_reading_again: Meanwhile | None = None

    async def all_counters(self, tenant_id: int) -> AsyncIterator[list[Base]]:
        parts = [part async for part in super().all_counters(tenant_id)]
        if self.after_reading:
            await self.after_reading()
        for part in parts:
            yield part

    async def read(self, tenant_id: int, counters: Sequence[str]) -> list[Base]:
        if self.before_reading_again:
            await self.before_reading_again()
        return await super().read(tenant_id, counters)


@pytest.fixture
async def reader(
    runtime: Runtime, brand: World, monkeypatch: pytest.MonkeyPatch
) -> MeanwhileReader:
    """A reader of a brand with a past, and an audit that does not wait before it looks again."""
    monkeypatch.setattr(auditing, "READ_AGAIN_SECONDS", 0.0)
    return MeanwhileReader(runtime.database, runtime.brands)


async def test_a_counter_that_moved_is_no_difference(
    runtime: Runtime, brand: World, reader: MeanwhileReader
) -> None:
    async def move() -> None:
        level = await receive(runtime.database, brand.brand, "wh", "A", 1)
        await runtime.publish_levels(brand.tenant_id, [level])

    reader.after_reading = move
    report = await audited(runtime, brand, reader)
    assert (report.differences, report.counters_compared) == ([], 4)


async def test_a_valkey_that_is_told_later_is_no_difference(
    runtime: Runtime, brand: World, reader: MeanwhileReader
) -> None:
    level = await receive(runtime.database, brand.brand, "wh", "A", 1)

    async def tell() -> None:
        await runtime.publish_levels(brand.tenant_id, [level])

    reader.before_reading_again = tell
    report = await audited(runtime, brand, reader)
    assert (report.differences, report.counters_compared) == ([], 4)


async def test_a_valkey_that_is_never_told_is_named(
    runtime: Runtime, brand: World, reader: MeanwhileReader
) -> None:
    level = await receive(runtime.database, brand.brand, "wh", "A", 1)
    report = await audited(runtime, brand, reader)
    counter = f"s{level.functional_warehouse_id}:{level.sku_id}"
    assert report.differences == [{"kind": "valkey_lags", "counter": counter, "version": 2}]


async def test_what_is_pending_is_no_difference(
    runtime: Runtime, brand: World, reader: MeanwhileReader
) -> None:
    take = Take(f"s1:{brand.skus['A']}", 1)
    verdicts = await runtime.admission.admit(brand.tenant_id, [Request("token", [take])])
    assert verdicts == [ADMITTED]
    assert (await audited(runtime, brand, reader)).differences == []


async def test_a_valkey_that_is_away_leaves_the_rest_to_be_audited(
    runtime: Runtime, brand: World, admin: Connection, database_url: str
) -> None:
    await admin.execute("update node_capacity set taken = taken + 1")
    nobody = f"redis://127.0.0.1:{free_port()}"
    async with second_runtime(database_url, nobody) as other:
        report = await audited(other, brand)
    assert [each["kind"] for each in report.differences] == ["capacity_is_not_its_parcels"]
    assert report.counters_compared == 0


async def test_a_flushed_valkey_is_warmed_and_compared(runtime: Runtime, brand: World) -> None:
    await runtime.valkey.command("FLUSHALL")
    report = await audited(runtime, brand)
    assert (report.differences, report.counters_compared) == ([], 4)


async def sell(runtime: Runtime, brand: World) -> int:
    """Let the buyers come in waves; return how many got what they wanted."""
    got = 0
    for _ in range(WAVES):
        orders = [draft({"A": 1, "B": 1, "C": 1}) for _ in range(BUYERS)]
        places = (runtime.intake.place(order, brand.brand) for order in orders)
        got += sum(isinstance(outcome, Placed) for outcome in await asyncio.gather(*places))
    return got


async def test_an_audit_in_the_middle_of_a_sale_is_clean(
    runtime: Runtime, brand: World, database_url: str, valkey_url: str
) -> None:
    for sku in "ABC":
        await receive(runtime.database, brand.brand, "wh", sku, WAVES * BUYERS)
    audits = 0
    async with second_runtime(database_url, valkey_url) as other:
        buying = asyncio.create_task(sell(runtime, brand))
        while not buying.done():
            assert (await audited(other, brand)).differences == []
            audits += 1
    assert await buying == WAVES * BUYERS
    assert audits > 1
