"""A tenant's lane: orders queue here, and the next batch collects while the last one commits.

Natural batching: under light load a batch has one order, under heavy load batches grow by
themselves. No timer, nothing to tune.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog

from backend.admission.admission import Admission
from backend.db.ids import OrderIds
from backend.db.pool import Database
from backend.metrics import stage
from backend.network.regions.table import RegionTable
from backend.orders.intake import Intake
from backend.orders.model import Answer, OrderDraft
from backend.orders.pipeline import Pipeline, TellEvents
from backend.orders.understand import Submission, Understanding
from backend.orders.work import Backorder, Work
from backend.routing.live_book import LiveBook
from tenants.principal import Principal

log = structlog.get_logger(__name__)

BATCH_ORDERS_MAX = 500
"""Orders of a batch: beyond it the gain of sharing a commit is gone and latency grows."""
BATCH_LINES_MAX = 5_000
QUEUE_MAX = 5_000
"""Orders that may wait in a process for a tenant: about a second's work."""
BATCHES_MAX = 2
"""Batches on their way at once: one is planned while the other one commits."""


class Lane:
    """The intake of one tenant in one process."""

    def __init__(
        self,
        live: LiveBook,
        database: Database,
        admission: Admission,
        ids: OrderIds,
        regions: RegionTable,
        tell_events: TellEvents,
    ) -> None:
        brand = live.brand
        self.brand = brand
        self.live = live
        self._ids = ids
        self._understanding = Understanding(brand, database, regions)
        self._pipeline = Pipeline(
            brand.id, database, admission, live.book, self._understanding.again, tell_events
        )
        self._queue: deque[Submission | Work] = deque()
        self._room = asyncio.Event()
        self._room.set()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def depth(self) -> int:
        """How many orders wait."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        return len(self._queue) >= QUEUE_MAX

    async def wait_for_room(self) -> None:
        """Wait until the queue has room: back-pressure for streams."""
        while self.is_full:
            self._room.clear()
            await self._room.wait()

    async def intake_of(self, draft: OrderDraft, principal: Principal) -> Intake:
        """Return what an order would mean if it were placed now, with a fresh book to plan it on.

        Raises what it would be refused with.
        """
        await self.live.freshen()
        return await self._understanding.intake_of(draft, principal)

    def submit(self, submission: Submission) -> None:
        self._enter(submission)

    def submit_backorder(self, backorder: Backorder) -> "asyncio.Future[Answer]":
        """Try the waiting part of an order again."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._enter(Work(backorder, future))
        return future

    async def drain(self) -> None:
        """Wait until everything that was submitted is answered."""
        while self._running:
            await asyncio.wait(self._running)

    def _enter(self, item: Submission | Work) -> None:
        self._queue.append(item)
        if len(self._running) < BATCHES_MAX:
            self._running.add(asyncio.create_task(self._run()))

    async def _run(self) -> None:
        """Carry out batches until nothing waits.

        It is not running any more in the same step in which it sees that: whoever enters after it,
        even before the task is over for the loop, begins another one.
        """
        task = asyncio.current_task()
        assert task is not None, "it is run as one"
        try:
            while self._queue:
                await self._run_batch(self._collect())
        finally:
            self._running.discard(task)

    async def _run_batch(self, batch: Sequence[Submission | Work]) -> None:
        if not self.is_full:
            self._room.set()
        try:
            await self._process(batch)
        except Exception as error:
            log.exception("orders.batch_failed", tenant=self.brand.id, orders=len(batch))
            for item in batch:
                if not item.future.done():
                    item.future.set_exception(error)

    def _collect(self) -> list[Submission | Work]:
        batch: list[Submission | Work] = []
        lines = 0
        while self._queue and len(batch) < BATCH_ORDERS_MAX and lines < BATCH_LINES_MAX:
            item = self._queue.popleft()
            lines += len(item.lines if isinstance(item, Work) else item.draft.lines)
            batch.append(item)
        return batch

    async def _process(self, batch: Sequence[Submission | Work]) -> None:
        """Carry a batch to its answers; who has waited longest for stock comes first."""
        await self.live.freshen()
        waiting = _once_each([item for item in batch if isinstance(item, Work)])
        submitted = [item for item in batch if isinstance(item, Submission)]
        with stage("understand", self.brand.id, len(submitted)):
            works = await self._understanding.works(submitted)
        for work, order_id in zip(works, await self._ids.take(len(works)), strict=True):
            work.order_id = order_id
        if waiting or works:
            await self._pipeline.run(waiting + works)


def _once_each(waiting: Sequence[Work]) -> list[Work]:
    """Return each waiting order once; the same one again follows the first."""
    first: dict[int, Work] = {}
    for work in waiting:
        if first.setdefault(work.order_id, work) is not work:
            first[work.order_id].followers.append(work)
    return list(first.values())
