"""Who makes visits at agreed times, and how many: set once, changed, and refused with a reason."""

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.errors import YipanError
from backend.db.pool import Database
from backend.network import slots as cases
from backend.network.model import Slot, SlotKind, SlotWindow
from backend.network.slots import DAYS_MAX, VISITS_MAX, WINDOWS_MAX, Window
from tenants.principal import Permission
from tests.catalogue import Connection, contents
from tests.network.slots import (
    AFTERNOON,
    DOCK,
    INSTALLER,
    MORNING,
    put_provider,
    put_slots,
    windows,
)
from tests.refusals import refused
from tests.world import World

MONDAY = date(2030, 1, 28)
SUNDAY = MONDAY + timedelta(days=6)
WEEK = MONDAY, SUNDAY


async def listed(database: Database, world: World, provider: str | None = None) -> list[Slot]:
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        return await cases.page_of_slots(tx, WEEK, provider, (date.min, 0), 100)


async def test_slots_are_set_for_working_days(database: Database, world: World) -> None:
    await put_provider(database, world.brand, DOCK)
    times = windows(MORNING, AFTERNOON, visits=3)
    assert await put_slots(database, world.brand, "dock", WEEK, times, working_days=31) == 10
    found = await listed(database, world)
    assert {slot.day.weekday() for slot in found} == set(range(5))
    assert {(slot.first_minute, slot.end_minute) for slot in found} == {MORNING, AFTERNOON}
    assert {(slot.limit_visits, slot.free) for slot in found} == {(3, 3)}


async def test_a_limit_is_lowered_below_what_is_agreed(database: Database, world: World) -> None:
    await put_provider(database, world.brand, DOCK)
    day = MONDAY, MONDAY
    await put_slots(database, world.brand, "dock", day, windows(MORNING, visits=3))
    (slot,) = await listed(database, world)
    async with database.tenant_transaction(world.system) as tx:
        await cases.take_slots(tx, {slot.id: 2})
    await put_slots(database, world.brand, "dock", day, windows(MORNING, visits=1))
    assert await listed(database, world) == [slot._replace(limit_visits=1, free=-1)]
    async with database.tenant_transaction(world.system) as tx:
        await cases.take_slots(tx, {slot.id: -1})  # what is agreed may end
    with pytest.raises(cases.SlotMoved):
        async with database.tenant_transaction(world.system) as tx:
            await cases.take_slots(tx, {slot.id: 1})
    assert (await listed(database, world))[0].free == 0


async def test_the_same_again_changes_nothing(
    database: Database, world: World, admin: Connection
) -> None:
    first = await put_provider(database, world.brand, DOCK, "k")
    await put_slots(database, world.brand, "dock", WEEK, windows(MORNING), "l")
    before = await contents(admin)
    assert await put_provider(database, world.brand, DOCK, "k") == first
    assert await put_slots(database, world.brand, "dock", WEEK, windows(MORNING), "l") == 7
    assert await contents(admin) == before
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await put_slots(database, world.brand, "dock", WEEK, windows(AFTERNOON), "l")


async def test_a_provider_is_changed_but_for_what_it_does(
    database: Database, world: World, admin: Connection
) -> None:
    number = await put_provider(database, world.brand, INSTALLER)
    changed = replace(
        INSTALLER, name="Others", regions=(330000, 310000), categories=("b", "a", "b")
    )
    assert await put_provider(database, world.brand, changed) == number
    async with database.tenant_transaction(world.dealer, read_only=True) as tx:
        (found,) = await cases.list_slot_providers(tx)
    assert (found.name, found.regions, found.categories) == (
        "Others",
        (310000, 330000),
        ("a", "b"),
    )
    async with refused(admin, "INVALID_TERMS"):
        await put_provider(database, world.brand, replace(DOCK, code="fitters"))
    await put_provider(database, world.brand, DOCK)
    async with refused(admin, "INVALID_TERMS"):
        await put_provider(database, world.brand, replace(DOCK, node="far"))


async def test_slots_within_windows_are_locked_in_order(database: Database, world: World) -> None:
    for provider in (INSTALLER, DOCK):
        await put_provider(database, world.brand, provider)
        await put_slots(database, world.brand, provider.code, WEEK, windows(AFTERNOON, MORNING))
    await put_provider(database, world.brand, replace(INSTALLER, is_active=False))
    asked = {Window(MONDAY, 540, 1_020), Window(SUNDAY, 600, 1_020)}
    async with database.tenant_transaction(world.system) as tx:
        found = await cases.lock_slots(tx, asked)
        again = await cases.lock_slots(tx, [], [slot.id for slot in found])
    assert found == sorted(found) == again
    assert [(slot.day, slot.first_minute) for slot in found] == [
        (MONDAY, 540),
        (MONDAY, 780),
        (SUNDAY, 780),
    ]


async def test_another_brand_sees_none(database: Database, world: World) -> None:
    await put_provider(database, world.brand, DOCK)
    await put_slots(database, world.brand, "dock", WEEK, windows(MORNING))
    async with database.tenant_transaction(world.other_brand, read_only=True) as tx:
        assert await cases.list_slot_providers(tx) == []
        assert await cases.slots_of_days(tx, *WEEK) == []


