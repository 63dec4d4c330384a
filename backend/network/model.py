"""Nodes, places and what lies between them."""

from enum import StrEnum

import msgspec


class NodeKind(StrEnum):
    """What a node is."""

    WAREHOUSE = "warehouse"
    STORE = "store"
    DEALER = "dealer"
    THIRD_PARTY = "third_party"
    PLATFORM = "platform"


class Condition(StrEnum):
    """The condition of goods in a functional warehouse."""

    GOOD = "good"
    DEFECTIVE = "defective"
    INSPECTION = "inspection"


SELLABLE_CONDITION = Condition.GOOD
DEFAULT_PURPOSE = "default"


class Region(msgspec.Struct, frozen=True):
    """A division of a country, with a point that stands for it."""

    code: int
    country: str
    name: str
    parent_code: int | None
    level: int
    longitude_e6: int
    latitude_e6: int


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A place that holds goods and sends or hands them out."""

    id: int
    code: str
    name: str
    kind: NodeKind
    region_code: int
    longitude_e6: int
    latitude_e6: int
    priority: int
    daily_capacity: int | None
    lead_time_minutes: int
    legal_entity_id: int | None
    dealer_id: int | None
    serves_all: bool
    is_active: bool


class FunctionalWarehouse(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a node (功能逻辑仓): one condition, one purpose, one owner."""

    id: int
    node_id: int
    code: str
    condition: Condition
    purpose: str
    legal_entity_id: int | None
    dealer_id: int | None
    rank: int

    @property
    def is_sellable(self) -> bool:
        return self.condition is SELLABLE_CONDITION and self.purpose == DEFAULT_PURPOSE


class NodeDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A node to be created; without coordinates it stands where its region does."""

    code: str
    name: str
    kind: NodeKind
    region_code: int
    longitude_e6: int | None = None
    latitude_e6: int | None = None
    priority: int = 100
    daily_capacity: int | None = None
    lead_time_minutes: int = 0
    legal_entity_id: int | None = None
    dealer_id: int | None = None
    serves_all: bool = True


class WarehouseDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A functional warehouse to be created."""

    node_id: int
    code: str
    condition: Condition = Condition.GOOD
    purpose: str = DEFAULT_PURPOSE
    legal_entity_id: int | None = None
    dealer_id: int | None = None
    rank: int = 0
