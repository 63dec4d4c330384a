"""How an order is changed and split by hand, as it is played at once and cut off."""

from backend.db.pool import Database
from backend.inventory.counters import Counters
from backend.network.regions.table import bundled_regions
from backend.orders.edit_order import LineEdit, OrderEdit, edit_order
from backend.orders.find_orders import orders_by_ids
from backend.orders.split_order import SplitLine, SplitPart, split_order
from loadtests.torture.target import FAR, NEAR, SPARE, Command, Target

REGIONS = bundled_regions()
PARTS = (
    SplitPart(NEAR, (SplitLine(1, 2),)),
    SplitPart(SPARE, (SplitLine(1, 1),)),
    SplitPart(FAR, (SplitLine(2, 1),)),
)


async def _version(database: Database, at: Target) -> int:
    order_id = at.key.order_id
    async with database.tenant_transaction(at.principal, read_only=True) as tx:
        return int((await orders_by_ids(tx, [order_id]))[order_id]["event_sequence"])


async def _edit(database: Database, at: Target, key: str) -> Counters:
    """Want a unit less, and leave a remark."""
    edit = OrderEdit(remark="call first", lines=(LineEdit(1, 2),))
    seen = await _version(database, at)
    edited = await edit_order(
        database, at.principal, at.key.order_id, edit, REGIONS, seen=seen, key=key
    )
    return edited.counters


async def _split(database: Database, at: Target, key: str) -> Counters:
    """Let a unit come from another node."""
    assert at.intake is not None, "it was placed somewhere"
    live = (await at.intake.lane(at.principal.tenant_id)).live
    seen = await _version(database, at)
    done = await split_order(
        database, at.principal, at.key.order_id, PARTS, live, "two boxes", seen=seen, key=key
    )
    return done.counters


COMMANDS: dict[str, Command] = {"edit": _edit, "split": _split}
