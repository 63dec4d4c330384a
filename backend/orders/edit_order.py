"""Changing an order that is not sent: to whom, where, when, what of it, and from which node (改单).

Seen first, then done: a preview does all of it and takes it back.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from backend.catalog.errors import UnknownSku
from backend.catalog.find_skus import sku_id_by_code
from backend.db.commands import apply_once_or_preview
from backend.db.pool import Database, Record, TenantTransaction
from backend.dropship.agreements import agreements_by_ids
from backend.dropship.dealings import ancestors_of
from backend.inventory.counters import Counters
from backend.network.nodes import nodes_by_codes
from backend.network.regions.table import RegionTable
from backend.orders.cancel_orders import cancel_units
from backend.orders.claim import SQL
from backend.orders.dealing.errors import OutsideTerritory
from backend.orders.dealing.give_back import try_take_quota
from backend.orders.errors import AddressUnresolved, InterceptPending, InvalidEdit, OrderChanged
from backend.orders.events import Edit, OrderEdited
from backend.orders.find_work import live_fulfilments, open_intercepts
from backend.orders.give_up import Into, give_up
from backend.orders.model import (
    AMOUNT_MINOR_MAX,
    QUANTITY_MAX,
    TEXT_MAX,
    AddressDraft,
    FulfilmentStatus,
    HoldKind,
    OrderStatus,
)
from backend.orders.move_fulfilments import FulfilmentKey
from backend.orders.normalise import region_of
from backend.orders.place_hold import end_holds_of_kind
from backend.orders.states import NOT_GONE, ORDER
from backend.orders.step import changing_order
from backend.routing.traits import OrderTraits
from tenants.brands import today_of
from tenants.principal import Kind, Permission, PermissionMissing, Principal

LINES_MAX = 100
AT_NODES = "Nodes have begun with it; ask them to stop by fulfilmentIntercept first."
ADDRESS_FIELDS = ("buyerName", "buyerPhone", "regionCode", "address")
_traits = msgspec.json.Decoder(OrderTraits).decode


class LineEdit(NamedTuple):
    """A line that has another quantity, or another SKU at the same price."""

    line_no: int
    quantity: int | None = None
    """Of units that are not cancelled; none of those that a node has begun with go."""
    sku: str | None = None


class OrderEdit(NamedTuple):
    """What an order says from now on; what is None stays as it is."""

    address: AddressDraft | None = None
    remark: str | None = None
    promised_on: date | None = None
    lines: Sequence[LineEdit] = ()
    node: str | None = None
    """The code of the node that is to send all that is not sent; "": routing chooses again.

    Either way an order that was split by hand no longer is.
    """
    reason: str = ""


class Edited(msgspec.Struct, frozen=True):
    """What an edit came to; counters are to be published after the commit."""

    order_id: int
    status: OrderStatus
    version: int
    edits: tuple[Edit, ...]
    cancelled: int
    added: int
    freed: int
    """Units that are free where they were reserved, and wait to be given to a node again."""
    total_minor: int
    counters: Counters


async def edit_order(
    database: Database,
    principal: Principal,
    order_id: int,
    edit: OrderEdit,
    regions: RegionTable,
    *,
    seen: int,
    key: str,
    is_preview: bool = False,
) -> Edited:
    """Change what an order says, all of it or nothing, once; a preview only says what it would be.

    `seen` is the version of the order that whoever edits has looked at. Fewer units are cancelled;
    more of them cost what the line's cost, and wait (of an order that is not paid yet); another SKU
    keeps the line's price and its discounts. Another region, or another node, lets nodes give up
    what they have reserved, and the next allocation gives it where it belongs. Locks the key, the
    order, its holds, earmarks, then its counters in order. Emits `order.edited`, and
    `order.cancelled` and `fulfilment.cancelled` of what goes. Raises PermissionMissing,
    WriteRefused, UnknownOrder, OrderChanged, InvalidEdit, AddressUnresolved, UnknownSku,
    InterceptPending, CommandConflict; then nothing has changed.
    """
    _check(edit)
    if edit.node is not None and principal.kind in (Kind.DEALER, Kind.STORE):
        raise PermissionMissing(Permission.ORDERS_PLACE)

    async def work(tx: TenantTransaction) -> Edited:
        return await _Editing(tx, order_id, edit, regions, principal).carry_out(seen)

    door = changing_order(database, principal, order_id, Permission.ORDERS_PLACE)
    command = key, ("edit", order_id, edit, seen)
    return await apply_once_or_preview(door, command, Edited, work, is_preview=is_preview)


class _Editing:
    """One order under its lock."""

    def __init__(
        self,
        tx: TenantTransaction,
        order_id: int,
        edit: OrderEdit,
        regions: RegionTable,
        principal: Principal,
    ) -> None:
        self._tx, self._order_id = tx, order_id
        self._edit, self._regions = edit, regions
        self._principal = principal
        self._actor = principal.subject
        self._edits: list[Edit] = []
        self._added: dict[int, int] = {}
        self._counters = Counters()

    async def carry_out(self, seen: int) -> Edited:
        tx, edit, order_id = self._tx, self._edit, self._order_id
        order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
        if order["event_sequence"] != seen:
            raise OrderChanged(order["event_sequence"])
        if order["status"] not in ORDER.step("edit").sources:
            raise InvalidEdit(f"The order is {order['status']}: nothing of it can be changed.")
        live = [row for row in await live_fulfilments(tx, order_id) if row["status"] in NOT_GONE]
        keys = [FulfilmentKey(order_id, row["fulfilment_no"]) for row in live]
        if await open_intercepts(tx, keys):
            raise InterceptPending
        cancelled, added, swapped = await self._edit_lines(order)
        has_begun = any(row["status"] != FulfilmentStatus.RESERVED for row in live)
        moves = await self._say(order, has_begun=has_begun)
        if moves or swapped:
            await self._look_at_appointment()
        given_up = await give_up(
            tx,
            order_id,
            [row["fulfilment_no"] for row in live] if moves or swapped else [],
            None,
            lambda _: OrderEdited(order_id, tuple(self._edits), edit.reason),
            into=Into.BACKORDERED,
            units=None if moves else swapped,
        )
        await self._swap()
        await self._take_quota()
        ends = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
        now = await self._read()
        return Edited(
            order_id,
            given_up.status,
            ends["event_sequence"],
            tuple(self._edits),
            cancelled,
            added,
            given_up.units,
            now["total_minor"],
            self._counters.and_also(given_up.counters),
        )

    async def _read(self) -> Record:
        row = await self._tx.fetch_row(SQL.editable_order, self._tx.tenant_id, self._order_id)
        assert row is not None, "it is locked"
        return row

    async def _edit_lines(self, order: Record) -> tuple[int, int, dict[int, int]]:
        """Cancel and add units; returns how many, and those of lines that get another SKU."""
        tx, order_id = self._tx, self._order_id
        rows = await tx.fetch(SQL.priced_lines, tx.tenant_id, order_id)
        lines = {row["line_no"]: row for row in rows}
        less, more, swapped = dict[int, int](), dict[int, int](), dict[int, int]()
        for at, one in enumerate(self._edit.lines):
            line = lines.get(one.line_no)
            if line is None:
                raise InvalidEdit("The order has no such line.", path=("lines", at, "lineNo"))
            if one.sku is not None and one.sku != line["sku_code"]:
                swapped[one.line_no] = _swappable(line, at)
                self._note(f"lines.{one.line_no}.sku", line["sku_code"], one.sku)
            there = line["quantity"] - line["cancelled"]
            if one.quantity is None or one.quantity == there:
                continue
            self._note(f"lines.{one.line_no}.quantity", there, one.quantity)
            if one.quantity < there:
                less[one.line_no] = _cancellable(line, there - one.quantity, at)
            else:
                more[one.line_no] = _addable(order, line, one.quantity - there, at)
        if more:  # first: an order of which nothing else is left is not over with the rest
            worth = sum(units * lines[one]["unit_price_minor"] for one, units in more.items())
            if (await self._read())["goods_minor"] + worth > AMOUNT_MINOR_MAX:
                raise InvalidEdit("That is more than an order may cost.", path=("lines",))
            await self._add_units(more)
        if less:
            done = await cancel_units(tx, order_id, less, self._actor, self._edit.reason)
            self._counters = self._counters.and_also(done.counters)
        return sum(less.values()), sum(more.values()), swapped

    async def _add_units(self, more: dict[int, int]) -> None:
        """Let more units wait; what is held takes its quota with all else, once it no longer is."""
        tx, order_id = self._tx, self._order_id
        holds = await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)
        is_held = any(HoldKind(hold["kind"]).blocks_stock for hold in holds)
        units = (list(more), list(more.values()))
        await tx.execute(SQL.add_units, tx.tenant_id, order_id, *units, is_held)
        self._added = {} if is_held else more

    async def _swap(self) -> None:
        """Give lines their other SKUs: nothing of them is reserved any more."""
        for at, one in enumerate(self._edit.lines):
            if one.sku is None:
                continue
            try:
                sku_id = await sku_id_by_code(self._tx, one.sku)
            except UnknownSku as error:
                raise UnknownSku(error.message, path=("lines", at, "sku")) from error
            line = (self._order_id, one.line_no, sku_id, one.sku)
            await self._tx.execute(SQL.resolve_line, self._tx.tenant_id, *line)

    async def _take_quota(self) -> None:
        """Take a dealer's quota for what was added: the last of all counters."""
        if not self._added:
            return
        tx, today = self._tx, await today_of(self._tx)
        quotas = await try_take_quota(tx, self._order_id, self._added, today)
        if quotas is None:
            raise InvalidEdit("The dealer's quota does not allow that much more.", path=("lines",))
        self._counters = self._counters.and_also(Counters(quotas=quotas))

    async def _say(self, order: Record, *, has_begun: bool) -> bool:
        """Write down what the order says now; returns whether its nodes give it up for that."""
        tx, edit, before = self._tx, self._edit, await self._read()
        name, phone = before["buyer_name"], before["buyer_phone"]
        region, detail = before["region_code"], before["address"]
        if edit.address is not None:
            name, phone, detail = edit.address.name, edit.address.phone, edit.address.detail
            found = region_of(edit.address, self._regions)
            if found is None:
                raise AddressUnresolved(path=("address",))
            region = found.code
            if region != before["region_code"]:
                await self._check_territory(region)
        traits = _traits(before["traits"])
        promised_on = edit.promised_on or traits.promised_on
        remark = before["remark"] if edit.remark is None else edit.remark
        node_id = order["node_by_hand_id"]
        if edit.node is not None:
            node_id = await self._node(order)
        where = (name, phone, region, detail)
        was = (
            before["buyer_name"],
            before["buyer_phone"],
            before["region_code"],
            before["address"],
        )
        for field, old, new in zip(ADDRESS_FIELDS, was, where, strict=True):
            self._note(field, old, new)
        self._note("remark", before["remark"], remark)
        self._note("promisedOn", traits.promised_on, promised_on)
        self._note("node", order["node_by_hand_id"], node_id)
        joins = edit.node is not None and before["is_split_by_hand"]
        if joins:
            self._note("isSplitByHand", True, False)
        if not self._edits:
            raise InvalidEdit("Nothing is changed by this.")
        is_elsewhere = region != before["region_code"] and order["pickup_node_id"] is None
        moves = is_elsewhere or joins or node_id != order["node_by_hand_id"]
        if has_begun and (moves or where != was):
            raise InvalidEdit(AT_NODES)
        traits = msgspec.structs.replace(traits, promised_on=promised_on)
        said = (*where, remark, msgspec.json.encode(traits).decode(), node_id, joins)
        await tx.execute(SQL.edit_order, tx.tenant_id, self._order_id, *said)
        if where != was:
            await tx.execute(SQL.edit_fulfilments, tx.tenant_id, self._order_id, *where)
            await end_holds_of_kind(tx, self._order_id, HoldKind.ADDRESS_UNRESOLVED)
        if region != before["region_code"]:  # whether a dealer sells to there is looked at anew
            await end_holds_of_kind(tx, self._order_id, HoldKind.TERRITORY)
        return moves

    async def _check_territory(self, region_code: int) -> None:
        """Refuse a dealer who would send what it sold to where its agreements do not reach."""
        if self._principal.kind is not Kind.DEALER:
            return
        tx = self._tx
        rows = await tx.fetch(SQL.agreements_of_order, tx.tenant_id, self._order_id)
        agreements = await agreements_by_ids(tx, [row["agreement_id"] for row in rows])
        ancestors = ancestors_of(region_code, self._regions)
        if not all(agreement.reaches(ancestors) for agreement in agreements):
            raise OutsideTerritory(path=("address",))

    async def _look_at_appointment(self) -> None:
        ids = [self._order_id]
        rows = await self._tx.fetch(SQL.appointments_of_orders, self._tx.tenant_id, ids)
        if any(row["is_booked"] for row in rows):
            raise InvalidEdit("It comes at an agreed time; agree on another one first.")

    async def _node(self, order: Record) -> int | None:
        """Return the node that is chosen by hand, None where routing is to choose again."""
        code = self._edit.node
        if order["pickup_node_id"] is not None:
            raise InvalidEdit("It is fetched; pickupMove says where.", path=("location",))
        if not code:
            return None
        if not self._edit.reason:
            raise InvalidEdit("Say why it is sent from there.", path=("reason",))
        for node in await nodes_by_codes(self._tx, [code]):
            if node.is_active and node.serves(order["dealer_id"]):
                return node.id
        raise InvalidEdit(f"No location {code!r} sends orders of this shop.", path=("location",))

    def _note(self, field: str, before: object, after: object) -> None:
        if before != after:
            old, new = ("" if one is None else str(one) for one in (before, after))
            self._edits.append(Edit(field, old, new))


