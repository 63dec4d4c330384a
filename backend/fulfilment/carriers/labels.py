"""Asking carriers for waybills (电子面单), and to fetch: in the background, until they answer."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import httpx2
import structlog

from backend.clock import now
from backend.db.errors import AlreadyExists, DatabaseUnavailable
from backend.db.pool import CONNECTION_LOST, Database, Record
from backend.db.sql import Query
from backend.fulfilment.carriers.accounts import labelling_accounts
from backend.fulfilment.carriers.http_carrier import HttpCarrier
from backend.fulfilment.carriers.model import (
    CarrierAccount,
    CarrierAway,
    CarrierRefused,
    Recipient,
    Waybill,
    WaybillRequest,
)
from backend.fulfilment.carriers.tracking import adopt_tracking
from backend.fulfilment.collections.collector import (
    Asked,
    ask_later,
    book,
    collections_to_ask,
    refuse,
)
from backend.fulfilment.collections.standing import collections_by_waybills
from backend.fulfilment.collections.tracking import OnCollected
from backend.fulfilment.model import VoidStatus
from backend.fulfilment.waves import SQL
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from tenants.brands import BrandDirectory
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS = 1.0
PARCELS_A_ROUND = 100
BRANDS_AT_ONCE = 8
AT_ONCE = 8
"""Calls of one process: a carrier answers some tens a second."""
FIRST_PAUSE_SECONDS, PAUSE_SECONDS_MAX = 2, 300
"""How long a carrier is left alone after it failed, and a parcel: that is doubled each time."""


class _Parcel(NamedTuple):
    id: int
    order_id: int
    fulfilment_no: int
    carrier: str
    weight_g: int
    attempts: int
    buyer_name: str
    buyer_phone: str
    region_code: int | None
    address: str


class Labeller:
    """Gets waybills for what all brands send, and fetch; safe to run in several processes at once.

    Two that ask for the same get the same waybill: they ask with the same reference.
    """

    def __init__(
        self, database: Database, brands: BrandDirectory, on_collected: OnCollected
    ) -> None:
        self._database = database
        self._brands = brands
        self._on_collected = on_collected
        self._stopping = asyncio.Event()
        self._resting: dict[tuple[int, str], float] = {}
        """Until when carriers that failed are left alone, by brand and code."""

    async def run(self, http: httpx2.AsyncClient) -> None:
        """Ask until `stop`; brands side by side, so that none waits for another's carrier."""
        room = asyncio.Semaphore(BRANDS_AT_ONCE)

        async def label(tenant_id: int) -> None:
            async with room:
                try:
                    await self.label(tenant_id, http)
                except (DatabaseUnavailable, *CONNECTION_LOST) as error:
                    log.warning("labels.waiting", tenant=tenant_id, error=str(error))
                except Exception:
                    log.exception("labels.failed", tenant=tenant_id)

        while not self._stopping.is_set():
            try:
                brands = await self._brands.all()
                await asyncio.gather(*(label(brand.id) for brand in brands))
            except (DatabaseUnavailable, *CONNECTION_LOST) as error:
                log.warning("labels.waiting", error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), LOOK_EVERY_SECONDS)

    def stop(self) -> None:
        """Let `run` end once the calls in hand are done."""
        self._stopping.set()

    async def label(self, tenant_id: int, http: httpx2.AsyncClient) -> int:
        """Ask for the waybills of a brand's parcels and collections once; returns how many came.

        A parcel that its carrier refuses is an exception, with what it said; one that fails is
        asked for again after a pause. Waybills that nobody uses any more are voided.
        """
        principal = system_principal(tenant_id, "labels")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            accounts = {
                code: account
                for code, account in (await labelling_accounts(tx)).items()
                if self._resting.get((tenant_id, code), 0.0) <= now()
            }
            rows: Sequence[Record] = []
            voids: Sequence[Record] = []
            collections: Sequence[Asked] = []
            if accounts:
                codes = list(accounts)
                rows = await tx.fetch(SQL.parcels_to_label, tenant_id, codes, PARCELS_A_ROUND)
                voids = await tx.fetch(SQL.waybills_to_void, tenant_id, codes, PARCELS_A_ROUND)
                collections = await collections_to_ask(tx, codes, PARCELS_A_ROUND)
        room = asyncio.Semaphore(AT_ONCE)

        async def void(row: Record) -> None:
            async with room:
                await self._void(tenant_id, row, accounts, http)

        async def ask(parcel: _Parcel) -> bool:
            async with room:
                return await self._ask(tenant_id, parcel, accounts, http)

        async def come(asked: Asked) -> bool:
            async with room:
                return await self._come(tenant_id, asked, accounts, http)

        labelled = sum(
            await asyncio.gather(
                *(ask(_Parcel(*row)) for row in rows), *(come(one) for one in collections)
            )
        )
        await asyncio.gather(*(void(row) for row in voids))
        await self._adopt(tenant_id)
        return labelled

    async def _void(
        self,
        tenant_id: int,
        row: Record,
        accounts: Mapping[str, CarrierAccount],
        http: httpx2.AsyncClient,
    ) -> None:
        """Tell a carrier that nobody uses a waybill; one that it carries is for somebody to see."""
        carrier, waybill = row["carrier"], row["waybill"]
        if row["is_used"]:  # it was given to the same parcel again
            await self._note(tenant_id, SQL.delete_void, carrier, waybill)
            return
        status, said, pause = VoidStatus.DONE, "", 0
        try:
            await HttpCarrier(accounts[carrier], http).void(waybill)
        except CarrierRefused as error:
            status, said = VoidStatus.REFUSED, str(error)
        except CarrierAway as error:
            status, said, pause = VoidStatus.DUE, str(error), _pause(row["attempts"])
        what = (carrier, waybill, status.value, said, pause)
        await self._note(tenant_id, SQL.settle_void, *what)

    async def _adopt(self, tenant_id: int) -> None:
        """Adopt what was told just while a parcel got its waybill, each waybill by itself."""
        principal = system_principal(tenant_id, "labels")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            rows = await tx.fetch(SQL.waybills_to_adopt, tenant_id, PARCELS_A_ROUND)
        for row in rows:
            async with self._database.tenant_transaction(principal) as tx:
                await adopt_tracking(tx, row["carrier"], row["waybill"], self._on_collected)

    async def _ask(
        self,
        tenant_id: int,
        parcel: _Parcel,
        accounts: Mapping[str, CarrierAccount],
        http: httpx2.AsyncClient,
    ) -> bool:
        to = Recipient(parcel.buyer_name, parcel.buyer_phone, parcel.region_code, parcel.address)
        request = WaybillRequest(f"{tenant_id}-{parcel.id}", parcel.weight_g, to)
        where, resting = (parcel.id, parcel.carrier), (tenant_id, parcel.carrier)
        if self._resting.get(resting, 0.0) > now():
            return False
        try:
            said = await HttpCarrier(accounts[parcel.carrier], http).book(request)
        except CarrierAway as error:
            pause = _pause(parcel.attempts)
            self._resting[resting] = now() + FIRST_PAUSE_SECONDS
            await self._note(tenant_id, SQL.label_later, *where, pause, str(error))
            return False
        except CarrierRefused as error:
            await self._note(tenant_id, SQL.label_refused, *where, str(error))
            return False
        try:
            await self._keep(tenant_id, parcel, said)
        except AlreadyExists as error:  # the carrier's mistake: somebody has to look
            await self._note(tenant_id, SQL.label_refused, *where, error.message)
            return False
        return True

    async def _keep(self, tenant_id: int, parcel: _Parcel, said: Waybill) -> None:
        """Keep a waybill, and what was told of it before we knew it; locks the orders first."""
        principal = system_principal(tenant_id, "labels")
        async with self._database.tenant_transaction(principal) as tx:
            rows = await tx.fetch(SQL.fulfilments_of_parcel, tenant_id, parcel.id)
            await lock_orders_of(tx, [FulfilmentKey(*row) for row in rows])
            where = parcel.id, parcel.carrier
            if await collections_by_waybills(tx, parcel.carrier, [said.waybill]):
                raise AlreadyExists("A collection of this carrier has this waybill.")
            kept = await tx.execute(
                SQL.label_parcel, tenant_id, *where, said.waybill, said.label_url
            )
            if not kept:  # it is cancelled, or another carrier's, meanwhile
                await tx.execute(SQL.void_waybill, tenant_id, parcel.carrier, said.waybill)
            await adopt_tracking(tx, parcel.carrier, said.waybill, self._on_collected)

    async def _come(
        self,
        tenant_id: int,
        asked: Asked,
        accounts: Mapping[str, CarrierAccount],
        http: httpx2.AsyncClient,
    ) -> bool:
        """Ask a carrier to fetch something; returns whether it said that it comes."""
        resting = (tenant_id, asked.carrier)
        if self._resting.get(resting, 0.0) > now():
            return False
        principal = system_principal(tenant_id, "labels")
        try:
            answer = await HttpCarrier(accounts[asked.carrier], http).collect(asked.request)
        except CarrierAway as error:
            self._resting[resting] = now() + FIRST_PAUSE_SECONDS
            async with self._database.tenant_transaction(principal) as tx:
                await ask_later(tx, asked, _pause(asked.attempts), str(error))
            return False
        except CarrierRefused as error:
            async with self._database.tenant_transaction(principal) as tx:
                await refuse(tx, asked, str(error))
            return False
        async with self._database.tenant_transaction(principal) as tx:
            is_booked = await book(tx, asked, answer)
            if is_booked:
                await adopt_tracking(tx, asked.carrier, answer.waybill, self._on_collected)
        return is_booked

    async def _note(self, tenant_id: int, query: Query, *values: object) -> None:
        principal = system_principal(tenant_id, "labels")
        async with self._database.tenant_transaction(principal) as tx:
            await tx.execute(query, tenant_id, *values)


def _pause(attempts: int) -> int:
    """Return for how many seconds something is left alone that has failed so often before."""
    return min(PAUSE_SECONDS_MAX, FIRST_PAUSE_SECONDS << min(attempts, 16))
