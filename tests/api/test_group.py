"""Groups read across their brands, and change nothing in any of them."""

from typing import Any

import pytest

from backend.orders.model import AddressDraft, Placed
from graphql_schema.paging import id_of
from tests.api.client import Api
from tests.catalogue import Connection, contents
from tests.inventory.pools.living import Living
from tests.world import fresh_key, paid

ANSWER = "... on UserError { code } ... on PermissionDenied { permission }"
COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "orderCancel": ("OrderCancelInput", {}),
    "orderHoldRelease": ("OrderHoldReleaseInput", {"holdNo": 1}),
    "orderAppointmentSet": (
        "OrderAppointmentSetInput",
        {"appointment": {"day": "2099-01-01", "fromMinute": 0, "toMinute": 60}},
    ),
}


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_group_changes_no_order(
    api: Api, live: Living, admin: Connection, command: str
) -> None:
    held = paid("x", {"A": 1}, address=AddressDraft(detail="x", region_code=7))
    order = await live.runtime.intake.place(held, live.brand)
    assert isinstance(order, Placed)
    await live.warm()
    kind, given = COMMANDS[command]
    query = f"mutation ($input: {kind}!) {{ {command}(input: $input) {{ {ANSWER} }} }}"
    asked = {"idempotencyKey": fresh_key(), "orderId": id_of("Order", order.order_id), **given}
    before = await contents(admin)
    answer = (await api.data(query, live.world.group, input=asked))[command]
    assert answer == {"code": "WRITE_REFUSED"}
    assert await contents(admin) == before
