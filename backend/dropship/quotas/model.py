"""Quota accounts (额度): what a dealer may order by, as credit or paid ahead."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

AMOUNT_MINOR_MAX = 10**15


class QuotaKind(StrEnum):
    """Where the quota comes from."""

    CREDIT = "credit"
    """What the dealer may owe (信用授权)."""
    PREPAID = "prepaid"
    """What the dealer has paid ahead (充值消耗)."""


class QuotaEntryType(StrEnum):
    """Why an account changed."""

    OPENED = "opened"
    LIMIT_SET = "limit_set"
    INCREASED = "increased"
    """For a while (临时额度)."""
    INCREASE_ENDED = "increase_ended"
    TOPPED_UP = "topped_up"
    """Paid ahead (充值)."""
    PAID_OUT = "paid_out"
    """What was paid ahead, given back (退款)."""
    PAID = "paid"
    """What was owed (还款)."""
    TAKEN = "taken"
    """By an order."""
    GIVEN_BACK = "given_back"
    """By an order, of what was cancelled of it or waits for a person again."""
    RETURNED = "returned"
    """By an order, of what came back of it."""
    CHARGED = "charged"
    """By hand: the dealer owes more (借记)."""
    CREDITED = "credited"
    """By hand: the dealer owes less (贷记)."""


class QuotaAt(NamedTuple):
    """What is left of an account at a version; below 0 where its limit was lowered since."""

    id: int
    free: int
    version: int


class QuotaMove(NamedTuple):
    """What an order takes of an account, or (below 0) gives back to it."""

    account_id: int
    order_id: int
    amount_minor: int
    type: QuotaEntryType = QuotaEntryType.TAKEN


class QuotaAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account as people see it."""

    id: int
    dealer_id: int
    code: str
    kind: QuotaKind
    granted_minor: int
    """Of credit its limit and what it was increased by for a while; prepaid what was paid ahead."""
    used_minor: int
    """What orders have taken, less what was given back and, of credit, paid; may be below 0."""
    payment_days: int | None
    overdue_minor: int
    """What was due before today and is not paid."""
    is_blocked: bool
    """Something is overdue: nothing more may be taken."""
    warn_bp: tuple[int, ...]
    version: int
    set_by: str
    changed_at: datetime
    legal_entity_id: int | None
    """Who issues its documents; None: the brand itself."""

    @property
    def left_minor(self) -> int:
        """What orders may still take."""
        return 0 if self.is_blocked else max(0, self.granted_minor - self.used_minor)

    @property
    def at(self) -> QuotaAt:
        """The account as a counter."""
        free = 0 if self.is_blocked else self.granted_minor - self.used_minor
        return QuotaAt(self.id, free, self.version)


class QuotaEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an account's statement."""

    id: int
    account_id: int
    dealer_id: int
    type: QuotaEntryType
    granted_delta: int
    used_delta: int
    order_id: int | None
    due_on: date | None
    reference: str | None
    reason: str
    actor: str
    recorded_at: datetime
    reverses_id: int | None
    """The entry that it takes back."""


class AccountDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An account to be opened; prepaid ones begin with nothing."""

    code: str
    dealer: str
    kind: QuotaKind
    limit_minor: int = 0
    payment_days: int | None = None
    warn_bp: Sequence[int] = (2_000, 500)
    legal_entity: str | None = None
    """Who issues its documents; None: the brand itself."""
