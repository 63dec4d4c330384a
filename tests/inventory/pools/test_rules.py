"""Rules give other figures where they hold: for some SKUs, at some times, by stock and sales."""

from datetime import datetime

import pytest

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.inventory.pools.model import Layout, Rule
from backend.routing import live_book
from tenants.brands import Brand
from tests.inventory.pools.layouts import dispatch, share, supply, when
from tests.inventory.pools.living import Living
from tests.orders.checks import placed
from tests.world import draft


def ruled(*rules: Rule) -> Layout:
    """Return a layout that gives half of all to "shop" where no rule holds."""
    return Layout(
        pools=(supply("all", "wh", "far", "store"),),
        shares=(share("all", "shop", 5_000, rules=rules),),
    )


def rule(attribute: str, operator: str, *values: str, ratio_bp: int = 10_000) -> Rule:
    return Rule(when=when(attribute, operator, *values), ratio_bp=ratio_bp)


async def save(live: Living, *skus: SkuDraft) -> None:
    async with live.runtime.database.tenant_transaction(live.brand) as tx:
        await save_skus(tx, skus)


async def receive(live: Living, warehouse: str, units: int, sku: str = "A") -> None:
    """Receive units, and let what looks for waiting orders have looked."""
    await live.receive(warehouse, units, sku)
    await live.runtime.settle()


def clock(monkeypatch: pytest.MonkeyPatch, *moment: int) -> None:
    """Let it be some time where the brand is."""
    monkeypatch.setattr(Brand, "local_time", lambda brand: datetime(*moment))  # type: ignore[arg-type]


async def test_a_rule_holds_for_the_skus_it_names_and_no_others(live: Living) -> None:
    await save(live, SkuDraft(code="B", name="B", category="TV"))
    await live.lay_out(ruled(rule("sku.category", "in", "TV", "audio")))
    for sku in "AB":
        await receive(live, "wh", 10, sku)
    await live.freshen()
    assert [live.shop("shop", sku) for sku in "AB"] == [5, 10]


@pytest.mark.parametrize(
    ("attribute", "operator", "value"),
    [
        ("sku.code", "starts_with", "A"),
        ("sku.category", "equals", "TV"),
        ("sku.product_line", "equals", "home"),
        ("sku.brand", "equals", "own"),
        ("sku.season", "equals", "冬"),
        ("sku.tags", "contains", "new"),
        ("sku.weight_g", "at_least", "1000"),
        ("sku.needs_installation", "equals", "true"),
        ("shop.code", "equals", "shop"),
        ("shop.channel", "equals", "tmall"),
        ("shop.is_dealers", "equals", "false"),
    ],
)
async def test_rules_ask_about_sku_and_shop(
    live: Living, attribute: str, operator: str, value: str
) -> None:
    changes = SkuDraft(
        code="A",
        name="A",
        category="TV",
        product_line="home",
        weight_g=1_000,
        needs_installation=True,
        attributes={"brand": "own", "season": "冬", "tags": ["new", 7]},
    )
    await save(live, changes)
    await receive(live, "wh", 10)
    await live.lay_out(ruled(rule(attribute, operator, value)))
    assert live.shop("shop") == 10


async def test_an_attribute_of_the_wrong_kind_is_unknown(live: Living) -> None:
    await save(live, SkuDraft(code="A", name="A", attributes={"brand": 7, "tags": "new"}))
    await receive(live, "wh", 10)
    await live.lay_out(ruled(rule("sku.brand", "equals", "7"), rule("sku.tags", "contains", "new")))
    assert live.shop("shop") == 5


async def test_of_several_rules_the_first_that_holds_counts(live: Living) -> None:
    await receive(live, "wh", 100)
    rules = [
        rule("sku.code", "equals", "B", ratio_bp=1_000),
        rule("sku.code", "equals", "A", ratio_bp=2_000),
        rule("sku.code", "in", "A", "B", ratio_bp=3_000),
    ]
    await live.lay_out(ruled(*rules))
    assert live.shop("shop") == 20


@pytest.mark.parametrize(
    ("figures", "units"),
    [
        ({}, 30),
        ({"reserve": 60}, 20),
        ({"reserve": 0}, 30),
        ({"ratio_bp": 2_500}, 20),
        ({"ratio_bp": 10_000}, 30),
        ({"ratio_bp": 0}, 0),
        ({"most": 35}, 35),
        ({"most": 0}, 0),
    ],
)
async def test_a_rule_changes_only_the_figures_it_gives(
    live: Living, figures: dict[str, int], units: int
) -> None:
    await receive(live, "wh", 100)
    always = Rule(when=when("sku.code", "equals", "A"), **figures)
    own = share("all", "shop", 5_000, reserve=20, most=30, rules=(always,))
    await live.lay_out(Layout(pools=(supply("all", "wh"),), shares=(own,)))
    assert live.shop("shop") == units


async def test_rules_of_pools_hold_as_those_of_shares(live: Living) -> None:
    await receive(live, "wh", 100)
    most = Rule(when=when("sku.code", "equals", "A"), most=30)
    pools = (supply("all", "wh", rules=(most,)), dispatch("some", "all", rules=(most,)))
    shares = (share("all", "shop"), share("some", "dshop", 5_000))
    await live.lay_out(Layout(pools=pools, shares=shares))
    assert (live.shop("shop"), live.shop("dshop")) == (30, 15)


