"""Refusals about shops, and what can be amiss with a channel."""

from backend.db.errors import YipanError


class UnknownShop(YipanError):
    """There is no active shop with this code that you may use; see the query shops."""

    code = "UNKNOWN_SHOP"


class ChannelAway(YipanError):
    """The channel did not answer as it should; whether it did what was asked is unknown."""

    code = "CHANNEL_AWAY"


class ChannelBusy(YipanError):
    """The channel takes no more calls of this shop now; try again after the time given."""

    code = "CHANNEL_BUSY"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class ChannelRefused(YipanError):
    """The channel refuses what was asked and will again; check the shop's address and token."""

    code = "CHANNEL_REFUSED"
