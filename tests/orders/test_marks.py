"""Orders are known by the marks that they had before there was more for an order to say."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from backend.channels.model import Shop
from backend.orders.model import (
    AddressDraft,
    Appointment,
    FeeDraft,
    LineDraft,
    OrderDraft,
    Shortage,
)
from backend.orders.normalise import keys_of
from backend.routing.traits import OrderTraits
from tenants.principal import system_principal

SHOP = Shop(
    id=1,
    code="s",
    name="s",
    channel="tmall",
    dealer_id=None,
    legal_entity_id=None,
    is_active=True,
)
BEFORE = "88e047625775a805332dea3d00b394c5"


def mark(**changes: Any) -> str:
    """Return the mark of an order."""
    draft = OrderDraft(
        shop="s",
        address=AddressDraft(detail="x", region_code=310104),
        lines=(LineDraft("A", 1, 5),),
        external_id="x",
        is_paid=True,
        **changes,
    )
    (key,) = keys_of(draft, system_principal(1, "test"), SHOP)
    return key.fingerprint.hex()


def test_a_platforms_order_that_comes_again_after_an_update_is_the_same() -> None:
    assert mark() == BEFORE


SAID: dict[str, tuple[dict[str, Any], str]] = {
    "a time": (
        {"ordered_at": datetime(2026, 11, 11, tzinfo=UTC)},
        "cea102610972072a30bc4924d4694935",
    ),
    "a time without a zone": (
        {"ordered_at": datetime(2026, 11, 11)},
        "75c10e972d8a8888b1d6431f6837a14f",
    ),
    "a hold": ({"hold": 1}, "9eadf5d3cf265e4f12c674650e28d4e9"),
    "traits": (
        {"traits": OrderTraits(order_type="normal", promised_on=date(2026, 11, 12), tags=("a",))},
        "552f71869eced82eb1ccebc3ea7ff737",
    ),
    "a shortage": ({"shortage": Shortage.PARTIAL}, "a59a08b447c027403c78453dfb12239d"),
    "a fee": (
        {"total_minor": 5, "remark": "r", "fees": (FeeDraft("post", 5),)},
        "c01b2674753aae55e6a4a97e3eb185e3",
    ),
}
"""What an order may say beside what all do, and the mark that it had when all said less."""


@pytest.mark.parametrize("name", SAID)
def test_what_else_it_says_has_the_mark_that_it_had(name: str) -> None:
    changes, before = SAID[name]
    assert mark(**changes) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"hold": 1},
        {"hold": 2},
        {"appointment": Appointment(date(2030, 1, 31), 540, 720)},
        {"appointment": Appointment(date(2030, 1, 31), 540, 721)},
    ],
)
def test_what_it_says_is_part_of_an_order(changes: dict[str, Any]) -> None:
    other = {"hold": 3} if "hold" in changes else {"appointment": Appointment(date.max, 0, 1)}
    assert mark(**changes) not in (mark(), mark(**other))
