"""Stock commands that are refused: with a reason that a program can read, and without a trace."""

import pytest

from backend.db.pool import Database
from backend.inventory.change_stock import (
    REASON_LENGTH_MAX,
    StockAdjust,
    StockCommand,
    StockReceive,
    StockSet,
    StockTransfer,
)
from backend.inventory.errors import NotEnoughToMove, StockChanged
from backend.inventory.model import QUANTITY_MAX
from tenants.principal import Permission, Principal
from tests.catalogue import Connection
from tests.inventory.stock import change
from tests.refusals import refused
from tests.world import World


def receive(warehouse: str = "wh", sku: str = "A", quantity: int = 1) -> StockReceive:
    return StockReceive(warehouse=warehouse, sku=sku, quantity=quantity)


def adjust(
    quantity: int = 1, reason: str = "found", *, warehouse: str = "wh", sku: str = "A"
) -> StockAdjust:
    return StockAdjust(warehouse=warehouse, sku=sku, quantity=quantity, reason=reason)


def set_to(
    on_hand: int = 1,
    on_hand_before: int | None = None,
    version_before: int | None = None,
    *,
    warehouse: str = "wh",
    sku: str = "A",
) -> StockSet:
    return StockSet(
        warehouse=warehouse,
        sku=sku,
        on_hand=on_hand,
        compare_on_hand=on_hand_before,
        compare_version=version_before,
    )


def transfer(
    quantity: int = 1, source: str = "wh", destination: str = "far", sku: str = "A"
) -> StockTransfer:
    return StockTransfer(source=source, destination=destination, sku=sku, quantity=quantity)


REFUSED: dict[str, tuple[StockCommand, str]] = {
    "receive in an unknown warehouse": (receive("z"), "UNKNOWN_FUNCTIONAL_WAREHOUSE"),
    "adjust in an unknown warehouse": (adjust(warehouse="z"), "UNKNOWN_FUNCTIONAL_WAREHOUSE"),
    "set in an unknown warehouse": (set_to(1, 0, warehouse="z"), "UNKNOWN_FUNCTIONAL_WAREHOUSE"),
    "move from an unknown warehouse": (transfer(source="z"), "UNKNOWN_FUNCTIONAL_WAREHOUSE"),
    "move to an unknown warehouse": (transfer(destination="z"), "UNKNOWN_FUNCTIONAL_WAREHOUSE"),
    "receive an unknown SKU": (receive(sku="Z"), "UNKNOWN_SKU"),
    "adjust an unknown SKU": (adjust(sku="Z"), "UNKNOWN_SKU"),
    "set an unknown SKU": (set_to(1, 0, sku="Z"), "UNKNOWN_SKU"),
    "move an unknown SKU": (transfer(sku="Z"), "UNKNOWN_SKU"),
    "receive 0": (receive(quantity=0), "INVALID_QUANTITY"),
    "receive less than 0": (receive(quantity=-1), "INVALID_QUANTITY"),
    "receive too much": (receive(quantity=QUANTITY_MAX + 1), "INVALID_QUANTITY"),
    "receive beyond what a level holds": (receive(quantity=QUANTITY_MAX - 4), "INVALID_QUANTITY"),
    "adjust by 0": (adjust(0), "INVALID_QUANTITY"),
    "adjust too far up": (adjust(QUANTITY_MAX + 1), "INVALID_QUANTITY"),
    "adjust too far down": (adjust(-QUANTITY_MAX - 1), "INVALID_QUANTITY"),
    "adjust beyond what a level holds": (adjust(QUANTITY_MAX - 4), "INVALID_QUANTITY"),
    "set to less than 0": (set_to(-1, 5), "INVALID_QUANTITY"),
    "set too high": (set_to(QUANTITY_MAX + 1, 5), "INVALID_QUANTITY"),
    "move 0": (transfer(0), "INVALID_QUANTITY"),
    "move less than 0": (transfer(-1), "INVALID_QUANTITY"),
    "move too much": (transfer(QUANTITY_MAX + 1), "INVALID_QUANTITY"),
    "adjust without a reason": (adjust(1, ""), "REASON_MISSING"),
    "adjust with a blank reason": (adjust(-1, " \t\n"), "REASON_MISSING"),
    "adjust with a long reason": (adjust(1, "x" * (REASON_LENGTH_MAX + 1)), "INVALID_REASON"),
    "adjust with a reason that cannot be kept": (adjust(1, "a\0b"), "INVALID_REASON"),
    "set blindly": (set_to(1), "STOCK_CHANGED"),
    "set from another value": (set_to(1, 4), "STOCK_CHANGED"),
    "set from another version": (set_to(1, None, 1), "STOCK_CHANGED"),
    "set from the right value at another version": (set_to(1, 5, 1), "STOCK_CHANGED"),
    "set from another value at the right version": (set_to(1, 4, 2), "STOCK_CHANGED"),
    "move more than is free": (transfer(3), "NOT_ENOUGH_TO_MOVE"),
    "move from an empty level": (transfer(1, "far", "wh"), "NOT_ENOUGH_TO_MOVE"),
    "move within a warehouse": (transfer(1, "wh", "wh"), "SAME_WAREHOUSE"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_command_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    command, code = REFUSED[name]
    async with refused(still_admin, code) as seen:
        await change(still, ready_world.brand, command)
    assert seen.error.args[0]


@pytest.mark.parametrize("wrong", [set_to(1, 4), set_to(1, None, 1)], ids=["value", "version"])
async def test_who_compared_wrongly_is_told_what_there_is(
    still: Database, ready_world: World, wrong: StockSet
) -> None:
    with pytest.raises(StockChanged) as raised:
        await change(still, ready_world.brand, wrong)
    assert (raised.value.on_hand, raised.value.version) == (5, 2)


@pytest.mark.parametrize(
    ("command", "available"), [(transfer(3), 2), (transfer(1, "far", "wh"), 0)]
)
async def test_who_moves_too_much_is_told_what_is_free(
    still: Database, ready_world: World, command: StockTransfer, available: int
) -> None:
    with pytest.raises(NotEnoughToMove) as raised:
        await change(still, ready_world.brand, command)
    assert (raised.value.requested, raised.value.available) == (command.quantity, available)


COMMANDS = (receive(), adjust(), set_to(1, 5), transfer())
READERS = ("dealer", "other_dealer", "store", "group")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("who", READERS)
async def test_who_may_only_read_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str, command: StockCommand
) -> None:
    principal: Principal = getattr(ready_world, who)
    assert Permission.STOCK_WRITE in principal.permissions
    async with refused(still_admin, "WRITE_REFUSED"):
        await change(still, principal, command)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
async def test_who_lacks_the_permission_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, command: StockCommand
) -> None:
    brand = ready_world.brand
    others = brand.permissions - {Permission.STOCK_WRITE}
    without = Principal(
        tenant_id=brand.tenant_id, kind=brand.kind, subject=brand.subject, permissions=others
    )
    async with refused(still_admin, "PERMISSION_MISSING"):
        await change(still, without, command)


async def test_another_brands_warehouse_is_unknown(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "UNKNOWN_FUNCTIONAL_WAREHOUSE"):
        await change(still, ready_world.other_brand, receive("far"))
