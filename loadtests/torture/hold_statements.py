"""Stock holds: what their statements do."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from loadtests.torture.database_server import Session
from loadtests.torture.rows import Fields, Row, chosen, row
from loadtests.torture.statement import Statements, Value
from loadtests.torture.stock_statements import clock

STATEMENTS = Statements()

HOLD = (
    "id",
    "kind",
    "shop_id",
    "external_id",
    "dealer_id",
    "seconds",
    "taken_by",
    "outcome",
    "order_id",
)
PART = (
    "hold_id",
    "part_no",
    "functional_warehouse_id",
    "sku_id",
    "node_id",
    "dealer_id",
    "quantity",
    "earmark_id",
    "allotment_ids",
)
SEEN = "id kind shop_id external_id dealer_id state expires_at taken_by taken_at ended_at order_id"


@STATEMENTS.add
async def insert_stock_holds(session: Session, tenant: int, holds: Value, parts: Value) -> int:
    for each in holds:
        fields = dict(zip(HOLD, each, strict=True))
        expires_at = clock() + timedelta(seconds=fields["seconds"])
        state = {"state": "active", "taken_at": clock(), "ended_at": None}
        await session.insert("stock_hold", each[0], {**fields, "expires_at": expires_at, **state})
    for each in parts:
        await session.insert("stock_hold_part", each[:2], dict(zip(PART, each, strict=True)))
    return len(parts)


@STATEMENTS.add
async def lock_stock_holds(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    locked = [await session.lock("stock_hold", each) for each in sorted(ids)]
    return chosen((hold for hold in locked if hold is not None), "id shop_id state order_id")


@STATEMENTS.add
async def lock_due_holds(
    session: Session, tenant: int, skus: Value, wanted: Collection[int], limit: int
) -> list[Row]:
    found: list[Fields] = []
    for hold in list(session.scan("stock_hold")):
        owner = session.server.owners.get(("stock_hold", hold["id"]), session)
        is_due = hold["state"] == "active" and hold["expires_at"] <= clock()
        is_of = skus is None or any(
            part["sku_id"] in skus for part in _parts(session, [hold["id"]])
        )
        if is_due and is_of and owner is session and hold["id"] not in wanted:
            locked = await session.lock("stock_hold", hold["id"])
            assert locked is not None, "nobody deletes a hold"
            found.append(locked)
    return chosen(found[:limit], "id shop_id state order_id")


@STATEMENTS.add
async def parts_of_holds(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    names = "hold_id functional_warehouse_id sku_id quantity earmark_id allotment_ids"
    return chosen(_parts(session, ids), names)


@STATEMENTS.add
async def end_stock_holds(
    session: Session, tenant: int, ids: Sequence[int], state: str, order_ids: Sequence[int | None]
) -> int:
    for hold_id, order_id in zip(ids, order_ids, strict=True):
        session.change("stock_hold", hold_id, state=state, ended_at=clock(), order_id=order_id)
    return len(ids)


@STATEMENTS.add
async def has_active_holds(session: Session, tenant: int) -> list[Row]:
    return [row(exists=any(h["state"] == "active" for h in session.scan("stock_hold")))]


@STATEMENTS.add
async def stock_holds_by_ids(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    return chosen((h for h in session.scan("stock_hold") if h["id"] in ids), SEEN)


def _parts(session: Session, ids: Sequence[int]) -> list[Fields]:
    return [part for part in session.scan("stock_hold_part") if part["hold_id"] in ids]
