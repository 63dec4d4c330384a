"""The queue of waiting orders (缺货排队): by age, or better customers first, whatever comes."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from backend.inventory.pools.model import Layout
from backend.orders import allocate_backorders
from backend.orders.lane import Lane
from backend.orders.model import Shortage
from backend.orders.queue_rule import QueueBy, queue_rule, set_queue_rule
from backend.orders.work import Backorder
from backend.routing import live_book
from backend.routing.traits import OrderTraits
from backend.runtime import Runtime
from tenants.principal import Permission, Principal
from tests.catalogue import Connection
from tests.inventory.pools.layouts import dispatch, put_in_force, share, supply
from tests.orders.checks import assert_clean, placed, refused
from tests.orders.supplies.coming import LATER, SOON, Coming
from tests.refusals import refused as refusal
from tests.world import World, draft, fresh_key

AGE, LEVEL = QueueBy.AGE, QueueBy.CUSTOMER_LEVEL
LEVELS = (0, 5, 9, 5, 0, 9, 3)
"""Of customers in the order in which they came."""
BY_LEVEL = (2, 5, 1, 3, 6, 0, 4)
"""Which of them is the first in the queue where better ones are, which the second…"""


class Queueing(Coming):
    """Orders of customers of any level that wait."""

    async def queue(self, by: QueueBy, key: str = "", who: Principal | None = None) -> QueueBy:
        """Set who comes first; nothing follows yet."""
        async with self.runtime.database.tenant_transaction(who or self.world.brand) as tx:
            return await set_queue_rule(tx, by, key or fresh_key())

    async def rule(self) -> QueueBy:
        async with self.runtime.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            return await queue_rule(tx)

    async def waiting(self, level: int, units: int = 1, **changes: Any) -> int:
        """Let a customer of a level wait for units of A."""
        traits = OrderTraits(customer_level=level)
        return await self.waits(("A", units), traits=traits, **changes)

    async def all_waiting(self, *levels: int, units: int = 1) -> list[int]:
        return [await self.waiting(level, units) for level in levels]

    async def got(self, order_ids: Sequence[int]) -> list[int]:
        """Return the units that orders have got, one by one."""
        return [(await self.lines(one))[0][0] for one in order_ids]

    async def keeps(self, order_ids: Sequence[int]) -> list[int]:
        """Return the units that are kept for orders, one by one."""
        kept = await self.kept()
        return [kept.get(one, 0) for one in order_ids]


@pytest.fixture
def queueing(runtime: Runtime, world: World, admin: Connection) -> Queueing:
    return Queueing(runtime, world, admin)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The orders that are tried again, one after another."""
    found: list[int] = []
    submit = Lane.submit_backorder

    def noting(lane: Lane, backorder: Backorder) -> Any:
        found.append(backorder.order_id)
        return submit(lane, backorder)

    monkeypatch.setattr(Lane, "submit_backorder", noting)
    return found


# --------------------------------------------------------------------------- stock that is free


async def test_where_nobody_said_otherwise_the_oldest_comes_first(queueing: Queueing) -> None:
    assert await queueing.rule() is AGE
    orders = await queueing.all_waiting(0, 9)
    await queueing.stock("wh", "A", 1)
    assert await queueing.got(orders) == [1, 0]
    await assert_clean(queueing.runtime, queueing.world)


async def test_a_better_customer_comes_first(queueing: Queueing) -> None:
    assert await queueing.queue(LEVEL) is LEVEL
    assert await queueing.rule() is LEVEL
    orders = await queueing.all_waiting(0, 9)
    await queueing.stock("wh", "A", 1)
    assert await queueing.got(orders) == [0, 1]
    await queueing.stock("wh", "A", 1)
    assert await queueing.got(orders) == [1, 1]
    await assert_clean(queueing.runtime, queueing.world)


async def test_of_two_of_one_level_the_older_comes_first(queueing: Queueing) -> None:
    await queueing.queue(LEVEL)
    orders = await queueing.all_waiting(0, 4, 4)
    for got in ([0, 1, 0], [0, 1, 1], [1, 1, 1]):
        await queueing.stock("wh", "A", 1)
        assert await queueing.got(orders) == got


async def test_who_says_nothing_of_the_customer_is_anybody(queueing: Queueing) -> None:
    await queueing.queue(LEVEL)
    orders = [await queueing.waits(("A", 1)), *await queueing.all_waiting(0, 1)]
    for got in ([0, 0, 1], [1, 0, 1], [1, 1, 1]):
        await queueing.stock("wh", "A", 1)
        assert await queueing.got(orders) == got


