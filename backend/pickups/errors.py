"""Refusals of the handing over of orders."""

from datetime import datetime

from backend.db.errors import YipanError
from backend.pickups.model import Pickup


class InvalidPickupInput(YipanError):
    """The command is not well-formed; the message says what to correct."""

    code = "INVALID_PICKUP_INPUT"


class UnknownPickup(YipanError):
    """There is no such order that is fetched at a location of yours."""

    code = "UNKNOWN_PICKUP"


class PickupChanged(YipanError):
    """The order is not where this command takes it from, or not as you saw it: see how it stands
    now, and decide again."""

    code = "PICKUP_CHANGED"

    def __init__(self, pickup: Pickup) -> None:
        message = f"It is {pickup.status} (version {pickup.version}) now; look, and decide again."
        super().__init__(message)
        self.pickup = pickup


class NothingThere(YipanError):
    """What the customer wants to fetch waits for stock, or for a person: nothing is there yet."""

    code = "NOTHING_THERE"


class NothingToGather(YipanError):
    """The order waits for nothing that is not on its way to its store already."""

    code = "NOTHING_TO_GATHER"


class WrongPickupCode(YipanError):
    """This code does not open the order: it is wrong, revoked, used or of another store."""

    code = "WRONG_PICKUP_CODE"


class PickupLocked(YipanError):
    """Too many wrong codes; wait until the time given, or show the QR code."""

    code = "PICKUP_LOCKED"

    def __init__(self, locked_until: datetime) -> None:
        super().__init__(f"Too many wrong codes; try again after {locked_until:%H:%M:%S} UTC.")
        self.locked_until = locked_until


class TooManyCodes(YipanError):
    """The order has had as many codes as an order may have."""

    code = "TOO_MANY_PICKUP_CODES"
