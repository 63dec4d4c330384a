"""The reservation kernel in plain Python: what the compiled one must do."""

from __future__ import annotations

from array import array

from core_ext.results import Reservations


def reserve(
    free: array[int], order_offsets: array[int], counter: array[int], quantity: array[int]
) -> Reservations:
    """Same guarantees as `core_ext.reservation.reserve`."""
    _check_rows(len(free), order_offsets, counter, quantity)
    orders = len(order_offsets) - 1
    result = Reservations(
        accepted=bytearray(orders),
        failed_row=array("i", [-1]) * orders,
        left=array("q", [0]) * orders,
        taken=array("q", [0]) * len(free),
    )
    for order in range(orders):
        rest = {c: free[c] - result.taken[c] for c in counter}
        before = dict(rest)
        for row in range(order_offsets[order], order_offsets[order + 1]):
            if rest[counter[row]] < quantity[row]:
                result.failed_row[order] = row
                result.left[order] = before[counter[row]]
                break
            rest[counter[row]] -= quantity[row]
        else:
            result.accepted[order] = 1
            for c in rest:
                result.taken[c] = free[c] - rest[c]
    return result


def give_back(
    taken: array[int],
    order_offsets: array[int],
    counter: array[int],
    quantity: array[int],
    chosen: bytes | bytearray,
) -> array[int]:
    """Same guarantees as `core_ext.reservation.give_back`."""
    _check_rows(len(taken), order_offsets, counter, quantity)
    if len(chosen) != len(order_offsets) - 1:
        raise ValueError(f"{len(chosen)} choices for {len(order_offsets) - 1} orders")
    rest = array("q", taken)
    for order, choice in enumerate(chosen):
        for row in range(order_offsets[order], order_offsets[order + 1]) if choice else ():
            if rest[counter[row]] < quantity[row]:
                raise ValueError(f"row {row} gives back more than was taken of its counter")
            rest[counter[row]] -= quantity[row]
    return rest


def _check_rows(
    counters: int, order_offsets: array[int], counter: array[int], quantity: array[int]
) -> None:
    rows = len(counter)
    if len(order_offsets) < 1 or len(quantity) != rows:
        raise ValueError("order_offsets is empty or counter and quantity differ in length")
    if order_offsets[0] != 0 or order_offsets[-1] != rows:
        raise ValueError(f"order_offsets must run from 0 to {rows}")
    for i in range(len(order_offsets) - 1):
        if order_offsets[i] > order_offsets[i + 1]:
            raise ValueError(f"order_offsets falls after order {i}")
    for row in range(rows):
        if not 0 <= counter[row] < counters:
            raise ValueError(f"there is no counter {counter[row]}")
        if quantity[row] < 1:
            raise ValueError(f"a quantity of {quantity[row]} is out of range")
