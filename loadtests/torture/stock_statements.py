"""Stock, capacity and network: what their statements do."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from loadtests.torture.database_server import Session
from loadtests.torture.rows import Fields, Row, chosen, columns, row
from loadtests.torture.statement import Statements, Value

STATEMENTS = Statements()

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
FIGURES = ("on_hand", "reserved", "floor", "earmark_unused")
LEVEL = ("functional_warehouse_id", "sku_id", "node_id", "dealer_id", *FIGURES, "version")
MOVEMENT = (
    "functional_warehouse_id",
    "sku_id",
    "node_id",
    "dealer_id",
    "type",
    "quantity",
    "on_hand_delta",
    "reserved_delta",
    "floor_delta",
    "earmark_delta",
    "level_version",
    "cause_kind",
    "cause_id",
    "cause_line",
    "reason",
    "earmark_id",
)
NODE = (
    "id code name kind region_code longitude_e6 latitude_e6 priority daily_capacity"
    " lead_time_minutes legal_entity_id dealer_id serves_all is_active capabilities cut_off_minute"
    " working_days service_level handling_minor keeps_for_region"
)
WAREHOUSE = "id node_id code condition purpose legal_entity_id dealer_id rank"


def clock() -> datetime:
    """Return the time on the simulated server's clock."""
    return BEGAN + timedelta(seconds=asyncio.get_running_loop().time())


def free(level: Fields) -> int:
    """Return what is free of a level; may be below 0."""
    return int(level["on_hand"] - level["reserved"] - level["floor"] - level["earmark_unused"])


def unreserved(level: Fields) -> int:
    """Return what is on hand of a level and not reserved; may be below 0."""
    return int(level["on_hand"] - level["reserved"])


def earmarks_of(session: Session, level: Fields) -> list[Fields]:
    """Return what earmarks keep of a level, the oldest first."""
    key = level["functional_warehouse_id"], level["sku_id"]
    kept = [
        each
        for each in session.scan("earmark_level")
        if (each["functional_warehouse_id"], each["sku_id"]) == key
    ]
    return sorted(kept, key=lambda each: int(each["earmark_id"]))


async def _lock_earmarks(session: Session, level: Fields) -> list[Fields]:
    """Lock what earmarks keep of a level that has anything of them, and return it."""
    kept = earmarks_of(session, level) if level["earmark_unused"] else []
    keys = [(at["sku_id"], at["functional_warehouse_id"], at["earmark_id"]) for at in kept]
    locked = [await session.lock("earmark_level", key) for key in keys]
    return [at for at in locked if at is not None]


def _free_rows(session: Session, level: Fields) -> list[Row]:
    place = {name: level[name] for name in ("functional_warehouse_id", "sku_id")}
    rows = [row(**place, free=free(level), version=level["version"], earmark_id=0)]
    for kept in earmarks_of(session, level):
        usable = min(kept["unused"], max(0, unreserved(level)))
        mark = kept["earmark_id"]
        rows.append(row(**place, free=usable, version=level["version"], earmark_id=mark))
    return rows


def _locked_rows(levels: Sequence[Fields], kept: Sequence[Sequence[Fields]]) -> list[Row]:
    """Return levels, and then what their earmarks have unused."""
    rows = []
    for level, marks in zip(levels, kept, strict=True):
        for earmark_id, units in [
            (0, free(level)),
            *((m["earmark_id"], m["unused"]) for m in marks),
        ]:
            rows.append(
                row(
                    functional_warehouse_id=level["functional_warehouse_id"],
                    sku_id=level["sku_id"],
                    free=units,
                    version=level["version"],
                    node_id=level["node_id"],
                    earmark_id=earmark_id,
                    unreserved=unreserved(level),
                )
            )
    return sorted(rows, key=lambda each: int(each["earmark_id"]))


# -------------------------------------------------------------------------------- levels


async def _lock_levels(session: Session, warehouses: Value, skus: Value) -> list[Fields]:
    keys = sorted(zip(warehouses, skus, strict=True))
    found = [
        await session.lock("stock_level", key) for key in keys if session.find("stock_level", key)
    ]
    return [level for level in found if level is not None]


