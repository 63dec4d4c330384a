"""The two plays: a minute for every day, and a promotion day in ten minutes."""

from typing import NamedTuple

from loadtests.locust.brand_set import SALE_SKU
from loadtests.locust.curve import PROMOTION_DAY, STEADY, Stage
from loadtests.locust.scenario import Sale
from loadtests.locust.thresholds import DAY, MINUTE, Thresholds


class Play(NamedTuple):
    """What is played, and what it must keep to."""

    name: str
    stages: tuple[Stage, ...]
    minutes: float
    normal_users: int
    arrivals_per_second: float
    sale: Sale
    thresholds: Thresholds


MINUTE_PLAY = Play(
    name="a minute",
    stages=STEADY,
    minutes=1.0,
    normal_users=110,
    arrivals_per_second=6,
    sale=Sale(sku=SALE_SKU, units=40, buyers=100, minute=0.6),
    thresholds=MINUTE,
)
DAY_PLAY = Play(
    name="a promotion day in ten minutes",
    stages=PROMOTION_DAY,
    minutes=10.0,
    normal_users=11,
    arrivals_per_second=8,
    sale=Sale(sku=SALE_SKU, units=100, buyers=300, minute=5.0),
    thresholds=DAY,
)
