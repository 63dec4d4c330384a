"""A week by seed: `python -m loadtests.week.run [--orders N] [--days N] [--seed N]`.

Ten thousand orders over five channels in the demo's brand, with everything that people do to them,
at times two at once. In the end the audit is clean, every order has ended or says why not, every
step that lasted too long was told, nothing is paid back twice. The report of a seed is always the
same; its mark is printed below it. Exit status 1 where something is wrong.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx2
import uvloop

from backend.db.errors import YipanError
from backend.demo.brand import districts
from backend.demo.staff import carrier
from backend.logs import set_up_logs
from backend.orders.model import Placed
from backend.runtime import open_runtime
from loadtests.bench.ground import Ground, bench_servers, fresh_database, serving
from loadtests.saying import end_with, say
from loadtests.week import after_it_came, at_the_counter, at_the_door, before_it_is_sent
from loadtests.week.brand import LATE, SUPPLIED, carried, expect_later, open_brand, receive
from loadtests.week.clock import WeekClock, run_with_own_clock
from loadtests.week.evening import Judge
from loadtests.week.nodes import CARRIER, Nodes
from loadtests.week.office import keep_in_stores, pay_back, release_large, try_in_stores
from loadtests.week.plan import DAYS, MONDAY, ROUNDS, Fate, Planned, Planner, Way
from loadtests.week.week import Fault, Sold, Story, Week

ORDERS, NIGHT = 10_000, 1


class Playing:
    """A week as it is played."""

    def __init__(
        self, week: Week, clock: WeekClock, nodes: Nodes, judge: Judge, database_url: str
    ) -> None:
        self._week = week
        self._database_url = database_url
        self._clock = clock
        self._nodes = nodes
        self._judge = judge
        self._stories: dict[int, AsyncIterator[None]] = {}
        self._kept: list[int] = []
        """What stores keep today for customers who come to try it."""

    async def play(self, rounds: list[list[Planned]], days: int) -> None:
        """Let everybody act, round by round."""
        for (day, hour), planned in zip(ROUNDS, rounds, strict=True):
            if day < days:
                self._clock.set(MONDAY + timedelta(days=day, hours=hour, minutes=5))
                await self._round(day, hour, planned)

    async def _round(self, day: int, hour: int, planned: list[Planned]) -> None:
        week = self._week
        week.runtime.books.expire()
        if hour == NIGHT:
            await self._analyze()
        await self._judge.look()
        await week.runtime.maintenance.once()
        await week.runtime.settle()
        await self._supply(day, hour)
        for one in planned:
            await self._place(one)
        await week.runtime.maintenance.audit_placed()
        await self._tell_stories(planned)
        await self._nodes.round(day, hour)
        await self._nodes.serve(hour)
        if hour in (10, 16):
            await release_large(week)
        if hour == 10:
            self._kept = await keep_in_stores(week, day)
        if hour == 16:
            await try_in_stores(week, self._kept)
        if hour == 20:
            await pay_back(week)
        await week.runtime.settle()

    async def _analyze(self) -> None:
        """Do what autovacuum does between two days, which here are seconds."""
        owner = await asyncpg.connect(self._database_url)  # door-ok: of the server, not of a tenant
        await owner.execute("analyze")
        await owner.close()

    async def _supply(self, day: int, hour: int) -> None:
        """Let what was ordered come, or be announced for later."""
        match day, hour:
            case 1, 8:
                await expect_later(self._week)
            case 2, 10:
                await receive(self._week, "PO-1", SUPPLIED)
            case 5, 10:
                await receive(self._week, LATE, SUPPLIED // 2)

    async def _place(self, planned: Planned) -> None:
        week = self._week
        answer = await week.runtime.intake.place(planned.draft, week.system)
        if not isinstance(answer, Placed):
            week.done[f"refused: {planned.way}: {answer.code}"] += 1
            if planned.way is not Way.TO_COME:
                week.faults.append(f"{planned.draft.external_id} was refused: {answer.message}")
            return
        week.done[f"placed: {planned.draft.shop.split('-')[0]}"] += 1
        week.done[f"way: {planned.way}"] += 1
        week.done[f"fate: {planned.fate}"] += 1
        sold = Sold(planned, answer.order_id, week.seed)
        week.sold[sold.id] = sold
        story = _story_of(planned)
        if story is not None:
            self._stories[sold.id] = story(week, sold)
            sold.has_story = True

    async def _tell_stories(self, planned: list[Planned]) -> None:
        """Let customers and clerks do what they are at: each story until its next pause."""
        week = self._week
        await week.look(week.sold[order_id] for order_id in self._stories)
        new = {one.number for one in planned}
        fresh = [one for one in week.sold.values() if one.planned.number in new]
        await week.look(fresh)
        for sold in fresh:
            act = before_it_is_sent.ACTS.get(sold.planned.fate)
            if act is not None and not sold.is_final:
                await self._go_on(sold, act(week, sold))
        for order_id, story in list(self._stories.items()):
            sold = week.sold[order_id]
            if not await self._go_on(sold, anext(story, _END)):
                del self._stories[order_id]
                sold.has_story = False

    async def _go_on(self, sold: Sold, step: object) -> bool:
        """Take a step of a story; False where it has ended, or goes no further."""
        try:
            return await step is not _END  # type: ignore[misc]
        except (Fault, YipanError, LookupError, AssertionError) as error:
            self._week.faults.append(f"{sold.name} [{sold.status}]: {error!r}")
            return False


_END = object()
STORIES = before_it_is_sent.STORIES | after_it_came.STORIES | at_the_door.STORIES


def _story_of(planned: Planned) -> Story | None:
    if planned.way is Way.FETCHED:
        return at_the_counter.fetched
    if planned.way is Way.INSTALLED and planned.fate is not Fate.CANCELLED:
        return before_it_is_sent.visited
    if planned.way is Way.DEPOSIT and planned.fate is not Fate.NEVER_PAID:
        return before_it_is_sent.pay_rest_later
    return STORIES.get(planned.fate)


async def run(ground: Ground, clock: WeekClock, orders: int, days: int, seed: int) -> list[str]:
    """Play a week on servers of its own; returns what is wrong."""
    clock.set(MONDAY)
    async with (
        fresh_database(ground, "week") as own,
        open_runtime(
            own.where.database_url, own.where.valkey_url, own.where.secret, with_maintenance=False
        ) as runtime,
        carrier() as (carrier_url, secret),
        serving(own, workers=1, with_worker=False) as served,
        httpx2.AsyncClient(timeout=60) as http,
    ):
        began = time.monotonic()
        week = await open_brand(runtime, carrier_url, secret, seed)
        host, port = served.address
        tells = f"http://{host}:{port}/carriers/{week.tenant_id}/{CARRIER}/events"
        await http.put(f"{carrier_url}/control/callback", json={"url": tells})
        judge, nodes = Judge(week), Nodes(week, carrier_url, http)
        planned = Planner(seed, districts(runtime.regions), await carried(week)).week(orders)
        await Playing(week, clock, nodes, judge, own.where.database_url).play(planned, days)
        lines = await judge.report()
        say("\n".join(lines))
        mark = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
        say(f"{orders:,} orders, seed {seed}: mark {mark}; {time.monotonic() - began:.0f} s")
        return week.faults


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--orders", type=int, default=ORDERS, help="of the whole week")
    parser.add_argument("--days", type=int, default=DAYS, help="that are played, 1 to 7")
    parser.add_argument("--seed", type=int, default=1, help="for what is drawn by chance")
    parser.add_argument("--clock", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--real", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.clock is None:
        sys.exit(run_with_own_clock("loadtests.week.run", sys.argv[1:]))
    set_up_logs("error", for_people=True)
    clock = WeekClock(given.clock, given.real)
    with bench_servers() as ground:
        faults = uvloop.run(run(ground, clock, given.orders, given.days, given.seed))
    end_with(faults)


if __name__ == "__main__":
    main()
