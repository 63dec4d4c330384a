"""Saying how a test's shops are reached."""

from typing import Any

from backend.db.pool import Database
from backend.publishing import connections as cases
from backend.publishing.model import Connection
from tenants.principal import Principal
from tests.channels.marketplace import TOKEN

ACCESS: dict[str, Any] = {
    "kind": "simulated",
    "base_url": "http://127.0.0.1:9",
    "remote_shop": "remote",
    "token": TOKEN,
}


async def connect(
    database: Database, who: Principal, shop: str = "shop", **changes: Any
) -> Connection:
    async with database.tenant_transaction(who) as tx:
        return await cases.connect_shop(tx, shop, **(ACCESS | changes))


async def disconnect(database: Database, who: Principal, shop: str = "shop") -> bool:
    async with database.tenant_transaction(who) as tx:
        return await cases.disconnect_shop(tx, shop)


async def listed(database: Database, who: Principal) -> list[Connection]:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await cases.list_connections(tx)
