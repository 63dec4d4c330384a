"""The state machine of handing over: the only way to the status of a pickup."""

from backend.machines import START, Machine, step
from backend.pickups.model import PickupStatus as P
from tenants.principal import Permission

_WORK, _PLACE, _CANCEL = (
    Permission.FULFILMENT_WRITE,
    Permission.ORDERS_PLACE,
    Permission.ORDERS_CANCEL,
)
OPEN = (P.ASKED, P.ACCEPTED, P.REJECTED, P.READY)

PICKUP = Machine(
    "pickup",
    "到店自提",
    P,
    [P.HANDED_OVER, P.EXPIRED, P.CANCELLED],
    [
        step("ask", [START], [P.ASKED], by=_PLACE, stock="reserved", event="pickup.asked"),
        step("accept", [P.ASKED], [P.ACCEPTED], by=_WORK, event="pickup.accepted"),
        step(
            "reject",
            [P.ASKED, P.ACCEPTED],
            [P.REJECTED],
            by=_WORK,
            stock="released",
            event="pickup.rejected",
        ),
        step("make_ready", [P.ASKED, P.ACCEPTED], [P.READY], by=_WORK, event="pickup.ready"),
        step("keep", [P.READY], [P.READY], by=_WORK, event="pickup.kept"),
        step(
            "hand_over",
            [P.READY],
            [P.HANDED_OVER, P.ASKED],
            by=_WORK,
            stock="shipped, released",
            event="pickup.handed_over",
        ),
        step("expire", [P.READY], [P.EXPIRED, P.ASKED], stock="released", event="pickup.expired"),
        step("gather", [P.ASKED, P.ACCEPTED], [P.ASKED, P.ACCEPTED], event="pickup.gathered"),
        step("choose", [START, P.SENT], [P.ASKED], by=_PLACE, event="pickup.moved"),
        step(
            "move",
            OPEN,
            [P.ASKED, P.SENT],
            by=_PLACE,
            stock="released",
            event="pickup.moved",
        ),
        step(
            "cancel",
            OPEN,
            [P.CANCELLED],
            by=_CANCEL,
            stock="released",
            event="order.cancelled",
        ),
    ],
)
