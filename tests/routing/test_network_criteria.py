"""Criteria of what is agreed in the network, and of goods: each as it was worked out by hand.

A policy of one criterion makes its value the cost of a plan.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pytest

from backend.network.model import Capability, ChannelTerms, DealerTerms, Lane, Node, NodeKind
from backend.network.terms import NetworkTerms
from backend.routing.goods_needs import Need
from backend.routing.network_view import NO_FIGURES, Figures
from tests.routing.small_worlds import (
    CITY,
    DISTRICT,
    HERE,
    ONE_DEGREE_EAST,
    PROVINCE,
    SmallWorld,
    lane,
    node,
    policy,
    request,
    terms,
)

PLENTY = 10_000
THURSDAY = datetime(2026, 11, 26, 10, 0)
DEALER = 7


def cost_at(
    only: Node,
    criterion: str,
    agreed: NetworkTerms | None = None,
    *,
    local: datetime | None = None,
    figures: Figures = NO_FIGURES,
    units: Mapping[int, int] | None = None,
    **order: Any,
) -> int:
    """Return what an order of one unit (by default) costs from the one node there is."""
    wanted = units or {1: 1}
    stock = {10 * only.id: dict.fromkeys(wanted, PLENTY)}
    world = SmallWorld([only], stock, policy(criterion), terms=agreed, local=local, figures=figures)
    return world.cost(request(wanted, **order))


# ------------------------------------------------------------------------------------- lanes


@pytest.mark.parametrize(
    ("grams", "minor"),
    [(1, 800), (1_000, 800), (1_001, 1_000), (2_000, 1_000), (2_001, 1_200), (10_000, 2_600)],
)
def test_freight_of_a_lane_is_the_first_weight_and_each_further_one(grams: int, minor: int) -> None:
    assert cost_at(node(1), "freight", terms(lane()), grams=grams) == minor


@pytest.mark.parametrize(
    ("step_g", "grams", "minor"),
    [
        (500, 1_000, 800 + 200),
        (500, 2_000, 800 + 3 * 200),
        (100, 1_000, 800 + 9 * 200),
        (100, 3_000, 800 + 29 * 200),
        (2_000, 1_000, 800),
        (2_000, 3_000, 800 + 200),
        (2_000, 5_000, 800 + 2 * 200),
    ],
)
def test_freight_of_other_steps_is_what_the_carrier_charges(
    step_g: int, grams: int, minor: int
) -> None:
    by_steps = lane(step_g=step_g)
    assert by_steps.charge_minor(grams) == minor
    assert cost_at(node(1), "freight", terms(by_steps), grams=grams) == minor


def test_freight_of_a_lane_beyond_all_bounds_is_as_bad_as_can_be() -> None:
    dear = lane(base_minor=10**9, step_minor=10**9, step_g=1)
    assert cost_at(node(1), "freight", terms(dear), grams=1_000) == 2**20 - 1


ALL_LANES = (
    lane(region_code=PROVINCE, base_minor=300),
    lane(region_code=CITY, base_minor=500),
    lane(region_code=DISTRICT, base_minor=700),
)


@pytest.mark.parametrize(
    ("listed", "region_code", "minor"),
    [
        (ALL_LANES, DISTRICT, 700),
        (ALL_LANES, CITY, 500),
        (ALL_LANES, PROVINCE, 300),
        (ALL_LANES[:2], DISTRICT, 500),
        (ALL_LANES[:1], DISTRICT, 300),
    ],
)
def test_of_a_carrier_the_most_specific_region_counts(
    listed: tuple[Lane, ...], region_code: int, minor: int
) -> None:
    """Though it be dearer; a district's lane says nothing of its city."""
    there = cost_at(node(1), "freight", terms(*listed), grams=1_000, region_code=region_code)
    assert there == minor


def test_of_several_carriers_the_cheapest_counts() -> None:
    """Each by its own most specific region: "yto" is cheaper to the district than "sf"."""
    agreed = terms(
        lane(region_code=DISTRICT, base_minor=700, transit_minutes=60),
        lane(region_code=PROVINCE, carrier="yto", base_minor=600, transit_minutes=900),
    )
    assert cost_at(node(1), "freight", agreed, grams=1_000, region_code=DISTRICT) == 600
    assert cost_at(node(1), "transit_time", agreed, region_code=DISTRICT) == 900


def test_of_carriers_as_cheap_the_faster_one_counts() -> None:
    agreed = terms(lane(transit_minutes=900), lane(carrier="yto", transit_minutes=600))
    assert cost_at(node(1), "transit_time", agreed) == 600


