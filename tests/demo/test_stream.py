"""The demo's customers buy, change their minds and are supplied, and the books stay right."""

import asyncio

import pytest

from backend.audit.audit import audit
from backend.demo import stream
from backend.demo.stream import RECEIVE_EVERY, DemoStream, Tally
from backend.runtime import Runtime
from loadtests.waiting import until
from tests.catalogue import Connection

WITHOUT_PAUSE = 1e9
AGAIN_SECONDS = 0.5
RECEIVED = "select count(*) from stock_movement where type = 'received'"
PLACED = "select count(*) from orders"
CANCELLED = "select count(*) from orders where status = 'cancelled'"


class Day(Tally):
    """What happened, and whether there is something of everything."""

    @property
    def is_full(self) -> bool:
        counts = self.counts
        tried = counts["placed"] + counts["refused"]
        return tried > RECEIVE_EVERY and min(counts["allocated"], counts["cancelled"]) > 0


@pytest.fixture
async def received_before(admin: Connection, demo_id: int) -> int:
    assert demo_id
    return int(await admin.fetchval(RECEIVED))


async def send_away(customers: "asyncio.Task[None]") -> None:
    """End the customers; where a library swallowed the cancellation, again."""
    while not customers.done():
        customers.cancel()
        await asyncio.wait([customers], timeout=AGAIN_SECONDS)


@pytest.fixture
async def day(
    runtime: Runtime, demo_id: int, received_before: int, monkeypatch: pytest.MonkeyPatch
) -> Day:
    """What customers who are in a hurry did, and the delivery that came in between."""
    monkeypatch.setattr(stream, "ORDERS_PER_SECOND", WITHOUT_PAUSE)
    monkeypatch.setattr(stream, "CANCEL_SHARE", 0.5)
    day = Day()
    customers = asyncio.create_task(DemoStream(runtime, demo_id, day).run())
    await until(lambda: day.is_full or customers.done())
    assert not customers.done(), "the customers do not stop by themselves"
    await send_away(customers)
    await runtime.settle()
    # Who is sent away between a commit and telling of it leaves that to the sweep.
    await runtime.maintenance.reap()
    await runtime.maintenance.sweep()
    return day


async def test_what_is_told_is_what_happened(
    runtime: Runtime, demo_id: int, day: Day, received_before: int, admin: Connection
) -> None:
    placed, cancelled = day.counts["placed"], day.counts["cancelled"]
    assert await admin.fetchval(PLACED) - placed in (0, 1), "the last one may have been under way"
    assert await admin.fetchval(CANCELLED) - cancelled in (0, 1)
    assert await admin.fetchval(RECEIVED) > received_before
    report = await audit(runtime.database, runtime.admission, runtime.counters, demo_id)
    assert report.differences == []


def test_the_line_says_everything() -> None:
    tally = Tally()
    tally.counts.update(placed=1_234, backordered=2, partially_allocated=3, held=4, refused=5)
    tally.milliseconds.extend([1.0, 3.0, 2.0])
    assert tally.line().startswith("orders 1,234  allocated 0  waiting 5  held 4  refused 5")
    assert "median 2.0 ms" in tally.line()


def test_nothing_has_happened_yet() -> None:
    assert "median –" in Tally().line()
