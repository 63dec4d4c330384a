"""Keeping, changing and closing supplies, and what they promise."""

from collections.abc import Collection, Sequence
from datetime import date
from functools import partial

import msgspec

from backend.catalog.find_skus import sku_ids_by_codes
from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory import ledger
from backend.inventory.change_stock import check_levels, warehouse_by_code
from backend.inventory.errors import InvalidQuantity
from backend.inventory.model import QUANTITY_MAX, CauseKind, Level, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.inventory.pools.model import WHOLE_BP
from backend.inventory.supplies import model
from backend.inventory.supplies.errors import (
    InvalidSupply,
    ReceiptTooLarge,
    SupplyChanged,
    UnknownSupply,
)
from backend.inventory.supplies.model import (
    OpenSupply,
    Outlook,
    ReceivedSupply,
    Supply,
    SupplyDraft,
    SupplyKind,
)
from tenants.principal import Permission

SQL = load_queries(__file__)

TRANSFER_CODE = "transfer-"
"""How the codes of supplies begin that are given to transfers: nobody else begins one so."""


async def set_supplies(
    tx: TenantTransaction, drafts: Sequence[SupplyDraft], *, key: str
) -> list[Supply]:
    """Keep supplies, or change them, all or none, once, and return them.

    A quantity is never below what was received. What orders are promised of them is settled
    afterwards. Locks the key, then the supplies by code and line. Raises InvalidSupply,
    InvalidQuantity, UnknownSku, UnknownWarehouse, SupplyChanged, CommandConflict; then nothing has
    changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    _check(drafts)

    return await apply_once(
        tx, key, ("set_supplies", drafts), list[Supply], partial(_set, tx, drafts)
    )


async def _set(
    tx: TenantTransaction, drafts: Sequence[SupplyDraft], *, are_transfers: bool = False
) -> list[Supply]:
    skus = await sku_ids_by_codes(tx, [draft.sku for draft in drafts])
    ids = []
    for index, draft in sorted(enumerate(drafts), key=lambda item: (item[1].code, item[1].line_no)):
        warehouse = await warehouse_by_code(tx, draft.warehouse)
        place = (warehouse["id"], skus[draft.sku])
        found = None
        while found is None:  # somebody else may have kept a new one in between: compare again
            version = await _compare(tx, draft, place, index)
            if not (version or are_transfers):
                check_own_code(draft.code, ("supplies", index, "code"))
            found = await _write(tx, draft, place, version)
        ids.append(found)
    return await supplies_by_ids(tx, ids)


async def _write(
    tx: TenantTransaction, draft: SupplyDraft, place: tuple[int, int], version: int
) -> int | None:
    """Keep a supply, or change it, and return its id; None if it is not at the version."""
    found: int | None = await tx.fetch_value(
        SQL.set_supply,
        tx.tenant_id,
        draft.code,
        draft.line_no,
        draft.kind.value,
        *place,
        draft.quantity,
        draft.confidence_bp,
        draft.expected_on,
        tx.principal.subject,
        version,
    )
    return found


async def add_supply(tx: TenantTransaction, draft: SupplyDraft) -> Supply:
    """Keep a supply of which there is none yet, and return it.

    Raises InvalidSupply, SupplyChanged where there is one, UnknownSku, UnknownWarehouse; their
    paths are those of the draft itself.
    """
    new = msgspec.structs.replace(draft, compare_version=0)
    try:
        _check([new])
        return (await _set(tx, [new], are_transfers=True))[0]
    except SupplyChanged as error:
        raise SupplyChanged(error.version, ("code",)) from error
    except InvalidSupply as error:
        raise InvalidSupply(error.message, path=error.path[2:]) from error


async def close_supply(tx: TenantTransaction, code: str, line_no: int, *, key: str) -> Supply:
    """Expect nothing more of a supply, once, and return it.

    Locks the key, then the supply. Raises UnknownSupply, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)

    async def work() -> Supply:
        row = await _lock(tx, code, line_no)
        await tx.execute(SQL.close_supply, tx.tenant_id, row["id"], tx.principal.subject)
        return (await supplies_by_ids(tx, [row["id"]]))[0]

    return await apply_once(tx, key, ("close_supply", code, line_no), Supply, work)


