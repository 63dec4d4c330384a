"""Keeping alerts, ending them, and reading them; each change writes its event."""

from collections.abc import Collection, Iterable, Sequence

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.events.model import NewEvent, Payload
from backend.events.outbox import append_events
from backend.replenishment.events import StockAlertCleared, StockAlertFired, TransferDecided
from backend.replenishment.judge import Clearing, Firing, Place
from backend.replenishment.model import AlertRule, Measure, Scope, StockAlert, TransferState

SQL = load_queries(__file__)


async def rules_in_force(tx: TenantTransaction, rules: Iterable[AlertRule]) -> set[int]:
    """Lock those of the rules that nobody has changed or dropped, and return their ids.

    They stay as they are until the transaction ends: what follows from them is not too late.
    """
    versions = {rule.id: rule.version for rule in rules}
    rows = await tx.fetch(SQL.rules_in_force, tx.tenant_id, list(versions), list(versions.values()))
    return {row["id"] for row in rows}


async def fire(tx: TenantTransaction, firings: Sequence[Firing]) -> list[tuple[StockAlert, Firing]]:
    """Keep alerts; returns those that were not open already.

    Those of rules that are no longer in force are left out. Locks rules, then alerts, in order.
    """
    in_force = await rules_in_force(tx, (firing.rule for firing in firings))
    ordered = sorted(
        (firing for firing in firings if firing.rule.id in in_force),
        key=lambda firing: firing.reading.place,
    )
    by_place = {firing.reading.place: firing for firing in ordered}
    rows = await tx.fetch(
        SQL.fire_alerts,
        tx.tenant_id,
        [firing.rule.id for firing in ordered],
        [firing.rule.code for firing in ordered],
        [firing.rule.scope.value for firing in ordered],
        [firing.reading.place.subject_id for firing in ordered],
        [firing.reading.place.sku_id for firing in ordered],
        [firing.rule.measure.value for firing in ordered],
        [firing.value for firing in ordered],
    )
    new = [
        (
            alert_from(row),
            by_place[Place(row["rule_id"], row["subject_id"], row["sku_id"])],
        )
        for row in rows
    ]
    await append(
        tx,
        [
            StockAlertFired(
                alert_id=alert.id,
                rule=alert.rule_code,
                scope=alert.scope,
                subject_id=alert.subject_id,
                sku_id=alert.sku_id,
                measure=alert.measure,
                value=alert.fired_with,
            )
            for alert, _ in new
        ],
    )
    return new


async def clear(tx: TenantTransaction, clearings: Collection[Clearing]) -> int:
    """End those of the alerts that are open, and their proposals; returns how many.

    Locks the alerts, then the proposals, each by id.
    """
    if not clearings:
        return 0
    by_id = {clearing.alert.id: clearing for clearing in clearings}
    values = [clearing.value for clearing in by_id.values()]
    rows = await tx.fetch(SQL.clear_alerts, tx.tenant_id, list(by_id), values)
    ended = sorted(row["id"] for row in rows)
    payloads: list[Payload] = [
        StockAlertCleared(
            alert_id=alert.id,
            rule=alert.rule_code,
            scope=alert.scope,
            subject_id=alert.subject_id,
            sku_id=alert.sku_id,
            measure=alert.measure,
            value=value,
        )
        for alert, value in (by_id[alert_id] for alert_id in ended)
    ]
    lapsed = await tx.fetch(SQL.lapse_transfers, tx.tenant_id, ended)
    payloads += [
        TransferDecided(row["id"], row["alert_id"], TransferState.LAPSED, row["quantity"], None)
        for row in lapsed
    ]
    await append(tx, payloads)
    return len(ended)


async def append(tx: TenantTransaction, payloads: Sequence[Payload]) -> None:
    """Write events that belong to no order."""
    await append_events(tx, [NewEvent(payload, None, 0, None, None) for payload in payloads])


async def open_alerts(tx: TenantTransaction, sku_ids: Collection[int] | None) -> list[StockAlert]:
    """Return the open alerts of SKUs, or all."""
    wanted = None if sku_ids is None else sorted(sku_ids)
    return [alert_from(row) for row in await tx.fetch(SQL.open_alerts, tx.tenant_id, wanted)]


async def alerts_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[StockAlert]:
    """Return the alerts, by id."""
    return [alert_from(row) for row in await tx.fetch(SQL.alerts_by_ids, tx.tenant_id, ids)]


async def page_of_alerts(
    tx: TenantTransaction, below: int, limit: int, *, only_open: bool
) -> list[StockAlert]:
    """Return up to `limit` alerts, the newest first, below an id."""
    rows = await tx.fetch(SQL.page_of_alerts, tx.tenant_id, below, only_open, limit)
    return [alert_from(row) for row in rows]


def alert_from(row: Record) -> StockAlert:
    """Return an alert as a row has it."""
    return StockAlert(**{**row, "scope": Scope(row["scope"]), "measure": Measure(row["measure"])})
