"""What customers and the service want of an order that has come: back, paid back, or another."""

from collections.abc import AsyncIterator

from backend.after_sales.exchange import drop_exchange, pay_exchange, request_exchange
from backend.after_sales.exchanging import exchanges_by_returns
from backend.after_sales.model import (
    ExchangeDraft,
    ExchangeStatus,
    Inspected,
    RepairDraft,
    Return,
    ReturnDraft,
    ReturnKind,
    ReturnStatus,
    ReturnUnits,
    UnitMove,
    WantedLine,
)
from backend.after_sales.pay_back import grant_refund
from backend.after_sales.receive import (
    Arrived,
    ReturnedTo,
    inspect_return,
    receive_return,
    take_back,
    take_in_parcel,
)
from backend.after_sales.repairs import move_repair, request_repair
from backend.after_sales.request import approve_return, end_return, request_return, send_back
from backend.after_sales.standing import lines_of_returns, returns_by_ids
from backend.demo.brand import STORES
from backend.fulfilment.find import parcels_of_orders
from backend.orders.find_orders import lines_of_orders
from backend.orders.model import FulfilmentStatus, OrderStatus
from loadtests.week.plan import Fate
from loadtests.week.week import Sold, Story, Week, rounds

GOODWILL_MINOR = 1_000
TOO_DEAR_MINOR = 20_000
REPAIR_MINOR = (0, 5_000, TOO_DEAR_MINOR)
"""What repairing costs: nothing under warranty, or more than it is worth."""
DEARER = "PURIFIER-01"
CARRIER = "sf"


