"""What a node can do and when and at what cost it sends, and the days on which it does not."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from backend.db.errors import OutOfRange
from backend.db.pool import Record, TenantTransaction
from backend.network.errors import UnknownNode
from backend.network.model import NodeTerms
from backend.network.nodes import SQL, values_of_terms
from backend.network.ranges import require_node_terms
from backend.network.terms_version import raise_terms_version
from tenants.principal import Permission

CLOSED_DAYS_MAX = 400
"""Days that are closed or opened at once, and shown: a year, and the holidays after it."""


async def set_node_terms(tx: TenantTransaction, code: str, terms: NodeTerms) -> int:
    """Replace all terms of a node and return its id.

    Locks the version of the terms, then the node. Raises OutOfRange, UnknownNode; then nothing has
    changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    require_node_terms(terms)
    await raise_terms_version(tx)
    node_id: int | None = await tx.fetch_value(
        SQL.set_node_terms, tx.tenant_id, code, *values_of_terms(terms)
    )
    if node_id is None:
        raise UnknownNode(f"There is no node {code!r}.", path=("code",))
    return node_id


async def set_closed_days(
    tx: TenantTransaction, code: str, first: date, last: date, *, is_closed: bool
) -> int:
    """Let a node not dispatch from a day to another, both included, or do so again; returns its id.

    Locks the version of the terms. Raises OutOfRange, UnknownNode; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    count = (last - first).days + 1
    if not 1 <= count <= CLOSED_DAYS_MAX:
        raise OutOfRange(
            f"Give 1 to {CLOSED_DAYS_MAX} days, the first one first.", path=("lastDay",)
        )
    await raise_terms_version(tx)
    node_id: int | None = await tx.fetch_value(SQL.node_of_code, tx.tenant_id, code)
    if node_id is None:
        raise UnknownNode(f"There is no node {code!r}.", path=("code",))
    query = SQL.close_days if is_closed else SQL.open_days
    days = [first + timedelta(days=later) for later in range(count)]
    await tx.execute(query, tx.tenant_id, node_id, days)
    return node_id


async def closed_days(
    tx: TenantTransaction, first: date, last: date
) -> Mapping[int, tuple[date, ...]]:
    """Return the days, ascending, between two on which nodes do not dispatch, by node."""
    return _by_node(await tx.fetch(SQL.closed_days, tx.tenant_id, first, last))


async def closed_days_of_nodes(
    tx: TenantTransaction, node_ids: Sequence[int], today: date
) -> Mapping[int, tuple[date, ...]]:
    """Return the days, ascending, on which nodes do not dispatch: CLOSED_DAYS_MAX from today on."""
    last = today + timedelta(days=CLOSED_DAYS_MAX - 1)
    rows = await tx.fetch(SQL.closed_days_of_nodes, tx.tenant_id, node_ids, today, last)
    return _by_node(rows)


def _by_node(rows: Sequence[Record]) -> Mapping[int, tuple[date, ...]]:
    found: dict[int, list[date]] = {}
    for row in rows:
        found.setdefault(row["node_id"], []).append(row["day"])
    return {node_id: tuple(days) for node_id, days in found.items()}
