"""Agreeing with an order on a time (预约): it is delivered and installed then, or nothing is."""

from collections import Counter

from backend.catalog.find_skus import skus_by_ids
from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.network.slots import Window, list_slot_providers, lock_slots, take_slots
from backend.orders.claim import SQL
from backend.orders.errors import NoAppointment
from backend.orders.events import OrderAppointmentSet, OrderHoldReleased
from backend.orders.model import Appointment, HoldKind, OrderStatus
from backend.orders.normalise import check_appointment
from backend.orders.states import check_step, derive_status
from backend.orders.step import StepEvent, changing_order, line_outcome, write_step
from backend.routing.network_view import NetworkView
from backend.routing.slot_book import Bookings, SlotBook, Visit
from tenants.principal import Permission, Principal


async def set_appointment(
    database: Database,
    principal: Principal,
    order_id: int,
    agreed: Appointment,
    view: NetworkView,
    key: str,
) -> OrderStatus:
    """Agree with an order on a time, or on another one, and return its status.

    What was booked before is given back and what the new time takes is booked, all of it or, if
    that is not possible, nothing changes. An order that was held for want of a time no longer is.
    Locks the key, the order, then the slots in order. Emits `order.appointment_set` and, where a
    hold ends, `order.hold_released`. Raises UnknownOrder, InvalidOrder, NoAppointment,
    CommandConflict; then nothing has changed. The same key answers the same again.
    """
    check_appointment(agreed)
    async with changing_order(database, principal, order_id, Permission.ORDERS_PLACE) as tx:
        return await apply_once(
            tx,
            key,
            ("set_appointment", order_id, agreed),
            OrderStatus,
            lambda: _set(tx, order_id, agreed, view, principal.subject),
        )


async def _set(
    tx: TenantTransaction, order_id: int, agreed: Appointment, view: NetworkView, actor: str
) -> OrderStatus:
    order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
    holds = await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)
    rows = await tx.fetch(SQL.lines_of_orders, tx.tenant_id, [order_id])
    lines = [line_outcome(row) for row in rows]
    fulfilments = await tx.fetch(SQL.live_fulfilments, tx.tenant_id, [order_id])
    if not fulfilments or any(line.backordered or line.held for line in lines):
        raise NoAppointment("A time is agreed once all of the order has a node to come from.")
    skus = await skus_by_ids(tx, [row["sku_id"] for row in rows if row["reserved"]])
    visit = Visit(
        Window(agreed.day, agreed.from_minute, agreed.to_minute),
        order["region_code"],
        frozenset(sku.category for sku in skus.values() if sku.needs_installation),
    )
    bookings = await _book(tx, order_id, visit, fulfilments, view)
    await _store(tx, order, agreed, bookings)
    ended = [row for row in holds if row["kind"] == HoldKind.APPOINTMENT]
    if ended:
        numbers = [row["hold_no"] for row in ended]
        await tx.execute(SQL.release_hold, tx.tenant_id, order_id, numbers, actor)
    is_held = len(holds) > len(ended)
    status = check_step(OrderStatus(order["status"]), derive_status(lines, is_held=is_held))
    time = (agreed.day, agreed.from_minute, agreed.to_minute)
    events = [StepEvent(OrderAppointmentSet(order_id, status, *time))]
    if ended:
        events.append(StepEvent(OrderHoldReleased(order_id, status, HoldKind.APPOINTMENT)))
    await write_step(tx, order, (lines, lines), status, events)
    return status


async def _book(
    tx: TenantTransaction,
    order_id: int,
    visit: Visit,
    fulfilments: list[Record],
    view: NetworkView,
) -> Bookings:
    """Book a visit's slots for those that were booked before. Raises NoAppointment."""
    appointments = await tx.fetch(SQL.appointments_of_orders, tx.tenant_id, [order_id])
    before = {row["slot_id"] for row in fulfilments}
    before |= {row["installation_slot_id"] for row in appointments}
    before.discard(None)
    slots = await lock_slots(tx, [visit.window], before)
    as_if_free = [slot._replace(free=slot.free + (slot.id in before)) for slot in slots]
    book = SlotBook(await list_slot_providers(tx), as_if_free, view)
    nodes = {row["node_id"] for row in fulfilments}
    bookings = None if nodes & book.without(visit) else book.book(visit, nodes)
    if bookings is None:
        raise NoAppointment
    moved = Counter(bookings.slots)
    moved.subtract(before)
    await take_slots(tx, moved)
    return bookings


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
