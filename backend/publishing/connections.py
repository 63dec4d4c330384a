"""Saying how the platform of a shop is reached, and who speaks for it."""

from collections.abc import Sequence

from backend.channels.connectors import CHANNELS
from backend.channels.errors import UnknownShop
from backend.channels.shops import active_shops
from backend.db.errors import OutOfRange
from backend.db.pool import Database, Record, TenantTransaction
from backend.db.sql import load_queries
from backend.publishing.errors import UnknownConnector
from backend.publishing.model import Connection, ShopAccess
from tenants.principal import Permission, system_principal

SQL = load_queries(__file__)

CALLS_PER_SECOND, CALLS_PER_SECOND_MAX = 20, 1_000
"""What a platform is believed to take of a shop, unless it is said; it may refuse before."""
TEXT_LENGTH_MAX = 500
"""Of an address, a shop's name on its platform, or a token."""


async def connect_shop(
    tx: TenantTransaction,
    shop: str,
    *,
    kind: str,
    base_url: str,
    remote_shop: str,
    token: str,
    calls_per_second: int = CALLS_PER_SECOND,
) -> Connection:
    """Say how the platform of a shop is reached; from now on it is told the shop's numbers.

    Again with the same shop it replaces what was said before; where it names another platform, what
    was known of the one before is forgotten. Raises UnknownShop,
    UnknownConnector and OutOfRange; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    if kind not in CHANNELS:
        known = ", ".join(sorted(CHANNELS))
        raise UnknownConnector(f"There is no connector {kind!r}; there are {known}.")
    for name, text in (("baseUrl", base_url), ("remoteShop", remote_shop), ("token", token)):
        if not 0 < len(text) <= TEXT_LENGTH_MAX or not text.isprintable():
            raise OutOfRange(
                f"{name} has 1 to {TEXT_LENGTH_MAX} printable characters.", path=(name,)
            )
    if not 1 <= calls_per_second <= CALLS_PER_SECOND_MAX:
        raise OutOfRange(
            f"A platform takes 1 to {CALLS_PER_SECOND_MAX} calls a second.",
            path=("callsPerSecond",),
        )
    if not base_url.startswith(("http://", "https://")):
        raise OutOfRange("An address begins with https:// or http://.", path=("baseUrl",))
    found = (await active_shops(tx)).get(shop)
    if found is None:
        raise UnknownShop
    await tx.execute(SQL.forget_shown, tx.tenant_id, found.id, kind, base_url, remote_shop)
    await tx.execute(
        SQL.save_connection,
        tx.tenant_id,
        found.id,
        kind,
        base_url,
        remote_shop,
        token,
        calls_per_second,
    )
    return next(each for each in await list_connections(tx) if each.shop_id == found.id)


async def disconnect_shop(tx: TenantTransaction, shop: str) -> bool:
    """Tell the platform of a shop nothing more; returns whether it was told anything before."""
    tx.principal.require(Permission.NETWORK_WRITE)
    found = (await active_shops(tx)).get(shop)
    if found is None:
        raise UnknownShop
    return await tx.execute(SQL.end_connection, tx.tenant_id, found.id) > 0


async def list_connections(tx: TenantTransaction) -> list[Connection]:
    """Return how the shops are reached, by shop."""
    return [Connection(**row) for row in await tx.fetch(SQL.connections, tx.tenant_id)]


async def page_of_shown(
    tx: TenantTransaction, shop_id: int, after: int, limit: int
) -> list[Record]:
    """Return up to `limit` numbers that a platform shows, with SKU ids above `after`."""
    return await tx.fetch(SQL.page_of_shown, tx.tenant_id, shop_id, after, limit)


async def shown_by_keys(
    tx: TenantTransaction, keys: Sequence[tuple[int, ...]]
) -> dict[tuple[int, ...], Record]:
    """Return what platforms show, by shop and SKU."""
    columns = [[key[at] for key in keys] for at in range(2)]
    rows = await tx.fetch(SQL.shown_by_keys, tx.tenant_id, *columns)
    return {(row["shop_id"], row["sku_id"]): row for row in rows}


async def lease_connections(
    database: Database, tenant_id: int, owner: str, seconds: float
) -> list[ShopAccess]:
    """Speak for the shops of a brand that nobody speaks for, and go on for one's own."""
    principal = system_principal(tenant_id, "publisher")
    async with database.tenant_transaction(principal) as tx:
        rows = await tx.fetch(SQL.lease_connections, tenant_id, owner, seconds)
    return [ShopAccess(**row) for row in rows]


async def note_problem(
    database: Database, tenant_id: int, shop_id: int, problem: str | None
) -> None:
    """Leave word of a shop for a person, or take it back."""
    principal = system_principal(tenant_id, "publisher")
    async with database.tenant_transaction(principal) as tx:
        await tx.execute(SQL.store_problem, tenant_id, shop_id, problem)


async def give_back_connections(database: Database, tenant_id: int, owner: str) -> None:
    """Let other processes speak for the shops of this one."""
    principal = system_principal(tenant_id, "publisher")
    async with database.tenant_transaction(principal) as tx:
        await tx.execute(SQL.give_back_connections, tenant_id, owner)
