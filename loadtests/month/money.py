"""What dealers pay, and the brand grants, charges and takes back, in the course of a month."""

from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from backend.dropship.deposits import DepositEntryType, DepositMove, move_deposit
from backend.dropship.quotas.accounts import (
    adjust,
    increase,
    page_of_entries,
    pay_out,
    record_payment,
    reverse_entry,
    set_limit,
    top_up,
)
from backend.dropship.quotas.model import QuotaAccount, QuotaEntryType
from backend.inventory.counters import Counters
from backend.orders.find_orders import NEWEST
from loadtests.month.dealers import AFTERNOON, CHINA, EVENING, MORNING, Dealer, Habit
from loadtests.month.month import Month

AGAIN_CHANCE, AT_ONCE_CHANCE = 0.3, 0.3
"""Of payments: their bank tells of them twice, a while later or at once."""
LATE_CHANCE = 0.5
LUMP_DAYS = 6
TOP_UP_DAYS, LOW_DAYS = 3, 1.5
"""What is paid ahead is so many days of orders, once less than that is left."""
CHARGED_EVERY, CHARGED_MINOR = 3, 5_000
LOWERED, RAISED, INCREASED, PAID_OUT, DEDUCTED, REFUNDED = 0.45, 0.55, 0.2, 0.65, 0.35, 0.75
"""How far in the month it is done."""
INCREASE_DAYS = 2
ENTRIES = 200


class Paid(NamedTuple):
    """What a payment came to."""

    counters: Counters


