"""Planning: a batch of orders against a stock book under a policy. Pure: takes nothing."""

from array import array
from collections.abc import Sequence
from datetime import datetime

from backend.routing.compile_policy import CompiledPolicy
from backend.routing.model import (
    Allocation,
    Decision,
    Goods,
    OrderPlan,
    PlanRequest,
    PlanRow,
    PolicyDocument,
    Remainder,
)
from backend.routing.network_view import Figures, NetworkView
from backend.routing.numbering import new_tables
from core_ext import Plans, Policy, StockBook, plan
from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE, Demand
from core_ext.limits import INT32_MOST

PLACES_MAX = 10_000
"""Places that a compiled policy remembers: three times the districts of China."""
GOODS_MAX = 20_000
"""Classes of goods that it remembers: the SKUs of which something is known by node."""


class OrderPlanner:
    """Plans orders in one network under one policy.

    The policy is compiled for every place and class of goods that was asked for so far.
    """

    def __init__(self, view: NetworkView, policy: PolicyDocument, policy_version: int) -> None:
        self.view = view
        self.policy = policy
        self.policy_version = policy_version
        self.local: datetime | None = None
        """The time where the brand is, for conditions; see `look_at`."""
        self._loads: list[int] = []
        self.has_limits = any(s.whole_only or s.least_parcel_minor for s in policy.strategies)
        """Whether it matters to some strategy what it leaves of an order."""
        self._forget()

    def _forget(self) -> None:
        self._tables = new_tables()
        self._compiled = CompiledPolicy(self.policy, self.view)

    def look_at(self, local: datetime, figures: Figures) -> None:
        """Take over what time it is where the brand is, and what is known of nodes and SKUs."""
        self.local = local
        if self.view.look_at(local, figures):
            self._forget()

    def plan(self, requests: Sequence[PlanRequest], book: StockBook) -> list[OrderPlan]:
        """Return a plan for each request, in order, each seeing what the earlier ones take.

        The book is left as it was. Deterministic for the same requests, book and time.
        """
        if not requests:
            return []
        chains = [self._compiled.chain(request, self.local) for request in requests]
        plans = [
            self._nothing(request, remainder, is_matched=bool(chain))
            for request, (chain, remainder) in zip(requests, chains, strict=True)
        ]
        taken = [index for index, (chain, _) in enumerate(chains) if chain and self.view.nodes]
        if taken:
            batch = [requests[index] for index in taken]
            policies, demand = self._prepared(batch, [chains[index][0] for index in taken], book)
            found = plan(book, policies, demand)
            for order, index in enumerate(taken):
                plans[index] = self._order_plan(found, demand, order, index, chains[index][1])
        return plans

    def prepare(
        self, requests: Sequence[PlanRequest], book: StockBook
    ) -> tuple[list[Policy], Demand]:
        """Return what the core plans a batch by: the policy's strategies, and the batch.

        Some strategy must be for each order. Both stay good until another batch is prepared, and
        the policies for ever: they grow.
        """
        chains = [self._compiled.chain(request, self.local)[0] for request in requests]
        return self._prepared(requests, chains, book)

    def nothing(self, request: PlanRequest) -> OrderPlan:
        """Return the plan of an order that gets nothing: everything is short."""
        chain, remainder = self._compiled.chain(request, self.local)
        return self._nothing(request, remainder, is_matched=bool(chain))

    def _nothing(
        self, request: PlanRequest, remainder: Remainder, *, is_matched: bool
    ) -> OrderPlan:
        return OrderPlan(
            (),
            tuple([row.quantity for row in request.rows]),
            (0,) * len(request.rows),
            Decision(self.policy_version, 0, 0, False, 0, 0, (), None, None),
            remainder,
            is_matched,
        )

    def _prepared(
        self, requests: Sequence[PlanRequest], chains: Sequence[list[int]], book: StockBook
    ) -> tuple[list[Policy], Demand]:
        """Return the policies, and the arrays of a batch whose places and goods they know."""
        compiled, strategies = self._compiled, self.policy.strategies
        if len(self._tables.places) > PLACES_MAX or len(self._tables.goods) > GOODS_MAX:
            self._forget()
            compiled = self._compiled
        places = [compiled.place(request) for request in requests]
        rows = [row for request in requests for row in request.rows]
        goods = [self._goods_of(row) for row in rows]
        is_new = self._tables.places.add(places)
        is_new = self._tables.goods.add(one for one in goods if one is not None) or is_new
        if is_new:
            compiled.grow(self._tables)
        self._look_at_loads(book, anew=is_new)
        offsets, chain_offsets, chain = array("i", [0]), array("i", [0]), array("i")
        flags = array("B")
        for request, strategies_of_order in zip(requests, chains, strict=True):
            offsets.append(offsets[-1] + len(request.rows))
            chain.extend(strategies_of_order)
            chain_offsets.append(len(chain))
            may_split = all(strategies[number].may_split_lines for number in strategies_of_order)
            partial = TAKE_WHAT_IS_THERE if request.take_what_is_there else 0
            flags.append((MAY_SPLIT if may_split else 0) | partial)
        scope, scopes = self._scopes(requests)
        number_of, goods_of = self._tables.places.number, self._tables.goods.number
        numbers = array("i", [number_of(place) for place in places])
        demand = Demand(
            order_offsets=offsets,
            sku=array("q", [row.sku_id for row in rows]),
            quantity=array("q", [row.quantity for row in rows]),
            unit_weight_g=array("q", [w for r in requests for w in _unit_weights(r)]),
            place=numbers,
            filter=numbers,
            flags=flags,
            scope=scope,
            scopes=scopes,
            unit_value=array("q", [row.unit_value_minor for row in rows]),
            goods=array("i", [-1 if one is None else goods_of(one) for one in goods]),
            chain_offsets=chain_offsets,
            chain=chain,
        )
        return compiled.policies, demand

    def _goods_of(self, row: PlanRow) -> Goods | None:
        """Return the class of a row's goods; None for those that compare alike everywhere."""
        is_known = self.view.figures.knows(row.sku_id)
        return Goods(row.needs, row.sku_id if is_known else 0) if row.needs or is_known else None

    def _look_at_loads(self, book: StockBook, *, anew: bool) -> None:
        """Let the policy compare by what the nodes have taken on, where that has changed."""
        loads = self.view.loads([book.capacity(index) for index in range(len(self.view.nodes))])
        if anew or loads != self._loads:
            self._loads = loads
            self.view.set_loads(loads)
            self._compiled.set_loads()

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

    def _order_plan(
        self, plans: Plans, demand: Demand, order: int, index: int, remainder: Remainder
    ) -> OrderPlan:
        nodes, sources, strategies = self.view.nodes, self.view.sources, self.policy.strategies
        first_row, end_row = demand.order_offsets[order], demand.order_offsets[order + 1]
        start, end = plans.allocation_offsets[order], plans.allocation_offsets[order + 1]
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
        runner_up = plans.runner_up_node(order)
        decision = Decision(
            policy_version=self.policy_version,
            book_position=plans.book_position,
            batch_index=index,
            is_proved=bool(plans.proved[order]),
            cost=plans.cost(order),
            lower_bound=plans.lower_bound(order),
            winner_nodes=tuple(dict.fromkeys([a.node_id for a in allocations])),
            runner_up_node=None if runner_up < 0 else nodes[runner_up].id,
            runner_up_cost=None if runner_up < 0 else plans.runner_up_cost(order),
            strategies=tuple(
                [
                    strategies[number].name
                    for number in dict.fromkeys(plans.allocation_policy[start:end])
                ]
            ),
        )
        return OrderPlan(
            allocations,
            tuple(plans.short[first_row:end_row]),
            tuple(plans.available[first_row:end_row]),
            decision,
            remainder,
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