async def receive_of(
    tx: TenantTransaction, code: str, line_no: int, quantity: int
) -> tuple[ReceivedSupply, list[Level]]:
    """Receive units of a supply: they lie in its functional warehouse, and no longer are to come.

    Locks the supply, then the level. Raises UnknownSupply, InvalidQuantity, ReceiptTooLarge.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    if not 0 < quantity <= QUANTITY_MAX:
        raise InvalidQuantity(path=("quantity",))
    row = await _lock(tx, code, line_no)
    outstanding = row["quantity"] - row["received"]
    if quantity > outstanding:
        raise ReceiptTooLarge(quantity, outstanding)
    await tx.execute(SQL.receive_supply, tx.tenant_id, row["id"], quantity)
    key = LevelKey(row["functional_warehouse_id"], row["sku_id"])
    received = Movement(
        key=key,
        type=MovementType.RECEIVED,
        quantity=quantity,
        cause_kind=CauseKind.SUPPLY,
        cause_id=row["id"],
    )
    levels = await ledger.record(tx, [received], tx.principal.subject)
    check_levels(levels.values())
    return ReceivedSupply(row["id"], *key, row["node_id"]), list(levels.values())


async def supplies_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Supply]:
    """Return the supplies, by id."""
    return [_supply(row) for row in await tx.fetch(SQL.supplies_by_ids, tx.tenant_id, ids)]


async def page_of_supplies(
    tx: TenantTransaction, after: tuple[date, int], limit: int, *, only_open: bool
) -> list[Supply]:
    """Return up to `limit` supplies by day and id, after a key."""
    rows = await tx.fetch(SQL.page_of_supplies, tx.tenant_id, *after, only_open, limit)
    return [_supply(row) for row in rows]


async def open_supplies(tx: TenantTransaction, sku_ids: Collection[int]) -> list[OpenSupply]:
    """Return the open supplies of SKUs, by day."""
    rows = await tx.fetch(SQL.open_supplies, tx.tenant_id, sorted(sku_ids))
    return sorted(OpenSupply(*row) for row in rows)


async def lock_open_supplies(tx: TenantTransaction, sku_ids: Collection[int]) -> list[OpenSupply]:
    """Lock the open supplies of SKUs, by code and line, and return them by day."""
    rows = await tx.fetch(SQL.lock_open_supplies, tx.tenant_id, sorted(sku_ids))
    return sorted(OpenSupply(*row) for row in rows)


async def outlook(
    tx: TenantTransaction, sku_id: int, warehouse_ids: Collection[int], offered: int
) -> list[Outlook]:
    """Return what can be had of a SKU day by day: what is offered now, and what comes to it.

    `warehouse_ids` are those that the shop sells from.
    """
    by_day: dict[date, int] = {}
    for row in await tx.fetch(SQL.unpromised_of_sku, tx.tenant_id, sku_id):
        if row["functional_warehouse_id"] in warehouse_ids and row["units"]:
            day = row["expected_on"]
            by_day[day] = by_day.get(day, 0) + row["units"]
    found, total = [], offered
    for day, units in by_day.items():
        total += units
        found.append(Outlook(day, units, total))
    return found


async def _lock(tx: TenantTransaction, code: str, line_no: int) -> Record:
    row = await tx.fetch_row(SQL.lock_supply, tx.tenant_id, code, line_no)
    may_work_at = tx.principal.may_work_at
    if row is None or not (row["is_open"] and may_work_at(row["node_id"], row["dealer_id"])):
        raise UnknownSupply(f"There is no open supply {code!r} with a line {line_no}.")
    return row


async def _compare(
    tx: TenantTransaction, draft: SupplyDraft, place: tuple[int, int], index: int
) -> int:
    """Raise unless a supply may become what a draft says; returns its version, 0 for none."""
    path = ("supplies", index)
    row = await tx.fetch_row(SQL.lock_supply, tx.tenant_id, draft.code, draft.line_no)
    version: int = 0 if row is None else row["version"]
    if draft.compare_version not in (None, version):
        raise SupplyChanged(version, (*path, "compareVersion"))
    if row is None or not row["received"]:
        return version
    if draft.quantity < row["received"]:
        raise InvalidSupply(
            f"{row['received']} units have come already: the quantity cannot be less.",
            path=(*path, "quantity"),
        )
    if place != (row["functional_warehouse_id"], row["sku_id"]):
        raise InvalidSupply(
            "Some of it has come: its SKU and functional warehouse stay as they are.", path=path
        )
    return version


def check_own_code(code: str, path: tuple[str | int, ...]) -> None:
    """Raise InvalidSupply for a code that only transfers are given."""
    if code.startswith(TRANSFER_CODE):
        raise InvalidSupply(
            f"Codes that begin with {TRANSFER_CODE!r} are given to approved transfers.", path=path
        )


def _check(drafts: Sequence[SupplyDraft]) -> None:
    if not 0 < len(drafts) <= model.LINES_MAX:
        raise InvalidSupply(f"Give 1 to {model.LINES_MAX} supplies.", path=("supplies",))
    if len({(draft.code, draft.line_no) for draft in drafts}) < len(drafts):
        raise InvalidSupply("A line of a supply stands there twice.", path=("supplies",))
    for index, draft in enumerate(drafts):
        path = ("supplies", index)
        code = draft.code
        fits = 0 < len(code.strip()) <= len(code) <= model.CODE_LENGTH_MAX
        if not fits or not code.isprintable():
            raise InvalidSupply(
                f"A code has 1 to {model.CODE_LENGTH_MAX} printable characters.",
                path=(*path, "code"),
            )
        if not 1 <= draft.line_no <= model.LINES_MAX:
            raise InvalidSupply(
                f"A line is numbered 1 to {model.LINES_MAX}.", path=(*path, "lineNo")
            )
        if not 0 < draft.quantity <= QUANTITY_MAX:
            raise InvalidQuantity(path=(*path, "quantity"))
        if not 0 <= draft.confidence_bp <= WHOLE_BP:
            raise InvalidSupply(
                "Confidence lies between 0 and 10000 basis points.", path=(*path, "confidenceBp")
            )


def _supply(row: Record) -> Supply:
    return Supply(**{**row, "kind": SupplyKind(row["kind"])})
