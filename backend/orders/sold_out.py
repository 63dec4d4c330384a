"""What PostgreSQL has refused lately: a sold-out rush costs it little."""

from collections.abc import Iterable

from backend.orders.work import Work

MEMORY_SECONDS = 0.2
"""A refusal is repeated for so long; a unit that comes free is sold at most this much later."""
REMEMBERED_MAX = 10_000


class SoldOut:
    """SKUs of which a last attempt found nothing at all, for orders of a dealer or the brand."""

    def __init__(self) -> None:
        self._until: dict[tuple[int, int | None], float] = {}

    def learn(self, works: Iterable[Work], now: float) -> None:
        """Remember which SKUs had nothing when works were planned under the locks."""
        if len(self._until) > REMEMBERED_MAX:
            self._until.clear()
        for work in works:
            if work.plan is not None:
                for row, available in zip(work.rows, work.plan.available, strict=True):
                    if available == 0:
                        key = (row.sku_id, work.request.dealer_id)
                        self._until[key] = now + MEMORY_SECONDS

    def explains(self, work: Work, now: float) -> bool:
        """Whether all that an order's plan is short of was found sold out a moment ago."""
        assert work.plan is not None, "only what was planned can be short"
        dealer_id = work.request.dealer_id
        return all(
            self._until.get((row.sku_id, dealer_id), 0.0) > now and available == 0
            for row, short, available in zip(
                work.rows, work.plan.short, work.plan.available, strict=True
            )
            if short
        )
