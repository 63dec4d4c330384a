"""Whether each dealer sees what is its own, all of it, and nothing of anybody else."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import Query, load_queries
from backend.documents.find import documents_by_ids, page_of_documents
from backend.dropship.agreements import agreements_by_ids, page_of_agreements
from backend.dropship.deposits import deposits
from backend.dropship.price_lists import page_of_price_lists, page_of_prices, price_lists_by_ids
from backend.dropship.profiles import profiles
from backend.dropship.quotas.accounts import accounts_by_ids, page_of_accounts, page_of_entries
from backend.orders.find_orders import NEWEST, orders_by_ids, page_of_orders
from loadtests.month.dealers import Dealer
from loadtests.month.month import Month

SQL = load_queries(__file__)
ALL = 1_000_000

Lookup = Callable[[TenantTransaction, Sequence[int]], Awaitable[Any]]
BY_IDS: dict[str, Lookup] = {
    "quota_account": accounts_by_ids,
    "document": documents_by_ids,
    "dealer_agreement": agreements_by_ids,
    "dealer_price_list": price_lists_by_ids,
    "orders": orders_by_ids,
}
"""Finding things by ids, of which a dealer may have heard."""


def rows_of(table: str) -> Query:
    """Return the query that counts the rows of a table."""
    query = SQL.rows_of_orders
    return query._replace(text=query.text.replace("from orders", f"from {table}"))


class Sight:
    """Reads as each dealer, through the door and by the lists, and counts as the owner."""

    def __init__(self, month: Month, database_url: str) -> None:
        self._month = month
        self._database_url = database_url
        self._tables: list[str] = []

    async def check(self) -> Counter[str]:
        """Return how much was read; what is wrong joins the faults."""
        checked: Counter[str] = Counter()
        owner = await asyncpg.connect(self._database_url)  # door-ok: counts past all policies
        try:
            rows = await owner.fetch(SQL.tables_with_dealers.text)
            self._tables = [row["name"] for row in rows]
            ids = await self._all_ids(owner)
            for dealer in self._month.dealers:
                await self._check_tables(owner, dealer, checked)
                await self._check_lists(owner, dealer, checked)
                await self._check_ids(dealer, ids, checked)
        finally:
            await owner.close()
        return checked

    async def _check_tables(
        self, owner: asyncpg.Connection, dealer: Dealer, checked: Counter[str]
    ) -> None:
        month = self._month
        given = (month.tenant_id, month.ids[dealer.code])
        async with self._reading(dealer) as tx:
            for name in self._tables:
                query = rows_of(name)
                there = await owner.fetchrow(query.text, *given)
                seen = await tx.fetch_row(query, *given)
                assert there is not None, "a count has one row"
                assert seen is not None, "a count has one row"
                if not seen["seen"] == seen["own"] == there["own"]:
                    month.faults.append(f"{dealer.code} sees of {name} {dict(seen)}")
                checked["tables read as dealers"] += 1
                checked["rows of them"] += seen["seen"]

    async def _check_lists(
        self, owner: asyncpg.Connection, dealer: Dealer, checked: Counter[str]
    ) -> None:
        month, dealer_id = self._month, self._month.ids[dealer.code]
        there = await owner.fetchrow(SQL.listed_rows.text, month.tenant_id, dealer_id)
        async with self._reading(dealer) as tx:
            accounts = await page_of_accounts(tx, 0, ALL)
            entries = [e for a in accounts for e in await page_of_entries(tx, a.id, NEWEST, ALL)]
            lists = await page_of_price_lists(tx, 0, ALL)
            orders = await page_of_orders(tx, status=None, shop_id=None, before=NEWEST, limit=ALL)
            found: dict[str, Sequence[Any]] = {
                "accounts": accounts,
                "entries": entries,
                "documents": await page_of_documents(tx, NEWEST, ALL),
                "agreements": await page_of_agreements(tx, 0, ALL),
                "price_lists": lists,
                "orders": orders,
            }
            others = [one.dealer_id for one in await deposits(tx)]
            others += [one.dealer_id for one in (await profiles(tx)).values()]
        for name, rows in found.items():
            is_own = all(_dealer_of(row) == dealer_id for row in rows)
            if not is_own or there is None or len(rows) != there[name]:
                month.faults.append(f"{dealer.code} is shown {len(rows)} {name}, not {there}")
            checked["rows of lists shown to dealers"] += len(rows)
        if others != [dealer_id] * 2:
            month.faults.append(f"{dealer.code} is shown other deposits or profiles: {others}")

    async def _check_ids(
        self, dealer: Dealer, ids: dict[str, list[Record]], checked: Counter[str]
    ) -> None:
        """Ask, as a dealer, for what is not its own by all ids that there are."""
        month, dealer_id = self._month, self._month.ids[dealer.code]
        async with self._reading(dealer) as tx:
            for name, find in BY_IDS.items():
                foreign = [row["id"] for row in ids[name] if row["dealer_id"] != dealer_id]
                if await find(tx, foreign):
                    month.faults.append(f"{dealer.code} finds other dealers' {name} by their ids")
                checked["ids of others asked for by dealers"] += len(foreign)
            for row in ids["quota_account"]:
                is_shown = bool(await page_of_entries(tx, row["id"], NEWEST, 1))
                if row["dealer_id"] != dealer_id and is_shown:
                    month.faults.append(f"{dealer.code} reads entries of account {row['id']}")
            for row in ids["dealer_price_list"]:
                is_shown = bool(await page_of_prices(tx, row["id"], 0, 1))
                if row["dealer_id"] != dealer_id and is_shown:
                    month.faults.append(f"{dealer.code} reads prices of list {row['id']}")

    async def _all_ids(self, owner: asyncpg.Connection) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {name: [] for name in BY_IDS}
        for row in await owner.fetch(SQL.ids_of_all.text, self._month.tenant_id):
            found[row["name"]].append(row)
        return found

    def _reading(self, dealer: Dealer) -> Any:
        month = self._month
        return month.database.tenant_transaction(month.as_dealer(dealer), read_only=True)


def _dealer_of(row: Any) -> int | None:
    found: int | None = row["dealer_id"] if isinstance(row, Record) else row.dealer_id
    return found
