"""Setting, dropping and reading the rules of alerts."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from backend.channels.errors import UnknownShop
from backend.channels.shops import active_shops
from backend.conditions.compile import compile_condition
from backend.conditions.model import Condition
from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.inventory.model import QUANTITY_MAX
from backend.inventory.pools.attributes import SKU_ATTRIBUTES
from backend.network.errors import UnknownNode, UnknownRegion
from backend.network.nodes import list_nodes
from backend.network.regions.table import RegionTable
from backend.replenishment import alerts, model
from backend.replenishment.errors import AlertRuleChanged, InvalidAlertRule, UnknownAlertRule
from backend.replenishment.judge import Clearing
from backend.replenishment.model import AlertRule, AlertRuleDraft, Measure, Scope, Transfers
from tenants.principal import Permission

SQL = load_queries(__file__)


class _Subjects(NamedTuple):
    """The ids of what rules may be about, by scope and code."""

    ids: dict[tuple[Scope, str], int]

    def of(self, draft: AlertRuleDraft, path: tuple[str | int, ...]) -> int | None:
        if draft.subject is None:
            return None
        found = self.ids.get((draft.scope, draft.subject))
        if found is not None:
            return found
        unknown = {Scope.SHOP: UnknownShop, Scope.NODE: UnknownNode, Scope.REGION: UnknownRegion}
        raise unknown[draft.scope](path=(*path, "subject"))


async def set_alert_rules(
    tx: TenantTransaction, drafts: Sequence[AlertRuleDraft], *, key: str, regions: RegionTable
) -> list[AlertRule]:
    """Keep rules, or change them, all or none, once, and return them in the order given.

    A rule that is changed begins anew: its open alerts end. Locks the key, the brand's rules, then
    alerts and proposals. Writes the events of what ends. Raises InvalidAlertRule,
    InvalidCondition, UnknownShop, UnknownNode, UnknownRegion, AlertRuleChanged, CommandConflict;
    then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    _check(drafts)

    async def work() -> list[AlertRule]:
        await tx.execute(SQL.lock_alert_rules, tx.tenant_id)
        known = {rule.code: rule for rule in await alert_rules(tx)}
        new = {draft.code for draft in drafts} - known.keys()
        if len(known) + len(new) > model.RULES_MAX:
            raise InvalidAlertRule(f"A brand has at most {model.RULES_MAX} rules.", path=("rules",))
        subjects = await _subjects(tx, regions)
        for index, draft in enumerate(drafts):
            rule = known.get(draft.code)
            version = 0 if rule is None else rule.version
            if draft.compare_version not in (None, version):
                raise AlertRuleChanged(version, ("rules", index, "compareVersion"))
            await _write(tx, draft, subjects.of(draft, ("rules", index)))
            if rule is not None:
                await _end_alerts(tx, rule)
        found = {rule.code: rule for rule in await alert_rules(tx)}
        return [found[draft.code] for draft in drafts]

    return await apply_once(tx, key, ("set_alert_rules", drafts), list[AlertRule], work)


