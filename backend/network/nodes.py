"""Creating and finding nodes, their functional warehouses and their legal entities."""

from collections.abc import Collection

from backend.db.errors import OutOfRange
from backend.db.pool import Record, TenantTransaction, Transaction
from backend.db.sql import load_queries
from backend.network.errors import NodeInUse, UnknownNode, UnknownRegion
from backend.network.model import Capability, LegalEntity, Node, NodeDraft, NodeKind, NodeTerms
from backend.network.ranges import require_node_terms
from backend.network.regions.table import RegionTable, bundled_regions
from backend.network.terms_version import raise_terms_version
from tenants.dealers import require_dealer
from tenants.principal import Permission

SQL = load_queries(__file__)

NODES_MAX = 2**31 - 1
"""All of them: the planner needs every node at once."""
DAILY_CAPACITY_MAX = 10_000_000
"""Parcels a day: ten times the largest warehouse known to us."""
LEAD_TIME_MINUTES_MAX = 525_600
"""A year."""
LONGITUDE_E6_MAX, LATITUDE_E6_MAX = 180_000_000, 90_000_000


async def load_regions(tx: Transaction) -> None:
    """Put the bundled region table into the database, if it is not there."""
    regions = bundled_regions().by_code.values()
    if await tx.fetch_value(SQL.count_regions) >= len(regions):
        return
    ordered = sorted(regions, key=lambda region: region.level)
    await tx.execute(
        SQL.load_regions,
        [region.code for region in ordered],
        [region.country for region in ordered],
        [region.name for region in ordered],
        [region.parent_code for region in ordered],
        [region.level for region in ordered],
        [region.longitude_e6 for region in ordered],
        [region.latitude_e6 for region in ordered],
    )


async def list_nodes(tx: TenantTransaction) -> list[Node]:
    """Return the nodes that the principal may see, by id."""
    return await page_of_nodes(tx, 0, NODES_MAX)


async def page_of_nodes(tx: TenantTransaction, after: int, limit: int) -> list[Node]:
    """Return up to `limit` nodes that the principal may see, with ids above `after`."""
    rows = await tx.fetch(SQL.nodes, tx.tenant_id, after, limit)
    return [_node(row) for row in rows]


async def nodes_by_codes(tx: TenantTransaction, codes: Collection[str]) -> list[Node]:
    """Return the nodes of these codes that the principal may see."""
    return [_node(row) for row in await tx.fetch(SQL.nodes_by_codes, tx.tenant_id, list(codes))]


def _node(row: Record) -> Node:
    typed = {
        "kind": NodeKind(row["kind"]),
        "capabilities": frozenset(map(Capability, row["capabilities"])),
    }
    return Node(**{**row, **typed})


async def create_node(tx: TenantTransaction, draft: NodeDraft, regions: RegionTable) -> int:
    """Create a node and return its id.

    Raises UnknownRegion, UnknownDealer, AlreadyExists, OutOfRange.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    _check_ranges(draft)
    require_node_terms(draft)
    await require_dealer(tx, tx.tenant_id, draft.dealer_id)
    region = regions.by_code.get(draft.region_code)
    if region is None:
        raise UnknownRegion(f"There is no region {draft.region_code}.")
    node_id: int = await tx.fetch_value(
        SQL.insert_node,
        tx.tenant_id,
        draft.code,
        draft.name,
        draft.kind.value,
        draft.region_code,
        region.longitude_e6 if draft.longitude_e6 is None else draft.longitude_e6,
        region.latitude_e6 if draft.latitude_e6 is None else draft.latitude_e6,
        draft.priority,
        draft.daily_capacity,
        draft.lead_time_minutes,
        draft.legal_entity_id,
        draft.dealer_id,
        draft.serves_all,
        *values_of_terms(draft),
    )
    return node_id


def values_of_terms(terms: NodeTerms) -> tuple[object, ...]:
    """Return the columns of a node's terms, as the statements take them."""
    return (
        sorted(terms.capabilities),
        terms.cut_off_minute,
        terms.working_days,
        terms.service_level,
        terms.handling_minor,
        terms.keeps_for_region,
    )


def _check_ranges(draft: NodeDraft) -> None:
    """Raise OutOfRange for what the planner could not count with; the schema refuses the rest."""
    for name, value, most in (
        ("dailyCapacity", draft.daily_capacity, DAILY_CAPACITY_MAX),
        ("leadTimeMinutes", draft.lead_time_minutes, LEAD_TIME_MINUTES_MAX),
        ("longitudeE6", abs(draft.longitude_e6 or 0), LONGITUDE_E6_MAX),
        ("latitudeE6", abs(draft.latitude_e6 or 0), LATITUDE_E6_MAX),
    ):
        if value is not None and value > most:
            raise OutOfRange(f"{name} is at most {most:,}.", path=(name,))


async def set_node_active(tx: TenantTransaction, code: str, is_active: bool) -> int:
    """Open or close a node; raises UnknownNode. What is reserved there stays reserved."""
    tx.principal.require(Permission.NETWORK_WRITE)
    node_id: int | None = await tx.fetch_value(SQL.set_node_active, tx.tenant_id, code, is_active)
    if node_id is None:
        raise UnknownNode(f"There is no node {code!r}.")
    return node_id


async def delete_node(tx: TenantTransaction, code: str) -> int:
    """Delete a node that was never used, with all that is of it; returns what was its id.

    Locks the version of the terms, for its lanes go too, then the node. Raises UnknownNode, and
    NodeInUse where it has, or ever had, stock or orders, or the active layout of pools names it;
    then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    await raise_terms_version(tx)
    row = await tx.fetch_row(SQL.lock_node, tx.tenant_id, code)
    if row is None:
        raise UnknownNode(f"There is no node {code!r}.")
    if row["is_used"]:
        raise NodeInUse
    await tx.execute(SQL.delete_node, tx.tenant_id, row["id"])
    return int(row["id"])


async def list_legal_entities(tx: TenantTransaction) -> list[LegalEntity]:
    """Return the legal entities that the principal may see, by id."""
    return [LegalEntity(*row) for row in await tx.fetch(SQL.legal_entities, tx.tenant_id)]


async def create_legal_entity(
    tx: TenantTransaction, code: str, name: str, dealer_id: int | None = None
) -> int:
    """Create a legal entity and return its id; raises AlreadyExists."""
    tx.principal.require(Permission.NETWORK_WRITE)
    entity_id: int = await tx.fetch_value(
        SQL.insert_legal_entity, tx.tenant_id, code, name, dealer_id
    )
    return entity_id
