from collections.abc import Sequence

from core_ext.limits import MAX_PARCELS
from core_ext.policy import Term

class Policy:
    """A compiled policy; immutable.

    `terms` are `core_ext.policy.Term`s with multipliers already packed. `filters` has rows of
    `node_count` bytes, 1 for a node an order may use. `max_nodes` (1 to 10) bounds the nodes over
    which quantities are split, `max_parcels` (10 to 64) the parcels of a large order. ValueError
    if a
    part is out of range or the worst total cost of `max_parcels` parcels needs more than 127 bits.
    """

    def __init__(
        self,
        node_count: int,
        place_count: int,
        terms: Sequence[Term],
        filters: bytes = b"",
        max_nodes: int = 3,
        max_parcels: int = MAX_PARCELS,
    ) -> None: ...
    @property
    def node_count(self) -> int: ...
    @property
    def place_count(self) -> int: ...
    @property
    def terms(self) -> tuple[Term, ...]: ...
    @property
    def filters(self) -> bytes: ...
    @property
    def filter_count(self) -> int: ...
    @property
    def max_nodes(self) -> int: ...
    @property
    def max_parcels(self) -> int: ...
