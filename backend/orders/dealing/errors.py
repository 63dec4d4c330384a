"""Refusals of dealers' orders: who has paid is held for the same instead."""

from typing import Any

from backend.dropship.dealings import Fault, FaultKind
from backend.orders.errors import OrderRefused


class NoDealerAgreement(OrderRefused):
    """No agreement with the dealer is in force; the brand approves one."""

    code = "NO_DEALER_AGREEMENT"


class NotInAssortment(OrderRefused):
    """The SKU is of none of the dealer's agreements; take it out, or ask the brand."""

    code = "NOT_IN_ASSORTMENT"


class OutsideTerritory(OrderRefused):
    """The dealer's agreements do not reach where it goes; ask the brand."""

    code = "OUTSIDE_TERRITORY"


class NoDealerPrice(OrderRefused):
    """No price list says what the dealer pays for a SKU; ask the brand."""

    code = "NO_DEALER_PRICE"


class BelowResalePrice(OrderRefused):
    """It must not be sold for that little; ask at least the least resale price."""

    code = "BELOW_RESALE_PRICE"


class QuotaExceeded(OrderRefused):
    """The dealer's quota does not allow it: top it up, pay, or order less."""

    code = "QUOTA_EXCEEDED"

    def __init__(self, needed_minor: int, available_minor: int) -> None:
        super().__init__(
            f"The order takes {needed_minor} of a quota of which {available_minor} is left; "
            "top it up, pay what is owed, or order less."
        )
        self.needed_minor = needed_minor
        self.available_minor = available_minor

    @property
    def detail(self) -> dict[str, Any]:
        return {"neededMinor": self.needed_minor, "availableMinor": self.available_minor}


_REFUSALS: dict[FaultKind, type[OrderRefused]] = {
    FaultKind.AGREEMENT: NoDealerAgreement,
    FaultKind.ASSORTMENT: NotInAssortment,
    FaultKind.TERRITORY: OutsideTerritory,
    FaultKind.DEALER_PRICE: NoDealerPrice,
    FaultKind.RESALE_PRICE: BelowResalePrice,
}

BY_TERMS = tuple(_REFUSALS.values())
"""What an order is refused with for what is agreed with its dealer."""


def refusal_of(fault: Fault, index: int) -> OrderRefused:
    """Return what an order is refused with for a fault of one of its lines."""
    path: tuple[str | int, ...] = () if fault.kind.is_of_the_order else ("lines", index)
    return _REFUSALS[fault.kind](fault.message, path=path)
