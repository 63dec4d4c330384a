"""What dealers may sell, and what they pay for it: read together, kept, and asked for each line."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from backend.catalog.model import Sku
from backend.db.pool import TenantTransaction
from backend.dropship.agreements import approved_agreements
from backend.dropship.dealing_version import SQL, dealing_version
from backend.dropship.model import Agreement, Price, Profile
from backend.dropship.profiles import profiles
from backend.network.regions.table import RegionTable

PRICES_KEPT_MAX = 500_000
"""Prices that a process remembers of a tenant, at about 0.2 kB each."""


class FaultKind(StrEnum):
    """Why a dealer's line cannot be sent as it is; the order is held for it, or refused."""

    AGREEMENT = "agreement"
    """No agreement is in force, or the dealer is suspended."""
    ASSORTMENT = "assortment"
    """The SKU is of none of its agreements (不在可售范围)."""
    TERRITORY = "territory"
    """It goes where none of these agreements reaches (超出授权区域)."""
    DEALER_PRICE = "dealer_price"
    """Nobody said what the dealer pays for it."""
    RESALE_PRICE = "resale_price"
    """It was sold for less than the least that the dealer may ask (低于最低零售价)."""

    @property
    def is_of_the_order(self) -> bool:
        """Whether it is the whole order's, not a line's."""
        return self in (FaultKind.AGREEMENT, FaultKind.TERRITORY)

    @property
    def may_be_waived(self) -> bool:
        """Whether the brand may send it nevertheless: what it costs the dealer is known."""
        return self not in (FaultKind.AGREEMENT, FaultKind.DEALER_PRICE)


class Fault(NamedTuple):
    """What is wrong with a line."""

    kind: FaultKind
    message: str


class Deal(NamedTuple):
    """By which agreement a line is sold, what the dealer pays for a unit and what that takes of."""

    agreement_id: int
    price_minor: int
    account_id: int | None


class Sold(NamedTuple):
    """A line that is sold: where to, by the region and all that it lies in, and for how much."""

    sku: Sku
    ancestors: Collection[int]
    units: int
    amount_minor: int


class DealerTerms(NamedTuple):
    """What is agreed with a dealer on a day."""

    profile: Profile
    agreements: Sequence[Agreement]
    """Those that are in force."""
    prices: Mapping[int, Price | None]
    """By SKU, of those that were asked for."""

    def judge(
        self, sold: Sold, waived: Collection[FaultKind] = ()
    ) -> tuple[Deal | None, list[Fault]]:
        """Return the deal of a line, where there is one, and what is wrong with it.

        What is waived is no fault: the first agreement that has the goods, or else any, is the
        deal's.
        """
        if self.profile.is_suspended:
            why = f"The dealer is suspended: {self.profile.reason or 'no reason given'}"
            return None, [Fault(FaultKind.AGREEMENT, why)]
        if not self.agreements:
            why = "No agreement with the dealer is in force; approve one."
            return None, [Fault(FaultKind.AGREEMENT, why)]
        price = self.prices.get(sold.sku.id)
        if price is not None and sold.amount_minor >= sold.units * price.min_resale_minor:
            for one in self.agreements:
                if one.has(sold.sku) and one.reaches(sold.ancestors):
                    return Deal(one.id, price.price_minor, one.quota_account_id), []
        return self._look_closely(sold, price, waived)

    def _look_closely(
        self, sold: Sold, price: Price | None, waived: Collection[FaultKind]
    ) -> tuple[Deal | None, list[Fault]]:
        """Return what is wrong with a line that is not as agreed, and its deal if it is waived."""
        faults: list[Fault] = []
        code = sold.sku.code
        having = [one for one in self.agreements if one.has(sold.sku)]
        if not having:
            why = f"{code} is of none of the dealer's agreements."
            faults.append(Fault(FaultKind.ASSORTMENT, why))
        reaching = [one for one in having or self.agreements if one.reaches(sold.ancestors)]
        if not reaching:
            why = "It goes to where the dealer's agreements do not reach."
            faults.append(Fault(FaultKind.TERRITORY, why))
        if price is None:
            why = f"No price list says what the dealer pays for {code}."
            return None, [*_unwaived(faults, waived), Fault(FaultKind.DEALER_PRICE, why)]
        if sold.amount_minor < sold.units * price.min_resale_minor:
            why = (
                f"{code} was sold for {sold.amount_minor} and must not be for less than "
                f"{sold.units * price.min_resale_minor}."
            )
            faults.append(Fault(FaultKind.RESALE_PRICE, why))
        faults = _unwaived(faults, waived)
        if any(fault.kind is not FaultKind.RESALE_PRICE for fault in faults):
            return None, faults
        agreement = (reaching or having or self.agreements)[0]
        return Deal(agreement.id, price.price_minor, agreement.quota_account_id), faults