async def drop_alert_rule(tx: TenantTransaction, code: str, *, key: str) -> AlertRule:
    """Drop a rule, once, and return it as it was; its open alerts end.

    Locks the key, the brand's rules, then alerts and proposals. Writes the events of what ends.
    Raises UnknownAlertRule, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)

    async def work() -> AlertRule:
        await tx.execute(SQL.lock_alert_rules, tx.tenant_id)
        rule = next((rule for rule in await alert_rules(tx) if rule.code == code), None)
        if rule is None:
            raise UnknownAlertRule(f"There is no alert rule {code!r}.")
        await tx.execute(SQL.drop_alert_rule, tx.tenant_id, rule.id)
        await _end_alerts(tx, rule)
        return rule

    return await apply_once(tx, key, ("drop_alert_rule", code), AlertRule, work)


async def alert_rules(tx: TenantTransaction) -> list[AlertRule]:
    """Return the rules of the brand, by code."""
    return [_rule(row) for row in await tx.fetch(SQL.alert_rules, tx.tenant_id)]


async def _end_alerts(tx: TenantTransaction, rule: AlertRule) -> None:
    rows = await tx.fetch(SQL.open_alerts_of_rule, tx.tenant_id, rule.id)
    await alerts.clear(tx, [Clearing(alerts.alert_from(row), None) for row in rows])


async def _subjects(tx: TenantTransaction, regions: RegionTable) -> _Subjects:
    ids = {(Scope.SHOP, code): shop.id for code, shop in (await active_shops(tx)).items()}
    ids |= {(Scope.NODE, node.code): node.id for node in await list_nodes(tx)}
    ids |= {(Scope.REGION, str(code)): code for code in regions.by_code}
    return _Subjects(ids)


async def _write(tx: TenantTransaction, draft: AlertRuleDraft, subject_id: int | None) -> None:
    await tx.execute(
        SQL.set_alert_rule,
        tx.tenant_id,
        draft.code,
        draft.scope.value,
        subject_id,
        None if draft.where is None else msgspec.json.encode(draft.where).decode(),
        draft.measure.value,
        draft.fires_below,
        draft.clears_at,
        draft.transfers.value,
        draft.clears_at if draft.fill_to is None else draft.fill_to,
        draft.leave_days,
        draft.transit_days,
        tx.principal.subject,
    )


def _check(drafts: Sequence[AlertRuleDraft]) -> None:
    if not 0 < len(drafts) <= model.RULES_MAX:
        raise InvalidAlertRule(f"Give 1 to {model.RULES_MAX} rules.", path=("rules",))
    if len({draft.code for draft in drafts}) < len(drafts):
        raise InvalidAlertRule("A rule stands there twice.", path=("rules",))
    for index, draft in enumerate(drafts):
        path = ("rules", index)
        code = draft.code
        if not 0 < len(code.strip()) <= len(code) <= model.CODE_LENGTH_MAX or (
            not code.isprintable()
        ):
            raise InvalidAlertRule(
                f"A code has 1 to {model.CODE_LENGTH_MAX} printable characters.",
                path=(*path, "code"),
            )
        _check_figures(draft, path)
        if draft.where is not None:
            compile_condition(draft.where, SKU_ATTRIBUTES, (*path, "where"))


def _check_figures(draft: AlertRuleDraft, path: tuple[str | int, ...]) -> None:
    most = QUANTITY_MAX if draft.measure is Measure.UNITS else model.DAYS_MAX
    fill_to = draft.clears_at if draft.fill_to is None else draft.fill_to
    if not 0 < draft.fires_below <= draft.clears_at <= fill_to <= most:
        raise InvalidAlertRule(
            "A rule fires below its first threshold, clears at the second and is filled up to the "
            f"third: they rise, from 1 to {most}.",
            path=(*path, "clearsAt"),
        )
    for name, days in (("leaveDays", draft.leave_days), ("transitDays", draft.transit_days)):
        if not 0 <= days <= model.DAYS_MAX:
            raise InvalidAlertRule(f"Days lie between 0 and {model.DAYS_MAX}.", path=(*path, name))
    if draft.scope is Scope.REGION and draft.subject is None:
        raise InvalidAlertRule("A rule for a region names it, by code.", path=(*path, "subject"))
    if draft.scope is Scope.SHOP and draft.transfers is not Transfers.NONE:
        raise InvalidAlertRule(
            "Units are moved to nodes and regions: a shop has none of its own.",
            path=(*path, "transfers"),
        )


def _rule(row: Record) -> AlertRule:
    condition = row["condition"]
    return AlertRule(
        **{
            **row,
            "scope": Scope(row["scope"]),
            "measure": Measure(row["measure"]),
            "transfers": Transfers(row["transfers"]),
            "condition": None
            if condition is None
            else msgspec.json.decode(condition, type=Condition),
        }
    )
