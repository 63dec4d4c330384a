"""Dealers' orders: by what they are sold, what they take of quotas, and what they wait for."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.orders.commit import Committed, commit_admitted, commit_planned
from backend.orders.model import Held, OrderStatus, Placed, Shortage
from backend.orders.release_holds import HoldUnresolved, Resolution, release_hold
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from tenants.brands import Brand
from tenants.principal import Principal
from tests.dropship.dealing import PRICE, YESTERDAY, Dealing, Units, cancel
from tests.orders.checks import placed, refused, second_runtime
from tests.world import BEIJING, SHANGHAI, draft, fresh_key, paid, receive

S = OrderStatus


# ----------------------------------------------------------------------------- what is taken


@pytest.fixture(params=[True, False], ids=["warm", "cold"])
async def either(dealing: Dealing, request: pytest.FixtureRequest) -> Dealing:
    """Valkey knows the counters, so that admission takes them, or does not."""
    if request.param:
        await dealing.warm()
    return dealing


async def test_an_order_takes_stock_and_quota_in_one_step(either: Dealing) -> None:
    order = placed(await either.sell(3))
    assert (order.status, order.lines[0].reserved) == (S.ALLOCATED, 3)
    assert await either.used() == 3 * PRICE
    await either.assert_clean()


async def test_a_dealer_that_nothing_is_agreed_with_sells_unbound(unbound: Dealing) -> None:
    placed(await unbound.sell(3))
    assert await unbound.admin.fetchval("select count(*) from quota_entry") == 0


async def test_orders_of_the_brand_take_no_quota(dealing: Dealing) -> None:
    placed(await dealing.runtime.intake.place(draft({"A": 1}), dealing.world.brand))
    assert await dealing.used() == 0


async def test_who_has_not_paid_is_refused_beyond_the_quota(either: Dealing) -> None:
    placed(await either.sell(9))
    found = refused(await either.sell(2), "QUOTA_EXCEEDED")
    assert found.detail == {"neededMinor": 1_200, "availableMinor": 600}
    placed(await either.sell(1))
    assert (await either.account()).left_minor == 0
    await either.assert_clean()


async def test_who_has_paid_waits_without_stock(either: Dealing) -> None:
    order = await either.sold(11)
    assert (order.status, order.holds) == (S.HELD, ("quota",))
    assert await either.units(order) == Units(held=11)
    assert await either.used() == 0
    await either.assert_clean()


async def test_partly_there_it_takes_the_quota_of_what_is_there(dealing: Dealing) -> None:
    await receive(dealing.database, dealing.world.brand, "far", "C", 4)
    order = placed(await dealing.sell(7, "C", shortage=Shortage.PARTIAL))
    assert (order.lines[0].reserved, order.lines[0].cancelled) == (4, 3)
    assert await dealing.used() == 4 * PRICE
    await dealing.assert_clean()


async def test_what_waits_for_stock_takes_its_quota_at_once(dealing: Dealing) -> None:
    order = await dealing.sold(5, "C")
    assert await dealing.units(order) == Units(backordered=5)
    assert await dealing.used() == 5 * PRICE
    level = await receive(dealing.database, dealing.world.brand, "wh", "C", 5)
    await dealing.runtime.publish_levels(dealing.world.tenant_id, [level])
    await dealing.settle()
    assert await dealing.units(order) == Units(reserved=5)
    assert await dealing.used() == 5 * PRICE
    await dealing.assert_clean()


async def test_refused_for_stock_it_takes_nothing(dealing: Dealing) -> None:
    refused(await dealing.sell(3, "C"), "INSUFFICIENT_STOCK")
    assert await dealing.used() == 0


async def test_a_hold_of_a_cart_takes_no_quota(dealing: Dealing) -> None:
    terms = HoldTerms(StockHoldKind.CART, 600)
    cart = draft({"A": 20}, shop="dshop")
    held = await dealing.runtime.intake.take_hold(cart, terms, dealing.world.dealer)
    assert isinstance(held, Held)
    assert held.lines[0].reserved == 20
    assert await dealing.used() == 0


async def test_the_same_order_again_takes_it_once(dealing: Dealing) -> None:
    order = draft({"A": 2}, shop="dshop")
    first, again = [
        placed(await dealing.runtime.intake.place(order, dealing.world.dealer)) for _ in range(2)
    ]
    assert first == again
    assert await dealing.used() == 2 * PRICE


async def test_never_beyond_the_quota_whoever_comes_at_once(
    dealing: Dealing, database_url: str, valkey_url: str
) -> None:
    await dealing.warm()
    async with second_runtime(database_url, valkey_url) as other:
        orders = [draft({"A": 1}, shop="dshop") for _ in range(40)]
        found = await asyncio.gather(
            *(
                [dealing.runtime, other][n % 2].intake.place(order, dealing.world.dealer)
                for n, order in enumerate(orders)
            )
        )
        taken = [one for one in found if isinstance(one, Placed)]
        assert len(taken) == 10
        assert await dealing.used() == 6_000
        await other.settle()
    await dealing.assert_clean()


# ---------------------------------------------------------------------------------- waiting


async def test_the_oldest_goes_first_the_moment_the_quota_is_there(dealing: Dealing) -> None:
    await dealing.limit(0)
    orders = [await dealing.sold(units) for units in (4, 20, 5)]
    await dealing.limit(9 * PRICE)
    assert await dealing.settle() == 2
    assert [await dealing.units(order) for order in orders] == [
        Units(reserved=4),
        Units(held=20),
        Units(reserved=5),
    ]
    assert await dealing.used() == 9 * PRICE
    await dealing.limit(29 * PRICE)
    assert await dealing.settle() == 1
    assert await dealing.units(orders[1]) == Units(reserved=20)
    await dealing.assert_clean()


async def test_who_must_answer_lets_some_go_and_the_others_go_next(dealing: Dealing) -> None:
    await dealing.limit(0)
    for _ in range(5):
        await dealing.sold(1)
    await dealing.limit(6_000)
    brand = await dealing.brand()
    assert [(await dealing.runtime.dealing.settle(brand, 3)).orders for _ in range(3)] == [3, 2, 0]
    assert await dealing.used() == 5 * PRICE


async def test_what_is_cancelled_gives_the_quota_to_who_waits(dealing: Dealing) -> None:
    first = await dealing.sold(8)
    waits = await dealing.sold(4)
    assert await dealing.held_for(waits) == ["quota"]
    await cancel(dealing, first, 2)
    assert await dealing.used() == 6 * PRICE
    assert await dealing.settle() == 1
    assert await dealing.units(waits) == Units(reserved=4)
    await dealing.assert_clean()


async def test_who_waits_is_cancelled_without_having_taken_anything(dealing: Dealing) -> None:
    order = await dealing.sold(11)
    await cancel(dealing, order)
    assert await dealing.units(order) == Units(cancelled=11)
    assert await dealing.used() == 0
    await dealing.assert_clean()


async def test_nobody_lets_it_go_by_hand(dealing: Dealing) -> None:
    order = await dealing.sold(11)
    for who in (dealing.world.dealer, dealing.world.brand):
        with pytest.raises(HoldUnresolved):
            await release_hold(
                dealing.database,
                who,
                order.order_id,
                Resolution(1),
                dealing.runtime.regions,
                fresh_key(),
            )
    assert await dealing.held_for(order) == ["quota"]


async def test_two_processes_let_it_go_once(
    dealing: Dealing, database_url: str, valkey_url: str
) -> None:
    await dealing.limit(0)
    for _ in range(5):
        await dealing.sold(2)
    await dealing.limit(6 * PRICE)
    brand = await dealing.brand()
    async with second_runtime(database_url, valkey_url) as other:
        went = await asyncio.gather(
            dealing.runtime.dealing.settle(brand), other.dealing.settle(brand)
        )
        await other.settle()
    for one in went:
        await dealing.runtime.publish_counters(dealing.world.tenant_id, one.counters)
    assert sum(one.orders for one in went) == 3
    assert await dealing.used() == 6 * PRICE
    await dealing.assert_clean()


# ------------------------------------------------------------------------- what is not agreed


async def test_without_an_agreement_in_force_it_waits_for_one(dealing: Dealing) -> None:
    await dealing.end("AG-1", YESTERDAY)
    refused(await dealing.sell(1), "NO_DEALER_AGREEMENT")
    order = await dealing.sold(1)
    assert (order.status, order.holds) == (S.HELD, ("agreement",))
    assert await dealing.settle() == 0
    await dealing.agree("AG-2", quota_account="Q-1", starts_on=YESTERDAY + ONE_DAY)
    assert await dealing.settle() == 1
    assert await dealing.units(order) == Units(reserved=1)
    assert await dealing.used() == PRICE
    await dealing.assert_clean()


async def test_what_begins_another_day_lets_go_what_waits_on_that_day(
    dealing: Dealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await dealing.end("AG-1", YESTERDAY)
    order = await dealing.sold(1)
    later = YESTERDAY + timedelta(days=9)
    await dealing.agree("AG-2", quota_account="Q-1", starts_on=later)
    assert await dealing.settle() == 0
    monkeypatch.setattr(Brand, "today", lambda _: later)
    assert await dealing.settle() == 1
    assert await dealing.held_for(order) == []


async def test_who_was_refused_by_older_terms_is_placed_by_the_new_ones(dealing: Dealing) -> None:
    """Nobody else orders meanwhile, whose commit would find that the terms have changed."""
    await dealing.end("AG-1", YESTERDAY)
    refused(await dealing.sell(1), "NO_DEALER_AGREEMENT")
    await dealing.agree("AG-2", quota_account="Q-1", starts_on=YESTERDAY + ONE_DAY)
    placed(await dealing.sell(1))
    await dealing.profile(is_suspended=True)
    refused(await dealing.sell(1), "NO_DEALER_AGREEMENT")
    await dealing.profile()
    placed(await dealing.sell(1))


async def test_an_agreement_that_is_to_come_allows_nothing_yet(unbound: Dealing) -> None:
    await unbound.price()
    await unbound.agree(starts_on=YESTERDAY.replace(year=2100))
    refused(await unbound.sell(1), "NO_DEALER_AGREEMENT")


async def test_a_suspended_dealer_waits_until_it_no_longer_is(dealing: Dealing) -> None:
    await dealing.profile(is_suspended=True, reason="overdue")
    found = refused(await dealing.sell(1), "NO_DEALER_AGREEMENT")
    assert "overdue" in found.message
    order = await dealing.sold(1)
    await dealing.profile()
    assert await dealing.settle() == 1
    assert await dealing.held_for(order) == []


async def test_only_what_is_agreed_is_sold(unbound: Dealing) -> None:
    await add_lines(unbound, {"A": "cool", "B": "warm"})
    await unbound.price()
    await unbound.agree(product_lines=("cool",), added_skus=("C",))
    placed(await unbound.sell(1))
    assert refused(await unbound.sell(1, "B"), "NOT_IN_ASSORTMENT").path == ("lines", 0)
    order = await unbound.sold(1, "B")
    assert order.holds == ("assortment",)
    assert await unbound.units(order) == Units(held=1)
    assert (await unbound.sold(1, "C")).status is S.BACKORDERED


async def test_what_is_excluded_is_not_of_the_line(unbound: Dealing) -> None:
    await add_lines(unbound, {"A": "cool", "B": "cool"})
    await unbound.price()
    await unbound.agree(product_lines=("cool",), excluded_skus=("B",))
    refused(await unbound.sell(1, "B"), "NOT_IN_ASSORTMENT")


async def test_only_where_it_is_agreed(unbound: Dealing) -> None:
    await unbound.price()
    await unbound.agree(territory=(310000,))
    placed(await unbound.sell(1, region=SHANGHAI))
    refused(await unbound.sell(1, region=BEIJING), "OUTSIDE_TERRITORY")
    assert (await unbound.sold(1, region=BEIJING)).holds == ("territory",)


async def test_without_a_price_it_waits_for_one(unbound: Dealing) -> None:
    await unbound.credit(6_000)
    await unbound.agree(quota_account="Q-1")
    refused(await unbound.sell(1), "NO_DEALER_PRICE")
    order = await unbound.sold(2)
    assert order.holds == ("dealer_price",)
    await unbound.price()
    assert await unbound.settle() == 1
    assert await unbound.units(order) == Units(reserved=2)
    assert await unbound.used() == 2 * PRICE


async def test_sold_for_too_little_it_keeps_its_stock_and_is_not_sent(unbound: Dealing) -> None:
    await unbound.credit(6_000)
    await unbound.agree(quota_account="Q-1")
    await unbound.price(least=1_001)
    refused(await unbound.sell(1), "BELOW_RESALE_PRICE")
    order = await unbound.sold(2)
    assert (order.status, order.holds) == (S.HELD, ("resale_price",))
    assert await unbound.units(order) == Units(reserved=2)
    assert await unbound.used() == 2 * PRICE
    with pytest.raises(HoldUnresolved):
        await let_go(unbound, order, unbound.world.dealer)
    assert await let_go(unbound, order, unbound.world.brand) is S.ALLOCATED
    await unbound.assert_clean()


async def test_the_brand_sends_it_nevertheless(unbound: Dealing) -> None:
    await unbound.price()
    await unbound.credit(6_000)
    await unbound.agree(territory=(310000,), quota_account="Q-1")
    order = await unbound.sold(1, region=BEIJING)
    with pytest.raises(HoldUnresolved):
        await let_go(unbound, order, unbound.world.dealer)
    await let_go(unbound, order, unbound.world.brand)
    assert await unbound.held_for(order) == ["quota"]
    assert await unbound.settle() == 1
    assert await unbound.units(order) == Units(reserved=1)
    assert await unbound.used() == PRICE
    await unbound.assert_clean()


async def test_what_nobody_agreed_on_is_not_let_go_by_anybody(dealing: Dealing) -> None:
    await dealing.end("AG-1", YESTERDAY)
    order = await dealing.sold(1)
    await let_go(dealing, order, dealing.world.brand)
    await dealing.settle()
    assert await dealing.held_for(order) == ["agreement"]


async def test_an_unknown_sku_takes_its_quota_once_it_is_known(dealing: Dealing) -> None:
    order = await dealing.sold(3, "nothing")
    assert order.holds == ("sku_unknown",)
    await let_go(dealing, order, dealing.world.dealer, sku="A")
    assert await dealing.held_for(order) == ["quota"]
    assert await dealing.used() == 0
    assert await dealing.settle() == 1
    assert await dealing.units(order) == Units(reserved=3)
    assert await dealing.used() == 3 * PRICE
    await dealing.assert_clean()


async def test_cancelling_the_unknown_line_leaves_the_others_to_their_quota(
    dealing: Dealing,
) -> None:
    order = paid(fresh_key(), {"nothing": 1, "A": 2}, shop="dshop")
    held = placed(await dealing.runtime.intake.place(order, dealing.world.brand))
    await cancel(dealing, held, 1)
    assert await dealing.held_for(held) == ["quota"]
    await dealing.settle()
    assert await dealing.units(held) == Units(reserved=2, cancelled=1)
    assert await dealing.used() == 2 * PRICE
    await dealing.assert_clean()


# --------------------------------------------------------------------------- what has changed


async def test_an_order_that_is_placed_keeps_its_price(dealing: Dealing) -> None:
    await dealing.sold(2)
    await dealing.price("PL-2", 900, dealer="d1")
    order = await dealing.sold(2)
    assert await dealing.used() == 2 * PRICE + 2 * 900
    await cancel(dealing, order)
    assert await dealing.used() == 2 * PRICE


async def test_terms_that_change_on_the_way_are_the_orders(
    dealing: Dealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the order is committed: admitted, or looked at first."""
    placed(await dealing.sell(1))
    changed: list[bool] = []

    def late(commit: Callable[..., Awaitable[Committed]]) -> Callable[..., Awaitable[Committed]]:
        async def change_first(*given: object) -> Committed:
            if not changed:
                changed.append(True)
                await dealing.price("PL-2", 700, dealer="d1")
            return await commit(*given)

        return change_first

    for commit in (commit_admitted, commit_planned):
        monkeypatch.setattr(f"backend.orders.pipeline.{commit.__name__}", late(commit))
    await dealing.warm()
    placed(await dealing.sell(1))
    assert changed
    assert await dealing.used() == PRICE + 700
    await dealing.assert_clean()


