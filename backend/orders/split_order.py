"""Splitting an order by hand (手工拆单): which of its units come from where."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from backend.db.commands import apply_once_or_preview
from backend.db.pool import Database, Record, TenantTransaction
from backend.inventory.counters import Counters
from backend.network.capacity import CapacityKey, create_capacities
from backend.network.model import Node
from backend.network.nodes import nodes_by_codes
from backend.orders.claim import SQL
from backend.orders.errors import InvalidEdit, OrderChanged
from backend.orders.events import Edit, OrderEdited
from backend.orders.model import TEXT_MAX, OrderStatus
from backend.orders.plan_reroutes import Move, Standby, difference, read_standbys
from backend.orders.reroute_orders import Abandoned, carry_out
from backend.orders.shape import NO_BATCH, Circumstances
from backend.orders.step import changing_order
from backend.orders.work import Share, Work
from backend.routing.live_book import LiveBook
from tenants.principal import Kind, Permission, PermissionMissing, Principal

PARTS_MAX = 50
NOT_NOW = (
    "An order is split while all of it is reserved, and no location has begun with it; one whose "
    "time is agreed, that is fetched, or that has units from an earmark, is not."
)
TOO_LITTLE = "A location has too little of it, or takes no more parcels today; look again."


class SplitLine(NamedTuple):
    """Units of a line."""

    line_no: int
    quantity: int


class SplitPart(NamedTuple):
    """What a location sends, by its code."""

    location: str
    lines: Sequence[SplitLine]


class Split(msgspec.Struct, frozen=True):
    """What a split came to; counters are to be published after the commit."""

    order_id: int
    version: int
    edits: tuple[Edit, ...]
    moved: int
    """Units that come from elsewhere now."""
    counters: Counters


async def split_order(
    database: Database,
    principal: Principal,
    order_id: int,
    parts: Sequence[SplitPart],
    live: LiveBook,
    reason: str,
    *,
    seen: int,
    key: str,
    is_preview: bool = False,
) -> Split:
    """Let all units of an order come from where `parts` say, once; a preview changes nothing.

    Each unit of each line stands in one of the parts. What comes from elsewhere than before is
    reserved there and free where it was, or nothing changes; routing leaves the order alone from
    then on. For the brand. Locks the key, the order, then its counters in order. Emits
    `order.edited`, and what comes with it of `fulfilment.created`, `fulfilment.changed` and
    `fulfilment.cancelled`. Raises PermissionMissing, WriteRefused, UnknownOrder, OrderChanged,
    InvalidEdit, CommandConflict; then nothing has changed.
    """
    if principal.kind in (Kind.DEALER, Kind.STORE):
        raise PermissionMissing(Permission.ORDERS_PLACE)
    _check(parts, reason)
    await live.freshen()

    async def work(tx: TenantTransaction) -> Split:
        return await _split(tx, order_id, parts, live, reason, seen)

    door = changing_order(database, principal, order_id, Permission.ORDERS_PLACE)
    command = key, ("split", order_id, parts, reason, seen)
    return await apply_once_or_preview(door, command, Split, work, is_preview=is_preview)


async def _split(
    tx: TenantTransaction,
    order_id: int,
    parts: Sequence[SplitPart],
    live: LiveBook,
    reason: str,
    seen: int,
) -> Split:
    order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
    if order["event_sequence"] != seen:
        raise OrderChanged(order["event_sequence"])
    standbys = await read_standbys(tx, [order_id])
    if order["status"] != OrderStatus.ALLOCATED or order["pickup_node_id"] or not standbys:
        raise InvalidEdit(NOT_NOW)
    standby = standbys[0]
    nodes = await _nodes(tx, parts, order["dealer_id"])
    _check_units(parts, standby)
    work = Work(standby.order, asyncio.get_running_loop().create_future())
    taken: Counter[tuple[int, int]] = Counter()
    shares = [
        share
        for part in parts
        for line in part.lines
        for share in _shares(work, line, nodes[part.location], standby.reservations, live, taken)
    ]
    released, added = difference(shares, standby.reservations)
    if not added:
        raise InvalidEdit("Nothing is changed by this.")
    edits = _edits(
        shares, standby.reservations, {node.id: node.code for node in live.book.view.nodes}
    )
    view, day = live.book.view, live.book.day
    around = Circumstances(day, NO_BATCH, 1, view.limited_nodes, live.book.planner.ready_at)
    limited = {share.node_id for share in added} & set(view.limited_nodes)
    await create_capacities(tx, [CapacityKey(one, day) for one in limited])
    try:
        counters = await carry_out(
            tx,
            Move(work, standby, released, added, saved_minor=0),
            around,
            lambda *_: OrderEdited(order_id, edits, reason),
        )
    except Abandoned as error:
        raise InvalidEdit(TOO_LITTLE) from error
    await tx.execute(SQL.mark_split, tx.tenant_id, order_id)
    after = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
    moved = sum(share.quantity for share in added)
    return Split(order_id, after["event_sequence"], edits, moved, counters)


async def _nodes(
    tx: TenantTransaction, parts: Sequence[SplitPart], dealer_id: int | None
) -> dict[str, Node]:
    """Return the locations of parts that send orders of a dealer, or of the brand, by code."""
    found = {
        node.code: node
        for node in await nodes_by_codes(tx, [part.location for part in parts])
        if node.is_active and node.serves(dealer_id)
    }
    for at, part in enumerate(parts):
        if part.location not in found:
            raise InvalidEdit(
                f"No location {part.location!r} sends orders of this shop.",
                path=("parts", at, "location"),
            )
    return found


def _shares(
    work: Work,
    line: SplitLine,
    node: Node,
    reservations: Sequence[Record],
    live: LiveBook,
    taken: Counter[tuple[int, int]],
) -> list[Share]:
    """Return from which functional warehouses of a location units of a line come.

    First from those that it has units in already, then as routing would. `taken` are units by
    warehouse and SKU that other lines take of what is free.
    """
    (sku_id,) = {one.sku_id for one in work.lines if one.line_no == line.line_no}
    held: Counter[int] = Counter()
    for row in reservations:
        if row["node_id"] == node.id and row["line_no"] == line.line_no:
            held[row["functional_warehouse_id"]] += row["active"]
    book, view = live.book.book, live.book.view
    seller = (work.shop_id, work.dealer_id)
    offered: defaultdict[int, int] = defaultdict(int, held)
    for index, source in enumerate(view.sources):
        warehouse_id = source.functional_warehouse_id
        is_there = source.node_id == node.id and not source.earmark_id
        if is_there and view.may_send(seller, warehouse_id):
            offered[warehouse_id] += max(0, book.free(sku_id, index) - taken[warehouse_id, sku_id])
    left, found = line.quantity, []
    for warehouse_id, units in offered.items():
        part = min(left, units)
        if part:
            found.append(Share(line.line_no, sku_id, node.id, warehouse_id, part, None, None))
            left -= part
            taken[warehouse_id, sku_id] += max(0, part - held[warehouse_id])
    if left:
        raise InvalidEdit(f"{node.code} has too little of line {line.line_no}.", path=("parts",))
    return found


def _check(parts: Sequence[SplitPart], reason: str) -> None:
    if not 0 < len(reason) <= TEXT_MAX:
        raise InvalidEdit(f"Say why, in 1 to {TEXT_MAX} characters.", path=("reason",))
    if not 0 < len(parts) <= PARTS_MAX:
        raise InvalidEdit(f"Name 1 to {PARTS_MAX} parts.", path=("parts",))
    if len({part.location for part in parts}) < len(parts):
        raise InvalidEdit("A location stands there twice.", path=("parts",))
    for at, part in enumerate(parts):
        if len({line.line_no for line in part.lines}) < len(part.lines):
            raise InvalidEdit("A line stands there twice.", path=("parts", at, "lines"))
        if any(line.quantity < 1 for line in part.lines):
            raise InvalidEdit("1 unit or more.", path=("parts", at, "lines"))


def _check_units(parts: Sequence[SplitPart], standby: Standby) -> None:
    """Raise InvalidEdit unless the parts are all units of an order, and no others."""
    said: Counter[int] = Counter()
    for part in parts:
        for line in part.lines:
            said[line.line_no] += line.quantity
    there = {line.line_no: line.quantity for line in standby.order.lines}
    if dict(said) != there:
        units = ", ".join(f"{quantity} of line {line_no}" for line_no, quantity in there.items())
        raise InvalidEdit(f"Say where each of its units comes from: {units}.", path=("parts",))


def _edits(
    shares: Sequence[Share], reservations: Sequence[Record], codes: Mapping[int, str]
) -> tuple[Edit, ...]:
    """Return from where each line comes that comes from elsewhere, before and after."""
    before, after = defaultdict[int, Counter[int]](Counter), defaultdict[int, Counter[int]](Counter)
    for row in reservations:
        before[row["line_no"]][row["node_id"]] += row["active"]
    for share in shares:
        after[share.line_no][share.node_id] += share.quantity

    def said(units: Mapping[int, int]) -> str:
        places = sorted((codes.get(one, str(one)), count) for one, count in units.items() if count)
        return ", ".join(f"{count} {code}" for code, count in places)

    return tuple(
        Edit(f"lines.{line_no}.locations", said(before[line_no]), said(after[line_no]))
        for line_no in sorted(after)
        if before[line_no] != after[line_no]
    )
