"""What routing leaves to be done later: cancelling what waits too long, ending bad rollouts."""

import structlog

from backend.db.pool import Database
from backend.inventory.counters import PublishCounters
from backend.orders.cancel_orders import cancel_waiting
from backend.orders.claim import SQL
from backend.orders.errors import NothingToCancel
from backend.routing.rollouts import judge_rollout
from tenants.brands import Brand, BrandDirectory
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

ORDERS_A_ROUND = 500
"""Orders that one round cancels for a brand; the next one goes on."""


class RoutingUpkeep:
    """Does it for all brands; safe to run in several processes at once."""

    def __init__(
        self, database: Database, brands: BrandDirectory, publish_counters: PublishCounters
    ) -> None:
        self._database = database
        self._brands = brands
        self._publish_counters = publish_counters

    async def cancel_overdue(self) -> None:
        """Cancel what still waits of orders whose strategy let them wait until a day, on that day.

        Emits what cancelling emits.
        """
        for brand in await self._brands.all():
            await self._cancel_overdue_of(brand)

    async def _cancel_overdue_of(self, brand: Brand) -> None:
        principal = system_principal(brand.id, "routing")
        async with self._database.tenant_transaction(principal, read_only=True) as tx:
            rows = await tx.fetch(SQL.overdue_orders, tx.tenant_id, brand.today(), ORDERS_A_ROUND)
        for row in rows:
            await self._cancel(brand.id, row["order_id"])
            async with self._database.tenant_transaction(principal) as tx:
                await tx.execute(SQL.delete_routing_wait, tx.tenant_id, row["order_id"])

    async def _cancel(self, tenant_id: int, order_id: int) -> None:
        principal = system_principal(tenant_id, "routing")
        key, reason = f"overdue:{order_id}", "It waited for as long as its strategy lets it."
        try:
            cancelled = await cancel_waiting(self._database, principal, order_id, key, reason)
        except NothingToCancel:  # it was cancelled, or found stock, meanwhile
            return
        await self._publish_counters(tenant_id, cancelled.counters)

    async def judge_rollouts(self) -> None:
        """End rollouts whose figure got worse than whoever started them allowed."""
        for brand in await self._brands.all():
            async with self._database.tenant_transaction(
                system_principal(brand.id, "routing")
            ) as tx:
                ended = await judge_rollout(tx)
            if ended is not None:
                log.warning(
                    "routing.rollout_ended",
                    tenant=brand.id,
                    rollout=ended.id,
                    state=ended.state.value,
                    reason=ended.reason,
                )
