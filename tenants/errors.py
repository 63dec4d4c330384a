"""Refusals about who somebody is."""

from collections.abc import Sequence

from backend.db.errors import YipanError


class LoginFailed(YipanError):
    """The e-mail address or the password is wrong."""

    code = "LOGIN_FAILED"


class NoAccess(YipanError):
    """This user has access to no brand at present."""

    code = "NO_ACCESS"


class BrandChoiceRequired(YipanError):
    """This user works for several brands; log in again and name one of them."""

    code = "BRAND_CHOICE_REQUIRED"

    def __init__(self, brands: Sequence[str]) -> None:
        super().__init__()
        self.brands = tuple(brands)


class TokenInvalid(YipanError):
    """The token or API key is not valid, or no longer; log in again."""

    code = "UNAUTHENTICATED"


class MemberScope(YipanError):
    """You cannot give this role; a brand gives its own and its stores', a dealer its own."""

    code = "MEMBER_SCOPE"


class UnknownMember(YipanError):
    """Your organisation has no such member."""

    code = "UNKNOWN_MEMBER"


class UnknownApiKey(YipanError):
    """Your organisation has no such API key, or it was revoked already."""

    code = "UNKNOWN_API_KEY"


class UnknownDealer(YipanError):
    """The brand has no agreement with this dealer."""

    code = "UNKNOWN_DEALER"
