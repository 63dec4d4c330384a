"""What-if: what another policy would have made of the past."""

import asyncio
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Self

import strawberry
from strawberry import relay

from backend.orders.simulation import simulations as cases
from backend.orders.simulation.model import (
    NodeLoad,
    RankedDifference,
    Routed,
    SideResult,
    Simulation,
    SimulationState,
)
from graphql_schema.context import YipanInfo
from graphql_schema.errors import InputRefused, PermissionDenied
from graphql_schema.network import Location, load_location
from graphql_schema.nodes import nodes_by_keys, nodes_by_numbers
from graphql_schema.orders import Order, order_from
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

BEFORE_FIRST = -1

strawberry.enum(
    SimulationState, name="RoutingSimulationState", description="Where a simulation stands."
)


@strawberry.type(description="What a node would have sent.")
class RoutingSimulationNode:
    record: strawberry.Private[NodeLoad]
    parcels: BigInt
    units: BigInt

    @strawberry.field
    async def location(self, info: YipanInfo) -> Location | None:
        return await load_location(info, self.record.node_id)


@strawberry.type(description="Orders of which a strategy would have placed something.")
class RoutingSimulationStrategy:
    strategy: str
    orders: BigInt


@strawberry.type(description="What one policy would have made of the orders of the period.")
class RoutingSimulationSide:
    orders: BigInt
    whole: BigInt = strawberry.field(description="Orders of which everything was placed.")
    unplaced: BigInt = strawberry.field(description="Orders of which nothing was placed.")
    split: BigInt = strawberry.field(description="Orders from more than one location.")
    parcels: BigInt
    units: BigInt
    units_unplaced: BigInt
    freight_minor: BigInt
    handling_minor: BigInt
    dealer_fees_minor: BigInt
    cost_minor: BigInt = strawberry.field(description="Freight, handling and fees together.")
    distance_m: BigInt | None = strawberry.field(description="Of a parcel, in the mean.")
    days_to_arrival: float | None = strawberry.field(
        description="From the order to its last parcel, in the mean."
    )
    promised: BigInt = strawberry.field(description="Orders with a promised day.")
    on_time: BigInt = strawberry.field(description="Those of them that come whole, and by then.")
    on_time_share: float | None
    split_rate: float | None = strawberry.field(description="Of the orders with a parcel.")
    cross_province_share: float | None = strawberry.field(description="Of the parcels.")
    nodes: list[RoutingSimulationNode]
    strategies: list[RoutingSimulationStrategy]


def _side_from(found: SideResult) -> RoutingSimulationSide:
    return RoutingSimulationSide(
        orders=found.orders,
        whole=found.whole,
        unplaced=found.unplaced,
        split=found.split,
        parcels=found.parcels,
        units=found.units,
        units_unplaced=found.units_unplaced,
        freight_minor=found.freight_minor,
        handling_minor=found.handling_minor,
        dealer_fees_minor=found.dealer_fees_minor,
        cost_minor=found.cost_minor,
        distance_m=found.distance_m,
        days_to_arrival=found.days_to_arrival,
        promised=found.promised,
        on_time=found.on_time,
        on_time_share=found.on_time_share,
        split_rate=found.split_rate,
        cross_province_share=found.cross_province_share,
        nodes=[
            RoutingSimulationNode(record=one, parcels=one.parcels, units=one.units)
            for one in found.nodes
        ],
        strategies=[
            RoutingSimulationStrategy(strategy=one.strategy, orders=one.orders)
            for one in found.strategies
        ],
    )


@strawberry.type(description="What both policies would have made of the same orders and stock.")
class RoutingSimulationResult:
    baseline: RoutingSimulationSide
    candidate: RoutingSimulationSide
    differing: BigInt = strawberry.field(
        description="Orders that come out otherwise; the largest differences are listed."
    )


@strawberry.type(description="How far a simulation is.")
class RoutingSimulationProgress:
    orders_done: BigInt
    orders_total: BigInt = strawberry.field(description="0 until they are counted.")


@strawberry.type(description="What one policy would have made of an order.")
class RoutingSimulationRoute:
    record: strawberry.Private[Routed]
    units_unplaced: BigInt
    freight_minor: BigInt
    cost_minor: BigInt
    distance_m: BigInt = strawberry.field(description="Of all its parcels together.")
    arrives_on: date | None = strawberry.field(description="The day of its last parcel.")

    @strawberry.field
    async def locations(self, info: YipanInfo) -> list[Location]:
        found = await asyncio.gather(*(load_location(info, one) for one in self.record.nodes))
        return [location for location in found if location is not None]


def _route_from(found: Routed) -> RoutingSimulationRoute:
    return RoutingSimulationRoute(
        record=found,
        units_unplaced=found.unplaced,
        freight_minor=found.freight_minor,
        cost_minor=found.cost_minor,
        distance_m=found.distance_m,
        arrives_on=found.arrives_on,
    )


@strawberry.type(description="An order that both policies would have sent otherwise.")
class RoutingSimulationDifference(relay.Node):
    key: relay.NodeID[str]
    record: strawberry.Private[RankedDifference]
    baseline: RoutingSimulationRoute
    candidate: RoutingSimulationRoute

    @strawberry.field
    async def order(self, info: YipanInfo) -> Order | None:
        row = await info.context.orders.load(self.record.difference.order_id)
        return order_from(row) if row else None

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_keys(info, node_ids, 2, cases.differences_by_keys, _difference_from)


