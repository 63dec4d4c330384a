"""Refusals about the layout of pools."""

from backend.db.errors import YipanError


class InvalidLayout(YipanError):
    """The layout cannot be used; path and message say which part of it."""

    code = "INVALID_LAYOUT"


class UnknownLayout(YipanError):
    """There is no layout of this version; see the query poolLayouts."""

    code = "UNKNOWN_LAYOUT"


class LayoutNotDraft(YipanError):
    """Only a draft can be activated; propose the document anew to return to an earlier one."""

    code = "LAYOUT_NOT_DRAFT"


class LayoutChanged(YipanError):
    """Somebody has activated another layout since; look at it and propose yours on top of it."""

    code = "LAYOUT_CHANGED"

    def __init__(self, active_version: int) -> None:
        super().__init__(f"{type(self).__doc__} (Active is version {active_version}.)")
        self.active_version = active_version


class PoolInUse(YipanError):
    """A pool that something still depends on cannot vanish."""

    code = "POOL_IN_USE"
