"""Why an order is routed as it is: what every strategy and every node came to.

Recomputed by the one planner, from what a decision was made of, so taking an order pays nothing
for it; the same for an order that nobody has placed.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from backend.conditions.attributes import Attributes
from backend.conditions.compile import compile_condition
from backend.conditions.model import Condition
from backend.routing.attributes import (
    NODE_ATTRIBUTES,
    ORDER_ATTRIBUTES,
    facts_of_nodes,
    facts_of_order,
)
from backend.routing.compile_policy import CompiledStrategy
from backend.routing.coverage import words_of
from backend.routing.model import OrderPlan, PlanRequest
from backend.routing.network_view import NetworkView
from backend.routing.plan_orders import OrderPlanner, may_serve
from core_ext import Policy, StockBook, plan
from core_ext.demand import Demand
from core_ext.policy import Kind, Term
from core_ext.results import Reason

REASONS = {
    Reason.NONE: "",
    Reason.NOT_ENOUGH: "the nodes it may use have not enough",
    Reason.NOT_WHOLE: "no single node it may use has all units of a line",
    Reason.TOO_MANY_NODES: "it would take more nodes than the strategy allows",
    Reason.TOO_SMALL: "a parcel, or what is left, would be worth too little",
}


class StrategyTrace(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy came to for an order."""

    name: str
    is_matched: bool
    why: str
    """The tests of its condition that the order meets, or those that it fails, in words."""
    has_turn: bool
    """Whether the order came so far: an earlier one may have ended its way."""
    placed: int
    """Units that it placed."""
    reason: str
    """Why it could not place the whole order by itself; none where it could."""


class NodeTrace(msgspec.Struct, frozen=True, kw_only=True):
    """What a node came to for an order, under one strategy."""

    node_id: int
    removed_by: str
    """Why it was no candidate; none where it was one."""
    missing: Mapping[int, int]
    """Units that it lacks to send everything, by SKU."""
    values: Mapping[str, int]
    """What each criterion says of a parcel with everything, before bands."""
    cost: tuple[int, ...]
    """The objectives, in the order in which they are compared."""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """How the plan of an order comes about."""

    plan: OrderPlan
    strategies: tuple[StrategyTrace, ...]
    strategy: str
    """The one that placed first, or had the first turn: what nodes are compared by."""
    nodes: tuple[NodeTrace, ...]
    """Candidates first, the best one first."""


def trace(planner: OrderPlanner, request: PlanRequest, book: StockBook) -> Trace:
    """Return how the plan of an order comes about on a book, which is left as it was."""
    if request.only_at:
        planner = planner.for_one_node()
    (found,) = planner.plan([request], book)
    compiled, view = planner.compiled, planner.view
    facts = facts_of_order(ORDER_ATTRIBUTES, request, view, planner.local)
    chain, _ = compiled.chain(request, planner.local)
    if not view.nodes or not chain:
        listed = [
            _of_strategy(one, facts, has_turn=False, placed=0, reason="")
            for one in compiled.strategies
        ]
        return Trace(plan=found, strategies=tuple(listed), strategy="", nodes=())
    policies, demand = planner.prepare([request], book)
    placed = _placed_by(planner, request, book)
    strategies = [
        _of_strategy(
            strategy,
            facts,
            has_turn=number in chain,
            placed=placed.get(number, 0),
            reason=_reason_alone(policies, demand, book, number) if number in chain else "",
        )
        for number, strategy in enumerate(compiled.strategies)
    ]
    number = next(iter(placed), chain[0])
    shown = compiled.strategies[number]
    nodes = _Nodes(planner, request, book, shown, policies[number].terms, demand).all()
    return Trace(
        plan=found,
        strategies=tuple(strategies),
        strategy=shown.strategy.name,
        nodes=tuple(nodes),
    )


def _placed_by(planner: OrderPlanner, request: PlanRequest, book: StockBook) -> dict[int, int]:
    """Return the units that each strategy places, in turn."""
    policies, demand = planner.prepare([request], book)
    plans = plan(book, policies, demand)
    units: dict[int, int] = {}
    for number, quantity in zip(plans.allocation_policy, plans.allocation_quantity, strict=True):
        units[number] = units.get(number, 0) + quantity
    return units


def _reason_alone(policies: Sequence[Policy], demand: Demand, book: StockBook, number: int) -> str:
    """Return why a strategy could not place the whole order, if it were the only one."""
    only = replace(demand, chain_offsets=array("i", [0, 1]), chain=array("i", [number]))
    return REASONS[Reason(plan(book, policies, only).reason[0])]


def _of_strategy(
    strategy: CompiledStrategy,
    facts: Mapping[str, Any],
    *,
    has_turn: bool,
    placed: int,
    reason: str,
) -> StrategyTrace:
    is_matched = strategy.matches is None or strategy.matches(facts)
    when = strategy.strategy.when
    if when is None:
        why = "it is for all orders"
    elif is_matched:
        why = words_of(when)
    else:
        why = "not so: " + " and ".join(failing(when, facts, ORDER_ATTRIBUTES))
    return StrategyTrace(
        name=strategy.strategy.name,
        is_matched=is_matched,
        why=why,
        has_turn=has_turn,
        placed=placed,
        reason=reason,
    )


