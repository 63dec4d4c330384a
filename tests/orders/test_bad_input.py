"""What cannot be an order is refused with a reason, and leaves nothing behind."""

from typing import Any

import msgspec
import pytest

from backend.orders.model import LINES_MAX, QUANTITY_MAX, AddressDraft, FeeDraft, LineDraft
from backend.runtime import Runtime
from tests.orders.checks import facts, refused
from tests.world import World, draft, receive

NOWHERE = AddressDraft(detail="x", region_path=("Atlantis",))
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown SKU": ({"lines": (LineDraft("Z", 1),)}, "UNKNOWN_SKU"),
    "unknown shop": ({"shop": "nope"}, "UNKNOWN_SHOP"),
    "quantity 0": ({"lines": (LineDraft("A", 0),)}, "INVALID_ORDER"),
    "negative quantity": ({"lines": (LineDraft("A", -1),)}, "INVALID_ORDER"),
    "too many units": ({"lines": (LineDraft("A", QUANTITY_MAX + 1),)}, "INVALID_ORDER"),
    "no lines": ({"lines": ()}, "INVALID_ORDER"),
    "too many lines": ({"lines": (LineDraft("A", 1),) * (LINES_MAX + 1)}, "INVALID_ORDER"),
    "negative price": ({"lines": (LineDraft("A", 1, -1),)}, "INVALID_ORDER"),
    "discount above price": ({"lines": (LineDraft("A", 1, 5, 6),)}, "INVALID_ORDER"),
    "order discount": ({"order_discount_minor": 10**9}, "INVALID_ORDER"),
    "negative freight": ({"freight_minor": -1}, "INVALID_ORDER"),
    "wrong total": ({"total_minor": 1}, "AMOUNTS_DO_NOT_ADD_UP"),
    "address": ({"address": NOWHERE}, "ADDRESS_UNRESOLVED"),
    "no key": ({"idempotency_key": None}, "INVALID_ORDER"),
    "empty key": ({"idempotency_key": ""}, "INVALID_ORDER"),
    "long remark": ({"remark": "x" * 501}, "INVALID_ORDER"),
    "NUL": ({"remark": "a\x00b"}, "INVALID_ORDER"),
    "huge fee": ({"fees": (FeeDraft("POST", 10**16),)}, "INVALID_ORDER"),
    "paid without number": ({"is_paid": True}, "INVALID_ORDER"),
    "same SKU twice": ({"lines": (LineDraft("A", 3), LineDraft("A", 3))}, "INSUFFICIENT_STOCK"),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_changes_nothing(runtime: Runtime, world: World, name: str) -> None:
    changes, code = BAD[name]
    await receive(runtime.database, world.brand, "wh", "A", 5)
    before = await facts(runtime, world)
    order = msgspec.structs.replace(draft(), **changes)
    outcome = refused(await runtime.intake.place(order, world.brand), code)
    assert outcome.message
    assert await facts(runtime, world) == before


async def test_a_dealer_sells_in_its_own_shop_only(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    before = await facts(runtime, world)
    for shop in ("shop", "dshop2"):
        refused(await runtime.intake.place(draft(shop=shop), world.dealer), "UNKNOWN_SHOP")
    refused(await runtime.intake.place(draft(), world.store), "UNKNOWN_SHOP")
    assert await facts(runtime, world) == before


async def test_an_order_beside_a_bad_one_passes(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    good, bad = draft(), draft({"Z": 1})
    outcomes = await runtime.intake.place_many([bad, good, bad], world.brand)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Refused", "Placed", "Refused"]
