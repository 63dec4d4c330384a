"""What happens to dealers' quotas, as others are told: the payloads of the events."""

from typing import ClassVar

from backend.events.model import Payload


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


PAYLOADS: tuple[type[Payload], ...] = (QuotaLow, QuotaOverdue)
