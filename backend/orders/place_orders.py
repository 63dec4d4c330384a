"""Placing orders: the use case behind every entrance."""

import asyncio
from collections.abc import Sequence
from typing import Any

from backend.admission.admission import Admission
from backend.db.ids import OrderIds
from backend.db.pool import Database
from backend.network.regions.table import RegionTable
from backend.orders.claim import refused
from backend.orders.errors import InvalidOrder, TooBusy
from backend.orders.intake import Hold
from backend.orders.lane import Lane
from backend.orders.model import HoldOutcome, OrderDraft, Outcome, Shortage
from backend.orders.pipeline import TellEvents
from backend.orders.stock_holds.change_holds import check_seconds
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from backend.orders.understand import Submission
from backend.routing.live_book import LiveBooks
from tenants.principal import Principal

RETRY_AFTER_SECONDS = 1.0


class OrderIntake:
    """The lanes of all tenants whose orders arrive in this process."""

    def __init__(
        self,
        database: Database,
        admission: Admission,
        books: LiveBooks,
        regions: RegionTable,
        tell_events: TellEvents,
    ) -> None:
        self._tell_events = tell_events
        self._database = database
        self._admission = admission
        self._books = books
        self._regions = regions
        self._ids = OrderIds(database)
        self._lanes: dict[int, Lane] = {}

    @property
    def lanes(self) -> dict[int, Lane]:
        return self._lanes

    @property
    def ids(self) -> OrderIds:
        """The ids that orders, and stock holds, get in this process."""
        return self._ids

    async def lane(self, tenant_id: int) -> Lane:
        """Return the tenant's lane; raises UnknownBrand."""
        lane = self._lanes.get(tenant_id)
        if lane is None:
            live = await self._books.open(tenant_id)
            lane = self._lanes.setdefault(
                tenant_id,
                Lane(
                    live,
                    self._database,
                    self._admission,
                    self._ids,
                    self._regions,
                    self._tell_events,
                ),
            )
        return lane

    async def place(
        self, draft: OrderDraft, principal: Principal, *, waits_for: Hold | None = None
    ) -> Outcome:
        """Place one order for somebody who waits, and return what became of it.

        With `waits_for` it is held for that from the beginning. The order exists, and its stock is
        taken, when this returns Placed. Emits `order.placed` and `fulfilment.created`. Refusals are
        outcomes; raises PermissionMissing and DatabaseUnavailable. A full queue answers TooBusy at
        once.
        """
        lane = await self.lane(principal.tenant_id)
        if lane.is_full:
            return refused(TooBusy(RETRY_AFTER_SECONDS))
        placed: Outcome = await self._submit(
            lane, draft, principal, is_bulk=False, waits_for=waits_for
        )
        return placed

    async def take_hold(
        self, draft: OrderDraft, terms: HoldTerms, principal: Principal
    ) -> HoldOutcome:
        """Keep the units of an order to be for a while, and return what became of it.

        They are kept, until the hold ends, when this returns Held. Refuses as `place` does, and
        raises InvalidOrder for a hold that would wait for stock, or lasts too long.
        """
        check_seconds(terms.seconds)
        if draft.wanted_shortage in (Shortage.BACKORDER, Shortage.PRESALE):
            raise InvalidOrder("A hold waits for no stock; REFUSE or PARTIAL.", path=("shortage",))
        if (terms.kind is StockHoldKind.IN_STORE) != (draft.fetched_at is not None):
            raise InvalidOrder(
                "What is kept IN_STORE names its location; nothing else does.", path=("location",)
            )
        lane = await self.lane(principal.tenant_id)
        if lane.is_full:
            return refused(TooBusy(RETRY_AFTER_SECONDS))
        held: HoldOutcome = await self._submit(lane, draft, principal, is_bulk=False, hold=terms)
        return held

    async def place_many(self, drafts: Sequence[OrderDraft], principal: Principal) -> list[Outcome]:
        """Place many orders, each by itself; answers in the order given. Waits for room."""
        futures = [await self.submit_bulk(draft, principal) for draft in drafts]
        return list(await asyncio.gather(*futures))

    async def submit_bulk(
        self, draft: OrderDraft, principal: Principal
    ) -> "asyncio.Future[Outcome]":
        """Queue an order of a stream and return its outcome to come; waits for room."""
        lane = await self.lane(principal.tenant_id)
        await lane.wait_for_room()
        return self._submit(lane, draft, principal, is_bulk=True)

    def _submit(
        self,
        lane: Lane,
        draft: OrderDraft,
        principal: Principal,
        *,
        is_bulk: bool,
        hold: HoldTerms | None = None,
        waits_for: Hold | None = None,
    ) -> "asyncio.Future[Any]":
        """Queue an order, to be answered an Outcome, or a hold, to be answered a HoldOutcome."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        lane.submit(Submission(draft, principal, is_bulk, future, hold, waits_for))
        return future

    async def close(self) -> None:
        """Finish what is in flight."""
        await asyncio.gather(*(lane.drain() for lane in self._lanes.values()))
