"""What the planner, the reservation kernel and the availability engine answer."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from enum import IntEnum


class Status(IntEnum):
    """How an order came out of the planner."""

    PLANNED = 0
    """Everything has a node."""
    SHORT = 1
    """A part has a node; the rest is in `short`."""
    UNPLACED = 2
    """Nothing was taken."""


class Reason(IntEnum):
    """Why an order is not whole; tells about `failed_row`."""

    NONE = 0
    NOT_ENOUGH = 1
    """All allowed nodes together have less than the quantity."""
    NOT_WHOLE = 2
    """No single allowed node has the quantity, and the order may not split it."""
    TOO_MANY_NODES = 3
    """The policy's `max_nodes` or `max_parcels` cannot hold it."""
    TOO_SMALL = 4
    """A parcel, or what would be left, is worth less than the policy's `least_value`."""


@dataclass(frozen=True, slots=True)
class Plans:
    """Plans of a batch; n orders and r demand rows as in `Demand`, a allocations.

    | field | shape, dtype | meaning |
    | status | n, bytearray | `Status` |
    | proved | n, bytearray | 1: no policy that placed something could do so for less |
    | reason | n, bytearray | `Reason` of failed_row |
    | failed_row | n, 'i' | first demand row that is short, -1 if none |
    | policy | n, 'i' | first policy of the chain that placed anything, -1 if none did |
    | costs | 2n, 'Q' | low and high half of that policy's packed cost; see `cost` |
    | lower_bounds | 2n, 'Q' | no plan for the quantities it placed costs less |
    | runner_up_nodes | n, 'i' | best single node outside its plan for the same quantities |
    | runner_up_costs | 2n, 'Q' | what it would cost |
    | allocation_offsets | n + 1, 'i' | allocations of order k, by turn, demand row, node, source |
    | allocation_demand | a, 'i' | demand row |
    | allocation_policy | a, 'i' | the policy that placed it |
    | allocation_node | a, 'i' | node |
    | allocation_source | a, 'i' | source at that node |
    | allocation_quantity | a, 'q' | units, 1 or more |
    | short | r, 'q' | units asked for and not placed |
    | available | r, 'q' | units free at all allowed nodes when it was this order's turn |
    | book_position | int | `StockBook.position` the plans were made from |

    An order that is UNPLACED has cost 0, bound 0, runner-up -1 and is not `proved`.
    """

    status: bytearray
    proved: bytearray
    reason: bytearray
    failed_row: array[int]
    policy: array[int]
    costs: array[int]
    lower_bounds: array[int]
    runner_up_nodes: array[int]
    runner_up_costs: array[int]
    allocation_offsets: array[int]
    allocation_demand: array[int]
    allocation_policy: array[int]
    allocation_node: array[int]
    allocation_source: array[int]
    allocation_quantity: array[int]
    short: array[int]
    available: array[int]
    book_position: int

    def cost(self, order: int) -> int:
        """Packed cost of the order's plan."""
        return _joined(self.costs, order)

    def lower_bound(self, order: int) -> int:
        """Packed cost below which no plan can be; the cost itself where `proved`."""
        return _joined(self.lower_bounds, order)

    def runner_up_node(self, order: int) -> int:
        """Best single node outside the plan that could take the same quantities, or -1."""
        return self.runner_up_nodes[order]

    def runner_up_cost(self, order: int) -> int:
        """Packed cost at the runner-up, -1 if there is none."""
        if self.runner_up_nodes[order] < 0:
            return -1
        return _joined(self.runner_up_costs, order)


@dataclass(frozen=True, slots=True)
class Reservations:
    """Which orders of a batch got all their counters; n orders, c counters.

    | field | shape, dtype | meaning |
    | accepted | n, bytearray | 1: all rows of the order were taken; 0: none |
    | failed_row | n, 'i' | first row that found its counter short, -1 if accepted |
    | left | n, 'q' | what that counter had left before the order's own rows, 0 if accepted |
    | taken | c, 'q' | units taken of each counter by all accepted orders |
    """

    accepted: bytearray
    failed_row: array[int]
    left: array[int]
    taken: array[int]


@dataclass(frozen=True, slots=True)
class Derivation:
    """How the numbers of one SKU come about; C classes, L links, V vertices as in `PoolGraph`.

    | field | shape, dtype | meaning |
    | class_units | C, 'q' | units that the sources of the class have free, unweighted |
    | class_offered | C, 'q' | units that they offer: weighted, rounded down |
    | quantity | L, 'q' | units that the link draws from, before reserve and ratio |
    | flow | L, 'q' | units that flow |
    | bound | V, 'q' | units that all classes that reach the vertex offer together |
    | flows_in | V, 'q' | units that flow in, some perhaps over several paths |
    | pool_part | V, 'q' | the smaller of flows_in and bound |
    | floor | V, 'q' | units of it that are kept back |
    | earmarks | V, 'q' | units set aside for the vertex or one above it |
    | cap | V, 'q' | most units that may be shown, -1 for no cap |
    | number | V, 'q' | units that may be offered: pool_part - floor + earmarks, at most the cap |

    Of each source at most `COUNTED_MOST` units count.
    """

    class_units: array[int]
    class_offered: array[int]
    quantity: array[int]
    flow: array[int]
    bound: array[int]
    flows_in: array[int]
    pool_part: array[int]
    floor: array[int]
    earmarks: array[int]
    cap: array[int]
    number: array[int]


def _joined(halves: array[int], index: int) -> int:
    return halves[2 * index] | halves[2 * index + 1] << 64
