"""What dealers have deposited with the brand (保证金): apart from quotas, and never below 0."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from backend.db.commands import apply_once
from backend.db.errors import YipanError
from backend.db.pool import TenantTransaction
from backend.dropship.dealing_version import SQL, raise_dealing_version
from backend.dropship.events import DepositChanged
from backend.events.model import NewEvent
from backend.events.outbox import append_events
from tenants.dealers import require_dealer
from tenants.principal import Permission

AMOUNT_MINOR_MAX = 10**15
TEXT_MAX = 200


class DepositEntryType(StrEnum):
    """Why a deposit changed."""

    PAID = "paid"
    DEDUCTED = "deducted"
    """The brand keeps it, for something."""
    REFUNDED = "refunded"


class DealerDeposit(msgspec.Struct, frozen=True, kw_only=True):
    """What a dealer has deposited."""

    dealer_id: int
    balance_minor: int
    version: int


class DepositEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Why it is so much; an amount is what the deposit changed by."""

    id: int
    dealer_id: int
    type: DepositEntryType
    amount_minor: int
    reference: str
    reason: str
    actor: str
    recorded_at: datetime


class DepositMove(msgspec.Struct, frozen=True, kw_only=True):
    """What is paid, deducted or refunded of a deposit."""

    dealer_id: int
    type: DepositEntryType
    amount_minor: int
    reference: str
    """The payment's, or the decision's, own; recorded once."""
    reason: str = ""


class InvalidDeposit(YipanError):
    """The deposit cannot be changed so; the message says which part."""

    code = "INVALID_DEPOSIT"


async def move_deposit(tx: TenantTransaction, move: DepositMove, *, key: str) -> DealerDeposit:
    """Record what was paid, deducted or refunded, once; never more than there is.

    Locks the key, the version of dealers' terms, then the deposit. Emits `deposit.changed`. Raises
    PermissionMissing, UnknownDealer, InvalidDeposit, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.QUOTA_WRITE)
    _check(move)

    async def work() -> DealerDeposit:
        await raise_dealing_version(tx)
        await require_dealer(tx, tx.tenant_id, move.dealer_id)
        balance = await tx.fetch_value(SQL.lock_deposit, tx.tenant_id, move.dealer_id)
        if await tx.fetch_value(
            SQL.has_deposit_reference, tx.tenant_id, move.dealer_id, move.reference
        ):
            raise InvalidDeposit("This reference is recorded already.", path=("reference",))
        is_paid = move.type is DepositEntryType.PAID
        if not is_paid and move.amount_minor > balance:
            raise InvalidDeposit(f"{balance} is deposited.", path=("amountMinor",))
        delta = move.amount_minor if is_paid else -move.amount_minor
        await tx.execute(SQL.change_deposit, tx.tenant_id, move.dealer_id, delta)
        entry = (move.type.value, delta, move.reference, move.reason, tx.principal.actor)
        await tx.execute(SQL.add_deposit_entry, tx.tenant_id, move.dealer_id, *entry)
        told = DepositChanged(move.dealer_id, move.type.value, delta, balance + delta)
        await append_events(tx, [NewEvent(told, None, 0, move.dealer_id, None)])
        return next(one for one in await deposits(tx) if one.dealer_id == move.dealer_id)

    return await apply_once(tx, key, ("move_deposit", move), DealerDeposit, work)


async def deposits(tx: TenantTransaction) -> list[DealerDeposit]:
    """Return what dealers have deposited, by dealer; a dealer is shown its own."""
    return [DealerDeposit(**row) for row in await tx.fetch(SQL.deposits, tx.tenant_id)]


async def entries_of_deposits(
    tx: TenantTransaction, dealer_ids: Sequence[int]
) -> list[DepositEntry]:
    """Return why the deposits of dealers are what they are, as it happened."""
    rows = await tx.fetch(SQL.deposit_entries, tx.tenant_id, dealer_ids)
    return [DepositEntry(**{**row, "type": DepositEntryType(row["type"])}) for row in rows]


async def entries_by_dealer(
    tx: TenantTransaction, dealer_ids: Sequence[int]
) -> dict[int, list[DepositEntry]]:
    """Return the same, by dealer."""
    found: defaultdict[int, list[DepositEntry]] = defaultdict(list)
    for entry in await entries_of_deposits(tx, dealer_ids):
        found[entry.dealer_id].append(entry)
    return found


def _check(move: DepositMove) -> None:
    if not 0 < move.amount_minor <= AMOUNT_MINOR_MAX:
        raise InvalidDeposit("An amount is 1 or more.", path=("amountMinor",))
    if not 0 < len(move.reference.strip()) <= len(move.reference) <= TEXT_MAX:
        raise InvalidDeposit(f"A reference has 1 to {TEXT_MAX} characters.", path=("reference",))
    if len(move.reason) > TEXT_MAX:
        raise InvalidDeposit(f"A reason has at most {TEXT_MAX} characters.", path=("reason",))
    if move.type is DepositEntryType.DEDUCTED and not move.reason.strip():
        raise InvalidDeposit("Say what it is deducted for.", path=("reason",))
