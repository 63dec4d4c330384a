"""How many people are at work when: a table of (minute, multiple of normal)."""

from collections.abc import Sequence
from typing import NamedTuple


class Stage(NamedTuple):
    """From this minute of the run on, so many times the normal number of users."""

    minute: float
    multiple: float
    meaning: str


STEADY = (Stage(0, 1, "an ordinary hour"),)

PROMOTION_DAY = (
    Stage(0.0, 1, "morning: an ordinary day so far"),
    Stage(2.0, 2, "afternoon: carts are filled"),
    Stage(3.0, 4, "19:00, the warm-up of the pre-sale: people log in and look"),
    Stage(4.0, 8, "19:50, who wants something is there"),
    Stage(5.0, 20, "20:00, the sale opens, and with it the flash sale"),
    Stage(6.0, 12, "20:30"),
    Stage(6.5, 6, "22:00"),
    Stage(7.5, 16, "00:00, the day itself begins: the second opening"),
    Stage(8.25, 8, "00:30"),
    Stage(9.0, 3, "the night and the next morning"),
    Stage(9.5, 1, "an ordinary day again"),
)
"""A promotion day and its eve in ten minutes.

Where it comes from: on 11 November 2020 the parcels of China were 675 million by the count of the
State Post Bureau, against some 230 million on an ordinary day of that year: three times. Orders
come in far steeper than parcels leave, because a sale opens at one moment (20:00 on the eve since
2021, 00:00 before), and the first minutes take many times their share of the day. That the peak is
20 times the normal is our choice for it; so are the steps in between.
"""


def multiple_at(stages: Sequence[Stage], minute: float) -> float:
    """Return the multiple of normal in a minute of the run: that of the last stage begun."""
    begun = [stage for stage in stages if stage.minute <= minute]
    return begun[-1].multiple if begun else 0.0


def users_at(stages: Sequence[Stage], normal: int, minute: float) -> int:
    """Return how many users are at work in a minute of the run."""
    return round(normal * multiple_at(stages, minute))
