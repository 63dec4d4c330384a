"""Refusals of dealers' items."""

from backend.db.errors import YipanError


class InvalidItem(YipanError):
    """The item cannot be saved; the message says which part."""

    code = "INVALID_DEALER_ITEM"


class UnknownItem(YipanError):
    """The dealer has no such item; see the query dealerItems."""

    code = "UNKNOWN_DEALER_ITEM"


class PriceTooLow(YipanError):
    """The price lies below the least that the dealer may ask."""

    code = "PRICE_TOO_LOW"

    def __init__(self, least_minor: int, path: tuple[str | int, ...]) -> None:
        super().__init__(f"The price is {least_minor} at least.", path=path)
