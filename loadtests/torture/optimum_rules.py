"""What an order may get at most, what bounds its plan, and what its units cost: told once more."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE
from core_ext.parcel_cost_twin import Order, Piece, Policy, total_cost
from core_ext.policy import Kind, Term
from core_ext.results import Plans, Status


class Plan(NamedTuple):
    """The plan of a batch's only order, by its own account."""

    pieces: list[Piece]
    placed: list[int]
    short: list[int]
    status: int
    is_proved: bool
    cost: int
    lower_bound: int


def plan_of(plans: Plans) -> Plan:
    """Return the plan of the batch's only order; its sources do not matter."""
    units: dict[tuple[int, int], int] = {}
    for demand, node, quantity in zip(
        plans.allocation_demand, plans.allocation_node, plans.allocation_quantity, strict=True
    ):
        units[demand, node] = units.get((demand, node), 0) + quantity
    pieces = [(demand, node, quantity) for (demand, node), quantity in units.items()]
    placed = [sum(q for d, _, q in pieces if d == demand) for demand in range(len(plans.short))]
    return Plan(
        pieces,
        placed,
        list(plans.short),
        plans.status[0],
        bool(plans.proved[0]),
        plans.cost(0),
        plans.lower_bound(0),
    )


class Asked(NamedTuple):
    """An order as its only policy sees it."""

    policy: Policy
    order: Order
    flags: int

    @property
    def may_split(self) -> bool:
        return bool(self.flags & MAY_SPLIT)

    @property
    def may_be_short(self) -> bool:
        return bool(self.flags & TAKE_WHAT_IS_THERE) and self.policy.limits.takes_part

    @property
    def capped(self) -> list[int]:
        """Units of each demand that can be had at most."""
        most = sum if self.may_split else max
        rows = zip(self.order.quantities, self.order.available, strict=True)
        return [min(quantity, most(row)) for quantity, row in rows]

    @property
    def may_be_planned(self) -> bool:
        return any(self.capped) and (self.may_be_short or self.capped == self.order.quantities)

    @property
    def is_split(self) -> bool:
        """Some demand fits no node."""
        rows = zip(self.capped, self.order.available, strict=True)
        return any(quantity > max(row) for quantity, row in rows)

    @property
    def leaves_enough(self) -> bool:
        """What cannot be had, if anything, is worth a parcel."""
        return is_nothing_or_enough(self, self.capped)


def is_nothing_or_enough(asked: Asked, placed: list[int]) -> bool:
    """Whether what is left, if anything, is worth a parcel."""
    order = asked.order
    left = [quantity - had for quantity, had in zip(order.quantities, placed, strict=True)]
    worth = sum(units * value for units, value in zip(left, order.unit_values, strict=True))
    return not any(left) or worth >= asked.policy.limits.least_value


def with_quantities(order: Order, quantities: list[int]) -> Order:
    """Return the order for other quantities, without the demands that have none."""
    rows = [d for d in order.demands if quantities[d]]
    return replace(
        order,
        quantities=[quantities[d] for d in rows],
        unit_weights=[order.unit_weights[d] for d in rows],
        unit_values=[order.unit_values[d] for d in rows],
        goods=[order.goods[d] for d in rows],
        available=[order.available[d] for d in rows],
        is_whole=quantities == order.quantities,
    )


def broken_limits(asked: Asked, plan: Plan) -> list[str]:
    """Return what a plan does that it must not."""
    return [*_broken_account(asked, plan), *_broken_bounds(asked, plan)]


def _broken_account(asked: Asked, plan: Plan) -> Iterator[str]:
    """The plan's numbers belong together, and to the stock."""
    order = asked.order
    if any(quantity > order.available[d][node] for d, node, quantity in plan.pieces):
        yield "it takes what is not there"
    placed = plan.placed if plan.status != Status.UNPLACED else [0] * len(plan.short)
    if [a + b for a, b in zip(placed, plan.short, strict=True)] != order.quantities:
        yield "what is placed and what is short are not the order"
    if plan.cost != total_cost(asked.policy, order, plan.pieces):
        yield "its parcels cost otherwise"
    if plan.lower_bound > plan.cost or (plan.is_proved and plan.lower_bound != plan.cost):
        yield "its bound does not fit its cost"
    if plan.status != _status(order, plan):
        yield "its status is wrong"


def _status(order: Order, plan: Plan) -> Status:
    if not plan.pieces:
        return Status.UNPLACED
    return Status.PLANNED if plan.placed == order.quantities else Status.SHORT


def _broken_bounds(asked: Asked, plan: Plan) -> Iterator[str]:
    """What the policy and the order's flags ask for."""
    order, limits = asked.order, asked.policy.limits
    nodes = {node for _, node, _ in plan.pieces}
    if plan.status == Status.SHORT and not asked.may_be_short:
        yield "it is short and must not be"
    if len(nodes) > limits.max_parcels:
        yield f"{len(nodes)} parcels"
    if asked.is_split and len(nodes) > limits.max_nodes:
        yield f"quantities over {len(nodes)} nodes"
    if not asked.may_split and len(plan.pieces) > sum(units > 0 for units in plan.placed):
        yield "it splits a quantity"
    if plan.pieces and not is_nothing_or_enough(asked, plan.placed):
        yield "what it leaves is worth too little"
    if len(nodes) == 1 and plan.status == Status.PLANNED:
        return
    for node in nodes:
        worth = sum(q * order.unit_values[d] for d, n, q in plan.pieces if n == node)
        if worth < limits.least_value:
            yield f"the parcel of node {node} is worth {worth}"


def additive_costs(policy: Policy, order: Order) -> tuple[list[int], list[list[int]]] | None:
    """Return what each node costs, and each unit of a demand there; None if it is not as simple."""
    nodes = range(policy.node_count)
    fixed, unit = [0 for _ in nodes], [[0 for _ in nodes] for _ in order.demands]
    for term in policy.terms:
        for node in nodes:
            cell = order.place * policy.node_count + node
            if term.kind in {Kind.NODE, Kind.PLACE}:
                value = term.values[node if term.kind is Kind.NODE else cell]
                fixed[node] += term.multiplier * min(term.limit, value // term.band)
                continue
            for d in order.demands:
                value = _unit_value(policy, term, order, d, node)
                if term.band != 1 or value * order.units > term.limit:
                    return None
                unit[d][node] += term.multiplier * value
        if term.kind in {Kind.TARIFF, Kind.DEPTH}:
            return None
    return fixed, unit


def _unit_value(policy: Policy, term: Term, order: Order, demand: int, node: int) -> int:
    if term.kind is Kind.UNIT:
        return term.values[order.place * policy.node_count + node]
    if term.kind is Kind.GOODS and order.goods[demand] >= 0:
        return term.values[order.goods[demand] * policy.node_count + node]
    return 0
