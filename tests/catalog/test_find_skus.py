"""SKUs are found by page, id and code; the cache forgets what was retired."""

import pytest

from backend.catalog import find_skus
from backend.catalog.errors import UnknownSku
from backend.catalog.find_skus import SkuCache, page_of_skus, sku_id_by_code, skus_by_ids
from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.db.pool import Database
from tests.world import World


async def retire(database: Database, world: World, code: str) -> None:
    async with database.tenant_transaction(world.brand) as tx:
        await save_skus(tx, [SkuDraft(code=code, name=code, is_active=False)])


async def fetch(database: Database, world: World, cache: SkuCache, codes: str) -> set[str]:
    """Return which of the codes the cache found in the database."""
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        return set(await cache.fetch(tx, codes))


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
async def test_pages_follow_without_gap(still: Database, ready_world: World, limit: int) -> None:
    found: list[str] = []
    after = 0
    async with still.tenant_transaction(ready_world.brand, read_only=True) as tx:
        while page := await page_of_skus(tx, after, limit):
            assert len(page) <= limit
            assert page[0].id > after
            found += [sku.code for sku in page]
            after = page[-1].id
    assert found == ["A", "B", "C"]


async def test_only_what_exists_is_found_by_id(database: Database, world: World) -> None:
    await retire(database, world, "B")
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        found = await skus_by_ids(tx, [world.skus["A"], world.skus["B"], 10**9])
    assert {sku.code: sku.is_active for sku in found.values()} == {"A": True, "B": False}
    assert set(found) == {world.skus["A"], world.skus["B"]}


async def test_another_brand_finds_its_own(still: Database, ready_world: World) -> None:
    ids = list(ready_world.skus.values())
    async with still.tenant_transaction(ready_world.other_brand, read_only=True) as tx:
        assert await skus_by_ids(tx, ids) == {}
        assert await sku_id_by_code(tx, "A") not in ids
        with pytest.raises(UnknownSku):
            await sku_id_by_code(tx, "B")


async def test_a_retired_sku_is_unknown_by_code(database: Database, world: World) -> None:
    await retire(database, world, "A")
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        assert await sku_id_by_code(tx, "B") == world.skus["B"]
        with pytest.raises(UnknownSku) as raised:
            await sku_id_by_code(tx, "A")
    assert (raised.value.sku, raised.value.code) == ("A", "UNKNOWN_SKU")


async def test_the_cache_knows_what_was_asked_for(still: Database, ready_world: World) -> None:
    cache = SkuCache()
    assert await fetch(still, ready_world, cache, "ABZ") == {"A", "B"}
    assert {code: sku.id for code, sku in cache.known("ABCZ").items()} == {
        code: ready_world.skus[code] for code in "AB"
    }


async def test_the_cache_forgets_what_was_retired(database: Database, world: World) -> None:
    cache = SkuCache()
    await fetch(database, world, cache, "ABC")
    await retire(database, world, "B")
    assert set(cache.known("ABC")) == {"A", "B", "C"}
    cache.forget({world.skus["B"], 10**9})
    assert set(cache.known("ABC")) == {"A", "C"}
    assert await fetch(database, world, cache, "ABC") == {"A", "C"}


async def test_the_cache_does_not_grow_for_ever(
    still: Database, ready_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_skus, "CACHE_SIZE_MAX", 1)
    cache = SkuCache()
    await fetch(still, ready_world, cache, "AB")
    await fetch(still, ready_world, cache, "C")
    assert set(cache.known("ABC")) == {"C"}
