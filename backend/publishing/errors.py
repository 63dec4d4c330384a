"""Refusals about publishing."""

from backend.db.errors import YipanError


class UnknownConnector(YipanError):
    """There is no connector of this kind."""

    code = "UNKNOWN_CONNECTOR"
