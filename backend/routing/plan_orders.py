"""Planning: a batch of orders against a stock book under a policy. Pure: takes nothing."""

from array import array
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from backend.routing.compile_policy import CompiledPolicy, CompiledStrategy
from backend.routing.joint import plan_together
from backend.routing.kpis import Figures, figures_of
from backend.routing.model import (
    ONE_NODE_POLICY,
    Allocation,
    Decision,
    Goods,
    OrderPlan,
    Place,
    PlanRequest,
    PlanRow,
    PolicyDocument,
    Remainder,
)
from backend.routing.network_view import Figures as NodeFigures
from backend.routing.network_view import NetworkView
from backend.routing.numbering import new_tables
from backend.routing.rollouts import Side
from core_ext import Plans, Policy, StockBook, plan
from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE, Demand
from core_ext.limits import INT32_MOST

PLACES_MAX = 10_000
"""Places that a compiled policy remembers: three times the districts of China."""
GOODS_MAX = 20_000
"""Classes of goods that it remembers: the SKUs of which something is known by node."""
ANYWHERE = Place(region_code=0)


class Candidate(NamedTuple):
    """A policy on trial, beside the one that is active."""

    rollout_id: int
    document: PolicyDocument
    version: int
    share_bp: int
    """Of the orders that it routes; 0 in the shadow."""


Seen = dict[tuple[int, Side], Figures]
"""What a rollout's orders came to, by its id."""


