"""Refusals of the after-sales centre."""

from backend.after_sales.model import Exchange, Refund, Repair, Return, TradeIn
from backend.db.errors import YipanError


def _now(status: str, version: int) -> str:
    return f"It is {status} (version {version}) now; look, and decide again."


class InvalidAfterSalesInput(YipanError):
    """The command is not well-formed; the message says what to correct."""

    code = "INVALID_AFTER_SALES_INPUT"


class UnknownReturn(YipanError):
    """There is no such request that you may see, or work on at a location of yours."""

    code = "UNKNOWN_RETURN"


class ReturnChanged(YipanError):
    """The request is not where this command takes it from, or not as you saw it."""

    code = "RETURN_CHANGED"

    def __init__(self, request: Return) -> None:
        super().__init__(_now(request.status, request.version))
        self.request = request


class TooManyReturned(YipanError):
    """More units than the customer has of this line, less what is sent back already."""

    code = "TOO_MANY_RETURNED"


class NotReturnable(YipanError):
    """The rules do not let this be sent back; the message says which."""

    code = "NOT_RETURNABLE"


class NoPlaceForReturns(YipanError):
    """The location has no functional warehouse for what is to be done; create one."""

    code = "NO_PLACE_FOR_RETURNS"


class UnknownExchange(YipanError):
    """Nothing is exchanged for this request, or you may not see it."""

    code = "UNKNOWN_EXCHANGE"


class ExchangeChanged(YipanError):
    """The exchange is not where this command takes it from, or not as you saw it."""

    code = "EXCHANGE_CHANGED"

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(_now(exchange.status, exchange.version))
        self.exchange = exchange


class ExchangeRefused(YipanError):
    """What is wanted instead cannot be ordered; the message says why. Nothing comes back."""

    code = "EXCHANGE_REFUSED"


class AlreadySent(YipanError):
    """What replaces it has left, or its node works on it; let it come back, or stop it, first."""

    code = "ALREADY_SENT"


class UnknownRefund(YipanError):
    """There is no such refund that you may see."""

    code = "UNKNOWN_REFUND"


class RefundChanged(YipanError):
    """The refund is not where this command takes it from, or not as you saw it."""

    code = "REFUND_CHANGED"

    def __init__(self, refund: Refund) -> None:
        super().__init__(_now(refund.status, refund.version))
        self.refund = refund


class NothingToRefund(YipanError):
    """Nothing is left of what was paid for this order: all of it is paid back, or owed."""

    code = "NOTHING_TO_REFUND"


class UnknownRepair(YipanError):
    """There is no such repair that you may see, or work on at a location of yours."""

    code = "UNKNOWN_REPAIR"


class RepairChanged(YipanError):
    """The repair is not where this command takes it from, or not as you saw it."""

    code = "REPAIR_CHANGED"

    def __init__(self, repair: Repair) -> None:
        super().__init__(_now(repair.status, repair.version))
        self.repair = repair


class UnknownTradeIn(YipanError):
    """There is no such trade-in that you may see, or work on at a location of yours."""

    code = "UNKNOWN_TRADE_IN"


class TradeInRefused(YipanError):
    """Nothing is given for an old unit here; the message says why."""

    code = "TRADE_IN_REFUSED"


class TradeInChanged(YipanError):
    """The trade-in is not where this command takes it from, or not as you saw it."""

    code = "TRADE_IN_CHANGED"

    def __init__(self, trade_in: TradeIn) -> None:
        super().__init__(_now(trade_in.status, trade_in.version))
        self.trade_in = trade_in
