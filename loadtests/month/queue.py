"""Who waits for quota, and who of them is to go: the oldest that fits, as counted here."""

from collections import defaultdict
from typing import NamedTuple

from backend.db.sql import load_queries
from loadtests.month.month import Month

SQL = load_queries(__file__)


class Waiting(NamedTuple):
    """An order that waits for quota, and nothing else that keeps it from stock."""

    order_id: int
    dealer_id: int
    needs: dict[int, int]
    """By account."""


class Queue:
    """Lets go what waits for quota, and looks whether it were the right ones."""

    def __init__(self, month: Month) -> None:
        self._month = month

    async def settle(self) -> None:
        """Let dealers' orders go that may; a fault where others went than should have."""
        month = self._month
        await month.runtime.maintenance.mind_quotas()
        await month.runtime.settle()
        before, unsure, left = await self._look()
        expected = set()
        for one in before:
            if all(amount <= left[account] for account, amount in one.needs.items()):
                for account, amount in one.needs.items():
                    left[account] -= amount
                expected.add(one.order_id)
        await month.runtime.maintenance.settle_dealings()
        await month.runtime.settle()
        after, _, _ = await self._look()
        still = {one.order_id for one in after}
        known = {one.order_id for one in before if one.dealer_id not in unsure}
        went = known - still
        for order_id in sorted((expected & known) ^ went):
            how = "went too early" if order_id in went else "did not go although it fits"
            name = month.orders[order_id].name if order_id in month.orders else order_id
            month.faults.append(f"{name}, which waits for quota, {how}")
        month.done["orders that waited for quota, and went"] += len(went)
        if went and known - went:
            month.done["times that some went, and others still wait"] += 1

    async def _look(self) -> tuple[list[Waiting], set[int], defaultdict[int, int]]:
        """Return who waits, the oldest first; dealers of whose orders not all is known; quotas."""
        async with self._month.reading() as tx:
            rows = await tx.fetch(SQL.waiting_orders, tx.tenant_id)
            accounts = await tx.fetch(SQL.quotas_left, tx.tenant_id)
        found: dict[int, Waiting] = {}
        unsure = set()
        for row in rows:
            if row["is_undealt"]:
                unsure.add(row["dealer_id"])
            else:
                one = Waiting(row["order_id"], row["dealer_id"], {})
                found.setdefault(row["order_id"], one).needs[row["account_id"]] = row[
                    "needed_minor"
                ]
        left = defaultdict(int, {row["id"]: row["left_minor"] for row in accounts})
        return list(found.values()), unsure, left