class OrderPlanner:
    """Plans orders in one network under one policy; some under a candidate, if one is on trial.

    Policies are compiled for every place and class of goods that was asked for so far.
    """

    def __init__(
        self,
        view: NetworkView,
        policy: PolicyDocument,
        policy_version: int,
        candidate: Candidate | None = None,
        seen: Seen | None = None,
    ) -> None:
        """`seen` takes what the orders of a rollout come to."""
        self.view = view
        self.policy = policy
        self.policy_version = policy_version
        self.candidate = candidate
        self.seen: Seen = {} if seen is None else seen
        self.local: datetime | None = None
        """The time where the brand is, for conditions; see `look_at`."""
        self._loads: list[int] = []
        listed = policy.strategies + (candidate.document.strategies if candidate else ())
        self.has_limits = any(one.whole_only or one.least_parcel_minor for one in listed)
        """Whether it matters to some strategy what it leaves of an order."""
        self._one_node: CompiledPolicy | None = None
        self._forget()

    def _forget(self) -> None:
        self._tables = new_tables()
        self.compiled = CompiledPolicy(self.policy, self.view)
        """The policy, for what was asked for so far."""
        self._on_trial = None
        if self._one_node is not None:
            self._one_node = CompiledPolicy(ONE_NODE_POLICY, self.view)
        looks_at = self.compiled.looks_at
        if self.candidate is not None:
            self._on_trial = CompiledPolicy(self.candidate.document, self.view)
            looks_at |= self._on_trial.looks_at
        self._overlooked = {
            field: getattr(ANYWHERE, field) for field in Place._fields if field not in looks_at
        }

    @property
    def is_shadowed(self) -> bool:
        """Whether a candidate plans every order too, for its figures alone."""
        return self.candidate is not None and not self.candidate.share_bp

    def look_at(self, local: datetime, figures: NodeFigures) -> None:
        """Take over what time it is where the brand is, and what is known of nodes and SKUs."""
        self.local = local
        if self.view.look_at(local, figures):
            self._forget()

    def ready_at(self, node_id: int) -> datetime | None:
        """Return when a node has ready what it is given now; None of one that is closed."""
        return None if self.local is None else self.view.ready_at(node_id, self.local)

    def plan(self, requests: Sequence[PlanRequest], book: StockBook) -> list[OrderPlan]:
        """Return a plan for each request, in order, each seeing what the earlier ones take.

        The book is left as it was. Deterministic for the same requests, book and time.
        """
        if not self.policy.plans_together or len(requests) < 2:
            return self._plan_in_turn(requests, book)
        return plan_together(requests, book, self.view, lambda some: self._plan_in_turn(some, book))

    def _plan_in_turn(self, requests: Sequence[PlanRequest], book: StockBook) -> list[OrderPlan]:
        return self._plan(requests, book, [self.is_on_trial(request) for request in requests])

    def plan_in_shadow(self, requests: Sequence[PlanRequest], book: StockBook) -> list[OrderPlan]:
        """Return the plans that the candidate would make of a batch."""
        return self._plan(requests, book, [True] * len(requests))

    def observe(
        self, request: PlanRequest, plan: OrderPlan, shadow: OrderPlan | None = None
    ) -> None:
        """Keep what an order that was placed came to, where a candidate is on trial."""
        if self.candidate is None or request.only_at:
            return
        rollout_id = self.candidate.rollout_id
        if not self.is_shadowed:
            side = Side.CANDIDATE if self.is_on_trial(request) else Side.BASELINE
            self._see(rollout_id, side, request, plan)
        elif shadow is not None:
            self._see(rollout_id, Side.BASELINE, request, plan)
            self._see(rollout_id, Side.CANDIDATE, request, shadow)

    def _see(self, rollout_id: int, side: Side, request: PlanRequest, plan: OrderPlan) -> None:
        before = self.seen.get((rollout_id, side), Figures())
        self.seen[rollout_id, side] = before.plus(figures_of(self.view, request, plan))

    def is_on_trial(self, request: PlanRequest) -> bool:
        """Whether a candidate routes an order, and not the active policy."""
        is_free = not request.only_at
        return self.candidate is not None and is_free and request.lot < self.candidate.share_bp

    @property
    def _policies(self) -> list[CompiledPolicy]:
        """The active policy, the candidate's and that of what has one node, as far as needed."""
        policies = (self.compiled, self._on_trial, self._one_node)
        return [one for one in policies if one is not None]

    @property
    def _count(self) -> int:
        return sum(len(policy.strategies) for policy in self._policies)

    def for_one_node(self) -> "OrderPlanner":
        """Return a planner of what comes from one node, under no other policy."""
        planner = OrderPlanner(self.view, ONE_NODE_POLICY, self.policy_version)
        planner.local = self.local
        return planner

    def _chain(self, request: PlanRequest, *, on_trial: bool) -> tuple[list[int], Remainder]:
        """Return an order's strategies among those of all policies: the candidate's come after the
        active one's, and that of what has one node comes last.
        """
        if request.only_at and self.policy is not ONE_NODE_POLICY:
            if self._one_node is None:
                self._one_node = CompiledPolicy(ONE_NODE_POLICY, self.view)
            chain, remainder = self._one_node.chain(request, self.local)
            first = self._count - len(self._one_node.strategies)
            return [first + number for number in chain], remainder
        if not on_trial or self._on_trial is None:
            return self.compiled.chain(request, self.local)
        chain, remainder = self._on_trial.chain(request, self.local)
        first = len(self.compiled.strategies)
        return [first + number for number in chain], remainder

    def _plan(
        self, requests: Sequence[PlanRequest], book: StockBook, on_trial: Sequence[bool]
    ) -> list[OrderPlan]:
        if not requests:
            return []
        chains = [
            self._chain(request, on_trial=is_on_trial)
            for request, is_on_trial in zip(requests, on_trial, strict=True)
        ]
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
                version = self._version(on_trial[index])
                plans[index] = self._order_plan(
                    found, demand, (order, index, version), chains[index][1]
                )
        return plans

    def _version(self, on_trial: bool) -> int:
        is_candidates = on_trial and self.candidate is not None
        return self.candidate.version if is_candidates and self.candidate else self.policy_version

    def prepare(
        self, requests: Sequence[PlanRequest], book: StockBook
    ) -> tuple[list[Policy], Demand]:
        """Return what the core plans a batch by: the policy's strategies, and the batch.

        Some strategy must be for each order. Both stay good until another batch is prepared, and
        the policies for ever: they grow.
        """
        chains = [self._chain(request, on_trial=False)[0] for request in requests]
        return self._prepared(requests, chains, book)

    def get_to_know(self, requests: Sequence[PlanRequest], book: StockBook) -> None:
        """Compile the policy for what some orders ask for, all at once: one by one takes longer."""
        if not self.view.nodes:
            return
        if matched := [one for one in requests if self._chain(one, on_trial=False)[0]]:
            self.prepare(matched, book)

    def nothing(self, request: PlanRequest) -> OrderPlan:
        """Return the plan of an order that gets nothing: everything is short."""
        chain, remainder = self._chain(request, on_trial=self.is_on_trial(request))
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
        if len(self._tables.places) > PLACES_MAX or len(self._tables.goods) > GOODS_MAX:
            self._forget()
        compiled = self._policies
        strategies = [one.strategy for policy in compiled for one in policy.strategies]
        places = [self._place_of(request) for request in requests]
        rows = [row for request in requests for row in request.rows]
        goods = [self._goods_of(row) for row in rows]
        is_new = self._tables.places.add(places)
        is_new = self._tables.goods.add(one for one in goods if one is not None) or is_new
        for policy in compiled:
            if is_new or not policy.policies:
                policy.grow(self._tables)
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
        return [one for policy in compiled for one in policy.policies], demand

    def _place_of(self, request: PlanRequest) -> Place:
        """Return the place of an order, with its dealer and what its goods need, and without what
        no strategy looks at: fewer are told apart.
        """
        needs = 0
        for row in request.rows:
            needs |= row.needs
        known = {"dealer_id": request.dealer_id, "needs": needs}
        return request.place._replace(**known | self._overlooked)

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
            self.compiled.set_loads()
            if self._on_trial is not None:
                self._on_trial.set_loads()

    def _scopes(self, requests: Sequence[PlanRequest]) -> tuple["array[int]", bytes]:
        """Return where each request may be sent from: a row of the view's, or one of its own."""
        view = self.view
        numbers, rows = array("i"), [view.scopes]
        count = len(view.scopes) // max(1, len(view.sources))
        for request in requests:
            scope = view.scope(request.shop_id)
            if request.not_from or request.only_at:
                rows.append(view.scope_where(scope, partial(may_serve, request)))
                scope, count = count, count + 1
            numbers.append(scope)
        return numbers, b"".join(rows)

    def _strategy(self, number: int) -> CompiledStrategy:
        """Return one of the strategies of all policies."""
        return [one for policy in self._policies for one in policy.strategies][number]

    def _order_plan(
        self, plans: Plans, demand: Demand, which: tuple[int, int, int], remainder: Remainder
    ) -> OrderPlan:
        """Return one order's plan; `which` is its number in `plans` and in the batch, and the
        version of its policy.
        """
        order, index, version = which
        nodes, sources = self.view.nodes, self.view.sources
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
            policy_version=version,
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
                    self._strategy(number).strategy.name
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


def may_serve(request: PlanRequest, node_id: int) -> bool:
    """Whether an order may come from a node, whatever its policy says."""
    return node_id not in request.not_from and request.only_at in (0, node_id)
