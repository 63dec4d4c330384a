"""An order that was understood: mapped, priced, addressed; ready to be planned."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from backend.catalog.model import Sku
from backend.channels.model import Shop
from backend.dropship.dealings import Deal
from backend.orders.model import HoldKind, OrderDraft, Shortage
from backend.orders.stock_holds.model import HoldTerms
from backend.routing.model import OrderFacts
from tenants.principal import Principal


class Hold(NamedTuple):
    """A reason to wait for a person; on a line, or on the whole order."""

    kind: HoldKind
    reason: str
    line_no: int | None = None


class Key(NamedTuple):
    """A key that must be free, or belong to the same content."""

    key: str
    fingerprint: bytes


class IntakeLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line as it is stored; its share of the order's discount is frozen here."""

    line_no: int
    sku_id: int | None
    sku_code: str
    quantity: int
    unit_weight_g: int
    """What carriers charge a unit by: its weight, or its volume's."""
    unit_price_minor: int
    line_discount_minor: int
    order_discount_minor: int
    sku: Sku | None
    """None where the code is unknown."""
    deal: Deal | None = None
    """By what a dealer sells it; None: by nothing, or that is not known yet."""
    item_code: str | None = None
    """What it is called in the dealer's shop, where that is no SKU."""

    @property
    def amount_minor(self) -> int:
        gross = self.quantity * self.unit_price_minor
        return gross - self.line_discount_minor - self.order_discount_minor


class Amounts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The sums of an order, in minor units."""

    goods: int
    line_discount: int
    order_discount: int
    freight: int
    fees: int

    @property
    def total(self) -> int:
        return self.goods - self.line_discount - self.order_discount + self.freight + self.fees


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """An order on its way to being placed."""

    principal: Principal
    draft: OrderDraft
    shop: Shop
    currency: str
    lines: tuple[IntakeLine, ...]
    holds: tuple[Hold, ...]
    amounts: Amounts
    region_code: int | None
    shortage: Shortage
    keys: tuple[Key, ...]
    ordered_at: datetime
    pickup_at: int | None = None
    """The node where the customer fetches it."""
    hold: HoldTerms | None = None
    """Units are only to be kept for so long; there is no order yet."""
    waits_for: Hold | None = None
    """What it is held for from the beginning, by whoever places it."""
    dealing_version: int | None = None
    """Of the dealers' terms by which it was understood; None: it is no dealer's."""

    @property
    def facts(self) -> OrderFacts:
        """What policies of routing may ask about it."""
        draft = self.draft
        known = {line.sku.id: line.sku for line in self.lines if line.sku is not None}
        lines = [line for line in self.lines if line.sku is not None]
        return OrderFacts(
            shop=self.shop,
            skus=list(known.values()),
            units=sum([line.quantity for line in lines]),
            weight_g=sum([line.quantity * line.unit_weight_g for line in lines]),
            amount_minor=self.amounts.total,
            remark=draft.remark,
            is_paid=draft.is_paid,
            is_presale=self.shortage is Shortage.PRESALE,
            traits=draft.known_traits,
        )

    @property
    def categories_installed(self) -> frozenset[str]:
        """The categories of its goods that somebody has to install."""
        skus = (line.sku for line in self.lines if line.sku is not None)
        return frozenset(sku.category for sku in skus if sku.needs_installation)

    @property
    def is_blocked(self) -> bool:
        """Held for something without which nothing can be reserved."""
        return any(hold.kind.blocks_stock for hold in self.holds)
