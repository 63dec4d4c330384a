"""The layout of pools as it is written and read: the same shape both ways."""

from dataclasses import asdict
from typing import Any

import msgspec
import strawberry
from strawberry.utils.str_converters import to_camel_case

from backend.conditions.model import Condition, InvalidCondition, Operator
from backend.inventory.pools.errors import InvalidLayout
from backend.inventory.pools.model import Layer, Layout, Mode
from graphql_schema.scalars import BigInt

strawberry.enum(Layer, name="PoolLayer", description="supply (逻辑供货) or dispatch (调度供货).")
strawberry.enum(Mode, name="PoolMode", description="How a pool is given to its shops.")
strawberry.enum(Operator, name="ConditionOperator", description="How a test compares.")


@strawberry.input(description="One comparison; the values are text, read by the attribute's type.")
class ComparisonInput:
    attribute: str
    operator: Operator
    values: list[str]


@strawberry.input(name="ConditionInput", description="Exactly one of all, any, not and test.")
class ConditionInput:
    all: list["ConditionInput"] | None = None
    any: list["ConditionInput"] | None = None
    not_: "ConditionInput | None" = strawberry.field(name="not", default=None)
    test: ComparisonInput | None = None


@strawberry.input(description="Other figures for where a condition holds; the first that holds.")
class PoolRuleInput:
    when: ConditionInput
    ratio_bp: int | None = None
    reserve: BigInt | None = None
    most: BigInt | None = None


@strawberry.input(description="A link from functional warehouses, by code or by `where`.")
class PoolSupplyInput:
    warehouses: list[str] = strawberry.field(default_factory=list)
    where: ConditionInput | None = None
    ratio_bp: int = 10_000
    reserve: BigInt = 0
    most: BigInt | None = None
    rules: list[PoolRuleInput] = strawberry.field(default_factory=list)


@strawberry.input(description="A link from other pools, taken together.")
class PoolFeedInput:
    pools: list[str]
    ratio_bp: int = 10_000
    reserve: BigInt = 0
    most: BigInt | None = None
    rules: list[PoolRuleInput] = strawberry.field(default_factory=list)


@strawberry.input(description="A pool and what flows into it.")
class PoolInput:
    code: str
    name: str
    layer: Layer
    mode: Mode = Mode.SHARED
    supplies: list[PoolSupplyInput] = strawberry.field(default_factory=list)
    feeds: list[PoolFeedInput] = strawberry.field(default_factory=list)


@strawberry.input(description="What a pool gives to a shop.")
class PoolShareInput:
    pool: str
    shop: str
    ratio_bp: int = 10_000
    reserve: BigInt = 0
    most: BigInt | None = None
    rank: int = strawberry.field(default=0, description="Its turn, in modes that have turns.")
    binding: bool = strawberry.field(
        default=False, description="The shop sells no more than it is offered."
    )
    rules: list[PoolRuleInput] = strawberry.field(default_factory=list)


@strawberry.input(description="What a platform is told of a shop's number (库存同步).")
class PoolSyncInput:
    shop: str
    buffer: BigInt = 0
    cap: BigInt | None = None
    zero_below: BigInt = 0
    minimum_change: BigInt = 1


@strawberry.input(description="All pools of the brand, their shares and sync policies.")
class PoolLayoutInput:
    pools: list[PoolInput]
    shares: list[PoolShareInput] = strawberry.field(default_factory=list)
    syncs: list[PoolSyncInput] = strawberry.field(default_factory=list)
    least_accuracy_bp: int | None = strawberry.field(
        default=None,
        description="Nodes offer such a part of their stock as was found to be there, but at least "
        "this; null: all of it.",
    )


def layout_of(given: PoolLayoutInput) -> Layout:
    """Return the layout that was given; raises InvalidLayout."""
    try:
        return msgspec.convert(plain(asdict(given)), Layout)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InvalidLayout(f"The layout cannot be read: {error}.") from error


def condition_of(given: ConditionInput | None, path: tuple[str | int, ...]) -> Condition | None:
    """Return the condition that was given; raises InvalidCondition."""
    if given is None:
        return None
    try:
        return msgspec.convert(plain(asdict(given)), Condition)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InvalidCondition(f"The condition cannot be read: {error}.", path=path) from error


def plain(value: Any) -> Any:
    """Return dicts with the names that documents have, without what was left out."""
    if isinstance(value, dict):
        return {
            to_camel_case(name.rstrip("_")): plain(part)
            for name, part in value.items()
            if part is not None
        }
    return [plain(part) for part in value] if isinstance(value, list) else value
