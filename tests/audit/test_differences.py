"""The audit finds nothing in a sound brand, and finds and names what is wrong in an unsound one."""

import pytest

from backend.admission.keys import epoch_keys
from backend.audit import audit as auditing
from backend.audit.audit import CHECKS
from backend.runtime import Runtime
from tests.audit.history import audited
from tests.catalogue import Connection, contents
from tests.world import World

LEVEL, RESERVED, LINE, EARMARK, EARMARKED, ALLOTMENT, CAPACITY, SLOT, HALF, OVERSOLD, *_ = CHECKS
VALKEY = "valkey_differs"
AT_SMALL = """
    tenant_id = $1
    and functional_warehouse_id = (
        select id from functional_warehouse where tenant_id = $1 and code = 'small')
    and sku_id = (select id from sku where tenant_id = $1 and code = 'A')
"""
FIRST = "tenant_id = $1 and order_id = (select min(id) from orders where tenant_id = $1)"
BROKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "units on hand": (
        "update stock_level set on_hand = on_hand + 1 where AT_SMALL",
        (LEVEL, VALKEY),
    ),
    "a floor": ("update stock_level set floor = 1 where AT_SMALL", (LEVEL, VALKEY)),
    "what is earmarked": (
        "update stock_level set earmark_unused = 1 where AT_SMALL",
        (LEVEL, EARMARKED, VALKEY),
    ),
    "reserved units": (
        "update stock_level set reserved = reserved + 1 where AT_SMALL",
        (LEVEL, RESERVED, VALKEY),
    ),
    "reserved units and their movement": (
        "with changed as (update stock_level set reserved = reserved + 1 where AT_SMALL)"
        " update stock_movement set reserved_delta = reserved_delta + 1"
        " where AT_SMALL and type = 'released'",
        (RESERVED, VALKEY),
    ),
    "a receipt that is gone": (
        "delete from stock_movement where AT_SMALL and type = 'received'",
        (LEVEL,),
    ),
    "a release that is gone": (
        "delete from stock_movement where AT_SMALL and type = 'released'",
        (LEVEL,),
    ),
    "a level that is gone": ("delete from stock_level where AT_SMALL", (LEVEL, RESERVED)),
    "a reservation's units": (
        "update reservation set active = 1 where FIRST and AT_SMALL",
        (RESERVED, LINE),
    ),
    "a reservation that is gone": (
        "delete from reservation where FIRST and AT_SMALL",
        (RESERVED, LINE),
    ),
    "a reservation of no line": (
        "update reservation set line_no = 9 where FIRST and AT_SMALL",
        (LINE, LINE),
    ),
    "a line's units": (
        "update order_line set reserved = 1, cancelled = 1 where FIRST and sku_code = 'A'",
        (LINE,),
    ),
    "a day's parcels": (
        "update node_capacity set taken = taken + 1 where tenant_id = $1",
        (CAPACITY, VALKEY),
    ),
    "a parcel that is gone": ("delete from fulfilment where FIRST", (CAPACITY, LINE, LINE)),
    "a parcel that was cancelled": (
        "update fulfilment set status = 'cancelled' where FIRST",
        (CAPACITY, LINE, LINE),
    ),
    "a parcel that was released": (
        "update fulfilment set status = 'released' where FIRST",
        (LINE, LINE),
    ),
    "units that have left nowhere": (
        "update reservation set active = 0, shipped = active where FIRST and AT_SMALL",
        (RESERVED, LINE, "shipped_is_not_its_movements"),
    ),
    "a day that is gone": ("delete from node_capacity where tenant_id = $1", (CAPACITY,)),
    "a visit that nobody takes": (
        "insert into slot (tenant_id, provider_id, day, first_minute, end_minute, limit_visits,"
        " taken) select $1, id, '2030-01-31', 0, 60, 9, 1 from slot_provider where tenant_id = $1",
        (SLOT,),
    ),
    "a visit that is not booked": (
        "update fulfilment set slot_id = 999 where FIRST",
        (SLOT, HALF),
    ),
    "a time without parcels": (
        "insert into order_appointment (tenant_id, order_id, day, from_minute, to_minute,"
        " is_booked) select $1, id, '2030-01-31', 0, 60, true from orders"
        " where tenant_id = $1 and status = 'cancelled'",
        (HALF,),
    ),
    "more sold than there was": (
        "with changed as (update stock_level set on_hand = 3 where AT_SMALL)"
        " update stock_movement set on_hand_delta = 3 where AT_SMALL and type = 'received'",
        (OVERSOLD, VALKEY),
    ),
}
"""What is broken by a statement, and the kinds of differences that say so."""


