"""Arrays of rows arrive as they were given, whoever encodes them."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from backend.db.row_arrays import RowArrayConnection
from core_ext.row_arrays import RowArray

KINDS = """
create type new_everything as (
    id bigint, small smallint, number integer, is_so boolean, name text, mark bytea, day date,
    at timestamptz, ids bigint[], names text[])
"""
EMPTY = (None,) * 10
ROWS: list[tuple[object, ...]] = [
    EMPTY,
    (
        -(2**63),
        -(2**15),
        -(2**31),
        True,
        "一盘货 🛒",
        b"\x00\xff",
        date(2026, 11, 11),
        datetime(2026, 11, 11, 0, 0, 0, 1, UTC),
        [1, 2**63 - 1],
        ["a", "", "中"],
    ),
    (
        2**63 - 1,
        2**15 - 1,
        2**31 - 1,
        False,
        "",
        b"",
        date(1970, 1, 1),
        datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC),
        [],
        [],
    ),
]


@pytest_asyncio.fixture
async def connection(database_url: str) -> AsyncIterator[RowArrayConnection]:
    """A connection that encodes the rows of a type of the test's own."""
    found = await asyncpg.connect(database_url, connection_class=RowArrayConnection)
    try:
        await found.execute(KINDS)
        await found.encode_row_arrays()
        yield found
    finally:
        await found.close()


async def sent(connection: Any, rows: Sequence[object]) -> list[tuple[object, ...]]:
    query = "select (r).* from unnest($1::new_everything[]) as r"
    return [tuple(row) for row in await connection.fetch(query, rows)]


async def test_every_kind_of_field_arrives(connection: Any) -> None:
    assert await sent(connection, ROWS) == ROWS


async def test_the_driver_would_have_sent_the_same(connection: Any, database_url: str) -> None:
    drivers_own = await asyncpg.connect(database_url)
    try:
        assert await sent(drivers_own, ROWS) == await sent(connection, ROWS)
    finally:
        await drivers_own.close()


async def test_it_is_the_core_that_encodes(connection: Any) -> None:
    with pytest.raises(asyncpg.DataError, match="a tuple of 10 fields is expected"):
        await sent(connection, [(1,)])


async def test_no_rows_are_no_rows(connection: Any) -> None:
    assert await sent(connection, []) == []


async def test_many_rows_arrive(connection: Any) -> None:
    many = [(number, *EMPTY[1:4], "x" * number, *EMPTY[5:]) for number in range(3_000)]
    assert await sent(connection, many) == many


async def test_a_moment_of_another_zone_is_the_same_moment(connection: Any) -> None:
    at = datetime(2026, 11, 11, 8, tzinfo=timezone(timedelta(hours=8)))
    (row,) = await sent(connection, [(*EMPTY[:7], at, None, None)])
    assert row[7] == at


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 2**63),
        (0, "1"),
        (0, 1.5),
        (1, 2**15),
        (2, -(2**31) - 1),
        (3, 1),
        (4, 7),
        (4, "\ud800"),
        (5, "text"),
        (6, "2026-11-11"),
        (7, datetime(2026, 11, 11)),
        (8, ["1"]),
        (9, [1]),
        (9, 1),
    ],
)
async def test_what_no_field_holds_is_refused(connection: Any, place: int, value: object) -> None:
    row = (*EMPTY[:place], value, *EMPTY[place + 1 :])
    with pytest.raises(asyncpg.DataError):
        await sent(connection, [row])


def test_types_that_are_not_known_are_refused() -> None:
    with pytest.raises(ValueError, match="1700"):
        RowArray(1, [1700])
    with pytest.raises(ValueError, match="at most 64"):
        RowArray(1, [20] * 65)


async def test_a_row_type_with_other_fields_stays_with_the_driver(connection: Any) -> None:
    await connection.execute("create type new_price as (amount numeric)")
    await connection.encode_row_arrays()
    query = "select (r).amount::text from unnest($1::new_price[]) as r"
    assert await connection.fetchval(query, [("1.50",)]) == "1.50"
