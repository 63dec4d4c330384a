"""Trying a routing policy on live orders: in the shadow, or for a share of them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.routing import rollouts as cases
from backend.routing.kpis import Figures, Kpi, value_of
from backend.routing.rollouts import (
    Rollout,
    RolloutDraft,
    RolloutMode,
    RolloutState,
    Side,
)
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.nodes import nodes_by_keys
from graphql_schema.paging import (
    NUMBER_MAX,
    PAGE_DEFAULT,
    connection,
    cursor_of,
    key_of,
    number_of,
    page_size,
)
from graphql_schema.scalars import BigInt
from tenants.principal import Permission

strawberry.enum(Kpi, name="RoutingKpi", description="A figure by order or parcel; lower is better.")
strawberry.enum(RolloutMode, name="RoutingRolloutMode", description="How a candidate is tried.")
strawberry.enum(RolloutState, name="RoutingRolloutState", description="Where a rollout stands.")


@strawberry.type(description="One figure of both sides.")
class RoutingComparison:
    kpi: Kpi
    baseline: float
    candidate: float


@strawberry.type(description="A policy on trial, beside the active one.")
class RoutingRollout(relay.Node):
    number: relay.NodeID[int]
    baseline: int
    candidate: int
    mode: RolloutMode
    share_bp: int
    kpi: Kpi = strawberry.field(description="The figure that decides.")
    worse_bp: int = strawberry.field(description="By how much it may be worse, in basis points.")
    least_orders: BigInt
    state: RolloutState
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    reason: str
    orders_of_baseline: BigInt
    orders_of_candidate: BigInt
    figures: list[RoutingComparison]

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        found = await nodes_by_keys(info, node_ids, 1, cases.rollouts_by_ids, lambda one: one)
        shown = await _shown(info, [one for one in found if one is not None])
        return [None if one is None else shown[one.id] for one in found]  # type: ignore[misc]


async def _shown(info: YipanInfo, found: Iterable[Rollout]) -> dict[int, RoutingRollout]:
    rollouts = list(found)
    async with info.context.reading() as tx:
        sums = await cases.figures_of_rollouts(tx, [one.id for one in rollouts])
    return {
        one.id: _rollout_from(
            one,
            sums.get((one.id, Side.BASELINE), Figures()),
            sums.get((one.id, Side.CANDIDATE), Figures()),
        )
        for one in rollouts
    }


def _rollout_from(found: Rollout, baseline: Figures, candidate: Figures) -> RoutingRollout:
    return RoutingRollout(
        number=found.id,
        baseline=found.baseline,
        candidate=found.candidate,
        mode=found.mode,
        share_bp=found.share_bp,
        kpi=found.kpi,
        worse_bp=found.worse_bp,
        least_orders=found.least_orders,
        state=found.state,
        started_by=found.started_by,
        started_at=found.started_at,
        ended_at=found.ended_at,
        reason=found.reason,
        orders_of_baseline=baseline.orders,
        orders_of_candidate=candidate.orders,
        figures=[
            RoutingComparison(
                kpi=kpi, baseline=value_of(kpi, baseline), candidate=value_of(kpi, candidate)
            )
            for kpi in Kpi
        ],
    )


@strawberry.input
class RoutingRolloutStartInput:
    idempotency_key: str
    candidate: int = strawberry.field(description="The version of the policy to be tried.")
    mode: RolloutMode
    share_bp: int = strawberry.field(
        default=0, description="Of the orders that a canary routes, in basis points."
    )
    kpi: Kpi = Kpi.COST
    worse_bp: int = strawberry.field(
        default=500, description="By how much it may be worse before the rollout returns."
    )
    least_orders: BigInt = strawberry.field(
        default=200, description="Orders of each side before anything is judged."
    )


@strawberry.input
class RoutingRolloutEndInput:
    idempotency_key: str
    id: strawberry.ID


@strawberry.type
class RoutingRolloutSaved:
    rollout: RoutingRollout


RoutingRolloutPayload = Annotated[
    RoutingRolloutSaved | InputRefused | PermissionDenied,
    strawberry.union("RoutingRolloutPayload"),
]


@strawberry.type
class RolloutsQuery:
    @strawberry.field(description="Policies that are, or were, on trial, the newest first.")
    async def routing_rollouts(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[RoutingRollout]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (below,) = key_of(after, (NUMBER_MAX,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_rollouts(tx, below, limit)
        shown = await _shown(info, rows)
        return connection(rows, first, lambda row: shown[row.id], lambda row: cursor_of(row.id))


@strawberry.type
class RolloutsMutation:
    @strawberry.mutation(
        description="Try a policy on live orders: in the shadow, where only its figures are kept, "
        "or as a canary that routes a share of them. It returns by itself if the figure gets worse."
    )
    async def routing_rollout_start(
        self, info: YipanInfo, input: RoutingRolloutStartInput
    ) -> RoutingRolloutPayload:
        draft = RolloutDraft(
            candidate=input.candidate,
            mode=input.mode,
            share_bp=input.share_bp,
            kpi=input.kpi,
            worse_bp=input.worse_bp,
            least_orders=input.least_orders,
        )
        async with info.context.writing() as tx:
            saved = await cases.start_rollout(
                tx, draft, key=input.idempotency_key, regions=info.context.services.regions
            )
        return RoutingRolloutSaved(rollout=_rollout_from(saved, Figures(), Figures()))

    @strawberry.mutation(description="Route everything by the active policy again.")
    async def routing_rollout_end(
        self, info: YipanInfo, input: RoutingRolloutEndInput
    ) -> RoutingRolloutPayload:
        async with info.context.writing() as tx:
            saved = await cases.end_rollout(
                tx, number_of("RoutingRollout", input.id), key=input.idempotency_key
            )
        return RoutingRolloutSaved(rollout=(await _shown(info, [saved]))[saved.id])
