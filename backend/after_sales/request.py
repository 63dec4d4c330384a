"""Asking for after-sales service, and deciding about it."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec

from backend.after_sales.errors import (
    InvalidAfterSalesInput,
    NotReturnable,
    TooManyReturned,
    UnknownReturn,
)
from backend.after_sales.events import ReturnChanged, ReturnRequested
from backend.after_sales.exchanging import abandon, is_replacement, lock_exchange
from backend.after_sales.model import (
    LINES_MAX,
    TEXT_MAX,
    Return,
    ReturnDone,
    ReturnDraft,
    ReturnKind,
    ReturnStatus,
)
from backend.after_sales.rules import Verdict, return_rules, verdict_of
from backend.after_sales.standing import (
    SQL,
    Standing,
    deciding,
    lock_return,
    return_of,
    set_return,
)
from backend.after_sales.states import RETURN
from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.fulfilment.collections.model import CollectedFor, Subject
from backend.fulfilment.collections.standing import end_collection
from backend.inventory.counters import Counters
from backend.inventory.levels import database_time
from backend.orders.dealing.give_back import return_quota
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.refunds import RefundCause, owe_refund
from backend.orders.step import changing_order, tell_order
from tenants.principal import Kind, Permission, PermissionMissing, Principal

CAUSE_OF = {
    ReturnKind.RETURN: RefundCause.RETURNED,
    ReturnKind.REFUND_ONLY: RefundCause.GOODWILL,
    ReturnKind.MISSING: RefundCause.MISSING,
    ReturnKind.REFUSED: RefundCause.RETURNED,
}
ON_ITS_WAY = (ReturnKind.MISSING, ReturnKind.REFUSED)
"""What may concern units that have not arrived."""
Work = Callable[[TenantTransaction], Awaitable[ReturnDone]]


async def request_return(
    database: Database, principal: Principal, draft: ReturnDraft, key: str
) -> ReturnDone:
    """Ask to send units of an order back, or to be paid back for them, once.

    The rules of the brand decide whether it may be (one for all channels, unless one is excepted)
    and whether somebody looks at it. Units that are sent back, claimed or asked for already count.
    Locks the key, the order. Emits `return.requested`, and `refund.due` where nothing is to come
    back and nobody has to look. Raises PermissionMissing, WriteRefused, UnknownOrder,
    InvalidAfterSalesInput, TooManyReturned, NotReturnable, CommandConflict; then nothing has
    changed.
    """
    check_draft(draft)
    async with changing_order(database, principal, draft.order_id, Permission.ORDERS_CANCEL) as tx:
        return await apply_once(
            tx, key, ("request_return", draft), ReturnDone, lambda: begin_request(tx, draft)
        )


async def approve_return(
    database: Database,
    principal: Principal,
    return_id: int,
    *,
    node_id: int | None = None,
    seen: int | None,
    key: str,
) -> ReturnDone:
    """Let the customer send it back, to a node if one is given, or owe what is claimed, once.

    Locks the key, the order, the request. Emits `return.changed`, and `refund.due` where nothing is
    to come back: for that the brand decides, not its dealer. Raises PermissionMissing,
    WriteRefused, UnknownReturn, ReturnChanged, CommandConflict; then nothing has changed.
    """

    async def work(tx: TenantTransaction) -> ReturnDone:
        found = await lock_return(tx, return_id, RETURN.step("approve"), seen)
        if found.request.kind is not ReturnKind.RETURN and principal.kind is Kind.DEALER:
            raise PermissionMissing(Permission.ORDERS_CANCEL)
        return await _approved(tx, found, node_id)

    content = ("approve_return", return_id, node_id, seen)
    return await _apply(database, principal, return_id, key, content, work)


async def end_return(
    database: Database,
    principal: Principal,
    return_id: int,
    *,
    is_rejected: bool,
    reason: str,
    seen: int | None,
    key: str,
) -> ReturnDone:
    """Reject a request, or cancel it in the customer's name, once.

    What was ordered for it in exchange is cancelled. Guarantees and errors are those of
    `approve_return`, and InvalidAfterSalesInput for a rejection without a reason.
    """
    if len(reason) > TEXT_MAX or (is_rejected and not reason):
        raise InvalidAfterSalesInput(f"Say why, in 1 to {TEXT_MAX} characters.", path=("reason",))
    name, status = "cancel", ReturnStatus.CANCELLED
    if is_rejected:
        name, status = "reject", ReturnStatus.REJECTED

    async def work(tx: TenantTransaction) -> ReturnDone:
        found = await lock_return(tx, return_id, RETURN.step(name), seen)
        after = await set_return(tx, found.request, status, decision=reason)
        await end_collection(tx, Subject(CollectedFor.RETURN, return_id), has_come=False)
        exchanging = await lock_exchange(tx, return_id)
        done = await _told(tx, after)
        counters = await abandon(tx, exchanging, principal.subject)
        return msgspec.structs.replace(done, counters=counters)

    content = (f"{name}_return", return_id, reason, seen)
    return await _apply(database, principal, return_id, key, content, work)


async def send_back(
    database: Database,
    principal: Principal,
    return_id: int,
    sent_by: tuple[str, str],
    *,
    seen: int | None,
    key: str,
) -> ReturnDone:
    """Note that the customer sends it: the carrier, and what it calls the parcel, once.

    Guarantees and errors are those of `approve_return`.
    """
    if not all(0 < len(text) <= TEXT_MAX for text in sent_by):
        raise InvalidAfterSalesInput("Say the carrier, and its waybill.", path=("waybill",))

    async def work(tx: TenantTransaction) -> ReturnDone:
        found = await lock_return(tx, return_id, RETURN.step("send_back"), seen)
        after = await set_return(tx, found.request, ReturnStatus.SENT_BACK, sent_by=sent_by)
        await end_collection(tx, Subject(CollectedFor.RETURN, return_id), has_come=False)
        return await _told(tx, after)

    content = ("send_back", return_id, sent_by, seen)
    return await _apply(database, principal, return_id, key, content, work)


async def _apply(
    database: Database,
    principal: Principal,
    return_id: int,
    key: str,
    content: tuple[object, ...],
    work: Work,
) -> ReturnDone:
    """Carry a command out; a store receives and inspects, and who sold it decides."""
    known = SQL.order_of_return, UnknownReturn()
    async with deciding(database, principal, return_id, known, (Kind.STORE,)) as tx:
        return await apply_once(tx, key, content, ReturnDone, partial(work, tx))


async def begin_request(tx: TenantTransaction, draft: ReturnDraft) -> ReturnDone:
    """Ask for after-sales service in a transaction; what `request_return` does under its key."""
    if draft.kind is ReturnKind.REFUSED:
        raise InvalidAfterSalesInput(
            "What was not accepted is taken in by parcelTakeIn, once it is there.", path=("kind",)
        )
    order = (await lock_orders_of(tx, [FulfilmentKey(draft.order_id, 0)]))[0]
    lines, verdict = await look_at_lines(tx, draft)
    if verdict.refused:
        raise NotReturnable(verdict.refused)
    decision = "by rule" if verdict.is_automatic else ""
    request = await keep_request(tx, order, draft, lines, ReturnStatus.REQUESTED, decision)
    if not verdict.is_automatic:
        return ReturnDone(request, 0, Counters())
    found = await lock_return(tx, request.id, RETURN.step("approve"), None)
    return await _approved(tx, found, draft.node_id)


async def look_at_lines(
    tx: TenantTransaction, draft: ReturnDraft
) -> tuple[Mapping[int, Record], Verdict]:
    """Return the lines of a locked order that a request names, and what the rules say of them.

    Raises TooManyReturned, InvalidAfterSalesInput, NotReturnable for what replaces something that
    is not settled: nobody has paid for it yet.
    """
    if await is_replacement(tx, draft.order_id):
        raise NotReturnable("It is exchanged for something: settle that exchange first.")
    sold, claimed = await sold_and_claimed(tx, draft.order_id)
    for at, part in enumerate(draft.lines):
        line = sold.get(part.line_no)
        has = 0 if line is None else line["delivered"]
        if line is not None and draft.kind in ON_ITS_WAY:
            has += line["shipped"]
        left = has - claimed.get(part.line_no, 0)
        if part.quantity > left:
            raise TooManyReturned(
                f"Of line {part.line_no} the customer has {max(0, left)} units left.",
                path=("lines", at, "quantity"),
            )
    wanted = {part.line_no: sold[part.line_no] for part in draft.lines}
    arrived_at = await tx.fetch_value(SQL.arrived_at, tx.tenant_id, draft.order_id)
    rules = await return_rules(tx)
    return wanted, verdict_of(rules, list(wanted.values()), arrived_at, await database_time(tx))


async def sold_and_claimed(
    tx: TenantTransaction, order_id: int
) -> tuple[Mapping[int, Record], Mapping[int, int]]:
    """Return the lines of a locked order, and how many units of each are not there to be asked for.

    They are sent back, claimed, or in repair.
    """
    sold = {row["line_no"]: row for row in await tx.fetch(SQL.sold_lines, tx.tenant_id, order_id)}
    return sold, await units_claimed(tx, order_id)


async def units_claimed(tx: TenantTransaction, order_id: int) -> Mapping[int, int]:
    """Return by line how many units of an order are sent back, claimed, or in repair."""
    rows = await tx.fetch(SQL.claimed_units, tx.tenant_id, order_id)
    return {row["line_no"]: row["units"] for row in rows}


async def keep_request(
    tx: TenantTransaction,
    order: Record,
    draft: ReturnDraft,
    lines: Mapping[int, Record],
    status: ReturnStatus,
    decision: str,
) -> Return:
    """Keep a request of a locked order, and tell of it."""
    return_id = await tx.fetch_value(
        SQL.insert_return,
        tx.tenant_id,
        draft.order_id,
        draft.node_id,
        order["dealer_id"],
        draft.kind.value,
        status.value,
        draft.reason,
        decision,
        tx.principal.actor,
    )
    numbers = [part.line_no for part in draft.lines]
    await tx.execute(
        SQL.insert_return_lines,
        tx.tenant_id,
        return_id,
        draft.node_id,
        order["dealer_id"],
        numbers,
        [lines[number]["sku_id"] for number in numbers],
        [part.quantity for part in draft.lines],
    )
    units = sum(part.quantity for part in draft.lines)
    payload = ReturnRequested(draft.order_id, return_id, draft.kind, status, units, draft.reason)
    await tell_order(tx, draft.order_id, payload, draft.node_id)
    row = await tx.fetch_row(SQL.lock_return, tx.tenant_id, return_id)
    assert row is not None, "it was kept"
    return return_of(row)


async def _approved(tx: TenantTransaction, found: Standing, node_id: int | None) -> ReturnDone:
    """Let what comes back come, and owe what nothing comes back for."""
    request = found.request
    if request.kind is ReturnKind.RETURN:
        after = await set_return(tx, request, ReturnStatus.APPROVED, node_id=node_id)
        return await _told(tx, after)
    units = {line.line_no: line.quantity for line in found.lines}
    owed = await owe_refund(
        tx,
        found.order,
        units,
        CAUSE_OF[request.kind],
        return_id=request.id,
        reason=request.reason,
    )
    is_back = request.kind is not ReturnKind.REFUND_ONLY  # else the goods stay sold
    quotas = await return_quota(tx, request.order_id, units if is_back else {})
    after = await set_return(tx, request, ReturnStatus.CLOSED)
    done = await _told(tx, after)
    if owed is not None:
        await tell_order(tx, request.order_id, owed)
    amount = 0 if owed is None else owed.amount_minor
    return ReturnDone(done.request, amount, Counters(quotas=quotas))


def told_of(after: Return) -> ReturnChanged:
    """Return the event that a request stands elsewhere."""
    return ReturnChanged(after.order_id, after.id, after.status, after.decision)


async def _told(tx: TenantTransaction, after: Return) -> ReturnDone:
    await tell_order(tx, after.order_id, told_of(after), after.node_id)
    return ReturnDone(after, 0, Counters())


def check_draft(draft: ReturnDraft) -> None:
    """Raise InvalidAfterSalesInput for a request that says nothing, or something twice."""
    if not 0 < len(draft.reason) <= TEXT_MAX:
        raise InvalidAfterSalesInput(f"Say why, in 1 to {TEXT_MAX} characters.", path=("reason",))
    if not 0 < len(draft.lines) <= LINES_MAX:
        raise InvalidAfterSalesInput(f"Name 1 to {LINES_MAX} lines.", path=("lines",))
    if len({part.line_no for part in draft.lines}) < len(draft.lines):
        raise InvalidAfterSalesInput("A line stands there twice.", path=("lines",))
    for at, part in enumerate(draft.lines):
        if part.quantity < 1:
            raise InvalidAfterSalesInput("1 unit or more.", path=("lines", at, "quantity"))
