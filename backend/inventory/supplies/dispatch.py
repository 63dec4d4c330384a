"""Sending goods to another node: they are on their way (调拨在途) until they are received."""

from datetime import date

import msgspec

from backend.catalog.find_skus import sku_id_by_code
from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.inventory import ledger
from backend.inventory.change_stock import warehouse_by_code
from backend.inventory.errors import InvalidQuantity, NotEnoughToMove, SameWarehouse
from backend.inventory.model import QUANTITY_MAX, CauseKind, Level, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.inventory.supplies.errors import InvalidSupply
from backend.inventory.supplies.model import Supply, SupplyDraft, SupplyKind
from backend.inventory.supplies.supplies import add_supply, check_own_code
from tenants.principal import Permission


class Dispatch(msgspec.Struct, frozen=True, kw_only=True):
    """Free units of a SKU that leave for another node, under the code of a supply."""

    code: str
    source: str
    destination: str
    sku: str
    quantity: int
    arrives_on: date


class Dispatched(msgspec.Struct, frozen=True):
    """What is on its way, and the levels that it left; those are to be published."""

    supply: Supply
    levels: list[Level]


async def dispatch(tx: TenantTransaction, command: Dispatch, *, key: str) -> Dispatched:
    """Let free units leave for another node, once; until they are received nobody can sell them.

    They are a supply of the destination, which is received like any other; what is lost on the way
    ends with `close_supply`. Locks the key, the supply, then the level. Raises InvalidQuantity,
    SameWarehouse, UnknownSku, UnknownWarehouse, NotEnoughToMove, InvalidSupply, SupplyChanged,
    CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    check_own_code(command.code, ("code",))

    async def work() -> Dispatched:
        return await send(tx, command)

    return await apply_once(tx, key, ("dispatch", command), Dispatched, work)


async def send(tx: TenantTransaction, command: Dispatch) -> Dispatched:
    """Do what `dispatch` does, within a command of the caller's."""
    if not 0 < command.quantity <= QUANTITY_MAX:
        raise InvalidQuantity(path=("quantity",))
    if command.source == command.destination:
        raise SameWarehouse
    sku_id = await sku_id_by_code(tx, command.sku)
    source = await warehouse_by_code(tx, command.source)
    destination = await warehouse_by_code(tx, command.destination)
    if source["node_id"] == destination["node_id"]:
        raise InvalidSupply(
            "Within a node nothing is on its way: use stockTransfer.", path=("destination",)
        )
    supply = await add_supply(
        tx,
        SupplyDraft(
            code=command.code,
            line_no=1,
            kind=SupplyKind.TRANSFER,
            warehouse=command.destination,
            sku=command.sku,
            quantity=command.quantity,
            expected_on=command.arrives_on,
        ),
    )
    level_key = LevelKey(source["id"], sku_id)
    level = (await ledger.lock_levels(tx, [level_key], create=True))[level_key]
    available = max(0, level.signed_free)
    if available < command.quantity:
        raise NotEnoughToMove(command.quantity, available)
    left = Movement(
        key=level_key,
        type=MovementType.MOVED_OUT,
        quantity=command.quantity,
        cause_kind=CauseKind.SUPPLY,
        cause_id=supply.id,
    )
    levels = await ledger.record(tx, [left], tx.principal.subject)
    return Dispatched(supply, list(levels.values()))
