"""Numbers of a layout over the stock as PostgreSQL has it: for a preview, and for an answer why."""

import asyncio
from array import array
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from backend.db.pool import TenantTransaction
from backend.inventory.accuracy.accuracy import read_weights
from backend.inventory.accuracy.model import Weights
from backend.inventory.allotments.book import AllotmentBook
from backend.inventory.allotments.counters import BEGINNING, changed_allotments
from backend.inventory.earmarks.model import OpenEarmark, sources_of
from backend.inventory.earmarks.queries import open_earmarks
from backend.inventory.levels import free_of_all_levels
from backend.inventory.model import FreeAt, StockSource
from backend.inventory.pools.compile import CompiledLayout
from backend.inventory.pools.live import LivePools, PoolGround, no_profiles, read_profiles
from backend.inventory.safety.model import ShopFloorBook
from backend.inventory.safety.shop_floors import changed_shop_floors
from core_ext import StockBook

BREATH_SKUS = 500
"""SKUs that are worked on in one go: a few milliseconds."""


class Ground(NamedTuple):
    """A stock book, and its sources."""

    sources: list[StockSource]
    book: StockBook


class Bounds(NamedTuple):
    """What bounds shops beside the stock."""

    allotments: AllotmentBook
    floors: ShopFloorBook
    weights: Weights


class NumberChange(NamedTuple):
    """What a shop may offer of a SKU, before and after."""

    sku_id: int
    shop_id: int
    before: int | None
    after: int | None

    @property
    def units(self) -> int:
        return abs((self.after or 0) - (self.before or 0))


def ground_of(
    layouts: Iterable[CompiledLayout],
    earmarks: Iterable[OpenEarmark],
    levels: Iterable[FreeAt],
) -> Ground:
    """Return a book with the levels that a process's own book would have under the layouts."""
    found: set[StockSource] = set()
    for layout in layouts:
        found.update(layout.sources())
        found.update(sources_of(earmarks, layout.node_of))
    sources = sorted(found)
    dense: dict[int, int] = {}
    source_node = array("i", [dense.setdefault(source.node_id, len(dense)) for source in sources])
    ground = Ground(sources, StockBook(source_node, max(1, len(dense))))
    add_levels(ground, levels)
    return ground


def add_levels(ground: Ground, levels: Iterable[FreeAt]) -> None:
    """Put levels into the book."""
    index = {
        (source.functional_warehouse_id, source.earmark_id): at
        for at, source in enumerate(ground.sources)
    }
    for level in levels:
        source = index.get((level.functional_warehouse_id, level.earmark_id))
        if source is not None:
            ground.book.put(level.sku_id, source, level.free, level.version)


async def pools_on(
    tx: TenantTransaction,
    layout: CompiledLayout,
    ground: Ground,
    local: datetime,
    bounds: Bounds,
) -> LivePools:
    """Return the numbers of a layout on a book; `local` is the time where the brand is."""
    profiles = no_profiles(layout)
    if layout.rules:
        profiles = await read_profiles(tx, layout, ground.book, ground.sources, local)
    return LivePools(0, PoolGround(layout, ground.sources, ground.book, *bounds), profiles)


async def changes_between(
    tx: TenantTransaction,
    before: CompiledLayout | None,
    after: CompiledLayout | None,
    local: datetime,
) -> list[NumberChange]:
    """Return the numbers of shops that would change, the largest changes first.

    All stock is read, in the caller's snapshot; others may work meanwhile.
    """
    layouts = [layout for layout in (before, after) if layout is not None]
    ground = ground_of(layouts, await open_earmarks(tx), ())
    sku_ids: set[int] = set()
    async for chunk in free_of_all_levels(tx):
        add_levels(ground, chunk)
        sku_ids.update(level.sku_id for level in chunk)
    bounds = Bounds(
        AllotmentBook(await changed_allotments(tx, BEGINNING)),
        ShopFloorBook(await changed_shop_floors(tx, BEGINNING)),
        await read_weights(tx),
    )
    pools = [
        None if layout is None else await pools_on(tx, layout, ground, local, bounds)
        for layout in (before, after)
    ]
    shop_ids = sorted({shop.id for layout in layouts for shop in layout.shops})
    changes = []
    for at, sku_id in enumerate(sorted(sku_ids)):
        for shop_id in shop_ids:
            was, becomes = (
                None if numbers is None else numbers.of_shop(sku_id, shop_id) for numbers in pools
            )
            if was != becomes:
                changes.append(NumberChange(sku_id, shop_id, was, becomes))
        if at % BREATH_SKUS == 0:
            await asyncio.sleep(0)
    return sorted(changes, key=lambda change: (-change.units, change.sku_id, change.shop_id))
