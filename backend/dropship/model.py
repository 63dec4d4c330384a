"""What is agreed with dealers who sell the brand's goods without buying them first (一件代发)."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from enum import StrEnum

import msgspec

from backend.catalog.model import Sku

ANY_LEVEL = ""
"""The level of a dealer of which nobody said one."""


class TermsStatus(StrEnum):
    """Where an agreement, or a price list, stands."""

    DRAFT = "draft"
    APPROVED = "approved"
    """It binds on its days, and is not changed any more."""
    DISCARDED = "discarded"


class Payer(StrEnum):
    """Who pays for something."""

    BRAND = "brand"
    DEALER = "dealer"


class Settlement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How what is sold by an agreement is settled."""

    freight_paid_by: Payer = Payer.BRAND
    returns_paid_by: Payer = Payer.DEALER
    share_bp: int = 0
    """Of what buyers paid beyond the dealer's price, what the brand gets (利润分成)."""
    settle_days: int = 30
    deposit_minor: int = 0
    """The security deposit (保证金) that the dealer is to have paid."""
    ship_within_hours: int = 48
    """When the brand is to have shipped."""


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What a dealer may sell, where and when (经销协议)."""

    id: int
    dealer_id: int
    code: str
    status: TermsStatus
    starts_on: date
    ends_on: date | None
    territory: tuple[int, ...]
    """Regions; nowhere named: everywhere."""
    product_lines: tuple[str, ...]
    added_skus: tuple[int, ...]
    """Beside the lines. Neither lines nor SKUs named: all goods."""
    excluded_skus: tuple[int, ...]
    """Of the lines, but not meant."""
    is_exclusive: bool
    """No other dealer may have these goods there."""
    quota_account_id: int | None
    """What its orders take; None: they take no quota."""
    settlement: Settlement
    replaces_id: int | None
    """Ends the day before this one begins."""
    version: int
    set_by: str
    approved_by: str | None
    changed_at: datetime

    def is_in_force(self, day: date) -> bool:
        """Whether it is approved, and binds on a day."""
        is_over = self.ends_on is not None and self.ends_on < day
        return self.status is TermsStatus.APPROVED and self.starts_on <= day and not is_over

    def has(self, sku: Sku) -> bool:
        """Whether a SKU is of what the dealer may sell (可售商品)."""
        if sku.id in self.excluded_skus:
            return False
        return self.has_all or sku.product_line in self.product_lines or sku.id in self.added_skus

    @property
    def has_all(self) -> bool:
        """Whether it is of all goods that are not excluded."""
        return not self.product_lines and not self.added_skus

    def reaches(self, ancestors: Collection[int]) -> bool:
        """Whether a region, given with all that it lies in, is of the territory."""
        return not self.territory or any(code in self.territory for code in ancestors)


class AgreementDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement to be saved; goods, dealer, account and agreement replaced by their codes."""

    code: str
    dealer: str
    starts_on: date
    ends_on: date | None = None
    territory: tuple[int, ...] = ()
    product_lines: tuple[str, ...] = ()
    added_skus: tuple[str, ...] = ()
    excluded_skus: tuple[str, ...] = ()
    is_exclusive: bool = False
    quota_account: str | None = None
    settlement: Settlement = Settlement()
    replaces: str | None = None


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    """What some dealers pay: one, those of a level, or all."""

    id: int
    code: str
    dealer_id: int | None
    level: str | None
    status: TermsStatus
    starts_on: date
    ends_on: date | None
    version: int
    set_by: str
    approved_by: str | None
    changed_at: datetime


class PriceLine(msgspec.Struct, frozen=True, kw_only=True):
    """What dealers pay for a SKU, and the least they may ask for it, a unit."""

    sku: str
    price_minor: int
    min_resale_minor: int = 0


class PriceListDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A price list to be saved, whole."""

    code: str
    starts_on: date
    lines: Sequence[PriceLine]
    ends_on: date | None = None
    dealer: str | None = None
    level: str | None = None


class Price(msgspec.Struct, frozen=True):
    """What a dealer pays for a unit, and the least that it may ask."""

    price_minor: int
    min_resale_minor: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a dealer is to the brand."""

    dealer_id: int
    level: str = ANY_LEVEL
    parent_id: int | None = None
    """The dealer whose sub-dealer it is."""
    is_suspended: bool = False
    """Its orders wait."""
    reason: str = ""