@STATEMENTS.add
async def lock_levels(session: Session, tenant: int, warehouses: Value, skus: Value) -> list[Row]:
    return [columns(level, LEVEL) for level in await _lock_levels(session, warehouses, skus)]


@STATEMENTS.add
async def lock_free(session: Session, tenant: int, warehouses: Value, skus: Value) -> list[Row]:
    levels = await _lock_levels(session, warehouses, skus)
    kept = [await _lock_earmarks(session, level) for level in levels]
    return _locked_rows(levels, kept)


@STATEMENTS.add
async def lock_free_of_skus(
    session: Session, tenant: int, skus: Sequence[int], warehouses: Sequence[int]
) -> list[Row]:
    keys = [
        (level["functional_warehouse_id"], level["sku_id"])
        for level in session.scan("stock_level")
        if level["sku_id"] in skus and level["functional_warehouse_id"] in warehouses
    ]
    return await lock_free(session, tenant, *zip(*keys, strict=True)) if keys else []


@STATEMENTS.add
async def create_levels(session: Session, tenant: int, warehouses: Value, skus: Value) -> int:
    created = 0
    for key in sorted(zip(warehouses, skus, strict=True)):
        warehouse = session.find("functional_warehouse", key[0])
        assert warehouse is not None
        if session.find("stock_level", key) is None:
            created += await session.insert("stock_level", key, _empty_level(warehouse, key[1]))
    return created


def _empty_level(warehouse: Fields, sku_id: int) -> Fields:
    return {
        "functional_warehouse_id": warehouse["id"],
        "sku_id": sku_id,
        "node_id": warehouse["node_id"],
        "dealer_id": warehouse["dealer_id"],
        **dict.fromkeys(FIGURES, 0),
        "version": 0,
    }


@STATEMENTS.add
async def change_levels(session: Session, tenant: int, *arrays: Value) -> list[Row]:
    changed = []
    for warehouse, sku, *deltas in zip(*arrays, strict=True):
        level = await session.lock("stock_level", (warehouse, sku))
        assert level is not None
        figures = {name: level[name] + by for name, by in zip(FIGURES, deltas, strict=True)}
        version = level["version"] + 1
        changed.append(session.change("stock_level", (warehouse, sku), **figures, version=version))
    return [columns(level, LEVEL) for level in changed]


@STATEMENTS.add
async def reserve(session: Session, tenant: int, takes: Value, actor: str) -> list[Row]:
    wanted: dict[tuple[int, int], dict[int, int]] = {}
    for warehouse, sku, quantity, _, _, earmark, _ in takes:
        of_level = wanted.setdefault((warehouse, sku), {})
        of_level[earmark or 0] = of_level.get(earmark or 0, 0) + quantity
    for key in sorted(wanted):
        if session.find("stock_level", key) is not None:
            await session.lock("stock_level", key)
    taken, kept = {}, {}
    for key, units in wanted.items():
        level = session.find("stock_level", key)
        if level is not None:
            marks = await _lock_earmarks(session, level)
            if _has(level, marks, units):
                taken[key] = _take(session, level, units)
                kept[key] = [_use(session, mark, units) for mark in marks]
    for warehouse, sku, quantity, order_id, line_no, earmark, cause_kind in takes:
        at = taken.get((warehouse, sku))
        if at is not None:
            effect = ("reserved", quantity, 0, quantity, 0, -quantity if earmark else 0)
            place = (warehouse, sku, at["node_id"], at["dealer_id"])
            cause = (at["version"], cause_kind, order_id, line_no, None, earmark)
            await _append(session, (*place, *effect, *cause), actor)
    return _locked_rows(list(taken.values()), list(kept.values()))


def _has(level: Fields, marks: Sequence[Fields], units: dict[int, int]) -> bool:
    """Whether a level and its earmarks have what is wanted of each; 0 is what is free to all."""
    unused = {mark["earmark_id"]: mark["unused"] for mark in marks}
    plain, total = units.get(0, 0), sum(units.values())
    return (
        (not plain or free(level) >= plain)
        and (plain == total or unreserved(level) >= total)
        and all(unused.get(mark, 0) >= count for mark, count in units.items() if mark)
    )


