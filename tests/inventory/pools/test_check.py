"""Each fault of a layout is refused with its place; what lies on a bound is allowed."""

from typing import Any

import pytest

from backend.channels.model import Shop
from backend.conditions.model import DEPTH_MAX, TESTS_MAX, Condition
from backend.db.errors import YipanError
from backend.inventory.pools import model
from backend.inventory.pools.check import check_layout
from backend.inventory.pools.compile import CompiledLayout, Sources
from backend.inventory.pools.errors import InvalidLayout
from backend.inventory.pools.model import Feed, Layer, Layout, Mode, Pool, Rule, Supply, Sync
from backend.network.model import Condition as Goods
from backend.network.model import FunctionalWarehouse, Node, NodeKind
from backend.network.regions.table import bundled_regions
from core_ext.pool_graph import check_graph
from tests.inventory.pools.layouts import EXAMPLE, dispatch, share, supply, when
from tests.world import SHANGHAI

UNITS_MAX = model.UNITS_MAX
ALWAYS = when("sku.code", "in", "A")
SUPPLY: tuple[str | int, ...] = ("pools", 0, "supplies", 0)
FEED: tuple[str | int, ...] = ("pools", 1, "feeds", 0)
SHARE: tuple[str | int, ...] = ("shares", 0)
Fault = tuple[Layout, str, tuple[str | int, ...], str]


def shop(shop_id: int, code: str) -> Shop:
    return Shop(
        id=shop_id,
        code=code,
        name=code,
        channel="tmall",
        dealer_id=None,
        legal_entity_id=None,
        is_active=True,
    )


def warehouse(at: int, code: str, condition: Goods = Goods.GOOD) -> FunctionalWarehouse:
    return FunctionalWarehouse(
        id=at,
        node_id=1,
        code=code,
        condition=condition,
        purpose="default",
        legal_entity_id=None,
        dealer_id=None,
        rank=0,
    )


NODE = Node(
    id=1,
    code="wh",
    name="wh",
    kind=NodeKind.WAREHOUSE,
    region_code=SHANGHAI,
    longitude_e6=0,
    latitude_e6=0,
    priority=0,
    daily_capacity=None,
    lead_time_minutes=0,
    legal_entity_id=None,
    dealer_id=None,
    serves_all=True,
    is_active=True,
)
SOURCES = Sources(
    {1: NODE},
    [warehouse(1, "wh"), warehouse(2, "far"), warehouse(3, "new", Goods.INSPECTION)],
    bundled_regions(),
)
SHOPS = {"shop": shop(1, "shop"), "dshop": shop(2, "dshop")}


def flows(supplied: Any = None, fed: Any = None, shared: Any = None) -> Layout:
    """Return a supply pool, a dispatch pool and a share, each with changes of its link."""
    return Layout(
        pools=(supply("online", "wh", **supplied or {}), dispatch("all", "online", **fed or {})),
        shares=(share("all", "shop", **shared or {}),),
    )


def of_pool(**changes: Any) -> Layout:
    """Return a layout of one pool, of the supply layer unless the changes say otherwise."""
    return Layout(pools=(Pool(**{"code": "p", "name": "p", "layer": Layer.SUPPLY, **changes}),))


def synced(**changes: Any) -> Layout:
    return Layout(syncs=(Sync(shop="shop", **changes),))


def parts(*ratios: int, **changes: Any) -> Layout:
    """Return a partitioned pool with a share of these basis points for each shop."""
    shares = [share("all", f"s{n}", ratio, **changes) for n, ratio in enumerate(ratios)]
    return Layout(pools=(dispatch("all", mode=Mode.PARTITIONED),), shares=tuple(shares))


def nested(depth: int) -> Condition:
    """Return a condition of so many levels."""
    return ALWAYS if depth == 1 else Condition(not_=nested(depth - 1))


def wide(count: int, test: Condition = ALWAYS) -> Condition:
    """Return a condition of so many tests."""
    return Condition(any=(test,) * count)


def pools(count: int) -> Layout:
    return Layout(pools=tuple(supply(f"p{n}", "wh") for n in range(count)))


def shares(count: int) -> Layout:
    return Layout(
        pools=(supply("all", "wh"),), shares=tuple(share("all", f"s{n}") for n in range(count))
    )


def syncs(count: int) -> Layout:
    return Layout(syncs=tuple(Sync(shop=f"s{n}") for n in range(count)))


def links(supplies: int, feeds: int) -> Layout:
    """Return a pool with so many links into it, and one that it takes from."""
    last = Pool(
        code="last",
        name="last",
        layer=Layer.DISPATCH,
        supplies=(Supply(warehouses=("wh",)),) * supplies,
        feeds=(Feed(pools=("first",)),) * feeds,
    )
    return Layout(pools=(supply("first", "wh"), last))


