"""Simulations of routing policies over the past, and what they came to."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum

import msgspec


class SimulationState(StrEnum):
    """Where a simulation stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class NodeLoad(msgspec.Struct, frozen=True, rename="camel"):
    """What a node would have sent."""

    node_id: int
    parcels: int
    units: int


class StrategyOrders(msgspec.Struct, frozen=True, rename="camel"):
    """Orders of which a strategy placed something; each counts for every one that did."""

    strategy: str
    orders: int


class SideResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one policy made of the orders of a period: sums, and what follows from them."""

    orders: int = 0
    whole: int = 0
    """Orders of which nothing was left."""
    unplaced: int = 0
    """Orders of which nothing was placed."""
    split: int = 0
    """Orders from more than one node."""
    parcels: int = 0
    units: int = 0
    """Units that were placed."""
    units_unplaced: int = 0
    freight_minor: int = 0
    handling_minor: int = 0
    dealer_fees_minor: int = 0
    distance_sum_m: int = 0
    """Of all parcels."""
    arrival_days_sum: int = 0
    """Days from the order to its last parcel, of orders with any."""
    promised: int = 0
    """Orders with a promised day."""
    on_time: int = 0
    """Those of them that came whole, and by then."""
    cross_province: int = 0
    """Parcels from another province than they go to."""
    nodes: tuple[NodeLoad, ...] = ()
    strategies: tuple[StrategyOrders, ...] = ()

    @property
    def cost_minor(self) -> int:
        return self.freight_minor + self.handling_minor + self.dealer_fees_minor

    @property
    def sent(self) -> int:
        """Orders with a parcel."""
        return self.orders - self.unplaced

    @property
    def distance_m(self) -> int | None:
        """The mean of all parcels."""
        return self.distance_sum_m // self.parcels if self.parcels else None

    @property
    def days_to_arrival(self) -> float | None:
        return self.arrival_days_sum / self.sent if self.sent else None

    @property
    def on_time_share(self) -> float | None:
        return self.on_time / self.promised if self.promised else None

    @property
    def split_rate(self) -> float | None:
        return self.split / self.sent if self.sent else None

    @property
    def cross_province_share(self) -> float | None:
        return self.cross_province / self.parcels if self.parcels else None


class SimulationResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What both policies made of the same orders, on the same stock."""

    baseline: SideResult
    candidate: SideResult
    differing: int
    """Orders that came out otherwise; of the largest differences DIFFERENCES_MAX are kept."""


class Routed(msgspec.Struct, frozen=True, gc=False):
    """What a policy made of an order."""

    nodes: tuple[int, ...]
    unplaced: int
    freight_minor: int
    cost_minor: int
    """Freight, handling and what dealers are paid."""
    distance_m: int
    """Of all its parcels together."""
    arrives_on: date | None
    """The day of its last parcel."""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """An order that two policies sent otherwise."""

    order_id: int
    before: Routed
    after: Routed

    @property
    def size(self) -> tuple[int, int, int]:
        """What is compared, first things first: units, money, metres."""
        before, after = self.before, self.after
        return (
            abs(after.unplaced - before.unplaced),
            abs(after.cost_minor - before.cost_minor),
            abs(after.distance_m - before.distance_m),
        )


class RankedDifference(msgspec.Struct, frozen=True):
    """A difference as it is kept: rank 0 is the largest."""

    simulation_id: int
    rank: int
    difference: Difference


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """A simulation: what was asked for, how far it is, and what it came to."""

    id: int
    baseline: int
    """A version of the policy; 0 for the default one."""
    candidate: int
    since: datetime
    until: datetime
    state: SimulationState
    orders_done: int
    orders_total: int
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    result: SimulationResult | None
    error: str


class Finding(msgspec.Struct, frozen=True):
    """All that a run has found."""

    result: SimulationResult
    differences: Sequence[Difference]
    """The largest first."""
