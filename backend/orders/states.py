"""The state machines of orders, their units and their fulfilments: the only ways to a status.

An order's status is derived from the units of its lines and from its holds; a line's units move
with the fulfilment that they belong to.
"""

from collections.abc import Iterable
from typing import NamedTuple

from backend.machines import START, Machine, step
from backend.orders.model import FulfilmentStatus as F
from backend.orders.model import LineOutcome, OrderStatus
from backend.orders.model import OrderStatus as O
from tenants.principal import Permission

_CANCEL, _PLACE = Permission.ORDERS_CANCEL, Permission.ORDERS_PLACE
_WORK, _STOCK = Permission.FULFILMENT_WRITE, Permission.STOCK_WRITE
_TO_COME = (O.HELD, O.BACKORDERED, O.PARTIALLY_ALLOCATED, O.ALLOCATED)
_AT_NODES = (O.IN_FULFILMENT, O.PARTIALLY_SHIPPED)

ORDER = Machine(
    "order",
    "订单",
    OrderStatus,
    [O.CANCELLED, O.COMPLETE, O.DELIVERED],
    [
        step(
            "place",
            [START],
            [*_TO_COME, O.COMPLETE],
            by=_PLACE,
            stock="reserved",
            event="order.placed",
        ),
        step(
            "allocate",
            [O.BACKORDERED, O.PARTIALLY_ALLOCATED],
            [O.BACKORDERED, O.PARTIALLY_ALLOCATED, O.ALLOCATED, *_AT_NODES],
            stock="reserved",
            event="order.allocated",
        ),
        step(
            "edit",
            [*_TO_COME, *_AT_NODES],
            [*_TO_COME, *_AT_NODES],
            by=_PLACE,
            stock="released",
            event="order.edited",
        ),
        step(
            "hold",
            [*_TO_COME, *_AT_NODES],
            [O.HELD, *_AT_NODES],
            by=_CANCEL,
            event="order.held",
        ),
        step(
            "release_hold",
            [O.HELD],
            [*_TO_COME, *_AT_NODES, O.SHIPPED, O.COMPLETE],
            by=_PLACE,
            event="order.hold_released",
        ),
        step(
            "set_appointment",
            [O.ALLOCATED, *_AT_NODES],
            [O.ALLOCATED, *_AT_NODES],
            by=_PLACE,
            stock="slots",
            event="order.appointment_set",
        ),
        step(
            "reroute",
            [O.ALLOCATED],
            [O.ALLOCATED],
            stock="released, reserved",
            event="order.rerouted",
        ),
        step(
            "report_shortage",
            [O.HELD, O.PARTIALLY_ALLOCATED, O.ALLOCATED, *_AT_NODES],
            [O.HELD, O.BACKORDERED, O.PARTIALLY_ALLOCATED],
            by=_STOCK,
            stock="released, adjusted",
            event="fulfilment.short",
        ),
        step(
            "release",
            [O.PARTIALLY_ALLOCATED, O.ALLOCATED, *_AT_NODES],
            [O.PARTIALLY_ALLOCATED, *_AT_NODES],
            by=_WORK,
            event="fulfilment.released",
        ),
        step(
            "ship",
            [O.HELD, O.PARTIALLY_ALLOCATED, *_AT_NODES],
            [O.HELD, O.PARTIALLY_ALLOCATED, O.PARTIALLY_SHIPPED, O.SHIPPED],
            by=_WORK,
            stock="shipped",
            event="fulfilment.shipped",
        ),
        step(
            "deliver",
            [O.HELD, O.PARTIALLY_ALLOCATED, O.PARTIALLY_SHIPPED, O.SHIPPED],
            [O.HELD, O.PARTIALLY_ALLOCATED, O.PARTIALLY_SHIPPED, O.SHIPPED, O.DELIVERED],
            by=_WORK,
            event="fulfilment.delivered",
        ),
        step(
            "refuse",
            [O.HELD, O.PARTIALLY_ALLOCATED, O.PARTIALLY_SHIPPED, O.SHIPPED],
            [O.HELD, O.PARTIALLY_ALLOCATED, O.PARTIALLY_SHIPPED, O.SHIPPED, O.DELIVERED],
            by=_WORK,
            event="fulfilment.refused",
        ),
        step(
            "cancel",
            [*_TO_COME, *_AT_NODES],
            [*_TO_COME, *_AT_NODES, O.SHIPPED, O.DELIVERED, O.CANCELLED],
            by=_CANCEL,
            stock="released",
            event="order.cancelled",
        ),
        step(
            "intercept",
            [O.HELD, O.PARTIALLY_ALLOCATED, *_AT_NODES],
            [*_TO_COME, *_AT_NODES, O.SHIPPED, O.DELIVERED, O.CANCELLED],
            by=_WORK,
            stock="released",
            event="fulfilment.intercepted",
        ),
    ],
)