async def test_the_price_of_the_dealer_comes_before_its_levels(unbound: Dealing) -> None:
    await unbound.credit(10_000)
    await unbound.agree(quota_account="Q-1")
    await unbound.profile(level="gold")
    await unbound.price("ALL", 900)
    await unbound.price("SILVER", 800, level="silver")
    await unbound.sold(1)
    assert await unbound.used() == 900
    await unbound.price("GOLD", 700, level="gold")
    await unbound.sold(1)
    assert await unbound.used() == 900 + 700
    await unbound.price("D1", 500, dealer="d1", skus=("B",))
    await unbound.sold(1)
    await unbound.sold(1, "B")
    assert await unbound.used() == 900 + 700 + 700 + 500


async def test_lowered_below_what_is_used_it_takes_no_more(dealing: Dealing) -> None:
    first = await dealing.sold(5)
    assert (await dealing.limit(2 * PRICE)).left_minor == 0
    refused(await dealing.sell(1), "QUOTA_EXCEEDED")
    await cancel(dealing, first, 3)
    refused(await dealing.sell(1), "QUOTA_EXCEEDED")
    await cancel(dealing, first, 1)
    placed(await dealing.sell(1))
    await dealing.assert_clean()


# --------------------------------------------------------------------------------- helpers


ONE_DAY = timedelta(days=1)


async def add_lines(dealing: Dealing, lines: dict[str, str]) -> None:
    async with dealing.database.tenant_transaction(dealing.world.system) as tx:
        drafts = [
            SkuDraft(code=code, name=code, weight_g=1_000, product_line=line)
            for code, line in lines.items()
        ]
        await save_skus(tx, drafts)


async def let_go(
    dealing: Dealing, order: Placed, who: Principal, sku: str | None = None
) -> OrderStatus:
    """Release the first hold of an order."""
    regions = dealing.runtime.regions
    resolution = Resolution(1, sku)
    return await release_hold(
        dealing.database, who, order.order_id, resolution, regions, fresh_key()
    )
