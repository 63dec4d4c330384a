"""Every state machine there is; a centre with one of its own joins here."""

from backend.after_sales.states import EXCHANGE, REFUND, REPAIR, RETURN, TRADE_IN
from backend.fulfilment.collections.states import COLLECTION
from backend.orders.installations.states import INSTALLATION
from backend.orders.states import FULFILMENT, LINE, ORDER
from backend.pickups.states import PICKUP

MACHINES = (
    ORDER,
    LINE,
    FULFILMENT,
    PICKUP,
    RETURN,
    REFUND,
    EXCHANGE,
    REPAIR,
    TRADE_IN,
    COLLECTION,
    INSTALLATION,
)
