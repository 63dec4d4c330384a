"""Refusals about shops."""

from backend.db.errors import YipanError


class UnknownShop(YipanError):
    """There is no active shop with this code that you may use; see the query shops."""

    code = "UNKNOWN_SHOP"
