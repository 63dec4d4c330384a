"""Agreeing with an order on a time (预约): it is delivered and installed then, or nothing is."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from backend.catalog.find_skus import skus_by_ids
from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.network.model import Slot
from backend.network.slots import (
    Window,
    list_slot_providers,
    lock_slots,
    slots_by_ids,
    slots_of_days,
    take_slots,
)
from backend.orders.claim import SQL
from backend.orders.errors import NoAppointment, UnknownOrder
from backend.orders.events import OrderAppointmentSet, OrderHoldReleased
from backend.orders.installations.installations import agreed_again, installation_status
from backend.orders.installations.model import InstallationStatus
from backend.orders.model import Appointment, HoldKind, OrderStatus
from backend.orders.normalise import check_appointment
from backend.orders.states import NOT_GONE, check_step, derive_status
from backend.orders.step import StepEvent, changing_order, line_outcome, write_step
from backend.routing.delivery import Delivery
from backend.routing.live_book import SLOTS_AHEAD
from backend.routing.plan_orders import OrderPlanner
from backend.routing.promises import TIMES_MAX
from backend.routing.slot_book import Bookings, SlotBook, Visit
from tenants.principal import Permission, Principal, system_principal

NOT_THEN = (
    "Its nodes do not deliver, or nobody installs it, at that time; see orderAppointmentTimes."
)
NOT_YET = "A time is agreed while all of the order has a node, and has not left all of them."


class _Sent(NamedTuple):
    """What of an order decides when it can come."""

    region_code: int
    installs: frozenset[str]
    nodes: frozenset[int]
    given_at: datetime
    """When the last of its nodes was given its part."""
    booked: frozenset[int]
    """The slots that it has a visit of, which another time gives back."""
    gone: frozenset[int]
    """Those of what has left its node: they stay."""


async def set_appointment(
    database: Database,
    principal: Principal,
    order_id: int,
    agreed: Appointment,
    planner: OrderPlanner,
    key: str,
) -> OrderStatus:
    """Agree with an order on a time, or on another one, and return its status.

    What was booked before is given back and what the new time takes is booked, all of it or, if
    that is not possible, nothing changes. An order that was held for want of a time no longer is.
    Locks the key, the order, then the slots in order. Emits `order.appointment_set` and, where a
    hold ends, `order.hold_released`. Raises PermissionMissing, WriteRefused, UnknownOrder,
    InvalidOrder, NoAppointment, CommandConflict; then nothing has changed. The same key answers the
    same again.
    """
    check_appointment(agreed)
    async with changing_order(database, principal, order_id, Permission.ORDERS_PLACE) as tx:
        return await apply_once(
            tx,
            key,
            ("set_appointment", order_id, agreed),
            OrderStatus,
            lambda: _set(tx, order_id, agreed, planner, principal.subject),
        )


async def appointment_times(
    database: Database, principal: Principal, order_id: int, planner: OrderPlanner
) -> list[Window]:
    """Return the times that could be agreed with an order, the earliest first, TIMES_MAX at most.

    Of its nodes, with its own visits counted as free; none where a part of it has no node yet.
    Raises PermissionMissing, UnknownOrder.
    """
    principal.require(Permission.ORDERS_READ)
    async with database.tenant_transaction(principal, read_only=True) as tx:
        if await tx.fetch_value(SQL.order_visible, tx.tenant_id, order_id) is None:
            raise UnknownOrder
    system = system_principal(principal.tenant_id, principal.subject)
    async with database.tenant_transaction(system, read_only=True) as tx:
        return await _times(tx, order_id, planner)


async def _times(tx: TenantTransaction, order_id: int, planner: OrderPlanner) -> list[Window]:
    order = (await tx.fetch(SQL.order_place, tx.tenant_id, order_id))[0]
    lines = await tx.fetch(SQL.lines_of_orders, tx.tenant_id, [order_id])
    fulfilments = await tx.fetch(SQL.live_fulfilments, tx.tenant_id, [order_id])
    today = planner.view.today
    if _waits(lines, fulfilments) or today is None:
        return []
    sent = await _sent(tx, order, lines, fulfilments)
    slots = await slots_of_days(tx, today, today + SLOTS_AHEAD)
    known = {slot.id for slot in slots}
    slots += await slots_by_ids(tx, [one for one in sent.booked if one not in known])
    book = await _slot_book(tx, slots, sent, planner)
    found: list[Window] = []
    for window in book.windows(sent.region_code, sent.installs):
        is_new = not any(one.lies_in(window) for one in found)
        if is_new and _find(book, sent, window) is not None:
            found.append(window)
        if len(found) == TIMES_MAX:
            break
    return found


async def _set(
    tx: TenantTransaction, order_id: int, agreed: Appointment, planner: OrderPlanner, actor: str
) -> OrderStatus:
    order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
    holds = await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)
    rows = await tx.fetch(SQL.lines_of_orders, tx.tenant_id, [order_id])
    fulfilments = await tx.fetch(SQL.live_fulfilments, tx.tenant_id, [order_id])
    if _waits(rows, fulfilments):
        raise NoAppointment(NOT_YET, path=("appointment",))
    sent = await _sent(tx, order, rows, fulfilments)
    bookings = await _book(tx, sent, agreed, planner)
    await _store(tx, order, agreed, bookings)
    ended = [row for row in holds if row["kind"] == HoldKind.APPOINTMENT]
    if ended:
        numbers = [row["hold_no"] for row in ended]
        await tx.execute(SQL.release_hold, tx.tenant_id, order_id, numbers, actor)
    is_held = len(holds) > len(ended)
    lines = [line_outcome(row) for row in rows]
    status = check_step(OrderStatus(order["status"]), derive_status(lines, is_held=is_held))
    time = (agreed.day, agreed.from_minute, agreed.to_minute)
    events = [StepEvent(OrderAppointmentSet(order_id, status, *time))]
    if ended:
        events.append(StepEvent(OrderHoldReleased(order_id, status, HoldKind.APPOINTMENT)))
    await write_step(tx, order, (lines, lines), status, events)
    await agreed_again(tx, order_id)
    return status


def _waits(lines: Sequence[Record], fulfilments: Sequence[Record]) -> bool:
    """Whether a part of an order has no node yet, or none of it is at a node any more."""
    return not _at_nodes(fulfilments) or any(row["backordered"] or row["held"] for row in lines)


def _at_nodes(fulfilments: Sequence[Record]) -> list[Record]:
    """Return the fulfilments that have not left their nodes: those that a time is agreed for."""
    return [row for row in fulfilments if row["status"] in NOT_GONE]


def _units_to_install(line: Record, status: InstallationStatus | None) -> int:
    """Return the units of a line for which somebody is needed, if they are installed."""
    if status is InstallationStatus.GIVEN_UP:
        return 0
    is_done = status is InstallationStatus.DONE
    there = 0 if is_done else line["delivered"]
    return int(line["reserved"] + line["at_node"] + line["shipped"] + there)


async def _sent(
    tx: TenantTransaction,
    order: Record,
    lines: Sequence[Record],
    fulfilments: Sequence[Record],
) -> _Sent:
    status = await installation_status(tx, order["id"])
    installed = [row["sku_id"] for row in lines if _units_to_install(row, status)]
    skus = await skus_by_ids(tx, installed)
    appointments = await tx.fetch(SQL.appointments_of_orders, tx.tenant_id, [order["id"]])
    decisions = await tx.fetch(SQL.decisions_of_orders, tx.tenant_id, [order["id"]])
    gone = {row["slot_id"] for row in fulfilments if row["status"] not in NOT_GONE}
    staying = _at_nodes(fulfilments)
    booked = {row["slot_id"] for row in staying} - gone
    booked |= {row["installation_slot_id"] for row in appointments}
    return _Sent(
        order["region_code"],
        frozenset(sku.category for sku in skus.values() if sku.needs_installation),
        frozenset(row["node_id"] for row in staying),
        max(row["recorded_at"] for row in (*staying, *decisions)),
        frozenset(booked - {None}),
        frozenset(gone - {None}),
    )


async def _book(
    tx: TenantTransaction, sent: _Sent, agreed: Appointment, planner: OrderPlanner
) -> Bookings:
    """Book a time's slots for those that were booked before. Raises NoAppointment."""
    window = Window(agreed.day, agreed.from_minute, agreed.to_minute)
    slots = await lock_slots(tx, [window], sent.booked)
    bookings = _find(await _slot_book(tx, slots, sent, planner), sent, window)
    if bookings is None:
        raise NoAppointment(NOT_THEN, path=("appointment",))
    moved = Counter(set(bookings.slots) - sent.gone)
    moved.subtract(sent.booked)
    await take_slots(tx, moved)
    return bookings


