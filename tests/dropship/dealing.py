"""A brand that deals with dealer d1: its agreements, prices and quotas, and orders of its shop.

Every unit costs its dealer 600 and sells for 1,000.
"""

from datetime import date, timedelta
from typing import Any, NamedTuple

from backend.audit.audit import audit
from backend.db.pool import Database
from backend.dropship import agreements, price_lists
from backend.dropship.model import (
    Agreement,
    AgreementDraft,
    PriceLine,
    PriceList,
    PriceListDraft,
    Profile,
)
from backend.dropship.profiles import set_profile
from backend.dropship.quotas import accounts
from backend.dropship.quotas.model import AccountDraft, QuotaAccount, QuotaKind
from backend.inventory.counters import Counters
from backend.network.regions.table import bundled_regions
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.model import Outcome, Placed
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants.brands import Brand
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.orders.checks import placed
from tests.world import World, draft, fresh_key, paid

BEGINNING = date(2020, 1, 1)
PRICE, RETAIL = 600, 1_000

HOLDS = """
    select kind from order_hold where order_id = $1 and released_at is null order by hold_no
"""
UNITS = """
    select sum(reserved)::bigint, sum(backordered)::bigint, sum(held)::bigint,
           sum(cancelled)::bigint
    from order_line where order_id = $1
"""


class Units(NamedTuple):
    """How an order's units stand."""

    reserved: int = 0
    backordered: int = 0
    held: int = 0
    cancelled: int = 0


async def approve(database: Database, who: Principal, one: AgreementDraft) -> Agreement:
    """Save an agreement and approve it."""
    regions = bundled_regions()
    async with database.tenant_transaction(who) as tx:
        saved = await agreements.save_agreement(tx, one, key=fresh_key(), regions=regions)
    async with database.tenant_transaction(who) as tx:
        return await agreements.approve_agreement(
            tx, saved.code, saved.version, key=fresh_key(), regions=regions
        )


async def approve_prices(database: Database, who: Principal, one: PriceListDraft) -> PriceList:
    """Save a price list and approve it."""
    async with database.tenant_transaction(who) as tx:
        saved = await price_lists.save_price_list(tx, one, key=fresh_key())
    async with database.tenant_transaction(who) as tx:
        return await price_lists.approve_price_list(tx, saved.code, saved.version, key=fresh_key())


def agreement(code: str = "AG-1", **changes: Any) -> AgreementDraft:
    values: dict[str, Any] = {"code": code, "dealer": "d1", "starts_on": BEGINNING}
    return AgreementDraft(**values | changes)


def prices(code: str = "PL-1", price: int = PRICE, **changes: Any) -> PriceListDraft:
    """Return a price list that has all SKUs of the world at a price."""
    least = changes.pop("least", 0)
    lines = [
        PriceLine(sku=sku, price_minor=price, min_resale_minor=least)
        for sku in changes.pop("skus", ("A", "B", "C"))
    ]
    values: dict[str, Any] = {"code": code, "starts_on": BEGINNING, "lines": lines}
    return PriceListDraft(**values | changes)


