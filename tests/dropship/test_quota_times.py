"""What time does to quotas: increases end, what is due blocks, and who runs low is told once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backend.db.pool import Database, TenantTransaction
from backend.dropship.quotas.accounts import end_increases
from backend.dropship.quotas.model import QuotaEntryType
from tests.catalogue import Connection
from tests.dropship.papers import overtaken
from tests.dropship.quotas import DAY, Quotas
from tests.world import World

E = QuotaEntryType
ONE_DAY = timedelta(days=1)
DUE = DAY + timedelta(days=30)
LATE = DUE + ONE_DAY
IN_2100 = datetime(2100, 1, 1, tzinfo=UTC)
OVER = "update quota_increase set ends_at = clock_timestamp() where reason = $1"
TOLD = "select payload from outbox where type = $1 order by id"


@pytest.fixture
def quotas(database: Database, world: World) -> Quotas:
    return Quotas(database, world.brand)


async def told(admin: Connection, type_: str) -> list[Any]:
    """Return what was told of quotas, in the order in which it was."""
    return [msgspec.json.decode(row["payload"]) for row in await admin.fetch(TOLD, type_)]


# --------------------------------------------------------------------------------- increases


async def test_there_is_more_for_a_while(quotas: Quotas) -> None:
    await quotas.credit(1_000)
    more = await quotas.increase(500, IN_2100, reason="promotion")
    assert (more.granted_minor, more.left_minor) == (1_500, 1_500)
    assert await quotas.mind() == []
    assert await quotas.take(1_500) is not None
    entry = (await quotas.entries())[1]
    assert (entry.type, entry.granted_delta, entry.reason) == (E.INCREASED, 500, "promotion")


async def test_it_ends_when_its_time_is_over(quotas: Quotas, admin: Connection) -> None:
    await quotas.credit(1_000)
    await quotas.increase(500, IN_2100, reason="short")
    await quotas.increase(200, IN_2100, reason="long")
    await admin.execute(OVER, "short")
    assert await quotas.mind() == [(await quotas.account()).at]
    assert (await quotas.account()).granted_minor == 1_200
    entry = (await quotas.entries())[-1]
    assert (entry.type, entry.granted_delta, entry.reason) == (E.INCREASE_ENDED, -500, "short")
    assert await quotas.mind() == []


async def test_what_it_let_be_taken_stays_taken(quotas: Quotas, admin: Connection) -> None:
    await quotas.credit(1_000)
    await quotas.increase(500, IN_2100, reason="short")
    await quotas.take(1_400)
    await admin.execute(OVER, "short")
    await quotas.mind()
    over = await quotas.account()
    assert (over.used_minor, over.granted_minor, over.left_minor) == (1_400, 1_000, 0)
    assert await quotas.take(1) is None


async def test_two_end_it_once(quotas: Quotas, admin: Connection) -> None:
    await quotas.credit(1_000)
    await quotas.increase(500, IN_2100, reason="short")
    await admin.execute(OVER, "short")

    async def ends(tx: TenantTransaction) -> object:
        return await end_increases(tx, 10)

    assert await overtaken(quotas.database, admin, quotas.who, ends, ends) == []
    assert (await quotas.account()).granted_minor == 1_000


async def test_a_limit_leaves_increases_on_top(quotas: Quotas, admin: Connection) -> None:
    await quotas.credit(1_000)
    await quotas.increase(500, IN_2100, reason="short")
    assert (await quotas.limit(0)).granted_minor == 500
    await admin.execute(OVER, "short")
    await quotas.mind()
    assert (await quotas.account()).granted_minor == 0
    assert (await quotas.limit(700)).granted_minor == 700


async def test_an_increase_is_given_once(quotas: Quotas) -> None:
    await quotas.credit(1_000)
    first, again = [await quotas.increase(500, IN_2100, key="k") for _ in range(2)]
    assert first == again == await quotas.account()


# ----------------------------------------------------------------------------------- overdue


@pytest.fixture
async def owing(quotas: Quotas) -> Quotas:
    """Order 1 has taken 600 of a credit of 1,000 that is due on `DUE`."""
    await quotas.credit(1_000, payment_days=30)
    await quotas.take(600)
    return quotas


async def test_on_the_day_it_is_due_nothing_is_overdue_yet(owing: Quotas) -> None:
    await owing.mind(DUE)
    assert not (await owing.account()).is_blocked
    account = await owing.account()
    assert (account.overdue_minor, account.is_blocked, account.left_minor) == (0, False, 400)


async def test_the_day_after_it_is_blocked(owing: Quotas, admin: Connection) -> None:
    (changed,) = await owing.mind(LATE)
    account = await owing.account()
    assert (account.overdue_minor, account.is_blocked, account.left_minor) == (600, True, 0)
    assert changed == account.at
    assert await owing.take(1) is None
    assert await told(admin, "quota.overdue") == [
        {"account": "Q-1", "overdueMinor": 600, "isBlocked": True}
    ]


async def test_that_is_told_once(owing: Quotas, admin: Connection) -> None:
    for day in (LATE, LATE, LATE + ONE_DAY):
        await owing.mind(day)
    assert len(await told(admin, "quota.overdue")) == 1
    assert (await owing.account()).overdue_minor == 600


async def test_a_blocked_account_says_so_before_it_is_looked_at_again(owing: Quotas) -> None:
    await owing.mind(LATE)
    raised = await owing.limit(9_000)
    assert (raised.granted_minor, raised.is_blocked, raised.left_minor) == (9_000, True, 0)
    assert await owing.take(1) is None


async def test_what_is_paid_before_it_is_due_never_blocks(owing: Quotas) -> None:
    await owing.pay(600)
    await owing.mind(LATE)
    assert not (await owing.account()).is_blocked
    assert (await owing.account()).left_minor == 1_000


async def test_what_is_due_longest_is_paid_first(owing: Quotas) -> None:
    await owing.take(300, 2, day=DAY + ONE_DAY)
    await owing.mind(LATE)
    assert not (await owing.pay(600)).is_blocked
    await owing.mind(LATE + ONE_DAY)
    account = await owing.account()
    assert (account.overdue_minor, account.is_blocked) == (300, True)


async def test_paid_in_part_it_stays_blocked(owing: Quotas) -> None:
    await owing.mind(LATE)
    partly = await owing.pay(599)
    assert (partly.overdue_minor, partly.is_blocked, partly.left_minor) == (1, True, 0)
    whole = await owing.pay(1)
    assert (whole.overdue_minor, whole.is_blocked, whole.left_minor) == (0, False, 1_000)
    assert await owing.take(1_000, 2) is not None


async def test_that_it_is_paid_is_told(owing: Quotas, admin: Connection) -> None:
    await owing.mind(LATE)
    await owing.pay(100)
    await owing.pay(500)
    await owing.pay(100)
    await owing.mind(LATE + ONE_DAY)
    assert (await told(admin, "quota.overdue"))[1:] == [
        {"account": "Q-1", "overdueMinor": 0, "isBlocked": False}
    ]


async def test_what_is_given_back_is_no_longer_due(owing: Quotas) -> None:
    await owing.give_back(200)
    await owing.mind(LATE)
    assert (await owing.account()).overdue_minor == 400
    await owing.give_back(100)
    account = await owing.account()
    assert (account.overdue_minor, account.is_blocked) == (300, True)
    assert (await owing.pay(300)).left_minor == 1_000


async def test_all_given_back_it_is_no_longer_blocked(owing: Quotas, admin: Connection) -> None:
    await owing.mind(LATE)
    await owing.give_back(600)
    (changed,) = await owing.mind(LATE)
    account = await owing.account()
    assert (account.is_blocked, account.left_minor) == (False, 1_000)
    assert changed == account.at
    assert (await told(admin, "quota.overdue"))[1:] == [
        {"account": "Q-1", "overdueMinor": 0, "isBlocked": False}
    ]


async def test_what_another_order_gives_back_is_due_when_that_was(owing: Quotas) -> None:
    await owing.take(300, 2, day=DAY + ONE_DAY)
    await owing.mind(LATE)
    await owing.give_back(300, 2)
    assert (await owing.account()).overdue_minor == 600
    await owing.mind(LATE + ONE_DAY)
    assert (await owing.account()).overdue_minor == 600


async def test_what_is_taken_late_is_due_at_once(owing: Quotas) -> None:
    await owing.pay(600)
    await owing.mind(LATE)
    await owing.take(100, 2, day=DAY)
    assert (await owing.account()).overdue_minor == 100


async def test_without_days_nothing_is_ever_due(quotas: Quotas) -> None:
    await quotas.credit(1_000)
    await quotas.prepaid(1_000, "Q-2")
    for code in ("Q-1", "Q-2"):
        await quotas.take(1_000, 1, code)
    assert await quotas.mind(DAY.replace(year=2100)) == []
    assert [one.is_blocked for one in (await quotas.all()).values()] == [False, False]


async def test_due_on_the_day_it_is_late_on_the_next(quotas: Quotas) -> None:
    await quotas.credit(1_000, payment_days=0)
    await quotas.take(1)
    await quotas.mind(DAY)
    assert not (await quotas.account()).is_blocked
    (found,) = await quotas.mind(DAY + ONE_DAY)
    assert found == (await quotas.account()).at
    assert (await quotas.account()).is_blocked


# ------------------------------------------------------------------------------------ warned


async def shares(admin: Connection) -> list[int | None]:
    return [one["belowBp"] for one in await told(admin, "quota.low")]


async def test_each_threshold_is_told_once(quotas: Quotas, admin: Connection) -> None:
    await quotas.credit(10_000)
    for amount in (8_000, 1, 1, 1_498, 1):
        await quotas.take(amount)
        await quotas.mind()
        await quotas.mind()
    assert await shares(admin) == [2_000, 500]
    assert (await told(admin, "quota.low"))[0] == {
        "account": "Q-1",
        "grantedMinor": 10_000,
        "leftMinor": 1_999,
        "belowBp": 2_000,
    }


async def test_both_at_once_are_told_as_the_lower(quotas: Quotas, admin: Connection) -> None:
    await quotas.credit(10_000)
    await quotas.take(10_000)
    await quotas.mind()
    assert await shares(admin) == [500]


async def test_after_it_recovered_it_is_told_again(quotas: Quotas, admin: Connection) -> None:
    await quotas.credit(10_000)
    for amount in (9_000, -9_000, 9_000):
        await (quotas.take(amount) if amount > 0 else quotas.give_back(-amount))
        await quotas.mind()
    assert await shares(admin) == [2_000, None, 2_000]


async def test_a_lower_limit_is_told_of_too(quotas: Quotas, admin: Connection) -> None:
    await quotas.credit(10_000)
    await quotas.take(1_000)
    await quotas.limit(1_000)
    await quotas.mind()
    assert await shares(admin) == [500]


async def test_without_thresholds_nobody_is_told(quotas: Quotas, admin: Connection) -> None:
    await quotas.credit(10_000, warn_bp=())
    await quotas.take(10_000)
    await quotas.mind()
    assert await shares(admin) == []


async def test_what_is_told_is_its_dealers(quotas: Quotas, admin: Connection) -> None:
    await quotas.credit(10_000)
    await quotas.take(10_000)
    await quotas.mind()
    dealers = await admin.fetch("select dealer_id from outbox where type = 'quota.low'")
    assert [row["dealer_id"] for row in dealers] == [(await quotas.account()).dealer_id]