async def _slot_book(
    tx: TenantTransaction, slots: Collection[Slot], sent: _Sent, planner: OrderPlanner
) -> SlotBook:
    """Return the slots with an order's own visits as if they were free."""
    view, local = planner.view, planner.local
    delivery = None
    if local is not None:  # its parcels are on their way since then, or soon
        given_at = sent.given_at.astimezone(local.tzinfo)
        delivery = Delivery(view.nodes, view.regions, view.terms, min(given_at, local))
    as_if_free = [slot._replace(free=slot.free + (slot.id in sent.booked)) for slot in slots]
    return SlotBook(await list_slot_providers(tx), as_if_free, view, local, delivery)


def _find(book: SlotBook, sent: _Sent, window: Window) -> Bookings | None:
    """Return the visits by which an order comes at a time; None: it does not."""
    visit = Visit(window, sent.region_code, sent.installs)
    return book.book(visit, sent.nodes)


async def _store(
    tx: TenantTransaction, order: Record, agreed: Appointment, bookings: Bookings
) -> None:
    await tx.execute(
        SQL.set_appointment,
        tx.tenant_id,
        order["id"],
        order["dealer_id"],
        agreed.day,
        agreed.from_minute,
        agreed.to_minute,
        bookings.installation,
    )
    await tx.execute(
        SQL.set_fulfilment_slots,
        tx.tenant_id,
        order["id"],
        list(bookings.deliveries),
        list(bookings.deliveries.values()),
    )
