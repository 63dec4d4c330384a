"""Which numbers to push first where a channel takes fewer calls than there are numbers.

What a wrong number costs until it is pushed, in integers:

    risk = weight × expected × gap ÷ base

    expected = (velocity + VELOCITY_LEAST) × (HORIZON_SECONDS + staleness)
    staleness = min(since, STALENESS_SECONDS_MAX)

                            gap               base      weight
    overselling  wanted < shown   shown − wanted    shown     OVERSELLING, or SOLD_OUT at wanted = 0
    underselling wanted > shown   wanted − shown    wanted    UNDERSELLING

`expected` is what will probably be sold before it is put right: the longer it was wrong, the worse
the channel treats us, and the longer it may go on. `gap ÷ base` is the share of those sales that
goes wrong: of `shown` units on sale, `shown − wanted` are not there; of `wanted` units that could
be sold, `wanted − shown` are not offered. It grows with the gap, and shrinks the more there is.

A channel that was never heard of is taken to show twice what it should; one that was found to show
something else than it acknowledged is at least as risky.
"""

from collections.abc import Iterable
from typing import NamedTuple

HORIZON_SECONDS = 900
"""How long a number waits that is not pushed now: a quarter of an hour, one slow round."""
STALENESS_SECONDS_MAX = 3_600
"""After an hour a number is as stale as it gets; ties are by age beyond it."""
VELOCITY_LEAST = 100
"""Thousandths of a unit a day. What was never sold yet can still be sold."""
UNDERSELLING = 1
OVERSELLING = 4
"""A sale that cannot be served costs refund, penalty and customer; a missed one its margin."""
SOLD_OUT = OVERSELLING * (HORIZON_SECONDS + STALENESS_SECONDS_MAX) // HORIZON_SECONDS
"""So much that, at equal velocity, no staleness puts another number before a sold-out one."""
RISK_SCALE = 1_000_000
"""Keeps what the division would round away: shares down to a millionth."""
QUANTITY_MAX = 2**31 - 1
VELOCITY_MAX = 10**12
"""Thousandths of a unit a day: a thousand million units."""
SINCE_SECONDS_MAX = 10**9
"""Thirty years; more is a mistake in units."""
PENDING_MAX = 1_000_000
"""Numbers ordered at a time: a few seconds' work, and ten times the listings of a large shop."""


class Pending(NamedTuple):
    """A number that a channel shows, or may show, otherwise than it should."""

    shop: str
    sku: str
    shown: int | None
    """What the channel last acknowledged; None if it never did."""
    wanted: int
    units_per_day_milli: int
    """Thousandths of a unit sold a day, on this channel."""
    since_seconds: int
    """How long ago the number first differed."""
    is_drifted: bool = False
    """Whether the channel was found to show something else than it acknowledged."""


def risk(number: Pending) -> int:
    """Return what it costs not to push a number now; comparable, 0 if there is nothing to push."""
    assert number.shown is None or 0 <= number.shown <= QUANTITY_MAX
    assert 0 <= number.wanted <= QUANTITY_MAX
    assert 0 <= number.units_per_day_milli <= VELOCITY_MAX
    assert 0 <= number.since_seconds <= SINCE_SECONDS_MAX
    unknown = 2 * number.wanted or 1
    if number.shown is None:
        return _risk(number, unknown)
    acknowledged = _risk(number, number.shown)
    return max(acknowledged, _risk(number, unknown)) if number.is_drifted else acknowledged


def _risk(number: Pending, shown: int) -> int:
    wanted = number.wanted
    if shown == wanted:
        return 0
    staleness = min(number.since_seconds, STALENESS_SECONDS_MAX)
    expected = (number.units_per_day_milli + VELOCITY_LEAST) * (HORIZON_SECONDS + staleness)
    overselling = OVERSELLING if wanted else SOLD_OUT
    weight = UNDERSELLING if shown < wanted else overselling
    return weight * expected * RISK_SCALE * abs(shown - wanted) // max(shown, wanted)


def push_order(pending: Iterable[Pending]) -> list[Pending]:
    """Return the numbers, the riskiest first; equal ones by age, the oldest first, shop and SKU.

    The order depends on the numbers alone, not on how they come in. O(n log n).
    """
    numbers = list(pending)
    assert len(numbers) <= PENDING_MAX
    return sorted(numbers, key=_place)


def _place(number: Pending) -> tuple[int, int, str, str]:
    return -risk(number), -number.since_seconds, number.shop, number.sku
