"""Planning: a batch of orders against a stock book under a policy. Pure: takes nothing."""

from array import array
from collections.abc import Sequence

from backend.routing.compile_policy import compile_policy
from backend.routing.model import (
    Allocation,
    Decision,
    OrderPlan,
    PlanRequest,
    PolicyDocument,
)
from backend.routing.network_view import NetworkView
from backend.routing.places import Places
from core_ext import Plans, Policy, StockBook, plan
from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE, Demand
from core_ext.limits import INT32_MOST

PLACES_MAX = 10_000
"""Places that a compiled policy remembers: three times the districts of China."""


class OrderPlanner:
    """Plans orders in one network under one policy.

    The policy is compiled for every place that was asked for so far, and anew when another one
    comes, or when the loads of the nodes have changed.
    """

    def __init__(self, view: NetworkView, policy: PolicyDocument, policy_version: int) -> None:
        self.view = view
        self.policy = policy
        self.policy_version = policy_version
        self._places = Places()
        self._dealers: dict[int | None, int] = {}
        self._compiled: Policy | None = None
        self._loads: list[int] = []

    def plan(self, requests: Sequence[PlanRequest], book: StockBook) -> list[OrderPlan]:
        """Return a plan for each request, in order, each seeing what the earlier ones take.

        The book is left as it was. Deterministic for the same requests and book.
        """
        if not requests:
            return []
        if not self.view.nodes:
            return [self.nothing(request) for request in requests]
        policy = self._compile(requests, book)
        demand = self._demand(requests)
        plans = plan(book, [policy], demand)
        return [self._order_plan(plans, demand, index) for index in range(len(requests))]

    def nothing(self, request: PlanRequest) -> OrderPlan:
        """Return the plan of an order that gets nothing: everything is short."""
        return OrderPlan(
            (),
            tuple([row.quantity for row in request.rows]),
            (0,) * len(request.rows),
            Decision(self.policy_version, 0, 0, False, 0, 0, (), None, None),
        )

    def _compile(self, requests: Sequence[PlanRequest], book: StockBook) -> Policy:
        view, dealers = self.view, self._dealers
        if len(self._places) > PLACES_MAX:
            self._places, self._compiled = Places(), None
        is_new = self._places.add([request.place for request in requests])
        known = len(dealers)
        for request in requests:
            dealers.setdefault(request.dealer_id, len(dealers))
        loads = view.loads([book.capacity(index) for index in range(len(view.nodes))])
        is_new = is_new or len(dealers) > known or loads != self._loads
        if self._compiled is None or is_new:
            self._loads = loads
            view.set_loads(loads)
            self._compiled = compile_policy(self.policy, view, self._places, list(dealers))
        return self._compiled

    def _demand(self, requests: Sequence[PlanRequest]) -> Demand:
        split = MAY_SPLIT if self.policy.may_split_lines else 0
        partial = split | TAKE_WHAT_IS_THERE
        offsets = array("i", [0])
        for request in requests:
            offsets.append(offsets[-1] + len(request.rows))
        rows = [row for request in requests for row in request.rows]
        scope, scopes = self._scopes(requests)
        return Demand(
            order_offsets=offsets,
            sku=array("q", [row.sku_id for row in rows]),
            quantity=array("q", [row.quantity for row in rows]),
            unit_weight_g=array("q", [w for r in requests for w in _unit_weights(r)]),
            place=array("i", [self._places.number(request.place) for request in requests]),
            filter=array("i", [self._dealers[request.dealer_id] for request in requests]),
            flags=array("B", [partial if r.take_what_is_there else split for r in requests]),
            scope=scope,
            scopes=scopes,
        )

    def _scopes(self, requests: Sequence[PlanRequest]) -> tuple["array[int]", bytes]:
        """Return where each request may be sent from: a row of the view's, or one of its own."""
        view = self.view
        numbers, rows = array("i"), [view.scopes]
        count = len(view.scopes) // max(1, len(view.sources))
        for request in requests:
            scope = view.scope(request.shop_id)
            if request.not_from:
                rows.append(view.scope_without(scope, request.not_from))
                scope, count = count, count + 1
            numbers.append(scope)
        return numbers, b"".join(rows)

    def _order_plan(self, plans: Plans, demand: Demand, index: int) -> OrderPlan:
        nodes, sources = self.view.nodes, self.view.sources
        first_row, end_row = demand.order_offsets[index], demand.order_offsets[index + 1]
        start, end = plans.allocation_offsets[index], plans.allocation_offsets[index + 1]
        allocations = tuple(
            [
                Allocation(
                    plans.allocation_demand[at] - first_row,
                    nodes[plans.allocation_node[at]].id,
                    sources[plans.allocation_source[at]].functional_warehouse_id,
                    plans.allocation_quantity[at],
                    sources[plans.allocation_source[at]].earmark_id,
                )
                for at in range(start, end)
            ]
        )
        runner_up = plans.runner_up_node(index)
        decision = Decision(
            policy_version=self.policy_version,
            book_position=plans.book_position,
            batch_index=index,
            is_proved=bool(plans.proved[index]),
            cost=plans.cost(index),
            lower_bound=plans.lower_bound(index),
            winner_nodes=tuple(dict.fromkeys([a.node_id for a in allocations])),
            runner_up_node=None if runner_up < 0 else nodes[runner_up].id,
            runner_up_cost=None if runner_up < 0 else plans.runner_up_cost(index),
        )
        return OrderPlan(
            allocations,
            tuple(plans.short[first_row:end_row]),
            tuple(plans.available[first_row:end_row]),
            decision,
        )


def _unit_weights(request: PlanRequest) -> list[int]:
    """Return the weights of a request's rows, as far as the planner counts them.

    Beyond two thousand tonnes an order has no parcel tariff: each unit then counts as light as it
    takes to stay below.
    """
    weights = [row.unit_weight_g for row in request.rows]
    if sum([row.quantity * row.unit_weight_g for row in request.rows]) <= INT32_MOST:
        return weights
    lightest = INT32_MOST // sum([row.quantity for row in request.rows])
    return [min(weight, lightest) for weight in weights]
