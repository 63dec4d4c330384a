"""What could be moved to where a SKU runs low, and from where. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from backend.network.geo import distance_m
from backend.network.model import FunctionalWarehouse
from backend.replenishment.choose_transfers import Donor, Transfer, choose_transfers
from backend.replenishment.ground import Ground, Stock, Subject
from backend.replenishment.judge import Firing
from backend.replenishment.model import Scope, units_of_days

Budget = tuple[int, int]
"""What a node or region can spare together, by rule and subject; rule 0: for a node's own sales."""


class Moving(NamedTuple):
    """What is on its way, or proposed: units by (functional warehouse, SKU)."""

    coming: Mapping[tuple[int, int], int]
    leaving: Mapping[tuple[int, int], int]


class Plan(NamedTuple):
    """Transfers to one functional warehouse."""

    destination_id: int
    transfers: list[Transfer]


class TransferPlanner:
    """Plans transfers of one SKU to where it runs low by a rule."""

    def __init__(self, ground: Ground, stock: Stock, moving: Moving, firing: Firing) -> None:
        self._ground = ground
        self._moving = moving
        self._rule = firing.rule
        self._reading = firing.reading
        self._sku_id = sku_id = firing.reading.place.sku_id
        self._free = dict(stock.free_of(sku_id))
        self._free_by_node = ground.free_by_node(stock, sku_id)
        self._leaving_by_node: dict[int, int] = {}
        for home in ground.homes.values():
            leaving = moving.leaving.get((home.id, sku_id), 0)
            known = self._leaving_by_node.get(home.node_id, 0)
            self._leaving_by_node[home.node_id] = known + leaving

    def plan(self) -> Plan | None:
        """Return what could be moved there; None where nothing can or need be.

        Donors are of the same party, and keep what they need themselves: for their own sales, and
        so that no other rule about their node or region fires.
        """
        place = self._reading.place
        subject = next(
            one for one in self._ground.subjects[place.rule_id] if one.id == place.subject_id
        )
        need = self._need(subject)
        if need <= 0:
            return None
        budgets = self._budgets()
        for home in self._destinations(subject):
            donors = self._donors(subject, home, budgets)
            if transfers := choose_transfers(need, donors, budgets):
                return Plan(home.id, transfers)
        return None

    def _need(self, subject: Subject) -> int:
        """Return the units that are missing, less what is on its way there."""
        homes = self._ground.homes
        coming = sum(
            units
            for (warehouse_id, sku_id), units in self._moving.coming.items()
            if sku_id == self._sku_id
            and warehouse_id in homes
            and homes[warehouse_id].node_id in subject.node_ids
        )
        wanted = self._rule.units(self._rule.fill_to, self._reading.sold)
        return wanted - self._reading.units - coming

    def _destinations(self, subject: Subject) -> list[FunctionalWarehouse]:
        """Return where units could be sent: first the node that sells most, then has least."""
        first = {home.node_id: home for home in reversed(self._ground.homes.values())}
        return sorted(
            (first[node_id] for node_id in subject.node_ids & first.keys()),
            key=lambda home: (-self._sold(home.node_id), self._free.get(home.id, 0), home.id),
        )

    def _sold(self, node_id: int) -> int:
        return self._ground.sales.by_node.get((node_id, self._sku_id), 0)

    def _budgets(self) -> dict[Budget, int]:
        """Return what nodes can spare of their own sales, and nodes and regions of other rules.

        What proposals would take of them is gone already.
        """
        budgets: dict[Budget, int] = {}
        for node_id, units in self._free_by_node.items():
            kept = units_of_days(self._rule.leave_days, self._sold(node_id))
            budgets[0, node_id] = units - kept - self._leaving_by_node.get(node_id, 0)
        for rule in self._ground.rules.values():
            if rule.scope is Scope.SHOP or not self._ground.asks_about(rule, self._sku_id):
                continue
            for subject in self._ground.subjects[rule.id]:
                units, sold = self._ground.of_nodes(
                    subject.node_ids, self._free_by_node, self._sku_id
                )
                leaving = sum(self._leaving_by_node.get(one, 0) for one in subject.node_ids)
                budgets[rule.id, subject.id] = units - rule.units(rule.clears_at, sold) - leaving
        return budgets

    def _donors(
        self, subject: Subject, home: FunctionalWarehouse, budgets: Mapping[Budget, int]
    ) -> Iterator[Donor]:
        to = self._ground.nodes[home.node_id]
        for warehouse_id, units in self._free.items():
            donor = self._ground.homes.get(warehouse_id)
            if donor is None or donor.node_id in subject.node_ids:
                continue
            if not _is_same_party(donor, home):
                continue
            node = self._ground.nodes[donor.node_id]
            yield Donor(
                warehouse_id,
                distance_m(node.longitude_e6, node.latitude_e6, to.longitude_e6, to.latitude_e6),
                units - self._moving.leaving.get((warehouse_id, self._sku_id), 0),
                tuple(self._budgets_of(node.id, budgets)),
            )

    def _budgets_of(self, node_id: int, budgets: Mapping[Budget, int]) -> Iterator[Budget]:
        yield 0, node_id
        for rule_id, subjects in self._ground.subjects.items():
            for subject in subjects:
                if node_id in subject.node_ids and (rule_id, subject.id) in budgets:
                    yield rule_id, subject.id


def _is_same_party(one: FunctionalWarehouse, other: FunctionalWarehouse) -> bool:
    return (one.legal_entity_id, one.dealer_id) == (other.legal_entity_id, other.dealer_id)
