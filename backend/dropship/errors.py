"""Refusals of what is agreed with dealers."""

from backend.db.errors import YipanError


class InvalidAgreement(YipanError):
    """The agreement cannot be saved; the message says which part."""

    code = "INVALID_AGREEMENT"


class UnknownAgreement(YipanError):
    """There is no such agreement; see the query dealerAgreements."""

    code = "UNKNOWN_AGREEMENT"


class AgreementOverlaps(YipanError):
    """Another agreement has some of these goods in this territory on some of these days."""

    code = "AGREEMENT_OVERLAPS"

    def __init__(self, code: str) -> None:
        super().__init__(
            f"Agreement {code!r} has some of these goods there on some of these days; "
            "end it first, or let this one replace it."
        )


class InvalidPriceList(YipanError):
    """The price list cannot be saved; the message says which part."""

    code = "INVALID_PRICE_LIST"


class UnknownPriceList(YipanError):
    """There is no such price list; see the query dealerPriceLists."""

    code = "UNKNOWN_PRICE_LIST"


class PriceListOverlaps(YipanError):
    """Another price list holds for the same dealers on some of these days."""

    code = "PRICE_LIST_OVERLAPS"

    def __init__(self, code: str) -> None:
        super().__init__(
            f"Price list {code!r} holds for the same dealers on some of these days; end it first."
        )


class DocumentChanged(YipanError):
    """It was changed since: read it again and decide anew."""

    code = "DOCUMENT_CHANGED"

    def __init__(self, version: int) -> None:
        super().__init__()
        self.version = version


class InvalidProfile(YipanError):
    """The dealer's profile cannot be saved; the message says which part."""

    code = "INVALID_PROFILE"