@pytest.mark.parametrize(
    ("attribute", "operator", "values", "moment", "units"),
    [
        ("time.of_day", "between", ("20:00", "22:00"), (2026, 11, 11, 20, 0), 10),
        ("time.of_day", "between", ("20:00", "22:00"), (2026, 11, 11, 19, 59), 5),
        ("time.of_day", "between", ("22:00", "02:00"), (2026, 11, 11, 1, 0), 10),
        ("time.date", "equals", ("2026-11-11",), (2026, 11, 11, 23, 59), 10),
        ("time.date", "equals", ("2026-11-11",), (2026, 11, 12, 0, 0), 5),
        ("time.month", "equals", ("11",), (2026, 11, 30), 10),
        ("time.weekday", "equals", ("7",), (2026, 11, 29), 10),
        ("time.weekday", "equals", ("7",), (2026, 11, 30), 5),
    ],
)
async def test_rules_ask_about_the_time_where_the_brand_is(
    live: Living,
    monkeypatch: pytest.MonkeyPatch,
    attribute: str,
    operator: str,
    values: tuple[str, ...],
    moment: tuple[int, ...],
    units: int,
) -> None:
    clock(monkeypatch, *moment)
    await receive(live, "wh", 10)
    await live.lay_out(ruled(rule(attribute, operator, *values)))
    assert live.shop("shop") == units


async def test_a_rule_begins_and_ends_with_its_time(
    live: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receive(live, "wh", 10)
    clock(monkeypatch, 2026, 11, 11, 19, 59)
    await live.lay_out(ruled(rule("time.of_day", "between", "20:00", "21:00")))
    found = [live.shop("shop")]
    for minute in (0, 59):
        clock(monkeypatch, 2026, 11, 11, 20, minute)
        await live.freshen()
        found.append(live.shop("shop"))
    clock(monkeypatch, 2026, 11, 11, 21, 1)
    await live.freshen()
    assert [*found, live.shop("shop")] == [5, 10, 10, 5]


@pytest.mark.parametrize(
    ("attribute", "operator", "value", "units"),
    [
        ("stock.units", "at_least", "12", 12),
        ("stock.units", "at_least", "13", 6),
        ("stock.nodes", "at_least", "2", 12),
        ("stock.nodes", "at_least", "3", 6),
        ("stock.days_since_receipt", "at_most", "0", 12),
        ("stock.days_since_receipt", "at_least", "1", 6),
        ("stock.kept_for", "contains", "consumers", 6),
        ("stock.days_of_cover", "at_most", "1000000", 6),
        ("sales.units_per_day", "equals", "0", 12),
    ],
)
async def test_rules_ask_about_stock(
    live: Living, attribute: str, operator: str, value: str, units: int
) -> None:
    await receive(live, "wh", 10)
    await receive(live, "far", 2)
    await receive(live, "store", 5)
    await live.adjust("store", -5)
    await live.runtime.settle()
    await live.lay_out(ruled(rule(attribute, operator, value)))
    assert live.shop("shop") == units


async def test_rules_ask_about_what_was_sold(live: Living) -> None:
    await receive(live, "wh", 156)
    placed(await live.runtime.intake.place(draft({"A": 56}), live.brand))
    await live.lay_out(ruled(rule("sales.units_per_day", "equals", "2")))
    assert live.shop("shop") == 100
    await live.lay_out(ruled(rule("stock.days_of_cover", "equals", "50")))
    assert live.shop("shop") == 100


async def test_rules_follow_the_stock_when_they_are_looked_at_again(live: Living) -> None:
    await receive(live, "wh", 100)
    await live.lay_out(ruled(rule("stock.units", "at_most", "50")))
    await live.adjust("wh", -60)
    assert live.shop("shop") == 20
    await live.runtime.settle()
    await live.freshen()
    assert live.shop("shop") == 40


async def test_rules_are_looked_at_again_only_every_so_often(
    live: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [1_000.0]
    monkeypatch.setattr(live_book, "RULES_SECONDS", 60.0)
    monkeypatch.setattr(live_book, "now", lambda: seconds[0])
    await receive(live, "wh", 10)
    await live.lay_out(ruled(rule("sku.category", "equals", "TV")))
    await save(live, SkuDraft(code="A", name="A", category="TV"))
    found = []
    for seconds[0] in (1_059.9, 1_060.0):
        await live.freshen()
        found.append(live.shop("shop"))
    assert found == [5, 10]


async def test_listeners_hear_of_numbers_that_a_rule_changed(
    live: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(monkeypatch, 2026, 11, 10)
    await receive(live, "wh", 10)
    await receive(live, "wh", 10, "B")
    of_a = Rule(when=when("time.month", "equals", "12"), ratio_bp=0)
    await live.lay_out(ruled(of_a))
    heard: set[int] = set()
    opened = live.runtime.books.opened(live.world.tenant_id)
    assert opened is not None
    opened.listeners.append(heard.update)
    clock(monkeypatch, 2026, 12, 1)
    await live.freshen()
    assert heard == {live.world.skus["A"], live.world.skus["B"]}
    assert live.shop("shop") == 0
