"""Policies that the tests put in force, and what they are made of."""

from typing import Any

from backend.conditions.model import Comparison, Condition, Operator
from backend.db.pool import Database
from backend.network.regions.table import bundled_regions
from backend.routing import policies as cases
from backend.routing.model import Otherwise, PolicyDocument, Preset, Strategy
from backend.routing.policies import PolicyVersion
from tenants.principal import Principal
from tests.world import fresh_key


def when(attribute: str, operator: str, *values: str) -> Condition:
    return Condition(test=Comparison(attribute, Operator(operator), values))


def is_(attribute: str, value: str) -> Condition:
    return when(attribute, "equals", value)


def both(*parts: Condition) -> Condition:
    return Condition(all=parts)


def either(*parts: Condition) -> Condition:
    return Condition(any=parts)


def not_(part: Condition) -> Condition:
    return Condition(not_=part)


def strategy(name: str = "only", **changes: Any) -> Strategy:
    """Return a strategy for all orders, by the fewest nodes; what it leaves waits for stock."""
    values: dict[str, Any] = {"preset": Preset.FEWEST_SPLITS, "otherwise": Otherwise.BACKORDER}
    if "objectives" in changes:
        del values["preset"]
    return Strategy(name=name, **(values | changes))


def first(name: str = "first", **changes: Any) -> Strategy:
    """Return a strategy that leaves the rest to the next one."""
    return strategy(name, **({"otherwise": Otherwise.NEXT} | changes))


def document(*strategies: Strategy) -> PolicyDocument:
    return PolicyDocument(strategies)


async def propose(
    database: Database,
    who: Principal,
    policy: PolicyDocument,
    based_on: int = 0,
    key: str | None = None,
    comment: str = "",
) -> PolicyVersion:
    async with database.tenant_transaction(who) as tx:
        return await cases.propose_policy(
            tx,
            policy,
            based_on=based_on,
            comment=comment,
            key=key or fresh_key(),
            regions=bundled_regions(),
        )


async def activate(
    database: Database, who: Principal, version: int, key: str | None = None
) -> PolicyVersion:
    async with database.tenant_transaction(who) as tx:
        return await cases.activate_policy(
            tx, version, key=key or fresh_key(), regions=bundled_regions()
        )


async def put_in_force(database: Database, who: Principal, policy: PolicyDocument) -> PolicyVersion:
    """Propose a policy on top of what is active, and activate it."""
    async with database.tenant_transaction(who, read_only=True) as tx:
        _, active = await cases.active_policy(tx)
    draft = await propose(database, who, policy, active)
    return await activate(database, who, draft.version)