def test_carriers_are_compared_by_a_kilogram() -> None:
    """10.00 whatever it weighs is dearer for the first one than 8.00, and 2.00 for each further."""
    agreed = terms(lane(), lane(carrier="flat", base_minor=1_000, step_minor=0))
    assert cost_at(node(1), "freight", agreed, grams=5_000) == 800 + 4 * 200


@pytest.mark.parametrize(("metres", "minutes"), [(0, 30), (999, 30), (250_999, 30 + 250)])
def test_without_a_lane_a_parcel_goes_by_the_road(metres: int, minutes: int) -> None:
    assert cost_at(node(1, metres), "transit_time") == minutes
    elsewhere = terms(lane(region_code=ONE_DEGREE_EAST))
    assert cost_at(node(1, metres), "transit_time", elsewhere) == minutes


def test_transit_time_is_that_of_the_lane_up_to_a_month_and_a_half() -> None:
    assert cost_at(node(1, 900_000), "transit_time", terms(lane(transit_minutes=45))) == 45
    assert cost_at(node(1), "transit_time", terms(lane(transit_minutes=100_000))) == 65_535


def test_lead_time_is_that_of_the_node_and_the_lane() -> None:
    slow = node(1, 900_000, lead_time_minutes=120)
    assert cost_at(slow, "lead_time", terms(lane(transit_minutes=45))) == 165


@pytest.mark.parametrize(
    ("listed", "uncovered"),
    [
        ((), 0),
        ((lane(),), 0),
        ((lane(region_code=ONE_DEGREE_EAST),), 1),
        ((lane(node_id=2),), 0),
    ],
    ids=["no lanes at all", "a lane there", "a lane elsewhere", "lanes of another node"],
)
def test_a_node_with_carriers_covers_where_they_go(
    listed: tuple[Lane, ...], uncovered: int
) -> None:
    assert cost_at(node(1), "carrier_coverage", terms(*listed)) == uncovered


def test_a_lane_to_the_province_covers_its_districts() -> None:
    to_province = terms(lane(region_code=PROVINCE))
    assert cost_at(node(1), "carrier_coverage", to_province, region_code=DISTRICT) == 0
    to_district = terms(lane(region_code=DISTRICT))
    assert cost_at(node(1), "carrier_coverage", to_district, region_code=PROVINCE) == 1


# ------------------------------------------------------------------------ when it dispatches


@pytest.mark.parametrize(
    ("hour", "minute", "days"), [(9, 59, 0), (15, 59, 0), (16, 0, 1), (23, 59, 1)]
)
def test_after_its_cut_off_a_node_dispatches_tomorrow(hour: int, minute: int, days: int) -> None:
    until_four = node(1, cut_off_minute=16 * 60)
    local = THURSDAY.replace(hour=hour, minute=minute)
    assert cost_at(until_four, "cut_off", local=local) == days
    assert cost_at(node(1), "cut_off", local=local) == 0


@pytest.mark.parametrize(
    ("day", "hour", "days"),
    [(26, 10, 0), (27, 10, 0), (27, 17, 3), (28, 10, 2), (29, 10, 1), (29, 17, 1), (30, 10, 0)],
    ids=["Thu", "Fri", "Fri late", "Sat", "Sun", "Sun late", "Mon"],
)
def test_a_node_dispatches_on_its_working_days(day: int, hour: int, days: int) -> None:
    """Monday to Friday, until 16:00."""
    weekdays = node(1, cut_off_minute=960, working_days=0b0011111)
    assert cost_at(weekdays, "cut_off", local=datetime(2026, 11, day, hour)) == days


def test_a_node_does_not_dispatch_while_it_is_closed() -> None:
    """From Thursday to Sunday, and Monday is no working day: on Tuesday."""
    closed = frozenset(date(2026, 11, day) for day in (26, 27, 28, 29))
    agreed = terms(closed_days={1: closed})
    assert cost_at(node(1, working_days=0b1111110), "cut_off", agreed, local=THURSDAY) == 5
    assert cost_at(node(2), "cut_off", agreed, local=THURSDAY) == 0


def test_who_never_works_waits_sixty_days() -> None:
    assert cost_at(node(1, working_days=0), "cut_off", local=THURSDAY) == 60
    assert cost_at(node(1, working_days=0), "cut_off") == 0


# ----------------------------------------------------------------------------- promised date


