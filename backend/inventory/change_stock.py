"""Receipts, adjustments, compared absolute writes and transfers: what people do to stock."""

from collections.abc import Iterable
from functools import partial

import msgspec

from backend.catalog.find_skus import sku_id_by_code
from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.inventory import ledger
from backend.inventory.errors import (
    InvalidQuantity,
    InvalidReason,
    NotEnoughToMove,
    OwnerFixed,
    ReasonMissing,
    SameWarehouse,
    StockChanged,
    UnknownWarehouse,
)
from backend.inventory.ledger import SQL
from backend.inventory.model import QUANTITY_MAX, CauseKind, Level, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from tenants.principal import Permission

REASON_LENGTH_MAX = 200


class StockReceive(msgspec.Struct, frozen=True, kw_only=True):
    """Goods that arrived."""

    warehouse: str
    sku: str
    quantity: int


class StockAdjust(msgspec.Struct, frozen=True, kw_only=True):
    """A correction by a signed quantity, with its reason."""

    warehouse: str
    sku: str
    quantity: int
    reason: str


class StockSet(msgspec.Struct, frozen=True, kw_only=True):
    """An absolute write from a system of record; it names the value or version it compared with."""

    warehouse: str
    sku: str
    on_hand: int
    compare_on_hand: int | None = None
    compare_version: int | None = None


class StockTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """Free units that move from one functional warehouse to another, at once.

    Within a node: goods that were inspected, or found defective; that are stocked up for an event;
    or that change their owner.
    """

    source: str
    destination: str
    sku: str
    quantity: int
    reason: str = ""


class StockSell(msgspec.Struct, frozen=True, kw_only=True):
    """Units that a store sold at its own till; it is recorded even where they were promised."""

    warehouse: str
    sku: str
    quantity: int
    receipt: str = ""
    """The till's own number, for whoever asks."""


STORE_COMMANDS = (StockSell, StockTransfer)
"""What stores do themselves, in their own nodes: they sell, and set goods apart."""

StockCommand = StockReceive | StockAdjust | StockSet | StockTransfer | StockSell


