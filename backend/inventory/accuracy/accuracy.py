"""Learning how accurate nodes are, and keeping what they did not find."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.accuracy.model import (
    LEARNED_FROM,
    NodeAccuracy,
    PickShortage,
    ShortageCause,
    Weights,
    weight_of,
)
from backend.inventory.safety.keep_back import units_sold_by_node

SQL = load_queries(__file__)


async def note_shortages(
    tx: TenantTransaction, order_id: int, cause: ShortageCause, picks: Sequence[PickShortage]
) -> list[int]:
    """Keep what a node could not send of an order; returns the numbers of what was kept."""
    if not picks:
        return []
    rows = await tx.fetch(
        SQL.insert_pick_shortages,
        tx.tenant_id,
        order_id,
        cause.value,
        tx.principal.subject,
        *(list(column) for column in zip(*picks, strict=True)),
    )
    return [row["id"] for row in rows]


async def nodes_that_missed(
    tx: TenantTransaction, order_ids: Sequence[int], before: datetime | None = None
) -> dict[int, frozenset[int]]:
    """Return the nodes that could not send something of orders, by order; before a time or now."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for row in await tx.fetch(SQL.nodes_that_missed, tx.tenant_id, order_ids, before):
        found[row["order_id"]].add(row["node_id"])
    return {order_id: frozenset(nodes) for order_id, nodes in found.items()}


async def learn_accuracy(tx: TenantTransaction, local: datetime) -> None:
    """Learn anew how accurate every node is; `local` is the time where the brand is.

    Of what was counted in LEARNED_FROM, of what orders took in the last four weeks and of what
    could not be picked, that what was missing. Where pools say so, what nodes offer follows within
    a second.
    """
    expected: defaultdict[int, int] = defaultdict(int)
    missing: dict[int, int] = {}
    for row in await tx.fetch(SQL.missing_by_node, tx.tenant_id, local - LEARNED_FROM):
        expected[row["node_id"]] += row["expected"]
        missing[row["node_id"]] = row["missing"]
    known = {one.node_id for one in await accuracies(tx)}
    if not (missing or known):
        return
    for (node_id, _), units in (await units_sold_by_node(tx, local)).items():
        expected[node_id] += units
    nodes = sorted(known | {node_id for node_id, units in expected.items() if units})
    await tx.execute(
        SQL.set_accuracies,
        tx.tenant_id,
        nodes,
        [expected[node_id] for node_id in nodes],
        [missing.get(node_id, 0) for node_id in nodes],
        [weight_of(expected[node_id], missing.get(node_id, 0)) for node_id in nodes],
    )


async def accuracies(tx: TenantTransaction) -> list[NodeAccuracy]:
    """Return how accurate the nodes are that the principal may see."""
    return [NodeAccuracy(*row) for row in await tx.fetch(SQL.accuracies, tx.tenant_id)]


async def read_weights(tx: TenantTransaction) -> Weights:
    """Return what nodes offer that do not offer all, by node."""
    return {row["node_id"]: row["weight_bp"] for row in await tx.fetch(SQL.weights, tx.tenant_id)}
