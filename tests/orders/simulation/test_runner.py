"""Who runs simulations: each one process, taken up again when it is gone, ended when told to."""

import asyncio
from typing import Any

import pytest

from backend.db.errors import DatabaseUnavailable
from backend.orders.simulation import run_simulation as engine
from backend.orders.simulation import runner as running
from backend.orders.simulation.model import Simulation, SimulationState
from backend.orders.simulation.simulations import cancel_simulation
from backend.runtime import open_runtime
from loadtests.waiting import until
from tests.conftest import SECRET
from tests.orders.simulation.scene import Past, only
from tests.world import draft, fresh_key


@pytest.fixture
async def asked(past: Past, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    """A simulation of three orders, each a piece of its own."""
    monkeypatch.setattr("backend.orders.simulation.history.PIECE", 1)
    await past.receive("wh", 5)
    await past.receive("far", 5)
    for _ in range(3):
        await past.place(draft({"A": 1}))
    return await past.ask(await past.propose(only("far")))


async def cancel(past: Past, asked: Simulation) -> Simulation:
    async with past.database.tenant_transaction(past.world.brand) as tx:
        return await cancel_simulation(tx, asked.id, key=fresh_key())


class Paused:
    """The first run waits after its first order, until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self._play = engine.Run.play
        monkeypatch.setattr(engine.Run, "play", lambda *given: self._play_once(*given))

    async def _play_once(self, *given: Any) -> None:
        await self._play(*given)
        if not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()


async def test_what_is_cancelled_half_way_stays_so_and_takes_nothing(
    past: Past, asked: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, paused = await past.everything(), Paused(monkeypatch)
    run = asyncio.create_task(past.run())
    await paused.reached.wait()
    assert (await past.look(asked)).simulation.state is SimulationState.RUNNING
    cancelled = await cancel(past, asked)
    paused.go_on.set()
    assert await run
    found = await past.look(asked)
    assert found.simulation == cancelled
    assert (found.simulation.state, found.simulation.orders_total) == ("cancelled", 3)
    assert (found.simulation.result, found.differences) == (None, [])
    after = await past.everything()
    assert {table for table in after if after[table] != before[table]} == {"command_key"}


async def test_what_is_cancelled_before_is_not_run(past: Past, asked: Simulation) -> None:
    await cancel(past, asked)
    assert not await past.run()


async def test_two_processes_never_run_one(
    past: Past, asked: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = Paused(monkeypatch)
    run = asyncio.create_task(past.run())
    await paused.reached.wait()
    assert not await past.run(past.another_runner())
    paused.go_on.set()
    assert await run
    assert not await past.run(past.another_runner())
    assert (await past.look(asked)).simulation.state is SimulationState.DONE


async def test_many_processes_take_each_another_one(past: Past, asked: Simulation) -> None:
    others = [await past.ask(asked.candidate) for _ in range(3)]
    runs = [past.run(past.another_runner()) for _ in range(6)]
    assert sorted(await asyncio.gather(*runs)) == [False] * 2 + [True] * 4
    found = [(await past.look(one)).simulation.state for one in (asked, *others)]
    assert found == [SimulationState.DONE] * 4


async def test_what_a_killed_process_has_left_is_taken_up_again(
    past: Past, asked: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = Paused(monkeypatch)
    run = asyncio.create_task(past.run())
    await paused.reached.wait()
    run.cancel()
    await asyncio.wait([run])
    paused.go_on.set()
    assert not await past.run(past.another_runner()), "its lease has not ended"
    await past.admin.execute("update routing_simulation set leased_until = clock_timestamp()")
    assert await past.run(past.another_runner())
    found = await past.look(asked)
    assert (found.simulation.state, found.result.differing) == (SimulationState.DONE, 3)


async def test_what_ends_one_process_after_another_is_given_up(
    past: Past, asked: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object, **__: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(running, "run_simulation", killed)
    for _ in range(running.ATTEMPTS_MAX):
        with pytest.raises(DatabaseUnavailable):
            await past.run()
        await past.admin.execute("update routing_simulation set leased_until = clock_timestamp()")
    assert not await past.run()
    found = (await past.look(asked)).simulation
    assert (found.state, found.error) == (SimulationState.FAILED, running.GIVEN_UP)


async def test_who_was_taken_for_dead_keeps_nothing(
    past: Past, asked: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = Paused(monkeypatch)
    late = asyncio.create_task(past.run())
    await paused.reached.wait()
    await past.admin.execute("update routing_simulation set leased_until = clock_timestamp()")
    assert await past.run(past.another_runner())
    paused.go_on.set()
    assert await late
    found = await past.look(asked)
    assert (found.simulation.state, len(found.differences)) == (SimulationState.DONE, 3)


async def test_a_process_that_ends_leaves_it_to_others(
    past: Past, asked: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = Paused(monkeypatch)
    run = asyncio.create_task(past.run())
    await paused.reached.wait()
    past.runner.stop()
    paused.go_on.set()
    assert await run
    assert (await past.look(asked)).simulation.state is SimulationState.QUEUED
    assert await past.run(past.another_runner())
    assert (await past.look(asked)).simulation.state is SimulationState.DONE


async def test_a_worker_runs_what_waits(
    past: Past, asked: Simulation, database_url: str, valkey_url: str
) -> None:
    async def is_done() -> bool:
        return (await past.look(asked)).simulation.state is SimulationState.DONE

    async with open_runtime(database_url, valkey_url, SECRET):
        await until(is_done)


async def test_one_that_fails_says_why(
    past: Past, asked: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(running, "run_simulation", broken)
    assert await past.run()
    found = (await past.look(asked)).simulation
    assert (found.state, found.error) == (
        SimulationState.FAILED,
        "ZeroDivisionError: on purpose",
    )
    assert not await past.run()
