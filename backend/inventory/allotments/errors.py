"""Refusals of allotments."""

from backend.db.errors import YipanError


class InvalidAllotment(YipanError):
    """The allotment cannot be set; the message says which part."""

    code = "INVALID_ALLOTMENT"


class UnknownAllotment(YipanError):
    """There is no allotment of this SKU for this shop or dealer; see the query allotments."""

    code = "UNKNOWN_ALLOTMENT"


class AllotmentChanged(YipanError):
    """The allotment was set or sold from since: read it again and decide anew."""

    code = "ALLOTMENT_CHANGED"

    def __init__(self, version: int, path: tuple[str | int, ...]) -> None:
        super().__init__(path=path)
        self.version = version
