"""The state machine of collections: the only ways to their statuses."""

from backend.fulfilment.collections.model import CollectionStatus as C
from backend.machines import START, Machine, step
from tenants.principal import Permission

_ASK = Permission.ORDERS_CANCEL
_OPEN = [C.ASKED, C.REFUSED, C.BOOKED, C.MISSED]

COLLECTION = Machine(
    "collection",
    "上门取件",
    C,
    [C.ARRIVED, C.CANCELLED],
    [
        step("ask", [START], [C.ASKED], by=_ASK, event="collection.changed"),
        step("change_time", _OPEN, [C.ASKED], by=_ASK, event="collection.changed"),
        step("book", [C.ASKED], [C.BOOKED], event="collection.changed"),
        step("refuse", [C.ASKED], [C.REFUSED], event="collection.changed"),
        step("miss", [C.BOOKED], [C.MISSED], event="collection.changed"),
        step("collect", _OPEN, [C.COLLECTED], event="collection.changed"),
        step("trouble", [C.COLLECTED], [C.COLLECTED], event="collection.changed"),
        step("arrive", [*_OPEN, C.COLLECTED], [C.ARRIVED], event="collection.changed"),
        step("call_off", _OPEN, [C.CANCELLED], by=_ASK, event="collection.changed"),
    ],
)
