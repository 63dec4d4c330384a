"""Planning the orders of a batch together, where they want the same last units.

One after another, the first order takes the last unit near it although one somewhere else would do
as well, and the next pays for it. So after a batch is planned in turn, orders that would have been
sent from a place whose last units went to an earlier order are tried before that one. A sequence is
kept if all orders together cost less, and no order gets less than it did in the sequence in which
they came.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from backend.routing.kpis import figures_of
from backend.routing.model import OrderPlan, PlanRequest
from backend.routing.network_view import NetworkView
from core_ext import StockBook

TRIES_MAX = 8
"""Other sequences that are tried for a batch: each costs as much as planning it once."""
CONTESTED_MAX = 50
"""Orders of a batch that are planned by themselves, to see what they would have had."""

PlanBatch = Callable[[Sequence[PlanRequest]], list[OrderPlan]]
"""Plans orders one after another, as they are given."""


class _Claim(NamedTuple):
    """An order that wants what an earlier one took, and what it loses by that."""

    loss: int
    order: int
    taker: int


def plan_together(
    requests: Sequence[PlanRequest], book: StockBook, view: NetworkView, plan: PlanBatch
) -> list[OrderPlan]:
    """Return a plan for each request, in the order given; the book is left as it was."""
    sequence = list(range(len(requests)))
    plans = plan(requests)
    best = _cost(view, requests, plans)
    in_turn = plans
    for claim in _claims(requests, plans, book, view, plan)[:TRIES_MAX]:
        trial = [one for one in sequence if one != claim.order]
        trial.insert(trial.index(claim.taker), claim.order)
        tried = _in_sequence(requests, trial, plan)
        cost = _cost(view, requests, tried)
        if cost < best and _none_gets_less(in_turn, tried):
            sequence, plans, best = trial, tried, cost
    return plans


def _in_sequence(
    requests: Sequence[PlanRequest], sequence: Sequence[int], plan: PlanBatch
) -> list[OrderPlan]:
    """Plan in another sequence; returns the plans in the order of the requests."""
    planned = plan([requests[one] for one in sequence])
    plans = list(planned)
    for one, found in zip(sequence, planned, strict=True):
        plans[one] = found
    return plans


def _cost(view: NetworkView, requests: Sequence[PlanRequest], plans: Sequence[OrderPlan]) -> int:
    """Return what carriers, handling and dealers cost for all orders together."""
    return sum(_cost_of(view, one, found) for one, found in zip(requests, plans, strict=True))


def _cost_of(view: NetworkView, request: PlanRequest, plan: OrderPlan) -> int:
    sums = figures_of(view, request, plan)
    return sums.freight_minor + sums.fees_minor


def _none_gets_less(before: Sequence[OrderPlan], after: Sequence[OrderPlan]) -> bool:
    return all(
        short <= was
        for one, other in zip(before, after, strict=True)
        for was, short in zip(one.short, other.short, strict=True)
    )


def _claims(
    requests: Sequence[PlanRequest],
    plans: Sequence[OrderPlan],
    book: StockBook,
    view: NetworkView,
    plan: PlanBatch,
) -> list[_Claim]:
    """Return the orders that lose by what others took, who loses most first."""
    takers = _takers_of_last_units(requests, plans, book, view)
    skus = {sku_id for _, sku_id in takers}
    found = []
    wanting = [
        order
        for order, request in enumerate(requests)
        if any(row.sku_id in skus for row in request.rows)
    ]
    for order in wanting[:CONTESTED_MAX]:
        request = requests[order]
        (alone,) = plan([request])
        loss = _cost_of(view, request, plans[order]) - _cost_of(view, request, alone)
        for taker in _in_the_way(request, alone, takers):
            if taker < order and loss > 0:
                found.append(_Claim(loss, order, taker))
    return sorted(found, key=lambda claim: (-claim.loss, claim.order, claim.taker))


def _takers_of_last_units(
    requests: Sequence[PlanRequest],
    plans: Sequence[OrderPlan],
    book: StockBook,
    view: NetworkView,
) -> dict[tuple[int, int], list[int]]:
    """Return the orders that together took all of a SKU that a node had, by node and SKU."""
    taken: dict[tuple[int, int], int] = {}
    takers: dict[tuple[int, int], list[int]] = {}
    for order, (request, plan) in enumerate(zip(requests, plans, strict=True)):
        for part in plan.allocations:
            at = part.node_id, request.rows[part.row].sku_id
            taken[at] = taken.get(at, 0) + part.quantity
            takers.setdefault(at, []).append(order)
    return {
        (node_id, sku_id): takers[node_id, sku_id]
        for (node_id, sku_id), units in taken.items()
        if book.node_free(sku_id, view.node_index[node_id]) <= units
    }


def _in_the_way(
    request: PlanRequest, alone: OrderPlan, takers: dict[tuple[int, int], list[int]]
) -> list[int]:
    """Return the orders that took what an order by itself would have had."""
    wanted = [(part.node_id, request.rows[part.row].sku_id) for part in alone.allocations]
    return list(dict.fromkeys(taker for at in wanted for taker in takers.get(at, ())))
