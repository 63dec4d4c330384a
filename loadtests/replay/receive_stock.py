"""Receipts of many SKUs at many nodes at once."""

from collections.abc import Mapping

from backend.inventory import ledger
from backend.inventory.model import CauseKind, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.runtime import Runtime
from loadtests.replay.fresh_brand import ACTOR
from tenants.principal import Principal

MOVEMENTS_AT_ONCE = 5_000
"""Receipts of one transaction: some tenths of a second, in which its levels are locked."""


async def receive_stock(
    runtime: Runtime, principal: Principal, units: Mapping[LevelKey, int]
) -> None:
    """Record units that arrived, and return when whoever waited for them has got them.

    Each part of at most MOVEMENTS_AT_ONCE movements is a transaction of its own, told to everybody
    after it.
    """
    keys = [key for key, quantity in units.items() if quantity]
    for first in range(0, len(keys), MOVEMENTS_AT_ONCE):
        movements = [
            Movement(
                key=key,
                type=MovementType.RECEIVED,
                quantity=units[key],
                cause_kind=CauseKind.RECEIPT,
            )
            for key in keys[first : first + MOVEMENTS_AT_ONCE]
        ]
        async with runtime.database.tenant_transaction(principal) as tx:
            levels = await ledger.record(tx, movements, ACTOR)
        await runtime.publish_levels(principal.tenant_id, list(levels.values()))
    await runtime.settle()
