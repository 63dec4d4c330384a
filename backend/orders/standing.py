"""How an order stands that is about to be added to."""

from collections.abc import Sequence
from typing import NamedTuple

from backend.db.pool import Record
from backend.orders.model import LineOutcome, OrderStatus


class Counts:
    """How many fulfilments, reservations, decisions and events an order has, and who adds some."""

    __slots__ = ("actor", "decisions", "events", "fulfilments", "reservations")

    def __init__(
        self,
        events: int = 0,
        fulfilments: int = 0,
        reservations: int = 0,
        decisions: int = 0,
        actor: str | None = None,
    ) -> None:
        self.events, self.fulfilments = events, fulfilments
        self.reservations, self.decisions = reservations, decisions
        self.actor = actor


class ShipTo(NamedTuple):
    """To whom and where: what a fulfilment copies for its node."""

    name: str
    phone: str
    region_code: int | None
    address: str


class Standing(NamedTuple):
    """How an order that waits stands, read under its lock."""

    status: OrderStatus
    is_held: bool
    counts: Counts
    lines: Sequence[LineOutcome]
    ship_to: ShipTo


def standing_of(order: Record, lines: Sequence[LineOutcome], *, is_held: bool) -> Standing:
    """Return how the order of a row stands, with its lines."""
    counts = Counts(
        order["event_sequence"],
        order["fulfilment_count"],
        order["reservation_count"],
        order["decision_count"],
    )
    ship_to = ShipTo(
        order["buyer_name"], order["buyer_phone"], order["region_code"], order["address"]
    )
    return Standing(OrderStatus(order["status"]), is_held, counts, lines, ship_to)
