"""How requests and refunds stand: read, locked and set."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

from backend.after_sales.errors import ReturnChanged, UnknownReturn
from backend.after_sales.model import (
    Refund,
    RefundStatus,
    Return,
    ReturnKind,
    ReturnLine,
    ReturnStatus,
)
from backend.after_sales.states import RETURN
from backend.db.errors import WriteRefused, YipanError
from backend.db.pool import Database, Record, TenantTransaction
from backend.db.sql import Query, load_queries
from backend.machines import Step
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.refunds import RefundCause
from tenants.principal import Kind, Permission, PermissionMissing, Principal, system_principal

SQL = load_queries(__file__)


@asynccontextmanager
async def deciding(
    database: Database,
    principal: Principal,
    return_id: int,
    known: tuple[Query, YipanError],
    not_for: Collection[Kind],
) -> AsyncIterator[TenantTransaction]:
    """Open the door to decide about a request: as the system, in the name of who may see it.

    `known` asks whether that is so, and says what to raise where not. Raises that,
    PermissionMissing, also for some kinds of principals, and WriteRefused.
    """
    principal.require(Permission.ORDERS_CANCEL)
    if principal.kind in not_for:
        raise PermissionMissing(Permission.ORDERS_CANCEL)
    if principal.is_read_only:
        raise WriteRefused
    query, unknown = known
    async with database.tenant_transaction(principal, read_only=True) as tx:
        if await tx.fetch_row(query, tx.tenant_id, return_id) is None:
            raise unknown
    system = system_principal(principal.tenant_id, principal.subject)
    async with database.tenant_transaction(system) as tx:
        yield tx


class Standing(NamedTuple):
    """A request under the lock of its order."""

    request: Return
    order: Record
    lines: tuple[ReturnLine, ...]


async def lock_return(
    tx: TenantTransaction, return_id: int, step: Step, seen: int | None
) -> Standing:
    """Lock a request that may take a step, as it was seen: by its version, if given.

    Locks the order first, with the one that replaces what comes back. Raises UnknownReturn,
    ReturnChanged.
    """
    ids = await tx.fetch_row(SQL.order_of_return, tx.tenant_id, return_id)
    if ids is None:
        raise UnknownReturn
    keys = [FulfilmentKey(one, 0) for one in ids if one is not None]
    orders = {order["id"]: order for order in await lock_orders_of(tx, keys)}
    row = await tx.fetch_row(SQL.lock_return, tx.tenant_id, return_id)
    assert row is not None, "requests are not deleted"
    request = return_of(row)
    if request.status not in step.sources or seen not in (None, request.version):
        raise ReturnChanged(request)
    lines = (await lines_of_returns(tx, [return_id]))[return_id]
    return Standing(request, orders[ids["order_id"]], tuple(lines))


async def set_return(
    tx: TenantTransaction,
    before: Return,
    status: ReturnStatus,
    *,
    node_id: int | None = None,
    decision: str | None = None,
    sent_by: tuple[str, str] | None = None,
) -> Return:
    """Let a locked request stand elsewhere; what is not given stays."""
    assert RETURN.allows(before.status, status), f"no step from {before.status} to {status}"
    carrier, waybill = sent_by or (before.carrier, before.waybill)
    row = await tx.fetch_row(
        SQL.set_return,
        tx.tenant_id,
        before.id,
        status.value,
        before.node_id if node_id is None else node_id,
        before.decision if decision is None else decision,
        carrier,
        waybill,
    )
    assert row is not None, "it is locked"
    return return_of(row)


def return_of(row: Record) -> Return:
    return Return(
        row["id"],
        row["order_id"],
        row["node_id"],
        ReturnKind(row["kind"]),
        ReturnStatus(row["status"]),
        row["version"],
        row["reason"],
        row["decision"],
        row["carrier"],
        row["waybill"],
        row["requested_by"],
        row["requested_at"],
        row["changed_at"],
    )


def refund_of(row: Record) -> Refund:
    return Refund(
        row["order_id"],
        row["refund_no"],
        RefundCause(row["cause"]),
        row["return_id"],
        RefundStatus(row["status"]),
        row["amount_minor"],
        row["currency"],
        row["reason"],
        row["reference"],
        row["version"],
        row["owed_at"],
        row["changed_at"],
        row["offset_minor"],
    )


async def returns_by_ids(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, Return]:
    rows = await tx.fetch(SQL.returns_by_ids, tx.tenant_id, list(ids))
    return {row["id"]: return_of(row) for row in rows}


async def returns_of_orders(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, list[Return]]:
    found: defaultdict[int, list[Return]] = defaultdict(list)
    for row in await tx.fetch(SQL.returns_of_orders, tx.tenant_id, list(ids)):
        found[row["order_id"]].append(return_of(row))
    return found


async def page_of_returns(
    tx: TenantTransaction,
    node_id: int | None,
    statuses: Iterable[ReturnStatus],
    after: int,
    limit: int,
) -> list[Return]:
    """Return requests of a node or of all, in some states, the oldest first, after an id."""
    given = (node_id, [status.value for status in statuses], after, limit)
    return [return_of(row) for row in await tx.fetch(SQL.page_of_returns, tx.tenant_id, *given)]


async def lines_of_returns(
    tx: TenantTransaction, ids: Iterable[int]
) -> dict[int, list[ReturnLine]]:
    found: defaultdict[int, list[ReturnLine]] = defaultdict(list)
    for return_id, *fields in await tx.fetch(SQL.lines_of_returns, tx.tenant_id, list(ids)):
        found[return_id].append(ReturnLine(*fields))
    return found


async def units_that_came_back(
    tx: TenantTransaction, dealer_id: int, since: datetime
) -> dict[tuple[int, int], int]:
    """Return the units that came back of a dealer's orders, or never came, by order and line."""
    rows = await tx.fetch(SQL.came_back, tx.tenant_id, dealer_id, since)
    return {(row["order_id"], row["line_no"]): row["units"] for row in rows}


async def refunds_of_orders(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, list[Refund]]:
    found: defaultdict[int, list[Refund]] = defaultdict(list)
    for row in await tx.fetch(SQL.refunds_of_orders, tx.tenant_id, list(ids)):
        found[row["order_id"]].append(refund_of(row))
    return found


async def lines_of_refunds(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, list[Record]]:
    """Return the lines of the refunds of orders, by order."""
    found: defaultdict[int, list[Record]] = defaultdict(list)
    for row in await tx.fetch(SQL.lines_of_refunds, tx.tenant_id, list(ids)):
        found[row["order_id"]].append(row)
    return found


async def page_of_refunds(
    tx: TenantTransaction, statuses: Iterable[RefundStatus], after: tuple[int, int], limit: int
) -> list[Refund]:
    """Return refunds in some states, the oldest orders first, after a key."""
    given = ([status.value for status in statuses], *after, limit)
    return [refund_of(row) for row in await tx.fetch(SQL.page_of_refunds, tx.tenant_id, *given)]
