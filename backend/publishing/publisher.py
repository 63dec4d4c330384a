"""Publishes the numbers of all brands' shops that this process speaks for."""

import asyncio
import secrets
from contextlib import suppress

import httpx2
import structlog

from backend.channels.connectors import connect
from backend.channels.errors import ChannelRefused
from backend.db.errors import DatabaseUnavailable
from backend.db.pool import CONNECTION_LOST, Database
from backend.orders.place_orders import OrderIntake
from backend.publishing.connections import (
    give_back_connections,
    lease_connections,
    note_problem,
)
from backend.publishing.model import ShopAccess
from backend.publishing.order_puller import OrderPuller
from backend.publishing.returns import ReturnsDesk
from backend.publishing.shop_publisher import ShopPublisher
from backend.routing.live_book import LiveBooks
from tenants.brands import BrandDirectory

log = structlog.get_logger(__name__)

LEASE_SECONDS = 15.0
"""How long a shop is silent whose process has died."""
RENEW_SECONDS = 3.0

Speaking = tuple[ShopPublisher, "asyncio.Task[None]"]


class Publisher:
    """The shops for which this process speaks; each has one process at a time."""

    def __init__(
        self, database: Database, books: LiveBooks, brands: BrandDirectory, intake: OrderIntake
    ) -> None:
        self.owner = secrets.token_hex(8)
        self._database = database
        self._books = books
        self._brands = brands
        self._intake = intake
        self._speaking: dict[tuple[int, int], Speaking] = {}
        self._stopping = asyncio.Event()

    async def run(self, http: httpx2.AsyncClient) -> None:
        """Speak for shops until `stop`, then give them back."""
        try:
            while not self._stopping.is_set():
                try:
                    for brand in await self._brands.all():
                        await self._lease(brand.id, http)
                except (DatabaseUnavailable, *CONNECTION_LOST) as error:
                    log.warning("publisher.waiting", error=str(error))
                except Exception:
                    log.exception("publisher.not_leased")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), RENEW_SECONDS)
        finally:
            await self._end()

    def stop(self) -> None:
        """Let `run` end once the calls in hand are done."""
        self._stopping.set()

    async def _lease(self, tenant_id: int, http: httpx2.AsyncClient) -> None:
        leased = await lease_connections(self._database, tenant_id, self.owner, LEASE_SECONDS)
        shops = {shop.shop_id: shop for shop in leased}
        for at, (publisher, task) in list(self._speaking.items()):
            if at[0] != tenant_id:
                continue
            shop = shops.get(at[1])
            if shop is None or task.done() or not shop.is_reached_as(publisher.shop):
                await self._hang_up(at)
        for shop in leased:
            if (tenant_id, shop.shop_id) not in self._speaking:
                await self._speak(tenant_id, shop, http)

    async def _speak(self, tenant_id: int, shop: ShopAccess, http: httpx2.AsyncClient) -> None:
        try:
            channel = connect(shop.kind, shop.access, http)
        except ChannelRefused as error:
            log.error("publisher.not_connected", shop=shop.shop_code, error=error.message)
            await note_problem(self._database, tenant_id, shop.shop_id, error.message)
            return
        live = await self._books.open(tenant_id)
        puller = OrderPuller(tenant_id, self._database, self._intake, shop, channel, self.owner)
        desk = ReturnsDesk(tenant_id, self._database, shop, channel, self.owner)
        publisher = ShopPublisher(live, self._database, shop, channel, puller, desk)
        task = asyncio.create_task(publisher.run())
        self._speaking[tenant_id, shop.shop_id] = publisher, task

    async def _hang_up(self, at: tuple[int, int]) -> None:
        publisher, task = self._speaking.pop(at)
        publisher.stop()
        await asyncio.wait([task])
        if error := task.exception():
            log.error("publisher.failed", shop=publisher.shop.shop_code, exc_info=error)

    async def _end(self) -> None:
        tenants = {tenant_id for tenant_id, _ in self._speaking}
        for publisher, _ in self._speaking.values():
            publisher.stop()
        for at in list(self._speaking):
            await self._hang_up(at)
        for tenant_id in tenants:
            with suppress(DatabaseUnavailable, *CONNECTION_LOST):
                await give_back_connections(self._database, tenant_id, self.owner)
