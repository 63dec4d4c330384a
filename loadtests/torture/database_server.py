"""PostgreSQL, as far as concurrency goes: rows, row locks, READ COMMITTED, waiting, deadlocks.

A transaction writes into a layer of its own, which replaces the stored rows when it commits; a row
is locked before it is written, whoever wants a locked row waits for its turn, and reads the row as
it stands then. A cycle of waiting is a deadlock.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import asyncpg

from loadtests.torture.rows import Fields

Key = Hashable
Place = tuple[str, Key]
"""A row: its table and its key."""


class DatabaseServer:
    """What is stored, and who holds which lock."""

    def __init__(self) -> None:
        self.tables: defaultdict[str, dict[Key, Fields]] = defaultdict(dict)
        self.owners: dict[Place, Session] = {}
        self.waiting: defaultdict[Place, deque[tuple[Session, asyncio.Future[None]]]] = defaultdict(
            deque
        )
        self.sessions: dict[Session, None] = {}
        self.is_up = asyncio.Event()
        self.is_up.set()
        self.deadlocks = 0
        self.on_commit: list[Callable[[dict[Place, Fields | None]], None]] = []
        """Told of every transaction that has written."""
        self._numbers: defaultdict[str, int] = defaultdict(int)

    def next_number(self, sequence: str, step: int = 1) -> int:
        """Return the next number of a sequence: the first of a block of `step`."""
        first = self._numbers[sequence] + 1
        self._numbers[sequence] += step
        return first

    def begin(self) -> "Session":
        session = Session(self)
        self.sessions[session] = None
        return session

    def crash(self) -> None:
        """Every transaction ends, unfinished; what was committed stays."""
        for session in list(self.sessions):
            session.abort()

    def fill(self, table: str, key: Key, **fields: Any) -> None:
        """Store a row without a transaction, before anything begins."""
        self.tables[table][key] = fields


class Session:
    """A transaction."""

    def __init__(self, server: DatabaseServer) -> None:
        self.server = server
        self.is_open = True
        self.waits_for: Place | None = None
        self._written: dict[Place, Fields | None] = {}
        self._held: list[Place] = []

    # ---------------------------------------------------------------- reading

    def find(self, table: str, key: Key) -> Fields | None:
        """Return a row as this transaction sees it."""
        self._check()
        place = (table, key)
        if place in self._written:
            return self._written[place]
        return self.server.tables[table].get(key)

    def scan(self, table: str) -> Iterator[Fields]:
        """Yield every row of a table, by key, as this transaction sees it."""
        self._check()
        mine = {key: fields for (name, key), fields in self._written.items() if name == table}
        merged = {**self.server.tables[table], **mine}
        for key in sorted(merged, key=_order):
            fields = merged[key]
            if fields is not None:
                yield fields

    # ---------------------------------------------------------------- locks

    async def lock(self, table: str, key: Key) -> Fields | None:
        """Lock a row, waiting for whoever holds it, and return it as it stands then."""
        self._check()
        place = (table, key)
        owner = self.server.owners.setdefault(place, self)
        if owner is self:
            if place not in self._held:
                self._held.append(place)
        else:
            await self._wait(place)
        return self.find(table, key)

    async def _wait(self, place: Place) -> None:
        self.waits_for = place
        if self._is_deadlocked():
            self.server.deadlocks += 1
            self.abort()
            raise asyncpg.DeadlockDetectedError("deadlock detected")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.server.waiting[place].append((self, turn))
        await turn
        self._check()

    def _is_deadlocked(self) -> bool:
        session: Session | None = self
        while session is not None and session.waits_for is not None:
            session = self.server.owners.get(session.waits_for)
            if session is self:
                return True
        return False

    def holds(self, table: str, key: Key) -> bool:
        return self.server.owners.get((table, key)) is self

    # ---------------------------------------------------------------- writing

    def write(self, table: str, key: Key, fields: Fields) -> None:
        """Replace a row that is locked."""
        assert self.holds(table, key), f"{table} {key} is written without a lock"
        self._written[table, key] = fields

    def change(self, table: str, key: Key, **changes: Any) -> Fields:
        """Change columns of a row that is locked, and return it."""
        fields = self.find(table, key)
        assert fields is not None, f"{table} has no {key}"
        changed = {**fields, **changes}
        self.write(table, key, changed)
        return changed

    async def insert(self, table: str, key: Key, fields: Fields) -> bool:
        """Insert a row; where there is one, after waiting to know, return False without a lock."""
        held = self.holds(table, key)
        if await self.lock(table, key) is not None:
            if not held:
                self._unlock((table, key))
            return False
        self.write(table, key, fields)
        return True

    async def delete(self, table: str, key: Key) -> None:
        if await self.lock(table, key) is not None:
            self._written[table, key] = None

    # ---------------------------------------------------------------- the end

    def commit(self) -> None:
        self._check()
        for (table, key), fields in self._written.items():
            if fields is None:
                self.server.tables[table].pop(key, None)
            else:
                self.server.tables[table][key] = fields
        if self._written:
            for tell in self.server.on_commit:
                tell(self._written)
        self._end()

    def abort(self) -> None:
        """Roll back, at whose wish ever; who is not known here is gone already."""
        if self.is_open:
            self._end()

    def _check(self) -> None:
        if not self.is_open:
            raise connection_lost()

    def _end(self) -> None:
        self.is_open = False
        self.server.sessions.pop(self, None)
        if self.waits_for is not None:
            self._leave_queue(self.waits_for)
        for place in self._held:
            del self.server.owners[place]
            self._hand_over(place)

    def _unlock(self, place: Place) -> None:
        self._held.remove(place)
        del self.server.owners[place]
        self._hand_over(place)

    def _leave_queue(self, place: Place) -> None:
        queue = self.server.waiting[place]
        for entry in [entry for entry in queue if entry[0] is self]:
            queue.remove(entry)
            if not entry[1].done():
                entry[1].set_result(None)

    def _hand_over(self, place: Place) -> None:
        queue = self.server.waiting[place]
        while queue:
            heir, turn = queue.popleft()
            if not turn.done():
                self.server.owners[place] = heir
                heir._held.append(place)
                heir.waits_for = None
                turn.set_result(None)
                return


def connection_lost() -> Exception:
    """Return what the driver raises where the connection has gone."""
    return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


def _order(key: Key) -> Any:
    return key if isinstance(key, tuple) else (key,)
