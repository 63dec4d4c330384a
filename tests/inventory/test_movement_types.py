"""The verbs of the ledger do what their table says, and a level is the sum of its movements."""

import re
from random import Random

import pytest

from backend.db.errors import YipanError
from backend.db.pool import Database
from backend.inventory import movement_types
from backend.inventory.change_stock import (
    StockAdjust,
    StockCommand,
    StockReceive,
    StockSet,
    StockTransfer,
)
from backend.inventory.movement_types import (
    EARMARK_EFFECTS,
    EFFECTS,
    WITH_EARMARK,
    Effect,
    MovementType,
)
from tests.catalogue import Connection
from tests.inventory.stock import change, figures, kept, key_of, move, plant_earmark, sums
from tests.world import World

SIGNS = {"": 0, "+q": 1, "-q": -1, "±q": 1}
LISTED = (
    "select pg_get_constraintdef(oid) from pg_constraint where conname = $1 and conparentid = 0"
)
STEPS = 40


def written_down(*, with_earmark: bool = False) -> dict[str, Effect]:
    """Return the effects as the module's docstring has them: its rows of an earmark, or others."""
    found = {}
    for line in (movement_types.__doc__ or "").splitlines():
        if line.startswith("| `") and ("an earmark" in line) == with_earmark:
            verbs, *cells = [cell.strip() for cell in line.strip("|").split(" |")]
            for place, verb in enumerate(re.findall(r"`(\w+)`", verbs)):
                found[verb] = Effect(*(sign(cell, place) for cell in cells))
    return found


def sign(cell: str, place: int) -> int:
    """Return the sign for a verb; `+q / -q` has one for each of two."""
    signs = [part.strip() for part in cell.split("/")]
    return SIGNS[signs[place] if len(signs) > 1 else signs[0]]


def test_the_table_has_every_type() -> None:
    assert list(EFFECTS) == list(MovementType)


def test_the_table_is_as_written_down() -> None:
    assert {kind.value: effect for kind, effect in EFFECTS.items()} == written_down()
    from_earmark = {kind.value: effect for kind, effect in WITH_EARMARK.items()}
    assert from_earmark == written_down(with_earmark=True)


def test_what_moves_in_an_earmark_moves_in_its_level() -> None:
    for kind, effect in EARMARK_EFFECTS.items():
        assert WITH_EARMARK.get(kind, EFFECTS[kind]).earmark_unused == effect.unused, kind


async def test_the_schema_knows_the_same_types(admin: Connection) -> None:
    text = await admin.fetchval(LISTED, "stock_movement_type_check")
    assert set(re.findall(r"'(\w+)'", text)) == {kind.value for kind in MovementType}


async def test_a_movement_has_its_effect(
    database: Database, world: World, admin: Connection
) -> None:
    key, mark = await key_of(admin, world, "wh"), await plant_earmark(admin, world)
    for kind in ("received", "reserved", "floor_set"):
        await move(database, world, (key, MovementType(kind), 9))
    await move(database, world, (key, MovementType.EARMARKED, 9), earmark_id=mark)
    moves = [(kind, effect, kind.startswith("earmark")) for kind, effect in written_down().items()]
    moves += [(kind, effect, True) for kind, effect in written_down(with_earmark=True).items()]
    for kind, effect, has_earmark in moves:
        before = await figures(admin, world, "wh")
        earmark_id = mark if has_earmark else None
        await move(database, world, (key, MovementType(kind), 2), earmark_id=earmark_id)
        expected = [n + 2 * units for n, units in zip(before, (*effect,), strict=False)]
        assert await figures(admin, world, "wh") == (*expected, before.version + 1), kind
        assert await sums(admin, world, "wh") == tuple(expected), kind


async def test_a_movement_has_its_effect_on_its_earmark(
    database: Database, world: World, admin: Connection
) -> None:
    key, mark = await key_of(admin, world, "wh"), await plant_earmark(admin, world)
    await move(database, world, (key, MovementType.RECEIVED, 20))
    await move(database, world, (key, MovementType.EARMARKED, 9), earmark_id=mark)
    for kind, effect in EARMARK_EFFECTS.items():
        before = await kept(admin, mark)
        await move(database, world, (key, kind, 2), earmark_id=mark)
        moved = tuple(n + 2 * units for n, units in zip(before, effect, strict=True))
        assert await kept(admin, mark) == moved, kind


async def test_movements_of_one_level_are_one_change(
    database: Database, world: World, admin: Connection
) -> None:
    key, other = await key_of(admin, world, "wh"), await key_of(admin, world, "far")
    both = ((key, MovementType.RECEIVED, 5), (key, MovementType.RESERVED, 2))
    await move(database, world, *both, (other, MovementType.RECEIVED, 1))
    assert await figures(admin, world, "wh") == (5, 2, 0, 0, 1)
    assert await figures(admin, world, "far") == (1, 0, 0, 0, 1)


def some_command(random: Random) -> StockCommand:
    warehouse, other = random.sample(["wh", "far", "store"], 2)
    units = random.randint(1, 9)
    commands: list[StockCommand] = [
        StockReceive(warehouse=warehouse, sku="A", quantity=units),
        StockAdjust(warehouse=warehouse, sku="A", quantity=random.choice([-1, 1]), reason="x"),
        StockSet(warehouse=warehouse, sku="A", on_hand=units, compare_version=random.randint(0, 9)),
        StockTransfer(source=warehouse, destination=other, sku="A", quantity=units),
    ]
    return random.choice(commands)


@pytest.mark.parametrize("seed", range(2))
async def test_a_level_is_the_sum_of_its_movements(
    database: Database, world: World, admin: Connection, seed: int
) -> None:
    random, done = Random(seed), 0
    for _ in range(STEPS):
        try:
            await change(database, world.brand, some_command(random))
            done += 1
        except YipanError:
            continue
    assert done > STEPS // 4
    for warehouse in ("wh", "far", "store"):
        assert (await figures(admin, world, warehouse))[:4] == await sums(admin, world, warehouse)
