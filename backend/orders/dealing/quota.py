"""Who of a batch has to wait for a dealer's quota: one after another, as they came."""

from collections.abc import Mapping, Sequence

from backend.dropship.quotas.model import QuotaAt
from backend.orders.claim import refused
from backend.orders.dealing.errors import QuotaExceeded
from backend.orders.intake import Hold
from backend.orders.model import HoldKind, Refused, Shortage
from backend.orders.work import Work


def hold_for_quota(works: Sequence[Work], quotas: Mapping[int, QuotaAt]) -> dict[Work, Refused]:
    """Hold the new orders for which their dealer's locked quotas have too little left.

    Who would rather have nothing than wait is refused: returns those with their answers.
    """
    left = {one: max(0, quota.free) for one, quota in quotas.items()}
    refusals: dict[Work, Refused] = {}
    for work in works:
        needs = work.quota_needs
        short = [one for one, amount in needs.items() if amount > left[one]]
        if not short:
            for one, amount in needs.items():
                left[one] -= amount
            continue
        needed, available = needs[short[0]], left[short[0]]
        if work.shortage is Shortage.BACKORDER:
            work.wait_for_quota(hold_of_quota(needed, available))
        else:
            refusals[work] = refused(QuotaExceeded(needed, available))
    return refusals


def hold_of_quota(needed_minor: int, available_minor: int) -> Hold:
    """Return what an order waits for whose dealer has too little quota."""
    reason = f"It takes {needed_minor} of the quota, of which {available_minor} is left."
    return Hold(HoldKind.QUOTA, reason)