async def change_stock(tx: TenantTransaction, command: StockCommand, key: str) -> list[Level]:
    """Carry out one stock command once and return the levels after it.

    Locks the key, then the levels in order. Raises UnknownWarehouse, UnknownSku, InvalidQuantity,
    ReasonMissing, InvalidReason, StockChanged, NotEnoughToMove, SameWarehouse, CommandConflict;
    then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    _validate(command)
    content = (type(command).__name__, command)
    return await apply_once(tx, key, content, list[Level], partial(_carry_out, tx, command))


async def _carry_out(tx: TenantTransaction, command: StockCommand) -> list[Level]:
    movements = await _movements(tx, command)
    levels = list((await ledger.record(tx, movements, tx.principal.subject)).values())
    check_levels(levels)
    return levels


def check_levels(levels: Iterable[Level]) -> None:
    """Raise InvalidQuantity if a level would hold more than any may."""
    if any(abs(level.on_hand) > QUANTITY_MAX for level in levels):
        raise InvalidQuantity("No level holds more than 1,000,000,000 units.")


def check_reason(text: str, path: tuple[str | int, ...]) -> None:
    """Raise InvalidReason if a reason cannot be kept."""
    if len(text) > REASON_LENGTH_MAX or not text.isprintable():
        raise InvalidReason(path=path)


def _validate(command: StockCommand) -> None:
    quantity = command.on_hand if isinstance(command, StockSet) else command.quantity
    if isinstance(command, StockSet):
        if not 0 <= quantity <= QUANTITY_MAX:
            raise InvalidQuantity("A stock on hand is a whole number from 0 to 1,000,000,000.")
        if command.compare_on_hand is None and command.compare_version is None:
            raise StockChanged(None)
    elif isinstance(command, StockAdjust):
        if not 0 < abs(quantity) <= QUANTITY_MAX:
            raise InvalidQuantity("An adjustment is not 0, and at most 1,000,000,000 either way.")
        if not command.reason.strip():
            raise ReasonMissing
    elif not 0 < quantity <= QUANTITY_MAX:
        raise InvalidQuantity
    if isinstance(command, StockTransfer) and command.source == command.destination:
        raise SameWarehouse
    if isinstance(command, StockAdjust | StockTransfer):
        check_reason(command.reason, ("reason",))
    elif isinstance(command, StockSell):
        check_reason(command.receipt, ("receipt",))


async def _movements(tx: TenantTransaction, command: StockCommand) -> list[Movement]:
    sku_id = await sku_id_by_code(tx, command.sku)
    cause_id = await ledger.next_cause_id(tx)
    if isinstance(command, StockTransfer):
        return await _transfer(tx, command, sku_id, cause_id)
    warehouse = await warehouse_by_code(tx, command.warehouse)
    key = LevelKey(warehouse["id"], sku_id)
    if isinstance(command, StockSet):
        quantity = command.on_hand - await _compared(tx, command, key)
        cause, kind, reason = CauseKind.COUNT, MovementType.COUNTED, None
    elif isinstance(command, StockAdjust):
        quantity, reason = command.quantity, command.reason.strip()
        cause, kind = CauseKind.ADJUSTMENT, MovementType.ADJUSTED
    elif isinstance(command, StockSell):
        quantity, reason = command.quantity, command.receipt.strip() or None
        cause, kind = CauseKind.TILL, MovementType.MOVED_OUT
    else:
        quantity, reason = command.quantity, None
        cause, kind = CauseKind.RECEIPT, MovementType.RECEIVED
    return [
        Movement(
            key=key,
            type=kind,
            quantity=quantity,
            cause_kind=cause,
            cause_id=cause_id,
            reason=reason,
        )
    ]


async def _compared(tx: TenantTransaction, command: StockSet, key: LevelKey) -> int:
    """Return what is on hand, locked, if it is what the writer compared with."""
    level = (await ledger.lock_levels(tx, [key], create=True))[key]
    if command.compare_on_hand not in (None, level.on_hand):
        raise StockChanged(level)
    if command.compare_version not in (None, level.version):
        raise StockChanged(level)
    return level.on_hand


async def _transfer(
    tx: TenantTransaction, command: StockTransfer, sku_id: int, cause_id: int
) -> list[Movement]:
    source = await warehouse_by_code(tx, command.source)
    destination = await warehouse_by_code(tx, command.destination)
    if tx.principal.acts_for is not None and source["owner"] != destination["owner"]:
        raise OwnerFixed(path=("destination",))
    keys = [LevelKey(row["id"], sku_id) for row in (source, destination)]
    levels = await ledger.lock_levels(tx, keys, create=True)
    available = max(0, levels[keys[0]].signed_free)
    if available < command.quantity:
        raise NotEnoughToMove(command.quantity, available)
    return [
        Movement(
            key=key,
            type=kind,
            quantity=sign * command.quantity,
            cause_kind=CauseKind.TRANSFER,
            cause_id=cause_id,
            reason=command.reason.strip() or None,
        )
        for key, (kind, sign) in zip(keys, _how_moved(source, destination), strict=True)
    ]


def _how_moved(source: Record, destination: Record) -> tuple[tuple[MovementType, int], ...]:
    """Return what a transfer is to its two levels: type and sign of the quantity."""
    if source["node_id"] == destination["node_id"]:
        for column, kind in (
            ("condition", MovementType.CONDITION_CHANGED),
            ("owner", MovementType.OWNER_CHANGED),
        ):
            if source[column] != destination[column]:
                return (kind, -1), (kind, 1)
    return (MovementType.MOVED_OUT, 1), (MovementType.MOVED_IN, 1)


async def warehouse_by_code(tx: TenantTransaction, code: str) -> Record:
    """Return id, node, dealer, condition and owner of a functional warehouse.

    Raises UnknownWarehouse, also where the principal may not change what lies there.
    """
    row = await tx.fetch_row(SQL.warehouse_by_code, tx.tenant_id, code)
    if row is None or not tx.principal.may_work_at(row["node_id"], row["dealer_id"]):
        raise UnknownWarehouse(f"There is no functional warehouse {code!r}.")
    return row
