"""The one pipeline: plan → admit → commit → finish, for a batch of orders of one tenant.

A single order and a replay of a million run through here. A conflict goes back to the plan with
fresh numbers, at most twice; the last attempt locks every counter of all candidate nodes, plans on
those alone, and its answer is final.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import structlog

from backend.admission.admission import Admission
from backend.admission.model import (
    ADMITTED,
    COLD,
    Base,
    Request,
    Take,
    capacity_counter,
    level_counter,
)
from backend.admission.model import Refused as AdmissionRefused
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import CONNECTION_LOST, Database
from backend.inventory.counters import capacity_bases, level_bases
from backend.inventory.levels import free_of_levels
from backend.inventory.model import LevelKey
from backend.network.capacity import CapacityKey, read_capacities
from backend.orders.claim import refused
from backend.orders.commit import Committed, Ground, commit_batch
from backend.orders.errors import InvalidOrder
from backend.orders.sold_out import SoldOut
from backend.orders.work import Work
from backend.routing.plan_orders import plan_orders
from backend.routing.tenant_book import TenantBook
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

PLANNED_ATTEMPTS = 2
"""Attempts with a plan from the book, before the last one on locked counters."""
PENDING_WAIT_SECONDS = 0.01
"""How long a refused order waits for what others have pending: two or three commits."""
LAST_ATTEMPT_COUNTERS_MAX = 20_000
"""Counters that one last attempt may lock; a larger batch is cut."""
ROUNDS_MAX = 3
"""Times that an order is understood anew because a SKU was retired on its way."""
DEADLOCK_RETRIES_MAX = 5
UNKNOWN_OUTCOME_RETRIES_MAX = 4
RETRY_PAUSE_SECONDS = 0.25

_process = secrets.token_hex(4)
_tokens = itertools.count()
_batches = itertools.count(time.time_ns() // 1_000_000 << 16)

UnderstandAgain = Callable[[Sequence[Work], set[int]], Awaitable[list[Work]]]
"""Answers or rebuilds works whose SKUs have been retired; returns those to be tried again."""

TellEvents = Callable[[int], Awaitable[None]]
"""Tells the subscribers of a tenant that there are new events."""


class Pipeline:
    """Carries batches of one tenant from orders to outcomes."""

    def __init__(
        self,
        tenant_id: int,
        database: Database,
        admission: Admission,
        book: TenantBook,
        understand_again: UnderstandAgain,
        tell_events: TellEvents,
    ) -> None:
        self._tenant_id = tenant_id
        self._database = database
        self._admission = admission
        self._book = book
        self._understand_again = understand_again
        self._tell_events = tell_events
        self._principal = system_principal(tenant_id, "orders")
        self._sold_out = SoldOut()

    async def run(self, works: Sequence[Work]) -> None:
        """Answer every work; what fails unexpectedly fails its own works only."""
        pending = list(works)
        for _ in range(ROUNDS_MAX):
            pending = await self._round(pending)
            if not pending:
                return
        for work in pending:
            work.fail(DatabaseUnavailable("The catalogue keeps changing; try again."))

    async def _round(self, works: Sequence[Work]) -> list[Work]:
        """Carry works to their end; returns those that must be understood and planned anew."""
        pending, last = list(works), []
        for attempt in range(1, PLANNED_ATTEMPTS + 1):
            planned, short = self._plan(pending)
            last += short
            pending = await self._attempt(planned, attempt)
            if not pending:
                break
        again = []
        for part in self._cut(last + pending):
            again += await self._commit(part, PLANNED_ATTEMPTS + 1, is_last=True)
        return again

    def _plan(self, works: Sequence[Work]) -> tuple[list[Work], list[Work]]:
        """Plan on the book; returns what has all it wants, and what the last attempt must say."""
        view = self._book.view
        with_rows = [work for work in works if work.rows]
        plans = plan_orders(
            [work.request for work in with_rows],
            self._book.book,
            view,
            self._book.policy,
            self._book.policy_version,
        )
        for work, plan in zip(with_rows, plans, strict=True):
            work.plan = plan
        whole: list[Work] = []
        short: list[Work] = []
        now = time.monotonic()
        for work in works:
            is_short = work.plan is not None and not work.plan.is_whole
            work.is_sold_out = is_short and self._sold_out.explains(work, now)
            (short if is_short and not work.is_sold_out else whole).append(work)
        return whole, short

    async def _attempt(self, works: Sequence[Work], attempt: int) -> list[Work]:
        """Admit and commit planned works; returns those to be planned again."""
        if not works:
            return []
        admitted, again, waits = [], [], False
        asking = [work for work in works if work.plan and work.plan.allocations]
        for work in asking:
            work.token = f"{_process}:{next(_tokens)}"
        verdicts = await self._admission.admit(self._tenant_id, [self._request(w) for w in asking])
        refusals = dict(zip(asking, verdicts, strict=True))
        for work in works:
            verdict = refusals.get(work, COLD)
            if isinstance(verdict, AdmissionRefused):
                again.append(work)
                waits = waits or verdict.pending > 0
            else:
                admitted.append(work)
        tokens = [work.token for work, verdict in refusals.items() if verdict == ADMITTED]
        again += await self._commit(admitted, attempt, is_last=False, tokens=tokens)
        if waits:
            await asyncio.sleep(PENDING_WAIT_SECONDS)
        return again

    def _request(self, work: Work) -> Request:
        assert work.plan is not None, "only what was planned asks for admission"
        takes: dict[str, int] = {}
        for row, _, warehouse_id, quantity in work.plan.allocations:
            counter = level_counter(warehouse_id, work.rows[row].sku_id)
            takes[counter] = takes.get(counter, 0) + quantity
        view = self._book.view
        for node_id in {allocation.node_id for allocation in work.plan.allocations}:
            if view.nodes[view.node_index[node_id]].daily_capacity is not None:
                takes[capacity_counter(node_id, self._book.day)] = 1
        return Request(work.token, [Take(*take) for take in takes.items()])

    async def _commit(
        self,
        works: Sequence[Work],
        attempt: int,
        *,
        is_last: bool,
        tokens: Sequence[str] = (),
    ) -> list[Work]:
        """Commit, tell everybody, answer; returns the works to be planned again."""
        if not works:
            return []
        ground = Ground(
            self._book.view,
            self._book.policy,
            self._book.policy_version,
            self._book.day,
            next(_batches),
            attempt,
        )
        try:
            committed, was_unknown = await self._commit_surely(works, ground, is_last=is_last)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            await self._admission.finish(self._tenant_id, tokens, [])
            return await self._halve(works, attempt, error, is_last=is_last)
        except Exception as error:
            log.exception("orders.commit_failed", tenant=self._tenant_id, orders=len(works))
            for work in works:
                work.fail(error)
            await self._admission.finish(self._tenant_id, tokens, [])
            return []
        self._learn(committed, is_last=is_last)
        for work, outcome in committed.outcomes.items():
            work.answer(outcome)
        bases = level_bases(committed.levels) + capacity_bases(committed.capacities)
        if was_unknown:
            bases += await self._look_at_counters(works)
        await self._admission.finish(self._tenant_id, tokens, bases)
        await self._tell_events(self._tenant_id)
        if not committed.retired:
            return committed.conflicts
        retired = await self._understand_again(committed.retired, committed.retired_skus)
        return committed.conflicts + retired

    def _learn(self, committed: Committed, *, is_last: bool) -> None:
        self._book.apply_levels(committed.levels)
        self._book.apply_capacities(committed.capacities)
        if is_last:
            self._sold_out.learn(committed.outcomes, time.monotonic())

    async def _commit_surely(
        self, works: Sequence[Work], ground: Ground, *, is_last: bool
    ) -> tuple[Committed, bool]:
        """Commit, and say whether an earlier try may have committed as well.

        Again after a deadlock, and after a connection that broke in the middle.

        After an unknown outcome the batch runs again from its key inserts: they wait for the
        unknown transaction, and whoever finds the key stored answers from it.
        """
        deadlocks = unknowns = 0
        while True:
            try:
                async with self._database.tenant_transaction(self._principal) as tx:
                    committed = await commit_batch(tx, works, ground, is_last=is_last)
                return committed, unknowns > 0
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                deadlocks += 1
                if deadlocks > DEADLOCK_RETRIES_MAX:
                    raise
            except CONNECTION_LOST as error:
                unknowns += 1
                if unknowns > UNKNOWN_OUTCOME_RETRIES_MAX:
                    raise DatabaseUnavailable from error
                await asyncio.sleep(RETRY_PAUSE_SECONDS * unknowns)

    async def _look_at_counters(self, works: Sequence[Work]) -> list[Base]:
        """Return the counters that were planned on, read anew: a lost commit took them."""
        plans = [(work, work.plan) for work in works if work.plan is not None]
        keys = {
            LevelKey(allocation.functional_warehouse_id, work.rows[allocation.row].sku_id)
            for work, plan in plans
            for allocation in plan.allocations
        }
        nodes = {allocation.node_id for _, plan in plans for allocation in plan.allocations}
        days = [CapacityKey(node_id, self._book.day) for node_id in nodes]
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            levels = await free_of_levels(tx, keys)
            capacities = await read_capacities(tx, days)
        self._book.apply_levels(levels)
        self._book.apply_capacities(capacities)
        return level_bases(levels) + capacity_bases(capacities)

    async def _halve(
        self, works: Sequence[Work], attempt: int, error: asyncpg.PostgresError, *, is_last: bool
    ) -> list[Work]:
        """Split a batch with a data error until the culprit is alone, and refuse that.

        A value that no type holds is the order's fault; a violated constraint is ours.
        """
        if len(works) == 1:
            log.error("orders.not_stored", tenant=self._tenant_id, error=str(error))
            if isinstance(error, asyncpg.DataError):
                culprit = InvalidOrder(f"The order holds a value that cannot be stored: {error}")
                works[0].answer(refused(culprit))
            else:
                works[0].fail(error)
            return []
        middle = len(works) // 2
        again = []
        for half in (works[:middle], works[middle:]):
            again += await self._commit(half, attempt, is_last=is_last)
        return again

    def _cut(self, works: Sequence[Work]) -> list[list[Work]]:
        """Cut a last attempt into parts that lock no more counters than the limit; an order that is
        larger by itself goes alone."""
        sources = max(1, len(self._book.view.sources))
        parts: list[list[Work]] = []
        counters = LAST_ATTEMPT_COUNTERS_MAX
        for work in works:
            size = len(work.rows) * sources
            if counters + size > LAST_ATTEMPT_COUNTERS_MAX:
                parts.append([])
                counters = 0
            parts[-1].append(work)
            counters += size
        return parts
