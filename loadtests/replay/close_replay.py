"""The end of a replay: what stands in the database, and whether it all adds up."""

from backend.audit.audit import audit
from backend.orders.find_orders import fulfilments_of_orders, lines_of_orders
from backend.runtime import Runtime
from loadtests.replay.report import ReplayReport, Tally
from tenants.principal import Principal

ORDERS_AT_ONCE = 500


async def close_replay(runtime: Runtime, principal: Principal, tally: Tally) -> ReplayReport:
    """Count what stands in the end, audit it, and return the report."""
    await runtime.settle()
    with tally.timed("counting"):
        await _count(runtime, principal, tally)
    with tally.timed("auditing"):
        audited = await audit(
            runtime.database, runtime.admission, runtime.counters, principal.tenant_id
        )
    tally.report.audit_counters_compared = audited.counters_compared
    tally.report.audit_differences = len(audited.differences)
    return tally.finish()


async def _count(runtime: Runtime, principal: Principal, tally: Tally) -> None:
    """Count the parcels that stand and the lines that still wait."""
    report, sent = tally.report, 0
    for first in range(0, len(tally.order_ids), ORDERS_AT_ONCE):
        ids = tally.order_ids[first : first + ORDERS_AT_ONCE]
        async with runtime.database.tenant_transaction(principal, read_only=True) as tx:
            parcels = await fulfilments_of_orders(tx, ids)
            lines = await lines_of_orders(tx, ids)
        for rows in parcels.values():
            standing = sum(row["status"] == "reserved" for row in rows)
            report.parcels += standing
            sent += standing > 0
        waiting = [row["backordered"] for rows in lines.values() for row in rows]
        report.lines_waiting += sum(units > 0 for units in waiting)
        report.units_waiting += sum(waiting)
    report.parcels_per_order = round(report.parcels / sent, 3) if sent else 0.0
