"""The one pipeline: plan → admit → commit → finish, for a batch of orders of one tenant.

A single order and a replay of a million run through here. A conflict goes back to the plan with
fresh numbers, at most twice; the last attempt locks every counter of all candidate nodes, plans on
those alone, and its answer is final.
"""

import asyncio
import itertools
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum

import asyncpg
import structlog

from backend.admission.admission import Admission
from backend.admission.model import (
    ADMITTED,
    COLD,
    Base,
    Request,
    Take,
    allotment_counter,
    capacity_counter,
    quota_counter,
    stock_counter,
)
from backend.admission.model import Refused as AdmissionRefused
from backend.clock import now
from backend.db.errors import DatabaseUnavailable, TextNotStorable
from backend.db.pool import CONNECTION_LOST, Database
from backend.inventory.counters import counters_of, read_counters
from backend.inventory.pools.live import LivePools
from backend.metrics import (
    ADMISSIONS,
    ATTEMPTS,
    BATCH_ORDERS,
    CONFLICTS,
    ORDERS,
    TENANT_ORDERS,
    UNKNOWN_COMMITS,
    stage,
)
from backend.network.capacity import (
    CapacityMissing,
    create_capacities,
)
from backend.orders.accept import enough
from backend.orders.claim import refused
from backend.orders.commit import (
    Committed,
    NotAllAccepted,
    commit_admitted,
    commit_finally,
    commit_planned,
)
from backend.orders.errors import InvalidOrder
from backend.orders.model import Answer, Held, Placed, Shortage
from backend.orders.plan_on_locked import Ground
from backend.orders.shape import Circumstances, Shaped
from backend.orders.sold_out import SoldOut
from backend.orders.stock_holds.ending import expire_holds, has_active_holds
from backend.orders.work import BREATH_ORDERS, Work
from backend.routing.tenant_book import TenantBook
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

