"""What people do with agreements and price lists of a brand, in few words."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, Self

from backend.db.pool import Database, TenantTransaction
from backend.dropship import agreements, price_lists
from backend.dropship.model import Agreement, PriceLine, PriceList, PriceListDraft
from backend.network.regions.table import bundled_regions
from loadtests.waiting import until
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.dropship.dealing import BEGINNING, agreement
from tests.world import fresh_key

Work = Callable[[TenantTransaction], Awaitable[object]]

WAITS = "select count(*) from pg_locks where not granted"
PAGE = 100


class Papers:
    """A desk of somebody who may write them."""

    def __init__(self, database: Database, who: Principal) -> None:
        self.database = database
        self.who = who

    def of(self, who: Principal) -> Self:
        return type(self)(self.database, who)


class Agreements(Papers):
    """Agreements, by their codes."""

    async def save(self, code: str = "AG-1", *, key: str = "", **changes: Any) -> Agreement:
        one, regions = agreement(code, **changes), bundled_regions()
        async with self.database.tenant_transaction(self.who) as tx:
            return await agreements.save_agreement(tx, one, key=key or fresh_key(), regions=regions)

    async def approve(self, code: str = "AG-1", version: int = 1, *, key: str = "") -> Agreement:
        async with self.database.tenant_transaction(self.who) as tx:
            return await approving(code, version, key)(tx)

    async def bind(self, code: str = "AG-1", **changes: Any) -> Agreement:
        """Save one, and approve it."""
        saved = await self.save(code, **changes)
        return await self.approve(code, saved.version)

    async def discard(self, code: str = "AG-1", version: int = 1, *, key: str = "") -> Agreement:
        async with self.database.tenant_transaction(self.who) as tx:
            return await agreements.discard_agreement(tx, code, version, key=key or fresh_key())

    async def end(self, last_day: date, code: str = "AG-1", *, key: str = "") -> Agreement:
        async with self.database.tenant_transaction(self.who) as tx:
            return await agreements.end_agreement(tx, code, last_day, key=key or fresh_key())

    async def all(self, **given: Any) -> dict[str, Agreement]:
        async with self.database.tenant_transaction(self.who, read_only=True) as tx:
            found = await agreements.page_of_agreements(tx, 0, PAGE, **given)
        return {one.code: one for one in found}


class PriceLists(Papers):
    """Price lists, by their codes."""

    async def save(
        self, code: str = "PL-1", lines: Any = None, *, key: str = "", **changes: Any
    ) -> PriceList:
        one = price_list(code, lines, **changes)
        async with self.database.tenant_transaction(self.who) as tx:
            return await price_lists.save_price_list(tx, one, key=key or fresh_key())

    async def approve(self, code: str = "PL-1", version: int = 1, *, key: str = "") -> PriceList:
        async with self.database.tenant_transaction(self.who) as tx:
            return await approving_prices(code, version, key)(tx)

    async def bind(self, code: str = "PL-1", lines: Any = None, **changes: Any) -> PriceList:
        """Save one, and approve it."""
        saved = await self.save(code, lines, **changes)
        return await self.approve(code, saved.version)

    async def discard(self, code: str = "PL-1", version: int = 1, *, key: str = "") -> PriceList:
        async with self.database.tenant_transaction(self.who) as tx:
            return await price_lists.discard_price_list(tx, code, version, key=key or fresh_key())

    async def end(self, last_day: date, code: str = "PL-1", *, key: str = "") -> PriceList:
        async with self.database.tenant_transaction(self.who) as tx:
            return await price_lists.end_price_list(tx, code, last_day, key=key or fresh_key())

    async def all(self) -> dict[str, PriceList]:
        async with self.database.tenant_transaction(self.who, read_only=True) as tx:
            return {one.code: one for one in await price_lists.page_of_price_lists(tx, 0, PAGE)}

    async def prices(self, code: str = "PL-1") -> list[tuple[int, int]]:
        """Return what the list of a code has: prices and least resale prices, by SKU."""
        found = (await self.all()).get(code)
        async with self.database.tenant_transaction(self.who, read_only=True) as tx:
            rows = await price_lists.page_of_prices(tx, found.id if found else 0, 0, PAGE)
        return [(row["price_minor"], row["min_resale_minor"]) for row in rows]


def price_list(code: str = "PL-1", lines: Any = None, **changes: Any) -> PriceListDraft:
    """Return a list with prices by SKU: one for "A" where none is said."""
    priced = [
        PriceLine(sku=sku, price_minor=price) if isinstance(price, int) else price
        for sku, price in (lines or {"A": 600}).items()
    ]
    return PriceListDraft(**{"code": code, "starts_on": BEGINNING, "lines": priced, **changes})


def approving(code: str, version: int, key: str = "") -> Callable[..., Awaitable[Agreement]]:
    async def work(tx: TenantTransaction) -> Agreement:
        return await agreements.approve_agreement(
            tx, code, version, key=key or fresh_key(), regions=bundled_regions()
        )

    return work


def approving_prices(code: str, version: int, key: str = "") -> Callable[..., Awaitable[PriceList]]:
    async def work(tx: TenantTransaction) -> PriceList:
        return await price_lists.approve_price_list(tx, code, version, key=key or fresh_key())

    return work


async def overtaken(
    database: Database, admin: Connection, who: Principal, first: Work, second: Work
) -> object:
    """Let the second begin before the first commits, in a transaction that waits for the first's.

    Returns what the second came to, or was refused with.
    """

    async def apart() -> object:
        async with database.tenant_transaction(who) as tx:
            return await second(tx)

    async with database.tenant_transaction(who) as tx:
        await first(tx)
        late = asyncio.create_task(apart())
        await until(lambda: admin.fetchval(WAITS))
    return (await asyncio.gather(late, return_exceptions=True))[0]
