"""What customers and the service want of an order before it has left its node."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta

from msgspec.structs import replace

from backend.db.pool import Record
from backend.fulfilment.find import parcels_of_orders
from backend.fulfilment.intercepts import answer_intercept, ask_intercept
from backend.fulfilment.model import ParcelStatus
from backend.fulfilment.pick_lists import scan_pick
from backend.fulfilment.ship import ship_fulfilments
from backend.inventory.accuracy.model import ShortageCause
from backend.inventory.levels import database_time
from backend.network.model import NodeKind
from backend.orders.cancel_orders import cancel_order
from backend.orders.deposits.deposits import deposits_of_orders, pay_rest
from backend.orders.edit_order import Edited, LineEdit, OrderEdit, edit_order
from backend.orders.find_orders import (
    holds_of_orders,
    lines_of_orders,
    orders_by_ids,
    reservations_of_orders,
)
from backend.orders.find_work import units_to_send
from backend.orders.hold_orders import claim_hold, hold_order
from backend.orders.model import Appointment, FulfilmentStatus, HoldKind, OrderStatus
from backend.orders.move_fulfilments import FulfilmentKey
from backend.orders.release_holds import Resolution, release_hold
from backend.orders.report_shortage import ShortPick, report_shortage
from backend.orders.set_appointment import appointment_times, set_appointment
from backend.orders.split_order import SplitLine, SplitPart, split_order
from loadtests.week.installers import installed
from loadtests.week.nodes import OWN
from loadtests.week.plan import Fate
from loadtests.week.week import Act, Sold, Story, Week, only, rounds

F, S = FulfilmentStatus, OrderStatus


async def _cancelled(week: Week, sold: Sold) -> None:
    """Cancel it, whatever it waits for."""
    command = cancel_order(week.database, week.clerk, sold.id, None, week.key(), "不想要了")
    await week.do("cancelled before a node began", command)


async def _cancelled_twice(week: Week, sold: Sold) -> None:
    """Let the customer and a clerk cancel it at once."""
    first, second = (
        cancel_order(week.database, who, sold.id, None, week.key(), "不想要了")
        for who in week.people[:2]
    )
    await week.at_once("cancelled", first, second)


async def _stopped(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Ask its node to stop; it can."""
    async for _ in week.until_at(sold, F.PICKED, F.PACKED):
        yield
    for key in sold.keys(F.PICKED, F.PACKED):
        await ask_to_stop(week, sold, key, "stopped by its node")