async def break_(admin: Connection, brand: World, name: str) -> None:
    """Break one row, as a writer outside of the ledger would."""
    statement = BROKEN[name][0].replace("AT_SMALL", AT_SMALL).replace("FIRST", FIRST)
    status: str = await admin.execute(statement, brand.tenant_id)
    assert status.endswith(" 1")


async def test_a_sound_brand_has_no_differences(
    runtime: Runtime, brand: World, admin: Connection
) -> None:
    before = await contents(admin)
    report = await audited(runtime, brand)
    assert report.differences == []
    assert (report.levels, report.reservations, report.lines) == (3, 6, 6)
    assert (report.counters_compared, report.counters_cold) == (4, 0)
    assert await contents(admin) == before


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_is_found(
    runtime: Runtime, brand: World, admin: Connection, name: str
) -> None:
    await break_(admin, brand, name)
    found = [difference["kind"] for difference in (await audited(runtime, brand)).differences]
    assert sorted(found) == sorted(BROKEN[name][1])


async def test_a_difference_names_the_level_and_both_figures(
    runtime: Runtime, brand: World, admin: Connection
) -> None:
    await break_(admin, brand, "reserved units")
    found = {each["kind"]: each for each in (await audited(runtime, brand)).differences}
    warehouse, sku = found[LEVEL]["functional_warehouse_id"], brand.skus["A"]
    assert found[LEVEL] | {"reserved": 5, "moved_reserved": "4", "sku_id": sku} == found[LEVEL]
    assert found[RESERVED] == {
        "kind": RESERVED,
        "functional_warehouse_id": warehouse,
        "sku_id": sku,
        "reserved": 5,
        "ordered": "4",
    }
    assert (
        found[VALKEY] | {"free": 4, "valkey": 5, "counter": f"s{warehouse}:{sku}"}
        == (found[VALKEY])
    )


async def test_a_difference_names_the_line(
    runtime: Runtime, brand: World, admin: Connection
) -> None:
    await break_(admin, brand, "a line's units")
    (found,) = (await audited(runtime, brand)).differences
    order_id = await admin.fetchval("select min(id) from orders")
    assert found == {
        "kind": LINE,
        "order_id": order_id,
        "line_no": 1,
        "reserved": 1,
        "active": 2,
        **dict.fromkeys(("at_node", "active_at_node", "shipped", "left_node"), 0),
        **dict.fromkeys(("delivered", "arrived"), 0),
    }


async def test_a_difference_names_the_node_and_day(
    runtime: Runtime, brand: World, admin: Connection
) -> None:
    await break_(admin, brand, "a parcel that is gone")
    found = (await audited(runtime, brand)).differences[-1]
    row = await admin.fetchrow("select node_id, day::text from node_capacity")
    assert row is not None
    assert found == {
        "kind": CAPACITY,
        "node_id": row["node_id"],
        "day": row["day"],
        "taken": 2,
        "parcels": 1,
    }


async def test_another_brands_fault_is_not_this_ones(
    runtime: Runtime, brand: World, admin: Connection
) -> None:
    await break_(admin, brand, "a receipt that is gone")
    other = await auditing.audit(
        runtime.database, runtime.admission, runtime.counters, brand.other_tenant_id
    )
    assert (other.differences, other.levels) == ([], 0)


async def test_the_list_of_differences_ends(
    runtime: Runtime, brand: World, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "DIFFERENCES_MAX", 2)
    await admin.execute("delete from stock_movement where type = 'received'")
    assert len((await audited(runtime, brand)).differences) == 2


EPOCH = "select epoch from admission_epoch where tenant_id = $1"


@pytest.mark.parametrize(
    ("place", "kind"), [(0, VALKEY), (1, "valkey_lags")], ids=["base", "ahead"]
)
async def test_what_valkey_has_wrong_is_found(
    runtime: Runtime,
    brand: World,
    admin: Connection,
    monkeypatch: pytest.MonkeyPatch,
    place: int,
    kind: str,
) -> None:
    monkeypatch.setattr(auditing, "READ_AGAIN_SECONDS", 0.0)
    hash_ = epoch_keys(brand.tenant_id, await admin.fetchval(EPOCH, brand.tenant_id))[place]
    counter = f"s1:{brand.skus['A']}"
    await runtime.valkey.command("HINCRBY", hash_, counter, 1)
    (found,) = (await audited(runtime, brand)).differences
    assert (found["kind"], found["counter"]) == (kind, counter)
