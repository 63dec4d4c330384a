"""Refusals about the layout of pools."""

from backend.db.errors import YipanError


class InvalidLayout(YipanError):
    """The layout cannot be used; path and message say which part of it."""

    code = "INVALID_POOL_LAYOUT"


class UnknownLayout(YipanError):
    """There is no layout of this version; see the query poolLayouts."""

    code = "UNKNOWN_POOL_LAYOUT"


class LayoutNotDraft(YipanError):
    """Only a draft can be activated; propose the document anew to return to an earlier one."""

    code = "POOL_LAYOUT_NOT_DRAFT"


class LayoutChanged(YipanError):
    """Somebody has activated another layout since; look at it and propose yours on top of it."""

    code = "POOL_LAYOUT_CHANGED"

    def __init__(self, active_version: int) -> None:
        super().__init__(f"{type(self).__doc__} (Active is version {active_version}.)")
        self.active_version = active_version
