"""The audit finds what earmarks have wrong, column by column."""

import pytest

from backend.audit.audit import CHECKS
from backend.inventory.movement_types import MovementType
from backend.runtime import Runtime
from tests.audit.history import audited
from tests.catalogue import Connection
from tests.inventory.stock import key_of, move, plant_earmark
from tests.world import World

LEVEL, EARMARK, EARMARKED = (list(CHECKS)[at] for at in (0, 3, 4))
VALKEY = "valkey_differs"
BROKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "what was put in": ("update earmark_level set filled = filled + 1", (EARMARK,)),
    "what is unused": (
        "update earmark_level set unused = unused - 1",
        (EARMARK, EARMARKED, VALKEY),
    ),
    "what is lent": ("update earmark_level set lent = lent - 1", (EARMARK,)),
    "what is unused, and what its level says": (
        "with changed as (update stock_level set earmark_unused = earmark_unused - 1"
        " where earmark_unused > 0) update earmark_level set unused = unused - 1",
        (LEVEL, EARMARK, VALKEY, VALKEY),
    ),
    "an earmark that is gone": ("delete from earmark_level", (EARMARK, EARMARKED)),
    "an earmark of another level": (
        "update earmark_level set functional_warehouse_id = functional_warehouse_id + 1",
        (EARMARK, EARMARK, EARMARKED, EARMARKED),
    ),
    "a filling that is gone": (
        "delete from stock_movement where type = 'earmarked'",
        (LEVEL, EARMARK),
    ),
    "a lending that is gone": (
        "delete from stock_movement where type = 'earmark_lent'",
        (LEVEL, EARMARK),
    ),
    "a lending that was a dropping": (
        "update stock_movement set type = 'earmark_dropped' where type = 'earmark_lent'",
        (EARMARK,),
    ),
    "a filling of another earmark": (
        "update stock_movement set earmark_id = earmark_id + 1 where type = 'earmarked'",
        (EARMARK, EARMARK),
    ),
    "a filling of no earmark": (
        "update stock_movement set earmark_id = null where type = 'earmarked'",
        (EARMARK,),
    ),
}
"""What is broken by a statement, and the kinds of differences that say so."""


@pytest.fixture
async def brand(runtime: Runtime, world: World, admin: Connection) -> World:
    """The brand with its past; an earmark keeps 4 of "A" in "wh", and has lent 2 more."""
    key, mark = await key_of(admin, world, "wh"), await plant_earmark(admin, world)
    moves = ((key, MovementType.EARMARKED, 6), (key, MovementType.EARMARK_LENT, 2))
    await move(runtime.database, world, *moves, earmark_id=mark)
    assert await runtime.admission.ensure_warm(world.tenant_id)
    return world


async def test_a_sound_earmark_has_no_differences(runtime: Runtime, brand: World) -> None:
    report = await audited(runtime, brand)
    assert (report.differences, report.counters_compared) == ([], 5)


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_is_found(
    runtime: Runtime, brand: World, admin: Connection, name: str
) -> None:
    statement, kinds = BROKEN[name]
    status: str = await admin.execute(statement)
    assert status.endswith(" 1")
    found = [difference["kind"] for difference in (await audited(runtime, brand)).differences]
    assert sorted(found) == sorted(kinds)


async def test_a_difference_names_the_earmark_and_both_figures(
    runtime: Runtime, brand: World, admin: Connection
) -> None:
    await admin.execute("update earmark_level set unused = unused - 1")
    found = {each["kind"]: each for each in (await audited(runtime, brand)).differences}
    key = await key_of(admin, brand, "wh")
    level = {"functional_warehouse_id": key.functional_warehouse_id, "sku_id": key.sku_id}
    assert found[EARMARKED] == {"kind": EARMARKED, **level, "earmarked": 4, "unused": "3"}
    mark = await admin.fetchval("select id from earmark")
    named = {**level, "earmark_id": mark, "unused": 3, "moved_unused": "4", "lent": 2}
    assert found[EARMARK] | named == found[EARMARK]
    assert found[VALKEY]["counter"] == f"e{mark}:{key.functional_warehouse_id}:{key.sku_id}"
