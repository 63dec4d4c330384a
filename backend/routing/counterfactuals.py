"""What would have had to be different for another node to send an order.

Each is tried: it is told only where the planner, with that one change, indeed sends from elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from backend.routing.model import OrderPlan, PlanRequest, PolicyDocument, Strategy
from backend.routing.plan_orders import OrderPlanner
from backend.routing.trace import NodeTrace, Trace
from core_ext import StockBook
from core_ext.limits import MAX_PARCELS, MAX_SPLIT_NODES, UNLIMITED

NODES_MAX = 5
"""Nodes that are tried in each way: the next best ones."""
LIMITS_MORE = 3
"""By how much limits are raised."""


class ChangeKind(StrEnum):
    """What is different."""

    STOCK = "stock"
    """A node has more units."""
    LIMIT = "limit"
    """A strategy allows more nodes, or smaller parcels."""
    FILTER = "filter"
    """A strategy does not filter nodes."""
    CAPACITY = "capacity"
    """A node takes one more parcel today."""


class Counterfactual(msgspec.Struct, frozen=True, kw_only=True):
    """One change, and what it leads to."""

    kind: ChangeKind
    strategy: str
    """The strategy that is changed, for LIMIT and FILTER."""
    node_id: int | None
    """The node that has or takes more, for STOCK and CAPACITY."""
    units: Mapping[int, int]
    """More units by SKU, for STOCK."""
    limit: str
    """Which limit, for LIMIT: maxParcels, maxNodes or leastParcelMinor."""
    value: int
    """What it is then, for LIMIT."""
    winner_nodes: tuple[int, ...]
    is_whole: bool


def counterfactuals(
    planner: OrderPlanner, request: PlanRequest, book: StockBook, found: Trace
) -> list[Counterfactual]:
    """Return changes that each lead to another plan; `found` is the trace on this very book."""
    trying = _Trying(planner, request, book, found)
    return [*trying.stock(), *trying.capacity(), *trying.limits(), *trying.filters()]


def with_strategy(document: PolicyDocument, name: str, **changes: object) -> PolicyDocument:
    """Return a policy in which one strategy is different."""
    strategies = tuple(
        msgspec.structs.replace(one, **changes) if one.name == name else one
        for one in document.strategies
    )
    return msgspec.structs.replace(document, strategies=strategies)


class _Trying:
    """An order that is planned again and again, with one thing changed."""

    def __init__(
        self, planner: OrderPlanner, request: PlanRequest, book: StockBook, found: Trace
    ) -> None:
        self._planner = planner
        self._request = request
        self._book = book
        self._found = found
        self._before = _outcome(found.plan)

    def stock(self) -> Iterator[Counterfactual]:
        """What nodes lack that would then send everything."""
        winners = self._found.plan.decision.winner_nodes
        candidates = [
            node
            for node in self._found.nodes
            if node.missing and not self._is_hopeless(node) and (node.node_id,) != winners
        ]
        candidates.sort(key=lambda node: (sum(node.missing.values()), node.cost))
        for node in candidates[:NODES_MAX]:
            plan = self._plan_with_more(node.node_id, node.missing)
            if plan is not None and plan.decision.winner_nodes == (node.node_id,):
                yield self._told(
                    ChangeKind.STOCK, plan, node_id=node.node_id, units=dict(node.missing)
                )

    def _is_hopeless(self, node: NodeTrace) -> bool:
        """Whether more units alone cannot help a node: something else removes it."""
        return bool(node.removed_by) and "nothing of this order" not in node.removed_by

    def _plan_with_more(self, node_id: int, units: Mapping[int, int]) -> OrderPlan | None:
        view = self._planner.view
        source = next(
            (
                index
                for index, one in enumerate(view.sources)
                if one.node_id == node_id
                and not one.earmark_id
                and view.may_take(self._request.shop_id, one.functional_warehouse_id)
            ),
            None,
        )
        if source is None:
            return None
        book = self._copy()
        for sku_id, missing in units.items():
            book.put(sku_id, source, max(0, book.free(sku_id, source)) + missing, 1 << 60)
        return self._planner.plan([self._request], book)[0]

    def capacity(self) -> Iterator[Counterfactual]:
        """Nodes that take no more parcels today, and would send if they took one."""
        view = self._planner.view
        full = [node.node_id for node in self._found.nodes if "no more parcels" in node.removed_by]
        for node_id in full[:NODES_MAX]:
            book = self._copy()
            book.set_capacity(view.node_index[node_id], 1, 1 << 60)
            (plan,) = self._planner.plan([self._request], book)
            if node_id in plan.decision.winner_nodes:
                yield self._told(ChangeKind.CAPACITY, plan, node_id=node_id)

    def limits(self) -> Iterator[Counterfactual]:
        """Limits of strategies that had their turn, a little wider."""
        for strategy in self._of_turns():
            tried = [
                *(
                    ("maxParcels", "max_parcels", more)
                    for more in self._more(strategy.max_parcels, MAX_PARCELS)
                ),
                *(
                    ("maxNodes", "max_nodes", more)
                    for more in self._more(strategy.max_nodes, MAX_SPLIT_NODES)
                ),
            ]
            if strategy.least_parcel_minor:
                tried.append(("leastParcelMinor", "least_parcel_minor", 0))
            told: set[str] = set()
            for name, field, value in tried:
                plan = self._plan_under(strategy, **{field: value})
                if name not in told and _outcome(plan) != self._before:
                    told.add(name)
                    yield self._told(
                        ChangeKind.LIMIT, plan, strategy=strategy.name, limit=name, value=value
                    )

    def _more(self, limit: int | None, most: int) -> range:
        return range(0) if limit is None else range(limit + 1, min(most, limit + LIMITS_MORE) + 1)

    def filters(self) -> Iterator[Counterfactual]:
        """Strategies that had their turn, without their filter of nodes."""
        for strategy in self._of_turns():
            if strategy.nodes is not None:
                plan = self._plan_under(strategy, nodes=None)
                if _outcome(plan) != self._before:
                    yield self._told(ChangeKind.FILTER, plan, strategy=strategy.name)

    def _of_turns(self) -> Sequence[Strategy]:
        names = {one.name for one in self._found.strategies if one.has_turn}
        return [one for one in self._planner.policy.strategies if one.name in names]

    def _plan_under(self, strategy: Strategy, **changes: object) -> OrderPlan:
        document = with_strategy(self._planner.policy, strategy.name, **changes)
        planner = OrderPlanner(self._planner.view, document, self._planner.policy_version)
        planner.local = self._planner.local
        return planner.plan([self._request], self._book)[0]

    def _copy(self) -> StockBook:
        """Return a book with what the order is of."""
        return copy_of(self._planner, self._book, [row.sku_id for row in self._request.rows])

    def _told(
        self,
        kind: ChangeKind,
        plan: OrderPlan,
        *,
        strategy: str = "",
        node_id: int | None = None,
        units: Mapping[int, int] | None = None,
        limit: str = "",
        value: int = 0,
    ) -> Counterfactual:
        return Counterfactual(
            kind=kind,
            strategy=strategy,
            node_id=node_id,
            units=units or {},
            limit=limit,
            value=value,
            winner_nodes=plan.decision.winner_nodes,
            is_whole=plan.is_whole,
        )


def copy_of(planner: OrderPlanner, book: StockBook, sku_ids: Sequence[int]) -> StockBook:
    """Return another book with the stock of some SKUs, and what nodes still take."""
    view = planner.view
    copied = StockBook(view.source_node, max(1, len(view.nodes)))
    for sku_id in sku_ids:
        for source, free, _ in book.entries(sku_id):
            copied.put(sku_id, source, free, 1)
    for node in range(len(view.nodes)):
        if (parcels := book.capacity(node)) != UNLIMITED:
            copied.set_capacity(node, parcels, 1)
    return copied


def _outcome(plan: OrderPlan) -> tuple[object, ...]:
    """What two plans differ in: where an order is sent from, and what is short."""
    units = sorted((a.node_id, a.row, a.quantity) for a in plan.allocations)
    return tuple(units), plan.short
