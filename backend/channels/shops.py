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


async def active_shops(tx: TenantTransaction) -> dict[str, Shop]:
    """Return the active shops that the principal may see, by code."""
    return {row["code"]: Shop(**row) for row in await tx.fetch(SQL.active_shops, tx.tenant_id)}


async def shops_mark(tx: TenantTransaction) -> tuple[int, int]:
    """Return two numbers of which one changes when a shop opens or closes."""
    row = await tx.fetch_row(SQL.shops_mark, tx.tenant_id)
    assert row is not None, "a sum is always there"
    return int(row["count"]), int(row["sum"])


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
        self._by_code: dict[str, tuple[float, Shop]] = {}

    def known(self, codes: Iterable[str], now: float) -> dict[str, Shop]:
        """Return those of the codes that are known here, and were read lately."""
        known = [(code, self._by_code.get(code)) for code in codes]
        return {code: entry[1] for code, entry in known if entry is not None and entry[0] > now}

    async def fetch(
        self, tx: TenantTransaction, codes: Iterable[str], now: float
    ) -> dict[str, Shop]:
        """Read codes, remember what was found and return it; forget what is not there."""
        wanted = list(codes)
        rows = await tx.fetch(SQL.shops_by_codes, tx.tenant_id, wanted)
        found = {row["code"]: Shop(**row) for row in rows}
        for code in wanted:
            self._by_code.pop(code, None)
        self._by_code |= {code: (now + CACHE_SECONDS, shop) for code, shop in found.items()}
        return found
