"""SKUs are created and changed all or none, and what is no SKU is refused without a trace."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from backend.catalog.find_skus import page_of_skus
from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import CODE_LENGTH_MAX, save_skus
from backend.db.pool import Database
from tenants.principal import Permission, Principal
from tests.catalogue import Connection
from tests.crowd import CROWD, all_at_once
from tests.refusals import refused
from tests.world import World

GOOD = SkuDraft(code="new", name="New")
FULL = SkuDraft(
    code="D-1 红",
    name="Drum",
    category="music",
    product_line="drums",
    weight_g=1,
    length_mm=2,
    width_mm=3,
    height_mm=4,
    needs_installation=True,
    attributes={"colour": "红", "sizes": [1, 2]},
    is_active=False,
)


async def save(database: Database, who: Principal, drafts: Sequence[SkuDraft]) -> dict[str, int]:
    async with database.tenant_transaction(who) as tx:
        return await save_skus(tx, drafts)


async def stored(database: Database, who: Principal) -> dict[str, dict[str, Any]]:
    """Return what is stored of each SKU, by code."""
    async with database.tenant_transaction(who, read_only=True) as tx:
        return {sku.code: asdict(sku) for sku in await page_of_skus(tx, 0, 1_000)}


async def test_a_sku_is_stored_as_given(database: Database, world: World) -> None:
    before = await stored(database, world.brand)
    ids = await save(database, world.brand, [FULL])
    expected = {FULL.code: {"id": ids[FULL.code], **asdict(FULL)}}
    assert await stored(database, world.brand) == before | expected


async def test_a_code_that_exists_is_changed(database: Database, world: World) -> None:
    before = await stored(database, world.brand)
    ids = await save(database, world.brand, [GOOD, replace(FULL, code="A")])
    assert ids["A"] == world.skus["A"]
    expected = {
        "A": {"id": world.skus["A"], **asdict(FULL), "code": "A"},
        "new": {"id": ids["new"], **asdict(GOOD)},
    }
    assert await stored(database, world.brand) == before | expected


async def test_brands_have_their_own_skus(database: Database, world: World) -> None:
    before = await stored(database, world.brand)
    ids = await save(database, world.other_brand, [replace(FULL, code="A"), GOOD])
    assert await stored(database, world.brand) == before
    assert not set(ids.values()) & set(world.skus.values())


async def test_the_longest_code_is_taken(database: Database, world: World) -> None:
    longest = "码" * CODE_LENGTH_MAX
    assert longest in await save(database, world.brand, [replace(GOOD, code=longest)])


async def test_no_skus_are_no_change(database: Database, world: World) -> None:
    assert await save(database, world.brand, []) == {}


async def test_lists_in_any_order_are_saved_at_once(
    database: Database, world: World, admin: Connection
) -> None:
    drafts = [replace(GOOD, code=f"S{n}") for n in range(50)]
    await save(database, world.brand, drafts)
    renamed = [replace(draft, name="Other") for draft in drafts]
    lists = [renamed, renamed[::-1]] * (CROWD // 2)
    works = (save(database, world.brand, each) for each in lists)
    done, codes = await all_at_once(admin, works, "sku")
    assert (len(done), codes) == (CROWD, [])
    assert (await stored(database, world.brand))["S7"]["name"] == "Other"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no code": ({"code": ""}, "INVALID_SKU"),
    "a blank code": ({"code": " "}, "INVALID_SKU"),
    "a space before the code": ({"code": " x"}, "INVALID_SKU"),
    "a space after the code": ({"code": "x\t"}, "INVALID_SKU"),
    "a long code": ({"code": "x" * (CODE_LENGTH_MAX + 1)}, "INVALID_SKU"),
    "no name": ({"name": ""}, "INVALID_SKU"),
    "a blank name": ({"name": "\u3000"}, "INVALID_SKU"),
    "the same code twice": ({"code": "new"}, "INVALID_SKU"),
    "a weight below 0": ({"weight_g": -1}, "OUT_OF_RANGE"),
    "a length below 0": ({"length_mm": -1}, "OUT_OF_RANGE"),
    "a width below 0": ({"width_mm": -1}, "OUT_OF_RANGE"),
    "a height below 0": ({"height_mm": -1}, "OUT_OF_RANGE"),
}


@pytest.mark.parametrize("name", BAD)
async def test_beside_a_bad_sku_none_is_saved(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    changes, code = BAD[name]
    bad = replace(SkuDraft(code="bad", name="Bad"), **changes)
    known = SkuDraft(code="A", name="Renamed")
    async with refused(still_admin, code):
        await save(still, ready_world.brand, [GOOD, known, bad])


async def test_a_refusal_says_which_sku_it_is_about(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "INVALID_SKU") as seen:
        await save(still, ready_world.brand, [GOOD, replace(GOOD, code=""), GOOD_TOO])
    assert getattr(seen.error, "path", None) == ("skus", 1)


GOOD_TOO = SkuDraft(code="new too", name="New too")


@pytest.mark.parametrize("who", ["dealer", "store", "group"])
async def test_who_may_only_read_saves_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str
) -> None:
    principal: Principal = getattr(ready_world, who)
    for draft in (GOOD, SkuDraft(code="A", name="Renamed")):
        async with refused(still_admin, "WRITE_REFUSED"):
            await save(still, principal, [draft])


async def test_who_lacks_the_permission_saves_nothing(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    others = ready_world.brand.permissions - {Permission.CATALOG_WRITE}
    without = replace(ready_world.brand, permissions=others)
    async with refused(still_admin, "PERMISSION_MISSING"):
        await save(still, without, [GOOD])
