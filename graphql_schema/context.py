"""What a request carries: who asks, the use cases' surroundings, and the data loaders.

A loader is made when it is first asked for: most requests need one of them, or none.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeVar

from starlette.requests import HTTPConnection
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from backend.after_sales.exchanging import exchanges_by_returns
from backend.after_sales.model import Exchange, Refund, Return, ReturnLine
from backend.after_sales.standing import (
    lines_of_refunds,
    lines_of_returns,
    refunds_of_orders,
    returns_by_ids,
    returns_of_orders,
)
from backend.catalog.find_skus import skus_by_ids
from backend.catalog.model import Sku
from backend.channels.model import Shop
from backend.channels.shops import shops_by_ids
from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.dropship.deposits import DepositEntry, entries_by_dealer
from backend.dropship.items.model import Listing
from backend.dropship.items.save_items import listings_of_items
from backend.events.log import EventLog, events_of_orders
from backend.events.model import Event
from backend.fulfilment import find
from backend.fulfilment.model import Intercept
from backend.inventory.counters import PublishCounters, PublishLevels
from backend.inventory.levels import levels_by_keys, newest_movements
from backend.inventory.model import Level, LevelKey
from backend.inventory.warehouses import list_warehouses
from backend.network.model import FunctionalWarehouse, Slot, SlotProvider
from backend.network.node_terms import closed_days_of_nodes
from backend.network.nodes import list_nodes
from backend.network.regions.table import RegionTable
from backend.network.slots import slot_providers_by_ids, slots_by_ids
from backend.orders import find_orders
from backend.orders.dealing.settle import DealingUpkeep
from backend.orders.deposits.deposits import deposits_of_orders
from backend.orders.find_work import deadlines_of_orders
from backend.orders.installations.installations import visits_of_orders
from backend.orders.installations.model import InstallationVisit
from backend.orders.place_orders import OrderIntake
from backend.pickups.model import Pickup
from backend.pickups.standing import pickups_of_orders
from backend.routing.live_book import LiveBooks
from backend.routing.tenant_book import TenantBook
from tenants.authenticate import Authenticator
from tenants.brands import Brand
from tenants.errors import TokenInvalid
from tenants.principal import (
    Permission,
    PermissionMissing,
    Principal,
    stock_writer,
    system_principal,
)

PartT = TypeVar("PartT")
OutcomeT = TypeVar("OutcomeT")
ByNumber = Callable[[TenantTransaction, Sequence[int]], Awaitable[dict[int, list[PartT]]]]
MOVEMENTS_SHOWN = 20


class Services(NamedTuple):
    """What the API offers the use cases of."""

    database: Database
    intake: OrderIntake
    books: LiveBooks
    events: EventLog
    authenticator: Authenticator
    regions: RegionTable
    publish_levels: PublishLevels
    publish_counters: PublishCounters
    dealing: DealingUpkeep


class Context:
    """One request (or one web socket)."""

    def __init__(self, connection: HTTPConnection, services: Services) -> None:
        self.request = connection
        self.services = services
        self.known_principal: Principal | None = None
        self.connection_params: dict[str, object] | None = None
        """What a web socket said when it connected."""

    @property
    def principal(self) -> Principal:
        """Return who asks; raises TokenInvalid when nobody in particular does."""
        if self.known_principal is None:
            raise TokenInvalid
        return self.known_principal

    def require_brand(self, permission: Permission) -> None:
        """Raise PermissionMissing unless the brand or its group asks, and holds `permission`.

        For answers from what this process knows of all nodes and stock: no policy narrows them.
        """
        self.principal.require(permission)
        if not self.principal.sees_all:
            raise PermissionMissing(permission)

    async def authenticate(self, credential: str | None) -> None:
        """Take the principal from an `Authorization` value; raises TokenInvalid for a bad one."""
        if credential:
            scheme, _, token = credential.partition(" ")
            if scheme.lower() != "bearer" or not token:
                raise TokenInvalid
            self.known_principal = await self.services.authenticator.principal_of(token.strip())

    def reading(self) -> AbstractAsyncContextManager[TenantTransaction]:
        """Open the tenant door for reading, as the principal."""
        return self.services.database.tenant_transaction(self.principal, read_only=True)

    def writing(self) -> AbstractAsyncContextManager[TenantTransaction]:
        """Open the tenant door for writing, as the principal."""
        return self.services.database.tenant_transaction(self.principal)

    def stock_writing(self) -> AbstractAsyncContextManager[TenantTransaction]:
        """Open the tenant door to write stock at one's own nodes, or one's own goods."""
        return self.services.database.tenant_transaction(stock_writer(self.principal))

    def acting(self) -> AbstractAsyncContextManager[TenantTransaction]:
        """Open the tenant door as the system, in the principal's name.

        For use cases that check by themselves who may: the policies let no dealer write.
        """
        principal = self.principal
        system = system_principal(principal.tenant_id, principal.subject)
        return self.services.database.tenant_transaction(system)

    async def brand(self) -> Brand:
        """Return the tenant."""
        return (await self.services.books.open(self.principal.tenant_id)).brand

    async def local_time(self) -> datetime:
        """Return the time where the brand works."""
        return (await self.brand()).local_time()

    async def book(self) -> TenantBook:
        """Return what this process knows of the tenant's stock, fresh."""
        live = await self.services.books.open(self.principal.tenant_id)
        await live.freshen()
        return live.book

    async def apply_once(
        self,
        permission: Permission | None,
        key: str,
        content: object,
        outcome_type: type[OutcomeT],
        work: Callable[[TenantTransaction], Awaitable[OutcomeT]],
        *,
        door: AbstractAsyncContextManager[TenantTransaction] | None = None,
    ) -> OutcomeT:
        """Carry out a command under its idempotency key, through the principal's own door.

        Without a permission `work` says who may. Raises PermissionMissing, CommandConflict and what
        `work` raises; then nothing has changed.
        """
        if permission is not None:
            self.principal.require(permission)
        async with door or self.writing() as tx:
            return await apply_once(tx, key, content, outcome_type, partial(work, tx))

    @cached_property
    def lines(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(find_orders.lines_of_orders)

    @cached_property
    def fees(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(find_orders.fees_of_orders)

    @cached_property
    def holds(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(find_orders.holds_of_orders)

    @cached_property
    def fulfilments(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(find_orders.fulfilments_of_orders)

    @cached_property
    def reservations(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(find_orders.reservations_of_orders)

    @cached_property
    def decisions(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(find_orders.decisions_of_orders)

    @cached_property
    def appointments(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(find_orders.appointments_of_orders)

    @cached_property
    def events(self) -> "DataLoader[int, list[Event]]":
        return self._loader_of(events_of_orders)

    @cached_property
    def parcels(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(find.parcels_of_orders)

    @cached_property
    def intercepts(self) -> "DataLoader[int, list[Intercept]]":
        return self._loader_of(find.intercepts_of_orders)

    @cached_property
    def deadlines(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(deadlines_of_orders)

    @cached_property
    def parcel_lines(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(find.lines_of_parcels)

    @cached_property
    def dealer_listings(self) -> "DataLoader[int, list[Listing]]":
        return self._loader_of(listings_of_items)

    @cached_property
    def deposit_entries(self) -> "DataLoader[int, list[DepositEntry]]":
        return self._loader_of(entries_by_dealer)

    @cached_property
    def installation_visits(self) -> "DataLoader[int, list[InstallationVisit]]":
        return self._loader_of(visits_of_orders)

    @cached_property
    def tracking(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(find.tracking_of_parcels)

    @cached_property
    def movements(self) -> "DataLoader[LevelKey, list[Record]]":
        return DataLoader(self._load_movements)

    @cached_property
    def warehouses_of_node(self) -> "DataLoader[int, list[FunctionalWarehouse]]":
        return DataLoader(self._load_warehouses_of_nodes)

    @cached_property
    def closed_days(self) -> "DataLoader[int, Sequence[date]]":
        return DataLoader(self._load_closed_days)

    @cached_property
    def visits(self) -> "DataLoader[int, Slot | None]":
        """Slots by their ids, as the system sees them."""
        return DataLoader(self._load_visits)

    @cached_property
    def slot_providers(self) -> "DataLoader[int, SlotProvider | None]":
        return DataLoader(self._load_slot_providers)

    @cached_property
    def orders(self) -> "DataLoader[int, Record | None]":
        return DataLoader(self._load_orders)

    @cached_property
    def pickups(self) -> "DataLoader[int, Pickup | None]":
        return DataLoader(self._load_pickups)

    @cached_property
    def returns(self) -> "DataLoader[int, Return | None]":
        return DataLoader(self._load_returns)

    @cached_property
    def return_lines(self) -> "DataLoader[int, list[ReturnLine]]":
        return self._loader_of(lines_of_returns)

    @cached_property
    def deposits(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(deposits_of_orders)

    @cached_property
    def exchanges(self) -> "DataLoader[int, Exchange | None]":
        return DataLoader(self._load_exchanges)

    @cached_property
    def returns_of_orders(self) -> "DataLoader[int, list[Return]]":
        return self._loader_of(returns_of_orders)

    @cached_property
    def refunds(self) -> "DataLoader[int, list[Refund]]":
        return self._loader_of(refunds_of_orders)

    @cached_property
    def refund_lines(self) -> "DataLoader[int, list[Record]]":
        return self._loader_of(lines_of_refunds)

    @cached_property
    def skus(self) -> "DataLoader[int, Sku | None]":
        return DataLoader(self._load_skus)

    @cached_property
    def shops(self) -> "DataLoader[int, Shop | None]":
        return DataLoader(self._load_shops)

    @cached_property
    def levels(self) -> "DataLoader[LevelKey, Level | None]":
        return DataLoader(self._load_levels)

    @cached_property
    def nodes(self) -> "DataLoader[int, Any]":
        return DataLoader(partial(self._load_listed, list_nodes))

    @cached_property
    def warehouses(self) -> "DataLoader[int, Any]":
        return DataLoader(partial(self._load_listed, list_warehouses))

    def _loader_of(self, find: ByNumber[PartT]) -> "DataLoader[int, list[PartT]]":
        async def load(ids: list[int]) -> list[list[PartT]]:
            async with self.reading() as tx:
                found = await find(tx, ids)
            return [found.get(order_id, []) for order_id in ids]

        return DataLoader(load)

    async def _load_returns(self, ids: list[int]) -> list[Return | None]:
        async with self.reading() as tx:
            found = await returns_by_ids(tx, ids)
        return [found.get(return_id) for return_id in ids]

    async def _load_pickups(self, ids: list[int]) -> list[Pickup | None]:
        async with self.reading() as tx:
            found = await pickups_of_orders(tx, ids)
        return [found.get(order_id) for order_id in ids]

    async def _load_exchanges(self, ids: list[int]) -> list[Exchange | None]:
        async with self.reading() as tx:
            found = await exchanges_by_returns(tx, ids)
        return [found.get(return_id) for return_id in ids]

    async def _load_orders(self, ids: list[int]) -> list[Record | None]:
        async with self.reading() as tx:
            found = await find_orders.orders_by_ids(tx, ids)
        return [found.get(order_id) for order_id in ids]

    async def _load_skus(self, ids: list[int]) -> list[Sku | None]:
        async with self.reading() as tx:
            found = await skus_by_ids(tx, ids)
        return [found.get(sku_id) for sku_id in ids]

    async def _load_shops(self, ids: list[int]) -> list[Shop | None]:
        async with self.reading() as tx:
            found = await shops_by_ids(tx, ids)
        return [found.get(shop_id) for shop_id in ids]

    async def _load_levels(self, keys: list[LevelKey]) -> list[Level | None]:
        async with self.reading() as tx:
            found = await levels_by_keys(tx, keys)
        return [found.get(key) for key in keys]

    async def _load_movements(self, keys: list[LevelKey]) -> list[list[Record]]:
        async with self.reading() as tx:
            found = await newest_movements(tx, keys, MOVEMENTS_SHOWN)
        return [found.get(key, []) for key in keys]

    async def _load_warehouses_of_nodes(self, ids: list[int]) -> list[list[FunctionalWarehouse]]:
        async with self.reading() as tx:
            listed = await list_warehouses(tx)
        return [[item for item in listed if item.node_id == node_id] for node_id in ids]

    async def _load_closed_days(self, ids: list[int]) -> list[Sequence[date]]:
        today = (await self.local_time()).date()
        async with self.reading() as tx:
            found = await closed_days_of_nodes(tx, ids, today)
        return [found.get(node_id, ()) for node_id in ids]

    async def _load_visits(self, ids: list[int]) -> list[Slot | None]:
        async with self.acting() as tx:
            found = {slot.id: slot for slot in await slots_by_ids(tx, ids)}
        return [found.get(slot_id) for slot_id in ids]

    async def _load_slot_providers(self, ids: list[int]) -> list[SlotProvider | None]:
        async with self.reading() as tx:
            found = {one.id: one for one in await slot_providers_by_ids(tx, ids)}
        return [found.get(provider_id) for provider_id in ids]

    async def _load_listed(
        self, listed: Callable[[TenantTransaction], Awaitable[list[Any]]], ids: list[int]
    ) -> list[Any]:
        """Load small sets (nodes, functional warehouses) whole."""
        async with self.reading() as tx:
            found = {item.id: item for item in await listed(tx)}
        return [found.get(item_id) for item_id in ids]


YipanInfo = Info[Context, None]
