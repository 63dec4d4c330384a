"""What terms of the network may say: ranges, names and regions, each refused with its path."""

from backend.db.errors import OutOfRange
from backend.network.errors import InvalidTerms, UnknownRegion
from backend.network.model import EVERY_DAY, NodeTerms
from backend.network.regions.table import RegionTable

MONEY_MINOR_MAX = 1_000_000_000
"""Ten million yuan: more than any parcel costs, and sums of millions of them fit 64 bits."""
BASIS_POINTS = 10_000
MINUTES_A_DAY = 1_440
SERVICE_LEVEL_MAX = 9
NAME_LENGTH_MAX = 64

Path = tuple[str | int, ...]


def require_between(path: Path, value: int, least: int, most: int) -> None:
    """Raise OutOfRange, with the path, for a value that lies outside of two."""
    if not least <= value <= most:
        raise OutOfRange(f"{path[-1]} lies between {least:,} and {most:,}.", path=path)


def require_money(path: Path, value_minor: int) -> None:
    """Raise OutOfRange, with the path, for an amount below 0 or above MONEY_MINOR_MAX."""
    require_between(path, value_minor, 0, MONEY_MINOR_MAX)


def require_name(path: Path, text: str) -> None:
    """Raise InvalidTerms, with the path, unless a text may name a carrier or channel."""
    if not 0 < len(text.strip()) <= len(text) <= NAME_LENGTH_MAX or not text.isprintable():
        raise InvalidTerms(
            f"{path[-1]} has 1 to {NAME_LENGTH_MAX} printable characters.", path=path
        )


def require_region(path: Path, code: int, regions: RegionTable) -> None:
    """Raise UnknownRegion, with the path, unless the table has the code."""
    if code not in regions.by_code:
        raise UnknownRegion(f"There is no region {code}.", path=path)


def require_node_terms(terms: NodeTerms) -> None:
    """Raise OutOfRange, with the path, for what a node's terms may not say."""
    if terms.cut_off_minute is not None:
        require_between(("terms", "cutOffMinute"), terms.cut_off_minute, 0, MINUTES_A_DAY - 1)
    if not 1 <= terms.working_days <= EVERY_DAY:
        raise OutOfRange("A node works on one day a week at least.", path=("terms", "workingDays"))
    require_between(("terms", "serviceLevel"), terms.service_level, 0, SERVICE_LEVEL_MAX)
    require_money(("terms", "handlingMinor"), terms.handling_minor)