@pytest.mark.parametrize("who", ["dealer", "store"])
async def test_how_many_visits_there_are_is_the_brands_to_know(
    database: Database, world: World, who: str
) -> None:
    await put_provider(database, world.brand, DOCK)
    await put_slots(database, world.brand, "dock", WEEK, windows(MORNING))
    async with database.tenant_transaction(getattr(world, who), read_only=True) as tx:
        assert await cases.slots_of_days(tx, *WEEK) == []
        assert [one.code for one in await cases.list_slot_providers(tx)] == ["dock"]


BAD_PROVIDERS: dict[str, tuple[dict[str, Any], str, tuple[str | int, ...]]] = {
    "no code": ({"code": " "}, "INVALID_TERMS", ("code",)),
    "no name": ({"name": ""}, "INVALID_TERMS", ("name",)),
    "a delivery from nowhere": ({"node": None}, "INVALID_TERMS", ("location",)),
    "an unknown node": ({"node": "z"}, "UNKNOWN_NODE", ("location",)),
    "an installer at a node": ({"kind": SlotKind.INSTALLATION}, "INVALID_TERMS", ("location",)),
    "a delivery of categories": ({"categories": ("a",)}, "INVALID_TERMS", ("categories",)),
    "an unknown region": ({"regions": (310000, 7)}, "UNKNOWN_REGION", ("regions", 1)),
    "too many regions": ({"regions": (310000,) * 1_001}, "INVALID_TERMS", ("regions",)),
}


@pytest.mark.parametrize("name", BAD_PROVIDERS)
async def test_a_bad_provider_is_refused(
    still: Database, ready_world: World, still_admin: Connection, name: str
) -> None:
    changes, code, path = BAD_PROVIDERS[name]
    async with refused(still_admin, code) as seen:
        await put_provider(still, ready_world.brand, replace(DOCK, **changes))
    assert isinstance(seen.error, YipanError)
    assert seen.error.path == path


def _window(**changes: int) -> list[SlotWindow]:
    return [replace(windows(MORNING)[0], **changes)]


BAD_SLOTS: dict[str, tuple[dict[str, Any], str, tuple[str | int, ...]]] = {
    "an unknown provider": ({"provider": "z"}, "UNKNOWN_SLOT_PROVIDER", ("provider",)),
    "the last day first": ({"days": (SUNDAY, MONDAY)}, "INVALID_TERMS", ("lastDay",)),
    "too many days": (
        {"days": (MONDAY, MONDAY + timedelta(days=DAYS_MAX))},
        "INVALID_TERMS",
        ("lastDay",),
    ),
    "no working day": ({"working_days": 0}, "OUT_OF_RANGE", ("workingDays",)),
    "none of its working days": (
        {"days": (SUNDAY, SUNDAY), "working_days": 1},
        "INVALID_TERMS",
        ("workingDays",),
    ),
    "no window": ({"times": []}, "INVALID_TERMS", ("windows",)),
    "too many windows": (
        {"times": windows(*((n, n + 1) for n in range(WINDOWS_MAX + 1)))},
        "INVALID_TERMS",
        ("windows",),
    ),
    "a window twice": ({"times": windows(MORNING, MORNING)}, "INVALID_TERMS", ("windows",)),
    "a window before the day": (
        {"times": _window(first_minute=-1)},
        "OUT_OF_RANGE",
        ("windows", 0, "firstMinute"),
    ),
    "a window that ends first": (
        {"times": _window(end_minute=540)},
        "OUT_OF_RANGE",
        ("windows", 0, "endMinute"),
    ),
    "a window after the day": (
        {"times": _window(end_minute=1_441)},
        "OUT_OF_RANGE",
        ("windows", 0, "endMinute"),
    ),
    "less than no visit": ({"times": _window(visits=-1)}, "OUT_OF_RANGE", ("windows", 0, "visits")),
    "too many visits": (
        {"times": _window(visits=VISITS_MAX + 1)},
        "OUT_OF_RANGE",
        ("windows", 0, "visits"),
    ),
}


@pytest.mark.parametrize("name", BAD_SLOTS)
async def test_bad_slots_are_refused(
    database: Database, world: World, admin: Connection, name: str
) -> None:
    await put_provider(database, world.brand, DOCK)
    changes, code, path = BAD_SLOTS[name]
    given: dict[str, Any] = {"provider": "dock", "days": WEEK, "times": windows(MORNING)}
    async with refused(admin, code) as seen:
        await put_slots(database, world.brand, **(given | changes))
    assert isinstance(seen.error, YipanError)
    assert seen.error.path == path


@pytest.mark.parametrize("who", ["dealer", "store", "group", "nobody"])
async def test_only_the_brand_sets_them(
    database: Database, world: World, admin: Connection, who: str
) -> None:
    await put_provider(database, world.brand, DOCK)
    nobody = replace(world.brand, permissions=frozenset(Permission) - {Permission.NETWORK_WRITE})
    principal = nobody if who == "nobody" else getattr(world, who)
    code = "PERMISSION_MISSING" if who == "nobody" else "WRITE_REFUSED"
    async with refused(admin, code):
        await put_provider(database, principal, INSTALLER)
    async with refused(admin, code):
        await put_slots(database, principal, "dock", WEEK, windows(MORNING))
