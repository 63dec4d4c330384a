"""What is moved, from whom, and what is left where it lies."""

from datetime import date
from typing import NamedTuple

import pytest

from backend.db.ids import OrderIds
from backend.inventory.safety.keep_back import keep_back, set_safety_rules
from backend.inventory.safety.model import SafetyDraft
from backend.inventory.supplies.model import SupplyDraft, SupplyKind
from backend.inventory.supplies.supplies import set_supplies
from backend.network.model import Condition, WarehouseDraft
from backend.network.nodes import set_node_active
from backend.orders.supplies.receive import receive_supply
from backend.replenishment.model import TransferState
from tests.catalogue import Connection
from tests.inventory.earmarks.keeping import KEEPING, keep
from tests.inventory.stock import figures
from tests.orders.checks import placed
from tests.replenishment.scene import Watched, node_rule, rule
from tests.world import BEIJING, SHANGHAI, draft, fresh_key

NORTH, EAST = (str(code // 10_000 * 10_000) for code in (BEIJING, SHANGHAI))


class Sent(NamedTuple):
    """Units of a proposal, by the code of the functional warehouse that gives."""

    source: str
    quantity: int
    state: TransferState = TransferState.PROPOSED


async def stock(watched: Watched, **units: int) -> None:
    for warehouse, count in units.items():
        await watched.live.receive(warehouse, count)


async def found(watched: Watched, admin: Connection) -> list[Sent]:
    """Let the process look, and return all proposals, the oldest first."""
    await watched.look()
    rows = await admin.fetch("select id, code from functional_warehouse")
    codes = {row["id"]: str(row["code"]) for row in rows}
    listed = reversed(await watched.transfers())
    return [Sent(codes[one.source_id], one.quantity, one.state) for one in listed]


async def look_anew(watched: Watched, admin: Connection) -> list[Sent]:
    """As `found`, of a process that has just started: it looks at everything."""
    watched.watch = watched.another_watch()
    return await found(watched, admin)


async def expect(
    watched: Watched, units: int, warehouse: str = "wh", confidence: int = 100
) -> None:
    """Have units on their way."""
    supply = SupplyDraft(
        code="PO",
        line_no=1,
        kind=SupplyKind.PURCHASE,
        warehouse=warehouse,
        sku="A",
        quantity=units,
        expected_on=date(2030, 1, 1),
        confidence_bp=100 * confidence,
    )
    async with watched.database.tenant_transaction(watched.world.brand) as tx:
        await set_supplies(tx, [supply], key=fresh_key())


async def keep_in_stock(watched: Watched, units: int, node: str) -> None:
    """Let a node keep units of "A" as safety stock."""
    async with watched.database.tenant_transaction(watched.world.brand) as tx:
        await set_safety_rules(tx, [SafetyDraft(sku="A", node=node, units=units)], key=fresh_key())
    brand = await watched.live.runtime.brands.get(watched.world.tenant_id)
    levels = await keep_back(watched.database, watched.world.system, brand.local_time())
    await watched.live.runtime.publish_levels(watched.world.tenant_id, levels)


async def test_several_send_at_once_what_none_has_alone(
    watched: Watched, admin: Connection
) -> None:
    await stock(watched, wh=1, store=3, far=4)
    await watched.set(node_rule(transfers="automatic", fill_to=10))
    sent = await found(watched, admin)
    assert sent == [
        Sent("far", 4, TransferState.APPROVED),
        Sent("store", 3, TransferState.APPROVED),
    ]
    for warehouse in ("far", "store"):
        assert (await figures(admin, watched.world, warehouse)).on_hand == 0
    assert await admin.fetchval("select sum(quantity) from supply") == 7
    # Of what is missing still, nothing is to be had.
    assert await look_anew(watched, admin) == sent


async def test_the_nearest_that_has_all_of_it_is_asked(watched: Watched, admin: Connection) -> None:
    await stock(watched, wh=1, store=7, far=70)
    await watched.set(node_rule(transfers="propose"))
    assert await found(watched, admin) == [Sent("store", 7)]


async def test_what_is_reserved_is_not_moved(watched: Watched, admin: Connection) -> None:
    await stock(watched, far=10)
    placed(await watched.live.runtime.intake.place(draft({"A": 6}), watched.world.brand))
    await stock(watched, wh=1)
    await watched.set(node_rule(transfers="automatic"))
    assert await found(watched, admin) == [Sent("far", 4, TransferState.APPROVED)]
    level = await figures(admin, watched.world, "far")
    assert (level.on_hand, level.reserved) == (6, 6)


async def test_what_an_earmark_keeps_is_neither_there_nor_moved(
    watched: Watched, admin: Connection
) -> None:
    await watched.live.lay_out(KEEPING)
    await stock(watched, wh=10, far=10)
    await keep(watched.live, ("A", 8, "wh"), ("A", 7, "far"))
    await watched.set(node_rule(transfers="automatic", fill_to=20))
    assert await found(watched, admin) == [Sent("far", 3, TransferState.APPROVED)]
    assert [one.value for one in await watched.low()] == [2]
    level = await figures(admin, watched.world, "far")
    assert (level.on_hand, level.earmark_unused) == (7, 7)


async def test_what_is_kept_as_safety_stock_is_not_moved(
    watched: Watched, admin: Connection
) -> None:
    await stock(watched, wh=1, far=10)
    await keep_in_stock(watched, 6, "far")
    await watched.set(node_rule(transfers="automatic"))
    assert await found(watched, admin) == [Sent("far", 4, TransferState.APPROVED)]
    level = await figures(admin, watched.world, "far")
    assert (level.on_hand, level.floor) == (6, 6)


async def test_where_all_is_safety_stock_it_runs_low(watched: Watched, admin: Connection) -> None:
    await stock(watched, wh=10)
    await keep_in_stock(watched, 8, "wh")
    await watched.set(node_rule(transfers="propose"))
    assert await found(watched, admin) == []
    assert [one.value for one in await watched.low()] == [2]


@pytest.mark.parametrize(
    ("units", "confidence", "expected"),
    [(6, 100, [1]), (6, 50, [4]), (7, 100, [])],
)
async def test_what_is_to_come_counts_as_far_as_it_is_sure(
    watched: Watched, admin: Connection, units: int, confidence: int, expected: list[int]
) -> None:
    await expect(watched, units, confidence=confidence)
    await stock(watched, wh=1, far=40)
    await watched.set(node_rule(transfers="propose"))
    assert [one.quantity for one in await found(watched, admin)] == expected


async def test_what_comes_elsewhere_does_not_count(watched: Watched, admin: Connection) -> None:
    await expect(watched, 90, "store")
    await stock(watched, wh=1, far=40)
    await watched.set(node_rule(transfers="propose"))
    assert await found(watched, admin) == [Sent("far", 7)]


async def test_what_is_proposed_is_counted_as_coming_by_other_rules(
    watched: Watched, admin: Connection
) -> None:
    await stock(watched, wh=1, far=40)
    await watched.set(
        node_rule(transfers="propose"),
        node_rule(code="more", transfers="propose", fill_to=10),
        rule(code="region", scope="region", subject=EAST, transfers="propose", fill_to=9),
    )
    assert await found(watched, admin) == [Sent("far", 7), Sent("far", 2)]


async def test_what_is_proposed_is_counted_as_leaving(watched: Watched, admin: Connection) -> None:
    await stock(watched, wh=1, store=1, far=10)
    await watched.set(
        node_rule(transfers="propose"),
        node_rule(code="store", subject="store", transfers="propose"),
    )
    assert await found(watched, admin) == [Sent("far", 7), Sent("far", 3)]


async def test_what_has_lapsed_may_go_elsewhere(watched: Watched, admin: Connection) -> None:
    await stock(watched, wh=1, far=7)
    await watched.set(node_rule(transfers="propose"))
    assert await found(watched, admin) == [Sent("far", 7)]
    await watched.drop("low")
    await watched.set(node_rule(code="store", subject="store", transfers="propose"))
    await stock(watched, store=1)
    assert await found(watched, admin) == [Sent("far", 7, TransferState.LAPSED), Sent("far", 7)]


async def test_of_what_left_in_part_the_rest_is_proposed(
    watched: Watched, admin: Connection
) -> None:
    await stock(watched, wh=1, far=40)
    await watched.set(node_rule(transfers="propose"))
    await watched.look()
    await watched.approve(1, quantity=3)
    assert await look_anew(watched, admin) == [
        Sent("far", 3, TransferState.APPROVED),
        Sent("far", 4),
    ]


async def test_what_is_lost_on_its_way_is_proposed_again(
    watched: Watched, admin: Connection
) -> None:
    await stock(watched, wh=1, far=40)
    await watched.set(node_rule(transfers="automatic"))
    sent = Sent("far", 7, TransferState.APPROVED)
    assert await found(watched, admin) == [sent]
    await admin.execute("update supply set is_open = false")
    assert await look_anew(watched, admin) == [sent, sent]


async def test_what_is_received_ends_the_alert(watched: Watched) -> None:
    await stock(watched, wh=1, far=40)
    await watched.set(node_rule(transfers="automatic"))
    assert [one.value for one in await watched.look()] == [1]
    ids, asked = OrderIds(watched.database), ("transfer-1", 1, 7)
    done = await receive_supply(watched.database, watched.world.brand, ids, asked, key=fresh_key())
    await watched.live.runtime.publish_levels(watched.world.tenant_id, done.levels)
    assert await watched.look() == []
    assert [one.cleared_with for one in await watched.alerts()] == [8]


async def test_the_region_of_who_gives_does_not_run_low(
    watched: Watched, admin: Connection
) -> None:
    await stock(watched, wh=1, far=20)
    await watched.set(
        node_rule(transfers="propose"),
        rule(code="north", scope="region", subject=NORTH, fires_below=10, clears_at=15),
    )
    assert await found(watched, admin) == [Sent("far", 5)]


async def test_units_come_from_outside_of_the_region(watched: Watched, admin: Connection) -> None:
    await stock(watched, wh=4, store=50, far=20)
    await watched.set(rule(scope="region", subject=EAST, transfers="propose"))
    # The store lies in another province, and is nearer.
    assert await found(watched, admin) == [Sent("store", 4)]
    assert await look_anew(watched, admin) == [Sent("store", 4)]


async def test_a_closed_node_gives_nothing(watched: Watched, admin: Connection) -> None:
    await stock(watched, wh=1, far=20)
    async with watched.database.tenant_transaction(watched.world.system) as tx:
        await set_node_active(tx, "far", is_active=False)
    await watched.set(node_rule(transfers="propose"))
    assert await found(watched, admin) == []
    assert [one.value for one in await watched.low()] == [1]


async def test_what_cannot_be_sold_is_neither_there_nor_moved(
    watched: Watched, admin: Connection
) -> None:
    for node in ("wh", "far"):
        node_id = watched.world.nodes[node]
        bad = WarehouseDraft(node_id=node_id, code=f"{node}-bad", condition=Condition.DEFECTIVE)
        await watched.live.add_warehouse(bad)
        await watched.live.receive(bad.code, 50)
    await stock(watched, wh=1)
    await watched.set(node_rule(transfers="propose"))
    assert await found(watched, admin) == []
    assert [one.value for one in await watched.low()] == [1]
