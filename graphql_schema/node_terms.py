"""What nodes can do, and when and at what cost they send, as the API says it."""

from collections.abc import Iterable
from enum import Enum

import strawberry

from backend.network.model import Capability, NodeTerms
from graphql_schema.scalars import BigInt

strawberry.enum(
    Capability, name="Capability", description="What a node can handle beside ordinary parcels."
)


@strawberry.enum(description="A day of the week.")
class Weekday(Enum):
    """Its value is its bit among the working days of a node."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


@strawberry.input(description="What a node can do, and when and at what cost it sends.")
class NodeTermsInput:
    capabilities: list[Capability]
    cut_off_minute: int | None = strawberry.field(
        default=None,
        description="The minute of the brand's day after which an order is dispatched on the next "
        "working day: 960 is 16:00; null: none.",
    )
    working_days: list[Weekday]
    service_level: int = strawberry.field(description="0 (least) to 9.")
    handling_minor: BigInt = strawberry.field(description="What handling a parcel costs.")
    keeps_for_region: bool = strawberry.field(
        description="Its stock is meant for its own province first."
    )


def node_terms(given: NodeTermsInput | None) -> NodeTerms:
    """Return the terms that an input gives; without one what holds where nothing is said."""
    if given is None:
        return NodeTerms()
    return NodeTerms(
        capabilities=frozenset(given.capabilities),
        cut_off_minute=given.cut_off_minute,
        working_days=bits_of(given.working_days),
        service_level=given.service_level,
        handling_minor=given.handling_minor,
        keeps_for_region=given.keeps_for_region,
    )


def bits_of(days: Iterable[Weekday]) -> int:
    """Return days of the week as a node keeps them: bit 0 is Monday."""
    return sum(1 << day.value for day in set(days))


def days_of(bits: int) -> list[Weekday]:
    """Return the days of the week that a node keeps so."""
    return [day for day in Weekday if bits >> day.value & 1]
