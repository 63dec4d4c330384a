"""Safety stock (安全库存): what a node, or a shop, keeps back of a SKU, by rules."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from backend.inventory.model import QUANTITY_MAX
from backend.network.model import NodeKind

RULES_MAX = 5_000
"""Rules of a brand."""
WEEKS_TENTHS_MAX = 1_000
DAYS_A_WEEK = 7


class SafetyDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A rule to be set, for a SKU in a node, a SKU, a category and a kind of node, or for all.

    With a channel it is for the shops of that channel instead of nodes: for a SKU, a category or
    all. Either so many units, or so many tenths of weeks of what the node, or the shop, sells.
    """

    sku: str | None = None
    node: str | None = None
    channel: str | None = None
    category: str | None = None
    node_kind: NodeKind | None = None
    units: int | None = None
    weeks_tenths: int | None = None


class SafetyRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in force."""

    id: int
    sku_id: int | None
    node_id: int | None
    channel: str | None
    category: str | None
    node_kind: NodeKind | None
    units: int | None
    weeks_tenths: int | None
    set_by: str
    changed_at: datetime

    @property
    def scope(self) -> "Scope":
        return Scope(self.sku_id, self.node_id, self.category, self.node_kind, self.channel)


class Scope(NamedTuple):
    """What a rule is for; None: for all."""

    sku_id: int | None = None
    node_id: int | None = None
    category: str | None = None
    node_kind: NodeKind | None = None
    channel: str | None = None


class Floor(NamedTuple):
    """What a node or shop keeps back, and why."""

    units: int
    reason: str


class SafetyRules:
    """Finds the rule that counts: the most specific one.

    A SKU in a node comes before a SKU, that before a category in a kind of node, that before a
    category or a kind of node, and that before the brand's own. Of a channel a SKU comes before a
    category, and that before all.
    """

    def __init__(self, rules: Iterable[SafetyRule]) -> None:
        self._rules = {rule.scope: rule for rule in rules}

    @property
    def of_nodes(self) -> bool:
        """Whether any is for nodes."""
        return any(scope.channel is None for scope in self._rules)

    def of_channels(self) -> list[SafetyRule]:
        """Return those for the shops of a channel."""
        return [rule for scope, rule in self._rules.items() if scope.channel is not None]

    def rule_for(
        self, sku_id: int, category: str, node_id: int, node_kind: NodeKind
    ) -> SafetyRule | None:
        """Return the rule for a SKU of a category in a node of a kind, if there is one."""
        for scope in (
            Scope(sku_id, node_id),
            Scope(sku_id),
            Scope(None, None, category, node_kind),
            Scope(None, None, category),
            Scope(None, None, None, node_kind),
            Scope(),
        ):
            if rule := self._rules.get(scope):
                return rule
        return None

    def rule_for_shop(self, sku_id: int, category: str, channel: str) -> SafetyRule | None:
        """Return the rule for a SKU of a category in the shops of a channel, if there is one."""
        for scope in (
            Scope(sku_id, channel=channel),
            Scope(category=category, channel=channel),
            Scope(channel=channel),
        ):
            if rule := self._rules.get(scope):
                return rule
        return None


class ShopFloor(NamedTuple):
    """What a shop keeps back of a SKU, and why."""

    shop_id: int
    sku_id: int
    units: int
    reason: str
    changed_at: datetime


class ShopFloorBook:
    """What a process knows of the floors of a tenant's shops."""

    def __init__(self, floors: Iterable[ShopFloor] = ()) -> None:
        self._units: dict[tuple[int, int], int] = {}
        self._known: dict[tuple[int, int], datetime] = {}
        self.learn(floors)

    def learn(self, floors: Iterable[ShopFloor]) -> set[int]:
        """Take over what is not older; returns the SKUs of which some floor has changed."""
        changed = set()
        for floor in floors:
            at = floor.shop_id, floor.sku_id
            known = self._known.get(at)
            if known is not None and known > floor.changed_at:
                continue
            self._known[at] = floor.changed_at
            if floor.units == self._units.get(at, 0):
                continue
            changed.add(floor.sku_id)
            self._units[at] = floor.units
            if not floor.units:
                del self._units[at]
        return changed

    def of(self, sku_id: int, shop_id: int) -> int:
        """Return the units that a shop keeps back of a SKU."""
        return self._units.get((shop_id, sku_id), 0)

    def sku_ids(self) -> set[int]:
        """Return the SKUs of which some shop keeps units back."""
        return {sku_id for _, sku_id in self._units}

    def __bool__(self) -> bool:
        return bool(self._units)


def floor_of(rule: SafetyRule, sold: int, days: int) -> Floor:
    """Return what a rule keeps back where so many units were sold in so many days."""
    if rule.units is not None:
        return Floor(rule.units, f"rule {rule.id}: {rule.units} units")
    tenths = rule.weeks_tenths or 0
    units = min(QUANTITY_MAX, -(-sold * tenths * DAYS_A_WEEK // (10 * days)))
    weeks = f"{tenths // 10}.{tenths % 10}"
    return Floor(units, f"rule {rule.id}: {weeks} weeks, {sold} sold in {days} days")
