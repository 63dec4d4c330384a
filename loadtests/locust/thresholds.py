"""What a run must keep to, in one table for each play, and what it missed."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from loadtests.locust.results import Asked, Results
from loadtests.locust.scenario import Sale

LATER = ", later"
"""Ends the name under which a request counts that was told to come back later."""
ERRORS_SHOWN = 5
CONTENDED_SHARE = 0.4
"""Of the machine; where others use more than this, requests wait for them and not for Yipan."""
CONTENDED_FACTOR = 4.0
"""By which the limits of time are wider then."""


class Threshold(NamedTuple):
    """What the requests of one name keep to."""

    name: str
    p95_ms: float
    p99_ms: float
    rate_min: float
    """Requests a second, over the whole run."""


class Thresholds(NamedTuple):
    """What a run keeps to."""

    by_name: tuple[Threshold, ...]
    wrong_share_max: float
    """Wrong answers among all. There is no excuse for one, so this is 0."""
    lost_share_max: float
    """Requests that the transport lost, among all."""
    later_share_max: float
    """Answers to come back later, among all."""
    orders_per_second_min: float

    def on_machine(self, others_share: float) -> "Thresholds":
        """Return what holds on a machine of which others use a share."""
        if others_share <= CONTENDED_SHARE:
            return self
        wider = tuple(
            limit._replace(
                p95_ms=limit.p95_ms * CONTENDED_FACTOR, p99_ms=limit.p99_ms * CONTENDED_FACTOR
            )
            for limit in self.by_name
        )
        return self._replace(by_name=wider)


LOST_SHARE_MAX = 0.005
"""A connection that the server closes as idle may take a request with it; it is sent again."""

MINUTE = Thresholds(
    by_name=(
        Threshold("logIn", 4_000, 5_000, 0.4),
        Threshold("skus", 500, 1_500, 0.4),
        Threshold("stockLevels", 800, 2_000, 7.0),
        Threshold("orders", 800, 2_000, 4.0),
        Threshold("order", 800, 2_000, 0.8),
        Threshold("order (another dealer's)", 500, 1_500, 1.0),
        Threshold("locations", 2_000, 2_500, 0.1),
        Threshold("fulfilments", 800, 2_000, 0.5),
        Threshold("orderPlace", 1_000, 3_000, 5.0),
        Threshold("orderPlace (flash sale)", 1_000, 1_500, 1.0),
        Threshold("orderCancel", 1_000, 2_500, 0.1),
        Threshold("POST /intake/orders", 2_000, 3_500, 0.5),
    ),
    wrong_share_max=0.0,
    lost_share_max=LOST_SHARE_MAX,
    later_share_max=0.0,
    orders_per_second_min=60.0,
)
"""Two to three times what a machine of two cores took, a third of which others were using."""

DAY = Thresholds(
    by_name=(
        Threshold("logIn", 4_000, 5_000, 0.1),
        Threshold("skus", 800, 2_000, 0.2),
        Threshold("stockLevels", 1_000, 3_000, 4.0),
        Threshold("orders", 1_000, 3_000, 2.5),
        Threshold("order", 1_000, 3_000, 0.4),
        Threshold("order (another dealer's)", 800, 2_500, 0.5),
        Threshold("locations", 3_000, 4_000, 0.04),
        Threshold("fulfilments", 1_000, 3_000, 0.3),
        Threshold("orderPlace", 1_500, 4_000, 2.5),
        Threshold("orderPlace (flash sale)", 3_000, 4_000, 0.2),
        Threshold("orderCancel", 1_500, 4_000, 0.05),
        Threshold("POST /intake/orders", 3_000, 5_000, 0.3),
    ),
    wrong_share_max=0.0,
    lost_share_max=LOST_SHARE_MAX,
    later_share_max=0.2,
    orders_per_second_min=30.0,
)
"""At the peak it may be slow and may ask to come back; it may not be wrong."""


def breaches(results: Results, thresholds: Thresholds) -> list[str]:
    """Return what a run missed, each named with what it had and what it should have had."""
    found = list(_breaches_of_shares(results, thresholds))
    asked = {item.name: item for item in results.asked}
    for threshold in thresholds.by_name:
        item = asked.pop(threshold.name, None)
        if item is None:
            found.append(f"{threshold.name}: nobody asked for it")
        else:
            found += _breaches_of(item, threshold, results.seconds)
    found += [
        f"{name}: asked for, and in no table of thresholds"
        for name in sorted(asked)
        if not name.endswith(LATER)
    ]
    return found


def _breaches_of(item: Asked, threshold: Threshold, seconds: float) -> Iterator[str]:
    for figure, value, most in (
        ("p95", item.p95_ms, threshold.p95_ms),
        ("p99", item.p99_ms, threshold.p99_ms),
    ):
        if value > most:
            yield f"{item.name}: {figure} {value:,.0f} ms, at most {most:,.0f} ms"
    rate = item.count / seconds
    if rate < threshold.rate_min:
        yield f"{item.name}: {rate:.2f} a second, at least {threshold.rate_min:.2f}"


def _breaches_of_shares(results: Results, thresholds: Thresholds) -> Iterator[str]:
    total = sum(item.count for item in results.asked) or 1
    for what, count, most in (
        ("wrong answers", sum(a.wrong for a in results.asked), thresholds.wrong_share_max),
        ("lost requests", sum(a.lost for a in results.asked), thresholds.lost_share_max),
        ("told to come back later", _later(results.asked), thresholds.later_share_max),
    ):
        if count > total * most:
            share = f"{count:,} of {total:,} requests ({count / total:.3%})"
            texts = "".join(f"\n      {text}" for text in results.errors[:ERRORS_SHOWN])
            yield f"{what}: {share}, at most {most:.3%}{texts}"
    orders = results.orders / results.seconds
    least = thresholds.orders_per_second_min
    if orders < least:
        yield f"orders: {orders:.1f} a second, at least {least:.1f}"


def _later(asked: Sequence[Asked]) -> int:
    return sum(item.count for item in asked if item.name.endswith(LATER))


def breaches_of_sale(results: Results, sale: Sale, sold: int) -> list[str]:
    """Return what is wrong with a flash sale of which PostgreSQL has sold so many units."""
    found = []
    expected = min(sale.units, sale.buyers)
    if sold != expected:
        found.append(f"flash sale: {sold} units sold, {expected} is right")
    if results.bought != sold:
        found.append(f"flash sale: {results.bought} buyers have one, {sold} units are sold")
    answered = results.bought + results.missed
    if answered != sale.buyers:
        found.append(f"flash sale: {answered} of {sale.buyers} buyers have an answer")
    return found
