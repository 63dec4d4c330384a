"""Policies and plans, as the rest of the system sees them."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple

import msgspec

from backend.catalog.model import Sku
from backend.channels.model import Shop
from backend.conditions.model import Condition
from backend.routing.traits import NO_TRAITS, OrderTraits

NODES_OF_A_SPLIT = 3
"""Nodes that quantities are split over, where a strategy says nothing."""


class Weighed(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One part of a weighted sum: `weight` minor units for each unit (or band) of a criterion."""

    criterion: str
    weight: int = 1
    band: int | None = None


class Objective(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One criterion, or a weighted sum of some; values within one band count as equal."""

    criterion: str = ""
    band: int | None = None
    sum: tuple[Weighed, ...] = ()


class Preset(StrEnum):
    """Objectives that have a name of their own."""

    NEAREST = "nearest"
    """就近"""
    FEWEST_SPLITS = "fewest_splits"
    """就全: nodes, not boxes."""
    STOCK_DEPTH = "stock_depth"
    """库存深度"""
    COST = "cost"
    """成本"""
    TIME = "time"
    """时效"""
    SOURCING = "sourcing"
    """From the brand to its dealers by near, cheap and fast (就近、就低、就快), weighed."""


class SourcingWeights(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What counts how much in SOURCING, in minor units."""

    near: int = 1
    """For each 10 km."""
    cheap: int = 1
    """For each minor unit of freight and of what the dealer is paid."""
    fast: int = 1
    """For each quarter of an hour on the road."""


class Otherwise(StrEnum):
    """What happens to what a strategy leaves."""

    NEXT = "next"
    """The next strategy that matches has its turn."""
    BACKORDER = "backorder"
    """It waits for stock (缺货待发)."""
    QUEUE = "queue"
    """It waits in a named queue: for stock, and for whoever looks after the queue."""
    HOLD = "hold"
    """It waits for a person (异常单)."""
    CANCEL = "cancel"
    """It waits for stock until a day, and is cancelled then."""


class Strategy(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One way to send the orders that it is for (寻源策略)."""

    name: str
    when: Condition | None = None
    """Which orders it is for; all where left out."""
    nodes: Condition | None = None
    """Which nodes may send them; all where left out."""
    preset: Preset | None = None
    weights: SourcingWeights | None = None
    """Of the preset SOURCING."""
    objectives: tuple[Objective, ...] = ()
    """Compared one after another; behind those of the preset, where there is one."""
    max_parcels: int | None = None
    """Most nodes that this strategy sends an order from; those of earlier ones are not counted."""
    max_nodes: int = NODES_OF_A_SPLIT
    """Most nodes that the quantity of a line is split over."""
    least_parcel_minor: int = 0
    """A parcel is worth at least so much, unless it is the whole order; so is what is left."""
    whole_only: bool = False
    """It sends all of what is left of the order, or nothing."""
    may_split_lines: bool = True
    otherwise: Otherwise = Otherwise.NEXT
    queue: str = ""
    cancel_after_days: int | None = None


class Rerouting(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """When an order that has its nodes, and is not sent yet, is given to others (改派)."""

    least_saving_minor: int
    """So much cheaper it must be: freight, handling and what dealers are paid, together."""
    within_hours: int = 24
    """For so long after it was placed it is looked at again."""


class PolicyDocument(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A routing policy: strategies, in the order in which they have their turn."""

    strategies: tuple[Strategy, ...]
    plans_together: bool = False
    """Orders that come at the same time and want the same last units are planned together, where
    that is cheaper for all of them and nobody gets less; else one after another."""
    rerouting: Rerouting | None = None
    """None: an order stays with the nodes that it was given to."""


DEFAULT_OBJECTIVES = (
    Objective("split"),
    Objective("legal_entity"),
    Objective("distance", band=50_000),
    Objective("node_priority"),
    Objective("node_load", band=100),
    Objective("lead_time", band=240),
    Objective("freight"),
    Objective("stock_depth"),
)
"""就全, then 就近: fewest nodes, the nearest within 50 km bands, then priority, load, cost."""

DEFAULT_POLICY = PolicyDocument(
    (Strategy(name="default", objectives=DEFAULT_OBJECTIVES, otherwise=Otherwise.BACKORDER),)
)
"""Of a brand that has none of its own."""

ONE_NODE_POLICY = PolicyDocument(
    (
        Strategy(
            name="one node",
            objectives=(Objective("stock_depth"),),
            otherwise=Otherwise.BACKORDER,
        ),
    )
)
"""Of what comes from a node that was chosen: by who fetches it (到店自提), or by hand."""


class Place(NamedTuple):
    """Where an order goes, and what else of it decides how nodes compare."""

    region_code: int
    legal_entity_id: int | None = None
    """Whose invoice it carries."""
    dealer_id: int | None = None
    channel: str = ""
    customer_level: int = 0
    promised_on: date | None = None
    subsidy_region: int | None = None
    needs: int = 0
    """What its goods need of a node, together: bits of `goods_needs.Need`."""
    joins: frozenset[int] = frozenset()
    """Nodes that send a part of it already."""


class Goods(NamedTuple):
    """What of goods decides how nodes compare."""

    needs: int
    sku_id: int
    """0 where nothing is known of the SKU by node."""


class PlanRow(msgspec.Struct, frozen=True, gc=False):
    """Units of one SKU that an order needs; a SKU stands once in an order."""

    sku_id: int
    quantity: int
    unit_weight_g: int
    unit_value_minor: int = 0
    needs: int = 0


class OrderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy may ask about an order, beside its place.

    They are those of the whole order, however much of it is still to be planned: who waits is for
    the same strategies as when it came.
    """

    shop: Shop
    skus: Sequence[Sku]
    """Those of its lines, each once, as far as they are known."""
    units: int = 0
    weight_g: int = 0
    """As carriers charge it."""
    amount_minor: int = 0
    remark: str = ""
    is_paid: bool = False
    is_presale: bool = False
    traits: OrderTraits = NO_TRAITS


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
    facts: OrderFacts | None = None
    """None where only strategies for all orders can match."""
    only_at: int = 0
    """The only node that it may come from: where the customer fetches it, or by hand. 0: any."""
    lot: int = 0
    """0 to 9,999: which share of the orders it belongs to, whenever it is planned."""


class Allocation(msgspec.Struct, frozen=True, gc=False):
    """Units of a row at one functional warehouse of one node."""

    row: int
    node_id: int
    functional_warehouse_id: int
    quantity: int
    earmark_id: int = 0
    """The earmark that keeps them; 0 for what is free to all."""


class Remainder(msgspec.Struct, frozen=True):
    """What is to become of what a plan leaves short."""

    otherwise: Otherwise
    """Never NEXT."""
    strategy: str = ""
    """The strategy that says so; none where no strategy took what was left."""
    queue: str = ""
    cancel_after_days: int | None = None


NO_STRATEGY = Remainder(Otherwise.HOLD)
"""No strategy takes it: a person has to look."""


LOTS = 10_000


def lot_of(order_id: int) -> int:
    """Return the lot of an order: ids that follow each other are spread over all lots."""
    return (order_id * 0x9E3779B97F4A7C15 >> 20) % LOTS


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
    strategies: tuple[str, ...] = ()
    """Those that placed something, in turn; cost, bound and runner-up are the first one's."""


class OrderPlan(msgspec.Struct, frozen=True):
    """Where an order's units come from; what is short has no node."""

    allocations: tuple[Allocation, ...]
    short: tuple[int, ...]
    available: tuple[int, ...]
    decision: Decision
    remainder: Remainder = NO_STRATEGY
    is_matched: bool = True
    """Whether any strategy was for the order at all."""

    @property
    def is_whole(self) -> bool:
        return not any(self.short)