class Dealing:
    """One process of a brand and its dealer."""

    def __init__(self, runtime: Runtime, world: World, admin: Connection) -> None:
        self.runtime = runtime
        self.world = world
        self.admin = admin

    @property
    def database(self) -> Database:
        return self.runtime.database

    async def brand(self) -> Brand:
        return await self.runtime.brands.get(self.world.tenant_id)

    async def warm(self) -> None:
        """Have the brand's counters warm, so that admission takes them."""
        await until(lambda: self.runtime.admission.ensure_warm(self.world.tenant_id))

    async def agree(self, code: str = "AG-1", **changes: Any) -> Agreement:
        return await approve(self.database, self.world.brand, agreement(code, **changes))

    async def price(self, code: str = "PL-1", price: int = PRICE, **changes: Any) -> PriceList:
        return await approve_prices(self.database, self.world.brand, prices(code, price, **changes))

    async def end(self, code: str, last_day: date) -> None:
        async with self.database.tenant_transaction(self.world.brand) as tx:
            await agreements.end_agreement(tx, code, last_day, key=fresh_key())

    async def profile(self, **changes: Any) -> None:
        profile = Profile(dealer_id=self.world.dealers["d1"], **changes)
        async with self.database.tenant_transaction(self.world.brand) as tx:
            await set_profile(tx, profile, key=fresh_key())

    async def credit(self, limit: int, code: str = "Q-1", **changes: Any) -> QuotaAccount:
        kind = QuotaKind.CREDIT
        one = AccountDraft(code=code, dealer="d1", kind=kind, limit_minor=limit, **changes)
        async with self.database.tenant_transaction(self.world.brand) as tx:
            return await accounts.open_account(tx, one, key=fresh_key())

    async def prepaid(self, amount: int, code: str = "Q-1") -> QuotaAccount:
        one = AccountDraft(code=code, dealer="d1", kind=QuotaKind.PREPAID)
        async with self.database.tenant_transaction(self.world.brand) as tx:
            await accounts.open_account(tx, one, key=fresh_key())
        return await self.top_up(amount, code)

    async def top_up(self, amount: int, code: str = "Q-1") -> QuotaAccount:
        async with self.database.tenant_transaction(self.world.brand) as tx:
            found = await accounts.top_up(tx, code, amount, fresh_key(), key=fresh_key())
        await self.tell(found)
        return found

    async def limit(self, amount: int, code: str = "Q-1") -> QuotaAccount:
        async with self.database.tenant_transaction(self.world.brand) as tx:
            found = await accounts.set_limit(tx, code, amount, key=fresh_key())
        await self.tell(found)
        return found

    async def tell(self, account: QuotaAccount) -> None:
        """Publish a changed account as the API does."""
        counters = Counters(quotas=[account.at])
        await self.runtime.publish_counters(self.world.tenant_id, counters)

    async def settle(self) -> int:
        """Let go what may, and give it what there is; returns how many orders went."""
        brand = await self.brand()
        went, counters = await self.runtime.dealing.settle(brand)
        await self.runtime.publish_counters(self.world.tenant_id, counters)
        await self.runtime.settle()
        return went

    async def account(self, code: str = "Q-1") -> QuotaAccount:
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            return await accounts.account_by_code(tx, code)

    async def used(self, code: str = "Q-1") -> int:
        return (await self.account(code)).used_minor

    async def sell(self, units: int = 1, sku: str = "A", **changes: Any) -> Outcome:
        """Let the dealer place an order that is not paid."""
        order = draft({sku: units}, shop="dshop", **changes)
        return await self.runtime.intake.place(order, self.world.dealer)

    async def sold(self, units: int = 1, sku: str = "A", **changes: Any) -> Placed:
        """Let a paid order of the dealer's shop come in."""
        order = paid(fresh_key(), {sku: units}, shop="dshop", **changes)
        return placed(await self.runtime.intake.place(order, self.world.brand))

    async def held_for(self, order: Placed) -> list[str]:
        return [row["kind"] for row in await self.admin.fetch(HOLDS, order.order_id)]

    async def units(self, order: Placed) -> Units:
        row = await self.admin.fetchrow(UNITS, order.order_id)
        assert row is not None
        return Units(*row)

    async def assert_clean(self) -> None:
        await self.runtime.settle()
        runtime = self.runtime
        report = await audit(
            runtime.database, runtime.admission, runtime.counters, self.world.tenant_id
        )
        assert report.differences == []


YESTERDAY = date.today() - timedelta(days=2)
"""Over, wherever one is."""


async def cancel(dealing: Dealing, order: Placed, units: int | None = None) -> None:
    """Cancel an order, or units of its first line."""
    lines = None if units is None else [CancelLine(1, units)]
    who = dealing.world.brand
    done = await cancel_order(dealing.database, who, order.order_id, lines, fresh_key())
    await dealing.runtime.publish_counters(dealing.world.tenant_id, done.counters)
    await dealing.runtime.settle()
