"""The state machines of what customers send and are paid: the only ways to their statuses."""

from backend.after_sales.model import ExchangeStatus as E
from backend.after_sales.model import RefundStatus as F
from backend.after_sales.model import RepairStatus as P
from backend.after_sales.model import ReturnStatus as R
from backend.after_sales.model import TradeInStatus as T
from backend.machines import START, Machine, step
from tenants.principal import Permission

_ASK, _WORK = Permission.ORDERS_CANCEL, Permission.FULFILMENT_WRITE
_PLACE = Permission.ORDERS_PLACE

RETURN = Machine(
    "return",
    "售后单",
    R,
    [R.CLOSED, R.REJECTED, R.CANCELLED],
    [
        step(
            "request",
            [START],
            [R.REQUESTED, R.APPROVED, R.CLOSED],
            by=_ASK,
            event="return.requested",
        ),
        step("approve", [R.REQUESTED], [R.APPROVED, R.CLOSED], by=_ASK, event="return.changed"),
        step("reject", [R.REQUESTED], [R.REJECTED], by=_ASK, event="return.changed"),
        step(
            "cancel",
            [R.REQUESTED, R.APPROVED, R.SENT_BACK],
            [R.CANCELLED],
            by=_ASK,
            event="return.changed",
        ),
        step("send_back", [R.APPROVED], [R.SENT_BACK], by=_ASK, event="return.changed"),
        step(
            "receive",
            [R.APPROVED, R.SENT_BACK],
            [R.RECEIVED],
            by=_WORK,
            stock="returned",
            event="return.received",
        ),
        step(
            "inspect",
            [R.RECEIVED],
            [R.CLOSED],
            by=_WORK,
            stock="condition_changed, adjusted",
            event="return.inspected",
        ),
    ],
)
REFUND = Machine(
    "refund",
    "退款",
    F,
    [F.PAID, F.WAIVED],
    [
        step("owe", [START], [F.DUE], event="refund.due"),
        step("keep", [F.DUE], [F.KEPT], event="refund.changed"),
        step("exchange", [F.DUE, F.KEPT], [F.DUE, F.PAID], event="refund.changed"),
        step("let_go", [F.KEPT], [F.DUE], by=_ASK, event="refund.changed"),
        step("ask", [F.DUE, F.FAILED], [F.ASKED], by=_ASK, event="refund.changed"),
        step("pay", [F.DUE, F.ASKED, F.FAILED], [F.PAID], by=_ASK, event="refund.changed"),
        step("fail", [F.ASKED], [F.FAILED], by=_ASK, event="refund.changed"),
        step("waive", [F.DUE, F.FAILED], [F.WAIVED], by=_ASK, event="refund.changed"),
    ],
)
EXCHANGE = Machine(
    "exchange",
    "换货",
    E,
    [E.DONE, E.CANCELLED],
    [
        step("ask", [START], [E.ASKED], by=_ASK, event="return.requested"),
        step(
            "order", [E.ASKED], [E.WAITING], by=_PLACE, stock="reserved", event="exchange.changed"
        ),
        step(
            "settle",
            [E.ASKED, E.WAITING],
            [E.UNPAID, E.DONE, E.CANCELLED],
            event="exchange.changed",
        ),
        step("pay", [E.UNPAID], [E.DONE], by=_ASK, event="exchange.changed"),
        step("waive", [E.UNPAID], [E.DONE], by=_ASK, event="exchange.changed"),
        step(
            "drop",
            [E.ASKED, E.WAITING, E.UNPAID],
            [E.CANCELLED],
            by=_ASK,
            stock="released",
            event="exchange.changed",
        ),
    ],
)
REPAIR = Machine(
    "repair",
    "维修单",
    P,
    [P.CLOSED, P.CANCELLED],
    [
        step("request", [START], [P.REQUESTED], by=_ASK, event="repair.changed"),
        step("cancel", [P.REQUESTED], [P.CANCELLED], by=_ASK, event="repair.changed"),
        step("receive", [P.REQUESTED], [P.RECEIVED], by=_WORK, event="repair.changed"),
        step(
            "quote",
            [P.RECEIVED, P.QUOTED],
            [P.QUOTED, P.ACCEPTED],
            by=_WORK,
            event="repair.changed",
        ),
        step("accept", [P.QUOTED], [P.ACCEPTED], by=_ASK, event="repair.changed"),
        step("decline", [P.QUOTED], [P.DECLINED], by=_ASK, event="repair.changed"),
        step("finish", [P.ACCEPTED], [P.REPAIRED], by=_WORK, event="repair.changed"),
        step("send_home", [P.REPAIRED, P.DECLINED], [P.CLOSED], by=_WORK, event="repair.changed"),
    ],
)
TRADE_IN = Machine(
    "trade_in",
    "以旧换新单",
    T,
    [T.PAID, T.CLOSED, T.CANCELLED],
    [
        step("promise", [START], [T.PROMISED], by=_PLACE, event="trade_in.changed"),
        step(
            "cancel",
            [T.PROMISED, T.COLLECTED],
            [T.CANCELLED],
            by=_ASK,
            event="trade_in.changed",
        ),
        step("collect", [T.PROMISED], [T.COLLECTED], event="trade_in.changed"),
        step(
            "receive",
            [T.PROMISED, T.COLLECTED],
            [T.RECEIVED],
            by=_WORK,
            event="trade_in.changed",
        ),
        step(
            "grade",
            [T.RECEIVED, T.GRADED],
            [T.GRADED, T.CREDITED],
            by=_WORK,
            event="trade_in.changed",
        ),
        step("accept", [T.GRADED], [T.CREDITED], by=_ASK, event="trade_in.changed"),
        step("decline", [T.GRADED], [T.DECLINED], by=_ASK, event="trade_in.changed"),
        step("send_home", [T.DECLINED], [T.CLOSED], by=_WORK, event="trade_in.changed"),
        step("pay", [T.CREDITED], [T.PAID], by=_ASK, event="trade_in.changed"),
    ],
)