@pytest.mark.parametrize(
    ("promised", "late"),
    [(None, 0), (date(2026, 12, 1), 0), (date(2026, 11, 27), 0), (date(2026, 11, 26), 1)],
)
def test_promised_date_counts_days_too_late(promised: date | None, late: int) -> None:
    """10:00, two hours in the node, 20 hours on the road: Friday, 8:00."""
    slow = node(1, lead_time_minutes=120)
    agreed = terms(lane(transit_minutes=20 * 60))
    order: dict[str, Any] = {"promised_on": promised}
    assert cost_at(slow, "promised_date", agreed, local=THURSDAY, **order) == late


def test_promised_date_waits_for_the_working_day() -> None:
    """Friday 17:00 leaves on Monday at 8:00 and comes at 20:00; promised was Saturday."""
    weekdays = node(1, cut_off_minute=960, working_days=0b0011111)
    agreed = terms(lane(transit_minutes=720))
    friday, saturday = datetime(2026, 11, 27, 17), date(2026, 11, 28)
    assert cost_at(weekdays, "promised_date", agreed, local=friday, promised_on=saturday) == 2


def test_promised_date_has_a_limit_and_needs_to_know_the_day() -> None:
    long_ago: dict[str, Any] = {"promised_on": date(2026, 1, 1)}
    assert cost_at(node(1), "promised_date", local=THURSDAY, **long_ago) == 60
    assert cost_at(node(1), "promised_date", **long_ago) == 0


def test_the_day_goes_on_for_a_planner_that_was_made_in_the_morning() -> None:
    """12 hours on the road: given at 10:00 it comes today, given at 13:00 tomorrow."""
    agreed, order = terms(lane(transit_minutes=720)), request({1: 1}, promised_on=THURSDAY.date())
    world = SmallWorld(
        [node(1)], {10: {1: 9}}, policy("promised_date"), terms=agreed, local=THURSDAY
    )
    assert world.cost(order) == 0
    world.planner.look_at(THURSDAY.replace(hour=13), NO_FIGURES)
    assert world.cost(order) == 1


# --------------------------------------------------------------------------------- provinces


@pytest.mark.parametrize(
    ("of_node", "of_order", "value"),
    [
        (DISTRICT, PROVINCE, 0),
        (CITY, DISTRICT, 0),
        (HERE, DISTRICT, 1),
        (DISTRICT, HERE, 1),
    ],
)
def test_cross_region_tells_provinces_apart(of_node: int, of_order: int, value: int) -> None:
    there = node(1, region_code=of_node)
    assert cost_at(there, "cross_region", region_code=of_order) == value
    assert cost_at(there, "region_reserve", region_code=of_order) == 0
    keeps = node(1, region_code=of_node, keeps_for_region=True)
    assert cost_at(keeps, "region_reserve", region_code=of_order) == value


def test_region_reserve_counts_the_units_that_leave() -> None:
    keeps = node(1, region_code=DISTRICT, keeps_for_region=True)
    assert cost_at(keeps, "region_reserve", units={1: 2, 2: 3}) == 5


def test_region_reserve_has_a_limit() -> None:
    keeps = node(1, region_code=DISTRICT, keeps_for_region=True)
    assert cost_at(keeps, "region_reserve", units=dict.fromkeys(range(1, 9), 9999)) == 65_535


@pytest.mark.parametrize(
    ("of_node", "subsidy", "outside"),
    [
        (DISTRICT, PROVINCE, 0),
        (DISTRICT, CITY, 0),
        (CITY, DISTRICT, 1),
        (HERE, PROVINCE, 1),
        (HERE, None, 0),
    ],
)
def test_subsidy_region_wants_the_node_inside(
    of_node: int, subsidy: int | None, outside: int
) -> None:
    there = node(1, region_code=of_node)
    assert cost_at(there, "subsidy_region", subsidy_region=subsidy) == outside


# ------------------------------------------------------------------------ dealers and channels


def of_dealer(**agreed: Any) -> NetworkTerms:
    return terms(dealers={DEALER: DealerTerms(dealer_id=DEALER, **agreed)})


DEALERS = node(1, dealer_id=DEALER, kind=NodeKind.DEALER)


@pytest.mark.parametrize(
    ("where", "agreed", "fee"),
    [
        (DEALERS, of_dealer(service_fee_minor=1_500), 1_500),
        (DEALERS, of_dealer(service_fee_minor=10**9), 2**24 - 1),
        (DEALERS, terms(), 0),
        (DEALERS, None, 0),
        (node(1), of_dealer(service_fee_minor=1_500), 0),
        (node(1, dealer_id=8), of_dealer(service_fee_minor=1_500), 0),
    ],
)
def test_dealer_margin_is_what_the_dealer_gets_for_a_parcel(
    where: Node, agreed: NetworkTerms | None, fee: int
) -> None:
    assert cost_at(where, "dealer_margin", agreed) == fee


