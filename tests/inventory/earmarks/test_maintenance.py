"""The maintenance closes what has ended and lends, one earmark after the other."""

from datetime import UTC, datetime

import pytest

from backend.inventory.earmarks.model import Lending
from tests.catalogue import Connection
from tests.crowd import settle, start
from tests.inventory.earmarks.keeping import Kept, keep, kept, opening, told
from tests.inventory.pools.living import Living

PAST = datetime(2020, 1, 1, tzinfo=UTC)
ALL = Lending(0)
NOBODY_HOLDS = "select count(*) from (select from stock_level for update skip locked) as free"
CLOSE = "update earmark set closed_at = clock_timestamp(), closed_by = 'test' where code = $1"
WORKS = {"close_earmarks": Kept(0, 0), "lend": Kept(4, 0, 4)}
"""Each with what it leaves of an earmark of 4."""


async def hold(admin: Connection, code: str) -> None:
    await admin.execute("select from earmark where code = $1 for update", code)


@pytest.mark.parametrize("name", WORKS)
async def test_who_waits_for_an_earmark_holds_no_level_of_another(
    shops: Living, admin: Connection, name: str
) -> None:
    await shops.receive("wh", 10)
    for code in ("first", "second"):
        await keep(shops, ("A", 4, "wh"), code=code, ends_at=PAST, lending=ALL)
    async with admin.transaction():
        await hold(admin, "second")
        tasks = await start(admin, [getattr(shops.runtime.maintenance, name)()])
        assert await admin.fetchval(NOBODY_HOLDS) == 1
    await settle(tasks)
    for code in ("first", "second"):
        assert await kept(admin, code) == {"wh": WORKS[name]}


@pytest.mark.parametrize("name", WORKS)
async def test_an_earmark_that_is_closed_meanwhile_does_not_hold_up_the_next(
    shops: Living, admin: Connection, name: str
) -> None:
    await shops.receive("wh", 10)
    await told(shops, opening("first", ends_at=PAST, lending=ALL))
    await keep(shops, ("A", 4, "wh"), code="second", ends_at=PAST, lending=ALL)
    async with admin.transaction():
        await hold(admin, "first")
        tasks = await start(admin, [getattr(shops.runtime.maintenance, name)()])
        await admin.execute(CLOSE, "first")
    _, codes = await settle(tasks)
    assert codes == []
    assert await kept(admin, "second") == {"wh": WORKS[name]}
