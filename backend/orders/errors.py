"""Refusals of the order centre."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from backend.db.errors import YipanError
from backend.orders.installations.model import Installation


class ShortLine(NamedTuple):
    """A SKU of which there was too little."""

    sku: str
    requested: int
    available: int


class OrderRefused(YipanError):
    """The order was not placed."""

    code = "ORDER_REFUSED"

    @property
    def detail(self) -> dict[str, Any]:
        """What the caller needs beside the message."""
        return {}


class InsufficientStock(OrderRefused):
    """There is not enough stock for the whole order; order less, or ask for a partial order."""

    code = "INSUFFICIENT_STOCK"

    def __init__(self, lines: Sequence[ShortLine]) -> None:
        super().__init__()
        self.lines = tuple(lines)

    @property
    def detail(self) -> dict[str, Any]:
        return {"lines": [line._asdict() for line in self.lines]}


class NoStrategy(OrderRefused):
    """No strategy of the brand's routing policy takes this order."""

    code = "NO_ROUTING_STRATEGY"


class NoNode(OrderRefused):
    """No node may serve this order within the limits of the routing policy."""

    code = "NO_NODE"


class NoAppointment(OrderRefused):
    """Nobody delivers all of it, or installs it, at that time; see the times of deliveryPromise."""

    code = "NO_APPOINTMENT"


class InvalidOrder(OrderRefused):
    """The order is not well-formed; the message says what to correct."""

    code = "INVALID_ORDER"


class AmountsDoNotAddUp(OrderRefused):
    """The total is not what lines, discounts, freight and fees add up to; correct one of them."""

    code = "AMOUNTS_DO_NOT_ADD_UP"

    def __init__(self, total_minor: int, sum_minor: int) -> None:
        super().__init__(f"The total is {total_minor}, but the parts add up to {sum_minor}.")
        self.total_minor = total_minor
        self.sum_minor = sum_minor

    @property
    def detail(self) -> dict[str, Any]:
        return {"totalMinor": self.total_minor, "sumMinor": self.sum_minor}


class AddressUnresolved(OrderRefused):
    """The address leads to no region; give a region code, or province, city and district."""

    code = "ADDRESS_UNRESOLVED"


class NoPickup(OrderRefused):
    """Orders of this shop cannot be fetched there; choose another location."""

    code = "NO_PICKUP"

    def __init__(self, location: str) -> None:
        message = f"Orders of this shop cannot be fetched at {location!r}; choose another location."
        super().__init__(message, path=("pickup",))


class OrderConflict(OrderRefused):
    """An order with this key or external id exists with other content; nothing was changed."""

    code = "ORDER_CONFLICT"


class NotAuthorised(OrderRefused):
    """You may no longer place orders here: the agreement, the user or the key has ended."""

    code = "NOT_AUTHORISED"


class TooBusy(OrderRefused):
    """Too many orders are waiting; try again after the time given."""

    code = "TOO_BUSY"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds

    @property
    def detail(self) -> dict[str, Any]:
        return {"retryAfterSeconds": self.retry_after_seconds}


class UnknownOrder(OrderRefused):
    """There is no such order among those that you may see."""

    code = "UNKNOWN_ORDER"


class UnknownFulfilment(OrderRefused):
    """There is no such fulfilment that still stands, among those of your nodes."""

    code = "UNKNOWN_FULFILMENT"


class WrongFulfilmentState(OrderRefused):
    """The fulfilment does not stand where this may be done; read it again."""

    code = "FULFILMENT_STATE"

    def __init__(self, status: str) -> None:
        super().__init__(f"The fulfilment is {status}; this may not be done to it now.")
        self.status = status

    @property
    def detail(self) -> dict[str, Any]:
        return {"status": self.status}


class OrderHeld(OrderRefused):
    """The order waits for a person; resolve its holds first."""

    code = "ORDER_HELD"


class OrderChanged(OrderRefused):
    """The order has changed since you saw it; look at it again, and decide again."""

    code = "ORDER_CHANGED"

    def __init__(self, version: int) -> None:
        super().__init__(f"The order has changed since: its version is {version} now. Look again.")
        self.version = version


class InvalidEdit(OrderRefused):
    """The order cannot be changed like this; the message says why."""

    code = "INVALID_EDIT"


class OrderFetched(OrderRefused):
    """The customer fetches this order: the store accepts it, has it ready and hands it over."""

    code = "ORDER_FETCHED"


class OrderSent(OrderRefused):
    """This order is sent: nobody fetches it."""

    code = "ORDER_SENT"


class InterceptPending(OrderRefused):
    """Somebody asked to stop this order; answer that first."""

    code = "INTERCEPT_PENDING"


class InvalidHold(OrderRefused):
    """The order cannot be held like this; the message says what to correct."""

    code = "INVALID_HOLD"


class UnknownHold(OrderRefused):
    """The order has no open hold with this number."""

    code = "UNKNOWN_HOLD"


class HoldClaimed(OrderRefused):
    """Somebody else has this hold in hand; wait, or ask them."""

    code = "HOLD_CLAIMED"

    def __init__(self, claimed_by: str) -> None:
        super().__init__(f"{claimed_by} has this hold in hand; wait, or ask them.")
        self.claimed_by = claimed_by


class InvalidShortage(OrderRefused):
    """More is reported missing than is to be sent, or nothing; the message says of which line."""

    code = "INVALID_SHORTAGE"


class NothingToPay(OrderRefused):
    """Nothing is to be paid for this order: it is paid, cancelled, or not to be paid in two."""

    code = "NOTHING_TO_PAY"


class WrongAmount(OrderRefused):
    """Not what is to be paid for the order as it is now; the message says what is."""

    code = "WRONG_AMOUNT"


class NothingToCancel(OrderRefused):
    """There are not that many units in this line with which no node has begun."""

    code = "NOTHING_TO_CANCEL"


class NothingToInstall(YipanError):
    """Nothing of this order is installed, or nobody was booked for it."""

    code = "NOTHING_TO_INSTALL"


class NotArrived(YipanError):
    """What is installed has not come yet: note its delivery first, or agree on a time for both."""

    code = "NOT_ARRIVED"


class InvalidReport(YipanError):
    """The report of a visit does not say what it must; the message says what is missing."""

    code = "INVALID_REPORT"


class InstallationChanged(YipanError):
    """The installation is not where this command takes it from, or not as you saw it."""

    code = "INSTALLATION_CHANGED"

    def __init__(self, installation: Installation) -> None:
        now = f"{installation.status} (version {installation.version})"
        super().__init__(f"It is {now} now; look, and decide again.")
        self.installation = installation
