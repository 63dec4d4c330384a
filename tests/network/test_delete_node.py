"""A node that was never used can be deleted; one with a past cannot."""

import pytest

from backend.db.pool import Database
from backend.inventory.pools.model import Layer, Layout, Pool, Supply
from backend.inventory.warehouses import create_warehouse, list_warehouses
from backend.network.errors import NodeInUse, UnknownNode
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_node, delete_node, list_nodes
from backend.network.regions.table import bundled_regions
from tests.inventory.pools.layouts import activate, propose
from tests.world import SHANGHAI, World, receive

NEW = NodeDraft(code="new", name="New", kind=NodeKind.WAREHOUSE, region_code=SHANGHAI)


async def build(database: Database, world: World) -> None:
    """Create a node with a functional warehouse."""
    async with database.tenant_transaction(world.brand) as tx:
        node_id = await create_node(tx, NEW, bundled_regions())
        await create_warehouse(tx, WarehouseDraft(node_id=node_id, code="new"))


async def delete(database: Database, world: World, code: str = "new") -> None:
    async with database.tenant_transaction(world.brand) as tx:
        await delete_node(tx, code)


async def codes(database: Database, world: World) -> tuple[list[str], list[str]]:
    """Return the codes of nodes and functional warehouses."""
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        nodes, warehouses = await list_nodes(tx), await list_warehouses(tx)
    return [node.code for node in nodes], [warehouse.code for warehouse in warehouses]


async def test_a_node_that_was_never_used_goes_with_its_warehouses(
    database: Database, world: World
) -> None:
    before = await codes(database, world)
    await build(database, world)
    await delete(database, world)
    assert await codes(database, world) == before


async def test_a_node_with_stock_stays(database: Database, world: World) -> None:
    await build(database, world)
    await receive(database, world.brand, "new", "A", 1)
    before = await codes(database, world)
    with pytest.raises(NodeInUse):
        await delete(database, world)
    assert await codes(database, world) == before


async def test_a_node_that_pools_name_stays(database: Database, world: World) -> None:
    await build(database, world)
    pool = Pool(
        code="p", name="P", layer=Layer.SUPPLY, supplies=(Supply(warehouses=("wh", "new")),)
    )
    await propose(database, world.brand, Layout(pools=(pool,)))
    await activate(database, world.brand, 1)
    before = await codes(database, world)
    with pytest.raises(NodeInUse):
        await delete(database, world)
    assert await codes(database, world) == before


async def test_there_must_be_such_a_node(database: Database, world: World) -> None:
    with pytest.raises(UnknownNode):
        await delete(database, world)
