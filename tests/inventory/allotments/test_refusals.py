"""Commands on allotments that are refused: with a code, and without a trace."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from backend.db.commands import KEY_LENGTH_MAX
from backend.db.pool import Database
from backend.inventory.allotments import model
from backend.inventory.allotments.errors import AllotmentChanged
from backend.inventory.allotments.model import AllotmentLine, AllotmentOwner
from backend.inventory.allotments.set_allotments import set_allotments
from backend.inventory.change_stock import REASON_LENGTH_MAX
from backend.inventory.model import QUANTITY_MAX
from tenants.principal import Permission, Principal
from tests.catalogue import Connection
from tests.inventory.allotments.allotting import DEALERS, end_, line_of, owner_of, set_
from tests.refusals import refused
from tests.world import World

A = line_of("shop", 1)
LONG = "r" * (REASON_LENGTH_MAX + 1)
UNKNOWN_DEALER = AllotmentLine(sku="A", dealer="z", quantity=1)
NOBODYS = AllotmentLine(sku="A", quantity=1)
BOTHS = AllotmentLine(sku="A", shop="dshop", dealer="d1", quantity=1)
OLD = line_of("shop", 9, compare_version=1)

SET: dict[str, tuple[Sequence[AllotmentLine], str]] = {
    "nothing": ((), "INVALID_ALLOTMENT"),
    "too many": ([A] * (model.LINES_MAX + 1), "INVALID_ALLOTMENT"),
    "one twice": ((A, line_of("shop", 2)), "INVALID_ALLOTMENT"),
    "a dealer's twice": ((line_of(DEALERS, 1), line_of(DEALERS, 1)), "INVALID_ALLOTMENT"),
    "nobody's": ((NOBODYS,), "INVALID_ALLOTMENT"),
    "a shop's and a dealer's": ((BOTHS,), "INVALID_ALLOTMENT"),
    "less than 0": ((line_of("shop", -1),), "INVALID_QUANTITY"),
    "too many units": ((line_of("shop", QUANTITY_MAX + 1),), "INVALID_QUANTITY"),
    "a long reason": ((line_of("shop", 1, reason=LONG),), "INVALID_REASON"),
    "a reason of two lines": ((line_of("shop", 1, reason="a\nb"),), "INVALID_REASON"),
    "an unknown SKU": ((line_of("shop", 1, "Z"),), "UNKNOWN_SKU"),
    "an unknown shop": ((line_of("z", 1),), "UNKNOWN_SHOP"),
    "an unknown dealer": ((UNKNOWN_DEALER,), "UNKNOWN_DEALER"),
    "an earlier version": ((OLD,), "ALLOTMENT_CHANGED"),
    "a later version": ((line_of("shop", 9, compare_version=3),), "ALLOTMENT_CHANGED"),
    "a new one that is there": ((line_of("shop", 9, compare_version=0),), "ALLOTMENT_CHANGED"),
    "a new one that has ended": (
        (line_of("shop", 9, "B", compare_version=0),),
        "ALLOTMENT_CHANGED",
    ),
    "one that is not there": ((line_of("dshop", 9, compare_version=1),), "ALLOTMENT_CHANGED"),
    "one good and one unknown": ((A, line_of("z", 1)), "UNKNOWN_SHOP"),
    "one good and one changed": ((line_of("dshop", 1), OLD), "ALLOTMENT_CHANGED"),
}
END: dict[str, tuple[Sequence[AllotmentOwner], str]] = {
    "nothing": ((), "INVALID_ALLOTMENT"),
    "too many": ([owner_of("shop")] * (model.LINES_MAX + 1), "INVALID_ALLOTMENT"),
    "one twice": ((owner_of("shop"), owner_of("shop")), "INVALID_ALLOTMENT"),
    "nobody's": ((AllotmentOwner(sku="A"),), "INVALID_ALLOTMENT"),
    "one that is not there": ((owner_of("dshop"),), "UNKNOWN_ALLOTMENT"),
    "one that has ended": ((owner_of("shop", "B"),), "UNKNOWN_ALLOTMENT"),
    "one good and one that has ended": (
        (owner_of("shop"), owner_of("shop", "B")),
        "UNKNOWN_ALLOTMENT",
    ),
    "an unknown SKU": ((owner_of("shop", "Z"),), "UNKNOWN_SKU"),
    "an unknown shop": ((owner_of("z"),), "UNKNOWN_SHOP"),
    "an unknown dealer": ((AllotmentOwner(sku="A", dealer="z"),), "UNKNOWN_DEALER"),
}


@pytest.mark.parametrize("name", SET)
async def test_what_cannot_be_set_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    lines, code = SET[name]
    async with refused(still_admin, code) as seen:
        await set_(still, ready_world.brand, *lines)
    assert seen.error.args[0]


@pytest.mark.parametrize("name", END)
async def test_what_cannot_be_ended_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    owners, code = END[name]
    async with refused(still_admin, code):
        await end_(still, ready_world.brand, *owners)


async def test_who_compares_is_told_the_version(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "ALLOTMENT_CHANGED") as seen:
        await set_(still, ready_world.brand, line_of("dshop", 1), OLD)
    assert isinstance(seen.error, AllotmentChanged)
    assert (seen.error.version, seen.error.path) == (2, ("allotments", 1, "compareVersion"))


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_who_may_only_read_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str
) -> None:
    principal: Principal = getattr(ready_world, who)
    async with refused(still_admin, "WRITE_REFUSED"):
        await set_(still, principal, line_of("dshop", 1))
    async with refused(still_admin, "WRITE_REFUSED"):
        await end_(still, principal, owner_of(DEALERS))


async def test_who_lacks_the_permission_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    brand = ready_world.brand
    without = replace(brand, permissions=brand.permissions - {Permission.STOCK_WRITE})
    async with refused(still_admin, "PERMISSION_MISSING"):
        await set_(still, without, A)
    async with refused(still_admin, "PERMISSION_MISSING"):
        await end_(still, without, owner_of("shop"))


async def test_another_brands_shop_has_its_own(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "UNKNOWN_ALLOTMENT"):
        await end_(still, ready_world.other_brand, owner_of("shop"))


@pytest.mark.parametrize("key", ["", "k" * (KEY_LENGTH_MAX + 1), "a\nb"])
async def test_a_bad_key_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, key: str
) -> None:
    async with (
        refused(still_admin, "INVALID_IDEMPOTENCY_KEY"),
        still.tenant_transaction(ready_world.brand) as tx,
    ):
        await set_allotments(tx, [A], key=key)