async def test_every_level_is_better_than_the_one_below(queueing: Queueing) -> None:
    await queueing.queue(LEVEL)
    orders = await queueing.all_waiting(*range(10))
    for best in range(9, -1, -1):
        await queueing.stock("wh", "A", 1)
        assert await queueing.got(orders) == [0] * best + [1] * (10 - best)


async def test_the_better_one_gets_all_that_it_waits_for(queueing: Queueing) -> None:
    """What is left goes to who comes next, a part of what that waits for."""
    await queueing.queue(LEVEL)
    orders = await queueing.all_waiting(0, 9, 5, units=3)
    await queueing.stock("wh", "A", 5)
    assert await queueing.got(orders) == [0, 3, 2]
    await assert_clean(queueing.runtime, queueing.world)


async def test_an_order_of_a_dealer_queues_with_the_others(queueing: Queueing) -> None:
    await queueing.queue(LEVEL)
    orders = [await queueing.waiting(1), await queueing.waiting(2, shop="dshop")]
    await queueing.stock("wh", "A", 1)
    assert await queueing.got(orders) == [0, 1]


async def test_what_is_reserved_stays_where_it_is(queueing: Queueing) -> None:
    first = await queueing.waiting(0)
    await queueing.stock("wh", "A", 1)
    better = await queueing.waiting(9)
    await queueing.queue(LEVEL)
    await queueing.settle()
    assert await queueing.got([first, better]) == [1, 0]


async def test_who_comes_first_again_is_the_oldest(queueing: Queueing) -> None:
    orders = await queueing.all_waiting(0, 9, 9)
    await queueing.queue(LEVEL)
    await queueing.stock("wh", "A", 1)
    await queueing.queue(AGE)
    assert await queueing.rule() is AGE
    await queueing.stock("wh", "A", 1)
    assert await queueing.got(orders) == [1, 1, 0]


# ------------------------------------------------------------------------------- page by page


@pytest.mark.parametrize("page", [1, 2, 3, 200])
@pytest.mark.parametrize("by", QueueBy)
async def test_each_order_is_tried_once_as_they_queue(
    queueing: Queueing,
    tried: list[int],
    monkeypatch: pytest.MonkeyPatch,
    by: QueueBy,
    page: int,
) -> None:
    monkeypatch.setattr(allocate_backorders, "PAGE", page)
    await queueing.queue(by)
    orders = await queueing.all_waiting(*LEVELS)
    tried.clear()
    await queueing.stock("wh", "A", len(orders) + 1)
    first = BY_LEVEL if by is LEVEL else range(len(orders))
    assert tried == [orders[one] for one in first]
    assert await queueing.got(orders) == [1] * len(orders)


