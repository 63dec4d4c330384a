"""What is done at the customer's door: carriers fetch what is sent back, and old units for new."""

from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta

from backend.after_sales.collecting import Wanted, change_collection, request_collection
from backend.after_sales.model import ReturnKind, TradeIn, TradeInDraft, UnitMove
from backend.after_sales.trade_ins import move_trade_in, promise_trade_in
from backend.fulfilment.collections.model import (
    CollectedFor,
    Collection,
    CollectionStatus,
    CollectionTime,
    Subject,
)
from backend.fulfilment.collections.standing import collections_by_ids
from backend.inventory.levels import database_time
from backend.orders.model import OrderStatus
from loadtests.week.after_it_came import approved, ask, came, come_back, units_of
from loadtests.week.nodes import CARRIER
from loadtests.week.plan import CHINA, Fate
from loadtests.week.week import Sold, Story, Week

PROMISED_MINOR = 5_000
FROM, UNTIL = time(9), time(21)
"""When the customers are at home."""


async def _sent_back(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Let a carrier fetch all of it, at the first or the second try; then it is paid back."""
    async for _ in came(week, sold):
        yield
    if sold.status is OrderStatus.CANCELLED or len(week.owners_of(sold)) > 1:
        return
    units = await units_of(week, sold, is_part=False)
    request = await ask(week, sold, ReturnKind.RETURN, units)
    await approved(week, sold, request)
    async for _ in _fetched(week, sold, Subject(CollectedFor.RETURN, request.id)):
        yield
    async for _ in come_back(week, sold, request):
        yield


async def _traded_in(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Give an old unit, which is what was promised, or worth less: it goes back then."""
    line = sold.planned.draft.lines[0]
    promised = min(PROMISED_MINOR, line.unit_price_minor // 2)
    draft = TradeInDraft(sold.id, 1, "旧电器，十年以上", promised)
    asked = promise_trade_in(week.database, week.clerk, draft, week.key())
    trade_in = await week.do("old unit promised", asked)
    async for _ in came(week, sold):
        yield
    if sold.status is OrderStatus.CANCELLED:
        await _move(week, trade_in, UnitMove("cancel", "订单取消"))
        return
    async for _ in _fetched(week, sold, Subject(CollectedFor.TRADE_IN, trade_in.id)):
        yield
    is_less = sold.planned.fate is Fate.TRADED_IN_FOR_LESS
    worth = promised // 2 if is_less else promised
    await _move(week, trade_in, UnitMove("receive", node_id=sold.sent_from), sold.sent_from)
    await _move(week, trade_in, UnitMove("grade", "外观旧", worth), sold.sent_from)
    yield
    if not is_less:
        await _move(week, trade_in, UnitMove("pay", "打款"))
    elif sold.random.random() < 0.5:
        await _move(week, trade_in, UnitMove("accept", amount_minor=worth))
        await _move(week, trade_in, UnitMove("pay", "打款"))
    else:
        await _move(week, trade_in, UnitMove("decline", "太少"))
        home = UnitMove("send_home", carrier=CARRIER, waybill=f"OLD{trade_in.id}")
        await _move(week, trade_in, home, sold.sent_from)


async def _move(week: Week, trade_in: TradeIn, move: UnitMove, node_id: int | None = None) -> None:
    who = week.clerk if node_id is None else week.worker(node_id)
    done = move_trade_in(week.database, who, trade_in.id, move, seen=None, key=week.key())
    await week.do(f"old unit: {move.step}", done)


async def _fetched(week: Week, sold: Sold, subject: Subject) -> AsyncIterator[None]:
    """Let a carrier fetch something, and wait until it is there; it may be agreed upon twice."""
    wanted = Wanted(await _tomorrow(week), sold.sent_from, weight_g=5_000)
    asked = request_collection(week.database, week.clerk, subject, wanted, week.key())
    collection = await week.do("asked to be fetched", asked)
    while collection.status is not CollectionStatus.ARRIVED:
        yield
        collection = await _look(week, collection)
        if collection.status is CollectionStatus.MISSED:
            another = change_collection(
                week.database,
                week.clerk,
                collection.id,
                await _tomorrow(week),
                seen=collection.version,
                key=week.key(),
            )
            collection = await week.do("to be fetched another day", another)


async def _look(week: Week, collection: Collection) -> Collection:
    async with week.reading() as tx:
        return (await collections_by_ids(tx, [collection.id]))[collection.id]


async def _tomorrow(week: Week) -> CollectionTime:
    async with week.reading() as tx:
        now = await database_time(tx)
    day = (now.astimezone(CHINA) + timedelta(days=1)).date()
    moments = (datetime.combine(day, at, CHINA) for at in (FROM, UNTIL))
    return CollectionTime(CARRIER, *moments)


STORIES: dict[Fate, Story] = {
    Fate.COLLECTED: _sent_back,
    Fate.COLLECTED_LATE: _sent_back,
    Fate.TRADED_IN: _traded_in,
    Fate.TRADED_IN_FOR_LESS: _traded_in,
}
