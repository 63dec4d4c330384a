"""Refusals about publishing."""

from backend.db.errors import YipanError


class UnknownConnector(YipanError):
    """There is no connector of this kind."""

    code = "UNKNOWN_CONNECTOR"


class UnknownChannelReturn(YipanError):
    """There is no such request of a platform that you may see, or it has ended."""

    code = "UNKNOWN_CHANNEL_RETURN"


class InvalidReturnDecision(YipanError):
    """A refusal needs a reason, which the buyer reads."""

    code = "INVALID_RETURN_DECISION"
