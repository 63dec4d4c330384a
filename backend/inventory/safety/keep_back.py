"""Setting the rules of safety stock, and following them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from backend.catalog.find_skus import sku_ids_by_codes, skus_by_ids
from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory import ledger
from backend.inventory.model import QUANTITY_MAX, CauseKind, Level, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.inventory.pools.live import SALES_WINDOW
from backend.inventory.safety import model
from backend.inventory.safety.errors import InvalidSafetyRule
from backend.inventory.safety.model import (
    Floor,
    SafetyDraft,
    SafetyRule,
    SafetyRules,
    floor_of,
)
from backend.inventory.warehouses import is_default_source, list_warehouses
from backend.network.errors import UnknownNode
from backend.network.model import Node, NodeKind
from backend.network.nodes import list_nodes
from tenants.principal import Permission, Principal

SQL = load_queries(__file__)

LEVELS_A_PAGE = 2_000
"""Levels looked at, and changed, in one transaction."""


async def set_safety_rules(
    tx: TenantTransaction, drafts: Sequence[SafetyDraft], *, key: str
) -> list[SafetyRule]:
    """Replace all rules of the brand, once, and return them; stock follows with `keep_back`.

    Locks the key, then the brand's rules. Raises InvalidSafetyRule, UnknownSku, UnknownNode,
    CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    _check(drafts)

    async def work() -> list[SafetyRule]:
        await tx.execute(SQL.lock_safety_rules, tx.tenant_id)
        skus = await sku_ids_by_codes(tx, [draft.sku for draft in drafts if draft.sku])
        nodes = {node.code: node.id for node in await list_nodes(tx)}
        for index, draft in enumerate(drafts):
            if draft.node is not None and draft.node not in nodes:
                raise UnknownNode(path=("rules", index, "node"))
        await tx.execute(SQL.drop_safety_rules, tx.tenant_id)
        await tx.execute(
            SQL.insert_safety_rules,
            tx.tenant_id,
            [skus[draft.sku] if draft.sku else None for draft in drafts],
            [nodes[draft.node] if draft.node else None for draft in drafts],
            [draft.channel for draft in drafts],
            [draft.category for draft in drafts],
            [draft.node_kind.value if draft.node_kind else None for draft in drafts],
            [draft.units for draft in drafts],
            [draft.weeks_tenths for draft in drafts],
            tx.principal.subject,
        )
        return await safety_rules(tx)

    return await apply_once(tx, key, ("safety_rules", drafts), list[SafetyRule], work)


async def safety_rules(tx: TenantTransaction) -> list[SafetyRule]:
    """Return the rules of the brand."""
    return [_rule(row) for row in await tx.fetch(SQL.safety_rules, tx.tenant_id)]


async def units_sold_by_node(tx: TenantTransaction, now: datetime) -> dict[tuple[int, int], int]:
    """Return the units that each node sold of each SKU in the SALES_WINDOW before a time.

    To orders, and over its till; by node and SKU.
    """
    rows = await tx.fetch(SQL.sold_by_node, tx.tenant_id, now - SALES_WINDOW, now)
    return {(row["node_id"], row["sku_id"]): max(0, row["units"]) for row in rows}


class _Ground(NamedTuple):
    """What floors follow from."""

    rules: SafetyRules
    nodes: Mapping[int, Node]
    keepers: set[int]
    """The functional warehouses that keep back: of each node, the first that orders take from."""
    sold: Mapping[tuple[int, int], int]
    """Units by node and SKU."""


async def keep_back(
    database: Database, principal: Principal, local: datetime, *, even_without_rules: bool = False
) -> list[Level]:
    """Let every level keep back what the rules say, and return those that changed.

    `local` is the time where the brand is. In steps, each a transaction that locks its levels in
    order. Every change is a movement `floor_set` with the rule as its reason. Without any rule
    there is nothing to do, unless one was dropped just now.
    """
    async with database.tenant_transaction(principal, read_only=True) as tx:
        rules = SafetyRules(await safety_rules(tx))
        if not rules.of_nodes and not even_without_rules:
            return []
        nodes = {node.id: node for node in await list_nodes(tx)}
        keepers: dict[int, int] = {}
        for warehouse in sorted(await list_warehouses(tx), key=lambda one: (one.rank, one.id)):
            if is_default_source(warehouse, nodes.get(warehouse.node_id)):
                keepers.setdefault(warehouse.node_id, warehouse.id)
        sold = await units_sold_by_node(tx, local)
    ground = _Ground(rules, nodes, set(keepers.values()), sold)
    changed: list[Level] = []
    after = LevelKey(0, 0)
    while True:
        async with database.tenant_transaction(principal) as tx:
            rows = await tx.fetch(
                SQL.floors, tx.tenant_id, after.sku_id, after.functional_warehouse_id, LEVELS_A_PAGE
            )
            if not rows:
                return changed
            after = LevelKey(rows[-1]["functional_warehouse_id"], rows[-1]["sku_id"])
            changed += await _follow(tx, rows, ground)


