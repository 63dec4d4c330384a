"""What customers do who fetch their orders at a store."""

from collections.abc import AsyncIterator
from datetime import timedelta

from backend.demo.brand import STORES
from backend.orders.find_orders import lines_of_orders
from backend.orders.model import FulfilmentStatus
from backend.orders.supplies.receive import receive_supply
from backend.pickups.codes import codes_of_order, issue_code
from backend.pickups.gather import Gathering, gather_pickup, gather_sources
from backend.pickups.hand_over import Handing, hand_over
from backend.pickups.model import CodeState, HandedLine, PickupDone, PickupStatus
from backend.pickups.move import Moving, move_pickup
from loadtests.week.after_it_came import give_back_at_a_store
from loadtests.week.before_it_is_sent import ask_to_stop
from loadtests.week.plan import Fate
from loadtests.week.week import Sold, Week, rounds

PROXY = ("代取人", "13700000000")
NO_CODE = "00000000"


async def fetched(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Come for an order once it is ready, or never; most come within two days."""
    fate = sold.planned.fate
    if fate is Fate.GATHERED:
        async for _ in _gathered(week, sold):
            yield
    async for _ in _until(week, sold, PickupStatus.READY, PickupStatus.REJECTED):
        yield
    if _is(sold, PickupStatus.REJECTED):
        await _fetch_elsewhere(week, sold)
        yield
        async for _ in _until(week, sold, PickupStatus.READY):
            yield
    if not _is(sold, PickupStatus.READY) or fate is Fate.NO_SHOW:
        return
    if fate is Fate.SENT_AFTER_ALL:
        moved = move_pickup(
            week.database, week.clerk, sold.id, Moving(None, "没空去取"), seen=None, key=week.key()
        )
        await week.do("sent instead of fetched", moved)
        return
    if fate is Fate.CANCELLED_THERE:
        await _cancel(week, sold)
        return
    async for _ in rounds(sold.random.randrange(18)):
        yield
    if not _is(sold, PickupStatus.READY):
        return
    await _come(week, sold)
    if fate is Fate.IN_PARTS:
        async for _ in rounds(1 + sold.random.randrange(6)):
            yield
        if _is(sold, PickupStatus.READY):
            await week.do("the rest fetched", _hand_over(week, sold, await _code(week, sold)))
    if fate is Fate.TAKEN_BACK:
        async for _ in week.until(sold):
            yield
        async for _ in rounds(4):
            yield
        await give_back_at_a_store(week, sold)


async def _gathered(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Let what its store does not have come from elsewhere; the store receives it a day later."""
    yield
    live = await week.runtime.books.open(week.tenant_id)
    await live.freshen()
    sources = await gather_sources(week.database, week.clerk, sold.id, live)
    if not sources or sold.pickup is None:
        return
    today = (await week.runtime.brands.get(week.tenant_id)).today()
    gathering = Gathering(sources[0], today + timedelta(days=1))
    asked = gather_pickup(
        week.database, week.clerk, sold.id, gathering, live, seen=None, key=week.key()
    )
    gathered = await week.do("sent to its store", asked)
    await week.runtime.publish_levels(week.tenant_id, gathered.levels)
    await week.runtime.settle()
    async for _ in rounds(8):
        yield
    store = week.worker(sold.pickup.node_id)
    for line in gathered.supplies:
        came = receive_supply(
            week.database,
            store,
            week.runtime.intake.ids,
            (line.code, 1, line.units),
            key=week.key(),
        )
        received = await week.do("received by its store", came)
        await week.runtime.publish_levels(week.tenant_id, received.levels)
        await week.runtime.settle()


async def _come(week: Week, sold: Sold) -> None:
    """Show a code, and be given what is ready of the order."""
    match sold.planned.fate:
        case Fate.BY_PROXY:
            await issue_code(week.database, week.clerk, sold.id, PROXY, (), week.key())
            code = await _code(week, sold, PROXY[0])
            await week.do("fetched by somebody else", _hand_over(week, sold, code))
        case Fate.IN_PARTS:
            async with week.reading() as tx:
                lines = (await lines_of_orders(tx, [sold.id]))[sold.id]
            ready = next(line["line_no"] for line in lines if line["at_node"])
            one = (HandedLine(ready, 1),)
            await week.do("a part fetched", _hand_over(week, sold, await _code(week, sold), one))
        case Fate.FETCHED_TWICE:
            code = await _code(week, sold)
            first, second = (_hand_over(week, sold, code) for _ in range(2))
            await week.at_once("handed over to the customer", first, second)
        case fate:
            if fate is Fate.GUESSED:
                guess = _hand_over(week, sold, NO_CODE)
                await week.refused("a wrong pickup code", "WRONG_PICKUP_CODE", guess)
            await week.do("fetched", _hand_over(week, sold, await _code(week, sold)))


async def _fetch_elsewhere(week: Week, sold: Sold) -> None:
    """Let the customer choose another store."""
    there = sold.planned.draft.fetched_at
    other = next(store.code for store in STORES if there is None or store.code != there.location)
    moving = Moving(other, "门店无货")
    moved = move_pickup(week.database, week.clerk, sold.id, moving, seen=None, key=week.key())
    await week.do("to be fetched elsewhere", moved)


async def _cancel(week: Week, sold: Sold) -> None:
    """Cancel what a store keeps ready: it is asked to stop, and does."""
    for key in sold.keys(FulfilmentStatus.PICKED, FulfilmentStatus.PACKED):
        await ask_to_stop(week, sold, key, "put back by its store")


async def _hand_over(
    week: Week, sold: Sold, code: str, lines: tuple[HandedLine, ...] | None = None
) -> PickupDone:
    assert sold.pickup is not None
    worker = week.worker(sold.pickup.node_id)
    handing = Handing(code, lines)
    return await hand_over(week.database, worker, sold.id, handing, seen=None, key=week.key())


async def _code(week: Week, sold: Sold, name: str = "") -> str:
    """Return a valid code of an order: of somebody, or of anybody."""
    codes = await codes_of_order(week.database, week.clerk, sold.id)
    return next(
        one.code or "" for one in codes if one.state is CodeState.ACTIVE and name in ("", one.name)
    )


async def _until(week: Week, sold: Sold, *statuses: PickupStatus) -> AsyncIterator[None]:
    while not _is(sold, *statuses) and not sold.is_final:
        yield


def _is(sold: Sold, *statuses: PickupStatus) -> bool:
    return sold.pickup is not None and sold.pickup.status in statuses
