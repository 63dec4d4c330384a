"""Counting: small differences apply at once, large ones when somebody else approves them."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from backend.channels.shops import active_shops
from backend.db.errors import YipanError
from backend.db.pool import Database
from backend.inventory.change_stock import REASON_LENGTH_MAX, StockAdjust
from backend.inventory.counts.count_stock import (
    Counted,
    count_stock,
    decide_count,
    page_of_counts,
)
from backend.inventory.counts.model import (
    LINES_MAX,
    CountLine,
    CountState,
    StockCount,
    is_within_tolerance,
)
from backend.inventory.model import QUANTITY_MAX
from backend.orders.model import Placed
from backend.runtime import Runtime
from tenants.principal import Permission, Principal
from tests.catalogue import Connection, contents
from tests.crowd import CROWD, all_at_once
from tests.inventory.stock import Figures, change, figures, ledger
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import World, draft, fresh_key, receive


def line(counted: int, warehouse: str = "wh", sku: str = "A", reason: str = "") -> CountLine:
    return CountLine(warehouse=warehouse, sku=sku, counted=counted, reason=reason)


async def count(
    database: Database, who: Principal, *lines: CountLine, key: str | None = None
) -> Counted:
    async with database.tenant_transaction(who) as tx:
        return await count_stock(tx, lines, key=key or fresh_key())


async def decide(
    database: Database, who: Principal, count_id: int, *, approve: bool, key: str | None = None
) -> Counted:
    async with database.tenant_transaction(who) as tx:
        return await decide_count(tx, count_id, approve=approve, key=key or fresh_key())


async def listed(
    database: Database, who: Principal, state: CountState | None = None
) -> Sequence[StockCount]:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await page_of_counts(tx, 2**63 - 1, 100, state)


def colleague(world: World) -> Principal:
    return replace(world.brand, subject="user:999")


# ------------------------------------------------------------------------------------- effects


@pytest.mark.parametrize(
    ("on_hand", "counted", "is_small"),
    [
        (0, 2, True),
        (0, 3, False),
        (10, 8, True),
        (10, 7, False),
        (10, 12, True),
        (10, 13, False),
        (150, 147, True),
        (150, 146, False),
        (149, 146, False),
        (1_000, 1_020, True),
        (1_000, 1_021, False),
        (-150, -147, True),
        (-5, 0, False),
        (7, 7, True),
    ],
)
def test_what_is_small(on_hand: int, counted: int, is_small: bool) -> None:
    assert is_within_tolerance(on_hand, counted) is is_small


async def test_a_small_difference_counts_at_once(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 10)
    done = await count(database, world.brand, line(8, reason=" broken "))
    (found,) = done.counts
    assert (found.state, found.on_hand, found.counted, found.variance, found.reason) == (
        CountState.APPLIED,
        10,
        8,
        -2,
        "broken",
    )
    row = (await ledger(admin, world))[-1]
    assert (row.type, row.quantity, row.on_hand, row.cause_kind) == ("counted", -2, -2, "count")
    assert (row.cause_id, row.reason, row.actor) == (found.id, "broken", world.brand.subject)
    assert await figures(admin, world, "wh") == Figures(8, version=2)
    assert [level.on_hand for level in done.levels] == [8]


async def test_a_large_difference_waits(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 10)
    done = await count(database, world.brand, line(4), line(1, sku="B"))
    assert [one.state for one in done.counts] == [CountState.WAITING, CountState.APPLIED]
    assert await figures(admin, world, "wh") == Figures(10, version=1)
    assert (await figures(admin, world, "wh", "B")).on_hand == 1
    assert await listed(database, world.brand, CountState.WAITING) == done.counts[:1]


async def test_who_approves_applies_the_variance_to_what_is_there_now(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 10)
    (waiting,) = (await count(database, world.brand, line(4, reason="shelf 3"))).counts
    await receive(database, world.brand, "wh", "A", 7)
    done = await decide(database, colleague(world), waiting.id, approve=True)
    (found,) = done.counts
    assert (found.state, found.decided_by) == (CountState.APPLIED, "user:999")
    assert found.decided_at is not None
    assert (await figures(admin, world, "wh")).on_hand == 11
    row = (await ledger(admin, world))[-1]
    assert (row.type, row.on_hand, row.cause_id) == ("counted", -6, waiting.id)
    assert (row.reason, row.actor) == ("shelf 3", "user:999")


async def test_who_counts_again_rejects_what_waited(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 100)
    (first,) = (await count(database, world.brand, line(50))).counts
    (again,) = (await count(database, world.brand, line(50))).counts
    states = {one.id: one.state for one in await listed(database, world.brand)}
    assert states == {first.id: CountState.REJECTED, again.id: CountState.WAITING}
    await decide(database, colleague(world), again.id, approve=True)
    assert (await figures(admin, world, "wh")).on_hand == 50


async def test_what_is_rejected_changes_nothing(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 10)
    (waiting,) = (await count(database, world.brand, line(4))).counts
    done = await decide(database, colleague(world), waiting.id, approve=False)
    assert (done.counts[0].state, done.levels) == (CountState.REJECTED, [])
    assert await figures(admin, world, "wh") == Figures(10, version=1)
    assert len(await ledger(admin, world)) == 1


async def test_what_was_counted_is_seen_by_whose_it_is(database: Database, world: World) -> None:
    await count(database, world.brand, line(9), line(9, "store"), line(9, "dealer-node"))
    seen = {who: len(await listed(database, getattr(world, who))) for who in READERS}
    assert seen == {"dealer": 1, "other_dealer": 0, "store": 1, "group": 3}
    assert await listed(database, world.other_brand) == []


# ------------------------------------------------------------------------------------ refusals

READERS = ("dealer", "other_dealer", "store", "group")
MANY = [line(1, sku=f"S{n}") for n in range(LINES_MAX + 1)]
REFUSED: dict[str, tuple[Sequence[CountLine], str, tuple[str | int, ...]]] = {
    "nothing": ((), "INVALID_COUNT", ("lines",)),
    "too much": (MANY, "INVALID_COUNT", ("lines",)),
    "a level twice": ((line(1), line(2)), "INVALID_COUNT", ("lines",)),
    "less than 0": ((line(1), line(-1, "far")), "INVALID_QUANTITY", ("lines", 1, "counted")),
    "more than there can be": (
        (line(QUANTITY_MAX + 1),),
        "INVALID_QUANTITY",
        ("lines", 0, "counted"),
    ),
    "a long reason": (
        (line(1, reason="x" * (REASON_LENGTH_MAX + 1)),),
        "INVALID_REASON",
        ("lines", 0, "reason"),
    ),
    "a reason of two lines": ((line(1, reason="a\nb"),), "INVALID_REASON", ("lines", 0, "reason")),
    "an unknown SKU": ((line(1, "far"), line(1, sku="Z")), "UNKNOWN_SKU", ()),
    "an unknown warehouse": ((line(1), line(1, "z")), "UNKNOWN_FUNCTIONAL_WAREHOUSE", ()),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_count_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    lines, code, path = REFUSED[name]
    async with refused(still_admin, code) as seen:
        await count(still, ready_world.brand, *lines)
    assert isinstance(seen.error, YipanError)
    assert seen.error.path == path


@pytest.mark.parametrize("who", READERS)
async def test_who_may_only_read_counts_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str
) -> None:
    async with refused(still_admin, "WRITE_REFUSED"):
        await count(still, getattr(ready_world, who), line(5))
    async with refused(still_admin, "WRITE_REFUSED"):
        await decide(still, getattr(ready_world, who), 1, approve=True)


async def test_who_lacks_the_permission_counts_nothing(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    brand = ready_world.brand
    without = replace(brand, permissions=brand.permissions - {Permission.STOCK_WRITE})
    async with refused(still_admin, "PERMISSION_MISSING"):
        await count(still, without, line(5))
    async with refused(still_admin, "PERMISSION_MISSING"):
        await decide(still, without, 1, approve=True)


async def test_a_decision_that_cannot_be_made_changes_nothing(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 10)
    large, small = (await count(database, world.brand, line(4), line(1, "far"))).counts
    for approve in (True, False):
        async with refused(admin, "OWN_COUNT"):
            await decide(database, world.brand, large.id, approve=approve)
        async with refused(admin, "UNKNOWN_COUNT"):
            await decide(database, colleague(world), small.id, approve=approve)
        async with refused(admin, "UNKNOWN_COUNT"):
            await decide(database, colleague(world), 999, approve=approve)
        async with refused(admin, "UNKNOWN_COUNT"):
            await decide(database, world.other_brand, large.id, approve=approve)
    await decide(database, colleague(world), large.id, approve=False)
    async with refused(admin, "UNKNOWN_COUNT"):
        await decide(database, colleague(world), large.id, approve=True)


async def test_an_approval_beyond_what_a_level_holds_changes_nothing(
    database: Database, world: World, admin: Connection
) -> None:
    (waiting,) = (await count(database, world.brand, line(QUANTITY_MAX))).counts
    await receive(database, world.brand, "wh", "A", 1)
    async with refused(admin, "INVALID_QUANTITY"):
        await decide(database, colleague(world), waiting.id, approve=True)


# ---------------------------------------------------------------------------- once, and at once


async def test_again_it_is_answered_as_the_first_time(
    database: Database, world: World, admin: Connection
) -> None:
    first = await count(database, world.brand, line(2), line(9, "far"), key="k")
    waiting = first.counts[1]
    other = colleague(world)
    decided = await decide(database, other, waiting.id, approve=True, key="d")
    before = await contents(admin)
    assert await count(database, world.brand, line(2), line(9, "far"), key="k") == first
    assert await decide(database, other, waiting.id, approve=True, key="d") == decided
    assert await contents(admin) == before
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await count(database, world.brand, line(3), line(9, "far"), key="k")
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await decide(database, other, waiting.id, approve=False, key="d")


async def test_of_those_who_decide_at_once_one_does(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 10)
    (waiting,) = (await count(database, world.brand, line(4))).counts
    others = [replace(world.brand, subject=f"user:{900 + n}") for n in range(CROWD)]
    works = (decide(database, who, waiting.id, approve=n % 2 == 0) for n, who in enumerate(others))
    done, codes = await all_at_once(admin, works, "stock_count")
    assert codes == ["UNKNOWN_COUNT"] * (CROWD - 1)
    is_applied = done[0].counts[0].state is CountState.APPLIED
    assert (await figures(admin, world, "wh")).on_hand == (4 if is_applied else 10)


async def test_counts_among_changes_add_up(
    database: Database, world: World, admin: Connection
) -> None:
    """Each counts what is there when it has the level: so the differences never add up."""
    await receive(database, world.brand, "wh", "A", 1_000)
    works = [count(database, world.brand, line(990)) for _ in range(CROWD)]
    done, codes = await all_at_once(admin, works)
    assert codes == []
    assert sorted(one.counts[0].variance for one in done) == [-10] + [0] * (CROWD - 1)
    assert (await figures(admin, world, "wh")).on_hand == 990


async def test_counts_among_orders_end_clean(runtime: Runtime, world: World) -> None:
    database = runtime.database
    await receive(database, world.brand, "wh", "A", 40)

    async def miscount(number: int) -> None:
        done = await count(database, world.brand, line(40 + number % 2 * 2, reason="again"))
        await runtime.publish_levels(world.tenant_id, done.levels)

    buying = [runtime.intake.place(draft({"A": 1}), world.brand) for _ in range(60)]
    counting = asyncio.gather(*(miscount(number) for number in range(6)))
    outcomes = await asyncio.gather(*buying)
    await counting
    placed = sum(isinstance(outcome, Placed) for outcome in outcomes)
    assert 40 <= placed <= 42
    await assert_clean(runtime, world)


async def test_what_was_counted_less_is_no_more_offered(runtime: Runtime, world: World) -> None:
    database = runtime.database
    await receive(database, world.brand, "wh", "A", 10)
    (waiting,) = (await count(database, world.brand, line(3))).counts
    done = await decide(database, colleague(world), waiting.id, approve=True)
    await runtime.publish_levels(world.tenant_id, done.levels)
    live = await runtime.books.open(world.tenant_id)
    await live.freshen()
    await live.settled()
    book = live.book
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        shop_id = (await active_shops(tx))["shop"].id
    assert book.offered(world.skus["A"], shop_id) == 3
    lost = StockAdjust(warehouse="wh", sku="A", quantity=-3, reason="lost")
    levels = await change(database, world.brand, lost)
    await runtime.publish_levels(world.tenant_id, levels)
    assert book.offered(world.skus["A"], shop_id) == 0
    await assert_clean(runtime, world)
