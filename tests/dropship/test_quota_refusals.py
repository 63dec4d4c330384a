"""Commands on quotas that are refused: with a code, and without a trace."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.commands import KEY_LENGTH_MAX
from backend.db.pool import Database
from backend.dropship.quotas.accounts import PAYMENT_DAYS_MAX, TEXT_MAX, WARN_MAX
from backend.dropship.quotas.model import AMOUNT_MINOR_MAX, QuotaAccount, QuotaKind
from tenants.principal import Permission
from tests.catalogue import Connection
from tests.dropship.quotas import Quotas
from tests.refusals import refused
from tests.world import World

Write = Callable[[Quotas], Awaitable[QuotaAccount]]
IN_2100 = datetime(2100, 1, 1, tzinfo=UTC)
IN_2020 = IN_2100.replace(year=2020)
WITHOUT_ZONE, OF_NO_AGE = datetime(2100, 1, 1), datetime(2300, 1, 1, tzinfo=UTC)
LONG = "r" * (TEXT_MAX + 1)
PREPAID = {"kind": QuotaKind.PREPAID}

OPEN: dict[str, tuple[dict[str, Any], str]] = {
    "no code": ({"code": " "}, "INVALID_QUOTA"),
    "a long code": ({"code": LONG}, "INVALID_QUOTA"),
    "a code that is there": ({"code": "OTHER"}, "ALREADY_EXISTS"),
    "an unknown dealer": ({"dealer": "z"}, "UNKNOWN_DEALER"),
    "a limit below 0": ({"limit_minor": -1}, "INVALID_QUOTA"),
    "an enormous limit": ({"limit_minor": AMOUNT_MINOR_MAX + 1}, "INVALID_QUOTA"),
    "days below 0": ({"payment_days": -1}, "OUT_OF_RANGE"),
    "days of years": ({"payment_days": PAYMENT_DAYS_MAX + 1}, "OUT_OF_RANGE"),
    "paid ahead with a limit": (PREPAID | {"limit_minor": 1}, "INVALID_QUOTA"),
    "paid ahead with days": (PREPAID | {"payment_days": 0}, "INVALID_QUOTA"),
    "a share of nothing": ({"warn_bp": (0,)}, "INVALID_QUOTA"),
    "a share of more than all": ({"warn_bp": (10_001,)}, "INVALID_QUOTA"),
    "too many shares": ({"warn_bp": tuple(range(1, WARN_MAX + 2))}, "INVALID_QUOTA"),
}
CHANGE: dict[str, tuple[Write, str]] = {
    "a limit below 0": (lambda q: q.limit(-1, "CREDIT"), "INVALID_QUOTA"),
    "an enormous limit": (lambda q: q.limit(AMOUNT_MINOR_MAX + 1, "CREDIT"), "INVALID_QUOTA"),
    "a limit for long reasons": (lambda q: q.limit(1, "CREDIT", reason=LONG), "INVALID_QUOTA"),
    "a limit of what is paid ahead": (lambda q: q.limit(1, "PREPAID"), "INVALID_QUOTA"),
    "a limit of nothing": (lambda q: q.limit(1, "z"), "UNKNOWN_QUOTA_ACCOUNT"),
    "paying credit ahead": (lambda q: q.top_up(1, "r", "CREDIT"), "INVALID_QUOTA"),
    "paying nothing ahead": (lambda q: q.top_up(1, "r", "z"), "UNKNOWN_QUOTA_ACCOUNT"),
    "a payment that is there": (lambda q: q.top_up(1, "paid", "PREPAID"), "ALREADY_RECORDED"),
    "paying credit out": (lambda q: q.pay_out(1, "r", "CREDIT"), "INVALID_QUOTA"),
    "paying out what is not left": (
        lambda q: q.pay_out(1_001, "r", "PREPAID"),
        "QUOTA_TOO_SMALL",
    ),
    "paying out under a reference that is there": (
        lambda q: q.pay_out(1, "paid", "PREPAID"),
        "ALREADY_RECORDED",
    ),
    "paying out nothing": (lambda q: q.pay_out(1, "r", "z"), "UNKNOWN_QUOTA_ACCOUNT"),
    "paying what nobody owes": (lambda q: q.pay(1, "r", "PREPAID"), "INVALID_QUOTA"),
    "paying nobody": (lambda q: q.pay(1, "r", "z"), "UNKNOWN_QUOTA_ACCOUNT"),
    "increasing what is paid ahead": (lambda q: q.increase(1, IN_2100, "PREPAID"), "INVALID_QUOTA"),
    "increasing nothing": (lambda q: q.increase(1, IN_2100, "z"), "UNKNOWN_QUOTA_ACCOUNT"),
    "increasing until nowhere": (lambda q: q.increase(1, WITHOUT_ZONE, "CREDIT"), "INVALID_QUOTA"),
    "increasing for ages": (lambda q: q.increase(1, OF_NO_AGE, "CREDIT"), "INVALID_QUOTA"),
    "increasing until yesterday": (lambda q: q.increase(1, IN_2020, "CREDIT"), "INVALID_QUOTA"),
    "increasing for long reasons": (
        lambda q: q.increase(1, IN_2100, "CREDIT", reason=LONG),
        "INVALID_QUOTA",
    ),
}
AMOUNTS: dict[str, Callable[[Quotas, int], Awaitable[QuotaAccount]]] = {
    "top up": lambda q, amount: q.top_up(amount, "r", "PREPAID"),
    "pay out": lambda q, amount: q.pay_out(amount, "r", "PREPAID"),
    "pay": lambda q, amount: q.pay(amount, "r", "CREDIT"),
    "increase": lambda q, amount: q.increase(amount, IN_2100, "CREDIT"),
}
REFERENCES: dict[str, Callable[[Quotas, str], Awaitable[QuotaAccount]]] = {
    "top up": lambda q, reference: q.top_up(1, reference, "PREPAID"),
    "pay out": lambda q, reference: q.pay_out(1, reference, "PREPAID"),
    "pay": lambda q, reference: q.pay(1, reference, "CREDIT"),
}
WRITES: tuple[Write, ...] = (
    lambda q: q.credit(1, "NEW"),
    lambda q: q.limit(1, "CREDIT"),
    lambda q: q.top_up(1, "r", "PREPAID"),
    lambda q: q.pay_out(1, "r", "PREPAID"),
    lambda q: q.pay(1, "r", "CREDIT"),
    lambda q: q.increase(1, IN_2100, "CREDIT"),
)
"""Commands that may be carried out; see `still_url`."""


@pytest.fixture
def standing(still: Database, ready_world: World) -> Quotas:
    """Accounts that nothing changes: see `still_url`."""
    return Quotas(still, ready_world.brand)


@pytest.mark.parametrize("name", OPEN)
async def test_what_cannot_be_opened_changes_nothing(
    standing: Quotas, still_admin: Connection, name: str
) -> None:
    changes, code = OPEN[name]
    async with refused(still_admin, code):
        await standing.open(**{"code": "NEW"} | changes)


@pytest.mark.parametrize("name", CHANGE)
async def test_what_cannot_be_done_changes_nothing(
    standing: Quotas, still_admin: Connection, name: str
) -> None:
    change, code = CHANGE[name]
    async with refused(still_admin, code):
        await change(standing)


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize("amount", [0, -1, AMOUNT_MINOR_MAX + 1])
async def test_no_such_amount_is_recorded(
    standing: Quotas, still_admin: Connection, name: str, amount: int
) -> None:
    async with refused(still_admin, "INVALID_QUOTA") as seen:
        await AMOUNTS[name](standing, amount)
    assert getattr(seen.error, "path", ()) == ("amountMinor",)


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("reference", [" ", LONG], ids=["blank", "long"])
async def test_no_such_reference_is_recorded(
    standing: Quotas, still_admin: Connection, name: str, reference: str
) -> None:
    async with refused(still_admin, "INVALID_QUOTA") as seen:
        await REFERENCES[name](standing, reference)
    assert getattr(seen.error, "path", ()) == ("reference",)


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_who_may_only_read_changes_nothing(
    standing: Quotas, still_admin: Connection, ready_world: World, who: str
) -> None:
    quotas = standing.of(getattr(ready_world, who))
    for write in WRITES:
        async with refused(still_admin, "WRITE_REFUSED"):
            await write(quotas)


async def test_who_lacks_the_permission_changes_nothing(
    standing: Quotas, still_admin: Connection
) -> None:
    brand = standing.who
    without = standing.of(replace(brand, permissions=brand.permissions - {Permission.QUOTA_WRITE}))
    for write in WRITES:
        async with refused(still_admin, "PERMISSION_MISSING"):
            await write(without)


async def test_another_brand_has_accounts_of_its_own(
    standing: Quotas, still_admin: Connection, ready_world: World
) -> None:
    other = standing.of(ready_world.other_brand)
    async with refused(still_admin, "UNKNOWN_QUOTA_ACCOUNT"):
        await other.limit(1, "CREDIT")
    async with refused(still_admin, "UNKNOWN_DEALER"):
        await other.credit(1, "NEW")


async def test_a_bad_key_changes_nothing(standing: Quotas, still_admin: Connection) -> None:
    async with refused(still_admin, "INVALID_IDEMPOTENCY_KEY"):
        await standing.limit(1, "CREDIT", key="k" * (KEY_LENGTH_MAX + 1))
