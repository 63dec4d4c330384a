"""What cannot be part of the network is refused with its reason, and leaves no trace."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.pool import Database
from backend.network.model import WarehouseDraft
from backend.network.nodes import DAILY_CAPACITY_MAX, LEAD_TIME_MINUTES_MAX, set_node_active
from tenants.principal import Permission, Principal
from tests.catalogue import Connection
from tests.network.drafts import NOBODY, NODE, add_entity, add_node, add_warehouse
from tests.refusals import refused
from tests.world import World

BAD_NODES: dict[str, tuple[dict[str, Any], str]] = {
    "a code in use": ({"code": "wh"}, "ALREADY_EXISTS"),
    "an unknown region": ({"region_code": 7}, "UNKNOWN_REGION"),
    "an unknown dealer": ({"dealer_id": NOBODY}, "UNKNOWN_DEALER"),
    "an unknown legal entity": ({"legal_entity_id": NOBODY}, "UNKNOWN_REFERENCE"),
    "a priority below 0": ({"priority": -1}, "OUT_OF_RANGE"),
    "a priority above 1000": ({"priority": 1001}, "OUT_OF_RANGE"),
    "a capacity below 0": ({"daily_capacity": -1}, "OUT_OF_RANGE"),
    "too much capacity": ({"daily_capacity": DAILY_CAPACITY_MAX + 1}, "OUT_OF_RANGE"),
    "a lead time below 0": ({"lead_time_minutes": -1}, "OUT_OF_RANGE"),
    "too long a lead time": ({"lead_time_minutes": LEAD_TIME_MINUTES_MAX + 1}, "OUT_OF_RANGE"),
    "too far east": ({"longitude_e6": 180_000_001}, "OUT_OF_RANGE"),
    "too far west": ({"longitude_e6": -180_000_001}, "OUT_OF_RANGE"),
    "too far north": ({"latitude_e6": 90_000_001}, "OUT_OF_RANGE"),
    "too far south": ({"latitude_e6": -90_000_001}, "OUT_OF_RANGE"),
}
BAD_WAREHOUSES: dict[str, tuple[dict[str, Any], str]] = {
    "a code in use": ({"code": "far"}, "ALREADY_EXISTS"),
    "an unknown node": ({"node_id": NOBODY}, "UNKNOWN_REFERENCE"),
    "an unknown dealer": ({"dealer_id": NOBODY}, "UNKNOWN_DEALER"),
    "an unknown legal entity": ({"legal_entity_id": NOBODY}, "UNKNOWN_REFERENCE"),
}


def warehouse(world: World, **changes: Any) -> WarehouseDraft:
    return replace(WarehouseDraft(node_id=world.nodes["wh"], code="new"), **changes)


@pytest.mark.parametrize("name", BAD_NODES)
async def test_a_bad_node_is_not_created(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    changes, code = BAD_NODES[name]
    async with refused(still_admin, code):
        await add_node(still, ready_world.brand, replace(NODE, **changes))


@pytest.mark.parametrize("name", BAD_WAREHOUSES)
async def test_a_bad_warehouse_is_not_created(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    changes, code = BAD_WAREHOUSES[name]
    async with refused(still_admin, code):
        await add_warehouse(still, ready_world.brand, warehouse(ready_world, **changes))


async def test_a_legal_entitys_code_is_used_once(
    database: Database, world: World, admin: Connection
) -> None:
    await add_entity(database, world.brand)
    async with refused(admin, "ALREADY_EXISTS"):
        await add_entity(database, world.brand)


async def test_what_is_another_brands_is_unknown(
    database: Database, world: World, admin: Connection
) -> None:
    entity = await add_entity(database, world.brand)
    other, dealer = world.other_brand, world.dealers["d1"]
    async with refused(admin, "UNKNOWN_REFERENCE"):
        await add_node(database, other, replace(NODE, legal_entity_id=entity))
    async with refused(admin, "UNKNOWN_DEALER"):
        await add_node(database, other, replace(NODE, dealer_id=dealer))
    async with refused(admin, "UNKNOWN_REFERENCE"):
        await add_warehouse(database, other, warehouse(world))
    async with refused(admin, "UNKNOWN_NODE"):
        await close_node(database, other, world)


Create = Callable[[Database, Principal, World], Awaitable[int]]


async def make_node(database: Database, who: Principal, world: World) -> int:
    return await add_node(database, who, replace(NODE, dealer_id=who.dealer_id))


async def make_warehouse(database: Database, who: Principal, world: World) -> int:
    return await add_warehouse(database, who, warehouse(world, dealer_id=who.dealer_id))


async def make_entity(database: Database, who: Principal, world: World) -> int:
    return await add_entity(database, who, "new", who.dealer_id)


async def close_node(
    database: Database, who: Principal, world: World, code: str = "dealer-node"
) -> int:
    async with database.tenant_transaction(who) as tx:
        return await set_node_active(tx, code, False)


MAKE: tuple[Create, ...] = (make_node, make_warehouse, make_entity)


@pytest.mark.parametrize("create", MAKE, ids=lambda create: create.__name__)
@pytest.mark.parametrize("who", ["dealer", "store", "group"])
async def test_who_may_only_read_creates_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str, create: Create
) -> None:
    async with refused(still_admin, "WRITE_REFUSED"):
        await create(still, getattr(ready_world, who), ready_world)


@pytest.mark.parametrize("create", [*MAKE, close_node], ids=lambda create: create.__name__)
async def test_who_lacks_the_permission_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, create: Create
) -> None:
    others = ready_world.brand.permissions - {Permission.NETWORK_WRITE}
    without = replace(ready_world.brand, permissions=others)
    async with refused(still_admin, "PERMISSION_MISSING"):
        await create(still, without, ready_world)


async def test_an_unknown_node_is_not_closed(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "UNKNOWN_NODE"):
        await close_node(still, ready_world.brand, ready_world, "z")


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_who_may_only_read_closes_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str
) -> None:
    code = "WRITE_REFUSED" if who == "group" else "UNKNOWN_NODE"
    async with refused(still_admin, code):
        await close_node(still, getattr(ready_world, who), ready_world)


async def test_a_dealer_without_an_agreement_has_no_place(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    theirs = ready_world.dealers["d1"]
    async with refused(still_admin, "UNKNOWN_DEALER"):
        await add_node(still, ready_world.other_brand, replace(NODE, dealer_id=theirs))


@pytest.mark.parametrize(
    "changes",
    [
        {"daily_capacity": DAILY_CAPACITY_MAX, "lead_time_minutes": LEAD_TIME_MINUTES_MAX},
        {"longitude_e6": 180_000_000, "latitude_e6": 90_000_000, "priority": 1000},
        {"longitude_e6": -180_000_000, "latitude_e6": -90_000_000, "priority": 0},
    ],
    ids=["most", "north-east", "south-west"],
)
async def test_what_lies_on_the_edge_is_taken(
    database: Database, world: World, changes: dict[str, Any]
) -> None:
    assert await add_node(database, world.brand, replace(NODE, **changes)) > 0
