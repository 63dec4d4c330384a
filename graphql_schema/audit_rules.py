"""The rules by which orders are held before nodes begin with them (审单规则)."""

from typing import Annotated

import msgspec
import strawberry
from strawberry.scalars import JSON

from backend.orders.auditing.model import ORDER_ATTRIBUTES, Action
from backend.orders.auditing.model import AuditRule as AuditRuleRecord
from backend.orders.auditing.rules import audit_rules, set_audit_rules
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.pool_inputs import ConditionInput, condition_of
from tenants.principal import Permission

strawberry.enum(Action, name="AuditAction", description="What a rule does with its orders.")


@strawberry.type(description="A rule; rules are asked in their order, until one lets pass.")
class AuditRule:
    code: str
    name: str = strawberry.field(description="Why an order is held, as people read it.")
    action: Action
    condition: JSON


@strawberry.type(description="Something that the condition of a rule may ask about.")
class AuditAttribute:
    name: str
    type: str
    operators: list[str]
    meaning: str


@strawberry.input
class AuditRuleInput:
    code: str
    name: str
    condition: ConditionInput
    action: Action = Action.HOLD


@strawberry.input
class AuditRulesSetInput:
    idempotency_key: str
    rules: list[AuditRuleInput]


@strawberry.type
class AuditRulesSaved:
    rules: list[AuditRule]


AuditRulesSetPayload = Annotated[
    AuditRulesSaved | InputRefused | PermissionDenied, strawberry.union("AuditRulesSetPayload")
]


def rule_from(rule: AuditRuleRecord) -> AuditRule:
    return AuditRule(
        code=rule.code,
        name=rule.name,
        action=rule.action,
        condition=JSON(msgspec.to_builtins(rule.condition)),
    )


@strawberry.type
class AuditRulesQuery:
    @strawberry.field(description="The rules by which orders are held, in their order.")
    async def audit_rules(self, info: YipanInfo) -> list[AuditRule]:
        info.context.principal.require(Permission.ORDERS_READ)
        async with info.context.reading() as tx:
            return [rule_from(rule) for rule in await audit_rules(tx)]

    @strawberry.field(description="What the conditions of these rules may ask about.")
    def audit_attributes(self) -> list[AuditAttribute]:
        return [
            AuditAttribute(
                name=one.name,
                type=one.type.name.lower(),
                operators=sorted(one.type.operators),
                meaning=one.meaning,
            )
            for one in ORDER_ATTRIBUTES.values()
        ]


@strawberry.type
class AuditRulesMutation:
    @strawberry.mutation(
        description="Replace all rules: orders placed from now on are audited within a second or "
        "two, and none is released to a node before."
    )
    async def audit_rules_set(
        self, info: YipanInfo, input: AuditRulesSetInput
    ) -> AuditRulesSetPayload:
        rules = []
        for index, one in enumerate(input.rules):
            condition = condition_of(one.condition, ("rules", index, "condition"))
            assert condition is not None, "the schema asks for one"
            rules.append(AuditRuleRecord(one.code, one.name, one.action, condition))
        async with info.context.writing() as tx:
            saved = await set_audit_rules(tx, rules, input.idempotency_key)
        return AuditRulesSaved(rules=[rule_from(rule) for rule in saved])