@pytest.mark.parametrize("page", [1, 2, 3, 200])
async def test_with_too_little_the_first_in_the_queue_get_it(
    queueing: Queueing, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(allocate_backorders, "PAGE", page)
    await queueing.queue(LEVEL)
    orders = await queueing.all_waiting(*LEVELS)
    await queueing.stock("wh", "A", 4)
    assert await queueing.got(orders) == [0, 1, 1, 1, 0, 1, 0]
    await assert_clean(queueing.runtime, queueing.world)


async def test_who_can_have_nothing_holds_up_nobody(
    queueing: Queueing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dealers' better customers are served from elsewhere: ours, behind them, get it."""
    monkeypatch.setattr(allocate_backorders, "PAGE", 1)
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)
    pools = (supply("near", "wh"), supply("away", "far"))
    shops = (dispatch("shops", "near"), dispatch("dealers", "away"))
    shares = (share("shops", "shop"), share("dealers", "dshop"))
    layout = Layout(pools=(*pools, *shops), shares=shares)
    await put_in_force(queueing.runtime.database, queueing.world.brand, layout)
    await queueing.queue(LEVEL)
    theirs = [await queueing.waiting(9, shop="dshop") for _ in range(3)]
    ours = await queueing.all_waiting(0, 1)
    await queueing.stock("wh", "A", 1)
    assert await queueing.got([*theirs, *ours]) == [0, 0, 0, 0, 1]
    await queueing.stock("far", "A", 2)
    assert await queueing.got([*theirs, *ours]) == [1, 1, 0, 0, 1]


# --------------------------------------------------------------------------- supplies to come


async def test_supplies_are_promised_to_the_better_customer_first(queueing: Queueing) -> None:
    await queueing.queue(LEVEL)
    await queueing.expect(2)
    await queueing.expect(1, code="PO-2", expected_on=LATER)
    orders = await queueing.all_waiting(0, 9, 5, 5)
    assert await queueing.expected(*orders) == [None, SOON, SOON, LATER]
    assert await queueing.promises() == {
        (orders[1], "PO-1"): 1,
        (orders[2], "PO-1"): 1,
        (orders[3], "PO-2"): 1,
    }
    await queueing.assert_true()


async def test_promises_follow_the_rule(queueing: Queueing) -> None:
    """The older order has heard of a day, and hears that it is none any more; and back again."""
    await queueing.expect(1)
    await queueing.expect(1, code="PO-2", expected_on=LATER)
    orders = await queueing.all_waiting(0, 0, 9)
    assert await queueing.expected(*orders) == [SOON, LATER, None]
    await queueing.queue(LEVEL)
    assert await queueing.expected(*orders) == [SOON, LATER, None]  # nothing was settled yet
    await queueing.settle()
    assert await queueing.expected(*orders) == [LATER, None, SOON]
    await queueing.assert_true()
    await queueing.queue(AGE)
    await queueing.settle()
    assert await queueing.expected(*orders) == [SOON, LATER, None]
    await queueing.assert_true()
    assert [days(one) for one in await queueing.news(orders[0])] == [
        (None, SOON.isoformat()),
        (SOON.isoformat(), LATER.isoformat()),
        (LATER.isoformat(), SOON.isoformat()),
    ]
    assert [days(one) for one in await queueing.news(orders[2])] == [
        (None, SOON.isoformat()),
        (SOON.isoformat(), None),
    ]
    await assert_clean(queueing.runtime, queueing.world)


def days(news: Any) -> tuple[str | None, str | None]:
    """Return when an order's line was expected, and when it is."""
    (line,) = news["lines"]
    return line["wasExpectedOn"], line["expectedOn"]


async def test_where_the_rule_changes_nothing_nobody_hears_of_it(queueing: Queueing) -> None:
    await queueing.expect(3)
    orders = await queueing.all_waiting(9, 5, 0)
    before = [await queueing.news(one) for one in orders]
    await queueing.queue(LEVEL)
    await queueing.settle()
    assert [await queueing.news(one) for one in orders] == before
    assert await queueing.expected(*orders) == [SOON] * 3


async def test_a_better_customer_who_comes_later_takes_the_promise(queueing: Queueing) -> None:
    await queueing.queue(LEVEL)
    await queueing.expect(2)
    first = await queueing.waiting(0, units=2)
    assert await queueing.expected(first) == [SOON]
    better = await queueing.waiting(9)
    assert await queueing.expected(first, better) == [None, SOON]
    assert await queueing.promises() == {(first, "PO-1"): 1, (better, "PO-1"): 1}
    await queueing.assert_true()


@pytest.mark.parametrize(
    ("by", "kept"), [(AGE, ([1, 0, 0], [1, 1, 0])), (LEVEL, ([0, 0, 1], [0, 1, 1]))]
)
async def test_what_a_supply_brings_is_kept_as_they_queue(
    queueing: Queueing, by: QueueBy, kept: tuple[list[int], list[int]]
) -> None:
    await queueing.queue(by)
    await queueing.expect(3)
    orders = await queueing.all_waiting(0, 3, 9)
    for expected in kept:
        await queueing.take_in(1)
        assert await queueing.keeps(orders) == expected
    await queueing.settle()
    assert await queueing.got(orders) == kept[-1]
    await queueing.receive(1)
    assert await queueing.got(orders) == [1, 1, 1]
    await queueing.assert_true()
    await assert_clean(queueing.runtime, queueing.world)


async def test_what_was_received_for_an_order_stays_its(queueing: Queueing) -> None:
    """It came while the oldest was the first; then the rule is another one."""
    await queueing.expect(2)
    orders = await queueing.all_waiting(0, 9)
    await queueing.take_in(1)
    assert await queueing.keeps(orders) == [1, 0]
    await queueing.queue(LEVEL)
    await queueing.settle()
    assert await queueing.got(orders) == [1, 0]
    assert await queueing.expected(*orders) == [None, SOON]
    await queueing.receive(1)
    assert await queueing.got(orders) == [1, 1]
    await assert_clean(queueing.runtime, queueing.world)


async def test_a_receipt_before_promises_are_settled_keeps_what_was_promised(
    queueing: Queueing,
) -> None:
    """The better one was promised nothing yet: what comes is for whom it was promised to."""
    await queueing.expect(1)
    orders = await queueing.all_waiting(0, 9)
    await queueing.queue(LEVEL)
    await queueing.take_in(1)
    assert await queueing.keeps(orders) == [1, 0]
    await queueing.settle()
    assert await queueing.got(orders) == [1, 0]


async def test_who_is_sold_what_is_to_come_takes_it_from_nobody(queueing: Queueing) -> None:
    """A better customer orders ahead (预售): as much as nobody waits for, and no more."""
    await queueing.queue(LEVEL)
    await queueing.expect(5)
    waits = await queueing.waiting(0, units=4)
    traits = OrderTraits(customer_level=9)
    ahead = draft({"A": 2}, shortage=Shortage.PRESALE, traits=traits)
    intake, brand = queueing.runtime.intake, queueing.world.brand
    found = refused(await intake.place(ahead, brand), "INSUFFICIENT_STOCK")
    assert found.detail["lines"] == [{"sku": "A", "requested": 2, "available": 1}]
    one = draft({"A": 1}, shortage=Shortage.PRESALE, traits=traits)
    sold = placed(await intake.place(one, brand)).order_id
    await queueing.settle()
    assert await queueing.expected(waits, sold) == [SOON, SOON]
    await queueing.assert_true()


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_comes_nobody_is_passed_over(queueing: Queueing, seed: int) -> None:
    """Customers at random; stock and supplies at random; the rule is now this one, now that."""
    random = Random(seed)
    levels = [random.randint(0, 9) for _ in range(8)]
    orders = await queueing.all_waiting(*levels)
    for _ in range(4):
        by = random.choice(list(QueueBy))
        await queueing.queue(by)
        waiting = [n for n, got in enumerate(await queueing.got(orders)) if not got]
        if by is LEVEL:
            waiting.sort(key=lambda n: (-levels[n], n))
        units = random.randint(1, 2)
        if random.random() < 0.5:
            await queueing.stock("wh", "A", units)
        else:
            code = fresh_key()
            await queueing.expect(units, code=code)
            assert set(await queueing.promises()) == {(orders[n], code) for n in waiting[:units]}
            await queueing.receive(units, code)
        got = await queueing.got(orders)
        assert [n for n in waiting if got[n]] == waiting[:units], (levels, by)
        await queueing.assert_true()
    await assert_clean(queueing.runtime, queueing.world)


# ------------------------------------------------------------------------------ setting the rule


async def test_the_same_command_again_is_the_same(queueing: Queueing) -> None:
    assert await queueing.queue(LEVEL, "k") is LEVEL
    await queueing.queue(AGE)
    assert await queueing.queue(LEVEL, "k") is LEVEL
    assert await queueing.rule() is AGE
    async with refusal(queueing.admin, "IDEMPOTENCY_CONFLICT"):
        await queueing.queue(AGE, "k")


async def test_the_rule_may_be_set_at_once(queueing: Queueing) -> None:
    rules = [LEVEL, AGE] * 4
    assert await asyncio.gather(*(queueing.queue(by) for by in rules)) == rules
    assert await queueing.admin.fetchval("select count(*) from queue_rule") == 1


async def test_who_builds_the_network_sets_the_rule(queueing: Queueing, world: World) -> None:
    lacking = replace(world.brand, permissions=world.brand.permissions - {Permission.NETWORK_WRITE})
    async with refusal(queueing.admin, "PERMISSION_MISSING"):
        await queueing.queue(LEVEL, who=lacking)
    for who in (world.dealer, world.store, world.group):
        async with refusal(queueing.admin, "WRITE_REFUSED"):
            await queueing.queue(LEVEL, who=who)
    only = replace(world.brand, permissions=frozenset({Permission.NETWORK_WRITE}))
    assert await queueing.queue(LEVEL, who=only) is LEVEL


async def test_other_brands_queue_as_they_did(queueing: Queueing, world: World) -> None:
    theirs = world._replace(tenant_id=world.other_tenant_id, brand=world.other_brand)
    other = Queueing(queueing.runtime, theirs, queueing.admin)
    await queueing.queue(LEVEL)
    assert (await queueing.rule(), await other.rule()) == (LEVEL, AGE)
    orders = await other.all_waiting(0, 9)
    await other.expect(1)
    assert await other.expected(*orders) == [SOON, None]
    await other.close()
    await other.stock("wh", "A", 1)
    assert await other.got(orders) == [1, 0]
    await other.queue(LEVEL)
    await queueing.queue(AGE)
    assert (await queueing.rule(), await other.rule()) == (AGE, LEVEL)


async def test_everybody_is_told_the_rule_that_holds(queueing: Queueing, world: World) -> None:
    """Dealers and stores too: whoever may ask hears what is so, and nobody what is not."""
    await queueing.queue(LEVEL)
    for who in (world.brand, world.group, world.dealer, world.store):
        async with queueing.runtime.database.tenant_transaction(who, read_only=True) as tx:
            assert await queue_rule(tx) is LEVEL, who.kind
