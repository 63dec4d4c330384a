"""A month by seed: `python -m loadtests.month.run [--orders N] [--dealers N] [--days N] …`.

A brand whose goods dealers sell: agreements, price lists and quotas that change while orders are
under way, dealers that pay in time, late, twice or not. In the end every quota is what its
documents and its entries add up to, documents have no gaps, dealers see what is theirs and nothing
else, and every order has ended or says why not. The same seed tells the same month; its mark is
printed below it. Exit status 1 where something is wrong.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import uvloop

from backend.db.errors import YipanError
from backend.db.sql import load_queries
from backend.logs import set_up_logs
from backend.orders.model import Placed
from backend.runtime import open_runtime
from loadtests.bench.ground import Ground, bench_servers, fresh_database
from loadtests.month.brand import open_brand
from loadtests.month.calendar import Calendar
from loadtests.month.dealers import (
    AFTERNOON,
    DAYS,
    DEALERS,
    EVENING,
    FIRST_OF_NEXT,
    HOURS,
    MORNING,
    NIGHT,
    ORDERS,
    SHAPES_CYCLE,
    dealers_of,
)
from loadtests.month.intake import Intake
from loadtests.month.judge import Judge
from loadtests.month.money import Money
from loadtests.month.month import Month, Order
from loadtests.month.nodes import Nodes
from loadtests.month.office import Office
from loadtests.month.plan import Planned, Planner
from loadtests.month.queue import Queue
from loadtests.month.stories import ACTS, STORIES
from loadtests.month.terms import Terms
from loadtests.saying import end_with, say
from loadtests.week.clock import WeekClock, run_with_own_clock
from loadtests.week.week import Fault

SQL = load_queries(__file__)
DAYS_MIN = 6
"""In fewer days terms cannot change and change back."""
ANALYZE_DAYS = 3
SCARCE_DAYS, SCARCE_ORDERS, SCARCE_UNITS_MIN = 2, 15, 3
"""Of what is scarce some comes every second day: a unit for so many orders that have come since."""
QUIET_SECONDS, QUIET_LOOKS = 0.05, 200


class Playing:
    """A month as it is played."""

    def __init__(
        self,
        month: Month,
        terms: Terms,
        clock: WeekClock,
        judge: Judge,
        scarce_units: int,
        database_url: str,
    ) -> None:
        self._month = month
        self._terms = terms
        self._clock = clock
        self._judge = judge
        self._database_url = database_url
        self._intake = Intake(month, terms, scarce_units)
        self._money = Money(month)
        self._nodes = Nodes(month)
        self._office = Office(month)
        self._queue = Queue(month)
        self._stories: dict[int, AsyncIterator[None]] = {}

    async def play(self, rounds: list[list[Planned]]) -> None:
        """Let everybody act, round by round, until the month is over, and its statements issued."""
        month = self._month
        begin = FIRST_OF_NEXT - timedelta(days=month.days)
        for at, planned in enumerate(rounds):
            day, index = divmod(at, len(HOURS))
            hour = list(HOURS)[index]
            self._clock.set(begin + timedelta(days=day, hours=hour, minutes=5))
            await self._round(day, hour, planned)
        self._clock.set(FIRST_OF_NEXT + timedelta(hours=NIGHT))
        await self._pass_time()
        await self._queue.settle()
        await self._document()

    async def _round(self, day: int, hour: int, planned: list[Planned]) -> None:
        month = self._month
        month.runtime.books.expire()
        if hour == NIGHT and day % ANALYZE_DAYS == 0:
            await self._analyze()
        await self._pass_time()
        if hour == MORNING:
            await self._terms.change(day)
            await self._office.look()
        await self._queue.settle()
        await self._place(planned, day)
        await month.runtime.maintenance.audit_placed()
        await self._tell_stories(planned)
        await self._nodes.round(hour)
        if hour == AFTERNOON and day % SCARCE_DAYS == 0:
            await self._intake.receive_scarce()
        await self._money.act(day, hour)
        await self._queue.settle()
        await month.runtime.maintenance.allocate()
        await self._document()
        await self._judge.look(is_day_over=hour == EVENING)

    async def _pass_time(self) -> None:
        """Let time pass for what is there: all that the maintenance does."""
        runtime = self._month.runtime
        await self._queue.settle()
        await self._be_quiet()
        await runtime.maintenance.once()
        await runtime.settle()

    async def _document(self) -> None:
        """Issue all documents of what has happened: as soon as nobody writes any more."""
        await self._be_quiet()
        await self._month.runtime.maintenance.issue_documents()

    async def _be_quiet(self) -> None:
        """Wait until nobody writes: else documents are numbered in another order than the last
        time, where the server cleaned up meanwhile and what was written is not to be read yet.
        """
        month = self._month
        await month.runtime.settle()
        for _ in range(QUIET_LOOKS):
            async with month.reading() as tx:
                if await tx.fetch_value(SQL.is_quiet):
                    return
            await asyncio.sleep(QUIET_SECONDS)

    async def _analyze(self) -> None:
        """Do what autovacuum does between two days, which here are seconds."""
        owner = await asyncpg.connect(self._database_url)  # door-ok: of the server, not of a tenant
        await owner.execute("analyze")
        await owner.close()

    async def _place(self, planned: list[Planned], day: int) -> None:
        month = self._month
        for one in planned:
            answer = await self._intake.place(one, day)
            if not isinstance(answer, Placed):
                continue
            order = Order(one, answer.order_id, month.seed)
            month.orders[order.id] = order
            story = STORIES.get(one.fate)
            if story is not None:
                self._stories[order.id] = story(month, order)
                order.has_story = True

    async def _tell_stories(self, planned: list[Planned]) -> None:
        """Let people do what they are at: each story until its next pause."""
        month = self._month
        new = {one.number for one in planned}
        fresh = [one for one in month.orders.values() if one.planned.number in new]
        told = [month.orders[order_id] for order_id in self._stories]
        await month.look_at({one.id: one for one in (*fresh, *told)}.values())
        for order in fresh:
            act = ACTS.get(order.planned.fate)
            if act is not None and not order.is_final:
                await self._go_on(order, act(month, order))
        for order_id, story in list(self._stories.items()):
            order = month.orders[order_id]
            if not await self._go_on(order, anext(story, _END)):
                del self._stories[order_id]
                order.has_story = False

    async def _go_on(self, order: Order, step: object) -> bool:
        """Take a step of a story; False where it has ended, or goes no further."""
        try:
            return await step is not _END  # type: ignore[misc]
        except (Fault, YipanError, LookupError, AssertionError) as error:
            self._month.faults.append(f"{order.name} [{order.status}]: {error!r}")
            return False


_END = object()


async def run(
    ground: Ground, clock: WeekClock, dealers: int, orders: int, days: int, seed: int
) -> list[str]:
    """Play a month on servers of its own; returns what is wrong."""
    clock.set(FIRST_OF_NEXT - timedelta(days=days))
    async with (
        fresh_database(ground, "month") as own,
        open_runtime(
            own.where.database_url, own.where.valkey_url, own.where.secret, with_maintenance=False
        ) as runtime,
    ):
        began = time.monotonic()
        drawn = dealers_of(dealers, days)
        rounds = Planner(seed, drawn, Calendar.of(days), runtime.regions).month(orders, days)
        month, terms = await open_brand(runtime, drawn, orders, days, seed)
        judge = Judge(month, terms, own.where.database_url)
        scarce = max(SCARCE_UNITS_MIN, orders * SCARCE_DAYS // days // SCARCE_ORDERS)
        given = (month, terms, clock, judge, scarce, own.where.database_url)
        await Playing(*given).play(rounds)
        lines, mark = await judge.report()
        say("\n".join(lines))
        played = f"{orders:,} orders, {dealers} dealers, {days} days, seed {seed}"
        say(f"{played}: mark {mark}; {time.monotonic() - began:.0f} s")
        return month.faults


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--orders", type=int, default=ORDERS, help="of the whole month")
    parser.add_argument("--dealers", type=int, default=DEALERS, help=f"{SHAPES_CYCLE} or more")
    parser.add_argument("--days", type=int, default=DAYS, help=f"{DAYS_MIN} to {DAYS}")
    parser.add_argument("--seed", type=int, default=1, help="for what is drawn by chance")
    parser.add_argument("--clock", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--real", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.dealers < SHAPES_CYCLE or not DAYS_MIN <= given.days <= DAYS:
        parser.error("too few dealers, or days")
    if given.clock is None:
        sys.exit(run_with_own_clock("loadtests.month.run", sys.argv[1:]))
    set_up_logs("error", for_people=True)
    clock = WeekClock(given.clock, given.real)
    size = given.dealers, given.orders, given.days, given.seed
    with bench_servers() as ground:
        faults = uvloop.run(run(ground, clock, *size))
    end_with(faults)


if __name__ == "__main__":
    main()
