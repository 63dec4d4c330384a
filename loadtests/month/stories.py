"""What customers, dealers and the service want of single orders."""

from collections.abc import AsyncIterator
from datetime import timedelta

from msgspec.structs import replace

from backend.after_sales.errors import ExchangeRefused
from backend.after_sales.exchange import request_exchange
from backend.after_sales.model import (
    ExchangeDraft,
    Inspected,
    Return,
    ReturnDraft,
    ReturnKind,
    ReturnStatus,
    ReturnUnits,
    WantedLine,
)
from backend.after_sales.receive import (
    Arrived,
    ReturnedTo,
    inspect_return,
    receive_return,
    take_in_parcel,
)
from backend.after_sales.request import approve_return, request_return, send_back
from backend.after_sales.standing import lines_of_returns, returns_by_ids
from backend.db.errors import YipanError
from backend.fulfilment.find import parcels_of_orders
from backend.fulfilment.intercepts import answer_intercept, ask_intercept
from backend.inventory.accuracy.model import ShortageCause
from backend.inventory.levels import database_time
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.edit_order import Edited, LineEdit, OrderEdit, edit_order
from backend.orders.find_work import units_to_send
from backend.orders.hold_orders import hold_order
from backend.orders.model import FulfilmentStatus, OrderStatus
from backend.orders.report_shortage import ShortPick, report_shortage
from loadtests.month.month import Act, Month, Order, Story
from loadtests.month.plan import Fate
from loadtests.week.week import Fault, rounds
from tenants.principal import Principal

F = FulfilmentStatus
FOUND = {Fate.DENIED: (0, 0, 0, 1), Fate.SENT_BACK_IN_PART: (10, 90, 0, 0)}
"""What comes back is found to be: good, defective, scrapped, or denied, of so many."""
WITHIN, WITHOUT = 310104, 110105
"""Districts inside and outside of every territory of the month."""


async def _cancelled(month: Month, order: Order) -> None:
    """Cancel it, whatever it waits for: the customer, or the dealer for them."""
    who = _seller(month, order) if order.random.random() < 0.5 else month.clerk
    command = cancel_order(month.database, who, order.id, None, month.key(), "不想要了")
    await month.do("cancelled", command)


async def _cancelled_in_part(month: Month, order: Order) -> None:
    if order.left > 1:
        lines = [CancelLine(1, 1)]
        command = cancel_order(month.database, month.clerk, order.id, lines, month.key())
        await month.do("cancelled in part", command)


async def _fewer(month: Month, order: Order) -> None:
    if order.left > 1:
        edit = OrderEdit(lines=(LineEdit(1, 1),))
        await month.do("edited: less of it", _edit(month, order, edit, month.clerk))


async def _more(month: Month, order: Order) -> None:
    """Want a unit more, where nothing holds it and the quota allows it."""
    if not order.left or not order.is_dealt or order.status is OrderStatus.HELD:
        return
    edit = OrderEdit(lines=(LineEdit(1, order.left + 1),))
    try:
        await month.do("edited: more of it", _edit(month, order, edit, _seller(month, order)))
    except YipanError as error:
        if "quota" not in error.message:
            raise
        month.done["refused: more of it than the quota allows"] += 1


async def _readdressed(month: Month, order: Order) -> None:
    """Let it go elsewhere; a dealer does not let it go to where its agreements do not reach."""
    draft = order.planned.draft.address
    there = replace(draft, region_code=WITHIN, region_path=(), detail="人民路 1000 号")
    dealer = order.planned.dealer
    if dealer is not None and dealer.territory and order.is_dealt:
        elsewhere = OrderEdit(address=replace(there, region_code=WITHOUT))
        refused = _edit(month, order, elsewhere, _seller(month, order))
        await month.refused("an edit to outside the territory", "OUTSIDE_TERRITORY", refused)
    edit = OrderEdit(address=there)
    await month.do("edited: to another address", _edit(month, order, edit, _seller(month, order)))


async def _swapped(month: Month, order: Order) -> None:
    """Want another SKU: of a dealer's order that is refused."""
    if order.is_dealt:
        edit = OrderEdit(lines=(LineEdit(1, sku="CLEAN-08"),))
        refused = _edit(month, order, edit, month.clerk)
        await month.refused("another SKU of a dealer's order", "INVALID_EDIT", refused)


