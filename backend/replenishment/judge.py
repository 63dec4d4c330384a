"""Whether a rule fires or clears: a threshold with hysteresis. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from backend.replenishment.model import AlertRule, StockAlert


class Place(NamedTuple):
    """What an alert is about: a rule, a shop, node or region, and a SKU."""

    rule_id: int
    subject_id: int
    sku_id: int


class Reading(NamedTuple):
    """What is there of a SKU, and was sold of it in the last four weeks, where a rule looks."""

    place: Place
    units: int
    sold: int
    has_moved: bool = False
    """Something of it was there, or came, since the last look."""

    @property
    def is_dead(self) -> bool:
        """Whether it neither lies there, nor sells there: nobody misses it."""
        return not (self.units or self.sold or self.has_moved)


class Firing(NamedTuple):
    """A reading below the threshold of its rule, in the measure."""

    rule: AlertRule
    reading: Reading
    value: int


class Clearing(NamedTuple):
    """An alert that ends; without a value where nothing is read there any more."""

    alert: StockAlert
    value: int | None


class Judgement(NamedTuple):
    """What changes."""

    fired: list[Firing]
    cleared: list[Clearing]
    still_low: list[tuple[StockAlert, Firing]]
    """What is open and stays so."""

    def extend(self, other: "Judgement") -> None:
        """Add what was found elsewhere."""
        self.fired.extend(other.fired)
        self.cleared.extend(other.cleared)
        self.still_low.extend(other.still_low)


def judge(
    rules: Mapping[int, AlertRule], readings: Iterable[Reading], alerts: Mapping[Place, StockAlert]
) -> Judgement:
    """Compare readings with their rules, by id, and the alerts that are open.

    A rule fires below `fires_below` and clears at `clears_at`: in between all stays as it is. What
    neither lies there nor sells is no alert.
    """
    found = Judgement([], [], [])
    for reading in readings:
        rule, alert = rules[reading.place.rule_id], alerts.get(reading.place)
        value = rule.value(reading.units, reading.sold)
        if alert is not None:
            if value is None or value >= rule.clears_at:
                found.cleared.append(Clearing(alert, value))
            else:
                found.still_low.append((alert, Firing(rule, reading, value)))
        elif value is not None and value < rule.fires_below and not reading.is_dead:
            found.fired.append(Firing(rule, reading, value))
    return found
