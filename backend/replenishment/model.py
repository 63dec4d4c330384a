"""Alerts on stock that runs low (预警), and proposals to move stock there (调拨建议)."""

from datetime import datetime
from enum import StrEnum

import msgspec

from backend.conditions.model import Condition
from backend.inventory.pools.live import SALES_WINDOW

RULES_MAX = 200
"""Rules of a brand: each is looked at for every SKU that moves."""
CODE_LENGTH_MAX = 64
DAYS_MAX = 3_650


class Scope(StrEnum):
    """Whose stock a rule asks about."""

    SHOP = "shop"
    """What a shop may offer."""
    NODE = "node"
    """What is free in a node, of its own party."""
    REGION = "region"
    """What is free in all nodes of a region together."""


class Measure(StrEnum):
    """What the figures of a rule count."""

    UNITS = "units"
    DAYS = "days"
    """Days that the units last at the rate of the last four weeks."""


class Transfers(StrEnum):
    """What is done where a node or region runs low."""

    NONE = "none"
    PROPOSE = "propose"
    """Somebody approves each."""
    AUTOMATIC = "automatic"
    """They leave at once."""


class TransferState(StrEnum):
    """What became of a proposal."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    """The units are on their way, as a supply."""
    REJECTED = "rejected"
    LAPSED = "lapsed"
    """Not needed any more: its alert has ended."""


class AlertRuleDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A rule to be set: fires once below one threshold, and is armed again at the other.

    `subject` is the code of the shop, node or region; without one a rule is for each shop or node.
    All figures are in the measure but for `leave_days`, what a node that gives keeps for its own
    sales, and `transit_days`. With `compare_version` only if it is still at that version (0: does
    not exist yet).
    """

    code: str
    scope: Scope
    subject: str | None = None
    where: Condition | None = None
    measure: Measure = Measure.UNITS
    fires_below: int
    clears_at: int
    transfers: Transfers = Transfers.NONE
    fill_to: int | None = None
    leave_days: int = SALES_WINDOW.days
    transit_days: int = 3
    compare_version: int | None = None


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in force."""

    id: int
    code: str
    scope: Scope
    subject_id: int | None
    condition: Condition | None
    measure: Measure
    fires_below: int
    clears_at: int
    transfers: Transfers
    fill_to: int
    leave_days: int
    transit_days: int
    version: int
    set_by: str
    changed_at: datetime

    def value(self, units: int, sold: int) -> int | None:
        """Return units in the measure, of a SKU of which so many were sold in the SALES_WINDOW.

        None in days for what does not sell: that lasts for ever.
        """
        if self.measure is Measure.UNITS:
            return units
        return units * SALES_WINDOW.days // sold if sold else None

    def units(self, figure: int, sold: int) -> int:
        """Return the least units that come to a figure in the measure."""
        if self.measure is Measure.UNITS:
            return figure
        return units_of_days(figure, sold)


def units_of_days(days: int, sold: int) -> int:
    """Return the units that last for days where so many were sold in the SALES_WINDOW."""
    return -(-sold * days // SALES_WINDOW.days)


class StockAlert(msgspec.Struct, frozen=True, kw_only=True):
    """That a SKU ran low; open until it is cleared. `subject_id`: shop, node or region's code."""

    id: int
    rule_id: int
    rule_code: str
    scope: Scope
    subject_id: int
    sku_id: int
    measure: Measure
    fired_at: datetime
    fired_with: int
    cleared_at: datetime | None
    cleared_with: int | None


class TransferProposal(msgspec.Struct, frozen=True, kw_only=True):
    """Units that could be moved between two functional warehouses, and what became of it."""

    id: int
    alert_id: int
    sku_id: int
    source_id: int
    destination_id: int
    quantity: int
    transit_days: int
    reason: str
    state: TransferState
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    note: str
    supply_id: int | None
