"""Statements of levels and earmarks do on simulated rows what they do in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import pytest

from backend.db.pool import Database, TenantTransaction
from backend.inventory.ledger import SQL
from loadtests.torture.database_server import DatabaseServer, Session
from loadtests.torture.stock_statements import FIGURES, STATEMENTS
from tests.catalogue import Connection
from tests.world import World

SEEDS = 150
EARMARKS = 3
TABLES = {
    "stock_level": ("functional_warehouse_id", "sku_id", "node_id", *FIGURES, "version"),
    "earmark_level": (
        *("sku_id", "functional_warehouse_id", "earmark_id"),
        *("filled", "unused", "lent"),
    ),
    "stock_movement": (
        *("functional_warehouse_id", "sku_id", "type", "quantity", "on_hand_delta"),
        *("reserved_delta", "floor_delta", "earmark_delta", "level_version", "cause_kind"),
        *("cause_id", "cause_line", "earmark_id", "actor"),
    ),
}
"""The columns that are compared; those of the key first."""
INSERT = """
    insert into stock_level (tenant_id, functional_warehouse_id, sku_id, node_id, on_hand,
        reserved, floor, earmark_unused, version) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
INSERT_KEPT = """
    insert into earmark_level (tenant_id, sku_id, functional_warehouse_id, earmark_id, filled,
        unused, lent) values ($1, $2, $3, $4, $5, $6, $7)
"""
OPEN = """
    insert into earmark (tenant_id, id, code, name, kind, pool, opened_by)
    select $1, n, n::text, '', 'other', '', 'test' from generate_series(1, $2::bigint) n
"""
Rows = list[dict[str, Any]]


class Undone(Exception):
    """The transaction is rolled back: the next case has the same database."""


class Case(NamedTuple):
    """Levels and earmarks, and what is asked of them."""

    levels: Rows
    kept: Rows
    takes: list[tuple[int, int, int, int, int, int | None]]
    changes: list[list[int]]


@pytest.fixture
async def places(admin: Connection, world: World) -> list[tuple[int, int]]:
    """Two functional warehouses with their nodes; three earmarks are open."""
    await admin.execute(OPEN, world.tenant_id, EARMARKS)
    rows = await admin.fetch("select id, node_id from functional_warehouse order by id limit 2")
    return [(row["id"], row["node_id"]) for row in rows]


def make_case(random: Random, places: Sequence[tuple[int, int]]) -> Case:
    """Return random rows; now and then a level has less than it has promised, or is not there."""
    levels: Rows = []
    kept: Rows = []
    for warehouse, node in places:
        for sku in (1, 2):
            if random.random() < 0.1:
                continue
            key = {"functional_warehouse_id": warehouse, "sku_id": sku}
            marks = random.sample(range(1, EARMARKS + 1), random.choice((0, 1, 1, 2, 3)))
            mine = [_kept(random, key, mark) for mark in sorted(marks)]
            figures = {
                "on_hand": random.choice((random.randint(0, 9), 25, 25)),
                "reserved": random.choice((0, 0, 1, 3)),
                "floor": random.choice((0, 0, 1)),
                "earmark_unused": sum(each["unused"] for each in mine),
            }
            levels.append({**key, "node_id": node, **figures, "version": random.randint(1, 5)})
            kept += mine
    takes = [_take(random, places, number) for number in range(random.randint(1, 4))]
    changes = [
        [each[name] for name in ("functional_warehouse_id", "sku_id", "earmark_id")]
        + [2, random.randint(-each["unused"], 2 - each["lent"]), 0]
        for each in kept
        if random.random() < 0.5
    ]
    return Case(levels, kept, takes, changes)


def _kept(random: Random, key: Mapping[str, int], mark: int) -> dict[str, Any]:
    unused, lent, used = random.randint(0, 4), random.choice((0, 0, 1, 2)), random.randint(0, 2)
    figures = {"filled": unused + lent + used, "unused": unused, "lent": lent}
    return {**key, "earmark_id": mark, **figures}


def _take(
    random: Random, places: Sequence[tuple[int, int]], number: int
) -> tuple[int, int, int, int, int, int | None]:
    where, sku = random.choice(places)[0], random.choice((1, 1, 2))
    mark = random.choice((None, None, 1, 2, 3))
    return where, sku, random.randint(1, 3), 10 + number, 1, mark


# ------------------------------------------------------------------------ the two servers