def _unwaived(faults: Iterable[Fault], waived: Collection[FaultKind]) -> list[Fault]:
    return [fault for fault in faults if fault.kind not in waived]


def ancestors_of(region_code: int, regions: RegionTable) -> tuple[int, ...]:
    """Return a region and all that it lies in, by code."""
    return tuple([region.code for region in regions.ancestors(region_code)])


class Dealings:
    """The terms of one tenant's dealers, as far as they were asked for.

    They may have changed since: the commit looks at their version, and who was understood by an
    older one is understood again, after `forget`.
    """

    def __init__(self) -> None:
        self.version = -1
        """What was read is of this version of dealers' terms; -1: nothing was."""
        self._day = date.min
        self._terms: dict[int, DealerTerms] = {}
        self._prices: dict[int, dict[int, Price | None]] = {}
        """By dealer and SKU, and how many there are."""
        self._price_count = 0

    def forget(self) -> None:
        """Read everything anew when it is asked for."""
        self.version = -1

    def knows(self, dealers: Iterable[int], skus: Set[int], day: date) -> bool:
        """Whether all that is to be asked on a day is known."""
        if self.version < 0 or self._day != day:
            return False
        return all(skus <= self._prices[one].keys() for one in dealers if one in self._prices)

    async def read(
        self, tx: TenantTransaction, dealers: Iterable[int], skus: Set[int], day: date
    ) -> None:
        """Read what is not known of dealers and SKUs on a day."""
        if self.version < 0 or self._day != day or self._price_count > PRICES_KEPT_MAX:
            await self._begin(tx, day)
        asked = sorted(one for one in dealers if one in self._prices)
        wanted = sorted({sku for one in asked for sku in skus if sku not in self._prices[one]})
        if not wanted:
            return
        levels = [self._terms[one].profile.level for one in asked]
        rows = await tx.fetch(SQL.prices_in_force, tx.tenant_id, asked, levels, wanted, day)
        for one in asked:
            self._prices[one] |= dict.fromkeys(wanted)
        for row in rows:
            price = Price(row["price_minor"], row["min_resale_minor"])
            self._prices[row["dealer_id"]][row["sku_id"]] = price
        self._price_count += len(asked) * len(wanted)

    def of(self, dealer_id: int) -> DealerTerms | None:
        """Return what is agreed with a dealer; None of one that no agreement ever bound."""
        return self._terms.get(dealer_id)

    async def _begin(self, tx: TenantTransaction, day: date) -> None:
        # The version first: what changes meanwhile is of a later one.
        version = await dealing_version(tx)
        agreements: dict[int, list[Agreement]] = {}
        for agreement in await approved_agreements(tx):
            agreements.setdefault(agreement.dealer_id, []).append(agreement)
        known = await profiles(tx)
        self._prices, self._price_count = {one: {} for one in agreements}, 0
        self._terms = {
            one: DealerTerms(
                known.get(one) or Profile(dealer_id=one),
                [agreement for agreement in found if agreement.is_in_force(day)],
                self._prices[one],
            )
            for one, found in agreements.items()
        }
        self.version, self._day = version, day
