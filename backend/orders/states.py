"""The state machine of orders, as data: the only way in which a status comes about.

A status is derived from the units of the lines; the table says which step may follow which, and is
proved complete when the module is loaded.
"""

from collections.abc import Iterable

from backend.orders.model import LineOutcome, OrderStatus

START = None

TRANSITIONS: dict[OrderStatus | None, frozenset[OrderStatus]] = {
    START: frozenset(OrderStatus) - {OrderStatus.CANCELLED},
    OrderStatus.HELD: frozenset(OrderStatus),
    OrderStatus.BACKORDERED: frozenset(
        {
            OrderStatus.BACKORDERED,
            OrderStatus.PARTIALLY_ALLOCATED,
            OrderStatus.ALLOCATED,
            OrderStatus.CANCELLED,
        }
    ),
    OrderStatus.PARTIALLY_ALLOCATED: frozenset(
        {
            OrderStatus.BACKORDERED,
            OrderStatus.PARTIALLY_ALLOCATED,
            OrderStatus.ALLOCATED,
            OrderStatus.CANCELLED,
        }
    ),
    OrderStatus.ALLOCATED: frozenset(
        {
            OrderStatus.HELD,
            OrderStatus.BACKORDERED,
            OrderStatus.PARTIALLY_ALLOCATED,
            OrderStatus.ALLOCATED,
            OrderStatus.CANCELLED,
        }
    ),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.COMPLETE: frozenset(),
}
FINAL = frozenset({OrderStatus.CANCELLED, OrderStatus.COMPLETE})


def derive_status(lines: Iterable[LineOutcome], *, is_held: bool) -> OrderStatus:
    """Return the status that open holds and the units of an order's lines add up to."""
    reserved = backordered = held = cancelled = 0
    for line in lines:
        reserved += line.reserved
        backordered += line.backordered
        held += line.held
        cancelled += line.cancelled
    is_cancelled = cancelled > 0 and not reserved + backordered + held
    if held or (is_held and not is_cancelled):
        return OrderStatus.HELD
    if backordered:
        return OrderStatus.PARTIALLY_ALLOCATED if reserved else OrderStatus.BACKORDERED
    if reserved:
        return OrderStatus.ALLOCATED
    return OrderStatus.CANCELLED if is_cancelled else OrderStatus.COMPLETE


def check_step(before: OrderStatus | None, after: OrderStatus) -> OrderStatus:
    """Return `after`; a step that the table does not know is our own mistake."""
    assert after in TRANSITIONS[before], f"an order cannot go from {before} to {after}"
    return after


def check_table() -> None:
    """Every state is reachable, and every state that is not final has a way out."""
    reached: set[OrderStatus] = set()
    frontier = set(TRANSITIONS[START])
    while frontier:
        reached |= frontier
        frontier = {after for before in frontier for after in TRANSITIONS[before]} - reached
    assert reached == set(OrderStatus), f"unreachable: {set(OrderStatus) - reached}"
    for state in set(OrderStatus) - FINAL:
        assert TRANSITIONS[state] - {state}, f"no way out of {state}"


check_table()
