"""What alerts are judged on: who has what of a SKU, and who sells it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from backend.catalog.find_skus import page_of_skus
from backend.channels.shops import active_shops
from backend.conditions.compile import compile_condition
from backend.db.pool import TenantTransaction
from backend.inventory.pools.attributes import SKU_ATTRIBUTES, facts_of_sku
from backend.inventory.safety.keep_back import units_sold_by_node
from backend.inventory.warehouses import is_default_source, list_warehouses
from backend.network.model import FunctionalWarehouse, Node
from backend.network.nodes import list_nodes
from backend.network.regions.table import RegionTable
from backend.orders.find_orders import units_sold_by_shop
from backend.replenishment.judge import Place, Reading
from backend.replenishment.model import AlertRule, Scope

SKUS_A_PAGE = 1_000
OTHER_NUMBER = 0
"""In place of a functional warehouse: some pool or shop has another number of the SKU."""


class FreeStock(Protocol):
    """What is free of SKUs."""

    def free_of(self, sku_id: int) -> Iterable[tuple[int, int]]:
        """Return functional warehouses, and their units that no earmark keeps, not below 0."""


class Stock(FreeStock, Protocol):
    """What a process knows of a brand's stock."""

    def offered(self, sku_id: int, shop_id: int) -> int:
        """Return the units that a shop may offer."""

    def may_take(self, shop_id: int, warehouse_id: int) -> bool:
        """Return whether orders of a shop may take from a functional warehouse."""


BySku = Mapping[int, Mapping[int, int]]
"""Units by SKU, then by shop or node."""


class Sales(NamedTuple):
    """Units sold in the four weeks before now."""

    by_shop: BySku
    by_node: BySku


async def read_sales(tx: TenantTransaction, local: datetime) -> Sales:
    """Sum up what was sold; `local` is the time where the brand is."""
    by_shop = _by_sku(await units_sold_by_shop(tx, local))
    return Sales(by_shop, _by_sku(await units_sold_by_node(tx, local)))


def _by_sku(units: Mapping[tuple[int, int], int]) -> BySku:
    found: dict[int, dict[int, int]] = {}
    for (place_id, sku_id), count in units.items():
        if count:
            found.setdefault(sku_id, {})[place_id] = count
    return found


class Subject(NamedTuple):
    """Whose stock a rule reads: a shop, a node, or a region."""

    id: int
    node_ids: frozenset[int]
    """Whose stock counts; none for a shop, which is told what it may offer."""


class Network(NamedTuple):
    """The nodes, functional warehouses, shops and regions of a brand."""

    nodes: Sequence[Node]
    warehouses: Sequence[FunctionalWarehouse]
    shop_ids: Sequence[int]
    regions: RegionTable


class Asked(NamedTuple):
    """The SKUs of the rules that do not ask about all, and the last SKU that was looked at."""

    skus: Mapping[int, frozenset[int]]
    last_sku_id: int


