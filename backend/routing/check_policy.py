"""Whether a policy can be used at all: every name known, every figure within its bounds."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backend.conditions.attributes import Attributes
from backend.conditions.compile import compile_condition
from backend.conditions.model import Condition
from backend.network.regions.table import RegionTable
from backend.routing.attributes import NODE_ATTRIBUTES, ORDER_ATTRIBUTES
from backend.routing.criteria import CRITERIA
from backend.routing.errors import InvalidPolicy
from backend.routing.model import Objective, Otherwise, PolicyDocument, Preset, Rerouting, Strategy
from backend.routing.presets import objectives_of
from backend.routing.terms import TooFine, pack
from core_ext.limits import MAX_PARCELS, MAX_SPLIT_NODES

STRATEGIES_MAX = 50
"""More than a person keeps in mind."""
BAND_MAX = 1 << 62
WEIGHT_MAX = 1_000_000_000
LEAST_PARCEL_MAX = 10**15
NAME_LENGTH_MAX = 100
CANCEL_AFTER_DAYS_MAX = 365
LEAST_SAVING_MAX = 1_000_000_000
REROUTED_HOURS_MAX = 720
"""A month: what waits for longer waits for something else."""
REGION_ATTRIBUTES = frozenset({"order.region", "order.subsidy_region", "node.region"})

Path = tuple[str | int, ...]


class Known(NamedTuple):
    """What the names in a policy are looked up in; None where they are not looked up."""

    regions: RegionTable | None = None
    sku_codes: frozenset[str] | None = None
    """Of the SKUs that the policy names, those that exist."""
    shop_codes: frozenset[str] | None = None
    node_codes: frozenset[str] | None = None


NOTHING_KNOWN = Known()


def check_policy(document: PolicyDocument, known: Known = NOTHING_KNOWN) -> None:
    """Raise InvalidPolicy or InvalidCondition, with the path, where a document cannot be used."""
    strategies = document.strategies
    if not 1 <= len(strategies) <= STRATEGIES_MAX:
        raise InvalidPolicy(f"A policy has 1 to {STRATEGIES_MAX} strategies.", path=("strategies",))
    names: set[str] = set()
    for index, strategy in enumerate(strategies):
        path = ("strategies", index)
        if strategy.name in names:
            raise InvalidPolicy(
                f"Two strategies are called {strategy.name!r}.", path=(*path, "name")
            )
        names.add(strategy.name)
        _check_strategy(strategy, known, path)
    if document.rerouting is not None:
        _check_rerouting(document.rerouting)


def _check_rerouting(rerouting: Rerouting) -> None:
    for name, value, most in (
        ("leastSavingMinor", rerouting.least_saving_minor, LEAST_SAVING_MAX),
        ("withinHours", rerouting.within_hours, REROUTED_HOURS_MAX),
    ):
        if not 1 <= value <= most:
            raise InvalidPolicy(f"{name} lies between 1 and {most:,}.", path=("rerouting", name))


def named_in(document: PolicyDocument, attribute: str) -> set[str]:
    """Return the values that the tests of an attribute name anywhere in a policy."""
    conditions = [part for s in document.strategies for part in (s.when, s.nodes) if part]
    return {
        value
        for condition in conditions
        for _, test_attribute, values in _tests(condition, ())
        if test_attribute == attribute
        for value in values
    }


def _check_strategy(strategy: Strategy, known: Known, path: Path) -> None:
    if not 0 < len(strategy.name) <= NAME_LENGTH_MAX or "\0" in strategy.name:
        raise InvalidPolicy(
            f"A strategy has a name of up to {NAME_LENGTH_MAX} characters.", path=(*path, "name")
        )
    for part, attributes in (("when", ORDER_ATTRIBUTES), ("nodes", NODE_ATTRIBUTES)):
        _check_condition(getattr(strategy, part), attributes, known, (*path, part))
    if strategy.weights is not None and strategy.preset is not Preset.SOURCING:
        raise InvalidPolicy(
            "Weights belong to the preset `sourcing`; weigh criteria in a `sum`.",
            path=(*path, "weights"),
        )
    if strategy.weights is not None:
        for name in ("near", "cheap", "fast"):
            least = 0 if name != "cheap" else 1
            _check_range(getattr(strategy.weights, name), least, WEIGHT_MAX, path, "weights", name)
    _check_limits(strategy, path)
    _check_remainder(strategy, path)
    _check_objectives(strategy, path)


def _check_limits(strategy: Strategy, path: Path) -> None:
    if strategy.max_parcels is not None:
        _check_range(strategy.max_parcels, 1, MAX_PARCELS, path, "maxParcels")
    _check_range(strategy.max_nodes, 1, MAX_SPLIT_NODES, path, "maxNodes")
    _check_range(strategy.least_parcel_minor, 0, LEAST_PARCEL_MAX, path, "leastParcelMinor")


def _check_remainder(strategy: Strategy, path: Path) -> None:
    is_queue = strategy.otherwise is Otherwise.QUEUE
    if is_queue != bool(strategy.queue):
        raise InvalidPolicy(
            "The name of a queue belongs to `otherwise: queue`, and only there.",
            path=(*path, "queue"),
        )
    if len(strategy.queue) > NAME_LENGTH_MAX or "\0" in strategy.queue:
        raise InvalidPolicy(
            f"The name of a queue has up to {NAME_LENGTH_MAX} characters.", path=(*path, "queue")
        )
    if (strategy.otherwise is Otherwise.CANCEL) != (strategy.cancel_after_days is not None):
        raise InvalidPolicy(
            "cancelAfterDays belongs to `otherwise: cancel`, and only there.",
            path=(*path, "cancelAfterDays"),
        )
    if strategy.cancel_after_days is not None:
        _check_range(strategy.cancel_after_days, 0, CANCEL_AFTER_DAYS_MAX, path, "cancelAfterDays")


def _check_objectives(strategy: Strategy, path: Path) -> None:
    objectives = objectives_of(strategy)
    if not objectives:
        raise InvalidPolicy(
            "A strategy needs a preset or at least one objective.", path=(*path, "objectives")
        )
    own = len(objectives) - len(strategy.objectives)
    seen: set[str] = set()
    for index, objective in enumerate(objectives):
        place = (*path, "objectives", max(0, index - own))
        for criterion, band, weight, at in _parts(objective, place):
            _check_part(criterion, band, weight, at)
            if criterion in seen:
                raise InvalidPolicy(
                    f"The criterion {criterion!r} stands twice in the strategy.", path=at
                )
            seen.add(criterion)
    try:
        pack(strategy)
    except TooFine as error:
        raise InvalidPolicy(
            f"The objectives together are too fine for one number ({error}); give them wider "
            "bands, smaller weights, or the strategy fewer parcels.",
            path=(*path, "objectives"),
        ) from error


def _parts(objective: Objective, path: Path) -> Iterator[tuple[str, int | None, int, Path]]:
    if bool(objective.criterion) == bool(objective.sum):
        raise InvalidPolicy("An objective is one criterion, or a sum of some.", path=path)
    if objective.criterion:
        yield objective.criterion, objective.band, 1, path
    elif objective.band is not None:
        raise InvalidPolicy("The parts of a sum have bands, not the sum.", path=(*path, "band"))
    for index, part in enumerate(objective.sum):
        yield part.criterion, part.band, part.weight, (*path, "sum", index)


def _check_part(criterion: str, band: int | None, weight: int, path: Path) -> None:
    if criterion not in CRITERIA:
        known = ", ".join(sorted(CRITERIA))
        raise InvalidPolicy(
            f"There is no criterion {criterion!r}; there are {known}.", path=(*path, "criterion")
        )
    if band is not None:
        _check_range(band, 1, BAND_MAX, path, "band")
    _check_range(weight, 1, WEIGHT_MAX, path, "weight")


def _check_range(value: int, least: int, most: int, path: Path, *names: str) -> None:
    if not least <= value <= most:
        raise InvalidPolicy(f"{names[-1]} lies between {least} and {most}.", path=(*path, *names))


def _check_condition(
    condition: Condition | None, attributes: Attributes, known: Known, path: Path
) -> None:
    if condition is None:
        return
    compile_condition(condition, attributes, path)
    for test_path, attribute, values in _tests(condition, path):
        for index, value in enumerate(values):
            if not _is_known(attribute, value, known):
                what = attribute.rpartition(".")[2]
                raise InvalidPolicy(
                    f"{what} {value!r} does not exist.", path=(*test_path, "values", index)
                )


def _is_known(attribute: str, value: str, known: Known) -> bool:
    if attribute in REGION_ATTRIBUTES:
        regions = known.regions
        return regions is None or (value.isdecimal() and int(value) in regions.by_code)
    listed = {
        "goods.skus": known.sku_codes,
        "order.shop": known.shop_codes,
        "node.code": known.node_codes,
    }.get(attribute)
    return listed is None or value in listed


def _tests(condition: Condition, path: Path) -> Iterator[tuple[Path, str, Sequence[str]]]:
    """Yield every test with its path, attribute and values."""
    if condition.test is not None:
        yield (*path, "test"), condition.test.attribute, condition.test.values
    for name, parts in (("all", condition.all), ("any", condition.any)):
        for index, part in enumerate(parts or ()):
            yield from _tests(part, (*path, name, index))
    if condition.not_ is not None:
        yield from _tests(condition.not_, (*path, "not"))
