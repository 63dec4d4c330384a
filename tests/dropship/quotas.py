"""What people and orders do with the quotas of a brand's dealers, in few words."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from backend.db.pool import TenantTransaction
from backend.dropship.quotas import accounts
from backend.dropship.quotas.accounts import account_by_code
from backend.dropship.quotas.counters import move_quotas, try_quotas
from backend.dropship.quotas.model import (
    AccountDraft,
    QuotaAccount,
    QuotaAt,
    QuotaEntry,
    QuotaEntryType,
    QuotaKind,
    QuotaMove,
)
from backend.dropship.quotas.upkeep import mind_quotas
from tests.dropship.papers import PAGE, Papers
from tests.world import fresh_key

DAY = date(2025, 1, 1)
"""When orders take of quotas, where nothing else is said."""
NEWEST = 2**62


class TooLittle(Exception):
    """An order takes more than there is; nothing of it stays."""


class Quotas(Papers):
    """Quota accounts, by their codes; "Q-1" where none is said."""

    async def credit(self, limit: int, code: str = "Q-1", **changes: Any) -> QuotaAccount:
        return await self.open(code, limit_minor=limit, **changes)

    async def prepaid(
        self, amount: int, code: str = "Q-1", *, reference: str = "", **changes: Any
    ) -> QuotaAccount:
        """Open an account into which so much is paid ahead."""
        await self.open(code, kind=QuotaKind.PREPAID, **changes)
        return await self.top_up(amount, reference or fresh_key(), code)

    async def open(self, code: str = "Q-1", *, key: str = "", **changes: Any) -> QuotaAccount:
        values = {"code": code, "dealer": "d1", "kind": QuotaKind.CREDIT, **changes}
        async with self.database.tenant_transaction(self.who) as tx:
            return await accounts.open_account(tx, AccountDraft(**values), key=key or fresh_key())

    async def limit(
        self, amount: int, code: str = "Q-1", *, key: str = "", reason: str = ""
    ) -> QuotaAccount:
        async with self.database.tenant_transaction(self.who) as tx:
            return await accounts.set_limit(tx, code, amount, key=key or fresh_key(), reason=reason)

    async def top_up(
        self, amount: int, reference: str = "", code: str = "Q-1", *, key: str = ""
    ) -> QuotaAccount:
        async with self.database.tenant_transaction(self.who) as tx:
            return await topping_up(amount, reference or fresh_key(), code, key)(tx)

    async def pay_out(
        self, amount: int, reference: str = "", code: str = "Q-1", *, key: str = ""
    ) -> QuotaAccount:
        async with self.database.tenant_transaction(self.who) as tx:
            return await paying_out(amount, reference or fresh_key(), code, key)(tx)

    async def pay(
        self, amount: int, reference: str = "", code: str = "Q-1", *, key: str = ""
    ) -> QuotaAccount:
        given = (code, amount, reference or fresh_key())
        async with self.database.tenant_transaction(self.who) as tx:
            return await accounts.record_payment(tx, *given, key=key or fresh_key())

    async def increase(
        self,
        amount: int,
        ends_at: datetime,
        code: str = "Q-1",
        *,
        key: str = "",
        reason: str = "",
    ) -> QuotaAccount:
        given = (code, amount, ends_at)
        async with self.database.tenant_transaction(self.who) as tx:
            return await accounts.increase(tx, *given, key=key or fresh_key(), reason=reason)

    async def account(self, code: str = "Q-1") -> QuotaAccount:
        async with self.database.tenant_transaction(self.who, read_only=True) as tx:
            return await accounts.account_by_code(tx, code)

    async def all(self, **given: Any) -> dict[str, QuotaAccount]:
        async with self.database.tenant_transaction(self.who, read_only=True) as tx:
            found = await accounts.page_of_accounts(tx, 0, PAGE, **given)
        return {one.code: one for one in found}

    async def entries(self, code: str = "Q-1") -> list[QuotaEntry]:
        """Return the statement of an account, the oldest line first."""
        account = await self.account(code)
        async with self.database.tenant_transaction(self.who, read_only=True) as tx:
            found = await accounts.page_of_entries(tx, account.id, NEWEST, PAGE)
        return found[::-1]

    async def take(
        self, amount: int, order_id: int = 1, code: str = "Q-1", day: date = DAY
    ) -> Mapping[int, QuotaAt] | None:
        """Let an order take so much, or none of it."""
        with suppress(TooLittle):
            async with self.database.tenant_transaction(self.who) as tx:
                return await taking(await account_by_code(tx, code), amount, order_id, day)(tx)
        return None

    async def give_back(self, amount: int, order_id: int = 1, code: str = "Q-1") -> None:
        account = await self.account(code)
        await self.move(QuotaMove(account.id, order_id, -amount, QuotaEntryType.GIVEN_BACK))

    async def move(self, *moves: QuotaMove) -> Mapping[int, QuotaAt]:
        async with self.database.tenant_transaction(self.who) as tx:
            return await move_quotas(tx, moves, DAY)

    async def mind(self, today: date = DAY) -> list[QuotaAt]:
        """Let it be a day; returns what has changed by that."""
        return await mind_quotas(self.database, self.who.tenant_id, today)


def taking(
    account: QuotaAccount, amount: int, order_id: int = 1, day: date = DAY
) -> Callable[..., Awaitable[Mapping[int, QuotaAt]]]:
    async def work(tx: TenantTransaction) -> Mapping[int, QuotaAt]:
        taken = await try_quotas(tx, [QuotaMove(account.id, order_id, amount)], day)
        if taken is None:
            raise TooLittle
        return taken

    return work


def topping_up(
    amount: int, reference: str, code: str = "Q-1", key: str = ""
) -> Callable[..., Awaitable[QuotaAccount]]:
    async def work(tx: TenantTransaction) -> QuotaAccount:
        return await accounts.top_up(tx, code, amount, reference, key=key or fresh_key())

    return work


def paying_out(
    amount: int, reference: str, code: str = "Q-1", key: str = ""
) -> Callable[..., Awaitable[QuotaAccount]]:
    async def work(tx: TenantTransaction) -> QuotaAccount:
        return await accounts.pay_out(tx, code, amount, reference, key=key or fresh_key())

    return work
