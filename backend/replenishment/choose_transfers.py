"""Which units could be moved to where they run low. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

TRANSFERS_MAX = 5
"""Transfers for one alert: each is a parcel that somebody packs."""


class Donor(NamedTuple):
    """A functional warehouse that has units to spare."""

    warehouse_id: int
    distance_m: int
    spare: int
    """Units that nobody else is to have."""
    budgets: tuple[tuple[int, int], ...] = ()
    """What it counts for: its node and region, which themselves must not run low (rule, id)."""


class Transfer(NamedTuple):
    """Units of a donor."""

    warehouse_id: int
    quantity: int


@dataclass(slots=True)
class _Spare:
    left: dict[int, int]
    budgets: dict[tuple[int, int], int]
    taken: list[Transfer] = field(default_factory=list)

    def of(self, donor: Donor) -> int:
        bounds = [self.budgets[budget] for budget in donor.budgets]
        return max(0, min([self.left[donor.warehouse_id], *bounds]))

    def take(self, donor: Donor, units: int) -> None:
        self.left[donor.warehouse_id] -= units
        for budget in donor.budgets:
            self.budgets[budget] -= units
        self.taken.append(Transfer(donor.warehouse_id, units))


def choose_transfers(
    need: int, donors: Iterable[Donor], budgets: Mapping[tuple[int, int], int]
) -> list[Transfer]:
    """Return transfers that come to `need` units, or to as many as there are to spare.

    The nearest donor that has all of it; else the one with most to spare (of equal ones the
    nearest), and so on for the rest, in TRANSFERS_MAX transfers at most. `budgets` are units that
    nodes and regions together can spare.
    """
    listed = sorted(donors, key=lambda donor: (donor.distance_m, donor.warehouse_id))
    spare = _Spare({donor.warehouse_id: donor.spare for donor in listed}, dict(budgets))
    while need > 0 and len(spare.taken) < TRANSFERS_MAX:
        able = [donor for donor in listed if spare.of(donor) > 0]
        if not able:
            break
        whole = [donor for donor in able if spare.of(donor) >= need]
        donor = whole[0] if whole else max(able, key=spare.of)  # the first of equal ones is nearest
        units = min(need, spare.of(donor))
        spare.take(donor, units)
        need -= units
    return spare.taken
