"""Two brands with rows in every table, of everybody, each text and large number of which is marked.

Rows are made from the catalogue, so that a new table or column has some at once. What they say
makes little sense: it is there to be recognised wherever somebody reads it.
"""

import base64
import contextlib
import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from backend.pickups.model import PickupStatus
from tests.api.marked_dealers import OF_DEALERS
from tests.api.marked_references import REFERENCES
from tests.catalogue import Column

OURS, THEIRS = 1, 2
BRAND, A, B = "brand", "a", "b"
DEALERS = {A: 100_000_007, B: 100_000_013}
PLACES = {
    "depot": (OURS, BRAND),
    "front": (OURS, BRAND),
    "a-depot": (OURS, A),
    "a-store": (OURS, A),
    "b-depot": (OURS, B),
    "elsewhere": (THEIRS, BRAND),
}
"""Nodes, and whose they are."""

Mark = int | str


class Cell(NamedTuple):
    """Whose a row is, and where: what the policies ask for."""

    tenant: int
    owner: str
    place: str


CELLS = (
    Cell(OURS, BRAND, "depot"),
    Cell(OURS, BRAND, "front"),
    Cell(OURS, BRAND, "a-store"),
    Cell(OURS, A, "a-depot"),
    Cell(OURS, A, "a-store"),
    Cell(OURS, A, "depot"),
    Cell(OURS, B, "b-depot"),
    Cell(OURS, B, "a-store"),
    Cell(OURS, B, "front"),
    Cell(THEIRS, BRAND, "elsewhere"),
    Cell(THEIRS, A, "elsewhere"),
)
"""Goods and orders of each owner at nodes of its own, and at those of others."""

NUMBER_LEAST, NUMBER_ROOM = 100_000_000, 200_000_000
"""Marked numbers are large, for nothing else is, and below 2^31, as GraphQL's integers are. They
are scattered, lest sums and differences of some are others."""
MODEST, MODEST_LEAST = 500_000, 1_000
"""Some figures count only below a limit: they are not marked, and tell something all the same."""
CODED = re.compile(r"[\w-]{8,}=*")
MARK = re.compile(r"~[\w.-]+~|\d{9,}")
SHANGHAI = 310104
NOW = datetime.now().astimezone().replace(microsecond=0)

SMALL = re.compile(
    r"(_no|_bp|_count|_tenths|minutes?|hours?|days|^version|^based_on|^baseline|^candidate|rank"
    r"|priority|attempts?|round|number|service_level|policy_version|batch_index|^calls_per_second)$"
)
"""Columns whose numbers are small by their nature."""
ID = re.compile(r"^(id|runner_up_node)$|_(id|xid|below|position)$")

ALWAYS: dict[str, list[Any]] = {"all": []}
COUNTS = {
    "dealer_price": 6,
    "fulfilment": 10,
    "pickup_code": 4,
    "sku": 3,
    "stock_alert": 3,
    "stock_hold_part": 5,
}
"""Of which tables there are more rows than states: those that are answered of others."""


class Row(NamedTuple):
    """A row as the policies see it."""

    table: str
    tenant: int
    dealer: int | None
    node: int | None


class Table(NamedTuple):
    """A tenant table, and what its columns may hold."""

    name: str
    columns: tuple[Column, ...]
    options: dict[str, list[str]]
    key: tuple[str, ...]

    @property
    def is_of_everybody(self) -> bool:
        """Whether somebody has rows of their own; else there is one set for each brand."""
        named = {column.name for column in self.columns}
        return bool(named & {*REFERENCES, "dealer_id", "subject_id"} - {"sku_id", "rollout_id"})

    @property
    def row_count(self) -> int:
        """How many rows there are in each cell: each state is taken once."""
        return max([COUNTS.get(self.name, 2), *map(len, self.options.values())])