async def in_postgres(
    database: Database, world: World, case: Case, names: Sequence[str]
) -> dict[str, Any]:
    """Return what statements answer, and the tables after them; then nothing has happened."""
    found: dict[str, Any] = {}
    try:
        async with database.tenant_transaction(world.system) as tx:
            await _store(tx, case)
            for name in names:
                query = getattr(SQL, name)
                arguments = _arguments(case, name)
                if name in WITHOUT_ROWS:
                    await tx.execute(query, world.tenant_id, *arguments)
                else:
                    found[name] = _sorted(await tx.fetch(query, world.tenant_id, *arguments))
            for table, columns in TABLES.items():
                listed = ", ".join(columns)
                rows = await tx._connection.fetch(f"select {listed} from {table}")  # noqa: S608
                found[table] = _sorted(rows)
            raise Undone
    except Undone:
        return found


async def _store(tx: TenantTransaction, case: Case) -> None:
    for table, insert, rows in (
        ("stock_level", INSERT, case.levels),
        ("earmark_level", INSERT_KEPT, case.kept),
    ):
        values = [(tx.tenant_id, *(row[name] for name in TABLES[table])) for row in rows]
        await tx._connection.executemany(insert, values)


async def simulated(world: World, case: Case, names: Sequence[str]) -> dict[str, Any]:
    """Return the same of the simulated server."""
    server = DatabaseServer()
    for level in case.levels:
        key = (level["functional_warehouse_id"], level["sku_id"])
        server.fill("stock_level", key, **level, dealer_id=None)
    for kept in case.kept:
        server.fill("earmark_level", tuple(kept[n] for n in TABLES["earmark_level"][:3]), **kept)
    session = server.begin()
    found: dict[str, Any] = {}
    for name in names:
        answer = await STATEMENTS[name](session, world.tenant_id, *_arguments(case, name))
        if name not in WITHOUT_ROWS:
            assert isinstance(answer, list)
            found[name] = _sorted(answer)
    return found | {table: _sorted(_scanned(session, table)) for table in TABLES}


def _scanned(session: Session, table: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in TABLES[table]) for row in session.scan(table)]


def _sorted(rows: Iterable[Any]) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in rows), key=repr)


READING = ("lock_free", "lock_free_of_skus", "free_of_levels", "free_of_all_levels")
WITHOUT_ROWS = {"create_earmarks", "change_earmarks"}


def _arguments(case: Case, name: str) -> tuple[Any, ...]:
    keys = sorted((level["functional_warehouse_id"], level["sku_id"]) for level in case.levels)
    if name == "reserve":
        return [(*take, "order") for take in case.takes], "orders"
    if name == "free_of_all_levels":
        return ()
    if name in WITHOUT_ROWS:
        columns = [[change[at] for change in case.changes] for at in range(6)]
        return tuple(columns if name == "change_earmarks" else columns[:3])
    warehouses, skus = [key[0] for key in keys], [key[1] for key in keys]
    return ([1, 2], warehouses[:1]) if name == "lock_free_of_skus" else (warehouses, skus)


# ------------------------------------------------------------------------------- the tests


async def compared(
    database: Database, world: World, places: Sequence[tuple[int, int]], *names: str
) -> list[dict[str, Any]]:
    """Compare both servers on every seed; returns what PostgreSQL had."""
    found = []
    for seed in range(SEEDS):
        case = make_case(Random(seed), places)
        real = await in_postgres(database, world, case, names)
        assert await simulated(world, case, names) == real, (seed, case)
        found.append(real)
    return found


async def test_what_is_free_is_read_alike(
    database: Database, world: World, places: list[tuple[int, int]]
) -> None:
    await compared(database, world, places, *READING, "lent_of_levels")


async def test_what_is_there_is_reserved_alike(
    database: Database, world: World, places: list[tuple[int, int]]
) -> None:
    found = await compared(database, world, places, "reserve")
    moved = [len(each["stock_movement"]) for each in found]
    assert min(moved) == 0
    assert sum(count > 1 for count in moved) > SEEDS // 10
    marks = [row[-2] for each in found for row in each["stock_movement"]]
    assert {None, 1, 2, 3} == set(marks)


async def test_earmarks_are_changed_alike(
    database: Database, world: World, places: list[tuple[int, int]]
) -> None:
    await compared(database, world, places, "create_earmarks", "change_earmarks")
