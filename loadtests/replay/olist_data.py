"""The files of Olist: orders with their items, and the places in Brazil that they name."""

import csv
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from backend.network.model import Region
from backend.network.regions.table import RegionTable
from loadtests.errors import NotTheData

FILES = ("orders", "order_items", "order_payments", "customers", "products", "sellers")
COLUMNS = ("order_id", "order_item_id", "product_id", "seller_id")
MINOR_PER_UNIT = 100

Row = dict[str, str]


class OlistLine(msgspec.Struct, frozen=True):
    """An item as it was read."""

    file: str
    number: int
    raw: tuple[str, ...]
    row: Row


class Sale(NamedTuple):
    """An order with its items, and where it goes."""

    row: Row
    items: list[OlistLine]
    region_code: int | None
    city: str

    def by_seller(self) -> dict[str, list[OlistLine]]:
        """Return its items by their seller."""
        found: dict[str, list[OlistLine]] = {}
        for item in self.items:
            found.setdefault(item.row["seller_id"], []).append(item)
        return found


class Data(NamedTuple):
    """Everything that a replay needs of the files."""

    sales: list[Sale]
    orphans: list[OlistLine]
    """Items whose order is not there."""
    products: dict[str, Row]
    sellers: dict[str, Row]
    paid_minor: dict[str, int]


class Places:
    """Municipalities of Brazil by state and by name without accents."""

    def __init__(self, regions: RegionTable) -> None:
        self._states = {
            region.name: region
            for region in regions.by_code.values()
            if region.country == "BR" and region.level == 1
        }
        names = {state.code: name for name, state in self._states.items()}
        self._cities = {
            (names[region.parent_code], plain(region.name)): region
            for region in regions.by_code.values()
            if region.country == "BR" and region.parent_code in names
        }

    def find(self, state: str, city: str) -> Region | None:
        """Return the municipality, or the state where the city's name is not known in it."""
        return self._cities.get((state, plain(city))) or self._states.get(state)


def plain(name: str) -> str:
    """Return a name in small letters, without accents, hyphens or apostrophes."""
    letters = unicodedata.normalize("NFKD", name.lower())
    kept = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(kept.replace("-", " ").replace("'", " ").split())


def read_data(folder: Path, places: Places) -> Data:
    """Return the data of the folder's six files; raises NotTheData."""
    paths = {name: folder / f"olist_{name}.csv" for name in FILES}
    for path in paths.values():
        if not path.is_file():
            raise NotTheData(f"There is no file {path.name} in {folder}.")
    customers = {row["customer_id"]: row for row in _rows(paths["customers"])}
    items: defaultdict[str, list[OlistLine]] = defaultdict(list)
    for number, row in enumerate(_rows(paths["order_items"]), 2):
        line = OlistLine(paths["order_items"].name, number, tuple(row[c] for c in COLUMNS), row)
        items[row["order_id"]].append(line)
    paid: defaultdict[str, int] = defaultdict(int)
    for row in _rows(paths["order_payments"]):
        paid[row["order_id"]] += minor(row["payment_value"])
    orders = sorted(_rows(paths["orders"]), key=lambda row: row["order_purchase_timestamp"])
    sales = []
    for row in orders:
        if row["order_id"] in items:
            customer = customers.get(row["customer_id"], {})
            city = customer.get("customer_city", "")
            region = places.find(customer.get("customer_state", ""), city)
            code = region.code if region else None
            sales.append(Sale(row, items.pop(row["order_id"]), code, city))
    return Data(
        sales,
        [line for lines in items.values() for line in lines],
        {row["product_id"]: row for row in _rows(paths["products"])},
        {row["seller_id"]: row for row in _rows(paths["sellers"])},
        paid,
    )


def ordered_at(sale: Sale) -> datetime:
    """Return when a sale was made."""
    return datetime.fromisoformat(sale.row["order_purchase_timestamp"]).replace(tzinfo=UTC)


def minor(amount: str) -> int:
    """Return an amount of the files in minor units."""
    return int(Decimal(amount) * MINOR_PER_UNIT)


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NotTheData(f"{path.name} cannot be read: {error}") from error
