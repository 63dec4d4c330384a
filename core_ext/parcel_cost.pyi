from array import array
from collections.abc import Sequence

from core_ext.policy import Limits, Term

class Policy:
    """A compiled policy, which may get more places and classes of goods.

    `terms` are `core_ext.policy.Term`s with multipliers already packed. `filters` has rows of
    `node_count` bytes, 1 for a node an order may use. ValueError if a part is out of range or the
    worst total cost of `limits.max_parcels` parcels needs more than 127 bits.
    """

    def __init__(
        self,
        node_count: int,
        place_count: int,
        terms: Sequence[Term],
        filters: bytes = b"",
        limits: Limits = ...,
        goods_count: int = 0,
    ) -> None: ...
    def grow(
        self, place_count: int, goods_count: int, terms: Sequence[Term], filters: bytes
    ) -> None:
        """Take over longer tables: the places and classes of goods that there were stay as they
        are, and so do the kinds and numbers of the terms. No plan may be under way.

        ValueError where the tables do not fit; then nothing has changed.
        """
    def set_node_values(self, index: int, values: array[int]) -> None:
        """Give the NODE term of an index other values, one a node. No plan may be under way.

        ValueError where it is no NODE term or the values do not fit; then nothing has changed.
        """
    @property
    def node_count(self) -> int: ...
    @property
    def place_count(self) -> int: ...
    @property
    def goods_count(self) -> int: ...
    @property
    def terms(self) -> tuple[Term, ...]: ...
    @property
    def filters(self) -> bytes: ...
    @property
    def filter_count(self) -> int: ...
    @property
    def limits(self) -> Limits: ...