def warehouses(count: int) -> Layout:
    return Layout(pools=(supply("all", *(f"w{n}" for n in range(count))),))


def ruled(count: int) -> Layout:
    return flows(shared={"rules": (Rule(when=ALWAYS),) * count})


def rule(**changes: Any) -> dict[str, Any]:
    return {"rules": (Rule(when=ALWAYS), Rule(**{"when": ALWAYS, **changes}))}


def circle() -> Layout:
    """Return three pools that take from one another, and one that does not."""
    listed = [("a", "c"), ("b", "a"), ("c", "b"), ("d", "a")]
    return Layout(pools=tuple(dispatch(code, source) for code, source in listed))


FIGURES: list[tuple[dict[str, Any], str, str]] = [
    ({"ratio_bp": -1}, "ratioBp", "10,000"),
    ({"ratio_bp": 10_001}, "ratioBp", "10,000"),
    ({"reserve": -1}, "reserve", "Units"),
    ({"reserve": UNITS_MAX + 1}, "reserve", "Units"),
    ({"most": -1}, "most", "Units"),
    ({"most": UNITS_MAX + 1}, "most", "Units"),
]
OF_FLOWS: list[Fault] = [
    (layout, "INVALID_POOL_LAYOUT", (*path, *below, field), word)
    for changes, field, word in FIGURES
    for given, below in ((changes, ()), (rule(**changes), ("rules", 1)))
    for layout, path in (
        (flows(supplied=given), SUPPLY),
        (flows(fed=given), FEED),
        (flows(shared=given), SHARE),
    )
]
OF_POOLS: list[Fault] = [
    (of_pool(code=""), "INVALID_POOL_LAYOUT", ("pools", 0, "code"), "code"),
    (of_pool(code="p" * 65), "INVALID_POOL_LAYOUT", ("pools", 0, "code"), "64"),
    (of_pool(code="a\nb"), "INVALID_POOL_LAYOUT", ("pools", 0, "code"), "printable"),
    (of_pool(name=""), "INVALID_POOL_LAYOUT", ("pools", 0, "name"), "name"),
    (of_pool(name="  "), "INVALID_POOL_LAYOUT", ("pools", 0, "name"), "name"),
    (of_pool(name="p" * 201), "INVALID_POOL_LAYOUT", ("pools", 0, "name"), "200"),
    (of_pool(name="a\0b"), "INVALID_POOL_LAYOUT", ("pools", 0, "name"), "printable"),
    (of_pool(mode=Mode.PARTITIONED), "INVALID_POOL_LAYOUT", ("pools", 0, "mode"), "dispatch"),
    (of_pool(mode=Mode.CHANNEL_FIRST), "INVALID_POOL_LAYOUT", ("pools", 0, "mode"), "dispatch"),
    (of_pool(mode=Mode.DEPTH_FIRST), "INVALID_POOL_LAYOUT", ("pools", 0, "mode"), "dispatch"),
    (
        of_pool(feeds=(Feed(pools=("q",)),)),
        "INVALID_POOL_LAYOUT",
        ("pools", 0, "feeds"),
        "supply pool",
    ),
    (of_pool(supplies=(Supply(),)), "INVALID_POOL_LAYOUT", SUPPLY, "from which warehouses"),
    (
        of_pool(layer=Layer.DISPATCH, feeds=(Feed(pools=()),)),
        "INVALID_POOL_LAYOUT",
        ("pools", 0, "feeds", 0, "pools"),
        "from which pools",
    ),
    (circle(), "INVALID_POOL_LAYOUT", ("pools",), "← "),
    (Layout(pools=(dispatch("a", "a"),)), "INVALID_POOL_LAYOUT", ("pools",), "a ← a"),
]
OF_NAMES: list[Fault] = [
    (
        Layout(pools=(dispatch("a", "b"),)),
        "INVALID_POOL_LAYOUT",
        ("pools", 0, "feeds", 0, "pools"),
        "'b'",
    ),
    (
        Layout(pools=(supply("a", "wh", "x"),)),
        "INVALID_POOL_LAYOUT",
        (*SUPPLY, "warehouses", 1),
        "'x'",
    ),
    (
        Layout(pools=(supply("a", "new"),)),
        "INVALID_POOL_LAYOUT",
        (*SUPPLY, "warehouses", 0),
        "inspect",
    ),
    (Layout(shares=(share("a", "shop"),)), "INVALID_POOL_LAYOUT", (*SHARE, "pool"), "'a'"),
    (
        Layout(pools=(supply("a", "wh"),), shares=(share("a", "shop"), share("a", "x"))),
        "INVALID_POOL_LAYOUT",
        ("shares", 1, "shop"),
        "'x'",
    ),
    (
        Layout(syncs=(Sync(shop="shop"), Sync(shop="x"))),
        "INVALID_POOL_LAYOUT",
        ("syncs", 1, "shop"),
        "'x'",
    ),
    *(
        (
            Layout(pools=(dispatch("a", mode=mode), dispatch("b", "a"))),
            "INVALID_POOL_LAYOUT",
            (*FEED, "pools"),
            "in turns or parts",
        )
        for mode in (Mode.PARTITIONED, Mode.CHANNEL_FIRST, Mode.DEPTH_FIRST)
    ),
]
OF_REPEATED: list[Fault] = [
    (Layout(pools=(supply("a", "wh"),) * 2), "INVALID_POOL_LAYOUT", ("pools", 1), "'a'"),
    (
        Layout(pools=(supply("a", "wh", "far", "wh"),)),
        "INVALID_POOL_LAYOUT",
        (*SUPPLY, "warehouses", 2),
        "'wh'",
    ),
    (
        Layout(
            pools=(
                supply("a", "wh"),
                Pool(code="b", name="b", layer=Layer.DISPATCH, feeds=(Feed(pools=("a", "a")),)),
            )
        ),
        "INVALID_POOL_LAYOUT",
        (*FEED, "pools", 1),
        "'a'",
    ),
    (
        Layout(pools=(supply("a", "wh"),), shares=(share("a", "shop"),) * 2),
        "INVALID_POOL_LAYOUT",
        ("shares", 1),
        "twice",
    ),
    (Layout(syncs=(Sync(shop="shop"),) * 2), "INVALID_POOL_LAYOUT", ("syncs", 1), "'shop'"),
]
OF_PARTS: list[Fault] = [
    (parts(5_000, 5_001), "INVALID_POOL_LAYOUT", ("shares", 1, "ratioBp"), "10001"),
    (
        parts(2_000, 2_000, rules=(Rule(when=ALWAYS, ratio_bp=5_001),)),
        "INVALID_POOL_LAYOUT",
        ("shares", 1, "ratioBp"),
        "10002",
    ),
]
OF_COUNTS: list[Fault] = [
    (pools(model.POOLS_MAX + 1), "INVALID_POOL_LAYOUT", ("pools",), "201 pools"),
    (shares(model.SHARES_MAX + 1), "INVALID_POOL_LAYOUT", ("shares",), "2001 shares"),
    (syncs(model.SHARES_MAX + 1), "INVALID_POOL_LAYOUT", ("syncs",), "2001 sync policies"),
    (links(25, model.LINKS_MAX - 24), "INVALID_POOL_LAYOUT", ("pools", 1), "51 links"),
    (warehouses(model.WAREHOUSES_MAX + 1), "INVALID_POOL_LAYOUT", SUPPLY, "5001 warehouses"),
    (ruled(model.RULES_MAX + 1), "INVALID_POOL_LAYOUT", (*SHARE, "rules"), "51 rules"),
    (flows(shared={"rank": -1}), "INVALID_POOL_LAYOUT", (*SHARE, "rank"), "rank"),
    (flows(shared={"rank": model.SHARES_MAX + 1}), "INVALID_POOL_LAYOUT", (*SHARE, "rank"), "2000"),
]
OF_SYNCS: list[Fault] = [
    (synced(**{field: units}), "INVALID_POOL_LAYOUT", ("syncs", 0, path), "units")
    for field, path, units in (
        ("buffer", "buffer", -1),
        ("buffer", "buffer", UNITS_MAX + 1),
        ("zero_below", "zeroBelow", -1),
        ("zero_below", "zeroBelow", UNITS_MAX + 1),
        ("cap", "cap", -1),
        ("cap", "cap", UNITS_MAX + 1),
        ("minimum_change", "minimumChange", 0),
        ("minimum_change", "minimumChange", UNITS_MAX + 1),
    )
]
OF_CONDITIONS: list[Fault] = [
    (layout, "INVALID_CONDITION", (*path, *below), word)
    for condition, below, word in (
        (Condition(), (), "exactly one"),
        (Condition(all=()), ("all",), "nothing"),
        (nested(DEPTH_MAX + 1), ("not",) * DEPTH_MAX, "levels"),
        (when("no.such", "equals", "x"), ("test", "attribute"), "no.such"),
    )
    for layout, path in (
        (flows(supplied=rule(when=condition)), (*SUPPLY, "rules", 1, "when")),
        (flows(fed=rule(when=condition)), (*FEED, "rules", 1, "when")),
        (flows(shared=rule(when=condition)), (*SHARE, "rules", 1, "when")),
    )
]
OF_WHERE: list[Fault] = [
    (
        Layout(pools=(supply("a", where=condition),)),
        "INVALID_CONDITION",
        (*SUPPLY, "where", *below),
        word,
    )
    for condition, below, word in (
        (Condition(), (), "exactly one"),
        (when("sku.code", "equals", "A"), ("test", "attribute"), "sku.code"),
        (when("node.priority", "starts_with", "1"), ("test", "operator"), "operators"),
        (when("node.priority", "equals", "x"), ("test", "values", 0), "no value"),
        (when("node.kind", "in"), ("test", "values"), "values"),
        (
            wide(TESTS_MAX + 1, when("node.code", "equals", "wh")),
            ("any", TESTS_MAX, "test"),
            "tests",
        ),
    )
]
FAULTS = [
    *OF_FLOWS,
    *OF_POOLS,
    *OF_NAMES,
    *OF_REPEATED,
    *OF_PARTS,
    *OF_COUNTS,
    *OF_SYNCS,
    *OF_CONDITIONS,
    *OF_WHERE,
]


