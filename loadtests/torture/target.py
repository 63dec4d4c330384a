"""The order that commands are played on."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from backend.db.pool import Database
from backend.orders.move_fulfilments import FulfilmentKey
from backend.orders.place_orders import OrderIntake
from tenants.principal import Principal

SKU, OTHER_SKU = "A", "B"
"""What the first fulfilment of an order sends, and what a second one, of another node, does."""
NEAR, SPARE, FAR = "near", "spare", "far"
"""The nodes; customers fetch orders at the first two."""


class Target(NamedTuple):
    """The order that it happens to, whose first fulfilment is of a node."""

    key: FulfilmentKey
    node_id: int
    principal: Principal
    token: str = "."
    """What opens it, where it may be fetched."""
    intake: OrderIntake | None = None
    """Where what replaces it is ordered."""


Command = Callable[[Database, Target, str], Awaitable[Any]]
"""Does it under an idempotency key, through a door; returns what there is to publish, or nothing.

Raises YipanError where it may not.
"""
