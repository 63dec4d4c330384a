"""Whatever is done to a quota: it is what its entries add up to, and nothing is taken beyond it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.audit.audit import CHECKS
from backend.db.pool import Database
from backend.dropship.quotas.model import QuotaAccount, QuotaEntryType
from tests.catalogue import Connection
from tests.dropship.quotas import DAY, Quotas
from tests.world import World, fresh_key

IN_2100 = datetime(2100, 1, 1, tzinfo=UTC)
PAYMENT_DAYS = 2
OVER = "update quota_increase set ends_at = clock_timestamp() where ended_at is null"

orders = st.integers(1, 3)
amounts = st.integers(1, 500)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("take"), orders, amounts),
        st.tuples(st.just("give back"), orders, amounts),
        st.tuples(st.just("pay"), st.just(0), amounts),
        st.tuples(st.just("limit"), st.just(0), st.integers(0, 1_500)),
        st.tuples(st.just("increase"), st.just(0), amounts),
        st.tuples(st.just("end increases"), st.just(0), st.just(0)),
        st.tuples(st.just("days pass"), st.just(0), st.integers(0, 2)),
    ),
    min_size=5,
    max_size=25,
)


class History:
    """An account, and what is known of it without looking."""

    def __init__(self, quotas: Quotas, admin: Connection, code: str) -> None:
        self._quotas, self._admin, self._code = quotas, admin, code
        self.limit, self.increased, self.used, self.paid = 1_000, 0, 0, 0
        self.taken = dict.fromkeys((1, 2, 3), 0)
        self.today = DAY

    async def step(self, what: str, order_id: int, amount: int) -> None:
        match what:
            case "take":
                await self._take(order_id, amount)
            case "give back":
                await self._give_back(order_id, min(amount, self.taken[order_id]))
            case "pay":
                await self._quotas.pay(amount, code=self._code)
                self.used, self.paid = self.used - amount, self.paid + amount
            case "limit":
                await self._quotas.limit(amount, self._code)
                self.limit = amount
            case "increase":
                await self._quotas.increase(amount, IN_2100, self._code)
                self.increased += amount
            case "end increases":
                await self._admin.execute(OVER)
                await self._quotas.mind(self.today)
                self.increased = 0
            case "days pass":
                self.today += timedelta(days=amount)
                await self._quotas.mind(self.today)

    async def _take(self, order_id: int, amount: int) -> None:
        before = await self.account()
        took = await self._quotas.take(amount, order_id, self._code, self.today)
        assert (took is not None) == (amount <= before.left_minor)
        if took is not None:
            self.used += amount
            self.taken[order_id] += amount
            assert self.used <= self.limit + self.increased

    async def _give_back(self, order_id: int, amount: int) -> None:
        if amount:
            await self._quotas.give_back(amount, order_id, self._code)
            self.used -= amount
            self.taken[order_id] -= amount

    async def account(self) -> QuotaAccount:
        return await self._quotas.account(self._code)

    async def check(self) -> None:
        account, entries = await self.account(), await self._quotas.entries(self._code)
        assert (account.granted_minor, account.used_minor) == (
            self.limit + self.increased,
            self.used,
        )
        assert account.granted_minor == sum(one.granted_delta for one in entries)
        assert account.used_minor == sum(one.used_delta for one in entries)
        assert self.paid == -sum(
            one.used_delta for one in entries if one.type is QuotaEntryType.PAID
        )

    async def check_due(self) -> None:
        """Once all is counted, what was due before today and is not paid blocks, and no more."""
        await self._quotas.mind(self.today)
        account, entries = await self.account(), await self._quotas.entries(self._code)
        due = sum(one.used_delta for one in entries if one.due_on and one.due_on < self.today)
        assert account.overdue_minor == max(0, due - self.paid)
        assert account.is_blocked == (due > self.paid)


@pytest.fixture
def quotas(database: Database, world: World) -> Quotas:
    return Quotas(database, world.brand)


@given(history=steps)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_an_account_is_its_entries_whatever_happens(
    quotas: Quotas, admin: Connection, history: list[tuple[str, int, int]]
) -> None:
    code = fresh_key()
    await quotas.credit(1_000, code, payment_days=PAYMENT_DAYS)
    lived = History(quotas, admin, code)
    for what, order_id, amount in history:
        await lived.step(what, order_id, amount)
        await lived.check()
    await lived.check_due()
    async with quotas.database.tenant_transaction(quotas.who, read_only=True) as tx:
        assert await tx.fetch(CHECKS["quota_is_not_its_entries"], tx.tenant_id, 10) == []
