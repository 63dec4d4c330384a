"""Scalars that GraphQL lacks."""

from typing import TYPE_CHECKING, Any, NewType

from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import scalar

SAFE_INTEGER_MAX = 2**53 - 1
"""The largest integer that a JavaScript client reads exactly."""

if TYPE_CHECKING:
    BigInt = int
else:
    BigInt = NewType("BigInt", int)
    """A whole number; money in minor units and stock exceed GraphQL's 32 bits."""


def _parse(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > SAFE_INTEGER_MAX:
        raise GraphQLError("A BigInt is a whole number between -(2^53 - 1) and 2^53 - 1.")
    return value


BIG_INT = scalar(
    name="BigInt",
    description="A whole number between -(2^53 - 1) and 2^53 - 1.",
    serialize=int,
    parse_value=_parse,
)


def schema_config(*, is_sorted: bool) -> StrawberryConfig:
    """Return the schema's settings; sorted only to be written down: a sorted schema's unions do not
    know their own members (strawberry 0.341)."""
    return StrawberryConfig(
        sort_schema=is_sorted, relay_max_results=100, scalar_map={BigInt: BIG_INT}
    )
