"""Why a shop may offer so many units of a SKU, now or at a moment in the past."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from backend.catalog.find_skus import sku_id_by_code
from backend.channels.errors import UnknownShop
from backend.channels.model import Shop
from backend.channels.shops import active_shops
from backend.db.errors import OutOfRange
from backend.db.pool import TenantTransaction
from backend.inventory.accuracy.accuracy import read_weights
from backend.inventory.allotments.book import AllotmentBook
from backend.inventory.allotments.counters import allotments_of_sku
from backend.inventory.earmarks.queries import open_earmarks, usable_of_sku
from backend.inventory.levels import database_time, levels_of_sku
from backend.inventory.model import FreeAt, Level
from backend.inventory.pools.compile import CompiledLayout, Figures, Link
from backend.inventory.pools.layouts import LAYOUTS, SQL, compile_in_force, layout_as_of
from backend.inventory.pools.live import Profile
from backend.inventory.pools.model import WHOLE_BP, Layer, Sync
from backend.inventory.pools.numbers import Bounds, ground_of, pools_on
from backend.inventory.safety.model import ShopFloorBook
from backend.inventory.safety.shop_floors import shop_floors_of_sku
from backend.network.regions.table import RegionTable
from core_ext.results import Derivation


class LinkStep(msgspec.Struct, frozen=True, kw_only=True):
    """What came over one link: `flow` of `quantity`, after `reserve`, `ratio_bp` and `most`."""

    from_pools: tuple[str, ...]
    """Codes; empty for a link from functional warehouses."""
    from_warehouse_ids: tuple[int, ...]
    quantity: int
    reserve: int
    ratio_bp: int
    most: int | None
    is_ruled: bool
    """A rule gave other figures than the link's own."""
    flow: int


class PoolStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool, or in the end the shop, has of the SKU."""

    code: str
    layer: Layer | None
    """None for the shop."""
    links: tuple[LinkStep, ...]
    flows_in: int
    bound: int
    """Free units of all functional warehouses above it, each counted once."""
    floor: int
    """What a shop keeps back of that by the safety stock of its channel."""
    earmarks: int
    """Usable earmarks of this pool and those above it, added after the ratios."""
    cap: int | None
    """What is left of an allotment."""
    number: int


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A shop's number of a SKU, and every step that led to it."""

    sku_id: int
    shop_id: int
    at: datetime
    layout_version: int
    """0 where no layout was active; then there are no steps and the number is None."""
    levels: tuple[Level, ...]
    """Of the functional warehouses above the shop."""
    weights: tuple[tuple[int, int], ...]
    """Nodes above the shop that do not offer all they have, and the basis points that they do."""
    steps: tuple[PoolStep, ...]
    """Pools in the order of the flow, the shop last."""
    number: int | None
    sync: Sync | None
    shown: int | None
    """What the platform shall show."""


