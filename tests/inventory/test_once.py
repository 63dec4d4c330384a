"""A stock command applies once for its key, however often and however many at once send it."""

import pytest

from backend.db.pool import Database
from backend.inventory.change_stock import (
    StockAdjust,
    StockCommand,
    StockReceive,
    StockSet,
    StockTransfer,
)
from tests.catalogue import Connection, contents
from tests.crowd import CROWD, all_at_once
from tests.inventory.stock import Figures, change, figures, ledger
from tests.refusals import refused
from tests.world import World, receive

RECEIVE = StockReceive(warehouse="wh", sku="A", quantity=2)
COMMANDS: dict[str, StockCommand] = {
    "receive": RECEIVE,
    "adjust": StockAdjust(warehouse="wh", sku="A", quantity=-2, reason="lost"),
    "set": StockSet(warehouse="wh", sku="A", on_hand=3, compare_on_hand=5),
    "transfer": StockTransfer(source="wh", destination="far", sku="A", quantity=2),
}


@pytest.mark.parametrize("name", COMMANDS)
async def test_again_it_is_answered_as_the_first_time(
    database: Database, world: World, admin: Connection, name: str
) -> None:
    await receive(database, world.brand, "wh", "A", 5)
    first = await change(database, world.brand, COMMANDS[name], "k")
    await receive(database, world.brand, "wh", "A", 1)
    before = await contents(admin)
    assert await change(database, world.brand, COMMANDS[name], "k") == first
    assert await contents(admin) == before


@pytest.mark.parametrize("name", COMMANDS)
async def test_at_once_it_is_carried_out_by_one(
    database: Database, world: World, admin: Connection, name: str
) -> None:
    await receive(database, world.brand, "wh", "A", 5)
    senders = (change(database, world.brand, COMMANDS[name], "k") for _ in range(CROWD))
    (first, *others), _ = await all_at_once(admin, senders)
    assert others == [first] * (CROWD - 1)
    assert len(await ledger(admin, world)) == 1 + len(first)


async def test_another_command_under_the_key_is_refused(
    database: Database, world: World, admin: Connection
) -> None:
    await change(database, world.brand, RECEIVE, "k")
    for other in (
        StockReceive(warehouse="wh", sku="A", quantity=3),
        StockReceive(warehouse="wh", sku="B", quantity=2),
        StockReceive(warehouse="far", sku="A", quantity=2),
        StockAdjust(warehouse="wh", sku="A", quantity=2, reason="found"),
    ):
        async with refused(admin, "IDEMPOTENCY_CONFLICT"):
            await change(database, world.brand, other, "k")


async def test_of_two_commands_at_once_under_one_key_one_is_refused(
    database: Database, world: World, admin: Connection
) -> None:
    await receive(database, world.brand, "wh", "A", 5)
    other = StockReceive(warehouse="wh", sku="A", quantity=3)
    sent = [change(database, world.brand, command, "k") for command in (RECEIVE, other)]
    _, codes = await all_at_once(admin, sent)
    assert codes == ["IDEMPOTENCY_CONFLICT"]
    found = await figures(admin, world, "wh")
    assert found in (Figures(7, version=2), Figures(8, version=2))


async def test_what_was_refused_leaves_its_key_free(
    database: Database, world: World, admin: Connection
) -> None:
    async with refused(admin, "NOT_ENOUGH_TO_MOVE"):
        await change(database, world.brand, COMMANDS["transfer"], "k")
    await receive(database, world.brand, "wh", "A", 5)
    await change(database, world.brand, COMMANDS["transfer"], "k")
    assert await figures(admin, world, "far") == Figures(2, version=1)
