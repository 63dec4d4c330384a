"""The shape of the load."""

import pytest

from loadtests.locust.curve import PROMOTION_DAY, STEADY, Stage, multiple_at, users_at
from loadtests.locust.plays import DAY_PLAY, MINUTE_PLAY, Play

PEAK = 20


def test_a_stage_holds_until_the_next_one() -> None:
    stages = (Stage(0, 1, "a"), Stage(2, 5, "b"), Stage(3, 2, "c"))
    minutes = (0, 1.99, 2, 2.99, 3, 100)
    assert [multiple_at(stages, minute) for minute in minutes] == [1, 1, 5, 5, 2, 2]


def test_nobody_is_there_before_the_first_stage() -> None:
    assert multiple_at((Stage(1, 3, "late"),), 0.5) == 0
    assert users_at((Stage(1, 3, "late"),), 10, 0.5) == 0


def test_users_are_whole_people() -> None:
    assert users_at((Stage(0, 2.5, "some"),), 3, 0) == 8


def test_a_promotion_day_has_its_peak_when_the_sale_opens() -> None:
    sale = DAY_PLAY.sale.minute
    multiples = [stage.multiple for stage in PROMOTION_DAY]
    assert max(multiples) == PEAK == multiple_at(PROMOTION_DAY, sale)
    assert multiple_at(PROMOTION_DAY, sale - 0.01) < PEAK
    before = [stage.multiple for stage in PROMOTION_DAY if stage.minute <= sale]
    assert before == sorted(before)
    assert multiples[0] == multiples[-1] == 1


def test_an_ordinary_hour_is_flat() -> None:
    assert {multiple_at(STEADY, minute / 10) for minute in range(10)} == {1}


@pytest.mark.parametrize("play", [MINUTE_PLAY, DAY_PLAY], ids=lambda play: play.name)
def test_a_play_fits_together(play: Play) -> None:
    minutes = [stage.minute for stage in play.stages]
    assert minutes == sorted(set(minutes))
    assert minutes[0] == 0
    assert minutes[-1] < play.minutes
    assert all(stage.meaning for stage in play.stages)
    assert 0 < play.sale.minute < play.minutes
    assert play.sale.units < play.sale.buyers
