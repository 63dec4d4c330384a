"""Versions of a layout: kept as drafts, activated once, never overwritten by who did not look."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.errors import YipanError
from backend.db.pool import Database
from backend.db.versions import COMMENT_LENGTH_MAX, VersionStatus
from backend.inventory.pools import layouts as cases
from backend.inventory.pools.errors import LayoutChanged
from backend.inventory.pools.layouts import LAYOUTS, LayoutVersion
from backend.inventory.pools.model import Layout, Rule, Sync
from backend.network.regions.table import bundled_regions
from tenants.principal import Permission, Principal
from tests.catalogue import Connection, contents
from tests.crowd import all_at_once
from tests.inventory.pools.conftest import ACTIVE, ARCHIVED, DRAFT, OUTDATED
from tests.inventory.pools.layouts import (
    EXAMPLE,
    activate,
    propose,
    put_in_force,
    share,
    supply,
    when,
)
from tests.refusals import refused
from tests.world import World, fresh_key

NOBODY = 10**6
CLOSE_SHOP = "update shop set is_active = false where tenant_id = $1 and code = $2"
RENAME = "update functional_warehouse set code = 'gone' where tenant_id = $1 and code = $2"
RIVALS = 8


async def found(database: Database, who: Principal, version: int) -> LayoutVersion:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await LAYOUTS.get(tx, version)


async def seen(database: Database, who: Principal) -> list[int]:
    """Return the versions that somebody sees, the newest first."""
    async with database.tenant_transaction(who, read_only=True) as tx:
        return [row.version for row in await LAYOUTS.page(tx, NOBODY, 99)]


async def active(database: Database, who: Principal) -> int:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await cases.active_version(tx)


def unable(who: Principal) -> Principal:
    """Return the same principal without the permission to change the network."""
    return replace(who, permissions=who.permissions - {Permission.NETWORK_WRITE})


# ------------------------------------------------------------------------- what is kept


async def test_what_is_proposed_is_a_draft_and_decides_nothing(
    database: Database, world: World
) -> None:
    draft = await propose(database, world.brand, EXAMPLE)
    assert (draft.version, draft.based_on, draft.status) == (1, 0, VersionStatus.DRAFT)
    assert (draft.proposed_by, draft.activated_by) == (world.brand.subject, None)
    assert await active(database, world.brand) == 0


async def test_a_layout_is_kept_as_it_was_proposed(database: Database, world: World) -> None:
    rule = Rule(when=when("sku.tags", "contains", "新 ' \" \\"), ratio_bp=0, reserve=7, most=9)
    layout = Layout(
        pools=(supply("华东 a", "wh", where=when("node.kind", "in", "store"), rules=(rule,)),),
        shares=(share("华东 a", "shop", 8_000, reserve=3, most=50, rank=2, rules=(rule, rule)),),
        syncs=(Sync(shop="shop", buffer=1, cap=9, zero_below=2, minimum_change=3),),
    )
    draft = await propose(database, world.brand, layout)
    assert await found(database, world.brand, draft.version) == draft
    assert draft.document == layout


async def test_an_activated_draft_decides_and_the_one_before_it_is_archived(
    database: Database, world: World
) -> None:
    first = await put_in_force(database, world.brand, EXAMPLE)
    second = await put_in_force(database, world.brand, Layout())
    assert (first.status, second.status) == (VersionStatus.ACTIVE, VersionStatus.ACTIVE)
    assert await active(database, world.brand) == second.version
    before = await found(database, world.brand, first.version)
    assert before == replace(first, status=VersionStatus.ARCHIVED)


async def test_versions_are_listed_in_pages_the_newest_first(
    still: Database, ready_world: World
) -> None:
    async with still.tenant_transaction(ready_world.brand, read_only=True) as tx:
        first = await LAYOUTS.page(tx, NOBODY, 3)
        rest = await LAYOUTS.page(tx, first[-1].version, 3)
    assert [row.version for row in first] == [DRAFT, ACTIVE, OUTDATED]
    assert [row.version for row in rest] == [ARCHIVED]


async def test_two_brands_count_their_own_versions(database: Database, world: World) -> None:
    await put_in_force(database, world.brand, EXAMPLE)
    assert (await put_in_force(database, world.other_brand, Layout())).version == 1
    assert (await found(database, world.brand, 1)).document == EXAMPLE


# ------------------------------------------------------------------------- who did not look


@pytest.mark.parametrize("based_on", [0, ARCHIVED, DRAFT, NOBODY, -1])
async def test_a_layout_on_top_of_another_than_the_active_one_is_refused(
    still: Database, still_admin: Connection, ready_world: World, based_on: int
) -> None:
    async with refused(still_admin, "POOL_LAYOUT_CHANGED") as refusal:
        await propose(still, ready_world.brand, EXAMPLE, based_on)
    assert isinstance(refusal.error, LayoutChanged)
    assert refusal.error.active_version == ACTIVE


async def test_a_draft_on_top_of_another_than_the_active_one_is_not_activated(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "POOL_LAYOUT_CHANGED") as refusal:
        await activate(still, ready_world.brand, OUTDATED)
    assert isinstance(refusal.error, LayoutChanged)
    assert refusal.error.active_version == ACTIVE


async def test_of_two_managers_the_first_wins_and_the_second_is_told(
    database: Database, admin: Connection, world: World
) -> None:
    base = await put_in_force(database, world.brand, EXAMPLE)
    one = await propose(database, world.brand, Layout(), base.version)
    two = await propose(database, world.brand, EXAMPLE, base.version)
    await activate(database, world.brand, one.version)
    async with refused(admin, "POOL_LAYOUT_CHANGED") as refusal:
        await activate(database, world.brand, two.version)
    assert isinstance(refusal.error, LayoutChanged)
    assert refusal.error.active_version == one.version
    assert (await found(database, world.brand, one.version)).document == Layout()


async def test_of_many_activations_at_once_exactly_one_wins(
    database: Database, admin: Connection, world: World
) -> None:
    drafts = [await propose(database, world.brand, EXAMPLE) for _ in range(RIVALS)]
    tried = [activate(database, world.brand, draft.version) for draft in drafts]
    (winner,), codes = await all_at_once(admin, tried, "pool_layout")
    assert codes == ["POOL_LAYOUT_CHANGED"] * (RIVALS - 1)
    states = {
        draft.version: (await found(database, world.brand, draft.version)).status
        for draft in drafts
    }
    assert states.pop(winner.version) is VersionStatus.ACTIVE
    assert set(states.values()) == {VersionStatus.DRAFT}


async def test_one_draft_activated_by_many_at_once_is_activated_once(
    database: Database, admin: Connection, world: World
) -> None:
    draft = await propose(database, world.brand, EXAMPLE)
    tried = [activate(database, world.brand, draft.version) for _ in range(RIVALS)]
    (winner,), codes = await all_at_once(admin, tried, "pool_layout")
    assert codes == ["POOL_LAYOUT_NOT_DRAFT"] * (RIVALS - 1)
    assert await found(database, world.brand, draft.version) == winner


async def test_drafts_proposed_at_once_have_versions_of_their_own(
    database: Database, world: World
) -> None:
    proposed = [propose(database, world.brand, EXAMPLE) for _ in range(RIVALS)]
    drafts = await asyncio.gather(*proposed)
    assert {draft.version for draft in drafts} == set(range(1, RIVALS + 1))


# ------------------------------------------------------------------------- once


async def test_the_same_key_answers_the_same_and_keeps_one_draft(
    database: Database, admin: Connection, world: World
) -> None:
    key = fresh_key()
    first = await propose(database, world.brand, EXAMPLE, key=key)
    before = await contents(admin)
    assert await propose(database, world.brand, EXAMPLE, key=key) == first
    assert await contents(admin) == before


async def test_the_same_key_activates_once_and_answers_the_same(
    database: Database, admin: Connection, world: World
) -> None:
    draft, key = await propose(database, world.brand, EXAMPLE), fresh_key()
    first = await activate(database, world.brand, draft.version, key)
    before = await contents(admin)
    assert await activate(database, world.brand, draft.version, key) == first
    assert await contents(admin) == before


async def test_a_key_answers_the_same_after_another_layout_was_activated(
    database: Database, world: World
) -> None:
    key = fresh_key()
    draft = await propose(database, world.brand, EXAMPLE, key=key)
    await put_in_force(database, world.brand, Layout())
    assert await propose(database, world.brand, EXAMPLE, key=key) == draft


@pytest.mark.parametrize("change", [{"layout": Layout()}, {"based_on": 1}])
async def test_a_key_with_other_content_is_refused(
    database: Database, admin: Connection, world: World, change: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"layout": EXAMPLE, "based_on": 0, "key": fresh_key()}
    await propose(database, world.brand, **given)
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await propose(database, world.brand, **(given | change))


async def test_a_key_of_another_activation_is_refused(
    database: Database, admin: Connection, world: World
) -> None:
    first, second = [await propose(database, world.brand, EXAMPLE) for _ in range(2)]
    key = fresh_key()
    await activate(database, world.brand, first.version, key)
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await activate(database, world.brand, second.version, key)


async def test_the_key_of_a_refused_proposal_is_free_again(
    database: Database, world: World
) -> None:
    key = fresh_key()
    with pytest.raises(LayoutChanged):
        await propose(database, world.brand, EXAMPLE, 7, key)
    assert (await propose(database, world.brand, EXAMPLE, 0, key)).version == 1


# ------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("version", "code"),
    [
        (ACTIVE, "POOL_LAYOUT_NOT_DRAFT"),
        (ARCHIVED, "POOL_LAYOUT_NOT_DRAFT"),
        (NOBODY, "UNKNOWN_POOL_LAYOUT"),
        (0, "UNKNOWN_POOL_LAYOUT"),
        (-1, "UNKNOWN_POOL_LAYOUT"),
    ],
)
async def test_only_a_draft_that_is_there_is_activated(
    still: Database, still_admin: Connection, ready_world: World, version: int, code: str
) -> None:
    async with refused(still_admin, code):
        await activate(still, ready_world.brand, version)


BAD = [
    (Layout(pools=(supply("a", "nowhere"),)), "INVALID_POOL_LAYOUT"),
    (Layout(pools=(supply("a", "wh"),), shares=(share("a", "nobody"),)), "INVALID_POOL_LAYOUT"),
    (Layout(pools=(supply("a", "wh", ratio_bp=10_001),)), "INVALID_POOL_LAYOUT"),
    (Layout(pools=(supply("a", where=when("x", "equals", "x")),)), "INVALID_CONDITION"),
]


@pytest.mark.parametrize(("layout", "code"), BAD, ids=["warehouse", "shop", "ratio", "where"])
async def test_a_faulty_layout_is_not_kept(
    still: Database, still_admin: Connection, ready_world: World, layout: Layout, code: str
) -> None:
    async with refused(still_admin, code):
        await propose(still, ready_world.brand, layout, ACTIVE)


@pytest.mark.parametrize("comment", ["c" * (COMMENT_LENGTH_MAX + 1), "a\0b"])
async def test_a_comment_has_bounds(
    still: Database, still_admin: Connection, ready_world: World, comment: str
) -> None:
    async with refused(still_admin, "INVALID_POOL_LAYOUT") as refusal:
        await commented(still, ready_world.brand, comment, ACTIVE)
    assert isinstance(refusal.error, YipanError)
    assert refusal.error.path == ("comment",)


async def commented(
    database: Database, who: Principal, comment: str, based_on: int = 0
) -> LayoutVersion:
    async with database.tenant_transaction(who) as tx:
        return await cases.propose_layout(
            tx,
            Layout(),
            based_on=based_on,
            comment=comment,
            key=fresh_key(),
            regions=bundled_regions(),
        )


async def test_a_comment_of_the_most_characters_is_kept(database: Database, world: World) -> None:
    comment = "名" * COMMENT_LENGTH_MAX
    draft = await commented(database, world.brand, comment)
    assert (await found(database, world.brand, draft.version)).comment == comment


@pytest.mark.parametrize(("statement", "code"), [(CLOSE_SHOP, "dshop"), (RENAME, "wh")])
async def test_a_draft_whose_parts_have_vanished_is_not_activated(
    database: Database, admin: Connection, world: World, statement: str, code: str
) -> None:
    draft = await propose(database, world.brand, EXAMPLE)
    await admin.execute(statement, world.tenant_id, code)
    async with refused(admin, "INVALID_POOL_LAYOUT") as refusal:
        await activate(database, world.brand, draft.version)
    assert code in str(refusal.error)


# ------------------------------------------------------------------------- who may


async def test_without_the_permission_nobody_proposes(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "PERMISSION_MISSING"):
        await propose(still, unable(ready_world.brand), EXAMPLE, ACTIVE)


async def test_without_the_permission_nobody_activates(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "PERMISSION_MISSING"):
        await activate(still, unable(ready_world.brand), DRAFT)


@pytest.mark.parametrize("name", ["dealer", "other_dealer", "store", "other_brand"])
async def test_dealers_stores_and_other_brands_see_no_layout(
    still: Database, ready_world: World, name: str
) -> None:
    who: Principal = getattr(ready_world, name)
    assert (await seen(still, who), await active(still, who)) == ([], 0)


async def test_the_group_of_a_brand_sees_its_layouts(still: Database, ready_world: World) -> None:
    assert await seen(still, ready_world.group) == [DRAFT, ACTIVE, OUTDATED, ARCHIVED]


@pytest.mark.parametrize("name", ["dealer", "other_dealer", "store", "group", "other_brand"])
async def test_nobody_but_the_brand_activates_its_draft(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    code = "UNKNOWN_POOL_LAYOUT" if name == "other_brand" else "WRITE_REFUSED"
    async with refused(still_admin, code):
        await activate(still, getattr(ready_world, name), DRAFT)


@pytest.mark.parametrize("name", ["dealer", "other_dealer", "store", "group"])
@pytest.mark.parametrize("based_on", [0, ACTIVE])
async def test_nobody_but_the_brand_proposes(
    still: Database, still_admin: Connection, ready_world: World, name: str, based_on: int
) -> None:
    async with refused(still_admin, "WRITE_REFUSED"):
        await propose(still, getattr(ready_world, name), Layout(), based_on)


async def test_a_value_that_cannot_be_stored_is_refused(
    database: Database, admin: Connection, world: World
) -> None:
    rule = Rule(when=when("sku.category", "equals", "a\0b"))
    async with refused(admin, "INVALID_CONDITION"):
        await propose(database, world.brand, Layout(pools=(supply("all", "wh", rules=(rule,)),)))
