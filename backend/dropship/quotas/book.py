"""What a process knows of a tenant's quotas: what is left of them."""

from collections.abc import Iterable

from backend.dropship.quotas.model import QuotaAt


class QuotaBook:
    """What is left of accounts; follows PostgreSQL by version."""

    def __init__(self) -> None:
        self._known: dict[int, QuotaAt] = {}

    def apply(self, counters: Iterable[QuotaAt]) -> None:
        """Take over what is newer."""
        for counter in counters:
            known = self._known.get(counter.id)
            if known is None or known.version < counter.version:
                self._known[counter.id] = counter

    def left(self, account_id: int) -> int | None:
        """Return what is left of an account; None of one that is not known yet."""
        known = self._known.get(account_id)
        return None if known is None else max(0, known.free)
