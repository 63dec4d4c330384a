"""Policies of routing as they are written: strategies, their objectives and limits."""

from dataclasses import asdict

import msgspec
import strawberry

from backend.routing.errors import InvalidPolicy
from backend.routing.model import Otherwise, PolicyDocument, Preset
from graphql_schema.pool_inputs import ConditionInput, plain
from graphql_schema.scalars import BigInt

strawberry.enum(Preset, name="RoutingPreset", description="Objectives that have a name.")
strawberry.enum(
    Otherwise, name="RoutingOtherwise", description="What becomes of what a strategy leaves."
)


@strawberry.input(description="A part of a sum: so many minor units for each unit, or band.")
class RoutingWeighedInput:
    criterion: str
    weight: BigInt = 1
    band: BigInt | None = None


@strawberry.input(description="One criterion, or a weighed sum of some.")
class RoutingObjectiveInput:
    criterion: str = ""
    band: BigInt | None = strawberry.field(
        default=None, description="Values within one band count as equal."
    )
    sum: list[RoutingWeighedInput] = strawberry.field(default_factory=list)


@strawberry.input(description="What counts how much in the preset SOURCING, in minor units.")
class RoutingSourcingInput:
    near: BigInt = strawberry.field(default=1, description="For each 10 km.")
    cheap: BigInt = strawberry.field(default=1, description="For each minor unit of cost.")
    fast: BigInt = strawberry.field(default=1, description="For each quarter of an hour.")


@strawberry.input(description="One way to send the orders that it is for (寻源策略).")
class RoutingStrategyInput:
    name: str
    when: ConditionInput | None = strawberry.field(
        default=None, description="Which orders it is for; see routingAttributes."
    )
    nodes: ConditionInput | None = strawberry.field(
        default=None, description="Which nodes may send them; see routingAttributes."
    )
    preset: Preset | None = None
    weights: RoutingSourcingInput | None = None
    objectives: list[RoutingObjectiveInput] = strawberry.field(default_factory=list)
    max_parcels: int | None = strawberry.field(
        default=None, description="Most nodes that this strategy sends an order from."
    )
    max_nodes: int = strawberry.field(
        default=3, description="Most nodes that the quantity of a line is split over."
    )
    least_parcel_minor: BigInt = strawberry.field(
        default=0, description="A parcel, and what is left, is worth at least so much."
    )
    whole_only: bool = False
    may_split_lines: bool = True
    otherwise: Otherwise = Otherwise.NEXT
    queue: str = ""
    cancel_after_days: int | None = None


@strawberry.input(description="When orders that are not sent yet are given to other nodes (改派).")
class RoutingReroutingInput:
    least_saving_minor: BigInt = strawberry.field(
        description="So much cheaper it must be: freight, handling and what dealers are paid."
    )
    within_hours: int = strawberry.field(
        default=24, description="For so long after it was placed an order is looked at again."
    )


@strawberry.input(description="Strategies, in the order in which they have their turn.")
class RoutingPolicyInput:
    strategies: list[RoutingStrategyInput]
    plans_together: bool = strawberry.field(
        default=False,
        description="Orders that come at the same time and want the same last units are planned "
        "together, where that is cheaper for all and nobody gets less.",
    )
    rerouting: RoutingReroutingInput | None = strawberry.field(
        default=None, description="Left out: an order stays with the nodes that it was given to."
    )


def policy_of(given: RoutingPolicyInput) -> PolicyDocument:
    """Return the policy that was given; raises InvalidPolicy."""
    try:
        return msgspec.convert(plain(asdict(given)), PolicyDocument)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InvalidPolicy(f"The policy cannot be read: {error}.") from error
