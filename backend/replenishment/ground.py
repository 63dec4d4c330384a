"""What alerts and proposals are judged on: who has what of a SKU, and who sells it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from backend.catalog.find_skus import page_of_skus
from backend.channels.shops import active_shops
from backend.conditions.compile import compile_condition
from backend.db.pool import TenantTransaction
from backend.inventory.pools.attributes import SKU_ATTRIBUTES, facts_of_sku
from backend.inventory.safety.keep_back import units_sold_by_node
from backend.inventory.warehouses import is_default_source, list_warehouses
from backend.network.geo import distance_m
from backend.network.model import FunctionalWarehouse, Node
from backend.network.nodes import list_nodes
from backend.network.regions.table import RegionTable
from backend.orders.find_orders import units_sold_by_shop
from backend.replenishment.judge import Firing, Place, Reading
from backend.replenishment.model import AlertRule, Scope, units_of_days
from backend.replenishment.propose import Donor, Transfer, choose_transfers

SKUS_A_PAGE = 1_000


class Stock(Protocol):
    """What a process knows of a brand's stock."""

    def offered(self, sku_id: int, shop_id: int) -> int:
        """Return the units that a shop may offer."""

    def free_of(self, sku_id: int) -> Iterable[tuple[int, int]]:
        """Return functional warehouses, and their units that no earmark keeps, not below 0."""


class Sales(NamedTuple):
    """Units sold in the four weeks before now, by (shop, SKU) and (node, SKU)."""

    by_shop: Mapping[tuple[int, int], int]
    by_node: Mapping[tuple[int, int], int]


async def read_sales(tx: TenantTransaction, local: datetime) -> Sales:
    """Sum up what was sold; `local` is the time where the brand is."""
    return Sales(await units_sold_by_shop(tx, local), await units_sold_by_node(tx, local))


class Moving(NamedTuple):
    """What is on its way, or proposed: units by (functional warehouse, SKU)."""

    coming: Mapping[tuple[int, int], int]
    leaving: Mapping[tuple[int, int], int]


class Plan(NamedTuple):
    """Transfers to one functional warehouse."""

    destination_id: int
    transfers: list[Transfer]


class _Subject(NamedTuple):
    id: int
    node_ids: frozenset[int]
    """Whose stock counts; none for a shop, which is told what it may offer."""