def name(value: object) -> str | None:
    """Name a case of the table by its place and a word."""
    if isinstance(value, tuple):
        return ".".join(map(str, value))
    return value if isinstance(value, str) else "layout"


@pytest.mark.parametrize(("layout", "code", "path", "word"), FAULTS, ids=name)
def test_a_fault_is_refused_with_its_place(
    layout: Layout, code: str, path: tuple[str | int, ...], word: str
) -> None:
    with pytest.raises(YipanError) as raised:
        CompiledLayout(layout, SOURCES, SHOPS)
    assert (raised.value.code, raised.value.path) == (code, path)
    assert word.lower() in raised.value.message.lower()


def test_a_circle_is_named_and_nobody_else() -> None:
    with pytest.raises(YipanError) as raised:
        check_layout(circle())
    named = raised.value.message.split(": ")[1].split(".")[0].split(" ← ")
    assert (named[0], set(named)) == (named[-1], {"a", "b", "c"})


ALLOWED = [
    Layout(),
    pools(model.POOLS_MAX),
    shares(model.SHARES_MAX),
    syncs(model.SHARES_MAX),
    links(model.LINKS_MAX - 1, 1),
    warehouses(model.WAREHOUSES_MAX),
    ruled(model.RULES_MAX),
    of_pool(code="p" * 64, name="名" * 200),
    flows(shared={"rank": 0}),
    flows(shared={"rank": model.SHARES_MAX}),
    parts(5_000, 5_000),
    parts(2_000, 2_000, rules=(Rule(when=ALWAYS, ratio_bp=5_000),)),
    *(
        layout
        for changes in (
            {"ratio_bp": 0, "reserve": 0, "most": 0},
            {"ratio_bp": 10_000, "reserve": UNITS_MAX, "most": UNITS_MAX},
        )
        for given in (changes, rule(**changes))
        for layout in (flows(given), flows(fed=given), flows(shared=given))
    ),
    synced(buffer=0, zero_below=0, cap=0, minimum_change=1),
    synced(
        buffer=UNITS_MAX,
        zero_below=UNITS_MAX,
        cap=UNITS_MAX,
        minimum_change=UNITS_MAX,
    ),
    flows(shared=rule(when=nested(DEPTH_MAX))),
    flows(shared=rule(when=wide(TESTS_MAX))),
]