async def _too_late(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Ask its node to stop; it does not, and the order goes on."""
    async for _ in week.until_at(sold, F.PACKED):
        yield
    for key in sold.keys(F.PACKED):
        await ask_to_stop(week, sold, key, "not stopped by its node", stops=False)


async def ask_to_stop(
    week: Week, sold: Sold, key: FulfilmentKey, what: str, *, stops: bool = True
) -> None:
    """Let a customer want a fulfilment no more, and its node answer whether it stops."""
    asked = ask_intercept(week.database, week.clerk, key, "不想要了", week.key())
    await week.do("asked to stop", asked)
    answered = answer_intercept(
        week.database,
        week.worker(sold.node_of(key)),
        key,
        stops=stops,
        answer="已拦下" if stops else "车已装好",
        command_key=week.key(),
    )
    await week.do(what, answered)


async def _readdressed(week: Week, sold: Sold) -> None:
    """Let it be sent to a neighbour, and refuse who has looked at it before."""
    stale, draft = sold.version, sold.planned.draft.address
    there = replace(draft, detail="人民路 1000 号")
    edited = _edit(week, sold, OrderEdit(address=there), sold.version)
    await week.do("sent to another address", edited)
    back = _edit(week, sold, OrderEdit(address=draft), stale)
    await week.refused("an edit of an older version", "ORDER_CHANGED", back)


async def _edited_twice(week: Week, sold: Sold) -> None:
    """Let two clerks who see the same version say where it goes."""
    draft = sold.planned.draft.address
    there = (replace(draft, detail=f"人民路 {number} 号") for number in (1_001, 1_002))
    first, second = (
        _edit(week, sold, OrderEdit(address=address), sold.version) for address in there
    )
    await week.at_once("edited", first, second)


async def _fewer(week: Week, sold: Sold) -> None:
    """Take one of two units of its first line."""
    edited = _edit(week, sold, OrderEdit(lines=(LineEdit(1, 1),)), sold.version)
    await week.do("ordered less of it", edited)


async def _swapped(week: Week, sold: Sold) -> None:
    """Take another variant of the same product."""
    sku = sold.planned.draft.lines[0].sku
    other = f"{sku[:-2]}{'02' if sku.endswith('01') else '01'}"
    if any(line.sku == other for line in sold.planned.draft.lines):
        return
    edited = _edit(week, sold, OrderEdit(lines=(LineEdit(1, sku=other),)), sold.version)
    await week.do("ordered another SKU instead", edited)


async def _short(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Let the picker not find a unit: its node has it less, and another one sends it."""
    async for _ in week.until_at(sold, F.PICKING):
        yield
    key = sold.keys(F.PICKING)[0] if sold.keys(F.PICKING) else None
    if key is None:
        return
    async with week.reading() as tx:
        line_no = (await units_to_send(tx, [key]))[0].line_no
    cause = sold.random.choice((ShortageCause.DAMAGED, ShortageCause.NOT_FOUND))
    reported = report_shortage(
        week.database,
        week.worker(sold.node_of(key)),
        key,
        [ShortPick(line_no, 1)],
        cause,
        week.key(),
    )
    await week.do(f"not found by its node: {cause}", reported)


async def _misread(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Let the picker scan something else first, then every unit."""
    async for _ in week.until_at(sold, F.PICKING):
        yield
    for key in sold.keys(F.PICKING):
        worker = week.worker(sold.node_of(key))
        wrong = scan_pick(week.database, worker, key, "NEW-01", 1, week.key())
        await week.refused("a scan of a wrong SKU", "WRONG_SKU", wrong)
        async with week.reading() as tx:
            units = await units_to_send(tx, [key])
            lines = (await lines_of_orders(tx, [sold.id]))[sold.id]
        skus = {line["line_no"]: line["sku_code"] for line in lines}
        for one in units:
            scan = scan_pick(
                week.database, worker, key, skus[one.line_no], one.quantity, week.key()
            )
            await week.do("scanned", scan)


async def _shipped_twice(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Let two people hand it over at once, as soon as its carriers would take it."""
    async for _ in week.until_at(sold, F.PACKED):
        yield
    while not sold.is_final and not await _has_waybills(week, sold):
        yield
    for key in sold.keys(F.PACKED):
        worker = week.worker(sold.node_of(key))
        first, second = (
            only(ship_fulfilments(week.database, worker, [key], week.key())) for _ in range(2)
        )
        await week.at_once("handed over to the carrier", first, second)


async def _has_waybills(week: Week, sold: Sold) -> bool:
    """Whether no parcel waits for its waybill, or was refused one for its weight."""
    async with week.reading() as tx:
        parcels = (await parcels_of_orders(tx, [sold.id])).get(sold.id, [])
    waiting = (ParcelStatus.PACKED, ParcelStatus.EXCEPTION)
    return not any(row["status"] in waiting and row["carrier"] != OWN for row in parcels)


async def _unblocked(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Say what was wrong with what was placed: a SKU, an address, a sum."""
    async for _ in rounds(1 + sold.random.randrange(3)):
        yield
    for hold in await _holds(week, sold):
        sku, region = None, None
        if hold["kind"] == HoldKind.SKU_UNKNOWN:
            sku = "KETTLE-01"
        elif hold["kind"] == HoldKind.ADDRESS_UNRESOLVED:
            region = 310104
        resolution = Resolution(hold["hold_no"], sku, region)
        await _release(week, sold, resolution, hold["kind"])


async def _remarked(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Let two clerks reach for it; one reads it, and lets it go, or cancels it."""
    async for _ in rounds(1 + sold.random.randrange(2)):
        yield
    if sold.is_final:
        return
    holds = [hold for hold in await _holds(week, sold) if hold["kind"] == HoldKind.AUDIT]
    if not holds:
        raise AssertionError(f"{sold.name} is not held")
    number = holds[0]["hold_no"]
    first, second = (
        claim_hold(week.database, who, sold.id, number, gives_back=False) for who in week.people[:2]
    )
    await week.at_once("taken in hand", first, second)
    yield
    if sold.planned.fate is Fate.FRAUD:
        command = cancel_order(week.database, week.clerk, sold.id, None, week.key(), "疑似欺诈")
        await week.do("cancelled by who audited it", command)
        return
    for hold in holds:
        await _release(week, sold, Resolution(hold["hold_no"]), hold["kind"])


async def _split(week: Week, sold: Sold) -> None:
    """Let a unit come from another warehouse, where one has it."""
    fulfilments = [row for row in sold.fulfilments if row["status"] == F.RESERVED]
    if sold.status is not S.ALLOCATED or not fulfilments:
        return
    live = await week.runtime.books.open(week.tenant_id)
    await live.freshen()
    async with week.reading() as tx:
        rows = (await reservations_of_orders(tx, [sold.id]))[sold.id]
        order = (await orders_by_ids(tx, [sold.id]))[sold.id]
    parts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for row in rows:
        parts[week.nodes[row["node_id"]].code][row["line_no"]] += row["active"]
    first = rows[0]
    here = week.nodes[first["node_id"]]
    book, view = live.book.book, live.book.view
    seller = (order["shop_id"], order["dealer_id"])
    others = (
        week.nodes[source.node_id].code
        for index, source in enumerate(view.sources)
        if week.nodes[source.node_id].kind is NodeKind.WAREHOUSE
        and source.node_id != here.id
        and not source.earmark_id
        and view.may_send(seller, source.functional_warehouse_id)
        and book.free(first["sku_id"], index) > 0
    )
    other = next(others, None)
    if other is None:
        return
    parts[here.code][first["line_no"]] -= 1
    parts[other][first["line_no"]] += 1
    said = [
        SplitPart(code, tuple(SplitLine(*one) for one in units.items() if one[1]))
        for code, units in parts.items()
        if any(units.values())
    ]
    split = split_order(
        week.database,
        week.clerk,
        sold.id,
        said,
        live,
        "客户要求分两地发",
        seen=sold.version,
        key=week.key(),
    )
    await week.do("split by hand", split)


async def _put_by(week: Week, sold: Sold) -> None:
    """Hold it for a day; it is released when that is over."""
    async with week.reading() as tx:
        until = await database_time(tx) + timedelta(days=1)
    held = hold_order(week.database, week.clerk, sold.id, "出差，晚一天发", until, week.key())
    await week.do("put by for a day", held)


async def visited(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Agree on the first time that there is, where there was none, or on another day."""
    yield
    agreed = sold.planned.draft.agreed
    if agreed is None or sold.is_final:
        return
    planner = (await week.runtime.books.open(week.tenant_id)).book.planner
    other: Appointment | None = None
    if sold.status is S.HELD:
        times = await appointment_times(week.database, week.clerk, sold.id, planner)
        other = Appointment(*times[0]) if times else None
    elif sold.planned.fate is Fate.MOVED:
        day = agreed.day + timedelta(days=1)
        other = Appointment(day, agreed.from_minute, agreed.to_minute)
    if other is not None:
        command = set_appointment(week.database, week.clerk, sold.id, other, planner, week.key())
        await week.do("agreed upon for another day", command)
    async for _ in installed(week, sold):
        yield


async def pay_rest_later(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Pay the rest of it after a day; or the wrong amount before."""
    async for _ in rounds(9):
        yield
    async with week.reading() as tx:
        found = (await deposits_of_orders(tx, [sold.id]))[sold.id][0]
    rest = found["due_minor"]
    if sold.planned.fate is Fate.WRONG_REST:
        wrong = pay_rest(week.database, week.clerk, sold.id, rest - 1, "尾款", week.key())
        await week.refused("a rest that is not all", "WRONG_AMOUNT", wrong)
    paid = pay_rest(week.database, week.clerk, sold.id, rest, "尾款", week.key())
    await week.do("rest paid", paid)


async def _not_awaited(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Cancel it after half a day of waiting."""
    async for _ in rounds(4):
        yield
    if sold.status is S.BACKORDERED:
        command = cancel_order(week.database, week.clerk, sold.id, None, week.key(), "不等了")
        await week.do("cancelled while it waits", command)


async def _holds(week: Week, sold: Sold) -> list[Record]:
    """Return what an order is held for."""
    async with week.reading() as tx:
        found = await holds_of_orders(tx, [sold.id])
    return [hold for hold in found.get(sold.id, []) if hold["released_at"] is None]


async def _release(week: Week, sold: Sold, resolution: Resolution, kind: str) -> None:
    regions = week.runtime.regions
    released = release_hold(week.database, week.clerk, sold.id, resolution, regions, week.key())
    await week.do(f"released: {kind}", released)


async def _edit(week: Week, sold: Sold, edit: OrderEdit, seen: int) -> Edited:
    return await edit_order(
        week.database, week.clerk, sold.id, edit, week.runtime.regions, seen=seen, key=week.key()
    )


ACTS: dict[Fate, Act] = {
    Fate.CANCELLED: _cancelled,
    Fate.CANCELLED_TWICE: _cancelled_twice,
    Fate.READDRESSED: _readdressed,
    Fate.EDITED_TWICE: _edited_twice,
    Fate.FEWER: _fewer,
    Fate.SWAPPED: _swapped,
    Fate.PUT_BY: _put_by,
    Fate.SPLIT: _split,
}
"""What is done as soon as it is placed."""
STORIES: dict[Fate, Story] = {
    Fate.STOPPED: _stopped,
    Fate.TOO_LATE: _too_late,
    Fate.SHORT: _short,
    Fate.MISREAD: _misread,
    Fate.SHIPPED_TWICE: _shipped_twice,
    Fate.NO_SKU: _unblocked,
    Fate.NO_REGION: _unblocked,
    Fate.WRONG_SUM: _unblocked,
    Fate.REMARKED: _remarked,
    Fate.FRAUD: _remarked,
    Fate.NOT_AWAITED: _not_awaited,
}
"""What is done in the rounds that follow: each story waits for the next round where it yields."""
