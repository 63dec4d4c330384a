"""Reading the files of the online retailer: one gzipped CSV file a month."""

import csv
import gzip
import io
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from loadtests.errors import NotTheData

COLUMNS = (
    "InvoiceNo", "StockCode", "Description", "Quantity",
    "InvoiceDate", "UnitPrice", "CustomerID", "Country",
)  # fmt: skip
TIME_ZONE = ZoneInfo("Europe/London")
LINES_MAX = 2_000_000
"""Lines that a replay holds in memory, at about 0.5 kB each: ten times the six months we know."""


class InvoiceKind(StrEnum):
    """What an invoice is, by the letter before its number."""

    SALE = ""
    CANCELLATION = "C"
    ADJUSTMENT = "A"
    """Bookkeeping, such as a bad debt written off."""


_KINDS = {kind.value: kind for kind in InvoiceKind}


class RetailLine(msgspec.Struct, frozen=True):
    """A line of an invoice; `raw` is the line as it stands in the file."""

    file: str
    number: int
    raw: tuple[str, ...]
    quantity: int
    price: Decimal
    ordered_at: datetime

    @property
    def invoice(self) -> str:
        return self.raw[0]

    @property
    def sku(self) -> str:
        """The stock code; the files write the letters of a code both large and small."""
        return self.raw[1].strip().upper()

    @property
    def description(self) -> str:
        return self.raw[2].strip()

    @property
    def customer(self) -> str:
        """The customer's number, or an empty text; `17850.0` is 17850."""
        return self.raw[6].strip().removesuffix(".0")

    @property
    def country(self) -> str:
        return self.raw[7]

    @property
    def kind(self) -> InvoiceKind | None:
        """What its invoice is; None for a number that is none."""
        letter = self.invoice[:1] if self.invoice[:1].isalpha() else ""
        return _KINDS.get(letter) if self.invoice[len(letter) :].isdigit() else None


class UnreadableLine(msgspec.Struct, frozen=True):
    """A line whose quantity, price or time cannot be read, or that lacks a column."""

    file: str
    number: int
    raw: tuple[str, ...]


def read_lines(folder: Path) -> list[RetailLine | UnreadableLine]:
    """Return every line of the folder's files, in the order of their names.

    Raises NotTheData where there is no such file, one has other columns, or there are too many.
    """
    paths = sorted(folder.glob("*.csv.gz"))
    if not paths:
        raise NotTheData(f"There is no file *.csv.gz in {folder}.")
    lines: list[RetailLine | UnreadableLine] = []
    for path in paths:
        lines.extend(_read_file(path))
        if len(lines) > LINES_MAX:
            raise NotTheData(f"The files in {folder} have more than {LINES_MAX:,} lines.")
    return lines


def _read_file(path: Path) -> Iterator[RetailLine | UnreadableLine]:
    try:
        with gzip.open(path, "rb") as packed:
            reader = csv.reader(io.TextIOWrapper(packed, "utf-8-sig", newline=""))
            if tuple(next(reader, ())) != COLUMNS:
                raise NotTheData(f"The columns of {path} are not {', '.join(COLUMNS)}.")
            for number, row in enumerate(reader, 2):
                yield _line(path.name, number, tuple(map(sys.intern, row)))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise NotTheData(f"{path} cannot be read: {error}") from error


def _line(file: str, number: int, raw: tuple[str, ...]) -> RetailLine | UnreadableLine:
    if len(raw) != len(COLUMNS) or not raw[1].strip():
        return UnreadableLine(file, number, raw)
    try:
        quantity, price, ordered_at = int(raw[3]), _price(raw[5]), _time(raw[4])
    except (ValueError, InvalidOperation):
        return UnreadableLine(file, number, raw)
    return RetailLine(file, number, raw, quantity, price, ordered_at)


@lru_cache(maxsize=4_096)
def _price(text: str) -> Decimal:
    price = Decimal(text)
    if not price.is_finite():
        raise ValueError(text)
    return price


@lru_cache(maxsize=4_096)
def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TIME_ZONE)
