"""Lanes: set many at once, known by node, carrier and region, and used while they are active."""

import asyncio

import pytest
from msgspec.structs import replace

from backend.db.pool import Database
from backend.network import lanes as cases
from backend.network.lanes import lanes_by_ids, list_lanes, page_of_lanes
from backend.network.model import Lane
from backend.network.nodes import delete_node
from tenants.principal import Principal
from tests.catalogue import Connection, contents
from tests.crowd import CROWD
from tests.network.drafts import NODE, add_node
from tests.network.terms import LANE, put_lanes
from tests.refusals import refused
from tests.world import BEIJING, SHANGHAI, World

PROVINCE = 330000


async def lanes(database: Database, who: Principal) -> list[Lane]:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await list_lanes(tx)


async def test_a_lane_is_kept_as_given(database: Database, world: World) -> None:
    assert await put_lanes(database, world.brand, [LANE]) == 1
    (kept,) = await lanes(database, world.brand)
    assert kept == Lane(
        id=kept.id,
        node_id=world.nodes["wh"],
        carrier="express",
        region_code=LANE.region_code,
        base_minor=800,
        step_minor=200,
        step_g=500,
        transit_minutes=1_440,
        is_active=True,
    )


async def test_a_lane_that_is_there_is_changed(database: Database, world: World) -> None:
    others = [
        replace(LANE, node="far"),
        replace(LANE, carrier="freight"),
        replace(LANE, region_code=PROVINCE),
    ]
    await put_lanes(database, world.brand, [LANE, *others])
    before = await lanes(database, world.brand)
    changed = replace(LANE, base_minor=1, step_minor=2, step_g=3, transit_minutes=4)
    await put_lanes(database, world.brand, [changed, replace(LANE, region_code=BEIJING)])
    after = {lane.id: lane for lane in await lanes(database, world.brand)}
    figures = {"base_minor": 1, "step_minor": 2, "step_g": 3, "transit_minutes": 4}
    assert len(after) == 5
    for lane in before:
        is_it = (lane.node_id, lane.carrier, lane.region_code) == (
            world.nodes["wh"],
            LANE.carrier,
            LANE.region_code,
        )
        assert after[lane.id] == (replace(lane, **figures) if is_it else lane)


async def test_what_is_switched_off_is_shown_and_not_used(database: Database, world: World) -> None:
    await put_lanes(database, world.brand, [LANE, replace(LANE, region_code=PROVINCE)])
    await put_lanes(database, world.brand, [replace(LANE, is_active=False)])
    assert [lane.region_code for lane in await lanes(database, world.brand)] == [PROVINCE]
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        shown = await page_of_lanes(tx, 0, 9)
        assert [lane.is_active for lane in shown] == [False, True]
        assert await page_of_lanes(tx, 0, 1) == shown[:1]
        assert await page_of_lanes(tx, shown[0].id, 9) == shown[1:]
        assert await lanes_by_ids(tx, [shown[1].id, 999_999]) == shown[1:]


async def test_the_same_command_again_changes_nothing(
    database: Database, world: World, admin: Connection
) -> None:
    assert await put_lanes(database, world.brand, [LANE], "k") == 1
    await put_lanes(database, world.brand, [replace(LANE, base_minor=1)])
    before = await contents(admin)
    assert await put_lanes(database, world.brand, [LANE], "k") == 1
    assert await contents(admin) == before
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await put_lanes(database, world.brand, [replace(LANE, base_minor=2)], "k")


async def test_many_are_set_at_once(database: Database, world: World, admin: Connection) -> None:
    drafts = [
        replace(LANE, carrier=f"c{number}") for number in range(cases.LANES_A_COMMAND_MAX + 1)
    ]
    async with refused(admin, "INVALID_TERMS"):
        await put_lanes(database, world.brand, drafts)
    assert await put_lanes(database, world.brand, drafts[1:]) == cases.LANES_A_COMMAND_MAX
    assert len(await lanes(database, world.brand)) == cases.LANES_A_COMMAND_MAX


async def test_a_brand_has_no_more_lanes_than_planners_can_hold(
    database: Database, world: World, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "LANES_MAX", 2)
    await put_lanes(database, world.other_brand, [replace(LANE, region_code=BEIJING)])
    await put_lanes(database, world.brand, [LANE, replace(LANE, region_code=PROVINCE)])
    async with refused(admin, "INVALID_TERMS"):
        await put_lanes(database, world.brand, [replace(LANE, region_code=SHANGHAI)])
    assert await put_lanes(database, world.brand, [LANE]) == 1


async def test_commands_at_once_come_one_after_another(database: Database, world: World) -> None:
    drafts = [replace(LANE, carrier=f"c{number}") for number in range(9)]
    forth_and_back = (drafts, drafts[::-1])
    works = (
        put_lanes(database, world.brand, forth_and_back[number % 2]) for number in range(CROWD)
    )
    assert await asyncio.gather(*works) == [9] * CROWD
    assert len(await lanes(database, world.brand)) == 9


async def test_only_the_brand_sees_what_carriers_charge(database: Database, world: World) -> None:
    await put_lanes(database, world.brand, [LANE, replace(LANE, node="store")])
    for who, count in (
        (world.group, 2),
        (world.system, 2),
        (world.dealer, 0),
        (world.store, 0),
        (world.other_brand, 0),
    ):
        assert len(await lanes(database, who)) == count


async def test_lanes_go_with_their_node(database: Database, world: World) -> None:
    await add_node(database, world.brand, NODE)
    await put_lanes(database, world.brand, [LANE, replace(LANE, node=NODE.code)])
    async with database.tenant_transaction(world.brand) as tx:
        await delete_node(tx, NODE.code)
    assert [lane.node_id for lane in await lanes(database, world.brand)] == [world.nodes["wh"]]


@pytest.mark.parametrize(
    ("weight_g", "charge"),
    [(0, 800), (1, 800), (500, 800), (501, 1_000), (1_000, 1_000), (1_001, 1_200)],
)
def test_a_parcel_costs_its_first_weight_and_each_further_one(weight_g: int, charge: int) -> None:
    lane = Lane(
        id=1,
        node_id=1,
        carrier="c",
        region_code=1,
        base_minor=800,
        step_minor=200,
        step_g=500,
        transit_minutes=0,
        is_active=True,
    )
    assert lane.charge_minor(weight_g) == charge