async def _sent_back(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Send all of it back, or a unit; it is received, inspected and paid back."""
    async for _ in came(week, sold):
        yield
    if sold.status is OrderStatus.CANCELLED or len(week.owners_of(sold)) > 1:
        return
    units = await units_of(week, sold, is_part=sold.planned.fate is Fate.SENT_BACK_IN_PART)
    request = await ask(week, sold, ReturnKind.RETURN, units)
    async for _ in _travels_back(week, sold, request):
        yield


async def _travels_back(week: Week, sold: Sold, request: Return) -> AsyncIterator[None]:
    """Approve a request, and let the goods come back to a warehouse."""
    yield
    await approved(week, sold, request)
    yield
    if sold.planned.fate is Fate.NOT_SENT_BACK:
        await _end(week, request, "return cancelled", "还是留着", is_rejected=False)
        return
    sent_by = (CARRIER, f"BACK{request.id}")
    sent = send_back(week.database, week.clerk, request.id, sent_by, seen=None, key=week.key())
    await week.do("return sent back", sent)
    async for _ in rounds(8 + sold.random.randrange(6)):
        yield
    async for _ in come_back(week, sold, request):
        yield


async def approved(week: Week, sold: Sold, request: Return) -> None:
    """Approve a request, where that is not done by rule."""
    if request.status is not ReturnStatus.REQUESTED:
        return
    approvals = [
        approve_return(week.database, who, request.id, seen=request.version, key=week.key())
        for who in week.people[: 2 if sold.planned.fate is Fate.APPROVED_TWICE else 1]
    ]
    if len(approvals) == 2:
        await week.at_once("approved", *approvals)
    else:
        await week.do("return approved", approvals[0])


async def come_back(week: Week, sold: Sold, request: Return) -> AsyncIterator[None]:
    """Receive what is sent back where it came from, and inspect it."""
    node_id = sold.sent_from
    arrived, worker = Arrived(node_id), week.worker(node_id)
    received = receive_return(week.database, worker, request.id, arrived, seen=None, key=week.key())
    await week.do("return received", received)
    yield
    await _inspect(week, sold, request, node_id)


async def _refused(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Accept nothing of it: whoever sent a parcel has it again some days later."""
    async for _ in week.until_at(sold, FulfilmentStatus.SHIPPED):
        yield
    async for _ in rounds(8 + sold.random.randrange(4)):
        yield
    for key in sold.keys(FulfilmentStatus.SHIPPED):
        node_id = sold.node_of(key)
        async with week.reading() as tx:
            parcels = (await parcels_of_orders(tx, [sold.id]))[sold.id]
        for parcel in parcels:
            if parcel["fulfilment_no"] == key.fulfilment_no:
                taken = take_in_parcel(
                    week.database,
                    week.worker(node_id),
                    parcel["id"],
                    ReturnedTo(node_id, "客户拒收"),
                    week.key(),
                )
                request = (await week.do("taken in, as nobody accepted it", taken)).request
                await _inspect(week, sold, request, node_id)


async def _taken_back(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Give it back at a store."""
    async for _ in came(week, sold):
        yield
    if sold.status is OrderStatus.CANCELLED:
        return
    await give_back_at_a_store(week, sold)


async def give_back_at_a_store(week: Week, sold: Sold) -> None:
    """Give what has come of an order back at some store, which inspects it."""
    node_id = week.node(sold.random.choice(STORES).code)
    lines = await units_of(week, sold, is_part=False)
    draft = ReturnDraft(sold.id, ReturnKind.RETURN, lines, "门店退货", node_id)
    taken = take_back(week.database, week.worker(node_id), draft, week.key())
    if week.owners_of(sold) != {None}:
        await week.refused("a dealer's goods at a store", "NO_PLACE_FOR_RETURNS", taken)
        return
    request = (await week.do("given back at a store", taken)).request
    await _inspect(week, sold, request, node_id)


async def _paid_back_only(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Have a unit paid back that stays with the customer, or did not come, or have nothing."""
    async for _ in came(week, sold):
        yield
    if sold.status is OrderStatus.CANCELLED:
        return
    fate = sold.planned.fate
    kind = ReturnKind.MISSING if fate is Fate.MISSING else ReturnKind.REFUND_ONLY
    request = await ask(week, sold, kind, await units_of(week, sold, is_part=True))
    yield
    if fate is Fate.DECLINED:
        await _end(week, request, "claim declined", "照片看不出问题", is_rejected=True)
    elif request.status is ReturnStatus.REQUESTED:
        approved = approve_return(week.database, week.clerk, request.id, seen=None, key=week.key())
        await week.do(f"approved: {kind}", approved)


async def _exchanged(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Want a unit exchanged: for the same, for something dearer, or not after all."""
    async for _ in came(week, sold):
        yield
    if sold.status is OrderStatus.CANCELLED or len(week.owners_of(sold)) > 1:
        return
    fate = sold.planned.fate
    sku = DEARER if fate is Fate.EXCHANGED_DEARER else sold.planned.draft.lines[0].sku
    back = ReturnDraft(sold.id, ReturnKind.RETURN, await units_of(week, sold, is_part=True), "换货")
    wanted = (WantedLine(sku, 1, 400_000 if fate is Fate.EXCHANGED_DEARER else None),)
    asked = request_exchange(
        week.database, week.runtime.intake, week.clerk, ExchangeDraft(back, wanted), week.key()
    )
    request, exchange = await asked
    week.done["exchange asked for"] += 1
    await week.publish(exchange)
    if fate is Fate.EXCHANGE_DROPPED:
        yield
        dropped = drop_exchange(week.database, week.clerk, request.id, seen=None, key=week.key())
        await week.do("exchange given up", dropped)
        return
    async for _ in _travels_back(week, sold, request):
        yield
    yield
    async with week.reading() as tx:
        stands = (await exchanges_by_returns(tx, [request.id]))[request.id]
    if stands.status is ExchangeStatus.UNPAID:
        paid = pay_exchange(
            week.database,
            week.clerk,
            request.id,
            stands.due_minor,
            "补差价",
            seen=None,
            key=week.key(),
        )
        await week.do("difference paid", paid)


async def _goodwill(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Give something back for goodwill; never more than was paid."""
    async for _ in came(week, sold):
        yield
    if sold.status is OrderStatus.CANCELLED:
        return
    too_much = grant_refund(week.database, week.clerk, sold.id, 10**9, "补偿", week.key())
    await week.refused("a refund above what was paid", "NOTHING_TO_REFUND", too_much)
    granted = grant_refund(week.database, week.clerk, sold.id, GOODWILL_MINOR, "补偿", week.key())
    await week.do("paid back for goodwill", granted)


async def _repaired(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Have a unit repaired: under warranty, for a price, or not after all."""
    async for _ in came(week, sold):
        yield
    if sold.status is OrderStatus.CANCELLED:
        return
    (unit,) = await units_of(week, sold, is_part=True)
    draft = RepairDraft(sold.id, unit.line_no, "不工作")
    asked = request_repair(week.database, week.clerk, draft, week.key())
    repair = await week.do("repair asked for", asked)
    node_id, price = sold.sent_from, sold.random.choice(REPAIR_MINOR)
    moves = [UnitMove("receive", node_id=node_id), UnitMove("quote", "主板", price)]
    if price == TOO_DEAR_MINOR:
        moves.append(UnitMove("decline", "太贵"))
    elif price:
        moves.append(UnitMove("accept", "维修费", price))
    if price != TOO_DEAR_MINOR:
        moves.append(UnitMove("finish", "已修好"))
    moves.append(UnitMove("send_home", carrier=CARRIER, waybill=f"HOME{repair.id}"))
    for move in moves:
        async for _ in rounds(1 + sold.random.randrange(4)):
            yield
        who = week.clerk if move.step in ("accept", "decline") else week.worker(node_id)
        done = move_repair(week.database, who, repair.id, move, seen=None, key=week.key())
        await week.do(f"repair: {move.step}", done)


async def came(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Wait until it has come, and a while."""
    async for _ in week.until(sold):
        yield
    async for _ in rounds(2 + sold.random.randrange(8)):
        yield


async def ask(week: Week, sold: Sold, kind: ReturnKind, units: tuple[ReturnUnits, ...]) -> Return:
    draft = ReturnDraft(sold.id, kind, units, "不合适")
    asked = request_return(week.database, week.clerk, draft, week.key())
    return (await week.do(f"asked: {kind}", asked)).request


async def _end(week: Week, request: Return, what: str, reason: str, *, is_rejected: bool) -> None:
    """Reject a request, or cancel it in the customer's name."""
    ended = end_return(
        week.database,
        week.clerk,
        request.id,
        is_rejected=is_rejected,
        reason=reason,
        seen=None,
        key=week.key(),
    )
    await week.do(what, ended)


async def units_of(week: Week, sold: Sold, *, is_part: bool) -> tuple[ReturnUnits, ...]:
    """Return what has come of an order: a unit of its first line, or all."""
    async with week.reading() as tx:
        rows = (await lines_of_orders(tx, [sold.id]))[sold.id]
    came = [row for row in rows if row["delivered"]]
    if is_part:
        return (ReturnUnits(came[0]["line_no"], 1),)
    return tuple(ReturnUnits(row["line_no"], row["delivered"]) for row in came)


async def _inspect(week: Week, sold: Sold, request: Return, node_id: int) -> None:
    """Find each unit good, defective or worth nothing; now and then it is not ours."""
    async with week.reading() as tx:
        stands = (await returns_by_ids(tx, [request.id]))[request.id]
        lines = (await lines_of_returns(tx, [request.id]))[request.id]
    if stands.status is not ReturnStatus.RECEIVED:
        return
    found = []
    for line in lines:
        counts = {"good": 0, "defective": 0, "scrapped": 0, "denied": 0}
        for _ in range(line.received):
            chosen = sold.random.choices(list(counts), (80, 12, 6, 2))[0]
            counts[chosen] += 1
        found.append(Inspected(line.line_no, **counts))
    inspected = inspect_return(
        week.database, week.worker(node_id), request.id, found, seen=None, key=week.key()
    )
    await week.do("return inspected", inspected)


STORIES: dict[Fate, Story] = {
    Fate.REFUSED: _refused,
    Fate.SENT_BACK: _sent_back,
    Fate.APPROVED_TWICE: _sent_back,
    Fate.SENT_BACK_IN_PART: _sent_back,
    Fate.NOT_SENT_BACK: _sent_back,
    Fate.TAKEN_BACK: _taken_back,
    Fate.REFUND_ONLY: _paid_back_only,
    Fate.MISSING: _paid_back_only,
    Fate.DECLINED: _paid_back_only,
    Fate.EXCHANGED: _exchanged,
    Fate.EXCHANGED_DEARER: _exchanged,
    Fate.EXCHANGE_DROPPED: _exchanged,
    Fate.GOODWILL: _goodwill,
    Fate.REPAIRED: _repaired,
}
"""What is done once it has come."""
