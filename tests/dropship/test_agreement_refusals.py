"""What is not agreed: refused with a code, and without a trace."""

import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.commands import KEY_LENGTH_MAX
from backend.db.pool import Database
from backend.dropship import agreements as cases
from backend.dropship.model import Agreement, Settlement
from backend.network.ranges import MONEY_MINOR_MAX
from tenants.principal import Permission
from tests.catalogue import Connection
from tests.dropship.conftest import LAST_DAY
from tests.dropship.dealing import BEGINNING
from tests.dropship.papers import Agreements
from tests.refusals import refused
from tests.world import World

Write = Callable[[Agreements], Awaitable[Agreement]]
ONE_DAY = timedelta(days=1)
SOON = date(2028, 1, 1)
EAST = 310_000

LONG = "c" * (cases.CODE_LENGTH_MAX + 1)
MANY = tuple(str(number) for number in range(cases.NAMES_MAX + 1))
SAVE: dict[str, tuple[dict[str, Any], str]] = {
    "no code": ({"code": " "}, "INVALID_AGREEMENT"),
    "a long code": ({"code": LONG}, "INVALID_AGREEMENT"),
    "an unknown dealer": ({"dealer": "z"}, "UNKNOWN_DEALER"),
    "an unknown region": ({"territory": (EAST, 999_999)}, "UNKNOWN_REGION"),
    "too many regions": ({"territory": (EAST,) * (cases.NAMES_MAX + 1)}, "INVALID_AGREEMENT"),
    "too many lines": ({"product_lines": MANY}, "INVALID_AGREEMENT"),
    "too many SKUs": ({"added_skus": MANY}, "INVALID_AGREEMENT"),
    "too many SKUs excluded": ({"excluded_skus": MANY}, "INVALID_AGREEMENT"),
    "a line without a name": ({"product_lines": ("cool", " ")}, "INVALID_AGREEMENT"),
    "an unknown SKU": ({"added_skus": ("B", "Z")}, "UNKNOWN_SKU"),
    "an unknown SKU excluded": ({"excluded_skus": ("Z",)}, "UNKNOWN_SKU"),
    "an unknown quota": ({"quota_account": "z"}, "UNKNOWN_QUOTA_ACCOUNT"),
    "another dealer's quota": ({"quota_account": "OTHER"}, "INVALID_AGREEMENT"),
    "an end before the beginning": ({"ends_on": BEGINNING - ONE_DAY}, "OUT_OF_RANGE"),
    "the code of an approved one": ({"code": "BOUND"}, "INVALID_AGREEMENT"),
    "the code of a discarded one": ({"code": "GONE"}, "INVALID_AGREEMENT"),
    "nothing to replace": ({"replaces": "z"}, "UNKNOWN_AGREEMENT"),
    "a draft to replace": ({"replaces": "DRAFT", "starts_on": SOON}, "INVALID_AGREEMENT"),
    "a discarded one to replace": ({"replaces": "GONE", "starts_on": SOON}, "INVALID_AGREEMENT"),
    "another's to replace": ({"replaces": "ONLY", "starts_on": SOON}, "INVALID_AGREEMENT"),
    "one of that day to replace": ({"replaces": "BOUND"}, "INVALID_AGREEMENT"),
    "what it has already": ({"added_skus": ("A",)}, "AGREEMENT_OVERLAPS"),
    "what another has alone": ({"added_skus": ("C",)}, "AGREEMENT_OVERLAPS"),
    "alone, what another has": (
        {"dealer": "d2", "added_skus": ("A",), "is_exclusive": True},
        "AGREEMENT_OVERLAPS",
    ),
}
SETTLEMENTS: dict[str, tuple[Settlement, str]] = {
    "a share below 0": (Settlement(share_bp=-1), "shareBp"),
    "a share of more than all": (Settlement(share_bp=10_001), "shareBp"),
    "days below 0": (Settlement(settle_days=-1), "settleDays"),
    "days of years": (Settlement(settle_days=cases.SETTLE_DAYS_MAX + 1), "settleDays"),
    "no hours to ship in": (Settlement(ship_within_hours=0), "shipWithinHours"),
    "months to ship in": (
        Settlement(ship_within_hours=cases.SHIP_HOURS_MAX + 1),
        "shipWithinHours",
    ),
    "a deposit below 0": (Settlement(deposit_minor=-1), "depositMinor"),
    "an enormous deposit": (Settlement(deposit_minor=MONEY_MINOR_MAX + 1), "depositMinor"),
}
DECIDE: dict[str, tuple[str, int, str]] = {
    "an earlier version": ("DRAFT", 1, "DOCUMENT_CHANGED"),
    "a later version": ("DRAFT", 3, "DOCUMENT_CHANGED"),
    "an approved one": ("BOUND", 2, "DOCUMENT_CHANGED"),
    "a discarded one": ("GONE", 2, "DOCUMENT_CHANGED"),
    "an unknown one": ("z", 1, "UNKNOWN_AGREEMENT"),
}
END: dict[str, tuple[str, date, str]] = {
    "long before it begins": ("BOUND", BEGINNING - 2 * ONE_DAY, "INVALID_AGREEMENT"),
    "a draft": ("DRAFT", LAST_DAY, "INVALID_AGREEMENT"),
    "a discarded one": ("GONE", LAST_DAY, "INVALID_AGREEMENT"),
    "an unknown one": ("z", LAST_DAY, "UNKNOWN_AGREEMENT"),
}


