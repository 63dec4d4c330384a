"""Proposing, finding and activating layouts."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend.channels.shops import active_shops
from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.earmarks.queries import open_earmarks
from backend.inventory.pools.compile import CompiledLayout, Sources, open_part
from backend.inventory.pools.errors import (
    InvalidLayout,
    LayoutChanged,
    LayoutNotDraft,
    UnknownLayout,
)
from backend.inventory.pools.model import Layout, LayoutStatus
from backend.inventory.warehouses import list_warehouses
from backend.network.nodes import list_nodes
from backend.network.regions.table import RegionTable
from tenants.principal import Permission

SQL = load_queries(__file__)

COMMENT_LENGTH_MAX = 1_000
VERSION_MAX = 2**31 - 1


class LayoutVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a brand's layout."""

    version: int
    based_on: int
    """The version that was active when it was proposed; 0 for none."""
    status: LayoutStatus
    layout: Layout
    comment: str
    proposed_by: str
    proposed_at: datetime
    activated_by: str | None
    activated_at: datetime | None


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

    Locks the key, then the brand's layouts. Raises InvalidLayout, InvalidCondition, CommandConflict
    and, where `based_on` is not the active version, LayoutChanged; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    if len(comment) > COMMENT_LENGTH_MAX or "\0" in comment:
        raise InvalidLayout(
            f"A comment has at most {COMMENT_LENGTH_MAX} characters.", path=("comment",)
        )

    async def work() -> LayoutVersion:
        await compile_layout(tx, layout, regions)
        await lock_layouts(tx)
        await _need_active(tx, based_on)
        document = msgspec.json.encode(layout).decode()
        row = await tx.fetch_row(
            SQL.insert_draft, tx.tenant_id, based_on, document, comment, tx.principal.subject
        )
        assert row is not None, "an insert returns its row"
        return _version(row)

    content = ("pool_layout", layout, based_on, comment)
    return await apply_once(tx, key, content, LayoutVersion, work)


async def activate_layout(
    tx: TenantTransaction, version: int, *, key: str, regions: RegionTable
) -> LayoutVersion:
    """Let a draft decide from now on, once, and return it; the one before it is archived.

    What it names is looked at again. Locks the key, then the brand's layouts. Raises UnknownLayout,
    LayoutNotDraft, InvalidLayout, CommandConflict and, where another version was activated after
    the draft was proposed, LayoutChanged; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)

    async def work() -> LayoutVersion:
        await lock_layouts(tx)
        draft = await layout_version(tx, version)
        if draft.status is not LayoutStatus.DRAFT:
            raise LayoutNotDraft
        await _need_active(tx, draft.based_on)
        await compile_layout(tx, draft.layout, regions)
        await _need_kept_pools(tx, draft.layout)
        await tx.execute(SQL.archive_active, tx.tenant_id)
        row = await tx.fetch_row(SQL.activate, tx.tenant_id, version, tx.principal.subject)
        assert row is not None, "the draft is there, and the layouts are locked"
        return _version(row)

    return await apply_once(tx, key, ("activate_layout", version), LayoutVersion, work)


async def layout_version(tx: TenantTransaction, version: int) -> LayoutVersion:
    """Return a version; raises UnknownLayout."""
    row = await tx.fetch_row(SQL.layout, tx.tenant_id, version)
    if row is None:
        raise UnknownLayout(f"There is no layout of version {version}.")
    return _version(row)


async def active_version(tx: TenantTransaction) -> int:
    """Return the number of the active version, or 0."""
    return int(await tx.fetch_value(SQL.active_version, tx.tenant_id) or 0)


async def active_layout(tx: TenantTransaction) -> LayoutVersion | None:
    """Return the version that decides, if there is one."""
    row = await tx.fetch_row(SQL.active_layout, tx.tenant_id)
    return None if row is None else _version(row)


async def layout_as_of(tx: TenantTransaction, at: datetime) -> LayoutVersion | None:
    """Return the version that decided at a time, if there was one."""
    row = await tx.fetch_row(SQL.layout_as_of, tx.tenant_id, at)
    return None if row is None else _version(row)


async def page_of_layouts(tx: TenantTransaction, below: int, limit: int) -> list[LayoutVersion]:
    """Return up to `limit` versions below one, the newest first."""
    return [
        _version(row) for row in await tx.fetch(SQL.page_of_layouts, tx.tenant_id, below, limit)
    ]


async def layouts_by_versions(
    tx: TenantTransaction, keys: Sequence[tuple[int, ...]]
) -> dict[tuple[int, ...], LayoutVersion]:
    """Return versions, each by its number alone."""
    versions = [version for (version,) in keys if version <= VERSION_MAX]
    rows = await tx.fetch(SQL.layouts_by_versions, tx.tenant_id, versions)
    return {(row["version"],): _version(row) for row in rows}


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


async def lock_layouts(tx: TenantTransaction) -> None:
    """Let no layout be proposed or activated until the transaction ends."""
    await tx.execute(SQL.lock_layouts, tx.tenant_id)


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


async def _need_active(tx: TenantTransaction, version: int) -> None:
    """Raise LayoutChanged unless this version is the active one."""
    active = await active_version(tx)
    if active != version:
        raise LayoutChanged(active)


def _version(row: Record) -> LayoutVersion:
    values = dict(row)
    layout = msgspec.json.decode(values.pop("document"), type=Layout)
    status = LayoutStatus(values.pop("status"))
    return LayoutVersion(layout=layout, status=status, **values)
