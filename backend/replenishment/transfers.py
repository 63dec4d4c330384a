"""Keeping proposals of transfers, deciding on them, and reading them."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta

import msgspec

from backend.catalog.find_skus import codes_of_skus
from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.change_stock import check_reason
from backend.inventory.errors import InvalidQuantity
from backend.inventory.model import Level
from backend.inventory.supplies.dispatch import Dispatch, send
from backend.inventory.supplies.supplies import TRANSFER_CODE, open_supplies
from backend.inventory.warehouses import list_warehouses
from backend.replenishment.alerts import append, rules_in_force
from backend.replenishment.errors import UnknownTransfer
from backend.replenishment.events import TransferDecided, TransferProposed
from backend.replenishment.judge import Firing
from backend.replenishment.model import AlertRule, TransferProposal, TransferState
from backend.replenishment.plan_transfers import Moving, Plan
from tenants.principal import Permission

SQL = load_queries(__file__)


class Decided(msgspec.Struct, frozen=True):
    """A proposal after it was decided, and the levels that changed; those are to be published."""

    transfer: TransferProposal
    levels: list[Level]


async def propose(tx: TenantTransaction, alert_id: int, firing: Firing, plan: Plan) -> list[int]:
    """Keep the proposals of an alert, which the caller has locked; returns their ids."""
    rule, sku_id = firing.rule, firing.reading.place.sku_id
    rows = await tx.fetch(
        SQL.insert_transfers,
        tx.tenant_id,
        alert_id,
        sku_id,
        plan.destination_id,
        rule.transit_days,
        f"{rule.code}: {firing.value} {rule.measure.value}, below {rule.fires_below}",
        [transfer.warehouse_id for transfer in plan.transfers],
        [transfer.quantity for transfer in plan.transfers],
    )
    ids = [int(row["id"]) for row in rows]
    await append(
        tx,
        [
            TransferProposed(
                transfer_id, alert_id, sku_id, warehouse_id, plan.destination_id, quantity
            )
            for transfer_id, (warehouse_id, quantity) in zip(ids, plan.transfers, strict=True)
        ],
    )
    return ids


async def approve_transfer(
    tx: TenantTransaction, transfer_id: int, today: date, *, key: str, quantity: int | None = None
) -> Decided:
    """Let the units of a proposal leave, or fewer, once; they are a supply on its way.

    Locks the key, the proposal, the supply, then the level. Raises UnknownTransfer for one that
    does not wait, InvalidQuantity, NotEnoughToMove, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)

    async def work() -> Decided:
        return await send_proposed(tx, transfer_id, today, quantity)

    content = ("approve_transfer", transfer_id, quantity)
    return await apply_once(tx, key, content, Decided, work)


async def send_proposed(
    tx: TenantTransaction, transfer_id: int, today: date, quantity: int | None = None
) -> Decided:
    """Do what `approve_transfer` does, in a transaction that is carried out once anyway."""
    proposal = await _lock(tx, transfer_id)
    units = proposal.quantity if quantity is None else quantity
    if not 0 < units <= proposal.quantity:
        raise InvalidQuantity(
            f"Of this proposal 1 to {proposal.quantity} units can leave.", path=("quantity",)
        )
    warehouses = {warehouse.id: warehouse.code for warehouse in await list_warehouses(tx)}
    sent = await send(
        tx,
        Dispatch(
            code=supply_code(transfer_id),
            source=warehouses[proposal.source_id],
            destination=warehouses[proposal.destination_id],
            sku=(await codes_of_skus(tx, [proposal.sku_id]))[proposal.sku_id],
            quantity=units,
            arrives_on=today + timedelta(days=proposal.transit_days),
        ),
    )
    approved = await _decide(
        tx, proposal, TransferState.APPROVED, "", supply_id=sent.supply.id, quantity=units
    )
    return Decided(approved, sent.levels)


def supply_code(transfer_id: int) -> str:
    """Return the code of the supply that an approved proposal becomes."""
    return f"{TRANSFER_CODE}{transfer_id}"


