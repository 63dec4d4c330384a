"""What happens to dealers' quotas, as others are told: the payloads of the events."""

from typing import ClassVar

from backend.events.model import Payload


class QuotaChanged(Payload, frozen=True, rename="camel"):
    """Something other than an order changed a quota."""

    TYPE: ClassVar[str] = "quota.changed"

    account_id: int
    account: str
    why: str
    """As the type of its entry."""
    granted_delta_minor: int
    used_delta_minor: int


class DepositChanged(Payload, frozen=True, rename="camel"):
    """A dealer's deposit was paid, or some of it deducted or refunded."""

    TYPE: ClassVar[str] = "deposit.changed"

    dealer_id: int
    why: str
    amount_minor: int
    balance_minor: int


class QuotaLow(Payload, frozen=True, rename="camel"):
    """Less is left of a quota than a share of what is granted, or (no share) enough again."""

    TYPE: ClassVar[str] = "quota.low"

    account: str
    granted_minor: int
    left_minor: int
    below_bp: int | None


class QuotaOverdue(Payload, frozen=True, rename="camel"):
    """Something of a credit account is overdue: nothing more is taken; or nothing is any more."""

    TYPE: ClassVar[str] = "quota.overdue"

    account: str
    overdue_minor: int
    is_blocked: bool


PAYLOADS: tuple[type[Payload], ...] = (
    QuotaChanged,
    QuotaLow,
    QuotaOverdue,
    DepositChanged,
)