class Ground:
    """The network of a brand as the rules of alerts see it, and its sales."""

    def __init__(
        self, rules: Sequence[AlertRule], network: Network, asked: Asked, sales: Sales
    ) -> None:
        self.rules = {rule.id: rule for rule in rules}
        self.sales = sales
        self.nodes = {node.id: node for node in network.nodes if node.is_active}
        self.homes = {
            warehouse.id: warehouse
            for warehouse in sorted(network.warehouses, key=lambda one: (one.rank, one.id))
            if is_default_source(warehouse, self.nodes.get(warehouse.node_id))
        }
        """The functional warehouses that count, the first of each node first."""
        self._asked = asked
        self.subjects = {
            rule.id: {subject.id: subject for subject in self._subjects_of(rule, network)}
            for rule in rules
        }
        self.subjects_of_node: dict[int, list[tuple[AlertRule, Subject]]] = {}
        """The rules that a node counts for, each with the node itself or its region."""
        for rule in rules:
            for subject in self.subjects[rule.id].values():
                for node_id in subject.node_ids:
                    self.subjects_of_node.setdefault(node_id, []).append((rule, subject))

    def _subjects_of(self, rule: AlertRule, network: Network) -> Iterator[Subject]:
        if rule.scope is Scope.REGION:
            assert rule.subject_id is not None, "a rule for a region names it"
            within = frozenset(
                node.id
                for node in self.nodes.values()
                if rule.subject_id
                in (one.code for one in network.regions.ancestors(node.region_code))
            )
            yield Subject(rule.subject_id, within)
            return
        for one in network.shop_ids if rule.scope is Scope.SHOP else self.nodes:
            if rule.subject_id in (None, one):
                yield Subject(one, frozenset({one} if rule.scope is Scope.NODE else ()))

    def asks_about(self, rule: AlertRule, sku_id: int) -> bool:
        """Whether a rule is for a SKU."""
        return rule.id not in self._asked.skus or sku_id in self._asked.skus[rule.id]

    def knows(self, sku_id: int) -> bool:
        """Whether it is known which rules are for a SKU: it was there when they were looked at."""
        return not self._asked.skus or sku_id <= self._asked.last_sku_id

    def readings(
        self, stock: Stock, sku_id: int, moved: Collection[int], low: Collection[Place]
    ) -> Iterator[Reading]:
        """Return what rules read of a SKU that moved in some functional warehouses.

        Of nodes only those that have it, sell it, where it moved, or where it is known to be low.
        """
        free = self.free_by_node(stock, sku_id)
        sold = self.sales.by_node.get(sku_id, {})
        moved_nodes = {home.node_id for one in moved if (home := self.homes.get(one))}
        concerned = {*free, *sold, *moved_nodes, *(place.subject_id for place in low)}
        for rule in self.rules.values():
            if not self.asks_about(rule, sku_id):
                continue
            subjects = self.subjects[rule.id]
            if rule.scope is Scope.SHOP:
                yield from self._of_shops(rule, stock, sku_id, moved)
                continue
            ids = concerned & subjects.keys() if rule.scope is Scope.NODE else subjects.keys()
            for subject in (subjects[one] for one in sorted(ids)):
                units, count = self.of_nodes(subject.node_ids, free, sku_id)
                has_moved = not moved_nodes.isdisjoint(subject.node_ids)
                yield Reading(Place(rule.id, subject.id, sku_id), units, count, has_moved)

    def _of_shops(
        self, rule: AlertRule, stock: Stock, sku_id: int, moved: Collection[int]
    ) -> Iterator[Reading]:
        sold = self.sales.by_shop.get(sku_id, {})
        if OTHER_NUMBER in moved:  # without a movement: it concerns whoever it lies above
            moved = {*moved, *(warehouse_id for warehouse_id, _ in stock.free_of(sku_id))}
        for shop_id in self.subjects[rule.id]:
            has_moved = any(stock.may_take(shop_id, one) for one in moved)
            units = stock.offered(sku_id, shop_id)
            place = Place(rule.id, shop_id, sku_id)
            yield Reading(place, units, sold.get(shop_id, 0), has_moved)

    def free_by_node(self, stock: FreeStock, sku_id: int) -> dict[int, int]:
        """Return what is free of a SKU in each node, of its own party."""
        free: dict[int, int] = {}
        for warehouse_id, units in stock.free_of(sku_id):
            if home := self.homes.get(warehouse_id):
                free[home.node_id] = free.get(home.node_id, 0) + units
        return free

    def of_nodes(
        self, node_ids: frozenset[int], free: Mapping[int, int], sku_id: int
    ) -> tuple[int, int]:
        """Return what nodes have, and have sold, of a SKU together."""
        sold = self.sales.by_node.get(sku_id, {})
        return _sum(free, node_ids), _sum(sold, node_ids)


def _sum(units: Mapping[int, int], node_ids: frozenset[int]) -> int:
    return sum(count for node_id, count in units.items() if node_id in node_ids)


async def read_ground(
    tx: TenantTransaction, rules: Sequence[AlertRule], regions: RegionTable, sales: Sales
) -> Ground:
    """Read the network, and which SKUs the rules ask about."""
    shops = await active_shops(tx)
    network = Network(
        await list_nodes(tx),
        await list_warehouses(tx),
        [shop.id for shop in shops.values()],
        regions,
    )
    return Ground(rules, network, await _asked(tx, rules), sales)


async def _asked(tx: TenantTransaction, rules: Sequence[AlertRule]) -> Asked:
    checks = {
        rule.id: compile_condition(rule.condition, SKU_ATTRIBUTES)
        for rule in rules
        if rule.condition is not None
    }
    found: dict[int, set[int]] = {rule_id: set() for rule_id in checks}
    after = 0
    while checks and (page := await page_of_skus(tx, after, SKUS_A_PAGE)):
        after = page[-1].id
        for sku in page:
            facts = facts_of_sku(sku)
            for rule_id, check in checks.items():
                if check(facts):
                    found[rule_id].add(sku.id)
    return Asked({rule_id: frozenset(ids) for rule_id, ids in found.items()}, after)
