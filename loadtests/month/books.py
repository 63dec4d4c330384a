"""What is true of quotas and documents, whatever happened: counted again from their entries."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import msgspec

from backend.db.pool import Record
from backend.db.sql import Query, load_queries
from backend.documents.find import page_of_documents
from backend.documents.model import DocumentKind
from backend.orders.find_orders import NEWEST
from backend.orders.model import HoldKind
from loadtests.month.dealers import FIRST_OF_NEXT
from loadtests.month.month import Month
from loadtests.month.terms import Terms

SQL = load_queries(__file__)
STATEMENTS_MAX = 1_000
MAY_GO_BEYOND = {"limit_set", "increase_ended", "charged"}
"""What may leave less granted than is used; no order takes anything then."""


class Deal(NamedTuple):
    """By what a line was sold when it was first dealt with."""

    sku: str
    agreement: str
    price_minor: int
    account_id: int | None


class Replayed(NamedTuple):
    """What the entries of an account tell, one after another."""

    faults: list[str]
    beyond: list[str]
    """The types of those that left more used than granted."""


def replay(rows: Sequence[Mapping[str, Any]]) -> Replayed:
    """Look whether an order ever took beyond what was granted then, or of what was blocked."""
    granted = used = paid = 0
    due: defaultdict[date, int] = defaultdict(int)
    found = Replayed([], [])
    for row in rows:
        overdue = sum(amount for day, amount in due.items() if day < row["day"]) - paid
        was_beyond, is_taken = used > granted, row["type"] == "taken"
        granted, used = granted + row["granted_delta"], used + row["used_delta"]
        if row["type"] == "paid":
            paid -= row["used_delta"]
        if row["due_on"] is not None:
            due[row["due_on"]] += row["used_delta"]
        is_beyond = used > granted and (not was_beyond or is_taken)
        if is_beyond:
            found.beyond.append(row["type"])
        if (is_beyond and row["type"] not in MAY_GO_BEYOND) or (is_taken and overdue > 0):
            said = f"{row['type']} {row['id']}: {used} of {granted} used, {overdue} overdue"
            found.faults.append(said)
    return found


class Books:
    """Counts again what the product says of quotas, documents and terms."""

    def __init__(self, month: Month, terms: Terms) -> None:
        self._month = month
        self._terms = terms
        self._deals: dict[tuple[int, int], Deal] = {}
        self._late: set[str] = set()

    # ----------------------------------------------------------------------------- each round

    async def look(self, today: date) -> None:
        """Look whether who owes something that is overdue is blocked, and nobody else."""
        for row in await self._fetch(SQL.overdue_accounts, today):
            said = f"{row['code']} on {today}"
            if row["said_minor"] != row["overdue_minor"] and said not in self._late:
                self._month.faults.append(f"{said}: {row['said_minor']} is said to be overdue")
                self._late.add(said)
            if row["is_blocked"] != (row["overdue_minor"] > 0) and said not in self._late:
                how = "blocked" if row["is_blocked"] else "not blocked"
                self._month.faults.append(f"{said}: {how}, and {row['overdue_minor']} is overdue")
                self._late.add(said)

    async def look_at_deals(self, today: date, *, is_whole: bool) -> None:
        """Look at what is sold by prices of today: new orders. What is known keeps its terms."""
        known = max((order_id for order_id, _ in self._deals), default=0)
        month = self._month
        for row in await self._fetch(SQL.deals, 0 if is_whole else known):
            place = (row["order_id"], row["line_no"])
            deal = Deal(
                row["sku_code"],
                row["agreement"],
                row["dealer_price_minor"],
                row["quota_account_id"],
            )
            first = self._deals.setdefault(place, deal)
            if first != deal:
                month.faults.append(f"line {place} was sold by {first}, and is by {deal}")
                self._deals[place] = deal
            elif row["order_id"] > known:
                self._judge(place, deal, today)

    async def look_at_holds(self, today: date) -> None:
        """Look whether orders are still held for want of terms that are there."""
        for row in await self._fetch(SQL.held_for_terms):
            order = self._month.orders.get(row["order_id"])
            if order is None or order.planned.dealer is None:
                continue
            dealer = order.planned.dealer
            is_bound = self._terms.has_agreement(dealer, today)
            is_priced = all(self._terms.price(dealer, sku, today) for sku in row["skus"])
            if is_bound and (row["kind"] == HoldKind.AGREEMENT or is_priced):
                self._month.faults.append(f"{order.name} is held for {row['kind']} on {today}")

    def _judge(self, place: tuple[int, int], deal: Deal, today: date) -> None:
        order = self._month.orders.get(place[0])
        if order is None:
            return  # it replaces another one
        dealer = order.planned.dealer
        assert dealer is not None, "the brand's own orders are by no agreement"
        price = self._terms.price(dealer, deal.sku, today)
        is_its = deal.agreement.startswith(dealer.code)
        if price is None or price[0] != deal.price_minor or not is_its:
            self._month.faults.append(f"{order.name} is sold by {deal}; its price is {price}")

    # --------------------------------------------------------------------------- in the end

    async def close(self) -> dict[str, int]:
        """Check everything at the end; returns how much was checked."""
        accounts = await self._fetch(SQL.accounts_beside)
        entries = await self._fetch(SQL.entries_in_order)
        self._add_up(accounts)
        self._replay(entries)
        documents = await self._check_numbers()
        statements = await self._check_statements(entries)
        for row in await self._fetch(SQL.undocumented):
            self._month.faults.append(f"entry and document differ: {dict(row)}")
        return {
            "accounts that are the sum of their entries, and of their documents": len(accounts),
            "entries replayed, each with one document": len(entries),
            "documents, numbered without gaps": documents,
            "statements, as the entries say": statements,
            "lines that keep the terms they were sold by": len(self._deals),
        }

    def _add_up(self, accounts: Sequence[Record]) -> None:
        for row in accounts:
            has = (row["granted_minor"], row["used_minor"])
            for what in ("entries", "documents"):
                if has != (row[f"{what}_granted"], row[f"{what}_used"]):
                    self._month.faults.append(f"{row['code']} is not its {what}: {dict(row)}")

    def _replay(self, entries: Sequence[Record]) -> None:
        by_account: defaultdict[str, list[Record]] = defaultdict(list)
        for row in entries:
            by_account[row["code"]].append(row)
        for code, rows in by_account.items():
            replayed = replay([dict(row) for row in rows])
            self._month.faults += [f"{code}: {fault}" for fault in replayed.faults]
            for type_ in replayed.beyond:
                self._month.done[f"went beyond what is granted: {type_}"] += 1

    async def _check_numbers(self) -> int:
        rows = await self._fetch(SQL.numbers)
        for row in rows:
            if not (
                row["first"] == 1 and row["count"] == row["apart"] == row["last"] == row["given"]
            ):
                self._month.faults.append(f"numbers of documents have gaps: {dict(row)}")
        return sum(row["count"] for row in rows)

    async def _check_statements(self, entries: Sequence[Record]) -> int:
        """Look whether the statements of the month say what the entries of it add up to."""
        sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        for row in entries:
            if row["day"] < FIRST_OF_NEXT.date():
                sums[row["code"]][0] += row["granted_delta"]
                sums[row["code"]][1] += row["used_delta"]
        async with self._month.reading() as tx:
            found = await page_of_documents(tx, NEWEST, STATEMENTS_MAX, kind=DocumentKind.STATEMENT)
        for one in found:
            figures = {line.text: line.amount_minor for line in one.content.lines}
            said = [figures["granted after"], figures["used after"]]
            if said != sums.pop(dict(one.content.facts)["account"], None):
                self._month.faults.append(f"statement {one.code} says {said}")
        self._month.faults += [f"{code} has no statement" for code in sums]
        return len(found)

    async def marked(self) -> bytes:
        """Return what documents say, and accounts, without ids and times."""
        codes = {dealer_id: code for code, dealer_id in self._month.ids.items()}
        told = []
        for row in await self._fetch(SQL.documents_marked):
            told.append([codes[row["dealer_id"]], *(v for k, v in row.items() if k != "dealer_id")])
        for row in await self._fetch(SQL.accounts_beside):
            told.append([row["code"], row["granted_minor"], row["used_minor"]])
        return msgspec.json.encode(told)

    async def _fetch(self, query: Query, *given: object) -> list[Record]:
        async with self._month.reading() as tx:
            return await tx.fetch(query, tx.tenant_id, *given)
