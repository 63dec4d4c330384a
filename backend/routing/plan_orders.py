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
from core_ext import Plans, StockBook, plan
from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE, Demand
from core_ext.limits import INT32_MOST


def plan_orders(
    requests: Sequence[PlanRequest],
    book: StockBook,
    view: NetworkView,
    policy: PolicyDocument,
    policy_version: int,
) -> list[OrderPlan]:
    """Return a plan for each request, in order, each seeing what the earlier ones take.

    The book is left as it was. Deterministic for the same requests, book and policy.
    """
    if not requests:
        return []
    if not view.nodes:
        return [_nowhere(request, policy_version) for request in requests]
    places = {request.place: 0 for request in requests}
    dealers = {request.dealer_id: 0 for request in requests}
    for index, place in enumerate(places):
        places[place] = index
    for index, dealer_id in enumerate(dealers):
        dealers[dealer_id] = index
    view.set_loads([book.capacity(index) for index in range(len(view.nodes))])
    compiled = compile_policy(policy, view, list(places), list(dealers))
    split = MAY_SPLIT if policy.may_split_lines else 0
    offsets = array("i", [0])
    rows = [row for request in requests for row in request.rows]
    for request in requests:
        offsets.append(offsets[-1] + len(request.rows))
    demand = Demand(
        order_offsets=offsets,
        sku=array("q", [row[0] for row in rows]),
        quantity=array("q", [row[1] for row in rows]),
        unit_weight_g=array("q", [w for request in requests for w in _unit_weights(request)]),
        place=array("i", [places[request.place] for request in requests]),
        filter=array("i", [dealers[request.dealer_id] for request in requests]),
        flags=array(
            "B",
            [
                split | (TAKE_WHAT_IS_THERE if request.take_what_is_there else 0)
                for request in requests
            ],
        ),
    )
    plans = plan(book, compiled, demand)
    return [
        _order_plan(plans, demand, index, view, policy_version) for index in range(len(requests))
    ]


def _unit_weights(request: PlanRequest) -> list[int]:
    """Return the weights of a request's rows, as far as the planner counts them.

    Beyond two thousand tonnes an order has no parcel tariff: each unit then counts as light as it
    takes to stay below.
    """
    weight_g = sum(row.quantity * row.unit_weight_g for row in request.rows)
    if weight_g <= INT32_MOST:
        return [row.unit_weight_g for row in request.rows]
    lightest = INT32_MOST // sum(row.quantity for row in request.rows)
    return [min(row.unit_weight_g, lightest) for row in request.rows]


def _order_plan(
    plans: Plans, demand: Demand, index: int, view: NetworkView, policy_version: int
) -> OrderPlan:
    first_row, end_row = demand.order_offsets[index], demand.order_offsets[index + 1]
    start, end = plans.allocation_offsets[index], plans.allocation_offsets[index + 1]
    allocations = tuple(
        Allocation(
            plans.allocation_demand[at] - first_row,
            view.nodes[plans.allocation_node[at]].id,
            view.sources[plans.allocation_source[at]].id,
            plans.allocation_quantity[at],
        )
        for at in range(start, end)
    )
    runner_up = plans.runner_up_node(index)
    decision = Decision(
        policy_version=policy_version,
        book_position=plans.book_position,
        batch_index=index,
        is_proved=bool(plans.proved[index]),
        cost=plans.cost(index),
        lower_bound=plans.lower_bound(index),
        winner_nodes=tuple(dict.fromkeys(allocation.node_id for allocation in allocations)),
        runner_up_node=None if runner_up < 0 else view.nodes[runner_up].id,
        runner_up_cost=None if runner_up < 0 else plans.runner_up_cost(index),
    )
    return OrderPlan(
        allocations,
        tuple(plans.short[first_row:end_row]),
        tuple(plans.available[first_row:end_row]),
        decision,
    )


def _nowhere(request: PlanRequest, policy_version: int) -> OrderPlan:
    """Return the plan of a tenant without a node: everything is short."""
    return OrderPlan(
        (),
        tuple(row.quantity for row in request.rows),
        (0,) * len(request.rows),
        Decision(policy_version, 0, 0, False, 0, 0, (), None, None),
    )
