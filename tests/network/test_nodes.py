"""Nodes, warehouses and legal entities are created as given, and listed for whom they concern."""

import pytest
from msgspec.structs import asdict, replace

from backend.db.pool import Database
from backend.inventory.warehouses import list_warehouses
from backend.network.model import Condition, NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import list_nodes, page_of_nodes, set_node_active
from backend.network.regions.table import bundled_regions
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.network.drafts import add_entity, add_node, add_warehouse
from tests.world import HANGZHOU, World

ALL = ["wh", "store", "far", "dealer-node"]


async def nodes(database: Database, who: Principal, limit: int = 99) -> list[str]:
    """Return the codes of all pages of that size."""
    codes: list[str] = []
    after = 0
    async with database.tenant_transaction(who, read_only=True) as tx:
        while page := await page_of_nodes(tx, after, limit):
            assert len(page) <= limit
            assert page[0].id > after
            codes += [node.code for node in page]
            after = page[-1].id
    return codes


async def set_active(database: Database, who: Principal, code: str, is_active: bool) -> int:
    async with database.tenant_transaction(who) as tx:
        return await set_node_active(tx, code, is_active)


async def test_a_node_is_stored_as_given(database: Database, world: World) -> None:
    draft = NodeDraft(
        code="新仓",
        name="New",
        kind=NodeKind.DEALER,
        region_code=HANGZHOU,
        longitude_e6=0,
        latitude_e6=-7,
        priority=0,
        daily_capacity=0,
        lead_time_minutes=9,
        legal_entity_id=await add_entity(database, world.brand),
        dealer_id=world.dealers["d1"],
        serves_all=False,
    )
    node_id = await add_node(database, world.brand, draft)
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        node = (await list_nodes(tx))[-1]
    assert asdict(node) == {"id": node_id, "is_active": True, **asdict(draft)}


async def test_a_node_without_a_place_stands_where_its_region_does(
    database: Database, world: World
) -> None:
    node_id, region = await add_node(database, world.brand), bundled_regions().by_code[HANGZHOU]
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        node = (await list_nodes(tx))[-1]
    assert (node.id, node.longitude_e6, node.latitude_e6) == (
        node_id,
        region.longitude_e6,
        region.latitude_e6,
    )


@pytest.mark.parametrize("limit", [1, 3, 4, 9])
async def test_pages_follow_without_gap(still: Database, ready_world: World, limit: int) -> None:
    assert await nodes(still, ready_world.brand, limit) == ALL


async def test_everybody_sees_the_nodes_that_concern_them(
    still: Database, ready_world: World
) -> None:
    assert await nodes(still, ready_world.dealer) == ["dealer-node"]
    assert await nodes(still, ready_world.other_dealer) == []
    assert await nodes(still, ready_world.store) == ["store"]
    assert await nodes(still, ready_world.group) == ALL
    assert await nodes(still, ready_world.other_brand) == ["wh"]


async def test_a_node_closes_and_opens(database: Database, world: World, admin: Connection) -> None:
    closed = "select code from node where tenant_id = $1 and not is_active"
    for is_active, expected in ((False, "wh"), (False, "wh"), (True, None), (True, None)):
        assert await set_active(database, world.brand, "wh", is_active) == world.nodes["wh"]
        assert await admin.fetchval(closed, world.tenant_id) == expected
    assert await admin.fetchval("select bool_and(is_active) from node")


async def test_another_brands_node_of_the_same_code_stays_open(
    database: Database, world: World, admin: Connection
) -> None:
    await set_active(database, world.other_brand, "wh", False)
    still_open = "select is_active from node where tenant_id = $1 and code = 'wh'"
    assert await admin.fetchval(still_open, world.tenant_id)


async def test_a_warehouse_is_stored_as_given(database: Database, world: World) -> None:
    draft = WarehouseDraft(
        node_id=world.nodes["wh"],
        code="returns",
        condition=Condition.INSPECTION,
        purpose="returns",
        legal_entity_id=await add_entity(database, world.brand),
        dealer_id=world.dealers["d1"],
        rank=7,
    )
    warehouse_id = await add_warehouse(database, world.brand, draft)
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        found = {warehouse.code: warehouse for warehouse in await list_warehouses(tx)}
    assert asdict(found["returns"]) == {"id": warehouse_id, **asdict(draft)}


async def test_only_good_goods_for_no_purpose_are_sold(database: Database, world: World) -> None:
    node_id = world.nodes["far"]
    good = WarehouseDraft(node_id=node_id, code="good")
    for draft in (
        good,
        replace(good, code="bad", condition=Condition.DEFECTIVE),
        replace(good, code="looked at", condition=Condition.INSPECTION),
        replace(good, code="shows", purpose="shows"),
    ):
        await add_warehouse(database, world.brand, draft)
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        found = await list_warehouses(tx)
    assert [each.code for each in found if each.is_sellable and each.node_id == node_id] == [
        "far",
        "good",
    ]


async def test_a_nodes_warehouses_are_listed_by_rank(database: Database, world: World) -> None:
    for code, node, rank in (("third", "wh", 2), ("second", "wh", 1), ("first", "wh", -1)):
        draft = WarehouseDraft(node_id=world.nodes[node], code=code, rank=rank)
        await add_warehouse(database, world.brand, draft)
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        codes = [warehouse.code for warehouse in await list_warehouses(tx)]
    assert codes == ["first", "wh", "second", "third", "store", "far", "dealer-node"]


async def test_everybody_sees_the_warehouses_that_concern_them(
    still: Database, ready_world: World
) -> None:
    for who, expected in (("dealer", ["dealer-node"]), ("store", ["store"]), ("group", ALL)):
        principal: Principal = getattr(ready_world, who)
        async with still.tenant_transaction(principal, read_only=True) as tx:
            assert [warehouse.code for warehouse in await list_warehouses(tx)] == expected


async def test_codes_are_each_brands_own(database: Database, world: World) -> None:
    for who in (world.brand, world.other_brand):
        node_id = await add_node(database, who)
        await add_warehouse(database, who, WarehouseDraft(node_id=node_id, code="new"))
        await add_entity(database, who)
    assert await nodes(database, world.other_brand) == ["wh", "new"]
