"""A process of Yipan: it lives, dies at some effect, and is started again."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import Any, Protocol, TypeVar, cast

from backend.admission.valkey import Valkey
from backend.db.pool import Database
from backend.runtime import Runtime, end_task
from loadtests.torture.accidents import Accident, happen
from loadtests.torture.database import SimulatedDatabase
from loadtests.torture.database_server import DatabaseServer, Place
from loadtests.torture.effects import Effects, Fault, ProcessDied
from loadtests.torture.rows import Fields
from loadtests.torture.valkey_client import SimulatedValkey
from loadtests.torture.valkey_server import ValkeyServer

ResultT = TypeVar("ResultT")
SECRET = "a secret that is longer than 32 characters"
RESTART_SECONDS = (0.05, 0.5)


class Gone(Exception):
    """The process died before it answered: what a broken connection tells a client."""


class Rows(Protocol):
    """What is stored."""

    @property
    def tables(self) -> Mapping[str, Mapping[Any, Fields]]:
        """Return the rows of each table, by key."""

    deadlocks: int
    on_commit: list[Callable[[dict[Place, Fields | None]], None]]


class Servers(Protocol):
    """What all processes of a history share."""

    chance: Random
    trace: list[str]
    """Every effect of every process, in order."""
    sees_commits: bool
    """Whether every commit is looked at when it happens."""
    healing_turns: int
    """How often they are given the time in which all is to heal: once, where time is not shared."""

    @property
    def database(self) -> Rows: ...

    async def connect(self, effects: Effects) -> tuple[Database, Valkey]:
        """Return the doors of a new process."""

    async def happen(self, accident: Accident) -> None:
        """Let an accident happen, and end."""

    async def read(self) -> None:
        """Bring `database` up to date."""


class SimulatedServers:
    """Servers that live in this process and by its clock."""

    sees_commits = True
    healing_turns = 1

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.database = DatabaseServer()
        self.valkey = ValkeyServer()
        self.trace: list[str] = []

    async def connect(self, effects: Effects) -> tuple[Database, Valkey]:
        database = SimulatedDatabase(self.database, effects)
        return cast(Database, database), SimulatedValkey(self.valkey, effects)

    async def happen(self, accident: Accident) -> None:
        await happen(accident, self)

    async def read(self) -> None:
        return


class Machine:
    """One place where a process runs; when it dies another one takes its place."""

    def __init__(self, name: str, servers: Servers, faults: dict[int, Fault]) -> None:
        self._name = name
        self._servers = servers
        self._lives = 0
        self.effects_before = 0
        self._faults = faults

    async def start(self) -> None:
        """Start the process; the faults are the first one's."""
        faults, self._faults = self._faults, {}
        self._lives += 1
        name = f"{self._name}_{self._lives}"
        self.effects = Effects(name, self._servers.chance, faults, self._servers.trace)
        database, valkey = await self._servers.connect(self.effects)
        self.runtime = Runtime(database, valkey, SECRET)
        self._tasks: dict[asyncio.Task[Any], None] = {}
        for work in (self.runtime.announcements.listen(), self.runtime.maintenance.run()):
            self._begin(work)
        self._watch = asyncio.create_task(self._start_again_when_dead())

    def _begin(self, work: Coroutine[Any, Any, ResultT]) -> asyncio.Task[ResultT]:
        task = asyncio.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)

    async def _start_again_when_dead(self) -> None:
        await self.effects.died.wait()
        self.runtime.database.terminate()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.sleep(self._servers.chance.uniform(*RESTART_SECONDS))
        self.effects_before += self.effects.count
        await self.start()

    async def stop(self) -> None:
        """End the process in good order."""
        self._watch.cancel()
        # A library may swallow a cancellation: they are ended, and not only told to. The group of
        # the maintenance passes one on once, so its members are asked to leave as well.
        self.runtime.maintenance.stop()
        await asyncio.gather(*map(end_task, list(self._tasks)))
        await self.runtime.admission.close()
        self.runtime.database.terminate()

    async def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Do something in this process; raises Gone if it dies meanwhile."""
        died = asyncio.create_task(self.effects.died.wait())
        task = self._begin(work)
        try:
            await asyncio.wait([task, died], return_when=asyncio.FIRST_COMPLETED)
            if not task.done() or task.cancelled():
                raise Gone
            return task.result()
        except ProcessDied as error:
            raise Gone from error
        finally:
            died.cancel()
