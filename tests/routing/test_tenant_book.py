"""A process's book follows the database by version, day and topology; what is older is ignored."""

from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import msgspec
import pytest

from backend.db.pool import Database, TenantTransaction
from backend.inventory.counters import Counters
from backend.inventory.levels import free_of_all_levels
from backend.inventory.model import FreeAt
from backend.inventory.warehouses import create_warehouse
from backend.network.capacity import (
    CapacityAt,
    CapacityKey,
    create_capacities,
    lock_capacities,
    take_locked,
)
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_node, set_node_active
from backend.network.regions.table import bundled_regions
from backend.routing import tenant_book
from backend.routing.model import DEFAULT_POLICY, PolicyDocument
from backend.routing.network_view import NetworkView
from backend.routing.tenant_book import Stock, TenantBook
from core_ext import StockBook
from tests.catalogue import Connection
from tests.routing.small_worlds import REGIONS, node, policy, warehouse
from tests.world import SHANGHAI, World, receive

TODAY = date(2026, 1, 31)
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
SKU = 1
CAPACITY = 10


class Followed(NamedTuple):
    """A book, and whose database it follows."""

    book: TenantBook
    database: Database
    world: World

    async def refresh(self, day: date = TODAY) -> Counters:
        async with self.database.tenant_transaction(self.world.system, read_only=True) as tx:
            return await self.book.refresh(tx, datetime.combine(day, time(12)))

    async def receive(self, warehouse: str, quantity: int) -> FreeAt:
        """Put units of A into a functional warehouse; the book is not told."""
        level = await receive(self.database, self.world.brand, warehouse, "A", quantity)
        return FreeAt(*level.key, level.signed_free, level.version)

    def free(self, warehouse_id: int) -> int:
        source = self.book.view.source_index[warehouse_id, 0]
        return self.book.book.free(self.world.skus["A"], source)

    def parcels(self, node_id: int) -> int:
        return self.book.book.capacity(self.book.view.node_index[node_id])


@pytest.fixture
def followed(database: Database, world: World) -> Followed:
    return Followed(TenantBook(bundled_regions()), database, world)


@pytest.fixture
async def small(followed: Followed) -> int:
    """The id of a node that takes ten parcels a day."""
    draft = NodeDraft(
        code="small",
        name="small",
        kind=NodeKind.STORE,
        region_code=SHANGHAI,
        daily_capacity=CAPACITY,
    )
    async with followed.database.tenant_transaction(followed.world.system) as tx:
        return await create_node(tx, draft, bundled_regions())


async def take_parcels(tx: TenantTransaction, node_id: int, parcels: int) -> CapacityAt:
    """Take of today's capacity as a commit does."""
    key = CapacityKey(node_id, TODAY)
    await create_capacities(tx, [key])
    await lock_capacities(tx, [key])
    return (await take_locked(tx, {key: parcels}))[key]


async def activate(admin: Connection, world: World, version: int, document: PolicyDocument) -> None:
    """Put another policy in force."""
    await admin.execute("update routing_policy set status = 'archived'")
    insert = "insert into routing_policy (tenant_id, version, status, document)"
    text = msgspec.json.encode(document).decode()
    values = "values ($1, $2, 'active', $3)"
    await admin.execute(f"{insert} {values}", world.tenant_id, version, text)


# ------------------------------------------------------------------------------------ stock


async def test_the_first_refresh_reads_network_and_stock(followed: Followed) -> None:
    written = [await followed.receive("wh", 5), await followed.receive("far", 7)]
    levels, capacities, *_ = await followed.refresh()
    assert (sorted(levels), capacities) == (written, [])
    assert {n.code for n in followed.book.view.nodes} == {"wh", "store", "far", "dealer-node"}
    assert [followed.free(level.functional_warehouse_id) for level in written] == [5, 7]


async def test_while_the_network_stays_stock_is_not_read_again(followed: Followed) -> None:
    first = await followed.receive("wh", 5)
    await followed.refresh()
    book = followed.book.book
    await followed.receive("wh", 1)
    assert (await followed.refresh()).levels == []
    assert followed.book.book is book
    assert followed.free(first.functional_warehouse_id) == 5


async def test_a_closed_node_leaves_and_the_stock_is_read_anew(followed: Followed) -> None:
    await followed.receive("wh", 5)
    kept = await followed.receive("far", 7)
    await followed.refresh()
    grown = await followed.receive("far", 1)
    async with followed.database.tenant_transaction(followed.world.brand) as tx:
        await set_node_active(tx, "wh", False)
    levels = (await followed.refresh()).levels
    assert grown in levels
    assert followed.world.nodes["wh"] not in followed.book.view.node_index
    assert followed.free(kept.functional_warehouse_id) == 8


async def test_a_new_functional_warehouse_joins(followed: Followed) -> None:
    await followed.refresh()
    draft = WarehouseDraft(node_id=followed.world.nodes["wh"], code="second")
    async with followed.database.tenant_transaction(followed.world.brand) as tx:
        new = await create_warehouse(tx, draft)
    await followed.receive("second", 3)
    await followed.refresh()
    assert followed.free(new) == 3
    assert followed.book.planner.view is followed.book.view


