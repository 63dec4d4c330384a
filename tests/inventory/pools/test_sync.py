"""What a platform is told of a shop's number."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.inventory.pools.model import UNITS_MAX, Layout, Sync
from tests.inventory.pools.layouts import share, supply
from tests.inventory.pools.living import Living

units = st.integers(0, UNITS_MAX) | st.integers(0, 20)
policies = st.builds(
    Sync,
    shop=st.just("shop"),
    buffer=units,
    cap=st.none() | units,
    zero_below=units,
    minimum_change=units.map(lambda most: max(1, most)),
)


@pytest.mark.parametrize(
    ("policy", "number", "shown"),
    [
        ({}, 7, 7),
        ({"buffer": 3}, 7, 4),
        ({"buffer": 3}, 2, 0),
        ({"cap": 5}, 7, 5),
        ({"cap": 0}, 7, 0),
        ({"zero_below": 7}, 7, 7),
        ({"zero_below": 8}, 7, 0),
        ({"buffer": 1, "zero_below": 7}, 7, 0),
        ({"buffer": 1, "zero_below": 6, "cap": 2}, 7, 2),
        ({"zero_below": 5, "cap": 3}, 7, 3),
    ],
)
def test_the_buffer_comes_off_first_then_what_is_too_little_then_what_is_too_much(
    policy: dict[str, Any], number: int, shown: int
) -> None:
    assert Sync(shop="shop", **policy).shown(number) == shown


@given(policies, units, units)
def test_more_stock_never_shows_less(policy: Sync, one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert policy.shown(less) <= policy.shown(more)


@given(policies, units)
def test_no_more_is_shown_than_there_is_after_the_buffer(policy: Sync, number: int) -> None:
    assert 0 <= policy.shown(number) <= max(0, number - policy.buffer)
    assert policy.cap is None or policy.shown(number) <= policy.cap


@given(policies, units)
def test_nothing_is_shown_where_too_little_is_left(policy: Sync, number: int) -> None:
    if number - policy.buffer < policy.zero_below:
        assert policy.shown(number) == 0


@given(policies, units, units)
def test_a_change_to_or_from_nothing_is_sent_however_small(
    policy: Sync, number: int, other: int
) -> None:
    assert policy.is_worth_sending(None, number)
    assert not policy.is_worth_sending(number, number)
    assert policy.is_worth_sending(0, max(1, number))
    assert policy.is_worth_sending(max(1, number), 0)


@pytest.mark.parametrize(
    ("shown", "wanted", "is_sent"),
    [(10, 12, False), (10, 13, True), (10, 8, False), (10, 7, True), (1, 2, False), (0, 1, True)],
)
def test_a_small_change_is_kept_back(shown: int, wanted: int, is_sent: bool) -> None:
    assert Sync(shop="shop", minimum_change=3).is_worth_sending(shown, wanted) is is_sent


async def test_each_shop_is_shown_by_its_own_policy(live: Living) -> None:
    await live.lay_out(
        Layout(
            pools=(supply("all", "wh"),),
            shares=(share("all", "shop"), share("all", "dshop")),
            syncs=(Sync(shop="shop", buffer=3, cap=5),),
        )
    )
    assert live.pools is not None
    assert [live.pools.shown("shop", number) for number in (2, 7, 9)] == [0, 4, 5]
    assert [live.pools.shown("dshop", number) for number in (2, 7, 9)] == [2, 7, 9]
