"""Moments that people and systems say: with a zone, and of this age."""

from datetime import UTC, datetime

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def fault_of_time(moment: datetime) -> str | None:
    """Say what is wrong with a moment that somebody gave, or nothing."""
    if moment.tzinfo is None:
        return "A time says its zone, as in 2030-01-31T12:00:00+08:00."
    try:
        is_of_this_age = FIRST <= moment.astimezone(UTC) < LAST
    except OverflowError:
        is_of_this_age = False
    return None if is_of_this_age else "A time lies between 1970 and 2200."