@pytest.fixture
def standing(still: Database, ready_world: World) -> Agreements:
    """Agreements that nothing changes: see `still_url`."""
    return Agreements(still, ready_world.brand)


WRITES: dict[Permission, Sequence[Write]] = {
    Permission.DEALERS_WRITE: (
        lambda papers: papers.save("NEW", added_skus=("B",)),
        lambda papers: papers.discard("DRAFT", 2),
    ),
    Permission.DEALERS_APPROVE: (
        lambda papers: papers.approve("DRAFT", 2),
        lambda papers: papers.end(SOON, "BOUND"),
    ),
}
"""Commands that may be carried out, by the permission that they need."""


@pytest.mark.parametrize("name", SAVE)
async def test_what_cannot_be_saved_changes_nothing(
    standing: Agreements, still_admin: Connection, name: str
) -> None:
    changes, code = SAVE[name]
    async with refused(still_admin, code):
        await standing.save(**{"code": "NEW", "added_skus": ("B",)} | changes)


@pytest.mark.parametrize("name", SETTLEMENTS)
async def test_nothing_is_settled_like_that(
    standing: Agreements, still_admin: Connection, name: str
) -> None:
    settlement, field = SETTLEMENTS[name]
    async with refused(still_admin, "OUT_OF_RANGE") as seen:
        await standing.save("NEW", added_skus=("B",), settlement=settlement)
    assert getattr(seen.error, "path", ()) == ("settlement", field)


@pytest.mark.parametrize("name", DECIDE)
async def test_what_cannot_be_decided_changes_nothing(
    standing: Agreements, still_admin: Connection, name: str
) -> None:
    code, version, error = DECIDE[name]
    async with refused(still_admin, error):
        await standing.approve(code, version)
    async with refused(still_admin, error):
        await standing.discard(code, version)


@pytest.mark.parametrize("name", END)
async def test_what_cannot_be_ended_changes_nothing(
    standing: Agreements, still_admin: Connection, name: str
) -> None:
    code, last_day, error = END[name]
    async with refused(still_admin, error):
        await standing.end(last_day, code)


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_who_may_only_read_changes_nothing(
    standing: Agreements, still_admin: Connection, ready_world: World, who: str
) -> None:
    papers = standing.of(getattr(ready_world, who))
    for write in itertools.chain.from_iterable(WRITES.values()):
        async with refused(still_admin, "WRITE_REFUSED"):
            await write(papers)


@pytest.mark.parametrize("lacking", WRITES)
async def test_who_lacks_the_permission_changes_nothing(
    standing: Agreements, still_admin: Connection, lacking: Permission
) -> None:
    brand = standing.who
    without = standing.of(replace(brand, permissions=brand.permissions - {lacking}))
    for write in WRITES[lacking]:
        async with refused(still_admin, "PERMISSION_MISSING"):
            await write(without)


@pytest.mark.parametrize("key", ["k" * (KEY_LENGTH_MAX + 1), "a\nb"])
async def test_a_bad_key_changes_nothing(
    standing: Agreements, still_admin: Connection, key: str
) -> None:
    async with refused(still_admin, "INVALID_IDEMPOTENCY_KEY"):
        await standing.save("NEW", key=key, added_skus=("B",))