PLANNED_ATTEMPTS = 2
"""Attempts with a plan from the book, before the last one on locked counters."""
PENDING_WAIT_SECONDS = 0.01
"""How long a refused order waits for what others have pending: two or three commits."""
LAST_ATTEMPT_COUNTERS_MAX = 20_000
"""Counters that one last attempt may lock; a larger batch is cut."""
SLOTS_A_DAY = 4
"""Of each provider that an order with an appointment is taken to lock; windows are shared."""
NO_HOLDS_SECONDS = 0.5
"""For how long a tenant without any stock hold is believed to have none."""
ROUNDS_MAX = 3
"""Times that an order is understood anew because a SKU was retired on its way."""
DEADLOCK_RETRIES_MAX = 5
UNKNOWN_OUTCOME_RETRIES_MAX = 4
RETRY_PAUSE_SECONDS = 0.25
NOT_STORABLE = (asyncpg.DataError, TextNotStorable)
MEANWHILE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""What a transaction ends with that others got in the way of."""

_process = secrets.token_hex(4)
_tokens = itertools.count()
_batches = itertools.count(time.time_ns() // 1_000_000 << 16)

UnderstandAgain = Callable[[Sequence[Work], set[int]], Awaitable[list[Work]]]
"""Answers or rebuilds works whose SKUs have been retired; returns those to be tried again."""

TellEvents = Callable[[int], Awaitable[None]]
"""Tells the subscribers of a tenant that there are new events."""


class Way(Enum):
    """How a batch is committed."""

    ADMITTED = "admitted"
    """Admission has taken every counter: insert, then lock and take at once, then look."""
    PLANNED = "planned"
    """Lock and look, then insert what is accepted."""
    FINAL = "final"
    """Lock every candidate, plan on those, and give the final answer."""


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
        self._no_holds_until = 0.0

    async def run(self, works: Sequence[Work]) -> None:
        """Answer every work; what fails unexpectedly fails its own works only."""
        BATCH_ORDERS.observe(len(works))
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
        if last or pending:
            await self._expire_holds(last + pending)
        for part in self._cut(last + pending):
            again += await self._commit(part, PLANNED_ATTEMPTS + 1, Way.FINAL)
        return again

    async def _expire_holds(self, works: Sequence[Work]) -> None:
        """Let the holds end whose time is over and that keep what would else be refused."""
        if now() < self._no_holds_until:
            return
        sku_ids = {row.sku_id for work in works for row in work.rows}
        wanted = {one for work in works for one in work.converts}
        try:
            async with self._database.tenant_transaction(self._principal) as tx:
                ended, counters = await expire_holds(tx, sku_ids, but_for=wanted)
                if not await has_active_holds(tx):
                    self._no_holds_until = now() + NO_HOLDS_SECONDS
        except (DatabaseUnavailable, *CONNECTION_LOST, *MEANWHILE) as error:
            # The commit tries for itself, as often as it takes, and the maintenance looks too.
            log.warning("orders.holds_not_expired", tenant=self._tenant_id, error=str(error))
            return
        if ended:
            self._book.apply(counters)
            await self._admission.finish(self._tenant_id, [], counters.bases())

    def _plan(self, works: Sequence[Work]) -> tuple[list[Work], list[Work]]:
        """Plan on the book; returns what has all it wants, and what the last attempt must say."""
        in_turn = self._bounded(works)
        with_rows = [work for work in works if work.rows and work not in in_turn]
        requests = [work.request for work in with_rows]
        planner, book = self._book.planner, self._book.book
        with stage("plan", self._tenant_id, len(requests)):
            plans = planner.plan(requests, book)
            shadows = planner.plan_in_shadow(requests, book) if planner.is_shadowed else None
        for work, plan in zip(with_rows, plans, strict=True):
            work.set_plan(plan, self._book.allotments)
        for work, shadow in zip(with_rows, shadows or (), strict=False):
            work.shadow = shadow
        whole: list[Work] = []
        short: list[Work] = []
        moment = now()
        for work in works:
            if work in in_turn:
                short.append(work)
                continue
            is_short = work.plan is not None and not work.plan.is_whole
            may_wait = work.shortage is Shortage.PRESALE  # for more than is there
            work.is_sold_out = is_short and not may_wait and self._sold_out.explains(work, moment)
            (short if is_short and not work.is_sold_out else whole).append(work)
        return whole, short

    def _bounded(self, works: Sequence[Work]) -> set[Work]:
        """Return the works that something else than stock may bound: those are planned in turn.

        Orders that take over a stock hold (one that is stopped leaves it), those that are to come
        at an agreed time, those of shops that a share or their safety stock binds, and those that
        want more of an allotment or a quota, all together, than is left of it.
        """
        pools, allotments = self._book.pools, self._book.allotments
        found = {work for work in works if work.rows and (work.converts or work.has_appointment)}
        if pools is not None and pools.may_bind:
            found |= {work for work in works if work.rows and _is_bound(pools, work)}
        found |= self._short_of_quota(works)
        if not allotments:
            return found
        wanting: dict[int, list[Work]] = {}
        units: dict[int, int] = {}
        for work in works:
            for row in work.rows:
                for one in allotments.of(row.sku_id, work.shop_id, work.dealer_id):
                    wanting.setdefault(one, []).append(work)
                    units[one] = units.get(one, 0) + row.quantity
        for one, wanted in units.items():
            if wanted > allotments.left(one):
                found.update(wanting[one])
        return found

    def _short_of_quota(self, works: Sequence[Work]) -> set[Work]:
        """Return the works that want more of a dealer's quota, all together, than is left of it."""
        wanting: dict[int, list[Work]] = {}
        amounts: dict[int, int] = {}
        for work in works:
            for one, amount in work.quota_needs.items():
                wanting.setdefault(one, []).append(work)
                amounts[one] = amounts.get(one, 0) + amount
        found: set[Work] = set()
        for one, wanted in amounts.items():
            left = self._book.quotas.left(one)
            if left is not None and wanted > left:
                found.update(wanting[one])
        return found

    async def _attempt(self, works: Sequence[Work], attempt: int) -> list[Work]:
        """Admit and commit planned works; returns those to be planned again."""
        if not works:
            return []
        admitted, again, waits = [], [], False
        asking = [work for work in works if work.plan and work.plan.allocations]
        for work in asking:
            work.token = f"{_process}:{next(_tokens)}"
        requests = [Request(work.token, self._takes(work)) for work in asking]
        with stage("admit", self._tenant_id, len(requests)):
            verdicts = await self._admission.admit(self._tenant_id, requests)
        refusals = dict(zip(asking, verdicts, strict=True))
        for work in works:
            verdict = refusals.get(work, COLD)
            if isinstance(verdict, AdmissionRefused):
                again.append(work)
                waits = waits or verdict.pending > 0
            else:
                admitted.append(work)
        tokens = [work.token for work, verdict in refusals.items() if verdict == ADMITTED]
        ADMISSIONS.labels("admitted").inc(len(tokens))
        ADMISSIONS.labels("refused").inc(len(again))
        ADMISSIONS.labels("cold").inc(len(asking) - len(tokens) - len(again))
        CONFLICTS.labels("admission").inc(len(again))
        is_sure = len(tokens) == len(admitted) and all(work.intake for work in admitted)
        way = Way.ADMITTED if is_sure else Way.PLANNED
        again += await self._commit(admitted, attempt, way, tokens)
        if waits:
            await asyncio.sleep(PENDING_WAIT_SECONDS)
        return again

    def _takes(self, work: Work) -> list[Take]:
        """Return what the plan of a work takes of which counters."""
        limited_nodes = self._book.view.limited_nodes
        takes = [Take(stock_counter(*key), units) for key, units in work.units_by_key.items()]
        takes += [
            Take(allotment_counter(one), units) for one, units in work.units_by_allotment.items()
        ]
        takes += [Take(quota_counter(one), amount) for one, amount in work.quota.items() if amount]
        for node_id in work.nodes:
            if node_id in limited_nodes:
                takes.append(Take(capacity_counter(node_id, self._book.day), 1))
        return takes

    async def _commit(
        self,
        works: Sequence[Work],
        attempt: int,
        way: Way,
        tokens: Sequence[str] = (),
    ) -> list[Work]:
        """Commit, tell everybody, answer; returns the works to be planned again."""
        if not works:
            return []
        planner, day = self._book.planner, self._book.day
        limited = planner.view.limited_nodes
        around = Circumstances(day, next(_batches), attempt, limited, planner.ready_at)
        ground = Ground(planner, around, self._book.allotments, self._book.pools)
        try:
            with stage("commit", self._tenant_id, len(works)):
                committed, was_unknown = await self._commit_surely(works, ground, way)
        except (*NOT_STORABLE, asyncpg.IntegrityConstraintViolationError) as error:
            await self._admission.finish(self._tenant_id, tokens, [])
            return await self._halve(works, attempt, error, way)
        except Exception as error:
            log.exception("orders.commit_failed", tenant=self._tenant_id, orders=len(works))
            for work in works:
                work.fail(error)
            await self._admission.finish(self._tenant_id, tokens, [])
            return []
        self._learn(committed)
        self._answer(committed, attempt)
        bases = committed.counters.bases()
        if was_unknown:
            bases += await self._look_at_counters(works)
        with stage("finish", self._tenant_id, len(works)):
            await self._admission.finish(self._tenant_id, tokens, bases)
            await self._tell_events(self._tenant_id)
        if not committed.retired:
            return committed.conflicts
        retired = await self._understand_again(committed.retired, committed.retired_skus)
        return committed.conflicts + retired

    def _answer(self, committed: Committed, attempt: int) -> None:
        planner = self._book.planner
        for work, outcome in committed.outcomes.items():
            work.answer(outcome)
            if planner.candidate and work.intake and work.plan and isinstance(outcome, Placed):
                planner.observe(work.request, work.plan, work.shadow)
        for what, count in Counter(map(_what, committed.outcomes.values())).items():
            ORDERS.labels(what).inc(count)
        TENANT_ORDERS.labels(str(self._tenant_id)).inc(len(committed.outcomes))
        ATTEMPTS.labels(str(attempt)).inc(len(committed.outcomes))
        CONFLICTS.labels("commit").inc(len(committed.conflicts))

    def _learn(self, committed: Committed) -> None:
        self._book.apply(committed.counters)
        by_stock = [work for work in committed.under_locks if not self._may_be_bounded(work)]
        self._sold_out.learn(by_stock, now())

    def _may_be_bounded(self, work: Work) -> bool:
        """Whether an order may be short of what is there: others are not to be told of it."""
        pools, allotments = self._book.pools, self._book.allotments
        is_bound = pools is not None and _is_bound(pools, work)
        return is_bound or any(
            allotments.of(row.sku_id, work.shop_id, work.dealer_id) for row in work.rows
        )

    async def _commit_surely(
        self, works: Sequence[Work], ground: Ground, way: Way
    ) -> tuple[Committed, bool]:
        """Commit, and say whether an earlier try may have committed as well.

        Again after a deadlock, and after a connection that broke in the middle.

        After an unknown outcome the batch runs again from its key inserts: they wait for the
        unknown transaction, and whoever finds the key stored answers from it.
        """
        deadlocks = unknowns = 0
        shaped = await _shape(works, ground) if way is not Way.FINAL else None
        while True:
            try:
                async with self._database.tenant_transaction(self._principal) as tx:
                    if shaped is None:
                        committed = await commit_finally(tx, works, ground)
                    elif way is Way.ADMITTED:
                        committed = await commit_admitted(tx, works, ground, shaped)
                    else:
                        committed = await commit_planned(tx, works, ground, shaped)
                return committed, unknowns > 0
            except NotAllAccepted:
                way = Way.PLANNED
            except CapacityMissing as error:
                async with self._database.tenant_transaction(self._principal) as tx:
                    await create_capacities(tx, error.keys)
            except MEANWHILE:
                deadlocks += 1
                if deadlocks > DEADLOCK_RETRIES_MAX:
                    raise
            except CONNECTION_LOST as error:
                unknowns += 1
                UNKNOWN_COMMITS.inc()
                if unknowns > UNKNOWN_OUTCOME_RETRIES_MAX:
                    raise DatabaseUnavailable from error
                if way is Way.ADMITTED:  # its orders may be there already: ask the keys first
                    way = Way.PLANNED
                await asyncio.sleep(RETRY_PAUSE_SECONDS * unknowns)

    async def _look_at_counters(self, works: Sequence[Work]) -> list[Base]:
        """Return the counters that were planned on, read anew: a lost commit took them."""
        names = [take.counter for work in works for take in self._takes(work)]
        wanted = counters_of(Base(name, 0, 0) for name in names)
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            counters = await read_counters(tx, wanted)
        self._book.apply(counters)
        return counters.bases()

    async def _halve(
        self, works: Sequence[Work], attempt: int, error: Exception, way: Way
    ) -> list[Work]:
        """Split a batch with a data error until the culprit is alone, and refuse that.

        A value that no type holds is the order's fault; a violated constraint is ours.
        """
        if len(works) == 1:
            log.error("orders.not_stored", tenant=self._tenant_id, error=str(error))
            if isinstance(error, NOT_STORABLE):
                culprit = InvalidOrder(f"The order holds a value that cannot be stored: {error}")
                works[0].answer(refused(culprit))
            else:
                works[0].fail(error)
            return []
        middle = len(works) // 2
        again = []
        for half in (works[:middle], works[middle:]):
            again += await self._commit(half, attempt, way)
        return again

    def _cut(self, works: Sequence[Work]) -> list[list[Work]]:
        """Cut a last attempt into parts that lock no more counters than the limit; an order that is
        larger by itself goes alone."""
        sources = max(1, len(self._book.view.sources))
        terms = self._book.view.terms
        providers = SLOTS_A_DAY * len(terms.providers) if terms else 0
        parts: list[list[Work]] = []
        counters = LAST_ATTEMPT_COUNTERS_MAX
        for work in works:
            size = len(work.rows) * sources + (providers if work.has_appointment else 0)
            if counters + size > LAST_ATTEMPT_COUNTERS_MAX:
                parts.append([])
                counters = 0
            parts[-1].append(work)
            counters += size
        return parts


def _is_bound(pools: LivePools, work: Work) -> bool:
    skus = (row.sku_id for row in work.rows)
    return pools.binds(work.shop_id, skus, is_sold=work.is_sold)


def _what(outcome: Answer) -> str:
    """Return what became of an order, in one word."""
    if isinstance(outcome, Held):
        return "stock_held"
    return outcome.status.value if isinstance(outcome, Placed) else outcome.code


async def _shape(works: Sequence[Work], ground: Ground) -> Shaped:
    """Return the rows of the new orders; now and then the others' turn comes."""
    shaped = Shaped(ground.around)
    for number, work in enumerate(works, 1):
        if work.intake is not None and enough(work):
            shaped.add_order(work)
        if number % BREATH_ORDERS == 0:
            await asyncio.sleep(0)
    return shaped
