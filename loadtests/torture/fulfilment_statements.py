"""Fulfilments and reservations of orders: what their statements do."""

from collections.abc import Sequence

from loadtests.torture.database_server import Session
from loadtests.torture.order_statements import of_orders
from loadtests.torture.rows import Row, chosen
from loadtests.torture.statement import Statements, Value

STATEMENTS = Statements()


@STATEMENTS.add
async def live_fulfilments(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    live = (each for each in of_orders(session, "fulfilment", ids) if each["status"] != "cancelled")
    return chosen(live, "order_id fulfilment_no node_id capacity_day slot_id recorded_at status")


@STATEMENTS.add
async def active_reservations(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    active = []
    for each in of_orders(session, "reservation", ids):
        sent = session.find("fulfilment", (each["order_id"], each["fulfilment_no"]))
        assert sent is not None
        if each["active"]:
            active.append({**each, "is_at_node": sent["status"] != "reserved"})
    return chosen(
        active,
        "order_id reservation_no line_no fulfilment_no functional_warehouse_id sku_id node_id"
        " active earmark_id allotment_ids picked is_at_node",
    )


@STATEMENTS.add
async def release_reservations(session: Session, tenant: int, *arrays: Value) -> int:
    released = list(zip(*arrays, strict=True))
    for order_id, number, quantity in released:
        at = await session.lock("reservation", (order_id, number))
        assert at is not None
        session.change("reservation", (order_id, number), active=at["active"] - quantity)
    return len(released)


@STATEMENTS.add
async def cancel_fulfilments(session: Session, tenant: int, *arrays: Value) -> int:
    cancelled = list(zip(*arrays, strict=True))
    for key in cancelled:
        await session.lock("fulfilment", key)
        session.change("fulfilment", key, status="cancelled")
    return len(cancelled)


@STATEMENTS.add
async def sent_skus(session: Session, tenant: int, order_id: int) -> list[Row]:
    sent = (each for each in of_orders(session, "reservation", [order_id]) if each["shipped"])
    return chosen(sent, "sku_id")