LINE = Machine(
    "line_unit",
    "订单行",
    ["held", "backordered", "reserved", "at_node", "shipped", "delivered", "cancelled"],
    ["delivered", "cancelled"],
    [
        step(
            "place",
            [START],
            ["held", "backordered", "reserved", "cancelled"],
            by=_PLACE,
            stock="reserved",
            event="order.placed",
        ),
        step("resolve", ["held"], ["backordered"], by=_PLACE, event="order.hold_released"),
        step("add", [START], ["backordered"], by=_PLACE, event="order.edited"),
        step("allocate", ["backordered"], ["reserved"], stock="reserved", event="order.allocated"),
        step(
            "give_up",
            ["reserved", "at_node"],
            ["backordered", "held"],
            by=_PLACE,
            stock="released",
            event="order.edited",
        ),
        step("release", ["reserved"], ["at_node"], by=_WORK, event="fulfilment.released"),
        step(
            "ship", ["at_node"], ["shipped"], by=_WORK, stock="shipped", event="fulfilment.shipped"
        ),
        step("deliver", ["shipped"], ["delivered"], by=_WORK, event="fulfilment.delivered"),
        step("refuse", ["shipped"], ["delivered"], by=_WORK, event="fulfilment.refused"),
        step(
            "report_shortage",
            ["reserved", "at_node"],
            ["backordered"],
            by=_STOCK,
            stock="released, adjusted",
            event="fulfilment.short",
        ),
        step(
            "cancel",
            ["held", "backordered", "reserved"],
            ["cancelled"],
            by=_CANCEL,
            stock="released",
            event="order.cancelled",
        ),
        step(
            "intercept",
            ["at_node"],
            ["cancelled"],
            by=_WORK,
            stock="released",
            event="fulfilment.intercepted",
        ),
    ],
)

_AT_NODE = (F.RELEASED, F.PICKING, F.PICKED, F.PACKED)
NOT_GONE = frozenset({F.RESERVED, *_AT_NODE})
"""Where a fulfilment stands whose units are still in the node's stock."""
FULFILMENT = Machine(
    "fulfilment",
    "发货单",
    F,
    [F.CANCELLED, F.DELIVERED],
    [
        step("create", [START], [F.RESERVED], stock="reserved", event="fulfilment.created"),
        step("change", [F.RESERVED], [F.RESERVED], event="fulfilment.changed"),
        step("release", [F.RESERVED], [F.RELEASED], by=_WORK, event="fulfilment.released"),
        step("start_picking", [F.RELEASED], [F.PICKING], by=_WORK, event="fulfilment.picking"),
        step("pick", [F.PICKING], [F.PICKED], by=_WORK, event="fulfilment.picked"),
        step("pack", [F.PICKED], [F.PACKED], by=_WORK, event="fulfilment.packed"),
        step(
            "ship", [F.PACKED], [F.SHIPPED], by=_WORK, stock="shipped", event="fulfilment.shipped"
        ),
        step("deliver", [F.SHIPPED], [F.DELIVERED], by=_WORK, event="fulfilment.delivered"),
        step("refuse", [F.SHIPPED], [F.DELIVERED], by=_WORK, event="fulfilment.refused"),
        step(
            "cancel",
            [F.RESERVED],
            [F.CANCELLED],
            by=_CANCEL,
            stock="released",
            event="fulfilment.cancelled",
        ),
        step(
            "report_shortage",
            [F.RESERVED, F.RELEASED, F.PICKING],
            [F.RESERVED, F.RELEASED, F.PICKING, F.CANCELLED],
            by=_STOCK,
            stock="released, adjusted",
            event="fulfilment.short",
        ),
        step(
            "intercept",
            _AT_NODE,
            [F.CANCELLED],
            by=_WORK,
            stock="released",
            event="fulfilment.intercepted",
        ),
    ],
)


class Units(NamedTuple):
    """How the units of an order stand, all its lines together."""

    reserved: int = 0
    backordered: int = 0
    held: int = 0
    cancelled: int = 0
    at_node: int = 0
    shipped: int = 0
    delivered: int = 0


def derive_status(lines: Iterable[LineOutcome], *, is_held: bool) -> OrderStatus:
    """Return the status that open holds and the units of an order's lines add up to."""
    reserved = backordered = held = cancelled = at_node = shipped = delivered = 0
    for line in lines:
        reserved += line.reserved
        backordered += line.backordered
        held += line.held
        cancelled += line.cancelled
        at_node += line.at_node
        shipped += line.shipped
        delivered += line.delivered
    units = Units(reserved, backordered, held, cancelled, at_node, shipped, delivered)
    return status_of(units, is_held=is_held)


def status_of(units: Units, *, is_held: bool) -> OrderStatus:
    """Return the status that open holds and the units of an order add up to.

    A hold holds what no node has begun with; what is at a node is recalled by an intercept.
    """
    reserved, backordered, held, cancelled, at_node, shipped, delivered = units
    gone = shipped + delivered
    is_to_come = bool(reserved + backordered + held)
    if held or (is_held and (is_to_come or not cancelled + at_node + gone)):
        return OrderStatus.HELD
    if backordered:
        is_part = bool(reserved + at_node + gone)
        return OrderStatus.PARTIALLY_ALLOCATED if is_part else OrderStatus.BACKORDERED
    if reserved + at_node:
        if gone:
            return OrderStatus.PARTIALLY_SHIPPED
        return OrderStatus.IN_FULFILMENT if at_node else OrderStatus.ALLOCATED
    if shipped:
        return OrderStatus.SHIPPED
    if delivered:
        return OrderStatus.DELIVERED
    return OrderStatus.CANCELLED if cancelled else OrderStatus.COMPLETE


def check_step(before: str, after: OrderStatus) -> OrderStatus:
    """Return `after`; a step that the machine does not know is our own mistake.

    To stand where it stood is none.
    """
    assert before == after or ORDER.allows(before, after), (
        f"an order cannot go from {before} to {after}"
    )
    return after
