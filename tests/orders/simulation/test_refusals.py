"""Who asks for what cannot be simulated is told why; nothing has changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.pool import Database
from backend.orders.simulation import simulations
from backend.orders.simulation.errors import UnknownSimulation
from backend.orders.simulation.model import Simulation
from backend.orders.simulation.simulations import (
    cancel_simulation,
    page_of_simulations,
    simulation,
    start_simulation,
)
from tenants.principal import Permission, Principal
from tests.catalogue import Connection
from tests.orders.simulation.scene import Past, only
from tests.refusals import refused, still, still_admin, still_url
from tests.world import World, draft, fresh_key

__all__ = ["still", "still_admin", "still_url"]

DAY = timedelta(days=1)
LATELY = datetime(2026, 1, 1, tzinfo=UTC)


async def end(database: Database, who: Principal, number: int) -> Simulation:
    async with database.tenant_transaction(who) as tx:
        return await cancel_simulation(tx, number, key=fresh_key())


async def begin(database: Database, who: Principal, **given: Any) -> Simulation:
    async with database.tenant_transaction(who) as tx:
        return await start_simulation(tx, **given)


def asked(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"baseline": 0, "candidate": 0, "since": LATELY, "until": LATELY + DAY}
    return values | {"key": fresh_key()} | changes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"until": LATELY}, "INVALID_PERIOD"),
        ({"until": LATELY - DAY}, "INVALID_PERIOD"),
        ({"until": LATELY + 401 * DAY}, "INVALID_PERIOD"),
        ({"since": LATELY - 400 * DAY}, "INVALID_PERIOD"),
        ({"until": datetime.now(UTC) + DAY}, "INVALID_PERIOD"),
        ({"since": LATELY.replace(tzinfo=None)}, "INVALID_PERIOD"),
        ({"candidate": 7}, "UNKNOWN_POLICY"),
        ({"baseline": -1}, "UNKNOWN_POLICY"),
        ({"candidate": 2**40}, "UNKNOWN_POLICY"),
        ({"key": ""}, "INVALID_IDEMPOTENCY_KEY"),
    ],
)
async def test_what_cannot_be_simulated_is_not_begun(
    still: Database, still_admin: Connection, world: World, changes: dict[str, Any], code: str
) -> None:
    async with refused(still_admin, code):
        await begin(still, world.brand, **asked(**changes))


async def test_it_takes_the_permission(
    still: Database, still_admin: Connection, world: World
) -> None:
    who = replace(world.brand, permissions=frozenset(Permission) - {Permission.NETWORK_WRITE})
    async with refused(still_admin, "PERMISSION_MISSING"):
        await begin(still, who, **asked())
    async with refused(still_admin, "PERMISSION_MISSING"):
        await end(still, who, 1)


async def test_what_is_not_there_cannot_be_cancelled(
    still: Database, still_admin: Connection, world: World
) -> None:
    async with refused(still_admin, "UNKNOWN_SIMULATION"):
        await end(still, world.brand, 1)


async def test_what_has_ended_cannot_be_cancelled(past: Past, admin: Connection) -> None:
    found = await past.simulate(0)
    async with refused(admin, "SIMULATION_ENDED"):
        await end(past.database, past.world.brand, found.simulation.id)


async def test_no_more_wait_than_somebody_waits_for(
    past: Past, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulations, "OPEN_MAX", 2)
    await past.ask(0)
    await past.ask(0)
    async with refused(admin, "TOO_MANY_SIMULATIONS"):
        await past.ask(0)


async def test_the_differences_of_old_ones_are_dropped(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulations, "DETAILED_MAX", 2)
    await past.receive("wh", 5)
    await past.receive("far", 5)
    await past.place(draft({"A": 1}))
    version = await past.propose(only("far"))
    asked_for = [(await past.simulate(version)).simulation for _ in range(3)]
    await past.ask(0)
    found = [await past.look(one) for one in asked_for]
    assert [len(one.differences) for one in found] == [0, 0, 1]
    assert [one.result.differing for one in found] == [1, 1, 1]


async def test_the_same_key_begins_one(past: Past, admin: Connection) -> None:
    given = asked()
    brand = past.world.brand
    first, second = [await begin(past.database, brand, **given) for _ in range(2)]
    assert first == second
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await begin(past.database, brand, **given | {"since": LATELY - DAY})


async def test_nobody_else_sees_it(past: Past, admin: Connection) -> None:
    found = await past.ask(0)
    world = past.world
    for who in (world.dealer, world.store, world.other_brand):
        async with past.database.tenant_transaction(who) as tx:
            assert await page_of_simulations(tx, 2**62, 9) == []
            with pytest.raises(UnknownSimulation):
                await simulation(tx, found.id)
    async with refused(admin, "UNKNOWN_SIMULATION"):
        await end(past.database, world.other_brand, found.id)
