"""Slots and appointments: what their statements do."""

from collections.abc import Sequence

from loadtests.torture.database_server import Session
from loadtests.torture.rows import Fields, Row, chosen, row
from loadtests.torture.statement import Statements, Value

STATEMENTS = Statements()

APPOINTMENT = "order_id day from_minute to_minute is_booked installation_slot_id"
KEY = ("provider_id", "day", "first_minute", "end_minute")
"""Of a slot: the order in which slots are locked."""


@STATEMENTS.add
async def slot_providers(session: Session, tenant: int, after: int, limit: int) -> list[Row]:
    names = "id code name kind node_id regions categories is_active"
    return chosen((each for each in session.scan("slot_provider") if each["id"] > after), names)


@STATEMENTS.add
async def lock_slots(
    session: Session, tenant: int, days: Value, firsts: Value, ends: Value, ids: Sequence[int]
) -> list[Row]:
    windows = list(zip(days, firsts, ends, strict=True))
    found = [
        slot
        for slot in session.scan("slot")
        if slot["id"] in ids or any(_lies_in(slot, *window) for window in windows)
    ]
    return [_slot_row(slot) for slot in await _lock(session, found)]


@STATEMENTS.add
async def take_slots(session: Session, tenant: int, ids: Value, visits: Value) -> list[Row]:
    wanted = dict(zip(ids, visits, strict=True))
    found = [slot for slot in session.scan("slot") if slot["id"] in wanted]
    taken = []
    for slot in await _lock(session, found):
        count = wanted[slot["id"]]
        if count < 0 or slot["limit_visits"] - slot["taken"] >= count:
            session.change("slot", slot["id"], taken=slot["taken"] + count)
            taken.append(row(id=slot["id"]))
    return taken


@STATEMENTS.add
async def insert_appointments(session: Session, tenant: int, *arrays: Value) -> int:
    names = f"order_id dealer_id {APPOINTMENT.removeprefix('order_id ')}".split()
    for each in zip(*arrays, strict=True):
        await session.insert("order_appointment", each[0], dict(zip(names, each, strict=True)))
    return len(arrays[0])


@STATEMENTS.add
async def appointments_of_orders(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    found = (each for each in session.scan("order_appointment") if each["order_id"] in ids)
    return chosen(found, APPOINTMENT)


@STATEMENTS.add
async def installation_of(session: Session, tenant: int, order_id: int) -> list[Row]:
    return []  # nobody reports on visits here


@STATEMENTS.add
async def set_appointment(
    session: Session, tenant: int, order_id: int, dealer_id: int | None, *time: Value
) -> int:
    fields = dict(zip(APPOINTMENT.split(), (order_id, *time[:3], True, time[3]), strict=True))
    if await session.insert("order_appointment", order_id, {**fields, "dealer_id": dealer_id}):
        return 1
    await session.lock("order_appointment", order_id)
    session.change("order_appointment", order_id, **fields)
    return 1


@STATEMENTS.add
async def set_fulfilment_slots(
    session: Session, tenant: int, order_id: int, nodes: Value, slots: Value
) -> int:
    slot_of = dict(zip(nodes, slots, strict=True))
    return await _set_slots(session, order_id, slot_of)


@STATEMENTS.add
async def end_appointment(session: Session, tenant: int, order_id: int) -> int:
    await _set_slots(session, order_id, {})
    return await end_installation(session, tenant, order_id, is_booked=False)


@STATEMENTS.add
async def end_installation(session: Session, tenant: int, order_id: int, **also: Value) -> int:
    await session.lock("order_appointment", order_id)
    session.change("order_appointment", order_id, installation_slot_id=None, **also)
    return 1


async def _set_slots(session: Session, order_id: int, slot_of: dict[int, int]) -> int:
    """Set the slots of the fulfilments of an order that stand, node by node."""
    live = [
        (each["order_id"], each["fulfilment_no"], each["node_id"])
        for each in session.scan("fulfilment")
        if each["order_id"] == order_id and each["status"] != "cancelled"
    ]
    for *key, node_id in live:
        await session.lock("fulfilment", tuple(key))
        session.change("fulfilment", tuple(key), slot_id=slot_of.get(node_id))
    return len(live)


async def _lock(session: Session, slots: Sequence[Fields]) -> list[Fields]:
    ordered = sorted(slots, key=lambda slot: [slot[name] for name in KEY])
    locked = [await session.lock("slot", slot["id"]) for slot in ordered]
    return [slot for slot in locked if slot is not None]


def _lies_in(slot: Fields, day: Value, first: int, end: int) -> bool:
    is_within = first <= slot["first_minute"] and slot["end_minute"] <= end
    return bool(slot["day"] == day and is_within)


def _slot_row(slot: Fields) -> Row:
    left = slot["limit_visits"] - slot["taken"]
    return row(
        **{name: slot[name] for name in (*KEY, "id", "limit_visits")},
        free=left,
    )
