"""Policies on trial: what they come to, whom they route, and that they return."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.network.regions.table import bundled_regions
from backend.orders.model import Placed
from backend.routing import live_book, rollouts
from backend.routing.errors import InvalidRollout, RolloutRunning, UnknownPolicy, UnknownRollout
from backend.routing.kpis import Figures, Kpi
from backend.routing.model import Objective, PolicyDocument, lot_of
from backend.routing.policies import activate_policy, propose_policy
from backend.routing.rollouts import (
    Rollout,
    RolloutDraft,
    RolloutMode,
    RolloutState,
    Side,
    verdict,
)
from tests.catalogue import Connection, contents
from tests.inventory.pools.living import Living, live
from tests.routing.small_worlds import compared_by
from tests.world import draft, fresh_key

__all__ = ["live"]

FAR_FIRST = compared_by(Objective("node_priority"), Objective("stock_depth"))
NEAREST = compared_by(Objective("distance"))


@pytest.fixture
async def stocked(live: Living, monkeypatch: pytest.MonkeyPatch) -> Living:
    """Shanghai has a little of A, Beijing a lot; figures are stored at once."""
    monkeypatch.setattr(live_book, "FIGURES_SECONDS", 0.0)
    await live.receive("wh", 50)
    await live.receive("far", 150)
    return live


async def propose(live: Living, document: PolicyDocument) -> int:
    async with live.runtime.database.tenant_transaction(live.brand) as tx:
        saved = await propose_policy(
            tx, document, based_on=0, comment="", key=fresh_key(), regions=bundled_regions()
        )
    return saved.version


async def start(live: Living, **values: Any) -> Rollout:
    """Try FAR_FIRST, which sends everything from Beijing."""
    given: dict[str, Any] = {"candidate": 1, "mode": RolloutMode.SHADOW, "least_orders": 5} | values
    async with live.runtime.database.tenant_transaction(live.brand) as tx:
        started = await rollouts.start_rollout(
            tx, RolloutDraft(**given), key=fresh_key(), regions=bundled_regions()
        )
    await live.freshen()
    return started


async def place(live: Living, orders: int) -> list[int]:
    outcomes = await asyncio.gather(
        *(live.runtime.intake.place(draft({"A": 1}), live.brand) for _ in range(orders))
    )
    return [outcome.order_id for outcome in outcomes if isinstance(outcome, Placed)]


async def figures(live: Living) -> dict[Side, Figures]:
    await live.freshen()
    async with live.runtime.database.tenant_transaction(live.brand, read_only=True) as tx:
        found = await rollouts.figures_of_rollouts(tx, [1])
    return {side: sums for (_, side), sums in found.items()}


async def nodes_of(admin: Connection) -> dict[int, str]:
    query = """select f.order_id, n.code from fulfilment f
        join node n on n.tenant_id = f.tenant_id and n.id = f.node_id"""
    return {row["order_id"]: row["code"] for row in await admin.fetch(query)}


async def test_a_shadow_routes_nothing_and_counts_everything(
    stocked: Living, admin: Connection
) -> None:
    await propose(stocked, FAR_FIRST)
    await start(stocked)
    await place(stocked, 6)
    found = await figures(stocked)
    assert set((await nodes_of(admin)).values()) == {"wh"}
    assert (found[Side.BASELINE].orders, found[Side.CANDIDATE].orders) == (6, 6)
    assert (found[Side.BASELINE].cross_region, found[Side.CANDIDATE].cross_region) == (0, 6)


async def test_a_canary_routes_its_share(stocked: Living, admin: Connection) -> None:
    await propose(stocked, FAR_FIRST)
    await start(stocked, mode=RolloutMode.CANARY, share_bp=5_000)
    ids = await place(stocked, 30)
    sent = await nodes_of(admin)
    assert {one: sent[one] for one in ids} == {
        one: "far" if lot_of(one) < 5_000 else "wh" for one in ids
    }
    found = await figures(stocked)
    assert sum(sums.orders for sums in found.values()) == 30
    assert found[Side.CANDIDATE].cross_region == list(sent.values()).count("far")


async def test_a_canarys_decision_names_its_version(stocked: Living, admin: Connection) -> None:
    await propose(stocked, FAR_FIRST)
    await start(stocked, mode=RolloutMode.CANARY, share_bp=9_999)
    await place(stocked, 3)
    rows = await admin.fetch("select policy_version, strategies from routing_decision")
    assert {(row["policy_version"], *row["strategies"]) for row in rows} == {(1, "only")}


async def test_a_worse_candidate_returns_by_itself(stocked: Living, admin: Connection) -> None:
    await propose(stocked, FAR_FIRST)
    await start(stocked, mode=RolloutMode.CANARY, share_bp=5_000, kpi=Kpi.DISTANCE)
    await place(stocked, 40)
    await figures(stocked)
    await stocked.runtime.maintenance._routing.judge_rollouts()
    row = await admin.fetchrow("select state, reason from routing_rollout")
    assert row is not None
    assert row["state"] == "returned"
    assert row["reason"].startswith("distance rose from ")
    await stocked.freshen()
    before = set(await nodes_of(admin))
    await place(stocked, 10)
    later = {one: code for one, code in (await nodes_of(admin)).items() if one not in before}
    assert set(later.values()) == {"wh"}


async def test_a_better_candidate_stays(stocked: Living, admin: Connection) -> None:
    await propose(stocked, NEAREST)
    await start(stocked, kpi=Kpi.DISTANCE)
    await place(stocked, 10)
    await figures(stocked)
    await stocked.runtime.maintenance._routing.judge_rollouts()
    assert await admin.fetchval("select state from routing_rollout") == "running"


async def test_another_active_policy_ends_a_rollout(stocked: Living, admin: Connection) -> None:
    await propose(stocked, FAR_FIRST)
    await propose(stocked, NEAREST)
    await start(stocked)
    async with stocked.runtime.database.tenant_transaction(stocked.brand) as tx:
        await activate_policy(tx, 2, key=fresh_key(), regions=bundled_regions())
    await stocked.runtime.maintenance._routing.judge_rollouts()
    assert await admin.fetchval("select state from routing_rollout") == "ended"


@pytest.mark.parametrize(
    ("before", "after", "orders", "returns"),
    [(100, 105, 5, False), (100, 106, 5, True), (100, 900, 4, False), (0, 1, 5, True)],
)
def test_a_figure_may_be_so_much_worse(before: int, after: int, orders: int, returns: bool) -> None:
    rollout = Rollout(
        id=1,
        baseline=0,
        candidate=1,
        mode=RolloutMode.SHADOW,
        share_bp=0,
        kpi=Kpi.COST,
        worse_bp=500,
        least_orders=5,
        state=RolloutState.RUNNING,
        started_by="x",
        started_at=datetime.min.replace(tzinfo=UTC),
        ended_at=None,
        reason="",
    )
    sides = [Figures(orders=orders, freight_minor=orders * each) for each in (before, after)]
    assert bool(verdict(rollout, *sides)) == returns


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"mode": RolloutMode.CANARY}, ("shareBp",)),
        ({"mode": RolloutMode.CANARY, "share_bp": 10_000}, ("shareBp",)),
        ({"share_bp": 100}, ("shareBp",)),
        ({"worse_bp": -1}, ("worseBp",)),
        ({"least_orders": 0}, ("leastOrders",)),
    ],
)
async def test_a_rollout_that_makes_no_sense_is_refused(
    live: Living, admin: Connection, values: dict[str, Any], path: tuple[str]
) -> None:
    await propose(live, FAR_FIRST)
    before = await contents(admin)
    with pytest.raises(InvalidRollout) as refusal:
        await start(live, **values)
    assert refusal.value.path == path
    assert await contents(admin) == before


async def test_one_rollout_runs_at_a_time(live: Living, admin: Connection) -> None:
    await propose(live, FAR_FIRST)
    await start(live)
    before = await contents(admin)
    with pytest.raises(RolloutRunning):
        await start(live)
    with pytest.raises(UnknownPolicy):
        await start(live, candidate=9)
    assert await contents(admin) == before


async def test_a_rollout_ends_once(live: Living, admin: Connection) -> None:
    await propose(live, FAR_FIRST)
    started = await start(live)
    for key, expected in (("end", RolloutState.ENDED), ("end", RolloutState.ENDED)):
        async with live.runtime.database.tenant_transaction(live.brand) as tx:
            ended = await rollouts.end_rollout(tx, started.id, key=key)
        assert ended.state is expected
    before = await contents(admin)
    with pytest.raises(UnknownRollout):
        async with live.runtime.database.tenant_transaction(live.brand) as tx:
            await rollouts.end_rollout(tx, started.id, key="again")
    assert await contents(admin) == before


def test_lots_are_spread() -> None:
    lots = [lot_of(order_id) for order_id in range(1, 10_001)]
    assert all(0 <= lot < 10_000 for lot in lots)
    tenth = sum(lot < 1_000 for lot in lots)
    assert 900 < tenth < 1_100
