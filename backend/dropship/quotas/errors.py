"""Refusals of quotas."""

from backend.db.errors import YipanError


class InvalidQuota(YipanError):
    """The quota cannot be changed so; the message says which part."""

    code = "INVALID_QUOTA"


class UnknownQuotaAccount(YipanError):
    """There is no such quota account; see the query quotaAccounts."""

    code = "UNKNOWN_QUOTA_ACCOUNT"


class AlreadyRecorded(YipanError):
    """A payment with this reference is recorded already; nothing was changed."""

    code = "ALREADY_RECORDED"


class QuotaTooSmall(YipanError):
    """There is not that much left of the quota."""

    code = "QUOTA_TOO_SMALL"

    def __init__(self, requested_minor: int, available_minor: int) -> None:
        super().__init__(
            f"{requested_minor} is wanted of the quota and {available_minor} is left of it."
        )
        self.requested_minor = requested_minor
        self.available_minor = available_minor
