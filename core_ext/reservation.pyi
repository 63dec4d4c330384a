from array import array

from core_ext.results import Reservations

def reserve(
    free: array[int], order_offsets: array[int], counter: array[int], quantity: array[int]
) -> Reservations:
    """Accept or refuse each order in turn against the counters; `free` is not changed.

    An order is accepted if, after all accepted orders before it, every one of its counters has what
    its rows ask for together. ValueError for shapes, counters or quantities out of range.
    """

def give_back(
    taken: array[int],
    order_offsets: array[int],
    counter: array[int],
    quantity: array[int],
    chosen: bytes | bytearray,
) -> array[int]:
    """`taken` without the orders whose byte in `chosen` is not 0; the arguments are not changed.

    ValueError for shapes, counters or quantities out of range, and if a counter would fall below
    zero, which means that more is given back than was taken.
    """