class Maker:
    """Makes the rows of all tables, and remembers which values are in which rows."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._fresh = scattered()
        self._ids: dict[tuple[str, Cell], list[int]] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.holders: dict[Mark, set[Row]] = defaultdict(set)
        """The rows that a marked value is in."""
        for table in tables.values():
            self.rows[table.name] = list(self._rows_of(table))
        for name, rows in self.rows.items():
            for row in rows:
                self._remember(name, row)

    def number(self) -> int:
        """Return a number that is nowhere else."""
        return next(self._fresh)

    def code(self, table: str, column: str, cell: Cell, k: int) -> str:
        """Return a text that is nowhere else."""
        cell = self._scoped(self._tables[table], cell)
        return f"~{cell.tenant}.{cell.owner}.{cell.place}.{table}.{column}.{k}~"

    def id(self, table: str, cell: Cell, k: int) -> int:
        """Return the id of a row, which need not have been made yet: the lowest is the first's."""
        known = self._tables[table]
        scoped, count = self._scoped(known, cell), 1 if table == "node" else known.row_count
        if (table, scoped) not in self._ids:
            self._ids[table, scoped] = sorted(self.number() for _ in range(count))
        return self._ids[table, scoped][k % count]

    def _scoped(self, table: Table, cell: Cell) -> Cell:
        """Return the cell as which a table has a row: nodes are one for each place, for example."""
        if table.name == "node":
            return Cell(cell.tenant, PLACES[cell.place][1], cell.place)
        if table.is_of_everybody:
            return cell
        return next(one for one in CELLS if one.tenant == cell.tenant)

    def _rows_of(self, table: Table) -> Iterator[dict[str, Any]]:
        seen = set()
        count = 1 if table.name == "node" else table.row_count
        for cell in dict.fromkeys(self._scoped(table, cell) for cell in CELLS):
            for k in range(count):
                row = self._row(table, cell, k)
                key = tuple(row.get(column, column) for column in table.key)
                if row and key not in seen:
                    seen.add(key)
                    yield row

    def _row(self, table: Table, cell: Cell, k: int) -> dict[str, Any]:
        row = {}
        for column in table.columns:
            value = self._value(table, column, cell, k)
            if value is None and column.is_required and not column.has_default:
                return {}
            if value is not None:
                row[column.name] = value
        return row

    def _value(self, table: Table, column: Column, cell: Cell, k: int) -> Any:
        name = column.name
        for key in ((table.name, name), ("", name)):
            if key in GIVEN:
                given = GIVEN[key]
                return given(self, cell, k) if callable(given) else given
        if name == "tenant_id":
            return cell.tenant
        if name == "dealer_id":
            return DEALERS.get(cell.owner)
        if name == "id":
            return self.id(table.name, cell, k)
        if name in table.options:
            return table.options[name][k % len(table.options[name])]
        if name in REFERENCES:
            found = self.id(REFERENCES[name], cell, k)
            return [found] if column.type == "bigint[]" else found
        return self._plain(table, column, cell, k)

    def _plain(self, table: Table, column: Column, cell: Cell, k: int) -> Any:
        """Return a value by its type."""
        mark = self.code(table.name, column.name, cell, k)
        if column.type in ("bigint", "integer", "smallint", "numeric"):
            is_small = column.type == "smallint" or SMALL.search(column.name)
            return 1 + k if is_small else self.number()
        if column.type == "timestamp with time zone":
            is_open = not column.is_required and k % 2 == 0
            return None if is_open else NOW
        values: dict[str, Any] = {
            "boolean": k % 2 == 0,
            "bytea": mark.encode(),
            "date": NOW.date() + timedelta(days=k),
            "json": {"mark": mark},
            "jsonb": {"mark": mark},
            "text": mark,
            "text[]": [mark],
        }
        return values.get(column.type)

    def figures(self, table: str) -> list[str]:
        """Return the columns of a table that have figures of their own, ids aside."""
        found = defaultdict(set)
        for row in self.rows[table]:
            for name, value in row.items():
                if isinstance(value, int) and value >= MODEST_LEAST and not ID.search(name):
                    found[name].add(value)
        return [name for name, values in found.items() if len(values) > 1]

    def _remember(self, table: str, row: dict[str, Any]) -> None:
        node = row["id"] if table == "node" else row.get("node_id")
        holder = Row(table, row["tenant_id"], row.get("dealer_id"), node)
        for value in row.values():
            for mark in marks_in(value):
                self.holders[mark].add(holder)


def scattered() -> Iterator[int]:
    """Yield numbers in no order, each once."""
    seen = set()
    for n in itertools.count():
        digest = hashlib.blake2b(str(n).encode(), digest_size=8).digest()
        number = NUMBER_LEAST + int.from_bytes(digest) % NUMBER_ROOM
        if number not in seen:
            seen.add(number)
            yield number


