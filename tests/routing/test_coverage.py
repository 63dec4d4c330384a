"""What is found wrong with a policy is wrong, and what is said of an order is true of it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.conditions.compile import attributes_of, compile_condition
from backend.conditions.model import Condition
from backend.demo.routing import demo_policy
from backend.network.model import Node, NodeKind
from backend.network.regions.table import bundled_regions
from backend.routing import coverage
from backend.routing.attributes import ORDER_ATTRIBUTES
from backend.routing.check_policy import check_policy
from backend.routing.coverage import Finding, FindingKind, findings_of
from backend.routing.model import DEFAULT_POLICY, Otherwise, PolicyDocument, Strategy
from backend.routing.network_view import NO_FIGURES, NetworkView
from tests.routing.policies import both, document, either, first, is_, not_, strategy, when
from tests.routing.small_worlds import node

REGIONS = bundled_regions()
TMALL, JD = is_("order.channel", "tmall"), is_("order.channel", "jd")
SHANGHAI = when("order.region", "contains", "310000")
PROMISED = either(
    when("order.promised_on", "at_least", "2026-01-02"),
    when("order.promised_on", "at_most", "2026-01-01"),
)
MANY, FEW = when("order.units", "at_least", "5"), when("order.units", "at_most", "4")


def network(*nodes: Node) -> NetworkView:
    return NetworkView(nodes or [node(1, region_code=310104)], [], REGIONS)


def findings(*strategies: Strategy, view: NetworkView | None = None) -> list[Finding]:
    policy = document(*strategies)
    check_policy(policy)
    return findings_of(policy, view or network())


def kinds(*strategies: Strategy) -> list[tuple[FindingKind, str]]:
    return [(found.kind, found.strategy) for found in findings(*strategies)]


def test_of_a_policy_that_takes_everything_nothing_is_found() -> None:
    assert findings(strategy()) == []
    assert findings(first(when=TMALL), strategy()) == []
    assert findings_of(DEFAULT_POLICY, network()) == []


def test_the_policy_of_the_demo_has_no_findings() -> None:
    """But that its node filters are met by nodes of every kind there are."""
    nodes = [
        node(1, region_code=310104),
        node(2, region_code=440106, kind=NodeKind.DEALER, dealer_id=1),
    ]
    assert findings_of(demo_policy(), network(*nodes)) == []


# ----------------------------------------------------------------------------- never matches


CONTRADICTIONS = {
    "two channels": ((TMALL, JD), "order.channel equals tmall and order.channel equals jd"),
    "no number": ((MANY, FEW), "order.units at least 5 and order.units at most 4"),
    "among others": (
        (is_("order.is_paid", "true"), MANY, is_("order.payment", "x"), FEW),
        "order.units at least 5 and order.units at most 4",
    ),
    "itself": ((both(TMALL, JD), MANY), "(order.channel equals tmall and order.channel equals jd)"),
    "and its opposite": (
        (TMALL, not_(TMALL)),
        "order.channel equals tmall and not (order.channel equals tmall)",
    ),
    "two provinces": (
        (when("order.region", "contains", "310000"), when("order.region", "contains", "330000")),
        "order.region contains 310000 and order.region contains 330000",
    ),
    "a city without its province": (
        (when("order.region", "contains", "310104"), not_(SHANGHAI)),
        "order.region contains 310104 and not (order.region contains 310000)",
    ),
    "a dealer of the brand": (
        (is_("order.dealer", "7"), is_("order.is_dealers", "false")),
        "order.dealer equals 7 and order.is_dealers equals false",
    ),
    "goods that are installed and are not": (
        (when("order.needs", "contains", "installs"), is_("order.needs_installation", "false")),
        "order.needs contains installs and order.needs_installation equals false",
    ),
    "days to nothing promised": (
        (not_(PROMISED), when("order.days_to_promise", "at_least", "0")),
        "and order.days_to_promise at least 0",
    ),
    "too good a customer": ((when("order.customer_level", "at_least", "10"),), "at least 10"),
    "an eighth day": ((is_("time.weekday", "8"),), "time.weekday equals 8"),
    "half a word": (
        (when("order.remark", "contains", "急送"), not_(when("order.remark", "contains", "急"))),
        "order.remark contains 急送",
    ),
    "three that go in pairs": (
        (either(TMALL, JD), not_(TMALL), not_(JD)),
        "(order.channel equals tmall or order.channel equals jd) and not (order.channel equals "
        "tmall) and not (order.channel equals jd)",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_condition_that_nothing_meets_is_named(name: str) -> None:
    parts, says = CONTRADICTIONS[name]
    (found,) = findings(first("odd", when=both(*parts)), strategy())
    assert (found.kind, found.strategy, found.example) == (FindingKind.NEVER_MATCHES, "odd", {})
    assert found.message.endswith(says) or says in found.message


def seven_tags(operator: str = "contains") -> list[Condition]:
    return [when("order.tags", operator, f"tag {n}") for n in range(7)]


MET = {
    "two of many tags": both(*seven_tags()[:2], not_(either(*seven_tags()[2:]))),
    "no channel that begins so": not_(when("order.channel", "starts_with", "a")),
    "neither another": both(
        not_(is_("order.channel", "another")), when("order.channel", "starts_with", "a")
    ),
    "not the prefix itself": both(
        when("order.type", "starts_with", "x"), not_(when("order.type", "in", "x", "x~"))
    ),
    "installed, and something else": both(
        is_("order.needs_installation", "true"), when("order.needs", "contains", "chilled")
    ),
    "of no dealer": not_(when("order.dealer", "starts_with", "")),
    "at one minute": both(
        when("time.of_day", "between", "22:00", "06:00"),
        when("time.of_day", "between", "06:00", "07:00"),
    ),
    "the best customers": when("order.customer_level", "at_least", "9"),
    "on Sundays": is_("time.weekday", "7"),
}


@pytest.mark.parametrize("name", MET)
def test_a_condition_that_something_meets_is_not_blamed(name: str) -> None:
    assert findings(first(when=MET[name]), strategy()) == []


# ---------------------------------------------------------------------------------- shadowed


def test_a_strategy_behind_one_for_all_is_shadowed() -> None:
    (found,) = findings(strategy("all"), strategy("late", when=TMALL))
    assert (found.kind, found.strategy) == (FindingKind.SHADOWED, "late")
    assert found.example == {"order.channel": "tmall"}
    assert "'all'" in found.message


def test_a_narrower_strategy_is_shadowed_by_a_wider_one() -> None:
    wide = strategy("wide", when=when("order.units", "at_least", "2"))
    (found,) = findings(wide, strategy("narrow", when=MANY), strategy())
    assert (found.kind, found.strategy, found.example) == (
        FindingKind.SHADOWED,
        "narrow",
        {"order.units": 5},
    )


def test_two_together_shadow_a_third() -> None:
    """What an order asked about by neither of them goes to depends on its channel."""
    (found,) = findings(
        strategy("tmall", when=TMALL), strategy("rest", when=not_(TMALL)), first("big", when=MANY)
    )
    assert (found.kind, found.strategy) == (FindingKind.SHADOWED, "big")
    taker = "tmall" if found.example["order.channel"] == "tmall" else "rest"
    assert f"ends with {taker!r}" in found.message


def test_who_hands_on_shadows_nobody() -> None:
    assert findings(first("all"), strategy("behind", when=TMALL), strategy("last")) == []


# ------------------------------------------------------------ nobody's, and what is left over


def test_orders_that_no_strategy_is_for_are_shown() -> None:
    (found,) = findings(strategy("tmall", when=TMALL), strategy("many", when=MANY))
    assert (found.kind, found.strategy) == (FindingKind.FALLS_THROUGH, "")
    assert found.example["order.channel"] != "tmall"
    assert found.example["order.units"] < 5


def test_all_days_of_the_week_are_all_there_are() -> None:
    workdays = when("time.weekday", "between", "1", "5")
    weekend = when("time.weekday", "in", "6", "7")
    assert findings(strategy("a", when=workdays), strategy("b", when=weekend)) == []
    levels = when("order.customer_level", "between", "0", "9")
    assert findings(strategy("levels", when=levels)) == []


def test_what_the_last_strategy_leaves_to_nobody_is_shown() -> None:
    (found,) = findings(first("all"), strategy("tmall", when=TMALL))
    assert (found.kind, found.strategy) == (FindingKind.LEAVES_TO_NOBODY, "all")
    assert found.example["order.channel"] != "tmall"


# -------------------------------------------------------------------------------- no node


def test_a_filter_that_no_node_passes_is_named() -> None:
    stores = first("stores", nodes=is_("node.kind", "store"))
    (found,) = findings(stores, strategy())
    assert (found.kind, found.strategy) == (FindingKind.NO_NODE, "stores")


@pytest.mark.parametrize(
    "condition",
    [
        is_("node.is_same_province", "true"),
        when("node.distance_km", "at_most", "1"),
        is_("node.can_handle", "false"),
        is_("node.is_same_dealer", "true"),
        both(is_("node.kind", "warehouse"), is_("node.is_covered", "false")),
    ],
    ids=lambda condition: " ".join(sorted(attributes_of(condition))),
)
def test_what_depends_on_the_order_may_be_passed(condition: Condition) -> None:
    assert findings(first(nodes=condition), strategy()) == []


def test_a_filter_is_not_blamed_for_the_time_at_which_it_is_looked_at() -> None:
    """The only node is past its cut-off; tomorrow morning it is not."""
    view = network(node(1, region_code=310104, cut_off_minute=60))
    view.look_at(datetime(2026, 11, 26, 20, tzinfo=UTC), NO_FIGURES)
    today = first(nodes=when("node.wait_days", "at_most", "0"))
    assert findings(today, strategy(), view=view) == []


# ---------------------------------------------------------------------------- not decided


def test_too_many_combinations_are_not_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "STEPS_MAX", 100)
    apart = either(*(both(tag, not_(tag)) for tag in seven_tags()))
    assert (FindingKind.NOT_DECIDED, "apart") in kinds(first("apart", when=apart), strategy())


def test_a_policy_of_the_most_strategies_is_looked_at_within_bounds() -> None:
    """Fifty strategies of five attributes each: found out, or given up, in seconds."""
    strategies = [
        first(
            f"s{n}",
            when=both(
                not_(is_("order.type", f"t{n}")),
                when("order.units", "at_least", str(n + 2)),
                when("order.tags", "contains", f"tag{n}"),
                when("order.weight_g", "at_most", str(1_000 * n)),
                when("order.region", "contains", "310000"),
            ),
        )
        for n in range(49)
    ]
    assert {kind for kind, _ in kinds(*strategies, strategy("last"))} <= {FindingKind.NOT_DECIDED}


# -------------------------------------------------------------------------------- at random

TEXTS = ("a", "ab", "another", "~", "x")
TAGS = tuple(f"t{n}" for n in range(7))
NEEDS = ("chilled", "installs")


def sets_of(values: tuple[str, ...]) -> list[frozenset[str]]:
    return [frozenset(some) for n in range(len(values) + 1) for some in combinations(values, n)]


DOMAINS: dict[str, list[Any]] = {
    "order.channel": ["", *TEXTS, "abc", "~~", "annoyed", "x~"],
    "order.units": list(range(1, 9)),
    "order.customer_level": list(range(10)),
    "time.weekday": list(range(1, 8)),
    "order.is_paid": [False, True],
    "order.tags": sets_of(TAGS),
    "order.needs": sets_of(NEEDS),
    "order.needs_installation": [False, True],
    "order.promised_on": [None, *(date(2026, 1, day) for day in range(1, 7))],
}
"""What the attributes of an order may be, as far as the tests below can tell them apart."""


def _is_possible(facts: dict[str, Any]) -> bool:
    if not {"order.needs", "order.needs_installation"} <= facts.keys():
        return True
    return ("installs" in facts["order.needs"]) is facts["order.needs_installation"]


def orders(condition: Condition) -> Iterator[dict[str, Any]]:
    """Yield every order, as far as a condition asks about it."""
    names = sorted(attributes_of(condition))
    for values in product(*(DOMAINS[name] for name in names)):
        facts = dict(zip(names, values, strict=True))
        if _is_possible(facts):
            yield facts


numbers = st.integers(1, 7).map(str)
days = st.integers(1, 6).map(lambda day: f"2026-01-{day:02}")
tests = st.one_of(
    st.builds(is_, st.just("order.channel"), st.sampled_from(TEXTS)),
    st.builds(when, st.just("order.channel"), st.just("starts_with"), st.sampled_from(TEXTS)),
    st.builds(
        when,
        st.sampled_from(["order.units", "order.customer_level", "time.weekday"]),
        st.sampled_from(["at_least", "at_most", "equals"]),
        numbers,
    ),
    st.builds(is_, st.just("order.is_paid"), st.sampled_from(["true", "false"])),
    st.builds(is_, st.just("order.needs_installation"), st.sampled_from(["true", "false"])),
    st.builds(when, st.just("order.tags"), st.just("contains"), st.sampled_from(TAGS)),
    st.builds(when, st.just("order.needs"), st.just("contains"), st.sampled_from(NEEDS)),
    st.builds(when, st.just("order.promised_on"), st.sampled_from(["at_least", "at_most"]), days),
)
conditions = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: both(*parts)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: either(*parts)),
        inner.map(not_),
    ),
    max_leaves=6,
)
narrow = conditions.filter(lambda one: len(attributes_of(one)) <= 3)


@st.composite
def policies(draw: st.DrawFn) -> PolicyDocument:
    whens = draw(st.lists(st.none() | conditions, min_size=1, max_size=4))
    ends = draw(st.lists(st.booleans(), min_size=len(whens), max_size=len(whens)))
    return document(
        *(
            strategy(f"s{n}", when=one, otherwise=Otherwise.HOLD if ends_here else Otherwise.NEXT)
            for n, (one, ends_here) in enumerate(zip(whens, ends, strict=True))
        )
    )


def holds(condition: Condition | None, facts: Any) -> bool:
    return condition is None or compile_condition(condition, ORDER_ATTRIBUTES)(facts)


@settings(max_examples=300)
@given(narrow)
def test_what_is_said_to_match_never_matches_nothing(condition: Condition) -> None:
    found = findings(first("odd", when=condition), strategy())
    never = [one.kind for one in found] == [FindingKind.NEVER_MATCHES]
    assert never is not any(holds(condition, facts) for facts in orders(condition))


@settings(max_examples=300)
@given(policies())
def test_an_example_is_an_order_of_which_it_is_true(policy: PolicyDocument) -> None:
    by_name = {one.name: one for one in policy.strategies}
    for found in findings_of(policy, network()):
        ending = [one for one in policy.strategies if one.otherwise is not Otherwise.NEXT]
        if found.kind is FindingKind.SHADOWED:
            assert holds(by_name[found.strategy].when, found.example)
            taker = next(one for one in ending if holds(one.when, found.example))
            assert f"ends with {taker.name!r}" in found.message
            number = policy.strategies.index(by_name[found.strategy])
            assert policy.strategies.index(taker) < number
        if found.kind is FindingKind.FALLS_THROUGH:
            assert not any(holds(one.when, found.example) for one in policy.strategies)
        if found.kind is FindingKind.LEAVES_TO_NOBODY:
            assert holds(by_name[found.strategy].when, found.example)
            assert not any(holds(one.when, found.example) for one in ending)
