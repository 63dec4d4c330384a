"""What a store keeps for a customer who comes to try it: bought there, bought online, or left."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from backend.network.model import Capability, NodeTerms
from backend.network.node_terms import set_node_terms
from backend.orders.model import Pickup, Placed
from backend.orders.stock_holds.in_store import (
    KeptUnits,
    SoldOfHold,
    kept_at,
    sell_of_hold,
)
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.inventory.pools.living import Living
from tests.inventory.stock import figures
from tests.orders.checks import assert_clean
from tests.orders.stock_holds.holding import ask, convert, held, release, state
from tests.refusals import refused
from tests.world import fresh_key

IN_STORE = HoldTerms(StockHoldKind.IN_STORE, 3_600)
HANDS_OVER = NodeTerms(capabilities=frozenset({Capability.HANDS_OVER}))


async def keep(live: Living, units: int = 2, stock: int = 5, **changes: Any) -> int:
    """Let the store keep units of A for a customer; returns the hold."""
    async with live.runtime.database.tenant_transaction(live.brand) as tx:
        await set_node_terms(tx, "store", HANDS_OVER)
    await live.receive("store", stock, "A")
    await live.receive("wh", 5, "A")
    await live.freshen()
    await live.warm()
    given: dict[str, Any] = {"terms": IN_STORE, "pickup": Pickup("store")}
    given |= {"external_id": "会员 8001"} | changes
    return held(await ask(live, {"A": units}, **given)).hold_id


async def sell(
    live: Living,
    hold_id: int,
    units: int | None = None,
    who: Principal | None = None,
    key: str = "",
    receipt: str = "小票 7",
) -> SoldOfHold:
    wanted = None if units is None else (KeptUnits("A", units),)
    done = await sell_of_hold(
        live.runtime.database,
        who or live.world.store,
        hold_id,
        wanted,
        receipt,
        key=key or fresh_key(),
    )
    await live.runtime.publish_counters(live.world.tenant_id, done.counters)
    return done


async def kept(live: Living, who: Principal | None = None, node: str = "store") -> list[Any]:
    node_id = live.world.nodes[node]
    return await kept_at(live.runtime.database, who or live.world.store, node_id, 0, 100)


async def test_the_store_keeps_it_and_sees_for_whom(live: Living, admin: Connection) -> None:
    hold_id = await keep(live)
    assert (await figures(admin, live.world, "store")).reserved == 2
    assert (await figures(admin, live.world, "wh")).reserved == 0
    (one,) = await kept(live)
    assert (one.hold_id, one.external_id, one.units) == (
        hold_id,
        "会员 8001",
        (KeptUnits("A", 2),),
    )
    assert await kept(live, live.brand) == [one]
    assert await kept(live, node="wh") == []


async def test_the_customer_buys_it_at_the_till(live: Living, admin: Connection) -> None:
    hold_id = await keep(live)
    done = await sell(live, hold_id)
    assert (done.sold, done.left) == (2, 0)
    stands = await figures(admin, live.world, "store")
    assert (stands.on_hand, stands.reserved) == (3, 0)
    assert await kept(live) == []
    await assert_clean(live.runtime, live.world)


async def test_what_is_not_bought_is_free_again(live: Living, admin: Connection) -> None:
    done = await sell(live, await keep(live), 1)
    assert (done.sold, done.left) == (1, 1)
    stands = await figures(admin, live.world, "store")
    assert (stands.on_hand, stands.reserved) == (4, 0)
    await assert_clean(live.runtime, live.world)


async def test_tried_in_the_store_and_bought_online(live: Living, admin: Connection) -> None:
    hold_id = await keep(live)
    order = await convert(live, hold_id, 2)
    assert isinstance(order, Placed)
    assert (await state(admin, hold_id)).order_id == order.order_id
    assert await kept(live) == []
    await assert_clean(live.runtime, live.world)


async def test_who_does_not_like_it_leaves_it(live: Living, admin: Connection) -> None:
    hold_id = await keep(live)
    await release(live, hold_id)
    assert (await figures(admin, live.world, "store")).reserved == 0
    async with refused(admin, "STOCK_HOLD_ENDED"):
        await sell(live, hold_id)


async def test_it_is_sold_once(live: Living, admin: Connection) -> None:
    hold_id, key = await keep(live), fresh_key()
    first = await sell(live, hold_id, key=key)
    again = await sell(live, hold_id, key=key)
    assert (again.sold, again.left) == (first.sold, first.left)
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await sell(live, hold_id, 1, key=key)


async def test_of_a_till_and_an_order_at_once_one_has_it(live: Living, admin: Connection) -> None:
    hold_id = await keep(live, stock=2)
    done = await asyncio.gather(
        sell(live, hold_id), convert(live, hold_id, 2), return_exceptions=True
    )
    sold = [one for one in done if isinstance(one, SoldOfHold)]
    stands = await figures(admin, live.world, "store")
    assert stands.on_hand - stands.reserved >= 0
    assert (stands.on_hand == 0) is bool(sold)
    await assert_clean(live.runtime, live.world)


@pytest.mark.parametrize("units", [0, 3])
async def test_no_more_is_sold_than_is_kept(live: Living, admin: Connection, units: int) -> None:
    hold_id = await keep(live)
    async with refused(admin, "INVALID_ORDER"):
        await sell(live, hold_id, units)


async def test_a_receipt_can_be_printed(live: Living, admin: Connection) -> None:
    hold_id = await keep(live)
    async with refused(admin, "INVALID_REASON"):
        await sell(live, hold_id, receipt="a\nb")


async def test_only_the_store_that_has_it_sells_it(live: Living, admin: Connection) -> None:
    hold_id = await keep(live)
    elsewhere = replace(live.world.store, node_ids=(live.world.nodes["wh"],))
    async with refused(admin, "UNKNOWN_STOCK_HOLD"):
        await sell(live, hold_id, who=elsewhere)
    assert await kept(live, elsewhere) == []


async def test_a_cart_is_not_sold_at_a_till(live: Living, admin: Connection) -> None:
    await keep(live)
    cart = held(await ask(live, {"A": 1})).hold_id
    async with refused(admin, "UNKNOWN_STOCK_HOLD"):
        await sell(live, cart, who=live.brand)


async def test_only_what_is_kept_in_a_store_names_it(live: Living, admin: Connection) -> None:
    await keep(live)
    for given in ({"terms": IN_STORE}, {"pickup": Pickup("store")}):
        async with refused(admin, "INVALID_ORDER"):
            await ask(live, {"A": 1}, **given)


async def test_a_store_that_hands_nothing_over_keeps_nothing(live: Living) -> None:
    await keep(live)
    answer = await ask(live, {"A": 1}, terms=IN_STORE, pickup=Pickup("wh"))
    assert getattr(answer, "code", "") == "NO_PICKUP"


async def test_another_store_does_not_keep_it_instead(live: Living) -> None:
    """The warehouse has it, the store has not: the customer comes to the store."""
    await keep(live, units=2, stock=2)
    answer = await ask(live, {"A": 1}, terms=IN_STORE, pickup=Pickup("store"))
    assert getattr(answer, "code", "") == "INSUFFICIENT_STOCK"
