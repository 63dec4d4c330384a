"""What is agreed with the dealers in the month, and how that changes; and by an arithmetic of its
own what is wrong with an order by these terms.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from backend.db.pool import TenantTransaction
from backend.dropship.agreements import (
    approve_agreement,
    discard_agreement,
    end_agreement,
    save_agreement,
)
from backend.dropship.model import AgreementDraft, PriceLine, PriceListDraft, Profile
from backend.dropship.price_lists import approve_price_list, end_price_list, save_price_list
from backend.dropship.profiles import set_profile
from backend.orders.model import HoldKind, OrderDraft
from loadtests.month.calendar import Calendar
from loadtests.month.dealers import (
    ALL_BP,
    CHINA,
    LEAST_BP,
    NEW_LINE,
    OWN_PRICE_BP,
    PRICE_BP,
    PRODUCT_LINES,
    TERRITORY,
    Dealer,
    Shape,
    line_of,
    retail_prices,
)
from loadtests.month.month import Month
from tenants.dealers import end_with_dealer

SINCE = date(2026, 1, 1)
ONE_DAY = timedelta(days=1)
BESIDE = 420000
"""The province that is added to a territory."""
DEARER_BP = 10_500
"""What the second price lists ask, of what the first do."""
SECOND_LINES = ("cool", "clean")


class Bound(NamedTuple):
    """An agreement that was approved."""

    draft: AgreementDraft
    lines: tuple[str, ...]
    last_day: date | None

    def is_in_force(self, day: date) -> bool:
        return self.draft.starts_on <= day and (self.last_day is None or day <= self.last_day)


class Listed(NamedTuple):
    """A price list that was approved: prices and the least to ask, by SKU."""

    draft: PriceListDraft
    prices: Mapping[str, tuple[int, int]]
    last_day: date | None


class Terms:
    """What is agreed in the month so far, as the brand has written it."""

    def __init__(self, month: Month) -> None:
        self._month = month
        self._bound: dict[str, Bound] = {}
        self._listed: dict[str, Listed] = {}
        self._suspended: set[str] = set()
        self.left: set[str] = set()
        """Dealers that are no longer on the platform."""
        month.allows = self.allow

    # ------------------------------------------------------------------------ what it means

    def wrong(self, dealer: Dealer, order: OrderDraft, day: date) -> list[tuple[HoldKind, int]]:
        """Return what is wrong with an order of a dealer on a day, with the indexes of the lines.

        What is not known of it, its SKU or where it goes, is not judged.
        """
        if order.address.region_code is None:
            return []
        agreements = [
            one
            for one in self._bound.values()
            if one.draft.dealer == dealer.code and one.is_in_force(day)
        ]
        known = [
            (index, line)
            for index, line in enumerate(order.lines)
            if line.sku in self._prices_of_all
        ]
        if dealer.code in self._suspended or not agreements:
            return [(HoldKind.AGREEMENT, index) for index, _ in known]
        province = self._provinces(order.address.region_code)
        found = []
        for index, line in known:
            having = [one for one in agreements if not one.lines or line_of(line.sku) in one.lines]
            reaching = [
                one
                for one in having or agreements
                if not one.draft.territory or province in one.draft.territory
            ]
            price = self.price(dealer, line.sku, day)
            if not having:
                found.append((HoldKind.ASSORTMENT, index))
            if not reaching:
                found.append((HoldKind.TERRITORY, index))
            if price is None:
                found.append((HoldKind.DEALER_PRICE, index))
            elif line.unit_price_minor < price[1]:
                found.append((HoldKind.RESALE_PRICE, index))
        return found

    def allow(self, dealer: Dealer, order: OrderDraft) -> bool:
        """Whether nothing is wrong with an order today."""
        return not self.wrong(dealer, order, datetime.now(CHINA).date())

    def price(self, dealer: Dealer, sku: str, day: date) -> tuple[int, int] | None:
        """Return what a dealer pays for a SKU, and the least it may ask; its own list is first."""
        in_force = [
            one
            for one in self._listed.values()
            if one.draft.starts_on <= day and (one.last_day is None or day <= one.last_day)
        ]
        for one in in_force:
            if one.draft.dealer == dealer.code and sku in one.prices:
                return one.prices[sku]
        for one in in_force:
            if one.draft.level == dealer.level and sku in one.prices:
                return one.prices[sku]
        return None

    def has_agreement(self, dealer: Dealer, day: date) -> bool:
        """Whether an agreement with a dealer is in force on a day, and it is not suspended."""
        return dealer.code not in self._suspended and any(
            one.draft.dealer == dealer.code and one.is_in_force(day) for one in self._bound.values()
        )

    @property
    def _prices_of_all(self) -> Mapping[str, int]:
        return retail_prices()

    def _provinces(self, region_code: int) -> int:
        return self._month.runtime.regions.ancestors(region_code)[-1].code

    # ----------------------------------------------------------------------- how it is written

    async def open(self) -> None:
        """Agree with every dealer, and say what they pay."""
        for dealer in self._month.dealers:
            await self._set_profile(dealer)
            kinds = [dealer.lines] if dealer.shape is not Shape.SHARED else _each(dealer.lines)
            for number, lines in enumerate(kinds, 1):
                await self._agree(dealer, f"{dealer.code}-a{number}", SINCE, lines)
        for level in PRICE_BP:
            await self._list(f"{level}-1", SINCE, PRICE_BP[level], level=level)
        for dealer in self._month.dealers:
            if dealer.shape is Shape.OWN_PRICES:
                await self._list(f"{dealer.code}-1", SINCE, OWN_PRICE_BP, dealer=dealer)

    async def change(self, day: int) -> None:
        """Do in a morning what is to be changed on that day."""
        month, at = self._month, Calendar.of(self._month.days)
        today, tomorrow = month.date_of(day), month.date_of(day) + ONE_DAY
        if day == at.replaced:
            await self._refuse(tomorrow)
            for dealer in self._of(Shape.TERRITORY, Shape.LINES):
                await self._replace(dealer, tomorrow)
        if day == at.listed:
            await self._change_lists(today)
        for dealer in self._of(Shape.PAUSED):
            if day == at.last_before_pause:
                await self._end(f"{dealer.code}-a1", today)
            if day == at.resumed:
                await self._agree(dealer, f"{dealer.code}-a2", tomorrow, dealer.lines)
        for dealer in self._of(Shape.SUSPENDED):
            if day in (at.suspended, at.back):
                await self._set_profile(dealer, is_suspended=day == at.suspended)
        for dealer in self._of(Shape.ENDED):
            if day == at.last:
                await self._end(f"{dealer.code}-a1", today)
        for dealer in self._of(Shape.LEAVES):
            if day == at.left:
                await self._leave(dealer)

    def _of(self, *shapes: Shape) -> list[Dealer]:
        return [dealer for dealer in self._month.dealers if dealer.shape in shapes]

    async def _leave(self, dealer: Dealer) -> None:
        month = self._month
        async with month.database.platform_transaction() as tx:
            await end_with_dealer(tx, month.clerk, month.ids[dealer.code])
        self.left.add(dealer.code)
        month.done["dealers that left the platform"] += 1

    async def _set_profile(self, dealer: Dealer, *, is_suspended: bool = False) -> None:
        month = self._month
        profile = Profile(
            dealer_id=month.ids[dealer.code],
            level=dealer.level,
            parent_id=None if dealer.parent is None else month.ids[dealer.parent],
            is_suspended=is_suspended,
            reason="逾期未对账" if is_suspended else "",
        )
        what = "dealers suspended" if is_suspended else "dealers described, or released"
        await month.write(what, lambda tx: set_profile(tx, profile, key=month.key()))
        (self._suspended.add if is_suspended else self._suspended.discard)(dealer.code)

    async def _agree(
        self,
        dealer: Dealer,
        code: str,
        first_day: date,
        lines: tuple[str, ...],
        territory: tuple[int, ...] | None = None,
        replaces: str | None = None,
    ) -> None:
        draft = AgreementDraft(
            code=code,
            dealer=dealer.code,
            starts_on=first_day,
            territory=dealer.territory if territory is None else territory,
            product_lines=lines,
            quota_account=dealer.code,
            replaces=replaces,
        )
        what = "agreements approved" if replaces is None else "agreements replaced"
        await self._month.write(what, lambda tx: self._approve(tx, draft))
        self._bound[code] = Bound(draft, lines, None)
        if replaces is not None:
            old = self._bound[replaces]
            self._bound[replaces] = old._replace(last_day=first_day - ONE_DAY)

    async def _approve(self, tx: TenantTransaction, draft: AgreementDraft) -> object:
        key, regions = self._month.key, self._month.runtime.regions
        saved = await save_agreement(tx, draft, key=key(), regions=regions)
        return await approve_agreement(tx, draft.code, saved.version, key=key(), regions=regions)

    async def _replace(self, dealer: Dealer, first_day: date) -> None:
        lines, territory = dealer.lines, dealer.territory
        if dealer.shape is Shape.TERRITORY:
            territory = (*TERRITORY, BESIDE)
        else:
            lines = SECOND_LINES
        code, old = f"{dealer.code}-a2", f"{dealer.code}-a1"
        await self._agree(dealer, code, first_day, lines, territory, old)

    async def _end(self, code: str, last_day: date) -> None:
        month = self._month
        await month.write(
            "agreements ended", lambda tx: end_agreement(tx, code, last_day, key=month.key())
        )
        self._bound[code] = self._bound[code]._replace(last_day=last_day)

    async def _refuse(self, first_day: date) -> None:
        """Try what must be refused: a second agreement of the same goods, a version not read."""
        month, dealer = self._month, self._month.dealers[0]
        draft = AgreementDraft(code="twice", dealer=dealer.code, starts_on=first_day)
        what = "a second agreement of the same goods"
        await month.not_written(what, "AGREEMENT_OVERLAPS", lambda tx: self._approve(tx, draft))
        bounded = self._of(Shape.LINES)[0].code
        later = AgreementDraft(
            code="later", dealer=bounded, starts_on=first_day, product_lines=("other",)
        )
        regions, key = month.runtime.regions, month.key

        async def save(tx: TenantTransaction) -> object:
            return await save_agreement(tx, later, key=key(), regions=regions)

        async def approve_unread(tx: TenantTransaction) -> object:
            return await approve_agreement(tx, "later", 7, key=key(), regions=regions)

        await month.write("agreements drafted", save)
        await month.not_written("a version not read", "DOCUMENT_CHANGED", approve_unread)
        await month.write(
            "agreements discarded", lambda tx: discard_agreement(tx, "later", 1, key=key())
        )

    async def _list(
        self,
        code: str,
        first_day: date,
        bp: int,
        *,
        level: str | None = None,
        dealer: Dealer | None = None,
        has_new: bool = False,
    ) -> None:
        prices = {
            sku: (retail * bp // ALL_BP, retail * LEAST_BP // ALL_BP)
            for sku, retail in retail_prices().items()
            if (has_new or line_of(sku) != NEW_LINE)
            and (dealer is None or line_of(sku) == PRODUCT_LINES[0])
        }
        draft = PriceListDraft(
            code=code,
            starts_on=first_day,
            lines=[
                PriceLine(sku=sku, price_minor=price, min_resale_minor=least)
                for sku, (price, least) in prices.items()
            ],
            dealer=None if dealer is None else dealer.code,
            level=level,
        )
        await self._month.write("price lists approved", lambda tx: self._approve_list(tx, draft))
        self._listed[code] = Listed(draft, prices, None)

    async def _approve_list(self, tx: TenantTransaction, draft: PriceListDraft) -> object:
        key = self._month.key
        saved = await save_price_list(tx, draft, key=key())
        return await approve_price_list(tx, draft.code, saved.version, key=key())

    async def _end_list(self, code: str, last_day: date) -> None:
        key = self._month.key
        await self._month.write(
            "price lists ended", lambda tx: end_price_list(tx, code, last_day, key=key())
        )

    async def _change_lists(self, today: date) -> None:
        """Let dearer prices hold from tomorrow on, and of what had none."""
        month = self._month
        again = PriceListDraft(
            code="again", starts_on=today, lines=[PriceLine(sku="COOL-01", price_minor=1)],
            level="gold",
        )  # fmt: skip
        what = "a second price list for the same dealers"
        await month.not_written(
            what, "PRICE_LIST_OVERLAPS", lambda tx: self._approve_list(tx, again)
        )
        for code, one in list(self._listed.items()):
            await self._end_list(code, today)
            self._listed[code] = one._replace(last_day=today)
        tomorrow = today + ONE_DAY
        for level, bp in PRICE_BP.items():
            await self._list(
                f"{level}-2", tomorrow, bp * DEARER_BP // ALL_BP, level=level, has_new=True
            )
        for dealer in self._of(Shape.OWN_PRICES):
            await self._list(
                f"{dealer.code}-2", tomorrow, OWN_PRICE_BP * DEARER_BP // ALL_BP, dealer=dealer
            )


def _each(lines: Sequence[str]) -> list[tuple[str, ...]]:
    return [(line,) for line in lines]
