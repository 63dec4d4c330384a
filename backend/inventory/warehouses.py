"""Creating and listing functional warehouses (功能逻辑仓)."""

from backend.db.pool import TenantTransaction
from backend.inventory.ledger import SQL
from backend.network.model import Condition, FunctionalWarehouse, Node, WarehouseDraft
from tenants.dealers import require_dealer
from tenants.principal import Permission


def is_default_source(warehouse: FunctionalWarehouse, node: Node | None) -> bool:
    """Whether orders take from a functional warehouse unless a layout of pools says otherwise.

    Sellable goods of the node's own party: another owner's goods (货权) are only stored there.
    """
    return (
        node is not None
        and node.is_active
        and warehouse.is_sellable
        and warehouse.dealer_id == node.dealer_id
    )


async def list_warehouses(tx: TenantTransaction) -> list[FunctionalWarehouse]:
    """Return the functional warehouses that the principal may see, node by node, by rank."""
    return [
        FunctionalWarehouse(**{**row, "condition": Condition(row["condition"])})
        for row in await tx.fetch(SQL.warehouses, tx.tenant_id)
    ]


async def create_warehouse(tx: TenantTransaction, draft: WarehouseDraft) -> int:
    """Create a functional warehouse and return its id.

    Raises AlreadyExists, UnknownReference, UnknownDealer.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    await require_dealer(tx, tx.tenant_id, draft.dealer_id)
    warehouse_id: int = await tx.fetch_value(
        SQL.insert_warehouse,
        tx.tenant_id,
        draft.node_id,
        draft.code,
        draft.condition.value,
        draft.purpose,
        draft.legal_entity_id,
        draft.dealer_id,
        draft.rank,
    )
    return warehouse_id