async def explain(
    tx: TenantTransaction,
    sku: str,
    shop: str,
    *,
    as_of: datetime | None,
    time_zone: str,
    regions: RegionTable,
) -> Explanation:
    """Return the derivation of a shop's number, for now or for a moment in the past.

    For the past, levels are what they are less what moved since, under the layout of that time over
    the network of today and its accuracy, without allotments and what shops keep back. Raises
    UnknownSku, UnknownShop, and OutOfRange for the future and for a time without its zone.
    """
    sku_id = await sku_id_by_code(tx, sku)
    found = (await active_shops(tx)).get(shop)
    if found is None:
        raise UnknownShop
    now = await database_time(tx)
    if as_of is not None and as_of.tzinfo is None:
        raise OutOfRange("Say in which time zone, as in 2026-11-11T20:00:00Z.", path=("asOf",))
    if as_of is not None and as_of > now:
        raise OutOfRange("That moment lies in the future.", path=("asOf",))
    at = as_of or now
    version = await (LAYOUTS.active(tx) if as_of is None else layout_as_of(tx, at))
    levels = await _levels(tx, sku_id, as_of)
    if version is None:
        return _nothing(sku_id, found, at)
    layout = await compile_in_force(tx, version.document, regions)
    vertex = None if layout is None else layout.vertex_of_shop.get(found.id)
    if layout is None or vertex is None:
        return _nothing(sku_id, found, at, version.version)
    free = [FreeAt(*level.key, level.signed_free, 0) for level in levels]
    free += await usable_of_sku(tx, sku_id, levels, as_of)
    ground = ground_of([layout], await open_earmarks(tx, as_of), free)
    bounds = Bounds(AllotmentBook(), ShopFloorBook(), await read_weights(tx))
    if as_of is None:
        bounds.allotments.learn(await allotments_of_sku(tx, sku_id))
        bounds.floors.learn(await shop_floors_of_sku(tx, sku_id))
    pools = await pools_on(tx, layout, ground, at.astimezone(ZoneInfo(time_zone)), bounds)
    derived = pools.availability.derive(sku_id)
    sync = layout.syncs.get(shop)
    number = derived.number[vertex]
    pools_above = layout.pools_above(vertex)
    above = layout.upstream[vertex] | {
        source.functional_warehouse_id for source in ground.sources if source.pool in pools_above
    }
    return Explanation(
        sku_id=sku_id,
        shop_id=found.id,
        at=at,
        layout_version=version.version,
        levels=tuple(level for level in levels if level.functional_warehouse_id in above),
        weights=tuple(
            (node_id, weight)
            for node_id in sorted({layout.node_of[one] for one in above if one in layout.node_of})
            if (weight := layout.weight(node_id, bounds.weights)) < WHOLE_BP
        ),
        steps=_steps(layout, derived, vertex, pools.profile_of(sku_id)),
        number=number,
        sync=sync,
        shown=(sync or Sync(shop=shop)).shown(number),
    )


async def _levels(tx: TenantTransaction, sku_id: int, as_of: datetime | None) -> list[Level]:
    if as_of is None:
        return await levels_of_sku(tx, sku_id)
    return [Level(*row) for row in await tx.fetch(SQL.levels_as_of, tx.tenant_id, sku_id, as_of)]


def _nothing(sku_id: int, shop: Shop, at: datetime, version: int = 0) -> Explanation:
    return Explanation(
        sku_id=sku_id,
        shop_id=shop.id,
        at=at,
        layout_version=version,
        levels=(),
        weights=(),
        steps=(),
        number=None,
        sync=None,
        shown=None,
    )


def _steps(
    layout: CompiledLayout, derived: Derivation, shop: int, profile: Profile
) -> tuple[PoolStep, ...]:
    """Return the pools above a shop, and the shop."""
    above = layout.above(shop)
    ruled = {number: figures for (number, _), figures in zip(layout.rules, profile, strict=True)}
    links: dict[int, list[LinkStep]] = {vertex: [] for vertex in above}
    for number, link in enumerate(layout.links):
        if link.target in above:
            links[link.target].append(_link_step(layout, derived, number, link, ruled.get(number)))
    steps = []
    for vertex in sorted(above):
        pool = layout.pools[vertex] if vertex < len(layout.pools) else None
        cap = derived.cap[vertex]
        steps.append(
            PoolStep(
                code=pool.code if pool else layout.shops[vertex - len(layout.pools)].code,
                layer=pool.layer if pool else None,
                links=tuple(links[vertex]),
                flows_in=derived.flows_in[vertex],
                bound=derived.bound[vertex],
                floor=derived.floor[vertex],
                earmarks=derived.earmarks[vertex],
                cap=None if cap < 0 else cap,
                number=derived.number[vertex],
            )
        )
    return tuple(steps)


def _link_step(
    layout: CompiledLayout, derived: Derivation, number: int, link: Link, ruled: Figures | None
) -> LinkStep:
    own = layout.own_figures(number)
    figures = ruled or own
    return LinkStep(
        from_pools=tuple(layout.pools[member].code for member in link.pools),
        from_warehouse_ids=tuple(sorted(link.warehouse_ids)),
        quantity=derived.quantity[number],
        reserve=figures.reserve,
        ratio_bp=figures.ratio_bp,
        most=None if figures.most < 0 else figures.most,
        is_ruled=figures != own,
        flow=derived.flow[number],
    )
