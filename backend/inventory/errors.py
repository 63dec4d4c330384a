"""Refusals of the stock centre."""

from backend.db.errors import YipanError
from backend.inventory.model import Level


class UnknownWarehouse(YipanError):
    """There is no functional warehouse with this code; see the query functionalWarehouses."""

    code = "UNKNOWN_FUNCTIONAL_WAREHOUSE"


class InvalidQuantity(YipanError):
    """A quantity here is a whole number from 1 to 1,000,000,000."""

    code = "INVALID_QUANTITY"


class ReasonMissing(YipanError):
    """An adjustment needs a reason: say what happened to the goods."""

    code = "REASON_MISSING"


class InvalidReason(YipanError):
    """A reason, or a receipt's number, has at most 200 printable characters."""

    code = "INVALID_REASON"


class StockChanged(YipanError):
    """The level is not what you compared with; read it again and decide anew."""

    code = "STOCK_CHANGED"

    def __init__(self, level: Level | None) -> None:
        super().__init__()
        self.on_hand = 0 if level is None else level.on_hand
        self.version = 0 if level is None else level.version


class NotEnoughToMove(YipanError):
    """A transfer moves free units only, and there are fewer than asked for."""

    code = "NOT_ENOUGH_TO_MOVE"

    def __init__(self, requested: int, available: int) -> None:
        super().__init__(f"{type(self).__doc__} (Asked for {requested}, free are {available}.)")
        self.requested = requested
        self.available = available


class SameWarehouse(YipanError):
    """A transfer needs two different functional warehouses."""

    code = "SAME_WAREHOUSE"


class OwnerFixed(YipanError):
    """Only the brand changes whose goods they are; set them apart among your own."""

    code = "OWNER_FIXED"