@pytest.mark.parametrize(
    ("where", "agreed", "short_bp"),
    [
        (DEALERS, of_dealer(performance_bp=9_750), 250),
        (DEALERS, of_dealer(performance_bp=0), 10_000),
        (DEALERS, of_dealer(), 0),
        (DEALERS, None, 0),
        (node(1), of_dealer(performance_bp=9_750), 0),
    ],
)
def test_dealer_performance_is_what_lacks_to_perfection(
    where: Node, agreed: NetworkTerms | None, short_bp: int
) -> None:
    assert cost_at(where, "dealer_performance", agreed) == short_bp


@pytest.mark.parametrize(
    ("where", "territory", "outside"),
    [
        (DEALERS, (PROVINCE,), 0),
        (DEALERS, (CITY, HERE), 0),
        (DEALERS, (HERE,), 1),
        (DEALERS, (), 0),
        (node(1), (HERE,), 0),
    ],
)
def test_dealer_territory_is_where_the_dealer_sends(
    where: Node, territory: tuple[int, ...], outside: int
) -> None:
    agreed = of_dealer(territory=territory)
    assert cost_at(where, "dealer_territory", agreed, region_code=DISTRICT) == outside


def test_a_territory_of_a_district_is_not_all_of_its_city() -> None:
    agreed = of_dealer(territory=(DISTRICT,))
    assert cost_at(DEALERS, "dealer_territory", agreed, region_code=CITY) == 1


@pytest.mark.parametrize(
    ("kind", "channel", "bp"),
    [(NodeKind.STORE, "tmall", 300), (NodeKind.WAREHOUSE, "tmall", 0), (NodeKind.STORE, "jd", 0)],
)
def test_channel_commission_is_by_channel_and_kind(kind: NodeKind, channel: str, bp: int) -> None:
    store = ChannelTerms(channel="tmall", node_kind=NodeKind.STORE, commission_bp=300)
    agreed = terms(channels={("tmall", NodeKind.STORE): store})
    assert cost_at(node(1, kind=kind), "channel_commission", agreed, channel=channel) == bp
    assert cost_at(node(1, kind=kind), "channel_commission", channel=channel) == 0


# --------------------------------------------------------------------------------- the node


@pytest.mark.parametrize(
    ("kind", "rank"),
    list(zip(("warehouse", "third_party", "dealer", "store", "platform"), range(5), strict=True)),
)
def test_node_kind_ranks_warehouses_first(kind: str, rank: int) -> None:
    assert cost_at(node(1, kind=NodeKind(kind)), "node_kind") == rank


@pytest.mark.parametrize(("minor", "value"), [(0, 0), (350, 350), (10**9, 2**24 - 1)])
def test_handling_is_what_the_node_says(minor: int, value: int) -> None:
    assert cost_at(node(1, handling_minor=minor), "handling", units={1: 3, 2: 4}) == value


@pytest.mark.parametrize(
    ("level", "service", "short"), [(0, 0, 0), (5, 0, 5), (5, 3, 2), (5, 9, 0), (9, 0, 9)]
)
def test_customer_level_is_by_how_much_the_service_falls_short(
    level: int, service: int, short: int
) -> None:
    there = node(1, service_level=service)
    assert cost_at(there, "customer_level", customer_level=level) == short


@pytest.mark.parametrize(("accuracy", "missing"), [({1: 9_200}, 800), ({2: 9_200}, 0), ({}, 0)])
def test_reject_rate_is_what_was_not_found(accuracy: dict[int, int], missing: int) -> None:
    assert cost_at(node(1), "reject_rate", figures=Figures(accuracy_bp=accuracy)) == missing


@pytest.mark.parametrize(("joins", "value"), [((), 0), ((1,), 0), ((2,), 1), ((1, 2), 0)])
def test_consolidation_joins_what_is_sent_already(joins: tuple[int, ...], value: int) -> None:
    assert cost_at(node(1), "consolidation", joins=frozenset(joins)) == value


@pytest.mark.parametrize(
    ("metres", "grams", "co2_g"),
    [
        (0, 5_000, 0),
        (100_000, 1_000, 10),
        (100_000, 1_001, 20),
        (1_500_000, 20_000, 150 * 20),
        (15_000_000, 900_000, 2**20 - 1),
    ],
)
def test_carbon_is_a_tenth_of_a_gram_a_kilogram_and_kilometre(
    metres: int, grams: int, co2_g: int
) -> None:
    assert cost_at(node(1, metres), "carbon", grams=grams) == co2_g


