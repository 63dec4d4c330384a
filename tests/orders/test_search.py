"""Orders are found by what they are: all that fit, none else, whoever may see them."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest

from backend.orders.cancel_orders import cancel_order
from backend.orders.model import AddressDraft, OrderStatus
from backend.orders.search.find import BEGINNING, InvalidSearch, OrderSearch, find_orders
from backend.orders.search.index import SearchIndexer
from backend.runtime import Runtime
from loadtests.waiting import until
from tests.orders.searching import Searching
from tests.world import World, fresh_key, receive

S = OrderStatus
NAMES = ("王芳", "Li Lei", "张三")
PHONES = ("13800138000", "+86 139 0013-8000", "13812345678", "")


@pytest.fixture
async def searching(runtime: Runtime, world: World) -> Searching:
    for sku in "AB":
        await receive(runtime.database, world.brand, "wh", sku, 500)
    return Searching(runtime, world)


async def test_whatever_is_asked_for_all_that_fit_are_found_newest_first(
    searching: Searching,
) -> None:
    random = Random(11)
    await searching.index()
    for number in range(60):
        skus = random.sample("AB", random.randint(1, 2))
        name, phone = random.choice(NAMES), random.choice(PHONES)
        await searching.place(
            lines=dict.fromkeys(skus, 1),
            address=AddressDraft("路 1 号", region_code=310101, name=name, phone=phone),
            shop=random.choice(("shop", "dshop")),
            external_id=f"N{number}",
        )
    orders = list(searching.orders)
    for order_id in random.sample(orders, 15):
        await cancel_order(
            searching.runtime.database,
            searching.world.brand,
            order_id,
            None,
            fresh_key(),
        )
        searching.orders[order_id]["status"] = S.CANCELLED
    await searching.indexed()
    nodes = searching.world.nodes
    for _ in range(80):
        like: dict[str, Any] = {}
        if random.random() < 0.4:
            like["buyer"] = random.choice((*NAMES, " li lei ", "nobody"))
        if random.random() < 0.4:
            like["phone"] = random.choice(("8000", "138000", "13800138000", "5678", "00138000"))
        if random.random() < 0.4:
            like["skus"] = tuple(random.sample("ABC", random.randint(1, 2)))
        if random.random() < 0.3:
            like["node_id"] = random.choice((nodes["wh"], nodes["store"]))
        if random.random() < 0.4:
            like["statuses"] = tuple(random.sample([S.ALLOCATED, S.CANCELLED, S.HELD], 2))
        if random.random() < 0.1:
            like["number"] = f"N{random.randrange(70)}"
        wanted = [one for one in sorted(orders, reverse=True) if fits(searching, one, like)]
        assert await searching.find(**like) == wanted, like


def fits(searching: Searching, order_id: int, like: dict[str, Any]) -> bool:
    """Whether an order is what is looked for, by looking at it."""
    known = searching.orders[order_id]
    order, status = known["draft"], known["status"]
    digits = "".join(each for each in order.address.phone if each.isdecimal())
    is_at = {searching.world.nodes["wh"]} if known["was"] is S.ALLOCATED else set()
    return (
        like.get("buyer", order.address.name).strip().lower() == order.address.name.lower()
        and ("phone" not in like or (len(digits) >= 4 and digits.endswith(like["phone"])))
        and set(like.get("skus", ())) <= {line.sku for line in order.lines}
        and ("node_id" not in like or like["node_id"] in is_at)
        and status in like.get("statuses", (status,))
        and like.get("number", order.external_id) == order.external_id
    )


async def test_it_is_found_by_where_it_stands_now(searching: Searching) -> None:
    await searching.index()
    order = await searching.sold()
    searching.orders[order.order_id] = {}
    await searching.indexed()
    assert await searching.find(statuses=(S.ALLOCATED,)) == [order.order_id]
    key = await searching.until(order, "release")

    async def has_moved() -> bool:
        await searching.index()
        return await searching.find(statuses=(S.IN_FULFILMENT,)) == [order.order_id]

    await until(has_moved)
    assert await searching.find(statuses=(S.ALLOCATED,)) == []
    assert await searching.find(node_id=searching.world.nodes["store"]) == [key.order_id]


async def test_what_was_there_before_is_found_too(searching: Searching) -> None:
    placed_before = [(await searching.place()).order_id for _ in range(5)]
    await searching.indexed()
    assert await searching.find() == sorted(placed_before, reverse=True)


async def test_blanks_and_repetitions_do_not_matter(searching: Searching) -> None:
    address = AddressDraft("路 1 号", region_code=310101, name="张三\u3000", phone="１３８ 8000")
    order = (await searching.place(address=address, external_id=" N1 ")).order_id
    await searching.indexed()
    assert await searching.find(buyer="张三") == [order]
    assert await searching.find(number="N1") == [order]
    assert await searching.find(phone="8000", statuses=(S.ALLOCATED, S.ALLOCATED)) == [order]


async def test_pages_leave_nothing_out_and_repeat_nothing(searching: Searching) -> None:
    for _ in range(7):
        await searching.place()
    await searching.indexed()
    seen: list[int] = []
    after = BEGINNING
    while page := await searching.keys(after=after, limit=3):
        seen += [order_id for _, order_id in page]
        after = page[-1]
        if len(seen) == 3:
            await searching.place()  # newer than what was seen: on no later page
    assert seen == sorted(list(searching.orders)[:7], reverse=True)


async def test_what_hardly_ever_meets_is_looked_for_in_parts(
    searching: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.orders.search.find.LOOKED_AT_MAX", 3)
    monkeypatch.setattr("backend.orders.search.find.RARE", 3)
    first = (await searching.place(lines={"A": 1, "B": 1})).order_id
    for number in range(11):
        await searching.place(lines={"AB"[number % 2]: 1})
    await searching.indexed()
    parts, after = [], BEGINNING
    async with searching.runtime.database.tenant_transaction(searching.world.brand) as tx:
        while True:
            part = await find_orders(tx, OrderSearch(skus=("A", "B")), after=after, limit=5)
            parts.append([order_id for _, order_id in part.keys])
            if part.until is None:
                break
            after = part.until
    assert parts == [[], [], [first]]


async def test_a_span_of_time_has_what_was_placed_in_it(searching: Searching) -> None:
    await searching.place()
    middle = datetime.now(UTC)
    await searching.place()
    await searching.indexed()
    first, second = searching.orders
    assert await searching.find(placed_before=middle) == [first]
    assert await searching.find(placed_from=middle) == [second]
    assert await searching.find(skus=("A",), placed_from=middle) == [second]
    hour = timedelta(hours=1)
    assert await searching.find(placed_from=middle - hour, placed_before=middle + hour) == [
        second,
        first,
    ]


async def test_dealers_find_their_own_and_stores_none(searching: Searching) -> None:
    world = searching.world
    await searching.place()
    own = await searching.place(world.dealer, shop="dshop")
    await searching.indexed()
    assert len(await searching.find()) == 2
    assert await searching.find(world.dealer) == [own.order_id]
    assert await searching.find(world.dealer, skus=("A",)) == [own.order_id]
    assert await searching.find(world.other_dealer) == []
    assert await searching.find(world.store) == []


async def test_several_index_at_once_and_nothing_is_lost(searching: Searching) -> None:
    for _ in range(12):
        await searching.place()
    await asyncio.gather(*(searching.index() for _ in range(4)))
    await searching.indexed()
    assert await searching.find() == sorted(searching.orders, reverse=True)


async def test_the_indexer_takes_brands_with_news_and_stops_when_it_is_told(
    searching: Searching,
) -> None:
    runtime = searching.runtime
    await searching.place()
    indexer = SearchIndexer(runtime.database, runtime.brands)
    await indexer.index(5.0, lambda: True)
    assert await searching.find() == []

    async def is_found() -> bool:
        indexer.hear(searching.world.tenant_id)
        await indexer.index(1.0, lambda: False)
        return await searching.find() == list(searching.orders)

    await until(is_found)


@pytest.mark.parametrize(
    "like",
    [
        {"number": ""},
        {"number": "x" * 4_000},
        {"buyer": " "},
        {"buyer": "\x00"},
        {"phone": "13"},
        {"phone": "no number"},
        {"skus": ("A",) * 21},
        {"skus": ("\x00",)},
        {"placed_from": datetime(2026, 11, 11)},
        {"placed_from": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8)))},
        {
            "placed_from": datetime(2026, 11, 11, tzinfo=UTC),
            "placed_before": datetime(2026, 11, 11, tzinfo=UTC),
        },
    ],
)
async def test_what_could_find_nothing_is_refused(
    searching: Searching, like: dict[str, Any]
) -> None:
    with pytest.raises(InvalidSearch):
        await searching.find(**like)
