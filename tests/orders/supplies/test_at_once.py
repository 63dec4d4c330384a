"""Receipts among buyers, cancellations and settlements, in two processes: nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from backend.db.errors import YipanError
from backend.inventory.change_stock import StockAdjust, change_stock
from backend.inventory.supplies.errors import ReceiptTooLarge
from backend.orders.model import Placed
from backend.orders.supplies.settle import settle_promises
from tests.catalogue import Connection
from tests.crowd import CROWD, all_at_once
from tests.orders.checks import assert_clean, second_runtime
from tests.orders.supplies.coming import LATER, LATEST, SOON, Coming, supply
from tests.world import draft, fresh_key, receive

BUYERS = 60
ROUNDS = 3
STEPS = 40


@pytest.fixture
async def other(coming: Coming, database_url: str, valkey_url: str) -> AsyncIterator[Coming]:
    """Another process."""
    async with second_runtime(database_url, valkey_url) as runtime:
        yield Coming(runtime, coming.world, coming.admin)


@asynccontextmanager
async def settled(*processes: Coming) -> AsyncIterator[None]:
    """What is inside, then all that follows from it; promises must be true after it."""
    yield
    for each in processes:
        await each.runtime.settle()
    await processes[0].runtime.maintenance.expire_holds()
    for each in processes:
        await each.settle()
    await processes[0].assert_true()


async def receive_and_tell(process: Coming, quantity: int, code: str = "PO-1") -> None:
    received = await process.take_in(quantity, code)
    await process.runtime.publish_levels(process.world.tenant_id, received.levels)


async def test_no_buyer_gets_what_was_promised(coming: Coming, other: Coming) -> None:
    processes = (coming, other)
    for number in range(ROUNDS):
        code = f"PO-{number}"
        await coming.expect(18, code=code)
        orders = [await coming.waits(("A", 5)) for _ in range(3)]
        buying = [processes[n % 2].buys() for n in range(BUYERS)]
        buying.insert(BUYERS // 2, receive_and_tell(other, 18, code))  # type: ignore[arg-type]
        async with settled(*processes):
            answers = await asyncio.gather(*buying)
        assert sum(answer is True for answer in answers) <= 3
        assert [(await coming.lines(one))[0] for one in orders] == [(5, 0, None)] * 3
        while await coming.buys():
            pass
    await assert_clean(coming.runtime, coming.world)


async def test_of_receipts_at_once_no_more_is_taken_in_than_is_to_come(
    coming: Coming, admin: Connection
) -> None:
    await coming.expect(5)
    order = await coming.waits(("A", 3))
    works = (coming.take_in(1) for _ in range(CROWD))
    done, codes = await all_at_once(admin, works, "supply")
    assert len(done) == 5
    assert set(codes) <= {ReceiptTooLarge.code, "UNKNOWN_SUPPLY"}
    assert sorted(one.kept for one in done) == [0, 0, 1, 1, 1]
    assert await coming.kept() == {order: 3}


async def test_the_same_receipt_at_once_is_taken_in_once(coming: Coming, admin: Connection) -> None:
    await coming.expect(5)
    await coming.waits(("A", 3))
    works = (coming.take_in(2, key="k") for _ in range(CROWD))
    (first, *others), codes = await all_at_once(admin, works, "supply")
    assert (others, codes) == ([first] * (CROWD - 1), [])
    assert (await coming.level())[4:6] == (2, 2)


async def test_a_settlement_under_way_promises_no_unit_that_was_just_received(
    coming: Coming, admin: Connection
) -> None:
    """It has looked at the lines before the receipt, and goes on after it."""
    await coming.expect(2)
    await coming.keep(supply(5, code="PO-2", expected_on=LATER))
    order = await coming.waits(("A", 2))
    # Another line makes a settlement due, so that it gets to the locks.
    await coming.runtime.intake.place(
        draft({"A": 1}, external_id="late", is_paid=True), coming.world.brand
    )

    async def settle() -> int:
        return await settle_promises(
            coming.runtime.database, coming.world.tenant_id, lambda *_: True
        )

    works = [coming.take_in(2), settle()]
    done, codes = await all_at_once(admin, works, "supply")
    assert (len(done), codes) == (2, [])
    assert (order, "PO-2") not in await coming.promises()
    await coming.assert_true()


async def test_cancellations_and_receipts_at_once(coming: Coming, other: Coming) -> None:
    for number in range(ROUNDS):
        code = f"PO-{number}"
        await coming.expect(12, code=code)
        orders = [await coming.waits(("A", 3)) for _ in range(4)]
        async with settled(coming, other):
            await asyncio.gather(
                coming.cancel(orders[0]),
                receive_and_tell(other, 6, code),
                other.cancel(orders[2]),
                receive_and_tell(coming, 6, code),
                other.settle(),
            )
        done = [(await coming.lines(one))[0] for one in orders]
        assert done == [(0, 0, None), (3, 0, None), (0, 0, None), (3, 0, None)]
        assert await coming.kept() == {}
        while await coming.buys():
            pass
    await assert_clean(coming.runtime, coming.world)


# --------------------------------------------------------------------------------- random walks


class Walk:
    """Somebody who does things at random, in one process or another."""

    def __init__(self, seed: int, *processes: Coming) -> None:
        self.random = Random(seed)
        self.processes = processes
        self.orders: list[int] = []

    async def step(self) -> None:
        random, process = self.random, self.random.choice(self.processes)
        acts = [self.order, self.order, self.keep, self.take_in, self.cancel, self.elsewhere]
        await random.choice([*acts, self.close, self.lose])(process)

    async def order(self, process: Coming) -> None:
        random = self.random
        lines = {sku: random.randint(1, 4) for sku in random.sample("ABC", random.randint(1, 3))}
        order = draft(lines, external_id=fresh_key(), is_paid=True, idempotency_key=None)
        outcome = await process.runtime.intake.place(order, process.world.brand)
        assert isinstance(outcome, Placed)
        self.orders.append(outcome.order_id)

    async def keep(self, process: Coming) -> None:
        random = self.random
        await process.keep(
            supply(
                random.randint(1, 9),
                code=f"PO-{random.randint(1, 5)}",
                sku=random.choice("ABC"),
                warehouse=random.choice(["wh", "far"]),
                expected_on=random.choice([SOON, LATER, LATEST]),
                confidence_bp=random.choice([10_000, 10_000, 6_000]),
            )
        )

    async def take_in(self, process: Coming) -> None:
        random = self.random
        await receive_and_tell(process, random.randint(1, 5), f"PO-{random.randint(1, 5)}")

    async def close(self, process: Coming) -> None:
        await process.close(f"PO-{self.random.randint(1, 5)}")

    async def cancel(self, process: Coming) -> None:
        if self.orders:
            await process.cancel(self.random.choice(self.orders))

    async def elsewhere(self, process: Coming) -> None:
        sku, at = self.random.choice("ABC"), self.random.choice(["wh", "far", "store"])
        level = await receive(process.runtime.database, process.world.brand, at, sku, 2)
        await process.runtime.publish_levels(process.world.tenant_id, [level])

    async def lose(self, process: Coming) -> None:
        sku, at = self.random.choice("ABC"), self.random.choice(["wh", "far"])
        command = StockAdjust(warehouse=at, sku=sku, quantity=-1, reason="lost")
        async with process.runtime.database.tenant_transaction(process.world.brand) as tx:
            levels = await change_stock(tx, command, fresh_key())
        await process.runtime.publish_levels(process.world.tenant_id, levels)


@pytest.mark.parametrize("seed", range(2))
async def test_after_each_step_promises_are_true(coming: Coming, seed: int) -> None:
    walk = Walk(seed, coming)
    for _ in range(STEPS):
        async with settled(coming):
            try:
                await walk.step()
            except YipanError:
                continue
    await assert_clean(coming.runtime, coming.world)


@pytest.mark.parametrize("seed", range(2))
async def test_after_many_steps_at_once_promises_are_true(
    coming: Coming, other: Coming, seed: int
) -> None:
    walk = Walk(100 + seed, coming, other)
    for _ in range(STEPS // 10):
        async with settled(coming, other):
            steps = [walk.step() for _ in range(12)]
            for answer in await asyncio.gather(*steps, return_exceptions=True):
                assert answer is None or isinstance(answer, YipanError), answer
    await assert_clean(coming.runtime, coming.world)
