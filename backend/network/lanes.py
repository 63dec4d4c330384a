"""Lanes: what carriers charge and how long they take, from nodes to regions."""

from collections.abc import Sequence

from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.network.errors import InvalidTerms, UnknownNode
from backend.network.model import Lane, LaneDraft
from backend.network.nodes import SQL, list_nodes
from backend.network.ranges import (
    require_between,
    require_money,
    require_name,
    require_region,
)
from backend.network.regions.table import RegionTable
from backend.network.terms_version import raise_terms_version
from tenants.principal import Permission

LANES_A_COMMAND_MAX = 5_000
"""Ten nodes with five carriers to a hundred regions each; a fifth of a second."""
LANES_MAX = 200_000
"""Of a brand, those that are switched off too: whoever plans reads them all, in a second or two."""
STEP_G_MAX = 1_000_000
TRANSIT_MINUTES_MAX = 100_000
"""Ten weeks."""


async def set_lanes(
    tx: TenantTransaction, drafts: Sequence[LaneDraft], *, key: str, regions: RegionTable
) -> int:
    """Set lanes, or change those that are there, once, all or none; returns how many.

    A lane is known by its node, carrier and region. Locks the key, then the version of the terms.
    Raises InvalidTerms, OutOfRange, UnknownRegion, UnknownNode, CommandConflict; then nothing has
    changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    _check(drafts, regions)

    async def work() -> int:
        await raise_terms_version(tx)
        await _write(tx, drafts)
        if await tx.fetch_value(SQL.count_lanes, tx.tenant_id) > LANES_MAX:
            raise InvalidTerms(f"A brand has at most {LANES_MAX:,} lanes.", path=("lanes",))
        return len(drafts)

    return await apply_once(tx, key, ("set_lanes", drafts), int, work)


async def list_lanes(tx: TenantTransaction) -> list[Lane]:
    """Return all lanes in use, by node, carrier and region."""
    return [Lane(**row) for row in await tx.fetch(SQL.lanes, tx.tenant_id)]


async def page_of_lanes(tx: TenantTransaction, after: int, limit: int) -> list[Lane]:
    """Return up to `limit` lanes, those that are switched off too, with ids above `after`."""
    rows = await tx.fetch(SQL.page_of_lanes, tx.tenant_id, after, limit)
    return [Lane(**row) for row in rows]


async def lanes_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Lane]:
    """Return the lanes of ids, in no order; what is not there is left out."""
    return [Lane(**row) for row in await tx.fetch(SQL.lanes_by_ids, tx.tenant_id, ids)]


async def _write(tx: TenantTransaction, drafts: Sequence[LaneDraft]) -> None:
    nodes = {node.code: node.id for node in await list_nodes(tx)}
    for index, draft in enumerate(drafts):
        if draft.node not in nodes:
            raise UnknownNode(
                f"There is no node {draft.node!r}.", path=("lanes", index, "location")
            )
    await tx.execute(
        SQL.set_lanes,
        tx.tenant_id,
        [nodes[draft.node] for draft in drafts],
        [draft.carrier for draft in drafts],
        [draft.region_code for draft in drafts],
        [draft.base_minor for draft in drafts],
        [draft.step_minor for draft in drafts],
        [draft.step_g for draft in drafts],
        [draft.transit_minutes for draft in drafts],
        [draft.is_active for draft in drafts],
    )


def _check(drafts: Sequence[LaneDraft], regions: RegionTable) -> None:
    if not 0 < len(drafts) <= LANES_A_COMMAND_MAX:
        raise InvalidTerms(f"Give 1 to {LANES_A_COMMAND_MAX:,} lanes.", path=("lanes",))
    seen = set()
    for index, draft in enumerate(drafts):
        path = ("lanes", index)
        require_name((*path, "carrier"), draft.carrier)
        require_region((*path, "regionCode"), draft.region_code, regions)
        require_money((*path, "baseMinor"), draft.base_minor)
        require_money((*path, "stepMinor"), draft.step_minor)
        require_between((*path, "stepG"), draft.step_g, 1, STEP_G_MAX)
        require_between((*path, "transitMinutes"), draft.transit_minutes, 0, TRANSIT_MINUTES_MAX)
        lane = draft.node, draft.carrier, draft.region_code
        if lane in seen:
            raise InvalidTerms("A lane stands there twice.", path=path)
        seen.add(lane)
