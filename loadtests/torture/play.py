"""Playing a history on the simulated servers, until everybody has an answer and all is healed."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

from msgspec.structs import replace

from backend.admission.valkey import ValkeyAway
from backend.db.errors import DatabaseUnavailable, YipanError
from backend.db.pool import CONNECTION_LOST
from backend.inventory.change_stock import change_stock
from backend.inventory.model import Level
from backend.network.nodes import set_node_active
from backend.orders.cancel_orders import Cancelled, cancel_order
from backend.orders.errors import TooBusy
from backend.orders.model import (
    Held,
    HoldOutcome,
    OrderDraft,
    OrderStatus,
    Outcome,
    Placed,
    Refused,
)
from backend.orders.set_appointment import set_appointment
from backend.orders.stock_holds.change_holds import release_stock_hold
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from backend.runtime import Runtime
from loadtests.torture.accidents import Accident
from loadtests.torture.checks import check_all, what_is_left
from loadtests.torture.fill import fill
from loadtests.torture.history import Agree, Cancel, Change, Closing, History, Keeping, Order, Then
from loadtests.torture.loop import NothingLeft, run_simulated
from loadtests.torture.machine import Gone, Machine, SimulatedServers
from loadtests.torture.played import BRAND, TENANT, Answer, Played

ResultT = TypeVar("ResultT")
LATENCY_SEED = 0x5EED

RETRY_SECONDS = 0.2
PATIENCE_SECONDS = 60.0
"""In which everybody must have an answer, whatever happens."""
HEALING_SECONDS = 8.0
"""After which nothing may be left of what went wrong: tokens, stale bases, waiting orders."""
TROUBLE = (Gone, DatabaseUnavailable, *CONNECTION_LOST)
"""What a client takes for "try again"."""


def play(history: History) -> Played:
    """Play a history; what was found wrong with it is in its `findings`."""
    servers = SimulatedServers(Random(history.seed ^ LATENCY_SEED))
    played = Played(history, servers)
    fill(played, servers.database)
    try:
        run_simulated(Player(played).run())
    except (NothingLeft, TimeoutError) as error:
        played.findings.append(f"somebody was never answered ({type(error).__name__})")
    return played


class Player:
    """The people of a history."""

    def __init__(self, played: Played) -> None:
        self._played = played
        self._history = played.history
        self._servers = played.servers

    async def run(self) -> None:
        history = self._history
        self._machines = [
            Machine(
                f"m{number}",
                self._servers,
                {at: fault for machine, at, fault in history.faults if machine == number},
            )
            for number in range(history.machines)
        ]
        for machine in self._machines:
            await machine.start()
        if history.is_warm:
            with suppress(ValkeyAway, *TROUBLE):
                here = self._machines[0]
                await here.run(here.runtime.admission.ensure_warm(TENANT))
        acts: list[Coroutine[Any, Any, None]] = [
            *(self._order(number, order) for number, order in enumerate(history.orders)),
            *map(self._change, history.changes),
            *map(self._cancel, history.cancels),
            *map(self._agree, history.agrees),
            *(self._reroute(at, machine) for at, machine in history.reroutes),
            *map(self._closing, history.closings),
            *map(self._keeping, history.keepings),
        ]
        self._answered = [asyncio.Event() for _ in history.orders]
        self._played.answers = [Answer(order.draft) for order in history.orders]
        accidents = [self._accident(at, what) for at, what in history.accidents]
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*acts, *accidents)
        for machine in self._machines:
            self._played.effects.append(machine.effects_before + machine.effects.count)
            machine.effects.heal()
        await self._heal()
        await check_all(self._played, self._machines, self.place)
        for machine in self._machines:
            await machine.stop()

    async def _heal(self) -> None:
        for turn in range(self._servers.healing_turns):
            if turn:
                await self._servers.read()
                if not await what_is_left(self._played, self._machines):
                    return
            await asyncio.sleep(HEALING_SECONDS)

    async def _accident(self, at: float, accident: Accident) -> None:
        await asyncio.sleep(at)
        await self._servers.happen(accident)

    # ----------------------------------------------------------------- people

    async def _insist(
        self, machine: int, work: Callable[[Runtime], Coroutine[Any, Any, ResultT]]
    ) -> ResultT:
        """Ask again, of another process, until there is an answer."""
        while True:
            here = self._machines[machine % len(self._machines)]
            try:
                return await here.run(work(here.runtime))
            except TROUBLE:
                await asyncio.sleep(RETRY_SECONDS)
                machine += 1

    async def place(self, machine: int, draft: OrderDraft) -> Outcome:
        while True:
            outcome = await self._insist(machine, lambda at: at.intake.place(draft, BRAND))
            if isinstance(outcome, Refused) and outcome.code == TooBusy.code:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            return outcome

    async def _order(self, number: int, order: Order) -> None:
        await asyncio.sleep(order.at)
        await self._ask(order.machine, self._played.answers[number])
        self._answered[number].set()

    async def _ask(self, machine: int, answer: Answer) -> None:
        answer.asked_at = asyncio.get_running_loop().time()
        answer.outcome = await self.place(machine, answer.draft)
        answer.answered_at = asyncio.get_running_loop().time()

    async def _keeping(self, keeping: Keeping) -> None:
        await asyncio.sleep(keeping.at)
        held = await self._hold(keeping)
        self._played.held.append((keeping, held))
        await asyncio.sleep(keeping.after)
        if not isinstance(held, Held) or keeping.then is Then.FORGET:
            return
        if keeping.then is Then.RELEASE:
            await self._release(keeping.machine, held.hold_id)
            return
        for number in range(2 if keeping.then is Then.ORDER_TWICE else 1):
            key = f"{keeping.draft.idempotency_key}-{number}"
            draft = replace(keeping.draft, idempotency_key=key, hold=held.hold_id)
            answer = Answer(draft)
            await self._ask(keeping.machine + number, answer)
            self._played.answers.append(answer)

    async def _hold(self, keeping: Keeping) -> HoldOutcome:
        terms = HoldTerms(StockHoldKind.CART, keeping.seconds)
        return await self._insist(
            keeping.machine, lambda at: at.intake.take_hold(keeping.draft, terms, BRAND)
        )

    async def _release(self, machine: int, hold_id: int) -> None:
        async def work(runtime: Runtime) -> None:
            done = await release_stock_hold(
                runtime.database, BRAND, hold_id, key=f"release-{hold_id}"
            )
            await runtime.publish_counters(TENANT, done.counters)

        await self._do(0.0, machine, work)

    async def _change(self, change: Change) -> None:
        async def work(runtime: Runtime) -> list[Level]:
            async with runtime.database.tenant_transaction(BRAND) as tx:
                levels = await change_stock(tx, change.command, change.key)
            await runtime.publish_levels(TENANT, levels)
            return levels

        if change.insists:
            await self._do(change.at, change.machine, work)
            return
        await asyncio.sleep(change.at)
        here = self._machines[change.machine]
        with suppress(YipanError, *TROUBLE):
            await here.run(work(here.runtime))

    async def _cancel(self, cancel: Cancel) -> None:
        await self._answered[cancel.order].wait()
        outcome = self._played.answers[cancel.order].outcome
        if not isinstance(outcome, Placed):
            return
        order_id = outcome.order_id

        async def work(runtime: Runtime) -> Cancelled:
            done = await cancel_order(runtime.database, BRAND, order_id, None, cancel.key)
            await runtime.publish_counters(TENANT, done.counters)
            return done

        await self._do(cancel.at, cancel.machine, work)

    async def _agree(self, agree: Agree) -> None:
        await self._answered[agree.order].wait()
        outcome = self._played.answers[agree.order].outcome
        if not isinstance(outcome, Placed):
            return
        order_id = outcome.order_id

        async def work(runtime: Runtime) -> OrderStatus:
            planner = (await runtime.books.open(TENANT)).book.planner
            database = runtime.database
            return await set_appointment(database, BRAND, order_id, agree.time, planner, agree.key)

        await self._do(agree.at, agree.machine, work)

    async def _reroute(self, at: float, machine: int) -> None:
        async def work(runtime: Runtime) -> int:
            return await runtime.rerouter.reroute(await runtime.brands.get(TENANT))

        await self._do(at, machine, work)

    async def _closing(self, closing: Closing) -> None:
        async def work(runtime: Runtime) -> None:
            async with runtime.database.tenant_transaction(BRAND) as tx:
                await set_node_active(tx, closing.code, closing.is_active)

        await self._do(closing.at, closing.machine, work)

    async def _do(
        self, at: float, machine: int, work: Callable[[Runtime], Coroutine[Any, Any, object]]
    ) -> None:
        await asyncio.sleep(at)
        try:
            await self._insist(machine, work)
        except YipanError as error:
            if isinstance(error, DatabaseUnavailable):
                raise
