"""Refusals of earmarks."""

from typing import NamedTuple

from backend.db.errors import YipanError


class UnknownEarmark(YipanError):
    """There is no earmark with this code; see the query earmarks."""

    code = "UNKNOWN_EARMARK"


class InvalidEarmark(YipanError):
    """The earmark cannot be used; the message says which part."""

    code = "INVALID_EARMARK"


class EarmarkClosed(YipanError):
    """The earmark is closed: open another one."""

    code = "EARMARK_CLOSED"


class UnknownPool(YipanError):
    """The active layout has no pool with this code; see the query poolLayouts."""

    code = "UNKNOWN_POOL"


class ShortEarmark(NamedTuple):
    """A line that asks for more than there is."""

    sku: str
    requested: int
    available: int


class NotEnoughToEarmark(YipanError):
    """Fewer units are there than were asked for, so nothing was done; `lines` says which."""

    code = "NOT_ENOUGH_TO_EARMARK"

    def __init__(self, lines: list[ShortEarmark]) -> None:
        first = lines[0]
        super().__init__(
            f"{type(self).__doc__} (Of {first.sku}: asked for {first.requested}, "
            f"there are {first.available}.)"
        )
        self.lines = lines
