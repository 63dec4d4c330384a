"""What is known of SKUs at nodes: how old their stock is, and what it is worth."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from backend.db.pool import TenantTransaction
from backend.inventory.accuracy.model import Weights
from backend.inventory.ages import last_receipts_by_node
from backend.routing.model import PolicyDocument
from backend.routing.network_view import Figures
from backend.routing.policies import SQL
from backend.routing.presets import objectives_of

AGES_FOR = timedelta(hours=1)
"""For how long ages are believed: they are days."""

ByNode = Mapping[int, Mapping[int, int]]


def criteria_of(*documents: PolicyDocument) -> set[str]:
    """Return the criteria that policies compare by."""
    return {
        name
        for document in documents
        for strategy in document.strategies
        for objective in objectives_of(strategy)
        for name in (objective.criterion, *(part.criterion for part in objective.sum))
        if name
    }


class FigureReader:
    """Reads the figures that a brand's policies ask for, where they may have changed."""

    def __init__(self) -> None:
        self._ages: ByNode = {}
        self._ages_at: datetime | None = None
        self._prices: ByNode = {}
        self._priced_at: datetime | None = None

    async def read(
        self,
        tx: TenantTransaction,
        accuracy: Weights,
        wanted: Collection[str],
        local: datetime,
    ) -> Figures:
        """Return what is known; `wanted` are the criteria that policies compare by."""
        if "stock_age" in wanted:
            await self._read_ages(tx, local)
        if "opportunity_cost" in wanted:
            await self._read_prices(tx)
        return Figures(
            accuracy_bp=accuracy,
            age_days=self._ages if "stock_age" in wanted else {},
            price_minor=self._prices if "opportunity_cost" in wanted else {},
        )

    async def _read_ages(self, tx: TenantTransaction, local: datetime) -> None:
        if self._ages_at is not None and local - self._ages_at < AGES_FOR:
            return
        received = await last_receipts_by_node(tx, local)
        self._ages = {
            sku_id: {node_id: (local - at).days for node_id, at in by_node.items()}
            for sku_id, by_node in received.items()
        }
        self._ages_at = local

    async def _read_prices(self, tx: TenantTransaction) -> None:
        priced_at = await tx.fetch_value(SQL.priced_at, tx.tenant_id)
        if priced_at == self._priced_at:
            return
        prices: defaultdict[int, dict[int, int]] = defaultdict(dict)
        for row in await tx.fetch(SQL.prices, tx.tenant_id):
            prices[row["sku_id"]][row["node_id"]] = row["price_minor"]
        self._prices, self._priced_at = dict(prices), priced_at