def _take(session: Session, level: Fields, units: dict[int, int]) -> Fields:
    return session.change(
        "stock_level",
        (level["functional_warehouse_id"], level["sku_id"]),
        reserved=level["reserved"] + sum(units.values()),
        earmark_unused=level["earmark_unused"] - sum(units.values()) + units.get(0, 0),
        version=level["version"] + 1,
    )


def _use(session: Session, mark: Fields, units: dict[int, int]) -> Fields:
    key = mark["sku_id"], mark["functional_warehouse_id"], mark["earmark_id"]
    used = units.get(mark["earmark_id"], 0)
    return session.change("earmark_level", key, unused=mark["unused"] - used) if used else mark


@STATEMENTS.add
async def create_earmarks(
    session: Session, tenant: int, warehouses: Value, skus: Value, earmarks: Value
) -> int:
    created = 0
    for warehouse, sku, earmark in zip(warehouses, skus, earmarks, strict=True):
        key = sku, warehouse, earmark
        if session.find("earmark_level", key) is None:
            names = ("sku_id", "functional_warehouse_id", "earmark_id")
            empty = dict.fromkeys(("filled", "unused", "lent"), 0)
            fields = {**dict(zip(names, key, strict=True)), **empty}
            created += await session.insert("earmark_level", key, fields)
    return created


@STATEMENTS.add
async def change_earmarks(session: Session, tenant: int, *arrays: Value) -> int:
    rows = list(zip(*arrays, strict=True))
    for warehouse, sku, earmark, *deltas in rows:
        kept = await session.lock("earmark_level", (sku, warehouse, earmark))
        assert kept is not None
        names = ("filled", "unused", "lent")
        after = {name: kept[name] + by for name, by in zip(names, deltas, strict=True)}
        session.change("earmark_level", (sku, warehouse, earmark), **after)
    return len(rows)


@STATEMENTS.add
async def lent_of_levels(
    session: Session, tenant: int, warehouses: Value, skus: Value
) -> list[Row]:
    keys = set(zip(warehouses, skus, strict=True))
    lent = [
        each
        for each in session.scan("earmark_level")
        if each["lent"] and (each["functional_warehouse_id"], each["sku_id"]) in keys
    ]
    found = sorted(lent, key=lambda each: int(each["earmark_id"]))
    return chosen(found, "functional_warehouse_id sku_id earmark_id lent")


@STATEMENTS.add
async def insert_movements(session: Session, tenant: int, rows: Value, actor: str) -> int:
    for each in rows:
        await _append(session, each, actor)
    return len(rows)


async def _append(session: Session, values: Sequence[Value], actor: str) -> None:
    number = session.server.next_number("stock_movement")
    fields = dict(zip(MOVEMENT, values, strict=True))
    stamped = {**fields, "id": number, "actor": actor, "recorded_at": clock()}
    await session.insert("stock_movement", number, stamped)


@STATEMENTS.add
async def free_of_all_levels(session: Session, tenant: int) -> list[Row]:
    return [each for level in session.scan("stock_level") for each in _free_rows(session, level)]


@STATEMENTS.add
async def free_of_levels(
    session: Session, tenant: int, warehouses: Value, skus: Value
) -> list[Row]:
    found = [session.find("stock_level", key) for key in zip(warehouses, skus, strict=True)]
    return [each for level in found if level for each in _free_rows(session, level)]


@STATEMENTS.add
async def free_of_changed_levels(session: Session, tenant: int, since: datetime) -> list[Row]:
    keys = {
        (move["functional_warehouse_id"], move["sku_id"])
        for move in session.scan("stock_movement")
        if move["recorded_at"] >= since
    }
    levels = [session.find("stock_level", key) for key in sorted(keys)]
    return [each for level in levels if level for each in _free_rows(session, level)]


@STATEMENTS.add
async def database_time(session: Session) -> list[Row]:
    return [row(clock_timestamp=clock())]


@STATEMENTS.add
async def next_cause_id(session: Session) -> list[Row]:
    return [row(nextval=session.server.next_number("stock_cause_id"))]


@STATEMENTS.add
async def warehouse_by_code(session: Session, tenant: int, code: str) -> list[Row]:
    rows = [each for each in session.scan("functional_warehouse") if each["code"] == code]
    return chosen(rows, "id node_id dealer_id")


