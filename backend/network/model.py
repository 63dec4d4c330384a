"""Nodes, places and what lies between them."""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

import msgspec


class NodeKind(StrEnum):
    """What a node is."""

    WAREHOUSE = "warehouse"
    STORE = "store"
    DEALER = "dealer"
    THIRD_PARTY = "third_party"
    PLATFORM = "platform"


class Capability(StrEnum):
    """What a node can handle beside ordinary parcels."""

    OVERSIZE = "oversize"
    CHILLED = "chilled"
    FROZEN = "frozen"
    DANGEROUS = "dangerous"
    INSTALLS = "installs"
    """It sends somebody who installs the goods."""
    HANDS_OVER = "hands_over"
    """Customers fetch orders there (到店自提)."""


EVERY_DAY = 127
"""All seven days of the week."""


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


class NodeTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a node can do, and when and at what cost it sends."""

    capabilities: frozenset[Capability] = frozenset()
    cut_off_minute: int | None = None
    """The minute of the brand's day after which an order is dispatched on the next working day."""
    working_days: int = EVERY_DAY
    """Bit 0 is Monday."""
    service_level: int = 0
    """0 (least) to 9."""
    handling_minor: int = 0
    """What handling a parcel costs."""
    keeps_for_region: bool = False
    """Its stock is meant for its own province first."""

    def works_on(self, weekday: int) -> bool:
        """Whether it works on a day of the week; 0 is Monday, as `date.weekday` says."""
        return bool(self.working_days >> weekday & 1)


class Node(NodeTerms, frozen=True, kw_only=True):
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

    def serves(self, dealer_id: int | None) -> bool:
        """Whether orders that a dealer (None: the brand) sold may come from there."""
        return self.dealer_id is None or self.dealer_id == dealer_id or self.serves_all

    def hands_over_for(self, dealer_id: int | None) -> bool:
        """Whether customers may fetch orders there that a dealer (None: the brand) sold."""
        hands_over = Capability.HANDS_OVER in self.capabilities
        return self.is_active and hands_over and self.serves(dealer_id)


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


class LegalEntity(NamedTuple):
    """A company (法人主体): of the brand, or one of its dealers'."""

    id: int
    code: str
    name: str
    dealer_id: int | None


class NodeDraft(NodeTerms, frozen=True, kw_only=True):
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


class LaneDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a carrier charges and takes from a node, by code, to a province, city or district."""

    node: str
    carrier: str
    region_code: int
    base_minor: int
    step_minor: int = 0
    step_g: int = 1_000
    transit_minutes: int
    is_active: bool = True


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """What a carrier charges and takes from a node to a region; the most specific region counts."""

    id: int
    node_id: int
    carrier: str
    region_code: int
    base_minor: int
    """For a parcel of up to `step_g` (首重)."""
    step_minor: int
    """For each further `step_g` begun (续重)."""
    step_g: int
    transit_minutes: int
    is_active: bool

    def charge_minor(self, weight_g: int) -> int:
        """Return what the carrier charges for a parcel."""
        steps = -(-weight_g // self.step_g)
        return self.base_minor + self.step_minor * max(0, steps - 1)


class DealerTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is agreed with a dealer who sends orders."""

    dealer_id: int
    territory: tuple[int, ...] = ()
    """Codes of the regions that it sends to, ascending; none: everywhere."""
    performance_bp: int = 10_000
    """How well it sends, of 10,000."""
    service_fee_minor: int = 0
    """What the brand pays it for a parcel that it sends."""


class ChannelTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel charges of an order that a node of a kind sends."""

    channel: str
    node_kind: NodeKind
    commission_bp: int


class SlotKind(StrEnum):
    """What is done in a slot."""

    DELIVERY = "delivery"
    INSTALLATION = "installation"


class SlotProviderDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes visits at agreed times, by its code."""

    code: str
    name: str
    kind: SlotKind
    node: str | None = None
    """The code of the node whose parcels it delivers; an installer has none."""
    regions: tuple[int, ...] = ()
    """Codes of the regions that it goes to; none: everywhere."""
    categories: tuple[str, ...] = ()
    """Of the goods that it installs; none: all."""
    is_active: bool = True


class SlotProvider(msgspec.Struct, frozen=True, kw_only=True):
    """Who delivers a node's parcels at agreed times (its dock, or a carrier), or installs goods."""

    id: int
    code: str
    name: str
    kind: SlotKind
    node_id: int | None
    regions: tuple[int, ...]
    categories: tuple[str, ...]
    is_active: bool


class SlotWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A window of the brand's day, in minutes since its midnight, and the visits that it takes."""

    first_minute: int
    end_minute: int
    visits: int


class Slot(NamedTuple):
    """A window of a day of a provider (档期): how many visits are free. Ordered as it is locked."""

    provider_id: int
    day: date
    first_minute: int
    end_minute: int
    id: int
    limit_visits: int
    free: int
    """Below 0 where the limit was lowered under what is taken."""
