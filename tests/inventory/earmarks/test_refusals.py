"""Commands on earmarks that are refused: with a code, and without a trace."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from backend.db.pool import Database
from backend.inventory.earmarks import model
from backend.inventory.earmarks.errors import NotEnoughToEarmark, ShortEarmark
from backend.inventory.earmarks.model import Lending
from backend.inventory.model import QUANTITY_MAX
from backend.inventory.pools import layouts
from backend.network.regions.table import bundled_regions
from tenants.principal import Permission, Principal
from tests.catalogue import Connection
from tests.inventory.earmarks.keeping import (
    Act,
    act,
    closing,
    dropping,
    filling,
    lending,
    opening,
)
from tests.inventory.pools.layouts import BARE
from tests.refusals import refused
from tests.world import World

NAIVE = datetime(2026, 11, 11, 20)
MANY = [("A", 1)] * (model.LINES_MAX + 1)

REFUSED: dict[str, tuple[Act, str]] = {
    "open under a code that is taken": (opening(), "ALREADY_EXISTS"),
    "open under the code of a closed one": (opening("over"), "ALREADY_EXISTS"),
    "open for a pool that is not there": (opening("new", pool="z"), "UNKNOWN_POOL"),
    "open without a code": (opening("", name="new"), "INVALID_EARMARK"),
    "open with a blank code": (opening(" ", name="new"), "INVALID_EARMARK"),
    "open with a code of two lines": (opening("a\nb", name="new"), "INVALID_EARMARK"),
    "open with a long code": (opening("c" * 65), "INVALID_EARMARK"),
    "open without a name": (opening("new", name=""), "INVALID_EARMARK"),
    "open with a long name": (opening("new", name="n" * 201), "INVALID_EARMARK"),
    "open until a time of nowhere": (opening("new", ends_at=NAIVE), "INVALID_EARMARK"),
    "open, keeping less than nothing": (opening("new", lending=Lending(-1)), "INVALID_EARMARK"),
    "open, keeping more than all": (opening("new", lending=Lending(10_001)), "INVALID_EARMARK"),
    "open, keeping days of the past": (opening("new", lending=Lending(0, -1)), "INVALID_EARMARK"),
    "open, keeping too many days": (opening("new", lending=Lending(0, 3_651)), "INVALID_EARMARK"),
    "fill one that is not there": (filling(("A", 1), code="z"), "UNKNOWN_EARMARK"),
    "fill a closed one": (filling(("A", 1), code="over"), "EARMARK_CLOSED"),
    "fill with nothing": (filling(), "INVALID_EARMARK"),
    "fill with too many lines": (filling(*MANY), "INVALID_EARMARK"),
    "fill with 0": (filling(("A", 0)), "INVALID_QUANTITY"),
    "fill with less than 0": (filling(("A", -1)), "INVALID_QUANTITY"),
    "fill with too much": (filling(("A", QUANTITY_MAX + 1)), "INVALID_QUANTITY"),
    "fill with an unknown SKU": (filling(("Z", 1)), "UNKNOWN_SKU"),
    "fill in an unknown warehouse": (filling(("A", 1, "z")), "UNKNOWN_FUNCTIONAL_WAREHOUSE"),
    "fill beyond what is free": (filling(("A", 8, "wh")), "NOT_ENOUGH_TO_EARMARK"),
    "fill beyond what is free anywhere": (filling(("A", 10)), "NOT_ENOUGH_TO_EARMARK"),
    "fill beyond, in two lines": (filling(("A", 7, "wh"), ("A", 3)), "NOT_ENOUGH_TO_EARMARK"),
    "fill from an empty level": (filling(("B", 1, "wh")), "NOT_ENOUGH_TO_EARMARK"),
    "fill one line of two": (filling(("A", 1), ("B", 1)), "NOT_ENOUGH_TO_EARMARK"),
    "drop from one that is not there": (dropping(("A", 1), code="z"), "UNKNOWN_EARMARK"),
    "drop from a closed one": (dropping(("A", 1), code="over"), "EARMARK_CLOSED"),
    "drop nothing": (dropping(), "INVALID_EARMARK"),
    "drop too many lines": (dropping(*MANY), "INVALID_EARMARK"),
    "drop 0": (dropping(("A", 0)), "INVALID_QUANTITY"),
    "drop less than 0": (dropping(("A", -1)), "INVALID_QUANTITY"),
    "drop an unknown SKU": (dropping(("Z", 1)), "UNKNOWN_SKU"),
    "drop in an unknown warehouse": (dropping(("A", 1, "z")), "UNKNOWN_FUNCTIONAL_WAREHOUSE"),
    "drop beyond what is kept there": (dropping(("A", 4, "wh")), "NOT_ENOUGH_TO_EARMARK"),
    "drop beyond what is kept": (dropping(("A", 6)), "NOT_ENOUGH_TO_EARMARK"),
    "drop what is not kept": (dropping(("B", 1)), "NOT_ENOUGH_TO_EARMARK"),
    "drop where nothing is kept": (dropping(("A", 1, "store")), "NOT_ENOUGH_TO_EARMARK"),
    "close one that is not there": (closing("z"), "UNKNOWN_EARMARK"),
    "close a closed one": (closing("over"), "EARMARK_CLOSED"),
    "lend of one that is not there": (lending("z"), "UNKNOWN_EARMARK"),
    "lend of one that lends nothing": (lending(), "INVALID_EARMARK"),
}
COMMANDS: dict[str, Act] = {
    "open": opening("new"),
    "fill": filling(("A", 1)),
    "drop": dropping(("A", 1)),
    "close": closing(),
    "lend": lending(),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_command_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    what, code = REFUSED[name]
    async with refused(still_admin, code) as seen:
        await act(still, ready_world.brand, what)
    assert seen.error.args[0]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_who_may_only_read_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str, name: str
) -> None:
    principal: Principal = getattr(ready_world, who)
    async with refused(still_admin, "WRITE_REFUSED"):
        await act(still, principal, COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
async def test_who_lacks_the_permission_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    brand = ready_world.brand
    without = replace(brand, permissions=brand.permissions - {Permission.STOCK_WRITE})
    async with refused(still_admin, "PERMISSION_MISSING"):
        await act(still, without, COMMANDS[name])


@pytest.mark.parametrize("name", ["fill", "drop", "close", "lend"])
async def test_another_brands_earmark_is_unknown(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    async with refused(still_admin, "UNKNOWN_EARMARK"):
        await act(still, ready_world.other_brand, COMMANDS[name])


async def test_another_brands_pool_is_unknown(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "UNKNOWN_POOL"):
        await act(still, ready_world.other_brand, opening("new"))


@pytest.mark.parametrize(
    ("what", "short"),
    [
        (filling(("A", 8, "wh"), ("B", 2)), [("A", 8, 7), ("B", 2, 0)]),
        (filling(("A", 1), ("A", 10)), [("A", 10, 8)]),
        (dropping(("A", 6)), [("A", 6, 5)]),
    ],
    ids=["of each line", "less what the lines before it take", "of what is kept"],
)
async def test_who_asks_for_too_much_is_told_what_there_is(
    still: Database, ready_world: World, what: Act, short: list[tuple[str, int, int]]
) -> None:
    with pytest.raises(NotEnoughToEarmark) as raised:
        await act(still, ready_world.brand, what)
    assert raised.value.lines == [ShortEarmark(*line) for line in short]


async def test_a_key_is_of_one_command(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    writing = still.tenant_transaction(ready_world.brand)
    async with refused(still_admin, "IDEMPOTENCY_CONFLICT"), writing as tx:
        await dropping(("A", 1))(tx, "one key")
        await dropping(("A", 2))(tx, "one key")


async def test_a_layout_without_the_pool_of_an_open_earmark_is_not_activated(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    writing = still.tenant_transaction(ready_world.brand)
    async with refused(still_admin, "INVALID_POOL_LAYOUT") as seen, writing as tx:
        based_on = await layouts.active_version(tx)
        regions = bundled_regions()
        draft = await layouts.propose_layout(
            tx, BARE, based_on=based_on, comment="", key="a", regions=regions
        )
        await layouts.activate_layout(tx, draft.version, key="b", regions=regions)
    assert "online" in str(seen.error)