@pytest.mark.parametrize(
    ("grams", "boxes"), [(1, 1), (30_000, 1), (30_001, 2), (90_000, 3), (31_000_000, 1_023)]
)
def test_parcels_are_boxes_of_thirty_kilograms(grams: int, boxes: int) -> None:
    assert cost_at(node(1), "parcels", grams=grams) == boxes


def test_boxes_are_counted_node_by_node() -> None:
    """40 kg from one node are two boxes, and so are 20 kg from each of two."""
    stock = {10: {1: 9}, 20: {2: 9}}
    world = SmallWorld([node(1), node(2)], stock, policy("parcels"))
    assert world.cost(request({1: 2}, grams=20_000)) == 2
    assert world.cost(request({1: 1, 2: 1}, grams=20_000)) == 2


# ----------------------------------------------------------------------------------- goods

MET_BY = {
    "oversize": (Need.OVERSIZE, Capability.OVERSIZE),
    "dangerous_goods": (Need.DANGEROUS, Capability.DANGEROUS),
    "installation_service": (Need.INSTALLS, Capability.INSTALLS),
    "temperature": (Need.FROZEN, Capability.FROZEN),
}


@pytest.mark.parametrize("criterion", MET_BY)
def test_what_goods_need_counts_by_the_unit(criterion: str) -> None:
    need, capability = MET_BY[criterion]
    units, able = {1: 2, 2: 3}, node(1, capabilities=frozenset({capability}))
    assert cost_at(node(1), criterion, units=units, needs=need) == 5
    assert cost_at(able, criterion, units=units, needs=need) == 0
    assert cost_at(node(1), criterion, units=units) == 0
    assert cost_at(node(1), criterion, units={1: 2_000}, needs=need) == 1_023


@pytest.mark.parametrize("criterion", MET_BY)
def test_what_goods_need_otherwise_does_not_count(criterion: str) -> None:
    need, _ = MET_BY[criterion]
    others = sum(Need) & ~need & ~(Need.CHILLED if criterion == "temperature" else 0)
    assert cost_at(node(1), criterion, needs=others) == 0


def test_temperature_wants_the_right_one() -> None:
    chilled = node(1, capabilities=frozenset({Capability.CHILLED}))
    assert cost_at(chilled, "temperature", units={1: 4}, needs=Need.CHILLED) == 0
    assert cost_at(chilled, "temperature", units={1: 4}, needs=Need.FROZEN) == 4
    assert cost_at(chilled, "temperature", units={1: 4}, needs=Need.CHILLED | Need.FROZEN) == 4


PRICES = Figures(price_minor={1: {1: 250}, 2: {1: 10**9, 2: 40}})


@pytest.mark.parametrize(
    ("units", "minor"),
    [({1: 1}, 250), ({1: 3}, 750), ({3: 5}, 0), ({1: 1, 3: 1}, 250), ({2: 1}, 2**24 - 1)],
)
def test_opportunity_cost_is_what_each_unit_is_worth_there(
    units: dict[int, int], minor: int
) -> None:
    assert cost_at(node(1), "opportunity_cost", figures=PRICES, units=units) == minor


def test_what_is_worth_nothing_at_a_node_costs_nothing_there() -> None:
    assert cost_at(node(2), "opportunity_cost", figures=PRICES) == 0


AGES = Figures(age_days={1: {1: 30, 2: 400}, 2: {2: 1}})


@pytest.mark.parametrize(
    ("where", "units", "lacks"),
    [
        (1, {1: 1}, 60),
        (1, {1: 2}, 120),
        (2, {1: 5}, 0),
        (3, {1: 1}, 90),
        (1, {3: 9}, 0),
        (1, {1: 1, 2: 1}, 60 + 90),
        (1, {1: 2_000}, 65_535),
    ],
    ids=["30 days", "two units", "long ago", "new there", "unknown", "two SKUs", "limit"],
)
def test_stock_age_is_days_that_lack_to_ninety(
    where: int, units: dict[int, int], lacks: int
) -> None:
    assert cost_at(node(where), "stock_age", figures=AGES, units=units) == lacks


def test_other_prices_are_heard_of() -> None:
    world = SmallWorld(
        [node(1)], {10: {1: 9}}, policy("opportunity_cost"), local=THURSDAY, figures=PRICES
    )
    assert world.cost(request({1: 1})) == 250
    world.planner.look_at(THURSDAY, Figures(price_minor={1: {1: 90}}))
    assert world.cost(request({1: 1})) == 90