async def test_what_is_announced_while_the_book_is_filled_stays(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = await followed.receive("wh", 5)

    async def interrupted(tx: TenantTransaction) -> AsyncIterator[list[FreeAt]]:
        followed.book.apply_levels([read._replace(free=2, version=read.version + 1)])
        async for chunk in free_of_all_levels(tx):
            yield chunk

    monkeypatch.setattr(tenant_book, "free_of_all_levels", interrupted)
    await followed.refresh()
    assert followed.free(read.functional_warehouse_id) == 2


async def test_another_brands_stock_is_not_in_the_book(followed: Followed) -> None:
    await receive(followed.database, followed.world.other_brand, "wh", "A", 5)
    levels = (await followed.refresh()).levels
    assert levels == []
    assert len(followed.book.view.nodes) == 4


# --------------------------------------------------------------------------------- capacity


async def test_a_day_without_a_counter_has_its_whole_capacity(
    followed: Followed, small: int
) -> None:
    capacities = (await followed.refresh()).capacities
    assert capacities == [CapacityAt(small, TODAY, CAPACITY, 0)]
    assert followed.parcels(small) == CAPACITY


async def test_a_new_day_begins_with_the_whole_capacity(followed: Followed, small: int) -> None:
    async with followed.database.tenant_transaction(followed.world.system) as tx:
        await take_parcels(tx, small, 7)
    await followed.refresh(TODAY)
    assert followed.parcels(small) == CAPACITY - 7
    await followed.refresh(TOMORROW)
    assert followed.parcels(small) == CAPACITY


async def test_capacities_are_read_at_each_refresh(followed: Followed, small: int) -> None:
    await followed.refresh()
    async with followed.database.tenant_transaction(followed.world.system) as tx:
        taken = await take_parcels(tx, small, 4)
    capacities = (await followed.refresh()).capacities
    assert capacities == [taken]
    assert followed.parcels(small) == CAPACITY - 4


async def test_capacities_outlive_a_change_of_the_network(followed: Followed, small: int) -> None:
    async with followed.database.tenant_transaction(followed.world.system) as tx:
        await take_parcels(tx, small, 7)
    await followed.refresh()
    async with followed.database.tenant_transaction(followed.world.brand) as tx:
        await set_node_active(tx, "wh", False)
    await followed.refresh()
    assert followed.parcels(small) == CAPACITY - 7


# ----------------------------------------------------------------------------------- policy


async def test_without_a_policy_the_default_is_in_force(followed: Followed) -> None:
    await followed.refresh()
    assert followed.book.planner.policy == DEFAULT_POLICY
    assert followed.book.planner.policy_version == 0


async def test_the_active_policy_is_in_force(followed: Followed, admin: Connection) -> None:
    await followed.refresh()
    for version, document in ((1, policy("distance", 100)), (3, policy("split", max_nodes=2))):
        await activate(admin, followed.world, version, document)
        await followed.refresh()
        assert followed.book.planner.policy == document
        assert followed.book.planner.policy_version == version


async def test_a_policy_that_stays_keeps_its_planner(followed: Followed, admin: Connection) -> None:
    await activate(admin, followed.world, 2, policy("distance", 100))
    await followed.refresh()
    planner = followed.book.planner
    await followed.refresh()
    assert followed.book.planner is planner


async def test_a_change_of_the_network_keeps_the_policy(
    followed: Followed, admin: Connection
) -> None:
    await activate(admin, followed.world, 2, policy("distance", 100))
    await followed.refresh()
    async with followed.database.tenant_transaction(followed.world.brand) as tx:
        await set_node_active(tx, "wh", False)
    await followed.refresh()
    assert followed.book.planner.policy_version == 2
    assert followed.book.planner.policy == policy("distance", 100)


# ------------------------------------------------------------------------------- what is told


@pytest.fixture
def told() -> TenantBook:
    """A book of today with ten units and five parcels, each of version 5; needs no database."""
    book = TenantBook(REGIONS)
    view = NetworkView([node(1, daily_capacity=CAPACITY)], [warehouse(10, 1)], REGIONS)
    book._stock = Stock(view, StockBook(view.source_node, 1))
    book.day = TODAY
    book.apply_levels([FreeAt(10, SKU, 10, 5)])
    book.apply_capacities([CapacityAt(1, TODAY, 5, 5)])
    return book


@pytest.mark.parametrize(("version", "free"), [(4, 10), (5, 10), (6, 3)])
def test_only_what_is_newer_is_taken_over(told: TenantBook, version: int, free: int) -> None:
    told.apply_levels([FreeAt(10, SKU, 3, version)])
    assert told.book.free(SKU, 0) == free


def test_a_warehouse_that_is_no_source_is_passed_over(told: TenantBook) -> None:
    told.apply_levels([FreeAt(99, SKU, 1, 9), FreeAt(10, SKU, 2, 9), FreeAt(98, SKU, 1, 9)])
    assert told.book.entries(SKU) == [(0, 2, 9)]


@pytest.mark.parametrize(
    ("day", "version", "parcels"),
    [(TODAY, 6, 1), (TODAY, 5, 5), (TODAY, 4, 5), (TOMORROW, 9, 5), (YESTERDAY, 9, 5)],
)
def test_a_capacity_is_taken_over_if_it_is_newer_and_todays(
    told: TenantBook, day: date, version: int, parcels: int
) -> None:
    told.apply_capacities([CapacityAt(1, day, 1, version)])
    assert told.book.capacity(0) == parcels


def test_the_first_figure_of_a_day_beats_the_last_of_the_day_before(told: TenantBook) -> None:
    told.apply_capacities([CapacityAt(1, TODAY, 0, 2**39)])
    told.day = TOMORROW
    told.apply_capacities([CapacityAt(1, TOMORROW, CAPACITY, 0)])
    assert told.book.capacity(0) == CAPACITY


def test_a_capacity_of_an_unknown_node_is_passed_over(told: TenantBook) -> None:
    told.apply_capacities([CapacityAt(99, TODAY, 1, 9), CapacityAt(1, TODAY, 2, 9)])
    assert told.book.capacity(0) == 2
