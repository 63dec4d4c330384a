"""What is created in the tests of the network."""

from backend.db.pool import Database
from backend.inventory.warehouses import create_warehouse
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_legal_entity, create_node
from backend.network.regions.table import bundled_regions
from tenants.principal import Principal
from tests.world import HANGZHOU

NOBODY = 10**9
"""An id that nothing has."""
NODE = NodeDraft(code="new", name="New", kind=NodeKind.THIRD_PARTY, region_code=HANGZHOU)


async def add_node(database: Database, who: Principal, draft: NodeDraft = NODE) -> int:
    async with database.tenant_transaction(who) as tx:
        return await create_node(tx, draft, bundled_regions())


async def add_warehouse(database: Database, who: Principal, draft: WarehouseDraft) -> int:
    async with database.tenant_transaction(who) as tx:
        return await create_warehouse(tx, draft)


async def add_entity(
    database: Database, who: Principal, code: str = "new", dealer_id: int | None = None
) -> int:
    async with database.tenant_transaction(who) as tx:
        return await create_legal_entity(tx, code, code, dealer_id)