def failing(condition: Condition, facts: Mapping[str, Any], known: Attributes) -> list[str]:
    """Return the parts of a condition that are not so, in words."""
    if compile_condition(condition, known)(facts):
        return []
    if condition.all is not None:
        return [words for part in condition.all for words in failing(part, facts, known)]
    return [words_of(condition)]


class _Nodes:
    """The nodes of a network, for one order under one strategy."""

    def __init__(
        self,
        planner: OrderPlanner,
        request: PlanRequest,
        book: StockBook,
        strategy: CompiledStrategy,
        terms: Sequence[Term],
        demand: Demand,
    ) -> None:
        self._view: NetworkView = planner.view
        self._request = request
        self._book = book
        self._strategy = strategy
        self._terms = terms
        self._demand = demand
        self._available = [
            available_at_nodes(self._view, book, request, row.sku_id) for row in request.rows
        ]

    def all(self) -> list[NodeTrace]:
        place = self._request.place._replace(
            dealer_id=self._request.dealer_id, needs=_needs(self._request)
        )
        facts = facts_of_nodes(self._view, place)
        serving = self._view.serving(self._request.dealer_id)
        found = [
            self._node(index, bool(serving[index]), facts[index])
            for index in range(len(self._view.nodes))
        ]
        return sorted(
            found, key=lambda node: (bool(node.removed_by), bool(node.missing), node.cost)
        )

    def _node(self, index: int, serves: bool, facts: Mapping[str, Any]) -> NodeTrace:
        node = self._view.nodes[index]
        has = [row[index] for row in self._available]
        missing = {
            row.sku_id: row.quantity - units
            for row, units in zip(self._request.rows, has, strict=True)
            if units < row.quantity
        }
        values = self._values(index, has)
        return NodeTrace(
            node_id=node.id,
            removed_by=self._removed_by(index, serves, facts, has),
            missing=missing,
            values={
                part.criterion: value
                for part, value in zip(self._strategy.parts, values, strict=True)
            },
            cost=self._cost(values),
        )

    def _removed_by(
        self, index: int, serves: bool, facts: Mapping[str, Any], has: Sequence[int]
    ) -> str:
        node, nodes = self._view.nodes[index], self._strategy.strategy.nodes
        if not serves:
            return "it serves its own dealer's orders only"
        if nodes is not None and (words := failing(nodes, facts, NODE_ATTRIBUTES)):
            return "the strategy wants " + " and ".join(words)
        if node.id in self._request.not_from:
            return "it could not send what was planned for it of this order"
        if self._request.only_at not in (0, node.id):
            return "the customer fetches it elsewhere, or another node was chosen by hand"
        if self._request.sends_parcels and self._book.capacity(index) < 1:
            return "it takes no more parcels today"
        return "" if any(has) else "it has nothing of this order that the shop may take"

    def _values(self, index: int, has: Sequence[int]) -> list[int]:
        """Return what each term says of a parcel with everything from a node."""
        return [self._value(term, index, has) for term in self._terms]

    def _value(self, term: Term, index: int, has: Sequence[int]) -> int:
        rows, nodes = self._request.rows, len(self._view.nodes)
        cell = self._demand.place[0] * nodes + index
        if term.kind == Kind.NODE:
            return term.values[index]
        if term.kind == Kind.PLACE:
            return term.values[cell]
        if term.kind == Kind.UNIT:
            return term.values[cell] * sum(row.quantity for row in rows)
        if term.kind == Kind.TARIFF:
            grams = sum(row.quantity * row.unit_weight_g for row in rows)
            return term.values[cell] + term.rates[cell] * -(-grams // term.step)
        if term.kind == Kind.DEPTH:
            left = [max(0, units - row.quantity) for row, units in zip(rows, has, strict=True)]
            return sum(max(0, term.step - units) for units in left)
        goods = self._demand.goods
        return sum(
            term.values[goods[at] * nodes + index] * row.quantity
            for at, row in enumerate(rows)
            if goods[at] >= 0
        )

    def _cost(self, values: Sequence[int]) -> tuple[int, ...]:
        levels: dict[int, int] = {}
        for part, value in zip(self._strategy.parts, values, strict=True):
            banded = min(part.limit, value // part.band)
            levels[part.level] = levels.get(part.level, 0) + part.weight * banded
        return tuple(levels[level] for level in sorted(levels))


def _needs(request: PlanRequest) -> int:
    needs = 0
    for row in request.rows:
        needs |= row.needs
    return needs


def available_at_nodes(
    view: NetworkView, book: StockBook, request: PlanRequest, sku_id: int
) -> list[int]:
    """Return, by node, the free units of a SKU that orders of the shop may take."""
    scope, count = view.scope(request.shop_id), len(view.sources)
    units = [0] * len(view.nodes)
    for source, free, _ in book.entries(sku_id):
        may_take = scope < 0 or view.scopes[scope * count + source]
        if may_take and may_serve(request, view.sources[source].node_id):
            units[view.source_node[source]] += max(0, free)
    return units