def marks_in(value: Any) -> Iterator[Mark]:
    """Yield the marked texts and numbers in a value: also in ids, cursors and tokens."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from marks_in(key)
            yield from marks_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from marks_in(part)
    elif isinstance(value, str):
        yield from marks_of(value)
    elif isinstance(value, int | float) and value >= NUMBER_LEAST:
        yield int(value)


def marks_of(text: str) -> Iterator[Mark]:
    """Yield the marks in a text, and in what parts of it say that are written to base 64."""
    for mark in MARK.findall(text):
        yield int(mark) if mark.isdecimal() else mark
    for part in CODED.findall(text):
        yield from _coded_marks(part)


@cache
def _coded_marks(part: str) -> list[Mark]:
    padded = part.rstrip("=") + "=" * (-len(part.rstrip("=")) % 4)
    with contextlib.suppress(ValueError):
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        return [int(mark) if mark.isdecimal() else mark for mark in MARK.findall(text)]
    return []


def at_once(hours: float) -> Callable[[Maker, Cell, int], datetime]:
    """Return what is so many hours from now."""
    return lambda *_: NOW + timedelta(hours=hours)


def cells_of(cell: Cell) -> list[Cell]:
    """Return the cells of a cell's brand."""
    return [one for one in CELLS if one.tenant == cell.tenant]


def layout(maker: Maker, cell: Cell, k: int) -> dict[str, Any]:
    """Return pools of all good stock of the brand, for all shops."""
    warehouses = [maker.code("functional_warehouse", "code", one, 0) for one in cells_of(cell)]
    return {
        "pools": [
            {
                "code": "all",
                "name": maker.code("pool_layout", "document", cell, k),
                "layer": "supply",
                "supplies": [{"warehouses": warehouses}],
            },
            {
                "code": "consumers",
                "name": "consumers",
                "layer": "dispatch",
                "feeds": [{"pools": ["all"]}],
            },
        ],
        "shares": [
            {
                "pool": "consumers",
                "shop": maker.code("shop", "code", one, 0),
                "ratioBp": 9_000 - 1_000 * k,
                "most": 10**9 if one.owner == BRAND else None,
            }
            for one in cells_of(cell)
        ],
        "leastAccuracyBp": 5_000,
        "syncs": [{"shop": maker.code("shop", "code", one, 0)} for one in cells_of(cell)],
    }


def result(maker: Maker, cell: Cell, k: int) -> dict[str, Any]:
    """Return what a simulation came to."""
    side = {
        "orders": 3,
        "parcels": 2,
        "promised": 2,
        "freightMinor": maker.number(),
        "distanceSumM": maker.number(),
        "arrivalDaysSum": 4,
        "nodes": [{"nodeId": maker.id("node", cell, 0), "parcels": 2, "units": 3}],
        "strategies": [
            {"strategy": maker.code("routing_policy", "document", cell, k), "orders": 3}
        ],
    }
    return {"baseline": side, "candidate": side, "differing": maker.number()}


def one_of(*found: str) -> Callable[[Maker, Cell, int], Any]:
    """Return the id of a row of one of some tables, in turn."""

    def given(maker: Maker, cell: Cell, k: int) -> int:
        table = found[k % len(found)]
        return SHANGHAI if table == "region" else maker.id(table, cell, k)

    return given


def of_two(column: str) -> Callable[[Maker, Cell, int], str]:
    """Return a text that two fulfilments share: they go to one customer."""
    return lambda maker, cell, k: maker.code("fulfilment", column, cell, k - k % 2)


def unless_unknown(k: int, value: int | None) -> int | None:
    """Leave every second tracking event without a parcel."""
    return value if k % 2 == 0 else None


def terms(maker: Maker, cell: Cell, k: int) -> list[str]:
    """Return what an order is found by: its number."""
    return [f"x:{maker.code('orders', 'external_id', cell, k)}"]


READY_FIRST = sorted(PickupStatus, key=lambda status: status is not PickupStatus.READY)
"""Where pickups stand: there are codes of those that are ready."""

