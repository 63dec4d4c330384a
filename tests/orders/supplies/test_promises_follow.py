"""Promises follow orders, supplies and stock, whatever changes, and orders hear of it."""

import pytest

from backend.inventory.pools.model import Layout
from backend.inventory.supplies.model import Outlook
from backend.inventory.supplies.supplies import outlook, set_supplies
from backend.inventory.warehouses import create_warehouse
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_node, set_node_active
from backend.network.regions.table import bundled_regions
from backend.orders.cancel_orders import CancelLine
from backend.routing import live_book
from tests.inventory.pools.layouts import dispatch, put_in_force, share
from tests.inventory.pools.layouts import supply as pool_of
from tests.orders.checks import assert_clean
from tests.orders.supplies.coming import LATER, LATEST, SOON, Coming
from tests.orders.supplies.coming import supply as draft_of
from tests.world import GUANGZHOU


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_book, "FRESH_SECONDS", 0.0)


async def test_a_line_that_gets_a_part_of_what_it_waits_for_has_no_date(coming: Coming) -> None:
    await coming.expect(3)
    order = await coming.waits(("A", 5))
    assert await coming.promises() == {(order, "PO-1"): 3}
    assert await coming.expected(order) == [None]
    assert await coming.news(order) == []
    await coming.expect(2, code="PO-2", expected_on=LATER)
    assert await coming.expected(order) == [LATER]
    assert await coming.promises() == {(order, "PO-1"): 3, (order, "PO-2"): 2}
    await coming.assert_true()


async def test_a_short_supply_takes_the_promise_of_the_youngest(coming: Coming) -> None:
    await coming.expect(5)
    orders = [await coming.waits(("A", units)) for units in (2, 2, 1)]
    await coming.expect(4)
    assert await coming.expected(*orders) == [SOON, SOON, None]
    await coming.expect(3)
    assert await coming.expected(*orders) == [SOON, None, None]
    assert await coming.promises() == {(orders[0], "PO-1"): 2, (orders[1], "PO-1"): 1}
    await coming.assert_true()


async def test_less_confidence_promises_less(coming: Coming) -> None:
    await coming.expect(10, confidence_bp=5_500)
    orders = [await coming.waits(("A", units)) for units in (5, 1)]
    assert await coming.expected(*orders) == [SOON, None]
    await coming.expect(10, confidence_bp=4_000)
    assert await coming.promises() == {(orders[0], "PO-1"): 4}
    await coming.expect(10, confidence_bp=0)
    assert await coming.promises() == {}
    assert await coming.expected(*orders) == [None, None]
    await coming.assert_true()


@pytest.mark.parametrize("units", [2, 5], ids=["whole", "part"])
async def test_a_closed_supply_promises_nothing(coming: Coming, units: int) -> None:
    await coming.expect(3)
    order = await coming.waits(("A", units))
    closed = await coming.close()
    assert (closed.is_open, closed.version) == (False, 2)
    await coming.settle()
    assert await coming.promises() == {}
    assert await coming.expected(order) == [None]
    await coming.assert_true()


@pytest.mark.parametrize("units", [2, 5], ids=["whole", "part"])
async def test_a_supply_of_something_else_promises_nothing_of_this(
    coming: Coming, units: int
) -> None:
    await coming.expect(3)
    order = await coming.waits(("A", units))
    await coming.expect(3, sku="B")
    assert await coming.promises() == {}
    assert await coming.expected(order) == [None]
    await coming.assert_true()


@pytest.mark.parametrize("units", [2, 5], ids=["whole", "part"])
async def test_a_cancelled_order_frees_its_promise_for_the_next(coming: Coming, units: int) -> None:
    await coming.expect(3)
    first, second = await coming.waits(("A", units)), await coming.waits(("A", 3))
    await coming.cancel(first)
    await coming.settle()
    assert await coming.promises() == {(second, "PO-1"): 3}
    assert await coming.expected(first, second) == [None, SOON]
    await coming.assert_true()


async def test_who_cancels_the_only_order_leaves_no_promise(coming: Coming) -> None:
    await coming.expect(3)
    order = await coming.waits(("A", 5))
    await coming.cancel(order)
    await coming.settle()
    assert await coming.promises() == {}


async def test_stock_from_elsewhere_frees_the_promise_for_the_next(coming: Coming) -> None:
    await coming.expect(3)
    first, second = await coming.waits(("A", 3)), await coming.waits(("A", 2))
    assert await coming.promises() == {(first, "PO-1"): 3}
    await coming.stock("far", "A", 3)
    assert await coming.lines(first) == [(3, 0, None)]
    assert await coming.promises() == {(second, "PO-1"): 2}
    assert await coming.expected(second) == [SOON]
    await coming.assert_true()
    await assert_clean(coming.runtime, coming.world)


async def test_each_line_has_its_own_date(coming: Coming) -> None:
    await coming.expect(3)
    await coming.expect(3, code="PO-2", sku="B", expected_on=LATER)
    order = await coming.waits(("A", 1), ("B", 1), ("C", 1))
    assert [line[2] for line in await coming.lines(order)] == [SOON, LATER, None]
    news = await coming.news(order)
    assert [line["lineNo"] for each in news for line in each["lines"]] == [1, 2]


async def test_a_sku_that_stands_in_an_order_twice_is_promised_line_by_line(coming: Coming) -> None:
    await coming.expect(2)
    await coming.expect(3, code="PO-2", expected_on=LATER)
    order = await coming.waits(("A", 2), ("A", 3))
    assert [line[2] for line in await coming.lines(order)] == [SOON, LATER]
    # Received, but nobody takes it over yet: the second line still waits for all of its own.
    await coming.take_in(2)
    world, database = coming.world, coming.runtime.database
    async with database.tenant_transaction(world.system) as tx:
        await set_node_active(tx, "wh", is_active=False)
        await set_node_active(tx, "far", is_active=True)
    await coming.expect(3, code="PO-2", expected_on=LATER, warehouse="far")
    assert await coming.promises() == {(order, "PO-2"): 3}
    assert [line[2] for line in await coming.lines(order)] == [None, LATER]
    await coming.assert_true()


