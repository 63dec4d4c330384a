"""Refusals of safety stock."""

from backend.db.errors import YipanError


class InvalidSafetyRule(YipanError):
    """The rule cannot be kept; the message says which part."""

    code = "INVALID_SAFETY_RULE"
