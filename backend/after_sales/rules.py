"""What customers may send back, and how long (售后政策): one rule for all, exceptions as such."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from backend.after_sales.errors import InvalidAfterSalesInput
from backend.after_sales.model import DAYS_MAX, RULES_MAX, TEXT_MAX, USUAL_RULE, ReturnRule
from backend.after_sales.standing import SQL
from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from tenants.principal import Permission


class Verdict(NamedTuple):
    """What the rules say of a request."""

    is_automatic: bool
    refused: str
    """Why it is refused; none: it may be."""


async def return_rules(tx: TenantTransaction) -> list[ReturnRule]:
    """Return the rules of a brand: the one for all first; the usual one where it has none."""
    rows = await tx.fetch(SQL.rules, tx.tenant_id)
    rules = [
        ReturnRule(row["days"], row["is_automatic"], row["channel"], row["category"])
        for row in rows
    ]
    return rules or [USUAL_RULE]


async def set_return_rules(
    tx: TenantTransaction, rules: Sequence[ReturnRule], key: str
) -> list[ReturnRule]:
    """Replace the rules of a brand, once; the first is for all, the others except from it.

    Requests that were decided stay as they are. Raises PermissionMissing, InvalidAfterSalesInput,
    CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    _check(rules)

    async def work() -> list[ReturnRule]:
        await tx.fetch_value(SQL.lock_rules, tx.tenant_id)
        await tx.execute(SQL.delete_rules, tx.tenant_id)
        await tx.execute(
            SQL.insert_rules,
            tx.tenant_id,
            [rule.channel for rule in rules],
            [rule.category for rule in rules],
            [rule.days for rule in rules],
            [rule.is_automatic for rule in rules],
        )
        return list(rules)

    return await apply_once(tx, key, ("return_rules", rules), list[ReturnRule], work)


def verdict_of(
    rules: Sequence[ReturnRule], lines: Sequence[Record], arrived_at: datetime | None, now: datetime
) -> Verdict:
    """Return what rules say of sending lines back; each line has its channel and its category.

    The most particular rule decides: of channel and category, of the category, of the channel, of
    all. A request is as good as its worst line.
    """
    is_automatic = True
    for line in lines:
        rule = rule_for(rules, line["channel"], line["category"])
        if not rule.days:
            return Verdict(False, f"Line {line['line_no']} is not taken back{_of(rule)}.")
        if arrived_at is not None and now > arrived_at + timedelta(days=rule.days):
            days = rule.days
            return Verdict(False, f"It was to be asked for within {days} days{_of(rule)}.")
        is_automatic &= rule.is_automatic
    return Verdict(is_automatic, "")


def rule_for(rules: Sequence[ReturnRule], channel: str, category: str) -> ReturnRule:
    """Return the rule that decides about goods of a category from a channel."""
    by_scope = {(rule.channel, rule.category): rule for rule in rules}
    for scope in ((channel, category), ("", category), (channel, ""), ("", "")):
        if scope in by_scope:
            return by_scope[scope]
    return USUAL_RULE


def _of(rule: ReturnRule) -> str:
    scope = [part for part in (rule.channel, rule.category) if part]
    return f" (the rule of {' and '.join(scope)})" if scope else ""


def _check(rules: Sequence[ReturnRule]) -> None:
    if not 0 < len(rules) <= RULES_MAX:
        raise InvalidAfterSalesInput(f"Give 1 to {RULES_MAX} rules.", path=("rules",))
    if rules[0].channel or rules[0].category:
        raise InvalidAfterSalesInput(
            "The first rule is for all: no channel, no category.", path=("rules", 0)
        )
    if len({(rule.channel, rule.category) for rule in rules}) < len(rules):
        raise InvalidAfterSalesInput("Two rules are for the same.", path=("rules",))
    for at, rule in enumerate(rules):
        if not 0 <= rule.days <= DAYS_MAX:
            raise InvalidAfterSalesInput(f"0 to {DAYS_MAX} days.", path=("rules", at, "days"))
        if max(len(rule.channel), len(rule.category)) > TEXT_MAX:
            raise InvalidAfterSalesInput(f"At most {TEXT_MAX} characters.", path=("rules", at))
