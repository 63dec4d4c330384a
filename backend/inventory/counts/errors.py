"""Refusals of counts."""

from backend.db.errors import YipanError


class InvalidCount(YipanError):
    """The count cannot be kept; the message says which part."""

    code = "INVALID_COUNT"


class UnknownCount(YipanError):
    """There is no such count that waits for a decision; see the query stockCounts."""

    code = "UNKNOWN_COUNT"


class OwnCount(YipanError):
    """Somebody else than who counted decides on a variance."""

    code = "OWN_COUNT"
