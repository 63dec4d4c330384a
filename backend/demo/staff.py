"""The people of the demo's nodes, and their carrier: they fetch, pack, send and deliver orders."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx2

from backend.db.errors import YipanError
from backend.db.pool import Record
from backend.demo.clerks import Clerks
from backend.demo.simulated import simulated
from backend.demo.stream import Tally
from backend.fulfilment.carriers.accounts import set_carrier_account
from backend.fulfilment.errors import NothingToRelease
from backend.fulfilment.find import page_of_parcels
from backend.fulfilment.model import PICK_LIST_MAX, Packing, ParcelStatus
from backend.fulfilment.pack import pack_fulfilments
from backend.fulfilment.pick_lists import PickListDraft, create_pick_list, pick_fulfilments
from backend.fulfilment.ship import deliver_fulfilments, ship_fulfilments
from backend.fulfilment.waves import WaveDraft, release_wave
from backend.orders.find_orders import page_of_fulfilments
from backend.orders.model import FulfilmentStatus
from backend.orders.move_fulfilments import FulfilmentKey
from backend.runtime import Runtime
from tenants.principal import system_principal

CARRIER, CARRIER_NAME = "sim-express", "模拟快递"
ROUND_SECONDS = 3.0
"""So often the nodes look for work."""
DONE_SHARE = 0.5
"""Of what could be done in a round: some of it is always left to be seen."""
WORK_A_ROUND = 100
NEWEST = 2**62


class Staff:
    """Works in all nodes of the demo's brand until it is cancelled."""

    def __init__(
        self, runtime: Runtime, tenant_id: int, carrier_url: str, secret: str, tally: Tally
    ) -> None:
        self._runtime = runtime
        self._principal = system_principal(tenant_id, "demo")
        self._carrier = carrier_url
        self._secret = secret
        self._tally = tally
        self._random = Random()
        self._run_id = datetime.now(UTC).strftime("%m%d%H%M%S")
        self._commands = 0
        self._clerks = Clerks(runtime, tenant_id, tally, self._key)

    async def run(self, own_url: str) -> None:
        """Open an account with the carrier, and work; `own_url` is where it tells what happens."""
        async with httpx2.AsyncClient(timeout=30.0) as http:
            async with self._writing() as tx:
                await set_carrier_account(
                    tx,
                    CARRIER,
                    CARRIER_NAME,
                    self._carrier,
                    self._secret,
                    is_active=True,
                    key=self._key(),
                )
            tells = f"{own_url}/carriers/{self._principal.tenant_id}/{CARRIER}/events"
            await http.put(f"{self._carrier}/control/callback", json={"url": tells})
            while True:
                try:
                    await self._round(http)
                except YipanError as error:
                    self._tally.last = error.message
                await asyncio.sleep(ROUND_SECONDS)

    async def _round(self, http: httpx2.AsyncClient) -> None:
        """Do some of what there is to do, what is furthest first."""
        await self._deliver(http)
        await self._ship()
        await self._clerks.round()
        database, status = self._runtime.database, FulfilmentStatus
        picked = [Packing(key, CARRIER) for key in await self._some(status.PICKED)]
        if picked:
            await pack_fulfilments(database, self._principal, picked, self._key())
        picking = await self._some(status.PICKING)
        if picking:
            await pick_fulfilments(database, self._principal, picking, self._key())
        await self._start_picking()
        with suppress(NothingToRelease):
            local = (await self._runtime.brands.get(self._principal.tenant_id)).local_time()
            wave = WaveDraft(limit=WORK_A_ROUND)
            await release_wave(database, self._principal, wave, local, self._key())

    async def _start_picking(self) -> None:
        by_node: defaultdict[int, list[FulfilmentKey]] = defaultdict(list)
        for row in await self._rows(FulfilmentStatus.RELEASED):
            by_node[row["node_id"]].append(FulfilmentKey(row["order_id"], row["fulfilment_no"]))
        for node_id, keys in by_node.items():
            draft = PickListDraft(node_id=node_id, keys=tuple(keys[:PICK_LIST_MAX]))
            await create_pick_list(self._runtime.database, self._principal, draft, self._key())

    async def _ship(self) -> None:
        """Hand over what has its waybill."""
        keys = await self._some(FulfilmentStatus.PACKED)
        if keys:
            done = await ship_fulfilments(
                self._runtime.database, self._principal, keys, self._key()
            )
            await self._runtime.publish_counters(self._principal.tenant_id, done.counters)
            self._tally.counts["shipped"] += sum(answer.is_done for answer in done.answers)

    async def _deliver(self, http: httpx2.AsyncClient) -> None:
        """Let parcels of the carrier arrive; those of an earlier day's it no longer knows of."""
        async with self._reading() as tx:
            rows = await page_of_parcels(tx, ParcelStatus.SHIPPED, NEWEST, WORK_A_ROUND)
        known = (await http.get(f"{self._carrier}/control/parcels")).json()
        lost = [
            FulfilmentKey(row["order_id"], row["fulfilment_no"])
            for row in rows
            if row["waybill"] not in known
        ]
        if lost:
            keys = list(dict.fromkeys(lost))
            await deliver_fulfilments(self._runtime.database, self._principal, keys, self._key())
        waybills = [row["waybill"] for row in rows if row["waybill"] in known]
        arriving = [one for one in waybills if self._random.random() < DONE_SHARE]
        if arriving:
            story: dict[str, Any] = {"waybills": arriving, "isTidy": False}
            await http.post(f"{self._carrier}/control/stories", json=story)
            self._tally.counts["delivered"] += len(arriving)

    async def _some(self, status: FulfilmentStatus) -> list[FulfilmentKey]:
        """Return some of the fulfilments that stand somewhere."""
        return [
            FulfilmentKey(row["order_id"], row["fulfilment_no"])
            for row in await self._rows(status)
            if self._random.random() < DONE_SHARE
        ]

    async def _rows(self, status: FulfilmentStatus) -> Sequence[Record]:
        async with self._reading() as tx:
            return await page_of_fulfilments(
                tx, node_id=None, status=status, before=(NEWEST, 0), limit=WORK_A_ROUND
            )

    def _key(self) -> str:
        self._commands += 1
        return f"staff-{self._run_id}-{self._commands}"

    def _reading(self) -> Any:
        return self._runtime.database.tenant_transaction(self._principal, read_only=True)

    def _writing(self) -> Any:
        return self._runtime.database.tenant_transaction(self._principal)


@asynccontextmanager
async def carrier() -> AsyncIterator[tuple[str, str]]:
    """Start the carrier on a free port of this machine; its address, and the account's secret."""
    secret = secrets.token_hex(16)
    async with simulated("carrier", "--secret", secret) as url:
        yield url, secret
