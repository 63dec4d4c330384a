"""Policies and plans, as the rest of the system sees them."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from backend.db.errors import YipanError


class InvalidPolicy(YipanError):
    """The routing policy cannot be used; the message says which part."""

    code = "INVALID_POLICY"


class Objective(msgspec.Struct, frozen=True):
    """One criterion of a lexicographic objective; values within one band count as equal."""

    criterion: str
    band: int | None = None


class PolicyDocument(msgspec.Struct, frozen=True):
    """A routing policy: which plan is the better one, and how far an order may be split."""

    objectives: tuple[Objective, ...]
    max_nodes: int = 3
    """Nodes that the quantity of an order may be split over."""
    may_split_lines: bool = True


DEFAULT_POLICY = PolicyDocument(
    objectives=(
        Objective("split"),
        Objective("legal_entity"),
        Objective("distance", band=50_000),
        Objective("node_priority"),
        Objective("node_load", band=100),
        Objective("lead_time", band=240),
        Objective("freight"),
        Objective("stock_depth"),
    )
)
"""就全, then 就近: fewest nodes, the nearest within 50 km bands, then priority, load, cost."""


class Place(NamedTuple):
    """Where an order goes and whose invoice it carries."""

    region_code: int
    legal_entity_id: int | None


class PlanRow(msgspec.Struct, frozen=True, gc=False):
    """Units of one SKU that an order needs; a SKU stands once in an order."""

    sku_id: int
    quantity: int
    unit_weight_g: int


class PlanRequest(msgspec.Struct, frozen=True):
    """An order as the planner sees it."""

    rows: Sequence[PlanRow]
    place: Place
    shop_id: int
    dealer_id: int | None
    take_what_is_there: bool
    sends_parcels: bool = True
    """Whether each of its nodes is to send a parcel; units are only kept where not."""
    not_from: frozenset[int] = frozenset()
    """Nodes that could not send what was planned for them of this order."""
    is_sold: bool = False
    """A platform has sold it already, or it was taken before: what shops keep back is for it."""


class Allocation(msgspec.Struct, frozen=True, gc=False):
    """Units of a row at one functional warehouse of one node."""

    row: int
    node_id: int
    functional_warehouse_id: int
    quantity: int
    earmark_id: int = 0
    """The earmark that keeps them; 0 for what is free to all."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What is kept of how a plan came about; the full trace is recomputed from it."""

    policy_version: int
    book_position: int
    batch_index: int
    is_proved: bool
    cost: int
    lower_bound: int
    winner_nodes: tuple[int, ...]
    runner_up_node: int | None
    runner_up_cost: int | None


class OrderPlan(msgspec.Struct, frozen=True):
    """Where an order's units come from; what is short has no node."""

    allocations: tuple[Allocation, ...]
    short: tuple[int, ...]
    available: tuple[int, ...]
    decision: Decision

    @property
    def is_whole(self) -> bool:
        return not any(self.short)
