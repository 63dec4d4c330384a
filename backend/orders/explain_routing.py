"""Why an order is sent from where it is, and what would have sent it from elsewhere.

Recomputed from what the decision kept: the policy of that version, the stock as it stood before the
order took its part, the time where the brand is, over the network of today. Where the network has
changed since, or stock that earmarks kept was taken, it may come out otherwise: then it says so.
"""

from array import array
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from backend.db.pool import Record, TenantTransaction
from backend.inventory.accuracy.accuracy import nodes_that_missed
from backend.inventory.as_of import (
    free_before,
    moment_after,
    moment_of_order,
    reserved_before,
    reserved_levels_before,
)
from backend.inventory.model import FreeAt
from backend.network.capacity import capacities_of_day
from backend.network.regions.table import RegionTable
from backend.orders.claim import SQL
from backend.orders.errors import OrderRefused, UnknownOrder
from backend.orders.shape import NO_BATCH
from backend.orders.stored import request_as_placed, understand_stored
from backend.orders.work import WorkLine
from backend.routing.counterfactuals import Counterfactual, counterfactuals
from backend.routing.model import PlanRequest
from backend.routing.network_view import NetworkView
from backend.routing.node_figures import FigureReader, criteria_of
from backend.routing.plan_orders import OrderPlanner
from backend.routing.policies import document_of
from backend.routing.read_network import read_topology, terms_in_force, view_of
from backend.routing.trace import Trace, trace
from core_ext import StockBook
from tenants.principal import Permission


class UnknownDecision(OrderRefused):
    """The order has no decision of this number; held for what it is, it was never planned."""

    code = "UNKNOWN_DECISION"


class RoutingExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """How one plan of an order came about."""

    order_id: int
    decision_no: int
    decided_at: datetime
    policy_version: int
    winner_nodes: tuple[int, ...]
    """As they were stored."""
    is_same: bool
    """Whether the recomputed plan has the same nodes."""
    trace: Trace
    counterfactuals: tuple[Counterfactual, ...]


async def explain_routing(
    tx: TenantTransaction,
    order_id: int,
    decision_no: int,
    *,
    time_zone: str,
    regions: RegionTable,
) -> RoutingExplanation:
    """Return why a plan of an order came out as it did.

    Takes nothing. Raises PermissionMissing, UnknownOrder, UnknownDecision.
    """
    tx.principal.require(Permission.ORDERS_READ)
    if await tx.fetch_value(SQL.order_visible, tx.tenant_id, order_id) is None:
        raise UnknownOrder
    decision = await tx.fetch_row(SQL.decision, tx.tenant_id, order_id, decision_no)
    if decision is None:
        raise UnknownDecision
    decided_at = decision["recorded_at"]
    is_rerouted = decision["batch_id"] == NO_BATCH
    if is_rerouted:  # with what it had counted as free, it saw what there is with what it has
        moment = await moment_after(tx, decided_at)
    else:
        moment = await moment_of_order(tx, order_id, decided_at)
    request = await _request_before(tx, order_id, moment, decision, is_rerouted=is_rerouted)
    planner, book = await _ground_before(
        tx, request, moment, decision, decided_at.astimezone(ZoneInfo(time_zone)), regions
    )
    if is_rerouted:
        placed_at = decision["placed_at"]
        own = await reserved_levels_before(tx, order_id, moment, placed_at)
        for key, units in own.items():
            source = planner.view.source_index.get((key.functional_warehouse_id, 0))
            if source is not None:
                book.give(key.sku_id, source, units)
    found = trace(planner, request, book)
    return RoutingExplanation(
        order_id=order_id,
        decision_no=decision_no,
        decided_at=decided_at,
        policy_version=decision["policy_version"],
        winner_nodes=tuple(decision["winner_nodes"]),
        is_same=set(found.plan.decision.winner_nodes) == set(decision["winner_nodes"]),
        trace=found,
        counterfactuals=()
        if request.only_at
        else tuple(counterfactuals(planner, request, book, found)),
    )


async def _request_before(
    tx: TenantTransaction, order_id: int, moment: int, decision: Record, *, is_rerouted: bool
) -> PlanRequest:
    """Return what was wanted of an order before a movement, or what it had if it was rerouted."""
    rows = await tx.fetch(SQL.whole_orders, tx.tenant_id, [order_id])
    if not rows:
        raise UnknownDecision
    (order,) = await understand_stored(tx, rows)
    had = await reserved_before(tx, order_id, moment, decision["placed_at"])
    is_first = decision["decision_no"] == 1
    lines = [
        _line_of(
            line,
            had.get(line.line_no, 0) if is_rerouted else line.quantity - had.get(line.line_no, 0),
        )
        for line in order.lines
    ]
    is_alone = is_first or is_rerouted
    joins = frozenset() if is_alone else order.place.joins - set(decision["winner_nodes"])
    missed = await nodes_that_missed(tx, [order_id], decision["recorded_at"])
    left = order._replace(
        not_from=missed.get(order_id, frozenset()),
        lines=tuple(line for line in lines if line.quantity),
        place=order.place._replace(joins=joins),
    )
    return request_as_placed(left, rows[0])


def _line_of(line: WorkLine, units: int) -> WorkLine:
    """Return so many units of a line."""
    left = max(0, units)
    amount = line.amount_minor * left // line.quantity
    return msgspec.structs.replace(line, quantity=left, amount_minor=amount)


async def _ground_before(
    tx: TenantTransaction,
    request: PlanRequest,
    moment: int,
    decision: Record,
    local: datetime,
    regions: RegionTable,
) -> tuple[OrderPlanner, StockBook]:
    """Return a planner under the policy of a decision, and the stock that it found."""
    document = await document_of(tx, decision["policy_version"])
    topology = await read_topology(tx)
    terms = await terms_in_force(tx, topology, local)
    view, _ = await view_of(tx, topology, terms, regions)
    planner = OrderPlanner(view, document, decision["policy_version"])
    wanted = criteria_of(document)
    planner.look_at(local, await FigureReader().read(tx, topology.weights, wanted, local))
    sku_ids = [row.sku_id for row in request.rows]
    levels = await free_before(tx, sku_ids, moment, decision["recorded_at"])
    book = _book_of(view, levels)
    day = local.date()
    rows = await tx.fetch(SQL.parcels_since, tx.tenant_id, day, decision["recorded_at"])
    since = {row["node_id"]: row["parcels"] for row in rows}
    for capacity in await capacities_of_day(tx, day):
        node = view.node_index.get(capacity.node_id)
        if node is not None:
            free = capacity.free + since.get(capacity.node_id, 0)
            book.set_capacity(node, free, capacity.version + 1)
    return planner, book


def _book_of(view: NetworkView, levels: list[FreeAt]) -> StockBook:
    book = StockBook(view.source_node or array("i"), max(1, len(view.nodes)))
    for level in levels:
        source = view.source_index.get((level.functional_warehouse_id, 0))
        if source is not None:
            book.put(level.sku_id, source, level.free, 1)
    return book
