"""Arrays of rows as parameters: encoded by the core, where it is compiled.

The driver asks of each row whether it is an array, and looks up how each of its fields is encoded;
a batch of 500 orders has a hundred thousand of them (`docs/decisions/0024-row-arrays.md`).
"""

from collections.abc import Iterable
from typing import Any

import asyncpg

from backend.db.sql import load_queries

try:
    from core_ext.row_arrays import TYPES, RowArray
except ImportError:  # then the driver encodes them, and `core_ext` has said what that costs
    TYPES, RowArray = frozenset(), None  # type: ignore[misc, assignment]

SQL = load_queries(__file__)


class RowArrayConnection(asyncpg.Connection):
    """A connection whose arrays of rows (`$1::new_order[]`) the core encodes.

    `set_type_codec` takes scalar types only; what it does for one is done here for arrays.
    """

    _protocol: Any

    async def encode_row_arrays(self) -> None:
        """Take the encoding of each array of a row type `new_…` over from the driver."""
        if RowArray is None:
            return
        settings = self._protocol.get_settings()
        for name, array_type, row_type, field_types in await self._row_types():
            if TYPES.issuperset(field_types):
                encode = RowArray(row_type, field_types).encode
                settings.add_python_codec(
                    array_type, name, "public", [], "scalar", encode, _not_read, "binary"
                )

    async def _row_types(self) -> Iterable[Any]:
        rows: Iterable[Any] = await self.fetch(SQL.row_arrays.text)
        return rows


def _not_read(data: bytes) -> object:
    raise TypeError("arrays of rows are passed, never read")
