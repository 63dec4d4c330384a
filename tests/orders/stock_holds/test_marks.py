"""Orders without a hold are known by the marks that they had before there were holds."""

from typing import Any

import pytest

from backend.db.commands import fingerprint
from backend.orders.model import AddressDraft, LineDraft, OrderDraft

BEFORE = "88e047625775a805332dea3d00b394c5"


def order(**changes: Any) -> OrderDraft:
    return OrderDraft(
        shop="s",
        address=AddressDraft(detail="x", region_code=310104),
        lines=(LineDraft("A", 1, 5),),
        external_id="x",
        is_paid=True,
        **changes,
    )


def test_a_platforms_order_that_comes_again_after_an_update_is_the_same() -> None:
    assert fingerprint(order()).hex() == BEFORE


@pytest.mark.parametrize("hold", [1, 2])
def test_which_hold_it_takes_over_is_part_of_an_order(hold: int) -> None:
    assert fingerprint(order(hold=hold)) not in (fingerprint(order()), fingerprint(order(hold=3)))
