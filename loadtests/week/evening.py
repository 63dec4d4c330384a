"""What is true of a week when it is over: every order ended or explained, every breach told."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from backend.audit.audit import audit
from backend.db.pool import Record
from backend.db.sql import Query, load_queries
from backend.fulfilment.waves import BEFORE_ITS_DAY
from backend.inventory.levels import database_time
from backend.orders.model import FulfilmentStatus
from loadtests.week.brand import DEADLINES
from loadtests.week.week import FINAL, Week

SQL = load_queries(__file__)


class Judge:
    """Measures the week beside the product, and says at its end what is wrong."""

    def __init__(self, week: Week) -> None:
        self._week = week
        self._late: set[tuple[int, int, str]] = set()
        self._limits = {
            (one.status.value, one.node_kind): one.late_minutes * 60 for one in DEADLINES
        }

    async def look(self) -> None:
        """See what stands too long now: by our own arithmetic, not the product's."""
        week = self._week
        local = (await week.runtime.brands.get(week.tenant_id)).local_time()
        async with week.reading() as tx:
            now = await database_time(tx)
            rows = await tx.fetch(SQL.standing, tx.tenant_id, (local + BEFORE_ITS_DAY).date())
        for row in rows:
            if self._is_late(row, now):
                self._late.add((row["order_id"], row["fulfilment_no"], row["status"]))

    def _is_late(self, row: Record, now: datetime) -> bool:
        status, kind = row["status"], self._week.nodes[row["node_id"]].kind
        seconds = self._limits.get((status, kind), self._limits.get((status, None)))
        return seconds is not None and (now - row["since"]).total_seconds() >= seconds

    async def report(self) -> list[str]:
        """Return the lines that say how the week was; what is wrong joins its faults."""
        week, lines = self._week, []
        lines += _table("what was done", week.done)
        counted: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for row in await self._fetch(SQL.counted):
            counted[row["what"]][row["status"]] = row["number"]
        for what, counts in sorted(counted.items()):
            lines += _table(what, counts)
        lines += _table("orders that have not ended", await self._explained())
        today = (await week.runtime.brands.get(week.tenant_id)).today()
        week.faults += [
            f"{row['external_id']} was to be {row['what']}, and nobody says anything"
            for row in await self._fetch(SQL.overdue_visits, today)
        ]
        lines += _table("steps that lasted too long, and were told", await self._told())
        lines += _table("money, in fen", await self._money())
        runtime = week.runtime
        found = await audit(runtime.database, runtime.admission, runtime.counters, week.tenant_id)
        week.faults += [f"the audit found {difference}" for difference in found.differences]
        checked = {
            "levels": found.levels,
            "reservations": found.reservations,
            "lines": found.lines,
            "differences": len(found.differences),
        }
        return lines + _table("the audit", checked)

    async def _fetch(self, query: Query, *given: object) -> list[Record]:
        async with self._week.reading() as tx:
            return await tx.fetch(query, tx.tenant_id, *given)

    async def _explained(self) -> Counter[str]:
        """Return why orders have not ended; who has no reason is a fault."""
        today = (await self._week.runtime.brands.get(self._week.tenant_id)).today()
        ended = [one.value for one in FINAL]
        rows = await self._fetch(SQL.open_orders, ended, today)
        reasons: Counter[str] = Counter()
        for row in rows:
            reason = reason_of(dict(row))
            if not reason:
                self._week.faults.append(
                    f"nobody knows why {row['external_id']} is {row['status']}"
                )
            reasons[reason] += 1
        return reasons

    async def _told(self) -> Counter[str]:
        """Return what was told to be late, by step; it is exactly what we have seen."""
        rows = await self._fetch(SQL.told_late)
        told = {(row["order_id"], row["number"], row["status"]) for row in rows}
        self._week.faults += [f"not told to be late: {one}" for one in sorted(self._late - told)]
        self._week.faults += [f"told to be late: {one}" for one in sorted(told - self._late)]
        return Counter(status for _, _, status in told)

    async def _money(self) -> dict[str, int]:
        rows = await self._fetch(SQL.paid_back)
        for row in rows:
            if row["owed_minor"] > row["paid_minor"]:
                self._week.faults.append(f"more is paid back of {row['external_id']} than was paid")
        return {
            "owed back": sum(row["owed_minor"] for row in rows),
            "paid back": sum(row["paid_back_minor"] for row in rows),
        }


def reason_of(row: Mapping[str, Any]) -> str:
    """Return why an order has not ended: nothing where nobody knows."""
    if row["holds"]:
        return f"held: {', '.join(row['holds'])}"
    if row["pickup"] not in (None, "sent", "handed_over", "expired", "cancelled"):
        return f"to be fetched: {row['pickup']}"
    if row["waiting"]:
        when = "from a supply" if row["expected_on"] else "from nowhere yet"
        return f"waits for stock, {when}"
    if "exception" in row["parcels"]:
        return "its carrier is in trouble with it"
    standing = [status for status in row["standing"] if status != FulfilmentStatus.SHIPPED]
    if row["visit"] and standing == [FulfilmentStatus.RESERVED]:
        return "its visit is to come"
    if standing:
        return f"in a node: {', '.join(standing)}"
    return "on its way" if row["standing"] else ""


def _table(title: str, counts: Any) -> list[str]:
    rows: Sequence[tuple[str, int]] = sorted(counts.items())
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{title}:", *(f"  {name:<{width}}  {count:>10,}" for name, count in rows)]
