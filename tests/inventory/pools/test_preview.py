"""A preview says what would change for the shops, and changes nothing itself."""

from datetime import datetime
from typing import NamedTuple

import pytest

from backend.db.pool import Database
from backend.inventory.pools.model import Layout, Rule
from backend.inventory.pools.preview import preview
from backend.network.regions.table import bundled_regions
from tenants.principal import Principal
from tests.catalogue import Connection, contents
from tests.inventory.pools.conftest import ACTIVE, DRAFT
from tests.inventory.pools.layouts import (
    BARE,
    EXAMPLE,
    activate,
    propose,
    put_in_force,
    share,
    supply,
    when,
)
from tests.inventory.pools.living import Living
from tests.refusals import refused
from tests.world import World, receive

NOON = datetime(2026, 11, 11, 12, 0)
CLOSE_SHOP = "update shop set is_active = false where tenant_id = $1 and code = $2"


class Change(NamedTuple):
    """A number that would change."""

    sku: str
    shop: str
    before: int | None
    after: int | None


async def changes(live: Living, layout: Layout, local: datetime = NOON) -> list[Change]:
    """Return what would change if a layout were proposed and activated."""
    database = live.runtime.database
    draft = await propose(database, live.brand, layout, await active(live))
    async with database.tenant_transaction(live.brand, read_only=True) as tx:
        found = await preview(tx, draft.version, local, bundled_regions())
    skus = {sku_id: code for code, sku_id in live.world.skus.items()}
    shops = {shop_id: code for code, shop_id in live.shop_ids.items()}
    return [Change(skus[c.sku_id], shops[c.shop_id], c.before, c.after) for c in found]


async def active(live: Living) -> int:
    await live.freshen()
    return 0 if live.pools is None else live.pools.version


async def look(database: Database, who: Principal, version: int) -> None:
    async with database.tenant_transaction(who, read_only=True) as tx:
        await preview(tx, version, NOON, bundled_regions())


def to_shops(**ratios: int) -> Layout:
    """Return a layout that gives parts of "wh" to shops."""
    shares = [share("all", shop, ratio_bp) for shop, ratio_bp in ratios.items()]
    return Layout(pools=(supply("all", "wh"),), shares=tuple(shares))


async def test_the_largest_changes_come_first_whatever_their_direction(live: Living) -> None:
    await live.lay_out(to_shops(shop=10_000, dshop=5_000))
    for sku, units in (("A", 10), ("B", 100), ("C", 40)):
        await live.receive("wh", units, sku)
    assert await changes(live, to_shops(shop=5_000, dshop=10_000)) == [
        Change("B", "shop", 100, 50),
        Change("B", "dshop", 50, 100),
        Change("C", "shop", 40, 20),
        Change("C", "dshop", 20, 40),
        Change("A", "shop", 10, 5),
        Change("A", "dshop", 5, 10),
    ]


async def test_what_stays_the_same_is_left_out(live: Living) -> None:
    await live.lay_out(to_shops(shop=10_000, dshop=5_000))
    await live.receive("wh", 10)
    assert await changes(live, to_shops(shop=10_000, dshop=5_001)) == []
    assert await changes(live, to_shops(shop=10_000, dshop=6_000)) == [Change("A", "dshop", 5, 6)]


async def test_a_share_that_comes_or_goes_is_a_change(live: Living) -> None:
    await live.lay_out(to_shops(shop=10_000))
    await live.receive("wh", 10)
    assert await changes(live, to_shops(dshop=10_000)) == [
        Change("A", "shop", 10, None),
        Change("A", "dshop", None, 10),
    ]


async def test_the_first_layout_gives_every_shop_its_numbers(live: Living) -> None:
    await live.receive("wh", 10)
    assert await changes(live, EXAMPLE) == [
        Change("A", "shop", None, 8),
        Change("A", "dshop", None, 6),
    ]


async def test_rules_are_looked_at_for_the_time_that_is_given(live: Living) -> None:
    await live.lay_out(to_shops(shop=10_000))
    await live.receive("wh", 10)
    lunch = Rule(when=when("time.of_day", "between", "12:00", "13:00"), ratio_bp=2_000)
    layout = Layout(pools=(supply("all", "wh"),), shares=(share("all", "shop", rules=(lunch,)),))
    assert await changes(live, layout) == [Change("A", "shop", 10, 2)]
    assert await changes(live, layout, NOON.replace(hour=14)) == []


async def test_what_a_preview_says_is_what_activation_brings(live: Living) -> None:
    await live.lay_out(EXAMPLE)
    await live.receive("wh", 11)
    await live.receive("far", 7)
    both = Layout(
        pools=(supply("both", "wh", "far", reserve=2, ratio_bp=9_000),),
        shares=(share("both", "shop"), share("both", "dshop2", 3_000)),
    )
    found = await changes(live, both)
    await live.lay_out(both)
    assert len(found) == 3
    assert all(live.shop(change.shop, change.sku) == change.after for change in found)


async def test_a_preview_changes_nothing(
    database: Database, admin: Connection, world: World
) -> None:
    await receive(database, world.brand, "wh", "A", 10)
    await put_in_force(database, world.brand, EXAMPLE)
    draft = await propose(database, world.brand, BARE, 1)
    before = await contents(admin)
    await look(database, world.brand, draft.version)
    assert await contents(admin) == before
    assert (await activate(database, world.brand, draft.version)).based_on == 1


async def test_a_version_that_is_not_there_has_no_preview(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "UNKNOWN_POOL_LAYOUT"):
        await look(still, ready_world.brand, 99)


async def test_the_active_version_changes_nothing(still: Database, ready_world: World) -> None:
    async with still.tenant_transaction(ready_world.brand, read_only=True) as tx:
        assert await preview(tx, ACTIVE, NOON, bundled_regions()) == []
        assert len(await preview(tx, DRAFT, NOON, bundled_regions())) == 2


@pytest.mark.parametrize("name", ["dealer", "store", "other_brand"])
async def test_nobody_else_looks_at_a_draft(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    async with refused(still_admin, "UNKNOWN_POOL_LAYOUT"):
        await look(still, getattr(ready_world, name), DRAFT)


async def test_a_draft_that_can_no_longer_be_used_has_no_preview(
    database: Database, admin: Connection, world: World
) -> None:
    draft = await propose(database, world.brand, EXAMPLE)
    await admin.execute(CLOSE_SHOP, world.tenant_id, "dshop")
    async with refused(admin, "INVALID_POOL_LAYOUT"):
        await look(database, world.brand, draft.version)


async def test_a_repair_is_looked_at_before_it_is_activated(
    live: Living, admin: Connection
) -> None:
    await live.receive("wh", 10)
    await live.lay_out(EXAMPLE)
    await admin.execute(CLOSE_SHOP, live.world.tenant_id, "dshop")
    repair = await propose(live.runtime.database, live.brand, to_shops(shop=10_000), 1)
    async with live.runtime.database.tenant_transaction(live.brand, read_only=True) as tx:
        found = await preview(tx, repair.version, NOON, bundled_regions())
    assert [change.after for change in found] == [10]
