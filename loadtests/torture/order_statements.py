"""Orders, keys, events and epochs: what their statements do."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from loadtests.torture.database_server import Session
from loadtests.torture.rows import Fields, Row, chosen, row
from loadtests.torture.statement import Statements, Value
from loadtests.torture.stock_statements import clock, free

STATEMENTS = Statements()

SKU = (
    "id code name category product_line weight_g length_mm width_mm height_mm needs_installation"
    " attributes is_active"
)
SHOP = "id code name channel dealer_id legal_entity_id is_active"
ORDER = (
    "id",
    "shop_id",
    "external_id",
    "dealer_id",
    "status",
    "shortage",
    "currency",
    "goods_minor",
    "line_discount_minor",
    "order_discount_minor",
    "freight_minor",
    "fees_minor",
    "total_minor",
    "buyer_name",
    "buyer_phone",
    "region_code",
    "address",
    "remark",
    "ordered_at",
    "event_sequence",
    "fulfilment_count",
    "reservation_count",
    "decision_count",
    "outcome",
    "traits",
    "is_paid",
    "pickup_node_id",
)
LINE = (
    "order_id",
    "line_no",
    "dealer_id",
    "sku_id",
    "sku_code",
    "quantity",
    "reserved",
    "backordered",
    "held",
    "cancelled",
    "unit_price_minor",
    "line_discount_minor",
    "order_discount_minor",
    "amount_minor",
    "agreement_id",
    "dealer_price_minor",
    "quota_account_id",
    "item_code",
)
HOLD = (
    "order_id",
    "hold_no",
    "line_no",
    "dealer_id",
    "kind",
    "reason",
)
FULFILMENT = (
    "order_id",
    "fulfilment_no",
    "node_id",
    "dealer_id",
    "capacity_day",
    "buyer_name",
    "buyer_phone",
    "region_code",
    "address",
    "slot_id",
)
RESERVATION = (
    "order_id",
    "reservation_no",
    "line_no",
    "fulfilment_no",
    "functional_warehouse_id",
    "sku_id",
    "node_id",
    "dealer_id",
    "quantity",
    "earmark_id",
    "allotment_ids",
)
EVENT = (
    "type",
    "order_id",
    "sequence",
    "dealer_id",
    "node_id",
    "payload",
    "actor",
)
UNITS = ("reserved", "backordered", "held", "cancelled", "at_node")


# ---------------------------------------------------------------------- keys


@STATEMENTS.add
async def claim_keys(session: Session, tenant: int, keys: Value) -> list[Row]:
    return [row(claim_keys=await _claim_keys(session, keys))]


async def _claim_keys(session: Session, keys: Value) -> int:
    inserted = 0
    for name, mark, order_id in sorted(keys):
        fields = {"key": name, "fingerprint": mark, "order_id": order_id, "outcome": None}
        inserted += await session.insert("command_key", name, {**fields, "by": session})
    return inserted


@STATEMENTS.add
async def read_keys(session: Session, tenant: int, names: Sequence[str]) -> list[Row]:
    rows = []
    for name in names:
        key = session.find("command_key", name)
        if key is not None:
            order = session.find("orders", key["order_id"])
            hold = session.find("stock_hold", key["order_id"])
            rows.append(
                row(
                    key=name,
                    fingerprint=key["fingerprint"],
                    is_new=key["by"] is session,
                    outcome=(order["outcome"] if order else None)
                    or (hold["outcome"] if hold else key["outcome"]),
                )
            )
    return rows


@STATEMENTS.add
async def delete_keys(session: Session, tenant: int, names: Sequence[str]) -> int:
    for name in names:
        await session.delete("command_key", name)
    return len(names)


@STATEMENTS.add
async def claim_command(session: Session, tenant: int, name: str, mark: bytes) -> list[Row]:
    fields = {"key": name, "fingerprint": mark, "order_id": None, "outcome": None, "by": session}
    return [row(key=name)] if await session.insert("command_key", name, fields) else []


@STATEMENTS.add
async def read_command(session: Session, tenant: int, name: str) -> list[Row]:
    key = session.find("command_key", name)
    return chosen([key], "fingerprint outcome") if key else []


@STATEMENTS.add
async def store_command(session: Session, tenant: int, name: str, outcome: str) -> int:
    await session.lock("command_key", name)
    session.change("command_key", name, outcome=outcome)
    return 1


# -------------------------------------------------------------------- orders


@STATEMENTS.add
async def look_again(
    session: Session,
    tenant: int,
    kinds: Value,
    users: Value,
    keys: Value,
    dealers: Value,
    node_ids: Value,
    skus: Value,
    dealings: Value,
) -> list[Row]:
    assert not dealings, "there are no dealers' shops here"
    rows = [row(kind="authority", id=ordinal) for ordinal in range(1, len(kinds) + 1)]
    for kind, table, ids in (("closed", "node", node_ids), ("retired", "sku", skus)):
        for number in ids:
            found = session.find(table, number)
            if found is not None and not found["is_active"]:
                rows.append(row(kind=kind, id=number))
    return rows


@STATEMENTS.add
async def insert_orders(
    session: Session,
    tenant: int,
    orders: Value,
    lines: Value,
    fees: Value,
    holds: Value,
    fulfilments: Value,
    reservations: Value,
    decisions: Value,
    keys: Value,
    events: Value,
) -> list[Row]:
    claimed = await _claim_keys(session, keys)
    for each in orders:
        fields = {
            **dict(zip(ORDER, each, strict=True)),
            "placed_at": clock(),
            "node_by_hand_id": None,
        }
        assert await session.insert("orders", each[0], fields), "an order id is given twice"
    for each in lines:
        units = dict.fromkeys(("at_node", "shipped", "delivered"), 0)
        fields = {**dict(zip(LINE, each, strict=True)), **units}
        await session.insert("order_line", each[:2], fields)
    for each in holds:
        fields = {**dict(zip(HOLD, each, strict=True)), "released_at": None, "claimed_by": None}
        await session.insert("order_hold", each[:2], fields)
    for each in fulfilments:
        fields = {**dict(zip(FULFILMENT, each, strict=True)), "status": "reserved"}
        fields["recorded_at"] = clock()
        await session.insert("fulfilment", each[:2], fields)
    for each in reservations:
        fields = dict(zip(RESERVATION, each, strict=True))
        fields |= {"active": fields["quantity"], "picked": 0, "shipped": 0}
        await session.insert("reservation", each[:2], fields)
    for each in decisions:
        told = {"order_id": each[0], "recorded_at": clock()}
        await session.insert("routing_decision", each[:2], told)
    await append_events(session, tenant, events)
    return [row(claimed=claimed, append_events=None)]


@STATEMENTS.add
async def lines_that_expect(session: Session, tenant: int, skus: Value, limit: int) -> list[Row]:
    return []


@STATEMENTS.add
async def holds_of_orders(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    return []


@STATEMENTS.add
async def lock_holds_of_order(session: Session, tenant: int, order_id: int) -> list[Row]:
    return []


def of_orders(session: Session, table: str, order_ids: Sequence[int]) -> Iterator[Fields]:
    """Return the rows of a table that belong to orders."""
    return (each for each in session.scan(table) if each["order_id"] in order_ids)


@STATEMENTS.add
async def lock_orders(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    locked = [await session.lock("orders", each) for each in sorted(ids)]
    return chosen(
        (order for order in locked if order is not None),
        "id dealer_id shop_id status buyer_name buyer_phone region_code address event_sequence"
        " fulfilment_count reservation_count decision_count pickup_node_id is_paid node_by_hand_id",
    )


@STATEMENTS.add
async def lines_of_orders(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    names = (
        "order_id line_no sku_id sku_code quantity reserved backordered held cancelled at_node"
        " shipped delivered"
    )
    return chosen(of_orders(session, "order_line", ids), names)


@STATEMENTS.add
async def open_holds(session: Session, tenant: int, order_id: int) -> list[Row]:
    return chosen(
        (e for e in of_orders(session, "order_hold", [order_id]) if e["released_at"] is None),
        "hold_no line_no kind claimed_by",
    )


@STATEMENTS.add
async def held_orders(
    session: Session, tenant: int, ids: Sequence[int], kinds: Sequence[str] | None
) -> list[Row]:
    held = {
        each["order_id"]
        for each in of_orders(session, "order_hold", ids)
        if each["released_at"] is None and (kinds is None or each["kind"] in kinds)
    }
    return [row(order_id=order_id) for order_id in sorted(held)]


@STATEMENTS.add
async def move_line_units(session: Session, tenant: int, *arrays: Value) -> int:
    moved = list(zip(*arrays, strict=True))
    for order_id, line_no, *deltas in moved:
        line = await session.lock("order_line", (order_id, line_no))
        assert line is not None
        changed = {name: line[name] + by for name, by in zip(UNITS, deltas, strict=True)}
        session.change("order_line", (order_id, line_no), **changed)
    return len(moved)


@STATEMENTS.add
async def update_orders(session: Session, tenant: int, *arrays: Value) -> int:
    names = ["status", "event_sequence", "fulfilment_count", "reservation_count", "decision_count"]
    updated = list(zip(*arrays, strict=True))
    for order_id, *values in updated:
        await session.lock("orders", order_id)
        session.change("orders", order_id, **dict(zip(names, values, strict=True)))
    return len(updated)


@STATEMENTS.add
async def release_hold(
    session: Session, tenant: int, order_id: int, numbers: Sequence[int], actor: str
) -> int:
    for number in numbers:
        await session.lock("order_hold", (order_id, number))
        session.change("order_hold", (order_id, number), released_at=clock())
    return len(numbers)


@STATEMENTS.add
async def order_visible(session: Session, tenant: int, order_id: int) -> list[Row]:
    return [row(id=order_id)] if session.find("orders", order_id) else []


@STATEMENTS.add
async def waiting_orders(
    session: Session,
    tenant: int,
    place: int,
    after_time: datetime,
    after_id: int,
    warehouse_ids: Sequence[int],
    limit: int,
) -> list[Row]:
    there = {
        level["sku_id"]
        for level in session.scan("stock_level")
        if (free(level) > 0 or level["earmark_unused"] > 0)
        and level["functional_warehouse_id"] in warehouse_ids
    }
    found = set()
    for line in session.scan("order_line"):
        order = session.find("orders", line["order_id"])
        assert order is not None
        position = (order["placed_at"], order["id"])
        if line["backordered"] and line["sku_id"] in there and position > (after_time, after_id):
            found.add(position)
    return [row(place=place, placed_at=at, id=order_id) for at, order_id in sorted(found)[:limit]]


@STATEMENTS.add
async def backorders(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    return _wanted(session, ids, "backordered")


@STATEMENTS.add
async def allocated_lines(session: Session, tenant: int, ids: Sequence[int]) -> list[Row]:
    return _wanted(session, ids, "reserved")


def _wanted(session: Session, ids: Sequence[int], units: str) -> list[Row]:
    """Return the lines of orders that have such units, as they are planned on."""
    rows = []
    for line in of_orders(session, "order_line", ids):
        if line[units]:
            order = session.find("orders", line["order_id"])
            assert order is not None
            rows.append(
                (
                    (order["placed_at"], order["id"], line["line_no"]),
                    row(
                        order_id=order["id"],
                        shop_id=order["shop_id"],
                        dealer_id=order["dealer_id"],
                        region_code=order["region_code"],
                        total_minor=order["total_minor"],
                        remark=order["remark"],
                        traits=order["traits"],
                        shortage=order["shortage"],
                        only_node_id=order["pickup_node_id"],
                        is_paid=order["is_paid"],
                        line_no=line["line_no"],
                        sku_id=line["sku_id"],
                        wanted=line[units],
                        quantity=line["quantity"],
                        amount_minor=line["amount_minor"],
                    ),
                )
            )
    return [each for _, each in sorted(rows, key=lambda pair: pair[0])]


@STATEMENTS.add
async def append_events(session: Session, tenant: int, events: Value) -> int:
    for each in events:
        number = session.server.next_number("outbox")
        await session.insert("outbox", number, dict(zip(EVENT, each, strict=True)))
    return len(events)


@STATEMENTS.add
async def mark_events(session: Session) -> int:
    return 1


# ----------------------------------------------- what an order is understood by


@STATEMENTS.add
async def brands(session: Session) -> list[Row]:
    return chosen(session.scan("brand"), "id group_id code name currency time_zone")


@STATEMENTS.add
async def skus_by_codes(session: Session, tenant: int, codes: Sequence[str]) -> list[Row]:
    return chosen(
        (each for each in session.scan("sku") if each["code"] in codes and each["is_active"]), SKU
    )


@STATEMENTS.add
async def shops_by_codes(session: Session, tenant: int, codes: Sequence[str]) -> list[Row]:
    return chosen((each for each in session.scan("shop") if each["code"] in codes), SHOP)


@STATEMENTS.add
async def take_order_ids(session: Session, blocks: int) -> list[Row]:
    return [row(first=session.server.next_number("order_id", 256)) for _ in range(blocks)]


@STATEMENTS.add
async def ensure_partitions(session: Session) -> list[Row]:
    return [row(ensure_partitions=0)]


# -------------------------------------------------------------------- epochs


@STATEMENTS.add
async def read_epoch(session: Session, tenant: int) -> list[Row]:
    at = session.find("admission_epoch", tenant)
    return chosen([at], "epoch run_id replication_id") if at else []


@STATEMENTS.add
async def create_epoch(session: Session, tenant: int) -> int:
    fields = {"epoch": 1, "run_id": "", "replication_id": ""}
    return int(await session.insert("admission_epoch", tenant, fields))


@STATEMENTS.add
async def raise_epoch(
    session: Session,
    tenant: int,
    epoch: int,
    run_id: str,
    new_run_id: str,
    new_replication_id: str,
    replication_id: str,
) -> list[Row]:
    at = await session.lock("admission_epoch", tenant)
    if at is None or (at["epoch"], at["run_id"], at["replication_id"]) != (
        epoch,
        run_id,
        replication_id,
    ):
        return []
    session.change(
        "admission_epoch",
        tenant,
        epoch=epoch + 1,
        run_id=new_run_id,
        replication_id=new_replication_id,
    )
    return [row(epoch=epoch + 1)]
