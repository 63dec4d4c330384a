"""Routing: why an order is sent from where it is, how one would be, and when it would arrive."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple, cast

import msgspec
import strawberry

from backend.catalog.find_skus import codes_of_skus
from backend.network.model import Node
from backend.orders.explain_routing import explain_routing
from backend.orders.model import OrderDraft
from backend.orders.work import request_of
from backend.routing.counterfactuals import ChangeKind, Counterfactual, counterfactuals
from backend.routing.model import Otherwise
from backend.routing.plan_orders import OrderPlanner
from backend.routing.policies import document_of
from backend.routing.promises import (
    DayOption,
    LinePromise,
    PickupStore,
    TimeOption,
    delivery_promise,
)
from backend.routing.trace import NodeTrace, Trace, trace
from graphql_schema.context import Context, YipanInfo
from graphql_schema.network import Location, location_from
from graphql_schema.order_commands import OrderPlaceInput
from graphql_schema.paging import number_of
from graphql_schema.scalars import BigInt
from tenants.principal import Kind, Permission, Principal

strawberry.enum(ChangeKind, name="RoutingChangeKind", description="What a counterfactual changes.")


@strawberry.type(description="What a strategy came to for an order.")
class RoutingStrategyTrace:
    name: str
    is_matched: bool
    why: str = strawberry.field(description="The tests that the order meets, or those it fails.")
    has_turn: bool = strawberry.field(description="Whether the order came so far.")
    placed: BigInt = strawberry.field(description="Units that it placed.")
    reason: str = strawberry.field(description="Why it could not place everything by itself.")


@strawberry.type(description="What a criterion says of a parcel with everything from a node.")
class RoutingValue:
    criterion: str
    value: BigInt


@strawberry.type(description="Units that a node lacks.")
class RoutingMissing:
    sku: str
    units: BigInt


@strawberry.type(description="What a node came to, under the strategy that nodes are compared by.")
class RoutingNodeTrace:
    location: Location
    removed_by: str = strawberry.field(description="Why it was no candidate; none if it was one.")
    missing: list[RoutingMissing]
    values: list[RoutingValue]
    cost: list[BigInt] = strawberry.field(
        description="The objectives, in the order in which they are compared; lower is better."
    )


@strawberry.type(description="One change with which the order would be sent from elsewhere.")
class RoutingCounterfactual:
    kind: ChangeKind
    message: str
    strategy: str
    location: Location | None
    units: list[RoutingMissing]
    limit: str
    value: BigInt
    winners: list[Location]
    is_whole: bool


@strawberry.type(description="How the plan of an order comes about.")
class RoutingTrace:
    winners: list[Location]
    is_whole: bool
    is_proved: bool
    runner_up: Location | None
    otherwise: Otherwise | None = strawberry.field(
        description="What becomes of what is short; null where nothing is."
    )
    strategies: list[RoutingStrategyTrace]
    strategy: str = strawberry.field(description="The strategy that nodes are compared by.")
    nodes: list[RoutingNodeTrace] = strawberry.field(description="Candidates first, best first.")
    counterfactuals: list[RoutingCounterfactual]


@strawberry.type(description="Why an order is sent from where it is.")
class RoutingExplanation:
    decision_no: int
    decided_at: datetime
    policy_version: int
    winners: list[Location] = strawberry.field(description="As they were stored.")
    is_same: bool = strawberry.field(description="Whether the recomputed plan has the same nodes.")
    trace: RoutingTrace


@strawberry.type(description="A day by which everything can arrive, and from where.")
class PromiseDay:
    day: date
    locations: list[Location] = strawberry.field(description="Those that you may see.")
    freight_minor: BigInt | None = strawberry.field(
        description="What the carriers take for it; for the brand alone."
    )


@strawberry.type(description="The earliest day for a SKU by itself; null where it is short.")
class PromiseLine:
    sku: str
    day: date | None


@strawberry.type(description="A location that hands orders over, and has everything.")
class PromiseStore:
    location: Location = strawberry.field(
        description="Where it is, and when it works; the rest where you may see it."
    )
    distance_m: BigInt
    ready_at: datetime


@strawberry.type(
    description="A time that can be agreed (预约), in minutes since the day's midnight."
)
class PromiseTime:
    day: date
    from_minute: int
    to_minute: int
    locations: list[Location] = strawberry.field(description="Those that you may see.")


@strawberry.type(description="What can be promised of a cart; nothing is taken.")
class DeliveryPromise:
    earliest: date | None = strawberry.field(description="For everything together.")
    lines: list[PromiseLine]
    days: list[PromiseDay] = strawberry.field(
        description="The earliest first; later ones where they are sent otherwise."
    )
    stores: list[PromiseStore] = strawberry.field(description="For pickup, the nearest first.")
    times: list[PromiseTime] = strawberry.field(
        description="When all of it can be delivered, and installed where it needs that, by who "
        "makes visits at agreed times; the earliest first."
    )


class _Names(NamedTuple):
    """What ids are shown as."""

    nodes: Mapping[int, Node]
    skus: Mapping[int, str]

    def location(self, node_id: int) -> Location:
        return location_from(self.nodes[node_id])

    def locations(self, node_ids: Iterable[int]) -> list[Location]:
        return [self.location(node_id) for node_id in node_ids if node_id in self.nodes]

    def missing(self, units: Mapping[int, int]) -> list[RoutingMissing]:
        return [RoutingMissing(sku=self.skus[one], units=count) for one, count in units.items()]

    def names(self, node_ids: Iterable[int]) -> str:
        found = [self.nodes[node_id].name for node_id in node_ids if node_id in self.nodes]
        return " + ".join(found) or "nowhere"


async def _names(context: Context, planner: OrderPlanner, sku_ids: Sequence[int]) -> _Names:
    async with context.reading() as tx:
        codes = await codes_of_skus(tx, list(sku_ids))
    return _Names({node.id: node for node in planner.view.nodes}, codes)


def _said(found: Counterfactual, names: _Names) -> str:
    """Return a counterfactual in words."""
    winners = names.names(found.winner_nodes)
    whole = "" if found.is_whole else " (not everything)"
    if found.kind is ChangeKind.STOCK:
        wanted = " and ".join(f"{n} more of {names.skus[s]}" for s, n in found.units.items())
        return f"{winners} would have sent it with {wanted}."
    if found.kind is ChangeKind.CAPACITY:
        node = names.names([found.node_id or 0])
        return f"{winners} would have sent it{whole} if {node} took one more parcel today."
    if found.kind is ChangeKind.FILTER:
        return f"{winners} would have sent it{whole} if {found.strategy!r} did not filter nodes."
    return f"{winners} would have sent it{whole} with {found.limit} {found.value} in " + repr(
        found.strategy
    )


def _counterfactual_from(found: Counterfactual, names: _Names) -> RoutingCounterfactual:
    return RoutingCounterfactual(
        kind=found.kind,
        message=_said(found, names),
        strategy=found.strategy,
        location=None if found.node_id is None else names.location(found.node_id),
        units=names.missing(found.units),
        limit=found.limit,
        value=found.value,
        winners=names.locations(found.winner_nodes),
        is_whole=found.is_whole,
    )


def _node_from(found: NodeTrace, names: _Names) -> RoutingNodeTrace:
    return RoutingNodeTrace(
        location=names.location(found.node_id),
        removed_by=found.removed_by,
        missing=names.missing(found.missing),
        values=[
            RoutingValue(criterion=criterion, value=value)
            for criterion, value in found.values.items()
        ],
        cost=list(found.cost),
    )


def _trace_from(found: Trace, others: Sequence[Counterfactual], names: _Names) -> RoutingTrace:
    plan = found.plan
    runner_up = plan.decision.runner_up_node
    return RoutingTrace(
        winners=names.locations(plan.decision.winner_nodes),
        is_whole=plan.is_whole,
        is_proved=plan.decision.is_proved,
        runner_up=None if runner_up is None else names.location(runner_up),
        otherwise=None if plan.is_whole else plan.remainder.otherwise,
        strategies=[
            RoutingStrategyTrace(
                name=one.name,
                is_matched=one.is_matched,
                why=one.why,
                has_turn=one.has_turn,
                placed=one.placed,
                reason=one.reason,
            )
            for one in found.strategies
        ],
        strategy=found.strategy,
        nodes=[_node_from(node, names) for node in found.nodes],
        counterfactuals=[_counterfactual_from(one, names) for one in others],
    )


def _may_read(who: Principal, node: Node) -> bool:
    """Whether somebody reads all of a node, as the policies of its table say."""
    is_dealers = who.kind is Kind.DEALER and node.dealer_id == who.dealer_id
    return who.sees_all or is_dealers or node.id in who.node_ids


def _as_told(node: Node) -> Node:
    """Return a node without what it costs and on what terms it sends."""
    return msgspec.structs.replace(
        node,
        priority=0,
        daily_capacity=None,
        lead_time_minutes=0,
        service_level=0,
        handling_minor=0,
        keeps_for_region=False,
    )


def _day_from(option: DayOption, names: _Names, *, with_freight: bool) -> PromiseDay:
    return PromiseDay(
        day=option.day,
        locations=names.locations(option.node_ids),
        freight_minor=option.freight_minor if with_freight else None,
    )


def _line_from(line: LinePromise, names: _Names) -> PromiseLine:
    return PromiseLine(sku=names.skus[line.sku_id], day=line.day)


def _store_from(store: PickupStore, names: _Names) -> PromiseStore:
    return PromiseStore(
        location=names.location(store.node_id),
        distance_m=store.distance_m,
        ready_at=store.ready_at,
    )


def _time_from(option: TimeOption, names: _Names) -> PromiseTime:
    return PromiseTime(
        day=option.window.day,
        from_minute=option.window.from_minute,
        to_minute=option.window.to_minute,
        locations=names.locations(option.node_ids),
    )


@strawberry.type
class RoutingAnswersQuery:
    @strawberry.field(
        description="Why an order is sent from where it is: what each strategy and each node came "
        "to, and what would have had to be different. Recomputed from what the decision kept."
    )
    async def routing_explanation(
        self, info: YipanInfo, order: strawberry.ID, decision: int = 1
    ) -> RoutingExplanation:
        context = info.context
        context.principal.require(Permission.ORDERS_READ)
        book = await context.book()
        async with context.reading() as tx:
            found = await explain_routing(
                tx,
                number_of("Order", order),
                decision,
                time_zone=(await context.brand()).time_zone,
                regions=context.services.regions,
            )
        sku_ids = {sku for node in found.trace.nodes for sku in node.missing}
        names = await _names(context, book.planner, sorted(sku_ids))
        return RoutingExplanation(
            decision_no=found.decision_no,
            decided_at=found.decided_at,
            policy_version=found.policy_version,
            winners=names.locations(found.winner_nodes),
            is_same=found.is_same,
            trace=_trace_from(found.trace, found.counterfactuals, names),
        )

    @strawberry.field(
        description="How an order would be routed now, under the active policy or another version; "
        "nothing is taken. For the brand."
    )
    async def routing_dry_run(
        self, info: YipanInfo, order: OrderPlaceInput, version: int | None = None
    ) -> RoutingTrace:
        context = info.context
        context.require_brand(Permission.NETWORK_WRITE)
        lane = await context.services.intake.lane(context.principal.tenant_id)
        intake = await lane.intake_of(cast(OrderDraft, order), context.principal)
        book = lane.live.book
        planner = book.planner
        if version is not None and version != planner.policy_version:
            async with context.reading() as tx:
                document = await document_of(tx, version)
            planner = OrderPlanner(book.view, document, version)
            planner.local = book.planner.local
        request = request_of(intake)
        names = await _names(context, planner, [row.sku_id for row in request.rows])
        found = trace(planner, request, book.book)
        others = counterfactuals(planner, request, book.book, found)
        return _trace_from(found, others, names)

    @strawberry.field(
        description="When a cart would arrive at an address: for each SKU, for everything "
        "together with a choice of days, and stores where it can be picked up. Nothing is taken."
    )
    async def delivery_promise(self, info: YipanInfo, cart: OrderPlaceInput) -> DeliveryPromise:
        context = info.context
        lane = await context.services.intake.lane(context.principal.tenant_id)
        intake = await lane.intake_of(cast(OrderDraft, cart), context.principal)
        book = lane.live.book
        slots = await lane.live.slots()
        if intake.is_blocked:  # where to, or what, is not known: nothing is promised
            return DeliveryPromise(earliest=None, lines=[], days=[], stores=[], times=[])
        found = delivery_promise(
            book.planner, request_of(intake), book.book, slots, intake.categories_installed
        )
        who, nodes = context.principal, book.view.nodes
        codes = {line.sku_id: line.sku_code for line in intake.lines if line.sku_id}
        seen = {node.id: node for node in nodes if _may_read(who, node)}
        names = _Names(seen, codes)
        counters = _Names({node.id: _as_told(node) for node in nodes} | seen, codes)
        return DeliveryPromise(
            earliest=found.days[0].day if found.days else None,
            lines=[_line_from(line, names) for line in found.lines],
            days=[_day_from(one, names, with_freight=who.sees_all) for one in found.days],
            stores=[_store_from(store, counters) for store in found.stores],
            times=[_time_from(option, names) for option in found.times],
        )
