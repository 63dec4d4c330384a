"""Shops are created, listed for whom they concern, and forgotten when they are closed."""

from typing import Any

import pytest
from msgspec.structs import asdict, replace

from backend.channels.model import ShopDraft
from backend.channels.shops import (
    CACHE_SECONDS,
    ShopCache,
    create_shop,
    page_of_shops,
    shops_by_ids,
)
from backend.db.pool import Database
from backend.network.nodes import create_legal_entity
from tenants.principal import Permission, Principal
from tests.catalogue import Connection
from tests.refusals import refused
from tests.world import World

NEW = ShopDraft("new", "New", "douyin")
NOBODY = 10**9
CLOSE = "update shop set is_active = false where tenant_id = $1 and code = $2"


async def create(database: Database, who: Principal, draft: ShopDraft = NEW) -> int:
    async with database.tenant_transaction(who) as tx:
        return await create_shop(tx, draft)


async def seen(database: Database, who: Principal, limit: int = 99) -> list[str]:
    """Return the codes of all pages of that size."""
    codes: list[str] = []
    after = 0
    async with database.tenant_transaction(who, read_only=True) as tx:
        while page := await page_of_shops(tx, after, limit):
            assert len(page) <= limit
            assert page[0].id > after
            codes += [shop.code for shop in page]
            after = page[-1].id
    return codes


async def fetch(
    database: Database, world: World, cache: ShopCache, *codes: str, now: float = 0.0
) -> set[str]:
    """Return which of the codes the cache found in the database."""
    async with database.tenant_transaction(world.system, read_only=True) as tx:
        return set(await cache.fetch(tx, codes, now))


async def test_a_shop_is_stored_as_given(database: Database, world: World) -> None:
    async with database.tenant_transaction(world.brand) as tx:
        entity = await create_legal_entity(tx, "e", "Entity")
        draft = ShopDraft("new", "New", "douyin", world.dealers["d1"], entity)
        shop_id = await create_shop(tx, draft)
        found = await shops_by_ids(tx, [shop_id, NOBODY])
    assert [asdict(shop) for shop in found.values()] == [
        {"id": shop_id, **asdict(draft), "is_active": True}
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
async def test_pages_follow_without_gap(still: Database, ready_world: World, limit: int) -> None:
    assert await seen(still, ready_world.brand, limit) == ["shop", "dshop", "dshop2"]


async def test_everybody_sees_the_shops_that_concern_them(
    still: Database, ready_world: World
) -> None:
    assert await seen(still, ready_world.dealer) == ["dshop"]
    assert await seen(still, ready_world.other_dealer) == ["dshop2"]
    assert await seen(still, ready_world.store) == []
    assert await seen(still, ready_world.group) == ["shop", "dshop", "dshop2"]
    assert await seen(still, ready_world.other_brand) == ["shop"]


async def test_another_brand_may_use_the_code(database: Database, world: World) -> None:
    await create(database, world.brand)
    await create(database, world.other_brand)
    assert (await seen(database, world.other_brand)) == ["shop", "new"]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a code in use": ({"code": "shop"}, "ALREADY_EXISTS"),
    "an unknown dealer": ({"dealer_id": NOBODY}, "UNKNOWN_DEALER"),
    "an unknown legal entity": ({"legal_entity_id": NOBODY}, "UNKNOWN_REFERENCE"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_shop_is_not_created(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    changes, code = BAD[name]
    async with refused(still_admin, code):
        await create(still, ready_world.brand, replace(NEW, **changes))


async def test_a_dealer_without_an_agreement_has_no_shop(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "UNKNOWN_DEALER"):
        theirs = replace(NEW, dealer_id=ready_world.dealers["d1"])
        await create(still, ready_world.other_brand, theirs)


async def test_another_brands_legal_entity_is_unknown(
    database: Database, world: World, admin: Connection
) -> None:
    async with database.tenant_transaction(world.brand) as tx:
        entity = await create_legal_entity(tx, "e", "Entity")
    async with refused(admin, "UNKNOWN_REFERENCE"):
        await create(database, world.other_brand, replace(NEW, legal_entity_id=entity))


@pytest.mark.parametrize("who", ["dealer", "store", "group"])
async def test_who_may_only_read_creates_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str
) -> None:
    principal: Principal = getattr(ready_world, who)
    async with refused(still_admin, "WRITE_REFUSED"):
        await create(still, principal, replace(NEW, dealer_id=principal.dealer_id))


async def test_who_lacks_the_permission_creates_nothing(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    others = ready_world.brand.permissions - {Permission.NETWORK_WRITE}
    async with refused(still_admin, "PERMISSION_MISSING"):
        await create(still, replace(ready_world.brand, permissions=others))


async def test_the_cache_knows_a_shop_for_a_while(still: Database, ready_world: World) -> None:
    cache = ShopCache()
    assert await fetch(still, ready_world, cache, "shop", "dshop", "z", now=10.0) == {
        "shop",
        "dshop",
    }
    assert set(cache.known(["shop", "dshop2", "z"], 10.0 + CACHE_SECONDS / 2)) == {"shop"}
    assert cache.known(["shop"], 10.0 + CACHE_SECONDS) == {}


async def test_the_cache_forgets_a_shop_that_was_closed(
    database: Database, world: World, admin: Connection
) -> None:
    cache, codes = ShopCache(), ("shop", "dshop")
    await fetch(database, world, cache, *codes)
    await admin.execute(CLOSE, world.tenant_id, "shop")
    assert set(cache.known(codes, 0.0)) == {"shop", "dshop"}
    assert await fetch(database, world, cache, *codes) == {"dshop"}
    assert set(cache.known(codes, 0.0)) == {"dshop"}
