"""Routing: policies, what may be asked in them, and what is wrong with them."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Self

import msgspec
import strawberry
from strawberry import relay
from strawberry.scalars import JSON

from backend.conditions.attributes import Attributes
from backend.routing import policies as cases
from backend.routing.attributes import NODE_ATTRIBUTES, ORDER_ATTRIBUTES
from backend.routing.coverage import Finding, FindingKind, findings_of
from backend.routing.criteria import CRITERIA
from backend.routing.model import Preset
from backend.routing.policies import POLICIES, PolicyVersion
from backend.routing.presets import PRESETS
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied, PolicyChangedError
from graphql_schema.nodes import nodes_by_keys
from graphql_schema.paging import PAGE_DEFAULT, connection, cursor_of, key_of, page_size
from graphql_schema.routing_inputs import RoutingPolicyInput, policy_of
from graphql_schema.scalars import BigInt
from graphql_schema.versions import NEWEST, VersionNode, fields_of
from tenants.principal import Permission

strawberry.enum(
    FindingKind, name="RoutingFindingKind", description="What may be wrong with a policy."
)


@strawberry.type(description="One version of the brand's routing policy (路由策略).")
class RoutingPolicy(VersionNode):
    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_keys(info, node_ids, 1, POLICIES.some, policy_from)


def policy_from(found: PolicyVersion) -> RoutingPolicy:
    return RoutingPolicy(**fields_of(found))


@strawberry.type(description="A way to compare parcels; lower is better.")
class RoutingCriterion:
    name: str
    unit: str
    range: str
    source: str
    limit: BigInt


@strawberry.type(description="Something that a condition may ask about.")
class RoutingAttribute:
    name: str
    type: str
    operators: list[str]
    meaning: str


@strawberry.type(name="RoutingPresetObjectives", description="What a preset stands for.")
class PresetObjectives:
    preset: Preset
    objectives: JSON


@strawberry.type(description="Something that whoever activates a policy should know.")
class RoutingFinding:
    kind: FindingKind
    strategy: str
    message: str
    example: JSON = strawberry.field(
        description="Attributes of an order that shows it, as far as they matter."
    )


def _attributes(known: Attributes) -> list[RoutingAttribute]:
    return [
        RoutingAttribute(
            name=one.name,
            type=one.type.name.lower(),
            operators=sorted(operator.value for operator in one.type.operators),
            meaning=one.meaning,
        )
        for one in known.values()
    ]


def _finding_from(found: Finding) -> RoutingFinding:
    example = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in found.example.items()
    }
    return RoutingFinding(
        kind=found.kind,
        strategy=found.strategy,
        message=found.message,
        example=JSON(msgspec.to_builtins(example)),
    )


@strawberry.input
class RoutingPolicyProposeInput:
    idempotency_key: str
    based_on: int = strawberry.field(description="The active version that it changes; 0 for none.")
    comment: str = ""
    policy: RoutingPolicyInput


@strawberry.input
class RoutingPolicyActivateInput:
    idempotency_key: str
    version: int


@strawberry.type
class RoutingPolicySaved:
    policy: RoutingPolicy


RoutingPolicyPayload = Annotated[
    RoutingPolicySaved | PolicyChangedError | InputRefused | PermissionDenied,
    strawberry.union("RoutingPolicyPayload"),
]


@strawberry.type
class RoutingQuery:
    @strawberry.field(description="The policy that routes now; null while the default one does.")
    async def routing_policy(self, info: YipanInfo) -> RoutingPolicy | None:
        info.context.principal.require(Permission.STOCK_READ)
        async with info.context.reading() as tx:
            found = await POLICIES.active(tx)
        return None if found is None else policy_from(found)

    @strawberry.field(description="All versions, the newest first.")
    async def routing_policies(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[RoutingPolicy]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (below,) = key_of(after, (NEWEST,))
        async with info.context.reading() as tx:
            rows = await POLICIES.page(tx, below, limit)
        return connection(rows, first, policy_from, lambda row: cursor_of(row.version))

    @strawberry.field(
        description="What is wrong with a version (0: the default policy): strategies that can "
        "never match, that earlier ones shadow, that no node serves, and orders that fall through, "
        "each with an example."
    )
    async def routing_policy_findings(self, info: YipanInfo, version: int) -> list[RoutingFinding]:
        context = info.context
        context.principal.require(Permission.NETWORK_WRITE)
        async with context.reading() as tx:
            document = await cases.document_of(tx, version)
        view = (await context.book()).view
        found = await asyncio.to_thread(findings_of, document, view)  # it may take seconds
        return [_finding_from(one) for one in found]

    @strawberry.field(description="The criteria that objectives may name.")
    async def routing_criteria(self, info: YipanInfo) -> list[RoutingCriterion]:
        info.context.principal.require(Permission.STOCK_READ)
        return [
            RoutingCriterion(
                name=one.name, unit=one.unit, range=one.range, source=one.source, limit=one.limit
            )
            for one in CRITERIA.values()
        ]

    @strawberry.field(description="What conditions may ask about orders, and about nodes.")
    async def routing_attributes(self, info: YipanInfo) -> list[RoutingAttribute]:
        info.context.principal.require(Permission.STOCK_READ)
        return _attributes(ORDER_ATTRIBUTES) + _attributes(NODE_ATTRIBUTES)

    @strawberry.field(description="The presets, as the objectives that they stand for.")
    async def routing_presets(self, info: YipanInfo) -> list[PresetObjectives]:
        info.context.principal.require(Permission.STOCK_READ)
        return [
            PresetObjectives(preset=preset, objectives=JSON(msgspec.to_builtins(objectives)))
            for preset, objectives in PRESETS.items()
        ]


@strawberry.type
class RoutingMutation:
    @strawberry.mutation(
        description="Keep a policy as a draft, on top of the one that is active. Nothing is routed "
        "by it until it is activated; look at routingPolicyFindings before."
    )
    async def routing_policy_propose(
        self, info: YipanInfo, input: RoutingPolicyProposeInput
    ) -> RoutingPolicyPayload:
        async with info.context.writing() as tx:
            saved = await cases.propose_policy(
                tx,
                policy_of(input.policy),
                based_on=input.based_on,
                comment=input.comment,
                key=input.idempotency_key,
                regions=info.context.services.regions,
            )
        return RoutingPolicySaved(policy=policy_from(saved))

    @strawberry.mutation(description="Let a draft route from now on.")
    async def routing_policy_activate(
        self, info: YipanInfo, input: RoutingPolicyActivateInput
    ) -> RoutingPolicyPayload:
        async with info.context.writing() as tx:
            saved = await cases.activate_policy(
                tx,
                input.version,
                key=input.idempotency_key,
                regions=info.context.services.regions,
            )
        return RoutingPolicySaved(policy=policy_from(saved))
