"""What is true of a month when it is over, and what has happened in it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from backend.audit.audit import audit
from backend.db.sql import load_queries
from backend.orders.model import HoldKind
from loadtests.month.books import Books
from loadtests.month.dealers import FIRST_OF_NEXT, SCARCE
from loadtests.month.month import Month
from loadtests.month.sight import Sight
from loadtests.month.terms import Terms
from loadtests.week.week import FINAL

SQL = load_queries(__file__)
STANDS_AT_MOST = timedelta(days=5)
"""What nobody holds goes on from day to day."""
FOR_PEOPLE = {"assortment", "territory", "resale_price", "sku_unknown", "address_unresolved"}
"""What somebody of the brand decides on, when it looks at it: not before the next morning."""


def reason_of(row: Mapping[str, Any], *, is_short: bool, is_bound: bool) -> str:
    """Return why an order has not ended; nothing where nobody knows, or where it is not so.

    It is short where the quotas that it needs have too little left, bound where an agreement with
    its dealer is in force.
    """
    for hold in row["holds"]:
        if hold == HoldKind.QUOTA:
            return "waits for quota, of which too little is left" if is_short else ""
        if hold == HoldKind.AGREEMENT:
            return "" if is_bound else "held: no agreement is in force"
        if hold in FOR_PEOPLE:
            return f"held: {hold}, and the brand has not let it go"
        return "" if hold == HoldKind.DEALER_PRICE else f"held: {hold}"
    if row["waiting"]:
        is_scarce = set(row["waits_for"]) <= set(SCARCE)
        return "waits for stock of which there is too little" if is_scarce else ""
    if row["standing"] and FIRST_OF_NEXT - row["since"] < STANDS_AT_MOST:
        return f"in a node, or on its way: {', '.join(row['standing'])}"
    return ""


class Judge:
    """Measures the month beside the product, and says at its end what is wrong."""

    def __init__(self, month: Month, terms: Terms, database_url: str) -> None:
        self._month = month
        self._terms = terms
        self._books = Books(month, terms)
        self._sight = Sight(month, database_url)

    async def look(self, *, is_day_over: bool) -> None:
        """Look at how it stands at the end of a round; at all of it when the day is over."""
        today = (await self._month.runtime.brands.get(self._month.tenant_id)).today()
        await self._books.look(today)
        await self._books.look_at_deals(today, is_whole=is_day_over)
        if is_day_over:
            await self._books.look_at_holds(today)

    async def report(self) -> tuple[list[str], str]:
        """Return the lines that say how the month was, and its mark; faults join the others."""
        month = self._month
        checked = await self._books.close()
        lines = _table("what was done", month.done)
        counted: defaultdict[str, dict[str, int]] = defaultdict(dict)
        async with month.reading() as tx:
            for row in await tx.fetch(SQL.counted, tx.tenant_id):
                counted[row["what"]][row["status"]] = row["number"]
        for what, counts in sorted(counted.items()):
            lines += _table(what, counts)
        lines += _table("orders that have not ended", await self._explained())
        lines += _table("checked", checked | dict(await self._sight.check()))
        lines += _table("the audit", await self._audit())
        self._miss(counted)
        content = "\n".join(lines).encode() + await self._books.marked()
        return lines, hashlib.sha256(content).hexdigest()[:16]

    async def _audit(self) -> Mapping[str, int]:
        month, runtime = self._month, self._month.runtime
        found = await audit(runtime.database, runtime.admission, runtime.counters, month.tenant_id)
        month.faults += [f"the audit found {difference}" for difference in found.differences]
        return {
            "levels": found.levels,
            "reservations": found.reservations,
            "lines": found.lines,
            "differences": len(found.differences),
        }

    async def _explained(self) -> Counter[str]:
        """Return why orders have not ended; who has no reason, or a wrong one, is a fault."""
        month = self._month
        ended = [one.value for one in FINAL]
        async with month.reading() as tx:
            rows = await tx.fetch(SQL.unended_orders, tx.tenant_id, ended)
            waiting = await tx.fetch(SQL.waiting_orders, tx.tenant_id)
            accounts = await tx.fetch(SQL.quotas_left, tx.tenant_id)
        left = {row["id"]: row["left_minor"] for row in accounts}
        short = {
            row["order_id"]
            for row in waiting
            if row["needed_minor"] > left.get(row["account_id"], 0)
        }
        reasons: Counter[str] = Counter()
        for row in rows:
            reason = self._reason(dict(row), short)
            if not reason:
                month.faults.append(f"nobody knows why {row['external_id']} is {dict(row)}")
            reasons[reason] += 1
        return reasons

    def _reason(self, row: Mapping[str, Any], short: set[int]) -> str:
        today = self._month.date_of(self._month.days)
        dealers = {self._month.ids[one.code]: one for one in self._month.dealers}
        dealer = dealers.get(row["dealer_id"])
        is_bound = dealer is None or self._terms.has_agreement(dealer, today)
        return reason_of(row, is_short=row["id"] in short, is_bound=is_bound)

    def _miss(self, counted: Mapping[str, Mapping[str, int]]) -> None:
        """Say what never happened although it is of a month."""
        month = self._month
        month.faults += [f"never happened: {what}" for what in HAPPENS if not month.done[what]]
        for what, kinds in THERE.items():
            there = counted.get(what, {})
            month.faults += [f"there are no {what}: {one}" for one in kinds if not there.get(one)]


HAPPENS = (
    "accounts: credit",
    "accounts: prepaid",
    "agreements approved",
    "agreements discarded",
    "agreements ended",
    "agreements replaced",
    "at once: a payment told twice",
    "blocked accounts paid",
    "called off: agreement",
    "cancelled",
    "cancelled in part",
    "charged by hand",
    "claimed: missing",
    "credited by hand",
    "dealers suspended",
    "dealers that left the platform",
    "deposits: deducted",
    "deposits: paid",
    "deposits: refunded",
    "edited: less of it",
    "edited: more of it",
    "edited: to another address",
    "exchanges asked for",
    "increased for a while",
    "inspected: defective",
    "inspected: denied",
    "inspected: good",
    "limits lowered below what is used",
    "limits raised",
    "not found by its node",
    "orders that waited for quota, and went",
    "orders told twice",
    "paid",
    "paid out",
    "placed: of the brand",
    "placed: paid",
    "placed: paid, of a dealer that left the platform",
    "placed: unpaid",
    "price lists approved",
    "price lists ended",
    "put by for a day",
    "refused at the door",
    "refused: BELOW_RESALE_PRICE",
    "refused: NOT_AUTHORISED",
    "refused: NOT_IN_ASSORTMENT",
    "refused: NO_DEALER_AGREEMENT",
    "refused: OUTSIDE_TERRITORY",
    "refused: QUOTA_EXCEEDED",
    "refused: a deposit refunded twice",
    "refused: a payment told twice",
    "refused: a second agreement of the same goods",
    "refused: a second price list for the same dealers",
    "refused: a version not read",
    "refused: an edit to outside the territory",
    "refused: another SKU of a dealer's order",
    "refused: more of a deposit than there is",
    "refused: more paid out than is left",
    "refused: taken back twice",
    "released: address_unresolved",
    "released: assortment",
    "released: resale_price",
    "released: sku_unknown",
    "released: territory",
    "stopped by its node",
    "taken back by hand",
    "times that some went, and others still wait",
    "topped up",
    "went beyond what is granted: limit_set",
)
"""Of what is done, all of this is done in every month."""
THERE: Mapping[str, Sequence[str]] = {
    "quota entries": (
        "opened", "limit_set", "increased", "increase_ended", "topped_up", "paid_out", "paid",
        "taken", "given_back", "returned", "charged", "credited",
    ),
    "documents": (
        "dropship_order", "delivery_note", "return_note", "credit_note", "debit_note",
        "quota_note", "receipt", "deposit_receipt", "statement",
    ),
    "holds of orders": (
        "agreement", "assortment", "territory", "dealer_price", "resale_price", "quota",
        "sku_unknown", "address_unresolved", "manual",
    ),
    "holds that are over": (
        "agreement, by itself", "dealer_price, by itself", "quota, by itself",
        "assortment, by the brand", "territory, by the brand", "resale_price, by the brand",
    ),
    "told": ("a quota is blocked", "a quota is blocked no more", "a quota runs low, or no more"),
}  # fmt: skip
"""What there is at the end of every month."""


def _table(title: str, counts: Any) -> list[str]:
    rows: Sequence[tuple[str, int]] = sorted(counts.items())
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{title}:", *(f"  {name:<{width}}  {count:>10,}" for name, count in rows)]
