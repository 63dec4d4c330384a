"""Creating and finding shops."""

from collections.abc import Iterable, Sequence

from backend.channels.model import Shop, ShopDraft
from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from tenants.dealers import require_dealer
from tenants.principal import Permission

SQL = load_queries(__file__)

CACHE_SECONDS = 5.0
"""How long a process may go on with a shop that was closed elsewhere."""


async def page_of_shops(tx: TenantTransaction, after: int, limit: int) -> list[Shop]:
    """Return up to `limit` shops that the principal may see, with ids above `after`."""
    return [Shop(**row) for row in await tx.fetch(SQL.shops, tx.tenant_id, after, limit)]


async def shops_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> dict[int, Shop]:
    """Return the shops that the principal may see among the ids."""
    rows = await tx.fetch(SQL.shops_by_ids, tx.tenant_id, ids)
    return {row["id"]: Shop(**row) for row in rows}


async def create_shop(tx: TenantTransaction, draft: ShopDraft) -> int:
    """Create a shop and return its id; raises AlreadyExists for a code in use, UnknownDealer."""
    tx.principal.require(Permission.NETWORK_WRITE)
    await require_dealer(tx, tx.tenant_id, draft.dealer_id)
    shop_id: int = await tx.fetch_value(
        SQL.insert_shop,
        tx.tenant_id,
        draft.code,
        draft.name,
        draft.channel,
        draft.dealer_id,
        draft.legal_entity_id,
    )
    return shop_id


class ShopCache:
    """The shops of one tenant by code, each known for a few seconds."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Shop]] = {}

    def knows_all(self, codes: Iterable[str], now: float) -> bool:
        return all(code in self._known and self._known[code][0] > now for code in codes)

    async def load(self, tx: TenantTransaction, codes: Iterable[str], now: float) -> None:
        """Read the codes anew; one that is not there is forgotten."""
        wanted = sorted(set(codes))
        for code in wanted:
            self._known.pop(code, None)
        for row in await tx.fetch(SQL.shops_by_codes, tx.tenant_id, wanted):
            self._known[row["code"]] = (now + CACHE_SECONDS, Shop(**row))

    def get(self, code: str) -> Shop | None:
        known = self._known.get(code)
        return known[1] if known else None
