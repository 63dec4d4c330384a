"""Receipts of many SKUs at many nodes at once."""

from collections.abc import Mapping, Sequence
from functools import partial

from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.inventory import ledger
from backend.inventory.model import CauseKind, Level, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.runtime import Runtime
from loadtests.fresh_brand import ACTOR
from tenants.principal import Principal

MOVEMENTS_AT_ONCE = 5_000
"""Receipts of one transaction: some tenths of a second, in which its levels are locked."""


async def receive_stock(
    runtime: Runtime, principal: Principal, units: Mapping[LevelKey, int], key: str
) -> None:
    """Record units that arrived, and return when whoever waited for them has got them.

    Each part of at most MOVEMENTS_AT_ONCE movements is a transaction of its own, told to everybody
    after it. Once under a key: a run that was interrupted may ask again.
    """
    keys = [level for level, quantity in units.items() if quantity]
    for first in range(0, len(keys), MOVEMENTS_AT_ONCE):
        movements = [
            Movement(
                key=level,
                type=MovementType.RECEIVED,
                quantity=units[level],
                cause_kind=CauseKind.RECEIPT,
            )
            for level in keys[first : first + MOVEMENTS_AT_ONCE]
        ]
        levels: list[Level] = []

        async with runtime.database.tenant_transaction(principal) as tx:
            work = partial(_record, tx, movements, levels)
            await apply_once(tx, f"{key}:{first}", len(movements), int, work)
        await runtime.publish_levels(principal.tenant_id, levels)
    await runtime.settle()


async def _record(tx: TenantTransaction, part: Sequence[Movement], levels: list[Level]) -> int:
    """Record movements, add the levels as they are now, and return how many there were."""
    levels += (await ledger.record(tx, part, ACTOR)).values()
    return len(part)
