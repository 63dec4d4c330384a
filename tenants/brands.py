"""The brands (tenants) themselves: what every process knows of them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from backend.db.errors import YipanError
from backend.db.pool import Database, TenantTransaction
from backend.db.sql import load_queries

SQL = load_queries(__file__)


class UnknownBrand(YipanError):
    """There is no such brand."""

    code = "UNKNOWN_BRAND"


class Brand(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant."""

    id: int
    group_id: int | None
    code: str
    name: str
    currency: str
    time_zone: str

    def today(self) -> date:
        """Return the day it is where the brand works: capacities are counted by it."""
        return self.local_time().date()

    def local_time(self) -> datetime:
        """Return the time it is where the brand works."""
        return datetime.now(ZoneInfo(self.time_zone))


async def today_of(tx: TenantTransaction) -> date:
    """Return the day it is where the tenant works."""
    found: date = await tx.fetch_value(SQL.today_of_brand, tx.tenant_id)
    return found


class BrandDirectory:
    """The brands by id; a brand never changes its currency or time zone, so each is read once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._brands: dict[int, Brand] = {}

    async def all(self) -> list[Brand]:
        """Return every brand, read anew."""
        async with self._database.platform_transaction(read_only=True) as tx:
            brands = [Brand(**row) for row in await tx.fetch(SQL.brands)]
        self._brands = {brand.id: brand for brand in brands}
        return brands

    async def find(self, code: str) -> Brand | None:
        """Return a brand by its code, None where there is none."""
        known = {brand.code: brand for brand in self._brands.values()}
        if code not in known:
            known = {brand.code: brand for brand in await self.all()}
        return known.get(code)

    async def get(self, tenant_id: int) -> Brand:
        """Return a brand; raises UnknownBrand."""
        if tenant_id not in self._brands:
            await self.all()
        if tenant_id not in self._brands:
            raise UnknownBrand
        return self._brands[tenant_id]
