"""Commands for supplies that are refused: with a reason, and without a trace."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.errors import YipanError
from backend.db.ids import OrderIds
from backend.db.pool import Database
from backend.inventory.model import QUANTITY_MAX
from backend.inventory.supplies.dispatch import Dispatch, dispatch
from backend.inventory.supplies.errors import ReceiptTooLarge, SupplyChanged
from backend.inventory.supplies.model import CODE_LENGTH_MAX, LINES_MAX, SupplyDraft
from backend.inventory.supplies.supplies import close_supply, set_supplies
from backend.orders.supplies.receive import receive_supply
from tenants.principal import Permission, Principal
from tests.catalogue import Connection
from tests.orders.supplies.coming import LATER, supply
from tests.refusals import refused
from tests.world import World, fresh_key

Command = Callable[[Database, Principal], Awaitable[object]]


def setting(*drafts: SupplyDraft) -> Command:
    async def run(database: Database, who: Principal) -> object:
        async with database.tenant_transaction(who) as tx:
            return await set_supplies(tx, drafts, key=fresh_key())

    return run


def closing(code: str, line_no: int = 1) -> Command:
    async def run(database: Database, who: Principal) -> object:
        async with database.tenant_transaction(who) as tx:
            return await close_supply(tx, code, line_no, key=fresh_key())

    return run


def receiving(quantity: int, code: str = "PO-1", line_no: int = 1) -> Command:
    async def run(database: Database, who: Principal) -> object:
        asked, ids = (code, line_no, quantity), OrderIds(database)
        return await receive_supply(database, who, ids, asked, key=fresh_key())

    return run


def sending(quantity: int = 1, **changes: Any) -> Command:
    values = {"code": "TO-1", "source": "wh", "destination": "far", "sku": "A"} | changes

    async def run(database: Database, who: Principal) -> object:
        command = Dispatch(quantity=quantity, arrives_on=LATER, **values)
        async with database.tenant_transaction(who) as tx:
            return await dispatch(tx, command, key=fresh_key())

    return run


FRESH = supply(5, code="PO-2")
MANY = [supply(1, code="PO-2", line_no=n % LINES_MAX + 1) for n in range(LINES_MAX + 1)]
REFUSED: dict[str, tuple[Command, str, tuple[str | int, ...]]] = {
    "none": (setting(), "INVALID_SUPPLY", ("supplies",)),
    "too many": (setting(*MANY), "INVALID_SUPPLY", ("supplies",)),
    "a line twice": (setting(FRESH, FRESH), "INVALID_SUPPLY", ("supplies",)),
    "no code": (setting(supply(code="")), "INVALID_SUPPLY", ("supplies", 0, "code")),
    "a blank code": (setting(supply(code="  ")), "INVALID_SUPPLY", ("supplies", 0, "code")),
    "a code of two lines": (
        setting(supply(code="a\nb")),
        "INVALID_SUPPLY",
        ("supplies", 0, "code"),
    ),
    "a long code": (
        setting(FRESH, supply(code="x" * (CODE_LENGTH_MAX + 1))),
        "INVALID_SUPPLY",
        ("supplies", 1, "code"),
    ),
    "line 0": (setting(supply(line_no=0)), "INVALID_SUPPLY", ("supplies", 0, "lineNo")),
    "a line too far": (
        setting(supply(line_no=LINES_MAX + 1)),
        "INVALID_SUPPLY",
        ("supplies", 0, "lineNo"),
    ),
    "0 units": (setting(supply(0)), "INVALID_QUANTITY", ("supplies", 0, "quantity")),
    "too many units": (
        setting(FRESH, supply(QUANTITY_MAX + 1)),
        "INVALID_QUANTITY",
        ("supplies", 1, "quantity"),
    ),
    "below all confidence": (
        setting(supply(confidence_bp=-1)),
        "INVALID_SUPPLY",
        ("supplies", 0, "confidenceBp"),
    ),
    "beyond all confidence": (
        setting(supply(confidence_bp=10_001)),
        "INVALID_SUPPLY",
        ("supplies", 0, "confidenceBp"),
    ),
    "an unknown SKU": (setting(FRESH, supply(code="PO-3", sku="Z")), "UNKNOWN_SKU", ()),
    "an unknown warehouse": (
        setting(FRESH, supply(code="PO-3", warehouse="z")),
        "UNKNOWN_FUNCTIONAL_WAREHOUSE",
        (),
    ),
    "less than has come": (
        setting(FRESH, supply(1)),
        "INVALID_SUPPLY",
        ("supplies", 1, "quantity"),
    ),
    "another SKU than has come": (
        setting(supply(5, sku="B")),
        "INVALID_SUPPLY",
        ("supplies", 0),
    ),
    "another warehouse than it came to": (
        setting(supply(5, warehouse="far")),
        "INVALID_SUPPLY",
        ("supplies", 0),
    ),
    "a version that is past": (
        setting(FRESH, supply(5, compare_version=1)),
        "SUPPLY_CHANGED",
        ("supplies", 1, "compareVersion"),
    ),
    "as new what is there": (
        setting(supply(5, compare_version=0)),
        "SUPPLY_CHANGED",
        ("supplies", 0, "compareVersion"),
    ),
    "a version of what is not there": (
        setting(supply(5, code="PO-2", compare_version=1)),
        "SUPPLY_CHANGED",
        ("supplies", 0, "compareVersion"),
    ),
    "close what is not there": (closing("PO-9"), "UNKNOWN_SUPPLY", ()),
    "close a line that is not there": (closing("PO-1", 2), "UNKNOWN_SUPPLY", ()),
    "close what is closed": (closing("PO-0"), "UNKNOWN_SUPPLY", ()),
    "receive 0": (receiving(0), "INVALID_QUANTITY", ("quantity",)),
    "receive less than 0": (receiving(-1), "INVALID_QUANTITY", ("quantity",)),
    "receive more than there can be": (
        receiving(QUANTITY_MAX + 1),
        "INVALID_QUANTITY",
        ("quantity",),
    ),
    "receive more than is to come": (receiving(4), "RECEIPT_TOO_LARGE", ()),
    "receive what is not there": (receiving(1, "PO-9"), "UNKNOWN_SUPPLY", ()),
    "receive a line that is not there": (receiving(1, "PO-1", 2), "UNKNOWN_SUPPLY", ()),
    "receive what is closed": (receiving(1, "PO-0"), "UNKNOWN_SUPPLY", ()),
    "send 0": (sending(0), "INVALID_QUANTITY", ("quantity",)),
    "send more than there can be": (
        sending(QUANTITY_MAX + 1),
        "INVALID_QUANTITY",
        ("quantity",),
    ),
    "send to where it is": (sending(destination="wh"), "SAME_WAREHOUSE", ()),
    "send from nowhere": (sending(source="z"), "UNKNOWN_FUNCTIONAL_WAREHOUSE", ()),
    "send to nowhere": (sending(destination="z"), "UNKNOWN_FUNCTIONAL_WAREHOUSE", ()),
    "send an unknown SKU": (sending(sku="Z"), "UNKNOWN_SKU", ()),
    "send more than is free": (sending(3), "NOT_ENOUGH_TO_MOVE", ()),
    "send from an empty level": (
        sending(1, source="far", destination="wh"),
        "NOT_ENOUGH_TO_MOVE",
        (),
    ),
    "send under a code that is taken": (sending(code="PO-1"), "SUPPLY_CHANGED", ("code",)),
    "send under a code that was closed": (sending(code="PO-0"), "SUPPLY_CHANGED", ("code",)),
    "send under no code": (sending(code=" "), "INVALID_SUPPLY", ("code",)),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_command_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    command, code, path = REFUSED[name]
    async with refused(still_admin, code) as seen:
        await command(still, ready_world.brand)
    assert isinstance(seen.error, YipanError)
    assert seen.error.path == path


async def test_who_is_refused_is_told_what_there_is(still: Database, ready_world: World) -> None:
    with pytest.raises(SupplyChanged) as changed:
        await setting(supply(5, compare_version=1))(still, ready_world.brand)
    assert changed.value.version == 2
    with pytest.raises(ReceiptTooLarge) as too_large:
        await receiving(4)(still, ready_world.brand)
    assert (too_large.value.requested, too_large.value.outstanding) == (4, 3)


COMMANDS = {
    "set": setting(FRESH),
    "close": closing("PO-1"),
    "receive": receiving(1),
    "dispatch": sending(1),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_who_may_only_read_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str, name: str
) -> None:
    receives_elsewhere = name == "receive" and who != "group"
    code = "UNKNOWN_SUPPLY" if receives_elsewhere else "WRITE_REFUSED"
    async with refused(still_admin, code):
        await COMMANDS[name](still, getattr(ready_world, who))


@pytest.mark.parametrize("name", COMMANDS)
async def test_who_lacks_the_permission_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    brand = ready_world.brand
    without = replace(brand, permissions=brand.permissions - {Permission.STOCK_WRITE})
    async with refused(still_admin, "PERMISSION_MISSING"):
        await COMMANDS[name](still, without)


@pytest.mark.parametrize("name", ["close", "receive"])
async def test_another_brands_supply_is_unknown(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    async with refused(still_admin, "UNKNOWN_SUPPLY"):
        await COMMANDS[name](still, ready_world.other_brand)