@pytest.mark.parametrize("layout", ALLOWED, ids=range(len(ALLOWED)))
def test_what_lies_on_a_bound_is_allowed(layout: Layout) -> None:
    assert set(check_layout(layout)) == {pool.code for pool in layout.pools}


def test_shares_of_a_shared_pool_may_add_up_to_more_than_the_whole() -> None:
    assert CompiledLayout(EXAMPLE, SOURCES, SHOPS).vertex_count == 5


def test_a_pool_comes_after_those_it_takes_from() -> None:
    upwards = tuple(dispatch(f"p{n}", f"p{n + 1}") for n in range(9))
    order = check_layout(Layout(pools=(*upwards, supply("p9", "wh"))))
    assert order == [f"p{n}" for n in reversed(range(10))]


def test_a_pool_in_turns_may_have_all_shares_of_a_layout() -> None:
    shops = {f"s{n}": shop(n, f"s{n}") for n in range(model.SHARES_MAX)}
    pool = dispatch("all", mode=Mode.DEPTH_FIRST)
    layout = Layout(pools=(pool,), shares=tuple(share("all", code) for code in shops))
    check_graph(CompiledLayout(layout, SOURCES, shops).graph([], [()], {}))


def test_a_blank_code_is_refused() -> None:
    with pytest.raises(InvalidLayout, match="code"):
        check_layout(of_pool(code=" "))


def test_shares_are_told_apart_by_pool_and_shop() -> None:
    pools_ = (supply("a", "wh"), supply("a to b", "wh"))
    shares_ = (share("a", "b to c"), share("a to b", "c"))
    assert check_layout(Layout(pools=pools_, shares=shares_))