async def test_orders_hear_of_each_change_once(coming: Coming) -> None:
    await coming.expect(3)
    order = await coming.waits(("A", 3))
    await coming.settle()
    await coming.expect(3, expected_on=LATEST)
    await coming.close()
    await coming.settle()
    assert [each["lines"] for each in await coming.news(order)] == [
        [{"lineNo": 1, "expectedOn": now and str(now), "wasExpectedOn": was and str(was)}]
        for was, now in ((None, SOON), (SOON, LATEST), (LATEST, None))
    ]


async def test_a_late_supply_names_exactly_the_orders_that_it_hits(coming: Coming) -> None:
    await coming.expect(2)
    await coming.expect(2, code="PO-2", expected_on=LATER)
    orders = [await coming.waits(("A", 2)) for _ in range(3)]
    before = [len(await coming.news(one)) for one in orders]
    await coming.expect(2, code="PO-2", expected_on=LATEST)
    after = [len(await coming.news(one)) for one in orders]
    assert [b - a for a, b in zip(before, after, strict=True)] == [0, 1, 0]


async def test_who_is_done_hears_no_more_of_dates(coming: Coming) -> None:
    await coming.expect(2)
    order = await coming.waits(("A", 2))
    await coming.receive(2)
    await coming.expect(9, code="PO-2")
    assert len(await coming.news(order)) == 1
    assert await coming.lines(order) == [(2, 0, None)]


async def test_a_shop_is_promised_what_comes_to_its_own_pools(coming: Coming) -> None:
    layout = Layout(
        pools=(
            pool_of("near", "wh"),
            pool_of("away", "far"),
            dispatch("shops", "near"),
            dispatch("dealers", "away"),
        ),
        shares=(share("shops", "shop"), share("dealers", "dshop")),
    )
    await put_in_force(coming.runtime.database, coming.world.brand, layout)
    await coming.expect(3)
    await coming.expect(3, code="PO-2", warehouse="far", expected_on=LATER)
    ours = await coming.waits(("A", 4))
    theirs = await coming.waits(("A", 3), shop="dshop")
    assert await coming.promises() == {(ours, "PO-1"): 3, (theirs, "PO-2"): 3}
    assert await coming.expected(ours, theirs) == [None, LATER]
    await coming.assert_true()


async def test_nobody_is_promised_what_another_dealers_node_keeps_to_itself(coming: Coming) -> None:
    world = coming.world
    async with coming.runtime.database.tenant_transaction(world.system) as tx:
        own = NodeDraft(
            code="own",
            name="own",
            kind=NodeKind.DEALER,
            region_code=GUANGZHOU,
            dealer_id=world.dealers["d1"],
            serves_all=False,
        )
        node_id = await create_node(tx, own, bundled_regions())
        of_dealer = WarehouseDraft(node_id=node_id, code="own", dealer_id=own.dealer_id)
        await create_warehouse(tx, of_dealer)
    await coming.expect(3, warehouse="own")
    ours = await coming.waits(("A", 1))
    theirs = await coming.waits(("A", 1), shop="dshop2")
    its_own = await coming.waits(("A", 1), shop="dshop")
    assert await coming.expected(ours, theirs, its_own) == [None, None, SOON]


async def test_what_comes_to_a_closed_node_is_promised_to_nobody(coming: Coming) -> None:
    await coming.expect(3)
    order = await coming.waits(("A", 2))
    async with coming.runtime.database.tenant_transaction(coming.world.system) as tx:
        await set_node_active(tx, "wh", is_active=False)
    await coming.settle()
    assert await coming.promises() == {}
    assert await coming.expected(order) == [None]


async def test_cancelling_units_of_a_line_keeps_the_promise_for_the_rest(coming: Coming) -> None:
    await coming.expect(3)
    first, second = await coming.waits(("A", 3)), await coming.waits(("A", 1))
    await coming.cancel(first, [CancelLine(1, 2)])
    await coming.settle()
    assert await coming.promises() == {(first, "PO-1"): 1, (second, "PO-1"): 1}
    await coming.assert_true()


async def test_the_outlook_adds_what_comes_unpromised_to_what_is_offered(coming: Coming) -> None:
    world = coming.world
    await coming.expect(5)
    await coming.expect(4, code="PO-2", warehouse="far", expected_on=SOON)
    await coming.expect(8, code="PO-3", expected_on=LATER, confidence_bp=5_000)
    await coming.expect(7, code="PO-4", warehouse="store", expected_on=LATER)
    await coming.waits(("A", 6))
    here = {(await coming.level(node)).functional_warehouse_id for node in ("wh", "far")}
    async with coming.runtime.database.tenant_transaction(world.brand, read_only=True) as tx:
        found = await outlook(tx, world.skus["A"], here, 2)
        nothing = await outlook(tx, world.skus["B"], here, 2)
    assert found == [Outlook(SOON, 3, 5), Outlook(LATER, 4, 9)]
    assert nothing == []


async def test_a_draft_that_is_no_supply_of_ours_is_not_promised(coming: Coming) -> None:
    async with coming.runtime.database.tenant_transaction(coming.world.other_brand) as tx:
        await set_supplies(tx, [draft_of(9)], key="k")
    order = await coming.waits(("A", 1))
    assert await coming.expected(order) == [None]
    assert await coming.promises() == {}