@STATEMENTS.add
async def warehouses(session: Session, tenant: int) -> list[Row]:
    rows = sorted(
        session.scan("functional_warehouse"),
        key=lambda each: (each["node_id"], each["rank"], each["id"]),
    )
    return chosen(rows, WAREHOUSE)


# ---------------------------------------------------------------------------- allotments


@STATEMENTS.add
async def changed_allotments(session: Session, tenant: int, since: datetime) -> list[Row]:
    return []


@STATEMENTS.add
async def free_of_all_allotments(session: Session, tenant: int) -> list[Row]:
    return []


# ------------------------------------------------------------------------------- network


@STATEMENTS.add
async def nodes(session: Session, tenant: int, after: int, limit: int) -> list[Row]:
    return chosen((each for each in session.scan("node") if each["id"] > after), NODE)


@STATEMENTS.add
async def set_node_active(session: Session, tenant: int, code: str, is_active: bool) -> list[Row]:
    for node in list(session.scan("node")):
        if node["code"] == code:
            await session.lock("node", node["id"])
            session.change("node", node["id"], is_active=is_active)
            return [row(id=node["id"])]
    return []


@STATEMENTS.add
async def active_version(session: Session, tenant: int) -> list[Row]:
    return []


# ------------------------------------------------------------------------------ capacity


def _capacity_row(capacity: Fields) -> Row:
    return row(
        node_id=capacity["node_id"],
        day=capacity["day"],
        free=capacity["limit_parcels"] - capacity["taken"],
        version=capacity["version"],
    )


@STATEMENTS.add
async def capacities_of_day(session: Session, tenant: int, day: date) -> list[Row]:
    rows = []
    for node in session.scan("node"):
        if node["daily_capacity"] is not None:
            at = session.find("node_capacity", (node["id"], day))
            left = at["limit_parcels"] - at["taken"] if at else node["daily_capacity"]
            rows.append(row(node_id=node["id"], free=left, version=at["version"] if at else 0))
    return rows


@STATEMENTS.add
async def create_capacities(
    session: Session, tenant: int, node_ids: Value, days: Value, otherwise: int
) -> int:
    created = 0
    for key in sorted(zip(node_ids, days, strict=True)):
        node = session.find("node", key[0])
        assert node is not None
        limit = otherwise if node["daily_capacity"] is None else node["daily_capacity"]
        fields = {"node_id": key[0], "day": key[1], "limit_parcels": limit, "taken": 0}
        created += await session.insert("node_capacity", key, {**fields, "version": 0})
    return created


@STATEMENTS.add
async def lock_capacities(session: Session, tenant: int, node_ids: Value, days: Value) -> list[Row]:
    keys = sorted(zip(node_ids, days, strict=True))
    known = [key for key in keys if session.find("node_capacity", key) is not None]
    locked = [await session.lock("node_capacity", key) for key in known]
    return [_capacity_row(capacity) for capacity in locked if capacity is not None]


@STATEMENTS.add
async def take_capacities(
    session: Session, tenant: int, node_ids: Value, days: Value, parcels: Value
) -> list[Row]:
    taken = []
    for node_id, day, count in sorted(zip(node_ids, days, parcels, strict=True)):
        if session.find("node_capacity", (node_id, day)) is None:
            continue
        at = await session.lock("node_capacity", (node_id, day))
        if at is not None and (count < 0 or at["limit_parcels"] - at["taken"] >= count):
            changed = {"taken": at["taken"] + count, "version": at["version"] + 1}
            taken.append(session.change("node_capacity", (node_id, day), **changed))
    return [_capacity_row(capacity) for capacity in taken]


@STATEMENTS.add
async def free_of_capacities(
    session: Session, tenant: int, node_ids: Value, days: Value
) -> list[Row]:
    found = [session.find("node_capacity", key) for key in zip(node_ids, days, strict=True)]
    return [_capacity_row(capacity) for capacity in found if capacity is not None]


@STATEMENTS.add
async def lock_open_supplies(session: Session, tenant: int, sku_ids: Sequence[int]) -> list[Row]:
    return []  # nothing is to come in these histories


@STATEMENTS.add
async def nodes_that_missed(
    session: Session, tenant: int, order_ids: Sequence[int], before: datetime | None
) -> list[Row]:
    return []  # everything is found in these histories
