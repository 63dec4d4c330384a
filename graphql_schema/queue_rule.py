"""In which order waiting orders get what comes."""

from typing import Annotated

import strawberry

from backend.orders.queue_rule import QueueBy, queue_rule, set_queue_rule
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from tenants.principal import Permission

strawberry.enum(QueueBy, name="QueueBy", description="Which waiting order gets first what comes.")


@strawberry.input
class QueueRuleSetInput:
    idempotency_key: str
    by: QueueBy


@strawberry.type
class QueueRuleSaved:
    by: QueueBy


QueueRuleSetPayload = Annotated[
    QueueRuleSaved | InputRefused | PermissionDenied, strawberry.union("QueueRuleSetPayload")
]


@strawberry.type
class QueueRuleQuery:
    @strawberry.field(description="Which waiting order gets first what comes (缺货排队).")
    async def queue_rule(self, info: YipanInfo) -> QueueBy:
        info.context.principal.require(Permission.ORDERS_READ)
        async with info.context.reading() as tx:
            return await queue_rule(tx)


@strawberry.type
class QueueRuleMutation:
    @strawberry.mutation(description="Say which waiting order gets first what comes.")
    async def queue_rule_set(
        self, info: YipanInfo, input: QueueRuleSetInput
    ) -> QueueRuleSetPayload:
        async with info.context.writing() as tx:
            by = await set_queue_rule(tx, input.by, input.idempotency_key)
        return QueueRuleSaved(by=by)
