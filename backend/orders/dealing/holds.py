"""A dealer's order that nothing else keeps from stock any more first takes its quota."""

from collections.abc import Sequence

from backend.db.pool import Record, TenantTransaction
from backend.dropship.agreements import has_agreements
from backend.orders.model import HoldKind, LineOutcome
from backend.orders.place_hold import add_hold

TO_BE_DEALT = "The dealer's terms are to be looked at, and its quota taken."


async def and_for_quota(
    tx: TenantTransaction,
    order: Record,
    lines: Sequence[LineOutcome],
    rest: Sequence[HoldKind],
) -> list[HoldKind]:
    """Return what a locked order is held for once `rest` is all that is left of its holds.

    Where that blocks no stock, and agreements bind the dealer whose order it is, what is held of it
    waits for its quota (see `settle`): that hold is added.
    """
    kinds = list(rest)
    is_free = not any(kind.blocks_stock for kind in kinds) and any(line.held for line in lines)
    if is_free and order["dealer_id"] and await has_agreements(tx, order["dealer_id"]):
        await add_hold(tx, order, HoldKind.QUOTA, TO_BE_DEALT)
        kinds.append(HoldKind.QUOTA)
    return kinds
