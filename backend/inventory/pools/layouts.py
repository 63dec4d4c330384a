"""Proposing, finding and activating layouts."""

from datetime import datetime

from backend.channels.shops import active_shops
from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.db.versions import Version, VersionQueries, VersionRefusals, Versions
from backend.inventory.earmarks.queries import open_earmarks
from backend.inventory.pools.compile import CompiledLayout, Sources, open_part
from backend.inventory.pools.errors import (
    InvalidLayout,
    LayoutChanged,
    LayoutNotDraft,
    UnknownLayout,
)
from backend.inventory.pools.model import Layout
from backend.inventory.warehouses import list_warehouses
from backend.network.nodes import list_nodes
from backend.network.regions.table import RegionTable

SQL = load_queries(__file__)

LayoutVersion = Version[Layout]

LAYOUTS = Versions(
    "layout",
    "pool_layout",
    Layout,
    VersionQueries(
        lock=SQL.lock_layouts,
        archive_active=SQL.archive_active,
        insert=SQL.insert_draft,
        activate=SQL.activate,
        one=SQL.layout,
        active=SQL.active_layout,
        some=SQL.layouts_by_versions,
        page=SQL.page_of_layouts,
    ),
    VersionRefusals(InvalidLayout, UnknownLayout, LayoutNotDraft, LayoutChanged),
)


async def propose_layout(
    tx: TenantTransaction,
    layout: Layout,
    *,
    based_on: int,
    comment: str,
    key: str,
    regions: RegionTable,
) -> LayoutVersion:
    """Keep a layout as a draft, once, and return it.

    Locks and guarantees are those of `Versions.propose`. Raises InvalidLayout, InvalidCondition,
    CommandConflict and, where `based_on` is not the active version, LayoutChanged.
    """

    async def check(proposed: Layout) -> None:
        await compile_layout(tx, proposed, regions)

    return await LAYOUTS.propose(
        tx, layout, based_on=based_on, comment=comment, key=key, check=check
    )


async def activate_layout(
    tx: TenantTransaction, version: int, *, key: str, regions: RegionTable
) -> LayoutVersion:
    """Let a draft decide from now on, once, and return it; the one before it is archived.

    What it names is looked at again. Locks and guarantees are those of `Versions.activate`. Raises
    UnknownLayout, LayoutNotDraft, InvalidLayout, CommandConflict and, where another version was
    activated after the draft was proposed, LayoutChanged.
    """

    async def check(draft: Layout) -> None:
        await compile_layout(tx, draft, regions)
        await _need_kept_pools(tx, draft)

    return await LAYOUTS.activate(tx, version, key=key, check=check)


async def active_version(tx: TenantTransaction) -> int:
    """Return the number of the active version, or 0."""
    return int(await tx.fetch_value(SQL.active_version, tx.tenant_id) or 0)


async def layout_as_of(tx: TenantTransaction, at: datetime) -> LayoutVersion | None:
    """Return the version that decided at a time, if there was one."""
    row = await tx.fetch_row(SQL.layout_as_of, tx.tenant_id, at)
    return None if row is None else LAYOUTS.version_of(row)


async def compile_layout(
    tx: TenantTransaction, layout: Layout, regions: RegionTable
) -> CompiledLayout:
    """Return the layout over what the brand has; raises InvalidLayout and InvalidCondition."""
    return CompiledLayout(layout, await _sources(tx, regions), await active_shops(tx))


async def compile_in_force(
    tx: TenantTransaction, layout: Layout, regions: RegionTable
) -> CompiledLayout | None:
    """Return what a layout that was activated comes to now: without shops that have closed since.

    None where it has no pools: then all is as without a layout. Raises InvalidLayout where a
    functional warehouse that it names is gone.
    """
    shops = await active_shops(tx)
    compiled = CompiledLayout(open_part(layout, shops), await _sources(tx, regions), shops)
    return compiled if compiled.vertex_count else None


async def _sources(tx: TenantTransaction, regions: RegionTable) -> Sources:
    nodes = {node.id: node for node in await list_nodes(tx)}
    return Sources(nodes, await list_warehouses(tx), regions)


async def _need_kept_pools(tx: TenantTransaction, layout: Layout) -> None:
    """Raise InvalidLayout if a pool is gone that an open earmark keeps stock for."""
    pools = {pool.code for pool in layout.pools}
    for earmark in await open_earmarks(tx):
        if earmark.pool not in pools:
            raise InvalidLayout(
                f"The pool {earmark.pool!r} is gone, and an earmark keeps stock for it: close the "
                "earmark first.",
                path=("pools",),
            )
