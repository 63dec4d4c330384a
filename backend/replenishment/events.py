"""What happens to alerts and transfer proposals, as others are told: the payloads of the events."""

from typing import ClassVar

from backend.events.model import Payload
from backend.replenishment.model import Measure, Scope, TransferState


class StockAlertFired(Payload, frozen=True, rename="camel"):
    """A SKU runs low: it has fallen below the threshold of a rule."""

    TYPE: ClassVar[str] = "stock.alert_fired"

    alert_id: int
    rule: str
    scope: Scope
    subject_id: int
    sku_id: int
    measure: Measure
    value: int


class StockAlertCleared(Payload, frozen=True, rename="camel"):
    """A SKU no longer runs low; without a value where its rule no longer asks about it."""

    TYPE: ClassVar[str] = "stock.alert_cleared"

    alert_id: int
    rule: str
    scope: Scope
    subject_id: int
    sku_id: int
    measure: Measure
    value: int | None


class TransferProposed(Payload, frozen=True, rename="camel"):
    """Units could be moved to where they run low."""

    TYPE: ClassVar[str] = "transfer.proposed"

    transfer_id: int
    alert_id: int
    sku_id: int
    source_warehouse_id: int
    destination_warehouse_id: int
    quantity: int


class TransferDecided(Payload, frozen=True, rename="camel"):
    """A proposal was approved, rejected, or has lapsed; so many units left, or would have."""

    TYPE: ClassVar[str] = "transfer.decided"

    transfer_id: int
    alert_id: int
    state: TransferState
    quantity: int
    supply_id: int | None


PAYLOADS: tuple[type[Payload], ...] = (
    StockAlertFired,
    StockAlertCleared,
    TransferProposed,
    TransferDecided,
)