class Money:
    """Everybody who pays, and who keeps the accounts."""

    def __init__(self, month: Month) -> None:
        self._month = month
        self._random = Random(f"{month.seed} money")
        self._limits: dict[str, int] = {}
        """What a limit was before it was lowered."""
        self._charged: list[str] = []
        """The accounts that were charged or credited by hand, and not yet put right."""

    async def act(self, day: int, hour: int) -> None:
        """Do what is done with money at an hour of a day."""
        if hour == MORNING:
            await self._correct(day)
        elif hour == AFTERNOON:
            await self._limit(day)
            await self._deposit(day)
        elif hour == EVENING:
            for dealer in self._month.dealers:
                account = await self._month.account(dealer.code)
                if dealer.is_credit:
                    await self._pay(dealer, account, day)
                else:
                    await self._top_up(dealer, account, day)

    # ------------------------------------------------------------------------------- payments

    async def _pay(self, dealer: Dealer, account: QuotaAccount, day: int) -> None:
        """Pay what is owed: every second day, late, or at once for many days."""
        amount = 0
        if dealer.habit is Habit.PROMPT and day % 2:
            amount = account.used_minor
        elif dealer.habit is Habit.LATE and account.is_blocked:
            amount = account.overdue_minor if self._random.random() < LATE_CHANCE else 0
        elif dealer.habit is Habit.LUMPY and (day + dealer.number) % LUMP_DAYS == 0:
            amount = account.used_minor
        if amount <= 0:
            return
        given = (dealer.code, amount, f"pay-{dealer.code}-{day}")
        month = self._month
        if account.is_blocked:
            month.done["blocked accounts paid"] += 1
        if self._random.random() < AT_ONCE_CHANCE:
            await month.at_once("a payment told twice", self._paid(given), self._paid(given))
        else:
            await month.write("paid", lambda tx: record_payment(tx, *given, key=month.key()))
        if self._random.random() < AGAIN_CHANCE:
            await month.not_written(
                "a payment told twice",
                "ALREADY_RECORDED",
                lambda tx: record_payment(tx, *given, key=month.key()),
            )

    async def _paid(self, given: tuple[str, int, str]) -> Paid:
        month = self._month
        async with month.database.tenant_transaction(month.clerk) as tx:
            account = await record_payment(tx, *given, key=month.key())
        return Paid(Counters(quotas=[account.at]))

    async def _top_up(self, dealer: Dealer, account: QuotaAccount, day: int) -> None:
        """Pay ahead: before it is low, once orders wait, or now and then."""
        month, volume = self._month, self._month.volume_minor[dealer.code]
        is_due = account.left_minor < volume * LOW_DAYS
        if dealer.habit is Habit.LATE:
            is_low = account.left_minor < volume // 4
            is_due = is_low and self._random.random() < LATE_CHANCE
        elif dealer.habit is Habit.LUMPY:
            is_due = (day + dealer.number) % LUMP_DAYS == 0
        if not is_due:
            return
        days = LUMP_DAYS if dealer.habit is Habit.LUMPY else TOP_UP_DAYS
        given = (dealer.code, max(volume * days, 1), f"ahead-{dealer.code}-{day}")
        await month.write("topped up", lambda tx: top_up(tx, *given, key=month.key()))
        if self._random.random() < AGAIN_CHANCE:
            await month.not_written(
                "a payment told twice",
                "ALREADY_RECORDED",
                lambda tx: top_up(tx, *given, key=month.key()),
            )

    # -------------------------------------------------------------------------------- by hand

    async def _correct(self, day: int) -> None:
        """Charge and credit some dealers, and take half of it back the next time."""
        if day % CHARGED_EVERY:
            return
        month = self._month
        for code in self._charged:
            await self._reverse(code)
        self._charged = []
        chosen = self._random.sample(range(len(month.dealers)), max(2, len(month.dealers) // 8))
        for number, at in enumerate(chosen):
            code = month.dealers[at].code
            amount = CHARGED_MINOR * (1 if number % 2 else -1)
            what = "charged by hand" if amount > 0 else "credited by hand"
            given = (code, amount, "运费差额")
            await self._adjust(what, given)
            if number % 3 != 2:
                self._charged.append(code)

    async def _adjust(self, what: str, given: tuple[str, int, str]) -> None:
        month = self._month
        await month.write(what, lambda tx: adjust(tx, *given, key=month.key()))

    async def _reverse(self, code: str) -> None:
        """Take back the last that was charged or credited by hand; a second time is refused."""
        month = self._month
        account = await month.account(code)
        async with month.reading() as tx:
            entries = await page_of_entries(tx, account.id, NEWEST, ENTRIES)
        by_hand = (QuotaEntryType.CHARGED, QuotaEntryType.CREDITED)
        found = next((e for e in entries if e.type in by_hand and e.reverses_id is None), None)
        if found is None:
            return
        given = (code, found.id, "录错")
        await month.write(
            "taken back by hand", lambda tx: reverse_entry(tx, *given, key=month.key())
        )
        await month.not_written(
            "taken back twice",
            "INVALID_QUOTA",
            lambda tx: reverse_entry(tx, *given, key=month.key()),
        )

    # --------------------------------------------------------------------------------- limits

    async def _limit(self, day: int) -> None:
        """Lower limits below what is used, raise them again, increase some for a while."""
        month, at = self._month, self._month.day_at
        for dealer in month.dealers:
            code, kind = dealer.code, dealer.number % 4
            if kind == 0 and day == at(LOWERED):
                await self._lower(code)
            elif kind == 0 and day == max(at(RAISED), at(LOWERED) + 1) and code in self._limits:
                await self._set_limit(code, self._limits.pop(code), "limits raised")
            elif kind == 2 and day == at(INCREASED):
                await self._increase(dealer, day)
            elif kind == 1 and day == at(PAID_OUT):
                await self._pay_out(code)

    async def _lower(self, code: str) -> None:
        account = await self._month.account(code)
        if account.used_minor > 1:
            self._limits[code] = account.granted_minor
            await self._set_limit(
                code, account.used_minor // 2, "limits lowered below what is used"
            )

    async def _set_limit(self, code: str, limit: int, what: str) -> None:
        month = self._month
        await month.write(
            what, lambda tx: set_limit(tx, code, limit, key=month.key(), reason="授信复核")
        )

    async def _increase(self, dealer: Dealer, day: int) -> None:
        month = self._month
        on = month.date_of(day) + timedelta(days=min(INCREASE_DAYS, max(1, month.days // 4)))
        ends_at = datetime(on.year, on.month, on.day, 12, tzinfo=CHINA)
        given = (dealer.code, month.volume_minor[dealer.code], ends_at)
        await month.write(
            "increased for a while",
            lambda tx: increase(tx, *given, key=month.key(), reason="大促"),
        )

    async def _pay_out(self, code: str) -> None:
        """Give some of what was paid ahead back; more than is left is refused."""
        month = self._month
        left = (await month.account(code)).left_minor
        too_much = (code, left + 1, f"out-{code}-too-much")
        await month.not_written(
            "more paid out than is left",
            "QUOTA_TOO_SMALL",
            lambda tx: pay_out(tx, *too_much, key=month.key()),
        )
        if left > 3:
            given = (code, left // 4, f"out-{code}")
            await month.write("paid out", lambda tx: pay_out(tx, *given, key=month.key()))

    # ------------------------------------------------------------------------------- deposits

    async def _deposit(self, day: int) -> None:
        """Deduct something of some deposits, and refund some; never more than there is."""
        month, at = self._month, self._month.day_at
        for dealer in month.dealers[::3]:
            if day == at(DEDUCTED):
                await self._move(dealer, DepositEntryType.DEDUCTED, 20_000)
            if day == at(REFUNDED):
                await self._move(dealer, DepositEntryType.REFUNDED, 100_000)
                await self._refuse_move(dealer, "a deposit refunded twice", 100_000, "refunded")
                await self._refuse_move(dealer, "more of a deposit than there is", 10**9, "all")

    async def _move(self, dealer: Dealer, type_: DepositEntryType, amount: int) -> None:
        month = self._month
        move = self._deposit_move(dealer, type_, amount, type_.value)
        await month.write(f"deposits: {type_}", lambda tx: move_deposit(tx, move, key=month.key()))

    async def _refuse_move(self, dealer: Dealer, what: str, amount: int, reference: str) -> None:
        month = self._month
        move = self._deposit_move(dealer, DepositEntryType.REFUNDED, amount, reference)
        await month.not_written(
            what, "INVALID_DEPOSIT", lambda tx: move_deposit(tx, move, key=month.key())
        )

    def _deposit_move(
        self, dealer: Dealer, type_: DepositEntryType, amount: int, reference: str
    ) -> DepositMove:
        return DepositMove(
            dealer_id=self._month.ids[dealer.code],
            type=type_,
            amount_minor=amount,
            reference=f"{reference}-{dealer.code}",
            reason="违约扣款",
        )
