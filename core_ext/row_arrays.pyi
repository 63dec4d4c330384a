from collections.abc import Sequence

TYPES: frozenset[int]

class RowArray:
    def __init__(self, row_type: int, field_types: Sequence[int]) -> None: ...
    def encode(self, rows: Sequence[tuple[object, ...]]) -> bytes: ...
