"""Refusals of the product centre."""

from backend.db.errors import YipanError


class UnknownSku(YipanError):
    """There is no active SKU with this code; create it first, or correct the code."""

    code = "UNKNOWN_SKU"

    def __init__(self, sku: str, *, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(f"There is no active SKU {sku!r}.", path=path)
        self.sku = sku


class InvalidSku(YipanError):
    """A SKU needs a code of 1 to 64 characters without spaces at its ends, and a name."""

    code = "INVALID_SKU"