GIVEN: dict[tuple[str, str], Any] = OF_DEALERS | {
    ("", "region_code"): SHANGHAI,
    ("", "longitude_e6"): 121_430_000,
    ("", "latitude_e6"): 31_180_000,
    ("", "regions"): [SHANGHAI],
    ("", "territory"): [SHANGHAI],
    ("", "categories"): lambda maker, cell, k: [maker.code("sku", "category", cell, k)],
    ("", "capabilities"): ["hands_over"],
    ("", "working_days"): 127,
    ("", "currency"): "CNY",
    ("", "leased_until"): None,
    ("", "owner"): None,
    ("", "node_kind"): "store",
    ("", "line_no"): 1,
    ("", "fulfilment_no"): 1,
    ("", "visit_no"): 1,
    ("", "first_minute"): 540,
    ("", "end_minute"): 600,
    ("", "from_minute"): 540,
    ("", "to_minute"): 600,
    ("", "expires_at"): at_once(24),
    ("", "keep_until"): at_once(24),
    ("", "ready_by"): at_once(24),
    ("", "until_at"): at_once(26),
    ("", "from_at"): at_once(24),
    ("", "pay_by"): at_once(24),
    ("", "ends_at"): at_once(24),
    ("", "since"): at_once(-24),
    ("", "is_open"): True,
    ("alert_rule", "subject_id"): one_of("shop", "node", "region"),
    ("alert_rule", "condition"): ALWAYS,
    ("allotment", "quantity"): lambda maker, cell, k: 9_000_000_000 + maker.number(),
    ("allotment", "taken"): 1,
    ("audit_rule", "condition"): ALWAYS,
    ("carrier_lane", "base_minor"): lambda maker, cell, k: maker.number() % MODEST,
    ("carrier_lane", "step_g"): 1_000,
    ("carrier_lane", "step_minor"): lambda maker, cell, k: maker.number() % MODEST,
    ("collection", "subject_id"): one_of("return_request", "repair", "trade_in"),
    ("earmark", "pool"): "consumers",
    ("order_indexed", "terms"): terms,
    ("order_term", "term"): lambda *given: terms(*given)[0],
    ("outbox", "recorded_xid"): None,
    ("outbox", "event_id"): None,
    ("pickup_secret", "signing_key"): None,
    ("pool_layout", "document"): layout,
    ("routing_policy", "document"): lambda maker, cell, k: {
        "strategies": [
            {
                "name": maker.code("routing_policy", "document", cell, k),
                "preset": "cost",
                "otherwise": "backorder",
            },
            {"name": "shadowed", "preset": "cost", "otherwise": "backorder"},
        ]
    },
    ("routing_rollout", "kpi"): "cost",
    ("routing_simulation", "result"): result,
    ("sku", "is_active"): True,
    ("sku", "attributes"): lambda maker, cell, k: {
        "note": maker.code("sku", "attributes", cell, k)
    },
    ("fulfilment", "address"): of_two("address"),
    ("fulfilment", "buyer_name"): of_two("buyer_name"),
    ("fulfilment", "buyer_phone"): of_two("buyer_phone"),
    ("order_line", "backordered"): 3,
    ("orders", "traits"): {},
    ("earmark_level", "unused"): 1,
    ("pickup", "status"): lambda maker, cell, k: READY_FIRST[k],
    ("slot", "day"): lambda maker, cell, k: NOW.date() + timedelta(days=3 + k),
    ("stock_hold_part", "quantity"): 1,
    ("stock_level", "earmark_unused"): 1,
    ("parcel", "host_id"): lambda maker, cell, k: maker.id("parcel", cell, 0) if k % 2 else None,
    ("routing_simulation", "claimed_by"): None,
    ("shown_number", "acknowledged_at"): at_once(-1),
    ("shown_number", "drifted_at"): at_once(-1),
    ("step_deadline", "node_kind"): lambda maker, cell, k: "store" if k % 2 else "",
    ("stock_alert", "measure"): "units",
    ("stock_alert", "scope"): lambda maker, cell, k: ("shop", "node", "region")[k],
    ("stock_alert", "subject_id"): one_of("shop", "node", "region"),
    ("node_capacity", "taken"): 1,
    ("slot", "taken"): 1,
    ("stock_level", "on_hand"): lambda maker, cell, k: 900_000_000 + maker.number(),
    ("supply", "confidence_bp"): 10_000,
    ("supply", "received"): 1,
    ("supply_promise", "quantity"): 1,
    ("tracking_event", "collection_id"): None,
    ("tracking_event", "dealer_id"): lambda maker, cell, k: unless_unknown(
        k, DEALERS.get(cell.owner)
    ),
    ("tracking_event", "node_id"): lambda maker, cell, k: unless_unknown(
        k, maker.id("node", cell, 0)
    ),
    ("tracking_event", "parcel_id"): lambda maker, cell, k: unless_unknown(
        k, maker.id("parcel", cell, k)
    ),
}
"""What the type alone does not say: by table and column, or by column."""
