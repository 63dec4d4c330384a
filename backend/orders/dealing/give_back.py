"""What orders that exist take of dealers' quotas, and give back: for every unit of a line that is
neither held nor cancelled, what the dealer pays for it."""

from collections.abc import Mapping, Sequence
from datetime import date

from backend.db.pool import TenantTransaction
from backend.dropship.quotas.counters import move_quotas, try_quotas
from backend.dropship.quotas.model import QuotaAt, QuotaEntryType, QuotaMove
from backend.orders.claim import SQL
from backend.orders.model import LineOutcome

NO_DAY = date.min
"""What is given back is due when what was taken is."""


def committed(line: LineOutcome) -> int:
    """Return the units of a line for which quota is taken."""
    return line.reserved + line.backordered + line.at_node + line.shipped + line.delivered


async def give_back_quota(
    tx: TenantTransaction,
    order_id: int,
    before: Sequence[LineOutcome],
    after: Sequence[LineOutcome],
) -> Sequence[QuotaAt]:
    """Give back what a locked dealer's order takes less than before, line by line.

    Locks its quota accounts, the last of all counters, and returns them as they are after it.
    """
    less = {
        now.line_no: committed(now) - committed(was)
        for was, now in zip(before, after, strict=True)
        if committed(now) < committed(was)
    }
    if not less:
        return []
    moves = await quota_moves(tx, order_id, less, QuotaEntryType.GIVEN_BACK)
    return list((await move_quotas(tx, moves, NO_DAY)).values())


async def return_quota(
    tx: TenantTransaction, order_id: int, units: Mapping[int, int]
) -> Sequence[QuotaAt]:
    """Give back what units of lines of a locked order took that the customer has sent back.

    Locks and returns as `give_back_quota`.
    """
    back = {line_no: -quantity for line_no, quantity in units.items() if quantity}
    moves = await quota_moves(tx, order_id, back, QuotaEntryType.RETURNED)
    return list((await move_quotas(tx, moves, NO_DAY)).values())


async def try_take_quota(
    tx: TenantTransaction, order_id: int, units: Mapping[int, int], day: date
) -> Sequence[QuotaAt] | None:
    """Take the quota of more units of lines of a locked order; None where it is too small.

    Then the caller rolls back.
    """
    moves = await quota_moves(tx, order_id, units, QuotaEntryType.TAKEN)
    taken = await try_quotas(tx, moves, day)
    return None if taken is None else list(taken.values())


async def quota_moves(
    tx: TenantTransaction, order_id: int, units: Mapping[int, int], type_: QuotaEntryType
) -> list[QuotaMove]:
    """Return what units of an order's lines, below 0 or above, are worth of which accounts."""
    amounts: dict[int, int] = {}
    for row in await tx.fetch(SQL.deals_of_lines, tx.tenant_id, order_id):
        amount = units.get(row["line_no"], 0) * row["dealer_price_minor"]
        account_id = row["quota_account_id"]
        amounts[account_id] = amounts.get(account_id, 0) + amount
    return [QuotaMove(one, order_id, amount, type_) for one, amount in amounts.items() if amount]
