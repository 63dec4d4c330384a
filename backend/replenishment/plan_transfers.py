"""What could be moved to where a SKU runs low, and from where. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from backend.network.geo import distance_m
from backend.network.model import FunctionalWarehouse
from backend.replenishment.choose_transfers import Donor, Transfer, choose_transfers
from backend.replenishment.ground import FreeStock, Ground, Subject
from backend.replenishment.judge import Firing
from backend.replenishment.model import AlertRule, units_of_days

Budget = tuple[int, int]
"""What a node or region can spare together, by rule and subject; rule 0: for a node's own sales."""


class Moving(NamedTuple):
    """What of a SKU is on its way, or proposed: units by functional warehouse."""

    coming: Mapping[int, int]
    leaving: Mapping[int, int]


class Plan(NamedTuple):
    """Transfers to one functional warehouse."""

    destination_id: int
    transfers: list[Transfer]


class TransferPlanner:
    """Plans transfers of one SKU to where it runs low by a rule."""

    def __init__(self, ground: Ground, stock: FreeStock, moving: Moving, firing: Firing) -> None:
        self._ground = ground
        self._moving = moving
        self._rule = firing.rule
        self._reading = firing.reading
        self._sku_id = sku_id = firing.reading.place.sku_id
        self._free = dict(stock.free_of(sku_id))
        self._free_by_node = ground.free_by_node(stock, sku_id)
        self._leaving_by_node = self._by_node(moving.leaving)

    def plan(self) -> Plan | None:
        """Return what could be moved there; None where nothing can or need be.

        Donors are of the same party, and keep what they need themselves: for their own sales, and
        so that no other rule about their node or region fires.
        """
        place = self._reading.place
        subject = self._ground.subjects[place.rule_id][place.subject_id]
        need = self._need(subject)
        if need <= 0:
            return None
        budgets = self._budgets()
        for home in self._destinations(subject):
            donors = self._donors(subject, home)
            if transfers := choose_transfers(need, donors, budgets):
                return Plan(home.id, transfers)
        return None

    def _by_node(self, units: Mapping[int, int]) -> dict[int, int]:
        found: dict[int, int] = {}
        for warehouse_id, count in units.items():
            if home := self._ground.homes.get(warehouse_id):
                found[home.node_id] = found.get(home.node_id, 0) + count
        return found

    def _need(self, subject: Subject) -> int:
        """Return the units that are missing, less what is on its way there."""
        coming = sum(
            units
            for node_id, units in self._by_node(self._moving.coming).items()
            if node_id in subject.node_ids
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
        return self._ground.sales.by_node.get(self._sku_id, {}).get(node_id, 0)

    def _budgets(self) -> dict[Budget, int]:
        """Return what nodes can spare of their own sales, and nodes and regions of other rules.

        What proposals would take of them is gone already.
        """
        budgets: dict[Budget, int] = {}
        for node_id, units in self._free_by_node.items():
            kept = units_of_days(self._rule.leave_days, self._sold(node_id))
            budgets[0, node_id] = units - kept - self._leaving_by_node.get(node_id, 0)
            for rule, subject in self._others_of(node_id):
                if (rule.id, subject.id) not in budgets:
                    budgets[rule.id, subject.id] = self._spare(rule, subject)
        return budgets

    def _spare(self, rule: AlertRule, subject: Subject) -> int:
        """Return what the nodes of a subject can spare together without running low by a rule."""
        free, node_ids = self._free_by_node, subject.node_ids
        units, sold = self._ground.of_nodes(node_ids, free, self._sku_id)
        leaving = sum(self._leaving_by_node.get(one, 0) for one in node_ids)
        return units - rule.units(rule.clears_at, sold) - leaving

    def _others_of(self, node_id: int) -> Iterator[tuple[AlertRule, Subject]]:
        for rule, subject in self._ground.subjects_of_node.get(node_id, ()):
            if self._ground.asks_about(rule, self._sku_id):
                yield rule, subject

    def _donors(self, subject: Subject, home: FunctionalWarehouse) -> Iterator[Donor]:
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
                units - self._moving.leaving.get(warehouse_id, 0),
                ((0, node.id), *((r.id, s.id) for r, s in self._others_of(node.id))),
            )


def _is_same_party(one: FunctionalWarehouse, other: FunctionalWarehouse) -> bool:
    return (one.legal_entity_id, one.dealer_id) == (other.legal_entity_id, other.dealer_id)
