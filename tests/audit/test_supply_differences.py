"""The audit finds what is wrong with receipts, transfers and what was not found."""

import pytest

from backend.inventory.accuracy.model import ShortageCause
from backend.orders.report_shortage import ShortPick, report_shortage
from backend.runtime import Runtime
from tests.audit.history import audited
from tests.catalogue import Connection
from tests.inventory.pools.living import living
from tests.orders.checks import placed
from tests.orders.supplies.coming import Coming, supply
from tests.replenishment.scene import Watched, node_rule
from tests.world import HANGZHOU, World, draft, fresh_key

BROKEN = {
    "a receipt": ("update supply set received = received + 1 where code = 'PO-1'", "supply"),
    "a receipt that is gone": (
        "delete from stock_movement where cause_kind = 'supply' and type = 'received'",
        "supply",
    ),
    "a pick": ("update pick_shortage set quantity = quantity + 1", "pick"),
    "a pick that is gone": ("delete from pick_shortage", "pick"),
    "a transfer": (
        "update transfer_proposal set quantity = quantity - 1 where state = 'approved'",
        "transfer",
    ),
    "a transfer of no supply": ("update transfer_proposal set supply_id = null", "transfer"),
}
"""What is broken by a statement, and what the audit says is not its movements."""


@pytest.fixture
async def brand(
    runtime: Runtime, world: World, admin: Connection, database_url: str, valkey_url: str
) -> World:
    """A brand that received 2 of a supply, sent units to "wh", which is low, and did not find 1."""
    live = await living(runtime, world, database_url, valkey_url)
    coming, watched = Coming(runtime, world, admin), Watched(live)
    await coming.keep(supply(5, warehouse="store"))
    await coming.receive(2)
    await live.receive("far", 20)
    await live.receive("wh", 2)
    await watched.set(node_rule(transfers="automatic", fires_below=15, clears_at=20))
    await watched.look()
    order = placed(await runtime.intake.place(draft({"A": 1}, region=HANGZHOU), world.brand))
    at, cause = (order.order_id, 1), ShortageCause.NOT_FOUND
    picks = [ShortPick(1, 1)]
    done = await report_shortage(runtime.database, world.brand, at, picks, cause, fresh_key())
    await runtime.publish_counters(world.tenant_id, done.counters)
    await runtime.settle()
    return world


async def test_what_is_sound_has_no_differences(runtime: Runtime, brand: World) -> None:
    assert (await audited(runtime, brand)).differences == []


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_is_found(
    runtime: Runtime, brand: World, admin: Connection, name: str
) -> None:
    statement, what = BROKEN[name]
    await admin.execute(statement)
    found = {difference["kind"] for difference in (await audited(runtime, brand)).differences}
    assert f"{what}_is_not_its_movements" in found