def _difference_from(found: RankedDifference) -> RoutingSimulationDifference:
    return RoutingSimulationDifference(
        key=f"{found.simulation_id}-{found.rank}",
        record=found,
        baseline=_route_from(found.difference.before),
        candidate=_route_from(found.difference.after),
    )


@strawberry.type(description="Two policies over the same past (仿真): what each would have made.")
class RoutingSimulation(relay.Node):
    number: relay.NodeID[int]
    baseline: int = strawberry.field(description="A version of the policy; 0: the default one.")
    candidate: int
    since: datetime
    until: datetime
    state: SimulationState
    progress: RoutingSimulationProgress
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    error: str = strawberry.field(description="Why it failed; empty unless it did.")
    result: RoutingSimulationResult | None = strawberry.field(description="Once it is done.")

    @strawberry.field(
        description="Orders that come out otherwise, the largest differences first: up to 10,000, "
        "of the newest 50 simulations."
    )
    async def differences(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[RoutingSimulationDifference]:
        limit = page_size(first)
        (rank,) = key_of(after, (BEFORE_FIRST,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_differences(tx, self.number, rank, limit)
        return connection(rows, first, _difference_from, lambda found: cursor_of(found.rank))

    @classmethod
    async def resolve_nodes(  # type: ignore[override]
        cls, *, info: YipanInfo, node_ids: Iterable[str], required: bool = False
    ) -> list[Self | None]:
        return await nodes_by_numbers(info, node_ids, cases.simulations_by_ids, simulation_from)


def simulation_from(found: Simulation) -> RoutingSimulation:
    result = found.result
    return RoutingSimulation(
        number=found.id,
        baseline=found.baseline,
        candidate=found.candidate,
        since=found.since,
        until=found.until,
        state=found.state,
        progress=RoutingSimulationProgress(
            orders_done=found.orders_done, orders_total=found.orders_total
        ),
        requested_by=found.requested_by,
        requested_at=found.requested_at,
        finished_at=found.finished_at,
        error=found.error,
        result=None
        if result is None
        else RoutingSimulationResult(
            baseline=_side_from(result.baseline),
            candidate=_side_from(result.candidate),
            differing=result.differing,
        ),
    )


@strawberry.input
class RoutingSimulationStartInput:
    idempotency_key: str
    baseline: int = strawberry.field(description="A version of the policy; 0: the default one.")
    candidate: int
    since: datetime
    until: datetime = strawberry.field(description="At most 400 days later, and not to come.")


@strawberry.input
class RoutingSimulationCancelInput:
    idempotency_key: str
    simulation_id: strawberry.ID


@strawberry.type
class RoutingSimulationSaved:
    simulation: RoutingSimulation


RoutingSimulationPayload = Annotated[
    RoutingSimulationSaved | InputRefused | PermissionDenied,
    strawberry.union("RoutingSimulationPayload"),
]


@strawberry.type
class SimulationsQuery:
    @strawberry.field(description="A simulation, with how far it is and what it came to.")
    async def routing_simulation(
        self, info: YipanInfo, id: strawberry.ID
    ) -> RoutingSimulation | None:
        info.context.principal.require(Permission.STOCK_READ)
        number = number_of("RoutingSimulation", id)
        async with info.context.reading() as tx:
            found = await cases.simulations_by_ids(tx, [number])
        return simulation_from(found[0]) if found else None

    @strawberry.field(description="Simulations, the newest first.")
    async def routing_simulations(
        self, info: YipanInfo, first: int = PAGE_DEFAULT, after: str | None = None
    ) -> relay.Connection[RoutingSimulation]:
        info.context.principal.require(Permission.STOCK_READ)
        limit = page_size(first)
        (below,) = key_of(after, (NUMBER_MAX,))
        async with info.context.reading() as tx:
            rows = await cases.page_of_simulations(tx, below, limit)
        return connection(rows, first, simulation_from, lambda found: cursor_of(found.id))


@strawberry.type
class SimulationsMutation:
    @strawberry.mutation(
        description="Ask what a candidate policy would have made of a period of the past, against "
        "a baseline. A worker runs it; nothing is taken."
    )
    async def routing_simulation_start(
        self, info: YipanInfo, input: RoutingSimulationStartInput
    ) -> RoutingSimulationPayload:
        async with info.context.writing() as tx:
            started = await cases.start_simulation(
                tx,
                baseline=input.baseline,
                candidate=input.candidate,
                since=input.since,
                until=input.until,
                key=input.idempotency_key,
            )
        return RoutingSimulationSaved(simulation=simulation_from(started))

    @strawberry.mutation(description="End a simulation that waits or is under way.")
    async def routing_simulation_cancel(
        self, info: YipanInfo, input: RoutingSimulationCancelInput
    ) -> RoutingSimulationPayload:
        async with info.context.writing() as tx:
            cancelled = await cases.cancel_simulation(
                tx,
                number_of("RoutingSimulation", input.simulation_id),
                key=input.idempotency_key,
            )
        return RoutingSimulationSaved(simulation=simulation_from(cancelled))
