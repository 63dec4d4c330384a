"""Nodes offer such a part of their stock as was found to be there, where pools say so."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.inventory.accuracy.accuracy import accuracies, learn_accuracy
from backend.inventory.accuracy.model import NodeAccuracy, ShortageCause, weight_of
from backend.inventory.counts.count_stock import count_stock, decide_count
from backend.inventory.counts.model import CountLine
from backend.inventory.pools.check import check_layout
from backend.inventory.pools.errors import InvalidLayout
from backend.inventory.pools.explain import explain
from backend.inventory.pools.model import Layout
from backend.network.regions.table import bundled_regions
from backend.orders.report_shortage import ShortPick, report_shortage
from tests.inventory.pools.layouts import share, supply
from tests.inventory.pools.living import Living
from tests.orders.checks import placed
from tests.world import HANGZHOU, draft, fresh_key


def pools(least: int | None = None) -> Layout:
    shares = (share("all", "shop"),)
    return Layout(pools=(supply("all", "store", "wh"),), shares=shares, least_accuracy_bp=least)


@pytest.fixture
async def selling(live: Living) -> Living:
    """100 units in the store, all offered."""
    await live.lay_out(pools())
    await live.receive("store", 100)
    return live


async def count(live: Living, counted: int) -> None:
    """Count the store, and let somebody else approve what is missing."""
    database, world = live.runtime.database, live.world
    async with database.tenant_transaction(world.system) as tx:
        lines = [CountLine(warehouse="store", sku="A", counted=counted)]
        done = await count_stock(tx, lines, key=fresh_key())
    async with database.tenant_transaction(world.brand) as tx:
        done = await decide_count(tx, done.counts[0].id, approve=True, key=fresh_key())
    await live.runtime.publish_levels(world.tenant_id, done.levels)


async def learn(live: Living, later: timedelta = timedelta()) -> list[NodeAccuracy]:
    async with live.runtime.database.tenant_transaction(live.world.system) as tx:
        await learn_accuracy(tx, datetime.now(UTC) + later)
        found = await accuracies(tx)
    await live.freshen()
    return found


@pytest.mark.parametrize(
    ("expected", "missing", "weight"),
    [
        (0, 0, 10_000),
        (100, 0, 10_000),
        (100, 50, 6_666),
        (2, 1, 9_807),
        (1, 1, 9_803),
        (0, 5, 9_090),
        (10**9, 10**9, 0),
    ],
)
def test_a_little_missing_of_little_says_little(expected: int, missing: int, weight: int) -> None:
    assert weight_of(expected, missing) == weight


async def test_a_store_whose_counts_find_less_offers_less(selling: Living) -> None:
    await count(selling, 50)
    (found,) = await learn(selling)
    assert (found.expected, found.missing, found.weight_bp) == (100, 50, 6_666)
    assert selling.shop("shop") == 50
    await selling.lay_out(pools(5_000))
    assert selling.shop("shop") == 33
    await selling.lay_out(pools(8_000))
    assert selling.shop("shop") == 40
    await selling.receive("wh", 10)
    assert selling.shop("shop") == 50


async def test_a_pick_that_fails_is_learned_from(selling: Living) -> None:
    runtime, world = selling.runtime, selling.world
    order = placed(await runtime.intake.place(draft({"A": 50}, region=HANGZHOU), world.brand))
    for cause, units in ((ShortageCause.NOT_FOUND, 20), (ShortageCause.DAMAGED, 10)):
        picks, at = [ShortPick(1, units)], (order.order_id, 1)
        done = await report_shortage(runtime.database, world.store, at, picks, cause, fresh_key())
        await runtime.publish_counters(world.tenant_id, done.counters)
        await runtime.settle()
    (found,) = await learn(selling)
    assert (found.node_id, found.missing) == (world.nodes["store"], 20)
    assert found.weight_bp == weight_of(found.expected, 20) < 10_000


async def test_all_processes_follow_and_the_past_is_forgotten(selling: Living) -> None:
    await selling.lay_out(pools(5_000))
    await count(selling, 50)
    async with selling.another() as other:
        await learn(selling)
        await other.freshen()
        assert (selling.shop("shop"), other.shop("shop")) == (33, 33)
        (found,) = await learn(selling, timedelta(days=91))
        await other.freshen()
        assert (found.weight_bp, selling.shop("shop"), other.shop("shop")) == (10_000, 50, 50)


async def test_without_anything_missing_nothing_is_kept(selling: Living) -> None:
    assert await learn(selling) == []


async def test_the_derivation_says_who_does_not_offer_all(selling: Living) -> None:
    await selling.lay_out(pools(5_000))
    await count(selling, 50)
    await learn(selling)
    async with selling.runtime.database.tenant_transaction(selling.brand, read_only=True) as tx:
        found = await explain(
            tx, "A", "shop", as_of=None, time_zone="Asia/Shanghai", regions=bundled_regions()
        )
    assert found.weights == ((selling.world.nodes["store"], 6_666),)
    assert found.number == selling.shop("shop") == 33


@pytest.mark.parametrize("least", [-1, 10_001])
def test_what_is_no_part_of_a_stock_is_refused(least: int) -> None:
    with pytest.raises(InvalidLayout, match="accuracy"):
        check_layout(pools(least))
