"""Many writers at once, for certain: all of them wait for a lock before the first goes on."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from backend.db.errors import YipanError
from loadtests.waiting import until
from tests.catalogue import Connection

AnswerT = TypeVar("AnswerT")
Work = Coroutine[Any, Any, AnswerT]

WAITING = "select count(distinct pid) from pg_locks where not granted"
CROWD = 12
"""Writers; fewer than there are connections, for each has one."""


async def all_at_once(
    admin: Connection, works: Iterable[Work[AnswerT]], table: str = "stock_level"
) -> tuple[list[AnswerT], list[str]]:
    """Hold every row of a table until all works wait, then let them go; see `settle`."""
    async with admin.transaction():
        await admin.execute(f"select from {table} for update")
        tasks = await start(admin, works)
    return await settle(tasks)


async def start(admin: Connection, works: Iterable[Work[AnswerT]]) -> list["asyncio.Task[AnswerT]"]:
    """Begin works that are held up, and return when all of them wait."""
    tasks = [asyncio.create_task(work) for work in works]
    await all_wait(admin, len(tasks))
    return tasks


async def all_wait(admin: Connection, count: int) -> None:
    """Return when so many wait for a lock."""

    async def do_they() -> bool:
        return int(await admin.fetchval(WAITING)) >= count

    await until(do_they)


async def settle(tasks: list["asyncio.Task[AnswerT]"]) -> tuple[list[AnswerT], list[str]]:
    """Return the answers and the codes of the refusals; anything else that failed is raised."""
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, YipanError):
            raise answer
    done = [answer for answer in answers if not isinstance(answer, BaseException)]
    return done, [answer.code for answer in answers if isinstance(answer, YipanError)]