def _swappable(line: Record, at: int) -> int:
    """Return what of a line is reserved, which gets another SKU."""
    units: int = line["reserved"]
    left = line["quantity"] - line["cancelled"]
    if line["agreement_id"] is not None:
        raise InvalidEdit(
            "A dealer sells it at its price: cancel it, and place another order.",
            path=("lines", at, "sku"),
        )
    if line["held"] or units + line["backordered"] < left or not left:
        raise InvalidEdit(
            "A line gets another SKU while all of it waits, or is reserved and nobody has begun.",
            path=("lines", at, "sku"),
        )
    return units


def _cancellable(line: Record, units: int, at: int) -> int:
    if units > line["reserved"] + line["backordered"] + line["held"]:
        raise InvalidEdit(
            f"Of line {line['line_no']} nodes have begun with, or sent, more than that.",
            path=("lines", at, "quantity"),
        )
    return units


def _addable(order: Record, line: Record, units: int, at: int) -> int:
    if order["is_paid"]:
        raise InvalidEdit(
            "It is paid: what is wanted beside it is another order.", path=("lines", at, "quantity")
        )
    if line["sku_id"] is None or line["quantity"] + units > QUANTITY_MAX:
        raise InvalidEdit(
            f"A line has at most {QUANTITY_MAX:,} units, of a SKU that is known.",
            path=("lines", at, "quantity"),
        )
    return units


def _check(edit: OrderEdit) -> None:
    texts = [edit.remark or "", edit.reason]
    if edit.address is not None:
        texts += [edit.address.name, edit.address.phone, edit.address.detail]
    if max(len(text) for text in texts) > TEXT_MAX:
        raise InvalidEdit(f"A text has at most {TEXT_MAX} characters.")
    if len(edit.lines) > LINES_MAX:
        raise InvalidEdit(f"At most {LINES_MAX} lines at once.", path=("lines",))
    if len({one.line_no for one in edit.lines}) < len(edit.lines):
        raise InvalidEdit("A line stands there twice.", path=("lines",))
    for at, one in enumerate(edit.lines):
        if one.quantity is not None and one.quantity < 0:
            raise InvalidEdit("0 units or more.", path=("lines", at, "quantity"))
