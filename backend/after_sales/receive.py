"""What comes back: received, at a counter too, and inspected; then what it is worth is owed."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from backend.after_sales.errors import (
    InvalidAfterSalesInput,
    NoPlaceForReturns,
    NotReturnable,
    UnknownReturn,
)
from backend.after_sales.events import ReturnInspected, ReturnReceived
from backend.after_sales.exchanging import lock_exchange, settle
from backend.after_sales.model import (
    TEXT_MAX,
    Inspected,
    Return,
    ReturnDone,
    ReturnDraft,
    ReturnKind,
    ReturnLine,
    ReturnStatus,
    ReturnUnits,
)
from backend.after_sales.request import CAUSE_OF, check_draft, keep_request, look_at_lines
from backend.after_sales.standing import SQL, Standing, lines_of_returns, lock_return, set_return
from backend.after_sales.states import RETURN
from backend.db.commands import apply_once
from backend.db.pool import Database, TenantTransaction
from backend.fulfilment.bulk import working
from backend.fulfilment.collections.model import CollectedFor, Subject
from backend.fulfilment.collections.standing import end_collection
from backend.fulfilment.come_back import lock_parcel, take_parcel_in
from backend.fulfilment.errors import UnknownParcel
from backend.inventory import ledger
from backend.inventory.counters import Counters
from backend.inventory.model import CauseKind, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.inventory.warehouses import list_warehouses
from backend.network.model import DEFAULT_PURPOSE, Condition
from backend.orders.dealing.give_back import return_quota
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.refunds import owe_refund
from backend.orders.step import tell_order
from tenants.principal import Principal

AT_THE_COUNTER, REFUSED = "at the counter", "not accepted"


class Arrived(NamedTuple):
    """What came back to a node; no lines: all of it."""

    node_id: int
    lines: Sequence[ReturnUnits] | None = None


class ReturnedTo(NamedTuple):
    """Where a parcel is that nobody accepted, and why."""

    node_id: int
    reason: str


async def receive_return(
    database: Database,
    principal: Principal,
    return_id: int,
    arrived: Arrived,
    *,
    seen: int | None,
    key: str,
) -> ReturnDone:
    """Note what came back of a request to a node, once: it lies there, to be inspected.

    The node need not be the one that sent it. Locks the key, the order, the request, its levels in
    order. Emits `return.received`. Raises PermissionMissing, WriteRefused, UnknownReturn,
    ReturnChanged, InvalidAfterSalesInput, NoPlaceForReturns, CommandConflict; then nothing has
    changed.
    """

    async def work(tx: TenantTransaction) -> ReturnDone:
        found = await lock_return(tx, return_id, RETURN.step("receive"), seen)
        return await _receive(tx, found, arrived)

    async with working(database, principal) as tx:
        if not tx.principal.may_work_at(arrived.node_id, None):
            raise UnknownReturn
        content = ("receive_return", return_id, arrived, seen)
        return await apply_once(tx, key, content, ReturnDone, partial(work, tx))


async def take_back(
    database: Database, principal: Principal, draft: ReturnDraft, key: str
) -> ReturnDone:
    """Take goods of an order back at a counter (线上购买，线下退货), once, whoever sent them.

    Asked for, approved and received in one; the rules decide whether it may be. Guarantees and
    errors are those of `request_return` and `receive_return`.
    """
    check_draft(draft)
    if draft.kind is not ReturnKind.RETURN or draft.node_id is None:
        raise InvalidAfterSalesInput("At a counter, say where, and what comes back.")
    node_id = draft.node_id

    async def work(tx: TenantTransaction) -> ReturnDone:
        orders = await lock_orders_of(tx, [FulfilmentKey(draft.order_id, 0)])
        if not orders:
            raise UnknownReturn
        lines, verdict = await look_at_lines(tx, draft)
        if verdict.refused:
            raise NotReturnable(verdict.refused)
        request = await keep_request(
            tx, orders[0], draft, lines, ReturnStatus.APPROVED, AT_THE_COUNTER
        )
        found = Standing(request, orders[0], await _lines(tx, request))
        return await _receive(tx, found, Arrived(node_id))

    async with working(database, principal) as tx:
        if not tx.principal.may_work_at(node_id, None):
            raise UnknownReturn
        return await apply_once(tx, key, ("take_back", draft), ReturnDone, partial(work, tx))


async def take_in_parcel(
    database: Database, principal: Principal, parcel_id: int, at: ReturnedTo, key: str
) -> ReturnDone:
    """Take a parcel in that nobody has accepted (拒收), once, in whichever node it is now.

    What is in it is a request of kind REFUSED that was received, to be inspected; then it is
    owed. No rule is asked. With the last of its parcels, what the node sent has ended. Locks the
    key, the order, its levels in order. Emits `return.requested`, `return.received`, and
    `fulfilment.refused` or `fulfilment.delivered`. Raises PermissionMissing, WriteRefused,
    UnknownParcel, ParcelNotOnItsWay, InvalidAfterSalesInput, TooManyReturned where something of it
    was paid back as missing, NotReturnable, NoPlaceForReturns, CommandConflict; then nothing has
    changed.
    """
    if not 0 < len(at.reason) <= TEXT_MAX:
        raise InvalidAfterSalesInput(f"Say why, in 1 to {TEXT_MAX} characters.", path=("reason",))

    async def work(tx: TenantTransaction) -> ReturnDone:
        parcel = await lock_parcel(tx, parcel_id)
        order = (await lock_orders_of(tx, [parcel.key]))[0]
        lines = tuple(ReturnUnits(*one) for one in sorted(parcel.units.items()))
        draft = ReturnDraft(order["id"], ReturnKind.REFUSED, lines, at.reason, at.node_id)
        await take_parcel_in(tx, parcel_id, parcel)
        sold, _ = await look_at_lines(tx, draft)
        request = await keep_request(tx, order, draft, sold, ReturnStatus.APPROVED, REFUSED)
        if parcel.waybill:
            sent_by = parcel.carrier, parcel.waybill
            request = await set_return(tx, request, ReturnStatus.SENT_BACK, sent_by=sent_by)
        found = Standing(request, order, (await _lines(tx, request)))
        return await _receive(tx, found, Arrived(at.node_id))

    async with working(database, principal) as tx:
        if not tx.principal.may_work_at(at.node_id, None):
            raise UnknownParcel
        return await apply_once(
            tx, key, ("take_in_parcel", parcel_id, at), ReturnDone, partial(work, tx)
        )


async def inspect_return(
    database: Database,
    principal: Principal,
    return_id: int,
    found_to_be: Sequence[Inspected],
    *,
    seen: int | None,
    key: str,
) -> ReturnDone:
    """Note what units that came back were found to be, once, all of them; then it is closed.

    Good ones are on the shelf again and free, defective ones lie apart, scrapped and denied ones
    leave the stock. All but the denied ones are owed with their frozen shares, or go into what is
    exchanged for them. Locks the key, the
    order, the request, its levels in order. Emits `return.inspected` and `refund.due`. Raises what
    `receive_return` does.
    """

    async def work(tx: TenantTransaction) -> ReturnDone:
        found = await lock_return(tx, return_id, RETURN.step("inspect"), seen)
        if found.request.node_id is None or not tx.principal.may_work_at(
            found.request.node_id, None
        ):
            raise UnknownReturn
        return await _inspect(tx, found, found_to_be)

    async with working(database, principal) as tx:
        content = ("inspect_return", return_id, found_to_be, seen)
        return await apply_once(tx, key, content, ReturnDone, partial(work, tx))


async def _lines(tx: TenantTransaction, request: Return) -> tuple[ReturnLine, ...]:
    return tuple((await lines_of_returns(tx, [request.id]))[request.id])


async def _receive(tx: TenantTransaction, found: Standing, arrived: Arrived) -> ReturnDone:
    request = found.request
    if request.kind not in (ReturnKind.RETURN, ReturnKind.REFUSED):
        raise InvalidAfterSalesInput("Nothing comes back of this request.")
    units = _units(found.lines, arrived.lines)
    places = await _Places.read(tx, request.order_id, arrived.node_id)
    inspected_in = {one: places.of(one, Condition.INSPECTION) for one in units}
    sku_of = {line.line_no: line.sku_id for line in found.lines}
    movements = [
        _movement(
            request,
            LevelKey(inspected_in[line_no], sku_of[line_no]),
            MovementType.RETURNED,
            line_no,
            quantity,
        )
        for line_no, quantity in units.items()
        if quantity
    ]
    counters = await _record(tx, movements)
    await tx.execute(
        SQL.receive_lines,
        tx.tenant_id,
        request.id,
        arrived.node_id,
        list(units),
        list(units.values()),
        list(inspected_in.values()),
    )
    after = await set_return(tx, request, ReturnStatus.RECEIVED, node_id=arrived.node_id)
    await end_collection(tx, Subject(CollectedFor.RETURN, request.id), has_come=True)
    payload = ReturnReceived(request.order_id, request.id, arrived.node_id, sum(units.values()))
    await tell_order(tx, request.order_id, payload, arrived.node_id)
    return ReturnDone(after, 0, counters)


async def _inspect(
    tx: TenantTransaction, found: Standing, found_to_be: Sequence[Inspected]
) -> ReturnDone:
    request, node_id = found.request, found.request.node_id
    assert node_id is not None, "it lies somewhere"
    _check_inspected(found.lines, found_to_be)
    exchanging = await lock_exchange(tx, request.id)
    places = await _Places.read(tx, request.order_id, node_id)
    by_number = {line.line_no: line for line in found.lines}
    movements: list[Movement] = []
    for one in found_to_be:
        movements += _movements(request, one, by_number[one.line_no], places)
    counters = await _record(tx, movements)
    columns = zip(
        *((one.line_no, one.good, one.defective, one.scrapped, one.denied) for one in found_to_be),
        strict=True,
    )
    await tx.execute(SQL.inspect_lines, tx.tenant_id, request.id, *map(list, columns))
    after = await set_return(tx, request, ReturnStatus.CLOSED)
    sums = [sum(getattr(one, name) for one in found_to_be) for name in FOUND]
    payload = ReturnInspected(request.order_id, request.id, node_id, *sums)
    await tell_order(tx, request.order_id, payload, node_id)
    accepted = {one.line_no: one.good + one.defective + one.scrapped for one in found_to_be}
    owed = None
    if any(accepted.values()):
        owed = await owe_refund(
            tx,
            found.order,
            accepted,
            CAUSE_OF[request.kind],
            return_id=request.id,
            reason=request.reason,
        )
        quotas = await return_quota(tx, request.order_id, accepted)
        counters = counters.and_also(Counters(quotas=quotas))
    asked = sum(line.quantity for line in found.lines)
    is_all = sum(accepted.values()) == asked
    exchanged = await settle(tx, exchanging, is_all=is_all)
    net = owed.amount_minor - exchanged if owed else 0
    if owed is not None and net > 0:
        due = msgspec.structs.replace(owed, amount_minor=net)
        await tell_order(tx, request.order_id, due)
    return ReturnDone(after, max(0, net), counters)


FOUND = ("good", "defective", "scrapped", "denied")


def _movements(
    request: Return, one: Inspected, line: ReturnLine, places: "_Places"
) -> list[Movement]:
    """Return how units move from where they were inspected."""
    assert line.place_id is not None, "it was received somewhere"
    inspection = LevelKey(line.place_id, line.sku_id)
    found = []
    for condition, units in (
        (Condition.GOOD, one.good),
        (Condition.DEFECTIVE, one.defective),
    ):
        if units:
            there = LevelKey(places.of(one.line_no, condition), line.sku_id)
            change = MovementType.CONDITION_CHANGED
            found.append(_movement(request, inspection, change, one.line_no, -units))
            found.append(_movement(request, there, change, one.line_no, units))
    for reason, units in (("scrapped", one.scrapped), ("denied", one.denied)):
        if units:
            gone = MovementType.ADJUSTED
            found.append(_movement(request, inspection, gone, one.line_no, -units, reason))
    return found


def _movement(
    request: Return,
    key: LevelKey,
    kind: MovementType,
    line_no: int,
    quantity: int,
    reason: str | None = None,
) -> Movement:
    return Movement(
        key=key,
        type=kind,
        quantity=quantity,
        cause_kind=CauseKind.RETURN,
        cause_id=request.id,
        cause_line=line_no,
        reason=reason,
    )


async def _record(tx: TenantTransaction, movements: Sequence[Movement]) -> Counters:
    if not movements:
        return Counters()
    await ledger.lock_levels(tx, [movement.key for movement in movements], create=True)
    after = await ledger.record(tx, movements, tx.principal.subject)
    return Counters(await ledger.free_after(tx, after.values()))


class _Places:
    """Where goods of an order lie at a node, by condition: whose they were, theirs they stay."""

    def __init__(
        self, owners: Mapping[int, int | None], places: Mapping[tuple[int | None, Condition], int]
    ) -> None:
        self._owners = owners
        self._places = places

    @classmethod
    async def read(cls, tx: TenantTransaction, order_id: int, node_id: int) -> "_Places":
        rows = await tx.fetch(SQL.owners_of_lines, tx.tenant_id, order_id)
        places: dict[tuple[int | None, Condition], int] = {}
        there = [one for one in await list_warehouses(tx) if one.node_id == node_id]
        for one in sorted(
            there, key=lambda one: (one.purpose != DEFAULT_PURPOSE, one.rank, one.id)
        ):
            places.setdefault((one.dealer_id, one.condition), one.id)
        return cls({row["line_no"]: row["dealer_id"] for row in rows}, places)

    def of(self, line_no: int, condition: Condition) -> int:
        """Return the functional warehouse for goods of a line; raises NoPlaceForReturns."""
        place = self._places.get((self._owners.get(line_no), condition))
        if place is None:
            raise NoPlaceForReturns(
                "The location has no functional warehouse of their owner for goods in the "
                f"condition {condition.value!r}; create one."
            )
        return place


def _units(lines: Sequence[ReturnLine], arrived: Sequence[ReturnUnits] | None) -> dict[int, int]:
    """Return the units of each line that came; raises InvalidAfterSalesInput."""
    if arrived is None:
        return {line.line_no: line.quantity for line in lines}
    asked = {line.line_no: line.quantity for line in lines}
    came = {part.line_no: part.quantity for part in arrived}
    if len(came) < len(arrived) or not came or not any(came.values()):
        raise InvalidAfterSalesInput("Name 1 line or more, each once.", path=("lines",))
    for at, part in enumerate(arrived):
        if not 0 <= part.quantity <= asked.get(part.line_no, 0):
            raise InvalidAfterSalesInput(
                f"Of line {part.line_no} {asked.get(part.line_no, 0)} units were to come.",
                path=("lines", at, "quantity"),
            )
    return came


def _check_inspected(lines: Sequence[ReturnLine], found_to_be: Sequence[Inspected]) -> None:
    received = {line.line_no: line.received for line in lines if line.received}
    if sorted(one.line_no for one in found_to_be) != sorted(received):
        raise InvalidAfterSalesInput("Say of each line that came what it is.", path=("lines",))
    for at, one in enumerate(found_to_be):
        parts = [one.good, one.defective, one.scrapped, one.denied]
        if min(parts) < 0 or sum(parts) != received[one.line_no]:
            raise InvalidAfterSalesInput(
                f"Of line {one.line_no} {received[one.line_no]} units came.", path=("lines", at)
            )
