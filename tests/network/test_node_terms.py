"""What a node can do, when it sends, and the days on which it does not."""

from datetime import date, timedelta

import pytest
from msgspec.structs import asdict

from backend.db.pool import Database
from backend.network.model import Node, NodeTerms
from backend.network.node_terms import CLOSED_DAYS_MAX, closed_days_of_nodes
from backend.network.nodes import list_nodes
from tenants.principal import Principal
from tests.network.terms import TERMS, TODAY, put_closed_days, put_node_terms
from tests.world import World

WEEK = [TODAY + timedelta(days=later) for later in range(7)]


async def node(database: Database, who: Principal, code: str = "wh") -> Node:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return {node.code: node for node in await list_nodes(tx)}[code]


async def closed(
    database: Database, who: Principal, world: World, code: str = "wh", today: date = TODAY
) -> list[date]:
    """Return the days on which somebody is shown that a node is closed."""
    async with database.tenant_transaction(who, read_only=True) as tx:
        found = await closed_days_of_nodes(tx, [world.nodes[code]], today)
    return list(found.get(world.nodes[code], ()))


async def test_terms_are_kept_as_given_and_change_nothing_else(
    database: Database, world: World
) -> None:
    before = await node(database, world.brand)
    assert await put_node_terms(database, world.brand) == before.id
    assert asdict(await node(database, world.brand)) == asdict(before) | asdict(TERMS)


async def test_terms_are_replaced_whole(database: Database, world: World) -> None:
    before = await node(database, world.brand)
    for terms in (TERMS, NodeTerms(service_level=1), NodeTerms()):
        await put_node_terms(database, world.brand, terms)
    assert await node(database, world.brand) == before


async def test_terms_of_other_nodes_stay(database: Database, world: World) -> None:
    before = await node(database, world.other_brand), await node(database, world.brand, "far")
    await put_node_terms(database, world.brand)
    after = await node(database, world.other_brand), await node(database, world.brand, "far")
    assert after == before


@pytest.mark.parametrize(
    "terms",
    [
        NodeTerms(cut_off_minute=0, working_days=1),
        NodeTerms(cut_off_minute=1_439, working_days=64, handling_minor=10**9),
    ],
    ids=["least", "most"],
)
async def test_what_lies_on_the_edge_is_taken(
    database: Database, world: World, terms: NodeTerms
) -> None:
    await put_node_terms(database, world.brand, terms)
    assert (await node(database, world.brand)).cut_off_minute == terms.cut_off_minute


def test_a_node_works_on_its_working_days() -> None:
    assert all(NodeTerms().works_on(day.weekday()) for day in WEEK)
    on_weekdays = NodeTerms(working_days=0b0011111)
    assert [day for day in range(7) if not on_weekdays.works_on(day)] == [5, 6]


# ------------------------------------------------------------------------------ closed days


async def test_days_are_closed_and_opened_again(database: Database, world: World) -> None:
    for _ in range(2):
        await put_closed_days(database, world.brand, WEEK[0], WEEK[5])
        assert await closed(database, world.brand, world) == WEEK[:6]
    for _ in range(2):
        await put_closed_days(database, world.brand, WEEK[1], WEEK[4], is_closed=False)
        assert await closed(database, world.brand, world) == [WEEK[0], WEEK[5]]
    assert await closed(database, world.brand, world, "far") == []
    assert await closed(database, world.other_brand, world) == []


async def test_what_is_past_or_far_away_is_not_shown(database: Database, world: World) -> None:
    last = TODAY + timedelta(days=CLOSED_DAYS_MAX - 1)
    await put_closed_days(database, world.brand, TODAY, last)
    after_tomorrow = TODAY + timedelta(days=2)
    assert len(await closed(database, world.brand, world)) == CLOSED_DAYS_MAX
    assert (await closed(database, world.brand, world, today=after_tomorrow))[0] == after_tomorrow
    assert await closed(database, world.brand, world, today=TODAY - timedelta(days=1)) == [
        TODAY + timedelta(days=later) for later in range(CLOSED_DAYS_MAX - 1)
    ]


async def test_everybody_sees_the_days_of_the_nodes_that_concern_them(
    database: Database, world: World
) -> None:
    for code in ("store", "dealer-node"):
        await put_closed_days(database, world.brand, code=code)
    for who, codes in (
        (world.brand, {"store", "dealer-node"}),
        (world.group, {"store", "dealer-node"}),
        (world.dealer, {"dealer-node"}),
        (world.other_dealer, set()),
        (world.store, {"store"}),
        (world.other_brand, set()),
    ):
        seen = {code for code in world.nodes if await closed(database, who, world, code)}
        assert seen == codes