async def _put_by(month: Month, order: Order) -> None:
    async with month.reading() as tx:
        until = await database_time(tx) + timedelta(days=1)
    held = hold_order(month.database, month.clerk, order.id, "晚一天发", until, month.key())
    await month.do("put by for a day", held)


async def _stopped(month: Month, order: Order) -> AsyncIterator[None]:
    """Ask its node to stop once it is picked; it does."""
    while not order.keys(F.PICKED, F.PACKED) and not order.is_final:
        yield
    for key in order.keys(F.PICKED, F.PACKED):
        asked = ask_intercept(month.database, month.clerk, key, "不想要了", month.key())
        await month.do("asked to stop", asked)
        worker = month.worker(order.node_of(key))
        answered = answer_intercept(
            month.database, worker, key, stops=True, answer="已拦下", command_key=month.key()
        )
        await month.do("stopped by its node", answered)


async def _short(month: Month, order: Order) -> AsyncIterator[None]:
    """Let the picker not find a unit: its node has it less, and another one sends it."""
    while not order.keys(F.PICKING) and not order.is_final:
        yield
    for key in order.keys(F.PICKING)[:1]:
        async with month.reading() as tx:
            line_no = (await units_to_send(tx, [key]))[0].line_no
        reported = report_shortage(
            month.database,
            month.worker(order.node_of(key)),
            key,
            [ShortPick(line_no, 1)],
            ShortageCause.DAMAGED,
            month.key(),
        )
        await month.do("not found by its node", reported)


async def _exchanged(month: Month, order: Order) -> AsyncIterator[None]:
    """Want a unit exchanged for the same; it comes back, and what replaces it is sent.

    The system asks: who orders must be a member of the brand, which nobody of the month is.
    """
    async for _ in _came(month, order):
        yield
    if order.status is OrderStatus.CANCELLED:
        return
    back = ReturnDraft(order.id, ReturnKind.RETURN, _units(order, is_part=True), "换货")
    line = order.planned.draft.lines[back.lines[0].line_no - 1]
    draft = ExchangeDraft(back, (WantedLine(line.sku, 1),))
    asked = request_exchange(month.database, month.runtime.intake, month.system, draft, month.key())
    try:
        request, exchange = await asked
    except ExchangeRefused as error:
        dealer, again = order.planned.dealer, replace(order.planned.draft, lines=(line,))
        if dealer is None or ("quota" not in error.message and month.allows(dealer, again)):
            raise
        month.done["refused: an exchange that the dealer's terms no longer allow"] += 1
        return
    month.done["exchanges asked for"] += 1
    await month.publish(exchange)
    async for _ in _comes_back(month, order, request):
        yield


async def _sent_back(month: Month, order: Order) -> AsyncIterator[None]:
    """Send all of it back, or a unit; it is received and inspected."""
    async for _ in _came(month, order):
        yield
    if order.status is OrderStatus.CANCELLED:
        return
    is_part = order.planned.fate is Fate.SENT_BACK_IN_PART
    draft = ReturnDraft(order.id, ReturnKind.RETURN, _units(order, is_part=is_part), "不合适")
    asked = request_return(month.database, month.clerk, draft, month.key())
    request = (await month.do("returns asked for", asked)).request
    async for _ in _comes_back(month, order, request):
        yield


async def _comes_back(month: Month, order: Order, request: Return) -> AsyncIterator[None]:
    """Let what is sent back come to where it was sent from, and be inspected."""
    node_id = _sent_from(order)
    yield
    given = (month.database, month.clerk, request.id)
    approved = approve_return(*given, seen=request.version, key=month.key())
    await month.do("returns approved", approved)
    yield
    sent = send_back(*given, ("sf", f"BACK{order.planned.number}"), seen=None, key=month.key())
    await month.do("returns sent back", sent)
    async for _ in rounds(1 + order.random.randrange(2 * month.pace)):
        yield
    received = receive_return(
        month.database,
        month.worker(node_id),
        request.id,
        Arrived(node_id),
        seen=None,
        key=month.key(),
    )
    await month.do("returns received", received)
    yield
    await _inspect(month, order, request, node_id)


