"""The auditor: reads what was placed, asks the rules, and holds what they say.

It follows the event log of each brand that has rules, beside the intake and not in it: placing an
order costs nothing more, and no order is released to a node before it was audited.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from backend.catalog.find_skus import skus_by_ids
from backend.catalog.model import Sku
from backend.channels.model import Shop
from backend.channels.shops import shops_by_ids
from backend.db.pool import Database, Record, TenantTransaction
from backend.events.log import read_page
from backend.events.model import Position
from backend.network.regions.table import RegionTable
from backend.orders.auditing.model import FLOOR_ATTRIBUTE, Action
from backend.orders.auditing.rules import SQL, CompiledRule, audit_rules, compile_rules
from backend.orders.claim import SQL as ORDER_SQL
from backend.orders.events import OrderHeld, OrderPlaced
from backend.orders.model import HoldKind
from backend.orders.place_hold import add_hold
from backend.orders.states import ORDER, check_step, derive_status
from backend.orders.step import StepEvent, lines_of_order, write_step
from backend.routing.traits import OrderTraits
from tenants.principal import system_principal

MARK_BYTES = 16
PERCENT = 100
DECODE_TRAITS = msgspec.json.Decoder(OrderTraits)


class Audited(NamedTuple):
    """How many orders were audited and how many of them held; whether there is more to read."""

    orders: int
    held: int
    has_more: bool


class _Ground(NamedTuple):
    """What orders are seen by."""

    shops: Mapping[int, Shop]
    skus: Mapping[int, Sku]
    lines: Mapping[int, Sequence[Record]]
    counts: Mapping[tuple[int, str], Record]
    """Of each order, what is known of its telephone number and of its address."""
    regions: RegionTable


async def audit_placed(database: Database, tenant_id: int, regions: RegionTable) -> Audited:
    """Audit the next orders of a brand, each once; nothing where it has no rules.

    Several processes may do so at once: one of them reads, the others go on. Locks how far the
    events are read, then the orders that are held. Emits `order.held`.
    """
    async with database.tenant_transaction(system_principal(tenant_id, "audit")) as tx:
        reading = await tx.fetch_row(SQL.take_reading, tx.tenant_id)
        if reading is None:
            return Audited(0, 0, has_more=False)
        page = await read_page(tx, Position(*reading))
        ids = [
            event.order_id
            for event in page.events
            if event.type == OrderPlaced.TYPE and event.order_id is not None
        ]
        orders = held = 0
        if ids:
            orders, held = await _audit(tx, ids, regions)
        await tx.execute(SQL.move_reading, tx.tenant_id, *page.position)
        return Audited(orders, held, page.has_more)


async def unaudited_orders(tx: TenantTransaction, ids: Sequence[int]) -> frozenset[int]:
    """Return which of these orders are to be audited and were not yet."""
    rows = await tx.fetch(SQL.unaudited_orders, tx.tenant_id, ids)
    return frozenset(row["id"] for row in rows)


async def _audit(
    tx: TenantTransaction, ids: Sequence[int], regions: RegionTable
) -> tuple[int, int]:
    orders = await tx.fetch(SQL.orders_to_audit, tx.tenant_id, ids)
    if not orders:
        return 0, 0
    rules = compile_rules(await audit_rules(tx))
    ground = await _look_up(tx, orders, regions)
    said = {order["id"]: _ask(rules, _facts(order, ground)) for order in orders}
    await tx.execute(
        SQL.insert_audits,
        tx.tenant_id,
        list(said),
        [msgspec.json.encode([one.rule.code for one in found]).decode() for found in said.values()],
    )
    to_hold = {order_id: found for order_id, found in said.items() if found}
    await _hold(tx, to_hold)
    return len(orders), len(to_hold)


def _ask(rules: Iterable[CompiledRule], facts: Mapping[str, Any]) -> list[CompiledRule]:
    """Return the rules that hold an order: all that are for it, up to one that lets it pass."""
    found = []
    for one in rules:
        if one.is_for(facts):
            if one.rule.action is Action.PASS:
                break
            found.append(one)
    return found


async def _hold(tx: TenantTransaction, said: Mapping[int, Sequence[CompiledRule]]) -> None:
    """Hold orders, each for every rule that says so; what is over already is left alone."""
    for order in await tx.fetch(ORDER_SQL.lock_orders, tx.tenant_id, sorted(said)):
        if order["status"] not in ORDER.step("hold").sources:
            continue
        lines = await lines_of_order(tx, order["id"])
        status = check_step(order["status"], derive_status(lines, is_held=True))
        events = []
        for one in said[order["id"]]:
            placed_by = f"rule:{one.rule.code}"
            number = await add_hold(tx, order, HoldKind.AUDIT, one.rule.name, placed_by=placed_by)
            payload = OrderHeld(order["id"], status, number, one.rule.name, placed_by)
            events.append(StepEvent(payload))
        await write_step(tx, order, (lines, lines), status, events)


async def _look_up(
    tx: TenantTransaction, orders: Sequence[Record], regions: RegionTable
) -> _Ground:
    ids = [order["id"] for order in orders]
    lines: defaultdict[int, list[Record]] = defaultdict(list)
    for row in await tx.fetch(SQL.lines_to_audit, tx.tenant_id, ids):
        lines[row["order_id"]].append(row)
    sku_ids = {row["sku_id"] for rows in lines.values() for row in rows} - {None}
    marks = [mark for order in orders for mark in _marks(order)]
    counts: dict[tuple[int, str], Record] = {}
    if marks:
        columns = [list(column) for column in zip(*marks, strict=True)]
        await tx.execute(SQL.insert_marks, tx.tenant_id, *columns)
        for row in await tx.fetch(SQL.count_marks, tx.tenant_id, *columns):
            counts[row["order_id"], row["kind"]] = row
    return _Ground(
        await shops_by_ids(tx, list({order["shop_id"] for order in orders})),
        await skus_by_ids(tx, list(sku_ids)),
        lines,
        counts,
        regions,
    )


def _marks(order: Record) -> list[tuple[str, bytes, datetime, int]]:
    """Return what tells whose order it is: no names, and nothing that can be read back."""
    where = f"{order['region_code']}/{''.join(order['address'].split())}"
    texts = {"phone": order["buyer_phone"].strip(), "address": where if order["address"] else ""}
    return [
        (
            kind,
            hashlib.blake2b(text.encode(), digest_size=MARK_BYTES).digest(),
            order["placed_at"],
            order["id"],
        )
        for kind, text in texts.items()
        if text
    ]


def _facts(order: Record, ground: _Ground) -> dict[str, Any]:
    """Return what rules may ask about an order."""
    shop, lines = ground.shops[order["shop_id"]], ground.lines.get(order["id"], ())
    traits = DECODE_TRAITS.decode(order["traits"])
    phone = ground.counts.get((order["id"], "phone"))
    address = ground.counts.get((order["id"], "address"))
    discount = order["line_discount_minor"] + order["order_discount_minor"]
    goods = order["goods_minor"]
    return {
        "order.shop": shop.code,
        "order.channel": shop.channel,
        "order.is_dealers": shop.dealer_id is not None,
        "order.type": traits.order_type,
        "order.region": {str(one.code) for one in ground.regions.ancestors(order["region_code"])}
        if order["region_code"]
        else None,
        "order.amount_minor": order["total_minor"],
        "order.discount_percent": discount * PERCENT // goods if goods else 0,
        "order.lines": len(lines),
        "order.units": sum(line["quantity"] for line in lines),
        "order.most_units": max((line["quantity"] for line in lines), default=0),
        "order.is_below_floor": any(_is_below_floor(line, ground.skus) for line in lines),
        "order.is_paid": order["is_paid"],
        "order.payment": traits.payment,
        "order.customer_level": traits.customer_level,
        "order.tags": set(traits.tags),
        "order.promotions": set(traits.promotions),
        "order.has_remark": bool(order["remark"].strip()),
        "order.remark": order["remark"],
        "buyer.has_phone": phone is not None,
        "buyer.is_new": None if phone is None else not phone["has_earlier"],
        "buyer.orders_of_day": None if phone is None else phone["of_day"],
        "address.length": len(order["address"].strip()),
        "address.orders_of_day": None if address is None else address["of_day"],
    }


def _is_below_floor(line: Record, skus: Mapping[int, Sku]) -> bool:
    """Whether what is paid for a unit, all discounts taken off, lies below the floor of its SKU."""
    sku = skus.get(line["sku_id"])
    floor = None if sku is None else sku.attributes.get(FLOOR_ATTRIBUTE)
    return isinstance(floor, int) and line["amount_minor"] < floor * line["quantity"]
