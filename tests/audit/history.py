"""A brand with a past: stock, a node with a capacity, orders, one of them cancelled."""

from backend.audit.audit import AuditReport, audit
from backend.inventory.counters import CounterReader
from backend.inventory.warehouses import create_warehouse
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_node
from backend.orders.cancel_orders import cancel_order
from backend.runtime import Runtime
from tests.network.slots import DOCK, put_provider
from tests.orders.checks import placed
from tests.world import SHANGHAI, World, draft, fresh_key, receive

SMALL = NodeDraft(
    code="small",
    name="small",
    kind=NodeKind.STORE,
    region_code=SHANGHAI,
    daily_capacity=9,
    priority=1,
)


async def make_history(runtime: Runtime, world: World) -> None:
    """Place three orders of A and B from the small node, and cancel the second."""
    async with runtime.database.tenant_transaction(world.system) as tx:
        node_id = await create_node(tx, SMALL, runtime.regions)
        await create_warehouse(tx, WarehouseDraft(node_id=node_id, code="small"))
    await put_provider(runtime.database, world.brand, DOCK)
    for warehouse, sku in (("small", "A"), ("small", "B"), ("wh", "A")):
        await receive(runtime.database, world.brand, warehouse, sku, 9)
    orders = [
        placed(await runtime.intake.place(draft({"A": 2, "B": 1}), world.brand)) for _ in range(3)
    ]
    done = await cancel_order(runtime.database, world.brand, orders[1].order_id, None, fresh_key())
    await runtime.publish_counters(world.tenant_id, done.counters)
    await runtime.settle()


async def audited(
    runtime: Runtime, world: World, counters: CounterReader | None = None
) -> AuditReport:
    """Audit the brand."""
    return await audit(
        runtime.database, runtime.admission, counters or runtime.counters, world.tenant_id
    )