async def _follow(tx: TenantTransaction, rows: Sequence[Record], ground: _Ground) -> list[Level]:
    skus = await skus_by_ids(tx, list({row["sku_id"] for row in rows}))
    wanted: dict[LevelKey, Floor] = {}
    for row in rows:
        key = LevelKey(row["functional_warehouse_id"], row["sku_id"])
        floor = Floor(0, "kept back elsewhere in the node, or nowhere")
        sku, node = skus.get(row["sku_id"]), ground.nodes.get(row["node_id"])
        if row["functional_warehouse_id"] in ground.keepers and sku and node:
            rule = ground.rules.rule_for(sku.id, sku.category, node.id, node.kind)
            if rule is not None:
                sold = ground.sold.get((node.id, sku.id), 0)
                floor = floor_of(rule, sold, SALES_WINDOW.days)
        if floor.units != row["floor"]:
            wanted[key] = floor
    if not wanted:
        return []
    levels = await ledger.lock_levels(tx, wanted)
    cause_id = await ledger.next_cause_id(tx)
    movements = [
        Movement(
            key=key,
            type=MovementType.FLOOR_SET,
            quantity=floor.units - levels[key].floor,
            cause_kind=CauseKind.SAFETY,
            cause_id=cause_id,
            reason=floor.reason,
        )
        for key, floor in wanted.items()
        if key in levels and floor.units != levels[key].floor
    ]
    if not movements:
        return []
    return list((await ledger.record(tx, movements, tx.principal.subject)).values())


def _check(drafts: Sequence[SafetyDraft]) -> None:
    if len(drafts) > model.RULES_MAX:
        raise InvalidSafetyRule(f"A brand has at most {model.RULES_MAX} rules.", path=("rules",))
    scopes = [
        (draft.sku, draft.node, draft.channel, draft.category, draft.node_kind) for draft in drafts
    ]
    if len(set(scopes)) < len(scopes):
        raise InvalidSafetyRule("A rule stands there twice.", path=("rules",))
    for index, draft in enumerate(drafts):
        path = ("rules", index)
        if (draft.units is None) == (draft.weeks_tenths is None):
            raise InvalidSafetyRule("A rule says units, or weeks: one of them.", path=path)
        if not 0 <= (draft.units or 0) <= QUANTITY_MAX:
            raise InvalidSafetyRule("Units lie between 0 and 1,000,000,000.", path=(*path, "units"))
        if not 0 <= (draft.weeks_tenths or 0) <= model.WEEKS_TENTHS_MAX:
            raise InvalidSafetyRule(
                f"Weeks lie between 0 and {model.WEEKS_TENTHS_MAX} tenths.",
                path=(*path, "weeksTenths"),
            )
        if draft.channel is not None:
            _check_of_channel(draft, path)
        if draft.node is not None and draft.sku is None:
            raise InvalidSafetyRule("A rule for a node names a SKU.", path=(*path, "sku"))
        if draft.sku is not None and (draft.category is not None or draft.node_kind is not None):
            raise InvalidSafetyRule(
                "A rule for a SKU names no category and no kind of node.", path=path
            )


def _check_of_channel(draft: SafetyDraft, path: tuple[str | int, ...]) -> None:
    if draft.node is not None or draft.node_kind is not None:
        raise InvalidSafetyRule(
            "A rule for a channel is for its shops: it names no node and no kind of node.",
            path=(*path, "channel"),
        )
    if draft.units is not None and draft.sku is None and draft.category is None:
        raise InvalidSafetyRule(
            "Units for all SKUs of a channel are the reserve of its share, or the buffer of its "
            "sync policy; a rule names a SKU or category, or says weeks.",
            path=(*path, "units"),
        )


def _rule(row: Record) -> SafetyRule:
    kind = row["node_kind"]
    return SafetyRule(**{**row, "node_kind": None if kind is None else NodeKind(kind)})