async def reject_transfer(
    tx: TenantTransaction, transfer_id: int, note: str, *, key: str
) -> Decided:
    """Leave the units where they are, once; nothing more is proposed for the same alert.

    Locks the key, then the proposal. Raises UnknownTransfer for one that does not wait,
    InvalidReason, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    check_reason(note, ("note",))

    async def work() -> Decided:
        proposal = await _lock(tx, transfer_id)
        return Decided(await _decide(tx, proposal, TransferState.REJECTED, note.strip()), [])

    return await apply_once(tx, key, ("reject_transfer", transfer_id, note), Decided, work)


async def lock_alert(tx: TenantTransaction, alert_id: int, rule: AlertRule) -> bool:
    """Lock an open alert, after its rule, to propose something for it.

    False where the rule is not in force, the alert was cleared, somebody else is at it, or a
    proposal waits or was rejected.
    """
    if not await rules_in_force(tx, [rule]):
        return False
    return await tx.fetch_row(SQL.lock_open_alert, tx.tenant_id, alert_id) is not None


async def lock_transfers_of(tx: TenantTransaction, sku_id: int) -> None:
    """Let one transaction at a time plan what is moved of a SKU: it sees what others planned."""
    await tx.execute(SQL.lock_transfers_of_sku, tx.tenant_id, sku_id)


async def moving_of(tx: TenantTransaction, sku_ids: Collection[int]) -> dict[int, Moving]:
    """Return what is to come of SKUs, and what proposals that wait would move, by SKU."""
    coming: dict[int, dict[int, int]] = {sku_id: {} for sku_id in sku_ids}
    leaving: dict[int, dict[int, int]] = {sku_id: {} for sku_id in sku_ids}
    for supply in await open_supplies(tx, sku_ids):
        _add(coming[supply.sku_id], supply.functional_warehouse_id, supply.units)
    for row in await tx.fetch(SQL.open_transfers_of_skus, tx.tenant_id, sorted(sku_ids)):
        _add(coming[row["sku_id"]], row["destination_id"], row["quantity"])
        _add(leaving[row["sku_id"]], row["source_id"], row["quantity"])
    return {sku_id: Moving(coming[sku_id], leaving[sku_id]) for sku_id in sku_ids}


def _add(units: dict[int, int], warehouse_id: int, more: int) -> None:
    units[warehouse_id] = units.get(warehouse_id, 0) + more


async def transfers_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[TransferProposal]:
    """Return the proposals, by id."""
    return [_transfer(row) for row in await tx.fetch(SQL.transfers_by_ids, tx.tenant_id, ids)]


async def page_of_transfers(
    tx: TenantTransaction, below: int, limit: int, state: TransferState | None
) -> list[TransferProposal]:
    """Return up to `limit` proposals, the newest first, below an id."""
    wanted = None if state is None else state.value
    rows = await tx.fetch(SQL.page_of_transfers, tx.tenant_id, below, wanted, limit)
    return [_transfer(row) for row in rows]


async def _lock(tx: TenantTransaction, transfer_id: int) -> TransferProposal:
    row = await tx.fetch_row(SQL.lock_transfer, tx.tenant_id, transfer_id)
    if row is None:
        raise UnknownTransfer
    return _transfer(row)


async def _decide(
    tx: TenantTransaction,
    proposal: TransferProposal,
    state: TransferState,
    note: str,
    *,
    supply_id: int | None = None,
    quantity: int | None = None,
) -> TransferProposal:
    units = proposal.quantity if quantity is None else quantity
    await tx.execute(
        SQL.decide_transfer,
        tx.tenant_id,
        proposal.id,
        state.value,
        tx.principal.subject,
        note,
        supply_id,
        units,
    )
    await append(tx, [TransferDecided(proposal.id, proposal.alert_id, state, units, supply_id)])
    return (await transfers_by_ids(tx, [proposal.id]))[0]


def _transfer(row: Record) -> TransferProposal:
    return TransferProposal(**{**row, "state": TransferState(row["state"])})
