"""The audit: every counter recomputed from what caused it.

Levels, earmarks, receipts and transfers from their movements, reserved units from the orders,
capacities and slots from the fulfilments, all in one repeatable-read snapshot, so traffic may run;
then Valkey's counters, each compared at equal version. (One that says the same at an earlier
version is right: an earmark that is used up no longer follows its level.) A difference is a defect
of ours: the report names it, and the command exits non-zero.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from backend.admission.admission import Admission
from backend.admission.model import Base
from backend.admission.valkey import ValkeyAway
from backend.db.pool import Database
from backend.db.sql import load_queries
from backend.inventory.counters import CounterReader
from tenants.principal import system_principal

SQL = load_queries(__file__)

DIFFERENCES_MAX = 1_000
"""Differences listed of each kind; one is as bad as a thousand."""
COUNTER_CHUNK = 5_000
READ_AGAIN_MAX = 20
"""Times that a counter which moved in between is read again."""
READ_AGAIN_SECONDS = 0.1

CHECKS = {
    "level_is_not_its_movements": SQL.level_differences,
    "reserved_is_not_the_orders": SQL.reserved_differences,
    "line_is_not_its_reservations": SQL.line_differences,
    "earmark_is_not_its_movements": SQL.earmark_differences,
    "level_is_not_its_earmarks": SQL.earmarked_differences,
    "allotment_is_not_the_orders": SQL.allotment_differences,
    "capacity_is_not_its_parcels": SQL.capacity_differences,
    "slot_is_not_its_visits": SQL.slot_differences,
    "appointment_is_half_booked": SQL.half_booked_appointments,
    "oversold": SQL.oversold_levels,
    "supply_is_not_its_movements": SQL.supply_differences,
    "pick_is_not_its_movements": SQL.pick_differences,
    "transfer_is_not_its_movements": SQL.transfer_differences,
    "shipped_is_not_its_movements": SQL.shipped_differences,
    "intercept_of_nothing": SQL.idle_intercepts,
    "hold_of_nothing": SQL.idle_holds,
    "pickup_is_not_its_order": SQL.pickup_differences,
    "return_is_not_its_movements": SQL.return_differences,
    "refund_is_more_than_was_paid": SQL.refund_differences,
    "quota_is_not_its_entries": SQL.quota_differences,
    "quota_is_not_the_orders": SQL.order_quota_differences,
}


class AuditReport(msgspec.Struct, kw_only=True):
    """What an audit of a tenant found."""

    tenant_id: int
    levels: int
    reservations: int
    lines: int
    counters_compared: int = 0
    counters_cold: int = 0
    """Not known to Valkey, or Valkey away: nothing to compare."""
    differences: list[dict[str, Any]] = []


async def audit(
    database: Database, admission: Admission, counters: CounterReader, tenant_id: int
) -> AuditReport:
    """Check everything of a tenant from the beginning; takes no locks."""
    principal = system_principal(tenant_id, "audit")
    async with database.tenant_transaction(
        principal, read_only=True, isolation="repeatable_read"
    ) as tx:
        counted = await tx.fetch_row(SQL.count_checked, tenant_id)
        assert counted is not None, "an aggregate has one row"
        report = AuditReport(tenant_id=tenant_id, **counted, differences=[])
        for kind, query in CHECKS.items():
            for row in await tx.fetch(query, tenant_id, DIFFERENCES_MAX):
                report.differences.append(
                    {"kind": kind, **{name: _plain(value) for name, value in row.items()}}
                )
    await _compare_counters(admission, counters, report)
    return report


async def _compare_counters(
    admission: Admission, counters: CounterReader, report: AuditReport
) -> None:
    """Compare Valkey with PostgreSQL, counter by counter, at equal version."""
    try:
        if not await admission.ensure_warm(report.tenant_id):
            return
        async for bases in counters.all_counters(report.tenant_id):
            for first in range(0, len(bases), COUNTER_CHUNK):
                part = bases[first : first + COUNTER_CHUNK]
                await _compare_chunk(admission, counters, part, report)
    except ValkeyAway:
        return


async def _compare_chunk(
    admission: Admission, counters: CounterReader, bases: Sequence[Base], report: AuditReport
) -> None:
    tenant_id = report.tenant_id
    left = list(bases)
    for _ in range(READ_AGAIN_MAX):
        known = await admission.look(tenant_id, [base.counter for base in left])
        moved = []
        for base, stored in zip(left, known, strict=True):
            is_same = stored is not None and stored[0] == base.free
            if stored is None:
                report.counters_cold += 1
            elif stored[1] != base.version and not (stored[1] < base.version and is_same):
                moved.append(base.counter)
            else:
                report.counters_compared += 1
                if not is_same:
                    report.differences.append(
                        {
                            "kind": "valkey_differs",
                            "counter": base.counter,
                            "version": base.version,
                            "free": base.free,
                            "valkey": stored[0],
                        }
                    )
        if not moved:
            return
        await asyncio.sleep(READ_AGAIN_SECONDS)
        left = await counters.read(tenant_id, moved)
    for base in left:
        report.differences.append(
            {"kind": "valkey_lags", "counter": base.counter, "version": base.version}
        )


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str | None) else str(value)