async def _refused(month: Month, order: Order) -> AsyncIterator[None]:
    """Accept nothing of it: whoever sent a parcel has it again some days later."""
    while not order.keys(F.SHIPPED) and not order.is_final:
        yield
    async for _ in rounds(2 + order.random.randrange(month.pace)):
        yield
    for key in order.keys(F.SHIPPED):
        node_id = order.node_of(key)
        async with month.reading() as tx:
            parcels = (await parcels_of_orders(tx, [order.id]))[order.id]
        for parcel in parcels:
            if parcel["fulfilment_no"] == key.fulfilment_no:
                taken = take_in_parcel(
                    month.database,
                    month.worker(node_id),
                    parcel["id"],
                    ReturnedTo(node_id, "客户拒收"),
                    month.key(),
                )
                request = (await month.do("refused at the door", taken)).request
                await _inspect(month, order, request, node_id)


async def _missing(month: Month, order: Order) -> AsyncIterator[None]:
    """Have a unit paid back that did not come."""
    async for _ in _came(month, order):
        yield
    if order.status is OrderStatus.CANCELLED:
        return
    draft = ReturnDraft(order.id, ReturnKind.MISSING, _units(order, is_part=True), "少件")
    asked = request_return(month.database, month.clerk, draft, month.key())
    request = (await month.do("claimed: missing", asked)).request
    yield
    given = (month.database, month.clerk, request.id)
    await month.do("claims granted", approve_return(*given, seen=None, key=month.key()))


async def _came(month: Month, order: Order) -> AsyncIterator[None]:
    """Wait until it has come, and a while."""
    while not order.is_final:
        yield
    async for _ in rounds(1 + order.random.randrange(2 * month.pace)):
        yield


def _units(order: Order, *, is_part: bool) -> tuple[ReturnUnits, ...]:
    """Return what has come of an order: a unit of its first line that has, or all."""
    came = [row for row in order.lines if row["delivered"]]
    if not came:
        raise Fault("nothing of it has come")
    if is_part:
        return (ReturnUnits(came[0]["line_no"], 1),)
    return tuple(ReturnUnits(row["line_no"], row["delivered"]) for row in came)


def _sent_from(order: Order) -> int:
    return next(int(row["node_id"]) for row in order.fulfilments if row["status"] == F.DELIVERED)


async def _inspect(month: Month, order: Order, request: Return, node_id: int) -> None:
    """Find each unit good, defective or worth nothing; what is denied is not paid back."""
    async with month.reading() as tx:
        stands = (await returns_by_ids(tx, [request.id]))[request.id]
        lines = (await lines_of_returns(tx, [request.id]))[request.id]
    if stands.status is not ReturnStatus.RECEIVED:
        return
    shares = FOUND.get(order.planned.fate, (85, 8, 5, 2))
    found = []
    for line in lines:
        counts = {"good": 0, "defective": 0, "scrapped": 0, "denied": 0}
        for _ in range(line.received):
            chosen = order.random.choices(list(counts), shares)[0]
            counts[chosen] += 1
            month.done[f"inspected: {chosen}"] += 1
        found.append(Inspected(line.line_no, **counts))
    given = (month.database, month.worker(node_id), request.id, found)
    await month.do("returns inspected", inspect_return(*given, seen=None, key=month.key()))


def _seller(month: Month, order: Order) -> Principal:
    """Return who sold it: the dealer, or the brand."""
    dealer = order.planned.dealer
    return month.clerk if dealer is None else month.as_dealer(dealer)


async def _edit(month: Month, order: Order, edit: OrderEdit, who: Principal) -> Edited:
    regions = month.runtime.regions
    given = (month.database, who, order.id, edit, regions)
    return await edit_order(*given, seen=order.version, key=month.key())


ACTS: dict[Fate, Act] = {
    Fate.CANCELLED: _cancelled,
    Fate.CANCELLED_IN_PART: _cancelled_in_part,
    Fate.FEWER: _fewer,
    Fate.MORE: _more,
    Fate.READDRESSED: _readdressed,
    Fate.SWAPPED: _swapped,
    Fate.PUT_BY: _put_by,
}
"""What is done as soon as it is placed."""
STORIES: dict[Fate, Story] = {
    Fate.STOPPED: _stopped,
    Fate.SHORT: _short,
    Fate.EXCHANGED: _exchanged,
    Fate.SENT_BACK: _sent_back,
    Fate.SENT_BACK_IN_PART: _sent_back,
    Fate.DENIED: _sent_back,
    Fate.REFUSED: _refused,
    Fate.MISSING: _missing,
}
"""What is done in the rounds that follow: each story waits for the next round where it yields."""