class Ground:
    """The network of a brand as the rules of alerts see it, and its sales."""

    def __init__(
        self,
        rules: Sequence[AlertRule],
        nodes: Mapping[int, Node],
        warehouses: Sequence[FunctionalWarehouse],
        shop_ids: Sequence[int],
        regions: RegionTable,
        skus: Mapping[int, frozenset[int]],
        sales: Sales,
    ) -> None:
        self.rules = {rule.id: rule for rule in rules}
        self.sales = sales
        self._nodes = {node.id: node for node in nodes.values() if node.is_active}
        self._homes = {
            warehouse.id: warehouse
            for warehouse in sorted(warehouses, key=lambda one: (one.rank, one.id))
            if is_default_source(warehouse, self._nodes.get(warehouse.node_id))
        }
        """The functional warehouses that count, the first of each node first."""
        self._skus = skus
        """The SKUs of the rules that do not ask about all."""
        self._subjects = {
            rule.id: list(self._subjects_of(rule, shop_ids, regions)) for rule in rules
        }

    def _subjects_of(
        self, rule: AlertRule, shop_ids: Sequence[int], regions: RegionTable
    ) -> Iterator[_Subject]:
        if rule.scope is Scope.REGION:
            assert rule.subject_id is not None, "a rule for a region names it"
            within = frozenset(
                node.id
                for node in self._nodes.values()
                if rule.subject_id in (one.code for one in regions.ancestors(node.region_code))
            )
            yield _Subject(rule.subject_id, within)
            return
        ids = shop_ids if rule.scope is Scope.SHOP else self._nodes
        for one in ids:
            if rule.subject_id in (None, one):
                yield _Subject(one, frozenset({one} if rule.scope is Scope.NODE else ()))

    def _asks_about(self, rule: AlertRule, sku_id: int) -> bool:
        return rule.id not in self._skus or sku_id in self._skus[rule.id]

    def readings(self, stock: Stock, sku_id: int) -> Iterator[Reading]:
        """Return what every rule reads of a SKU."""
        free = self._free_by_node(stock, sku_id)
        for rule in self.rules.values():
            if not self._asks_about(rule, sku_id):
                continue
            for subject in self._subjects[rule.id]:
                place = Place(rule.id, subject.id, sku_id)
                if rule.scope is Scope.SHOP:
                    sold = self.sales.by_shop.get((subject.id, sku_id), 0)
                    yield Reading(place, stock.offered(sku_id, subject.id), sold)
                else:
                    yield Reading(place, *self._of_nodes(subject.node_ids, free, sku_id))

    def _free_by_node(self, stock: Stock, sku_id: int) -> dict[int, int]:
        free: dict[int, int] = {}
        for warehouse_id, units in stock.free_of(sku_id):
            if home := self._homes.get(warehouse_id):
                free[home.node_id] = free.get(home.node_id, 0) + units
        return free

    def _of_nodes(
        self, node_ids: frozenset[int], free: Mapping[int, int], sku_id: int
    ) -> tuple[int, int]:
        """Return what nodes have and have sold of a SKU together."""
        units = sum(free[node_id] for node_id in free.keys() & node_ids)
        return units, sum(self.sales.by_node.get((node_id, sku_id), 0) for node_id in node_ids)

    def plan(self, firing: Firing, stock: Stock, moving: Moving) -> Plan | None:
        """Return what could be moved to where a rule fired; None where nothing can or need be.

        Donors are of the same party, and keep what they need themselves: for their own sales, and
        so that no other rule about their node or region fires.
        """
        rule, sku_id = firing.rule, firing.reading.place.sku_id
        subject = next(
            one for one in self._subjects[rule.id] if one.id == firing.reading.place.subject_id
        )
        free = dict(stock.free_of(sku_id))
        home = self._destination(subject, free, sku_id)
        if home is None:
            return None
        coming = sum(
            units
            for (warehouse_id, sku), units in moving.coming.items()
            if sku == sku_id and self._node_of(warehouse_id) in subject.node_ids
        )
        need = rule.units(rule.fill_to, firing.reading.sold) - firing.reading.units - coming
        budgets = self._budgets(stock, rule, sku_id)
        transfers = choose_transfers(
            need, self._donors(firing, subject, home, free, moving, budgets), budgets
        )
        return Plan(home.id, transfers) if transfers else None

    def _node_of(self, warehouse_id: int) -> int | None:
        home = self._homes.get(warehouse_id)
        return None if home is None else home.node_id

    def _destination(
        self, subject: _Subject, free: Mapping[int, int], sku_id: int
    ) -> FunctionalWarehouse | None:
        """Return where units are sent: to the node that sells most, of equal ones has least."""
        first = {home.node_id: home for home in reversed(self._homes.values())}
        able = [first[node_id] for node_id in subject.node_ids & first.keys()]
        return min(
            able,
            key=lambda home: (
                -self.sales.by_node.get((home.node_id, sku_id), 0),
                free.get(home.id, 0),
                home.id,
            ),
            default=None,
        )

    def _budgets(self, stock: Stock, own: AlertRule, sku_id: int) -> dict[tuple[int, int], int]:
        """Return what the nodes and regions of other rules can spare without running low."""
        free = self._free_by_node(stock, sku_id)
        budgets = {}
        for rule in self.rules.values():
            if rule.scope is Scope.SHOP or not self._asks_about(rule, sku_id):
                continue
            for subject in self._subjects[rule.id]:
                units, sold = self._of_nodes(subject.node_ids, free, sku_id)
                budgets[rule.id, subject.id] = units - rule.units(rule.clears_at, sold)
        return budgets

    def _donors(
        self,
        firing: Firing,
        subject: _Subject,
        home: FunctionalWarehouse,
        free: Mapping[int, int],
        moving: Moving,
        budgets: Mapping[tuple[int, int], int],
    ) -> Iterator[Donor]:
        sku_id = firing.reading.place.sku_id
        to = self._nodes[home.node_id]
        for warehouse_id, units in free.items():
            donor = self._homes.get(warehouse_id)
            if (
                donor is None
                or donor.node_id in subject.node_ids
                or not _is_same_party(donor, home)
            ):
                continue
            node = self._nodes[donor.node_id]
            sold = self.sales.by_node.get((node.id, sku_id), 0)
            kept = units_of_days(firing.rule.leave_days, sold)
            yield Donor(
                warehouse_id,
                distance_m(node.longitude_e6, node.latitude_e6, to.longitude_e6, to.latitude_e6),
                units - kept - moving.leaving.get((warehouse_id, sku_id), 0),
                tuple(
                    (rule_id, one.id)
                    for rule_id, subjects in self._subjects.items()
                    for one in subjects
                    if node.id in one.node_ids and (rule_id, one.id) in budgets
                ),
            )


def _is_same_party(one: FunctionalWarehouse, other: FunctionalWarehouse) -> bool:
    return (one.legal_entity_id, one.dealer_id) == (other.legal_entity_id, other.dealer_id)


async def read_ground(
    tx: TenantTransaction, rules: Sequence[AlertRule], regions: RegionTable, sales: Sales
) -> Ground:
    """Read the network, and which SKUs the rules ask about."""
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
    return Ground(
        rules,
        {node.id: node for node in await list_nodes(tx)},
        await list_warehouses(tx),
        [shop.id for shop in (await active_shops(tx)).values()],
        regions,
        {rule_id: frozenset(ids) for rule_id, ids in found.items()},
        sales,
    )
