"""Setting and reading the rules by which orders are held."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from backend.conditions.compile import Check, compile_condition
from backend.conditions.model import Condition
from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.events.log import end_of_log
from backend.orders.auditing.model import (
    ORDER_ATTRIBUTES,
    RULES_MAX,
    TEXT_MAX,
    Action,
    AuditRule,
    InvalidAuditRule,
)
from tenants.principal import Permission

SQL = load_queries(__file__)


class CompiledRule(NamedTuple):
    """A rule, as a function of an order."""

    rule: AuditRule
    is_for: Check


async def set_audit_rules(
    tx: TenantTransaction, rules: Sequence[AuditRule], key: str
) -> list[AuditRule]:
    """Replace all rules of the brand, in their order, once, and return them.

    Orders that are placed from the first rule on are audited; without rules none is. Raises
    PermissionMissing, InvalidAuditRule, InvalidCondition, CommandConflict; then nothing has
    changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    _check(rules)
    compile_rules(rules)

    async def work() -> list[AuditRule]:
        await tx.execute(SQL.lock_rules, tx.tenant_id)
        await tx.execute(SQL.delete_rules, tx.tenant_id)
        await tx.execute(
            SQL.insert_rules,
            tx.tenant_id,
            [rule.code for rule in rules],
            [rule.name for rule in rules],
            list(range(len(rules))),
            [rule.action.value for rule in rules],
            [msgspec.json.encode(rule.condition).decode() for rule in rules],
        )
        if rules:
            await tx.execute(SQL.begin_reading, tx.tenant_id, *await end_of_log(tx))
        else:
            await tx.execute(SQL.end_reading, tx.tenant_id)
        return await audit_rules(tx)

    return await apply_once(tx, key, ("audit_rules", rules), list[AuditRule], work)


async def audit_rules(tx: TenantTransaction) -> list[AuditRule]:
    """Return the rules of the brand, in their order."""
    return [
        AuditRule(
            row["code"],
            row["name"],
            Action(row["action"]),
            msgspec.json.decode(row["condition"], type=Condition),
        )
        for row in await tx.fetch(SQL.rules, tx.tenant_id)
    ]


def compile_rules(rules: Sequence[AuditRule]) -> list[CompiledRule]:
    """Return the rules as functions; raises InvalidCondition."""
    return [
        CompiledRule(
            rule, compile_condition(rule.condition, ORDER_ATTRIBUTES, ("rules", index, "condition"))
        )
        for index, rule in enumerate(rules)
    ]


def _check(rules: Sequence[AuditRule]) -> None:
    if len(rules) > RULES_MAX:
        raise InvalidAuditRule(f"A brand has at most {RULES_MAX} rules.", path=("rules",))
    if len({rule.code for rule in rules}) < len(rules):
        raise InvalidAuditRule("A code stands there twice.", path=("rules",))
    for index, rule in enumerate(rules):
        for name, text in (("code", rule.code), ("name", rule.name)):
            if not 0 < len(text) <= TEXT_MAX or not text.isprintable():
                raise InvalidAuditRule(
                    f"1 to {TEXT_MAX} printable characters.", path=("rules", index, name)
                )
