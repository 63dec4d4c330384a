"""Refusals of supplies."""

from backend.db.errors import YipanError


class InvalidSupply(YipanError):
    """The supply cannot be kept; the message says which part."""

    code = "INVALID_SUPPLY"


class UnknownSupply(YipanError):
    """There is no open supply with this code and line; see the query supplies."""

    code = "UNKNOWN_SUPPLY"


class SupplyChanged(YipanError):
    """The supply was changed since: read it again and decide anew."""

    code = "SUPPLY_CHANGED"

    def __init__(self, version: int, path: tuple[str | int, ...]) -> None:
        super().__init__(path=path)
        self.version = version


class ReceiptTooLarge(YipanError):
    """More was received than is still to come; raise the supply's quantity first, or correct it."""

    code = "RECEIPT_TOO_LARGE"

    def __init__(self, requested: int, outstanding: int) -> None:
        super().__init__(f"{type(self).__doc__} (Received {requested}, to come are {outstanding}.)")
        self.requested = requested
        self.outstanding = outstanding
