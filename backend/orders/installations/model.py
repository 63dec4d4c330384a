"""Installation: what installers found and did, and what shows it."""

from datetime import date, datetime
from enum import StrEnum

import msgspec

TEXT_MAX = 500
PHOTOS_MAX = 20
UNITS_MAX = 1_000
SERIAL_MAX = 100


class InstallationStatus(StrEnum):
    """Where the installation of an order stands."""

    AGREED = "agreed"
    """An installer comes at the agreed time."""
    UNDONE = "undone"
    """One came, and did not install it: somebody agrees on another time, or gives it up."""
    DONE = "done"
    GIVEN_UP = "given_up"


class VisitOutcome(StrEnum):
    """What came of a visit."""

    DONE = "done"
    NO_SHOW = "no_show"
    """Nobody was at home (空跑)."""
    INSTALLER_ABSENT = "installer_absent"
    """Nobody came (失约)."""
    FAILED = "failed"
    """It could not be installed: a part was missing, or it did not work."""
    SITE_PROBLEM = "site_problem"
    """The place is not fit for it: the note says what was measured (现场勘测)."""


class InstalledUnit(msgspec.Struct, frozen=True):
    """A unit of a line that was installed, by its serial number."""

    line_no: int
    serial: str


class VisitReport(msgspec.Struct, frozen=True):
    """What an installer says of a visit, and shows.

    `photos` and `signature` are references to what the brand keeps elsewhere.
    """

    outcome: VisitOutcome
    note: str = ""
    photos: tuple[str, ...] = ()
    units: tuple[InstalledUnit, ...] = ()
    signature: str = ""


class InstallationVisit(msgspec.Struct, frozen=True):
    """A visit that was made, or was to be."""

    visit_no: int
    provider_id: int
    day: date
    first_minute: int
    end_minute: int
    report: VisitReport
    reported_by: str
    reported_at: datetime


class Installation(msgspec.Struct, frozen=True):
    """The installation of an order."""

    order_id: int
    status: InstallationStatus
    version: int
    day: date
    from_minute: int
    to_minute: int
    reason: str
    """Why it was given up."""
