"""Terms of dealers and channels, and all terms read at once with a mark that rises."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from backend.db.pool import Database
from backend.network.dealer_terms import list_dealer_terms
from backend.network.model import DealerTerms, NodeKind
from backend.network.terms import CLOSED_DAYS_AHEAD
from tenants.principal import Principal
from tests.catalogue import Connection, contents
from tests.network import terms as given
from tests.network.terms import LANE, TODAY, commission, dealer_terms
from tests.refusals import refused
from tests.world import HANGZHOU, World

Put = Callable[[Database, Principal, World, str], Awaitable[object]]


async def of_dealers(database: Database, who: Principal) -> list[DealerTerms]:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return list(await list_dealer_terms(tx))


# ---------------------------------------------------------------------- dealers and channels


async def test_a_dealers_terms_are_replaced_whole(database: Database, world: World) -> None:
    terms = dealer_terms(world)
    assert await given.put_dealer_terms(database, world.brand, terms) == terms
    assert await of_dealers(database, world.brand) == [terms]
    bare = DealerTerms(dealer_id=terms.dealer_id)
    await given.put_dealer_terms(database, world.brand, bare)
    assert await of_dealers(database, world.brand) == [bare]


async def test_a_region_named_twice_is_kept_once(database: Database, world: World) -> None:
    terms = dealer_terms(world, territory=(330000, HANGZHOU, 310000, 330000))
    kept = await given.put_dealer_terms(database, world.brand, terms)
    assert kept.territory == (310000, 330000, HANGZHOU)


async def test_a_dealer_sees_its_own_terms(database: Database, world: World) -> None:
    for code in ("d1", "d2"):
        terms = dealer_terms(world, dealer_id=world.dealers[code])
        await given.put_dealer_terms(database, world.brand, terms)
    for who, codes in (
        (world.brand, ["d1", "d2"]),
        (world.group, ["d1", "d2"]),
        (world.dealer, ["d1"]),
        (world.other_dealer, ["d2"]),
        (world.store, []),
        (world.other_brand, []),
    ):
        seen = [terms.dealer_id for terms in await of_dealers(database, who)]
        assert seen == [world.dealers[code] for code in codes]


async def test_channel_terms_are_changed_and_others_stay(database: Database, world: World) -> None:
    await given.put_channel_terms(database, world.brand, [commission(), commission("jd", 800)])
    of_dealer = replace(commission(), node_kind=NodeKind.DEALER)
    kept = await given.put_channel_terms(
        database, world.brand, [commission("jd", 10_000), of_dealer]
    )
    assert kept == [commission("jd", 10_000), of_dealer, commission()]


async def put_dealer(database: Database, who: Principal, world: World, key: str) -> object:
    return await given.put_dealer_terms(database, who, dealer_terms(world), key)


async def put_channel(database: Database, who: Principal, world: World, key: str) -> object:
    return await given.put_channel_terms(database, who, [commission()], key)


@pytest.mark.parametrize("put", [put_dealer, put_channel], ids=lambda put: put.__name__)
async def test_the_same_command_again_changes_nothing(
    database: Database, world: World, admin: Connection, put: Put
) -> None:
    first = await put(database, world.brand, world, "k")
    before = await contents(admin)
    assert await put(database, world.brand, world, "k") == first
    assert await contents(admin) == before
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await given.put_lanes(database, world.brand, [LANE], "k")


# ------------------------------------------------------------------------------- all at once


async def test_a_brand_without_terms_has_none(still: Database, ready_world: World) -> None:
    terms = await given.read(still, ready_world.brand)
    assert terms == (0, TODAY, {}, {}, {}, {}, [])


async def test_all_terms_are_read_at_once(database: Database, world: World) -> None:
    far = TODAY + timedelta(days=CLOSED_DAYS_AHEAD)
    for day in (TODAY - timedelta(days=1), TODAY, far - timedelta(days=1), far):
        await given.put_closed_days(database, world.brand, day, day)
    drafts = [LANE, replace(LANE, carrier="b"), replace(LANE, node="far")]
    await given.put_lanes(database, world.brand, [*drafts, replace(LANE, region_code=330000)])
    await given.put_lanes(database, world.brand, [replace(LANE, is_active=False)])
    await given.put_dealer_terms(database, world.brand, dealer_terms(world))
    await given.put_channel_terms(database, world.brand, [commission()])
    terms = await given.read(database, world.system)
    wh, far_id = world.nodes["wh"], world.nodes["far"]
    assert (terms.mark, terms.first_day) == (8, TODAY)
    assert terms.closed_days == {wh: {TODAY, far - timedelta(days=1)}}
    carried = {
        node_id: [(lane.carrier, lane.region_code) for lane in lanes]
        for node_id, lanes in terms.lanes.items()
    }
    assert carried == {
        wh: [("b", HANGZHOU), ("express", 330000)],
        far_id: [("express", HANGZHOU)],
    }
    assert terms.dealers == {world.dealers["d1"]: dealer_terms(world)}
    assert terms.channels == {("tmall", NodeKind.STORE): commission()}


async def test_terms_are_each_brands_own(database: Database, world: World) -> None:
    before = await given.read(database, world.other_brand)
    await given.put_lanes(database, world.brand, [LANE])
    await given.put_closed_days(database, world.brand)
    assert await given.read(database, world.other_brand) == before


async def put_node(database: Database, who: Principal, world: World, key: str) -> object:
    return await given.put_node_terms(database, who)


async def close(database: Database, who: Principal, world: World, key: str) -> object:
    return await given.put_closed_days(database, who)


async def put_lane(database: Database, who: Principal, world: World, key: str) -> object:
    return await given.put_lanes(database, who, [LANE], key)


WRITES: tuple[Put, ...] = (put_node, close, put_lane, put_dealer, put_channel)


@pytest.mark.parametrize("put", WRITES, ids=lambda put: put.__name__)
async def test_every_change_raises_the_mark(database: Database, world: World, put: Put) -> None:
    for expected in (0, 1, 2):
        assert await given.mark(database, world.brand) == expected
        await put(database, world.brand, world, f"k{expected}")
    assert await given.mark(database, world.other_brand) == 0


async def test_a_repeated_command_leaves_the_mark(database: Database, world: World) -> None:
    for _ in range(2):
        await put_lane(database, world.brand, world, "k")
    assert await given.mark(database, world.brand) == 1
