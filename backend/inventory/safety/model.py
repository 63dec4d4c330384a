"""Safety stock (安全库存): what a node keeps back of a SKU, by rules."""

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

    Either so many units, or so many tenths of weeks of what the node sells.
    """

    sku: str | None = None
    node: str | None = None
    category: str | None = None
    node_kind: NodeKind | None = None
    units: int | None = None
    weeks_tenths: int | None = None


class SafetyRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in force."""

    id: int
    sku_id: int | None
    node_id: int | None
    category: str | None
    node_kind: NodeKind | None
    units: int | None
    weeks_tenths: int | None
    set_by: str
    changed_at: datetime

    @property
    def scope(self) -> "Scope":
        return Scope(self.sku_id, self.node_id, self.category, self.node_kind)


class Scope(NamedTuple):
    """What a rule is for; None: for all."""

    sku_id: int | None = None
    node_id: int | None = None
    category: str | None = None
    node_kind: NodeKind | None = None


class Floor(NamedTuple):
    """What a node keeps back, and why."""

    units: int
    reason: str


class SafetyRules:
    """Finds the rule that counts: the most specific one.

    A SKU in a node comes before a SKU, that before a category in a kind of node, that before a
    category or a kind of node, and that before the brand's own.
    """

    def __init__(self, rules: Iterable[SafetyRule]) -> None:
        self._rules = {rule.scope: rule for rule in rules}

    def __bool__(self) -> bool:
        return bool(self._rules)

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


def floor_of(rule: SafetyRule, sold: int, days: int) -> Floor:
    """Return what a rule keeps back in a node that sold so many units in so many days."""
    if rule.units is not None:
        return Floor(rule.units, f"rule {rule.id}: {rule.units} units")
    tenths = rule.weeks_tenths or 0
    units = min(QUANTITY_MAX, -(-sold * tenths * DAYS_A_WEEK // (10 * days)))
    weeks = f"{tenths // 10}.{tenths % 10}"
    return Floor(units, f"rule {rule.id}: {weeks} weeks, {sold} sold in {days} days")
