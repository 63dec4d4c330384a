"""When a parcel arrives: over cut-offs, weekends and closed days; and which province is which."""

from datetime import date, datetime
from typing import Any

import pytest

from backend.network.model import Node
from backend.network.terms import NetworkTerms
from backend.routing.delivery import Delivery
from tests.routing.small_worlds import (
    CITY,
    DISTRICT,
    HERE,
    ONE_DEGREE_EAST,
    PROVINCE,
    REGIONS,
    lane,
    node,
    terms,
)

DAY_MINUTES = 24 * 60


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a time in November 2026, of which the 26th is a Thursday."""
    return datetime(2026, 11, day, hour, minute)


def arrives(
    local: datetime, agreed: NetworkTerms | None = None, metres: int = 0, **changes: Any
) -> date:
    """Return when a parcel of a node arrives HERE."""
    there: Node = node(1, metres, **changes)
    (arrival,) = Delivery([there], REGIONS, agreed, local).arrivals(HERE, [metres])
    return arrival


WEEKDAYS = {"cut_off_minute": 16 * 60, "working_days": 0b0011111}


@pytest.mark.parametrize(
    ("local", "minutes", "day"),
    [
        (at(26, 10), 13 * 60 + 59, 26),
        (at(26, 10), 14 * 60, 27),
        (at(26, 15, 59), 8 * 60, 26),
        (at(26, 16), 8 * 60, 27),
        (at(26, 16), 16 * 60 - 1, 27),
        (at(26, 16), 16 * 60, 28),
        (at(27, 16), 60, 30),
        (at(28, 9), 60, 30),
        (at(29, 23, 59), 60, 30),
        (at(26, 10), 3 * DAY_MINUTES, 29),
    ],
    ids=[
        "today",
        "at midnight",
        "before the cut-off",
        "at the cut-off",
        "from 8:00 of the next day",
        "from 8:00 over midnight",
        "after the cut-off of Friday",
        "Saturday",
        "Sunday night",
        "roads know no weekend",
    ],
)
def test_a_parcel_leaves_when_its_node_works(local: datetime, minutes: int, day: int) -> None:
    agreed = terms(lane(transit_minutes=minutes))
    assert arrives(local, agreed, **WEEKDAYS) == date(2026, 11, day)


def test_a_node_that_is_closed_sends_when_it_opens() -> None:
    """Closed on Friday; the weekend is none of its working days either."""
    agreed = terms(lane(transit_minutes=60), closed_days={1: frozenset({date(2026, 11, 27)})})
    assert arrives(at(26, 17), agreed, **WEEKDAYS) == date(2026, 11, 30)
    assert arrives(at(26, 10), agreed, **WEEKDAYS) == date(2026, 11, 26)


def test_the_time_that_a_node_takes_counts() -> None:
    """22:00, an hour in the node, an hour and a minute on the road."""
    agreed = terms(lane(transit_minutes=61))
    assert arrives(at(26, 22), agreed, lead_time_minutes=60) == date(2026, 11, 27)
    assert arrives(at(26, 22), agreed) == date(2026, 11, 26)


def test_without_lanes_it_goes_by_the_road() -> None:
    """300 km are 330 minutes: from 18:30 on it is midnight."""
    assert arrives(at(26, 18, 29), metres=300_000) == date(2026, 11, 26)
    assert arrives(at(26, 18, 30), metres=300_000) == date(2026, 11, 27)


def test_waiting_days_are_of_each_node() -> None:
    nodes = [node(1), node(2, **WEEKDAYS), node(3, working_days=0)]
    assert Delivery(nodes, REGIONS, None, at(28, 9)).wait_days == [0, 2, 60]
    assert Delivery(nodes, REGIONS, None, None).wait_days == [0, 0, 0]


@pytest.mark.parametrize(
    ("region_code", "province"),
    [(DISTRICT, PROVINCE), (CITY, PROVINCE), (PROVINCE, PROVINCE), (HERE, HERE), (999, 999)],
)
def test_a_region_lies_in_its_province_or_is_one(region_code: int, province: int) -> None:
    assert Delivery([], REGIONS, None, None).province_of(region_code) == province


def test_lanes_are_found_node_by_node() -> None:
    agreed = terms(lane(2), lane(1, DISTRICT), lane(1, PROVINCE, carrier="yto"))
    delivery = Delivery([node(1), node(2), node(3)], REGIONS, agreed, None)
    assert [found and found.carrier for found in delivery.lanes(HERE)] == [None, "sf", None]
    assert [found and found.carrier for found in delivery.lanes(CITY)] == ["yto", None, None]
    assert [delivery.has_lanes(index) for index in range(3)] == [True, True, False]
    assert delivery.lanes(ONE_DEGREE_EAST) == [None, None, None]
