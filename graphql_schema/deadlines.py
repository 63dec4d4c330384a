"""How long steps of fulfilments may last, and which last too long."""

from typing import Annotated

import strawberry
from strawberry import relay

from backend.fulfilment import deadlines as cases
from backend.network.model import NodeKind
from backend.orders.find_work import page_of_due_fulfilments
from backend.orders.model import FulfilmentStatus
from backend.orders.move_fulfilments import FulfilmentKey
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.orders import Fulfilment, fulfilment_from
from graphql_schema.paging import PAGE_DEFAULT, connection, cursor_of, key_of, number_of, page_size
from tenants.principal import Permission


@strawberry.type(description="How long a fulfilment may stand somewhere (时效).")
class StepDeadline:
    status: FulfilmentStatus
    node_kind: NodeKind | None = strawberry.field(
        description="At nodes of this kind; null: at all that have none of their own."
    )
    warn_minutes: int
    late_minutes: int


@strawberry.input
class StepDeadlineInput:
    status: FulfilmentStatus
    warn_minutes: int
    late_minutes: int
    node_kind: NodeKind | None = None


@strawberry.input
class StepDeadlinesSetInput:
    idempotency_key: str
    deadlines: list[StepDeadlineInput]


@strawberry.type
class StepDeadlinesSaved:
    deadlines: list[StepDeadline]


StepDeadlinesSetPayload = Annotated[
    StepDeadlinesSaved | InputRefused | PermissionDenied,
    strawberry.union("StepDeadlinesSetPayload"),
]


def deadline_from(deadline: cases.Deadline) -> StepDeadline:
    return StepDeadline(
        status=deadline.status,
        node_kind=deadline.node_kind,
        warn_minutes=deadline.warn_minutes,
        late_minutes=deadline.late_minutes,
    )


@strawberry.type
class DeadlinesQuery:
    @strawberry.field(description="How long steps may last.")
    async def step_deadlines(self, info: YipanInfo) -> list[StepDeadline]:
        info.context.principal.require(Permission.ORDERS_READ)
        async with info.context.reading() as tx:
            return [deadline_from(one) for one in await cases.list_deadlines(tx)]

    @strawberry.field(
        description="Fulfilments of which it was told that they stand too long, or (unless "
        "`onlyLate`) soon will, the oldest orders first: of a node, or of all."
    )
    async def due_fulfilments(
        self,
        info: YipanInfo,
        only_late: bool = False,
        location_id: strawberry.ID | None = None,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Fulfilment]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        key = key_of(after, (0, 0))
        async with info.context.reading() as tx:
            rows = await page_of_due_fulfilments(
                tx,
                only_late=only_late,
                node_id=None if location_id is None else number_of("Location", location_id),
                after=FulfilmentKey(key[0], key[1]),
                limit=limit,
            )
        return connection(
            rows,
            first,
            fulfilment_from,
            lambda row: cursor_of(row["order_id"], row["fulfilment_no"]),
        )


@strawberry.type
class DeadlinesMutation:
    @strawberry.mutation(description="Replace all deadlines of the brand.")
    async def step_deadlines_set(
        self, info: YipanInfo, input: StepDeadlinesSetInput
    ) -> StepDeadlinesSetPayload:
        deadlines = [
            cases.Deadline(one.status, one.warn_minutes, one.late_minutes, one.node_kind)
            for one in input.deadlines
        ]
        async with info.context.writing() as tx:
            saved = await cases.set_deadlines(tx, deadlines, input.idempotency_key)
        return StepDeadlinesSaved(deadlines=[deadline_from(one) for one in saved])
