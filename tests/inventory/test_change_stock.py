"""What each stock command does to its level, and the row that it leaves in the ledger."""

import pytest

from backend.db.pool import Database
from backend.inventory.change_stock import (
    StockAdjust,
    StockCommand,
    StockReceive,
    StockSet,
    StockTransfer,
)
from backend.inventory.model import QUANTITY_MAX
from backend.inventory.movement_types import MovementType
from backend.runtime import Runtime
from graphql_schema.inventory import level_from
from tests.catalogue import Connection
from tests.inventory.stock import Figures, change, figures, key_of, ledger, move, sums
from tests.orders.checks import assert_clean, placed, refused
from tests.world import World, draft, receive

RECEIVE = StockReceive(warehouse="wh", sku="A", quantity=4)
LOST = StockAdjust(warehouse="wh", sku="A", quantity=-3, reason="  lost ")
FOUND = StockAdjust(warehouse="wh", sku="A", quantity=2, reason="found")
DOWN = StockSet(warehouse="wh", sku="A", on_hand=1, compare_on_hand=10)
UP = StockSet(warehouse="wh", sku="A", on_hand=12, compare_version=1)
SAME = StockSet(warehouse="wh", sku="A", on_hand=10, compare_on_hand=10, compare_version=1)
EFFECTS: dict[str, tuple[StockCommand, str, int, str, str | None]] = {
    "receive": (RECEIVE, "received", 4, "receipt", None),
    "adjust down": (LOST, "adjusted", -3, "adjustment", "lost"),
    "adjust up": (FOUND, "adjusted", 2, "adjustment", "found"),
    "set down": (DOWN, "counted", -9, "count", None),
    "set up": (UP, "counted", 2, "count", None),
    "set the same": (SAME, "counted", 0, "count", None),
}


@pytest.mark.parametrize("name", EFFECTS)
async def test_a_command_changes_one_level_and_says_so(
    database: Database, world: World, admin: Connection, name: str
) -> None:
    command, kind, units, cause, reason = EFFECTS[name]
    await receive(database, world.brand, "wh", "A", 10)
    (level,) = await change(database, world.brand, command)
    assert await figures(admin, world, "wh") == Figures(10 + units, version=2)
    assert (level.key, *level[4:]) == (await key_of(admin, world, "wh"), 10 + units, 0, 0, 0, 2)
    row = (await ledger(admin, world))[-1]
    assert row[:9] == ("wh", kind, units, units, 0, 0, 0, 2, cause)
    assert row[10:] == (reason, world.brand.subject)


async def test_each_command_is_a_cause_of_its_own(
    database: Database, world: World, admin: Connection
) -> None:
    for command in (RECEIVE, RECEIVE, LOST):
        await change(database, world.brand, command)
    assert len({row.cause_id for row in await ledger(admin, world)}) == 3


async def test_a_level_begins_with_its_first_movement(
    database: Database, world: World, admin: Connection
) -> None:
    first = StockSet(warehouse="far", sku="C", on_hand=7, compare_on_hand=0, compare_version=0)
    await change(database, world.brand, first)
    assert await figures(admin, world, "far", "C") == Figures(7, version=1)
    assert await figures(admin, world, "wh", "C") == Figures(0)


async def test_a_level_carries_node_and_dealer_of_its_warehouse(
    database: Database, world: World
) -> None:
    level = await receive(database, world.brand, "dealer-node", "A", 1)
    assert (level.node_id, level.dealer_id) == (world.nodes["dealer-node"], world.dealers["d1"])
    level = await receive(database, world.brand, "wh", "A", 1)
    assert (level.node_id, level.dealer_id) == (world.nodes["wh"], None)


@pytest.mark.parametrize(("source", "destination"), [("wh", "far"), ("far", "wh")])
async def test_a_transfer_takes_here_and_gives_there(
    database: Database, world: World, admin: Connection, source: str, destination: str
) -> None:
    await receive(database, world.brand, source, "A", 5)
    move_3 = StockTransfer(source=source, destination=destination, sku="A", quantity=3)
    levels = await change(database, world.brand, move_3)
    assert {(level.node_id, level.on_hand) for level in levels} == {
        (world.nodes[source], 2),
        (world.nodes[destination], 3),
    }
    assert (await figures(admin, world, source)) == Figures(2, version=2)
    assert (await figures(admin, world, destination)) == Figures(3, version=1)


async def test_both_rows_of_a_transfer_have_one_cause(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 5)
    move_5 = StockTransfer(source="wh", destination="far", sku="A", quantity=5)
    await change(database, world.brand, move_5)
    _, out, into = await ledger(admin, world)
    assert out[:9] == ("wh", "moved_out", 5, -5, 0, 0, 0, 2, "transfer")
    assert into[:9] == ("far", "moved_in", 5, 5, 0, 0, 0, 1, "transfer")
    assert out[9:] == into[9:] == (out.cause_id, None, world.brand.subject)


async def test_a_transfer_leaves_what_is_promised(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 10)
    key = await key_of(admin, world, "wh")
    kinds = (MovementType.RESERVED, MovementType.FLOOR_SET, MovementType.EARMARKED)
    await move(database, world, *((key, kind, 2) for kind in kinds))
    rest = StockTransfer(source="wh", destination="far", sku="A", quantity=4)
    await change(database, world.brand, rest)
    assert await figures(admin, world, "wh") == Figures(6, 2, 2, 2, version=3)


async def test_a_level_holds_the_most_there_may_be(
    database: Database, world: World, admin: Connection
) -> None:
    await change(database, world.brand, StockReceive(warehouse="wh", sku="A", quantity=1))
    rest = StockAdjust(warehouse="wh", sku="A", quantity=QUANTITY_MAX - 1, reason="all")
    await change(database, world.brand, rest)
    assert (await figures(admin, world, "wh")).on_hand == QUANTITY_MAX


async def test_an_adjustment_below_what_is_reserved_is_recorded(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    placed(await runtime.intake.place(draft({"A": 4}), world.brand))
    (level,) = await change(runtime.database, world.brand, LOST)
    await runtime.publish_levels(world.tenant_id, [level])
    assert (level.on_hand, level.reserved, level.signed_free, level_from(level).free) == (
        *(2, 4, -2),
        0,
    )
    assert await figures(admin, world, "wh") == Figures(2, 4, version=3)
    await assert_clean(runtime, world)


async def test_a_shortage_offers_nothing(runtime: Runtime, world: World, admin: Connection) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    placed(await runtime.intake.place(draft({"A": 4}), world.brand))
    levels = await change(runtime.database, world.brand, LOST)
    await runtime.publish_levels(world.tenant_id, levels)
    outcome = await runtime.intake.place(draft({"A": 1}), world.brand)
    (line,) = refused(outcome, "INSUFFICIENT_STOCK").detail["lines"]
    assert line["available"] == 0
    assert await sums(admin, world, "wh") == (2, 4, 0, 0)
