"""Whether the strategies of a policy can do what they are there for, found out before it is active.

Conditions ask about attributes with few interesting values: those that tests name, those next to
them, and one that no test names. Search goes through combinations of such values, and gives up a
branch as soon as it decides the question. What is found impossible is so, where attributes are what
they say; two that depend on each other are known in `_is_consistent`.

A set is asked value by value whether it contains it: each is a question of its own, so that none of
their combinations is left out.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from enum import StrEnum
from itertools import combinations
from typing import Any, NamedTuple

from backend.conditions.attributes import MINUTES_OF_A_DAY, Attributes, Type
from backend.conditions.compile import attributes_of, compile_condition
from backend.conditions.model import Comparison, Condition, Operator
from backend.network.regions.table import RegionTable
from backend.routing.attributes import (
    NODE_ATTRIBUTES,
    ORDER_ATTRIBUTES,
    PLACE_FIELDS_OF_NODE_ATTRIBUTES,
    facts_of_nodes,
)
from backend.routing.check_policy import REGION_ATTRIBUTES
from backend.routing.model import Otherwise, Place, PolicyDocument
from backend.routing.network_view import NOWHERE, NetworkView
from backend.routing.traits import LEVEL_MAX

STEPS_MAX = 100_000
"""Combinations that are looked at for one question: a second or two."""
LOOKS_IN_ALL_MAX = 1_000_000
"""Conditions that are looked at for all questions of a policy together: seconds."""
MAY_BE_UNKNOWN = frozenset(
    {"order.dealer", "order.promised_on", "order.days_to_promise", "stock.age_days"}
)
VARIES = frozenset(PLACE_FIELDS_OF_NODE_ATTRIBUTES) | {"node.wait_days", "node.accuracy_bp"}
"""Attributes of a node that are others for other orders, or at another time."""
NO_LIMIT = 2**62
RANGES = {
    "order.customer_level": (0, LEVEL_MAX),
    "order.weight_g": (0, NO_LIMIT),
    "order.volume_cm3": (0, NO_LIMIT),
    "order.lines": (1, NO_LIMIT),
    "order.units": (1, NO_LIMIT),
    "stock.age_days": (0, NO_LIMIT),
    "time.weekday": (1, 7),
}
"""What numbers can be at all."""

MEMBER = "\0"
"""Between the name of a set and the value that it may contain; no value has it."""

Facts = dict[str, Any]
_Asked = tuple[str, tuple[Any, ...]]
"""Something to be decided, and what it may be."""


class FindingKind(StrEnum):
    """What is wrong with a policy."""

    NEVER_MATCHES = "never_matches"
    """No order can meet the condition: its tests contradict each other."""
    SHADOWED = "shadowed"
    """Every order that meets the condition ends with an earlier strategy."""
    NO_NODE = "no_node"
    """No node of the network passes the filter, wherever an order goes."""
    FALLS_THROUGH = "falls_through"
    """There are orders that no strategy is for."""
    LEAVES_TO_NOBODY = "leaves_to_nobody"
    """What the last strategy that an order goes through leaves has no next one."""
    NOT_DECIDED = "not_decided"
    """There are too many combinations to say."""


class Finding(NamedTuple):
    """Something that whoever activates a policy should know."""

    kind: FindingKind
    strategy: str
    """The strategy it is about; none where it is about all."""
    message: str
    example: Mapping[str, Any]
    """Attributes of an order, as far as they matter; none where there can be no such order."""


class _Undecided(Exception):
    """The search has taken too many steps."""


def findings_of(document: PolicyDocument, view: NetworkView) -> list[Finding]:
    """Return what is wrong with a policy that `check_policy` has let through."""
    search = _Search(document, view.regions)
    found = []
    for number, strategy in enumerate(document.strategies):
        found += _of_condition(search, document, number)
        if strategy.nodes is not None and not _any_node_passes(strategy.nodes, view):
            message = f"No node of the network passes the filter of {strategy.name!r}."
            found.append(Finding(FindingKind.NO_NODE, strategy.name, message, {}))
    return found + _of_all(search, document)


def _of_condition(search: "_Search", document: PolicyDocument, number: int) -> list[Finding]:
    strategy = document.strategies[number]
    ending = [
        earlier
        for earlier in document.strategies[:number]
        if earlier.otherwise is not Otherwise.NEXT
    ]
    try:
        example = search.example([strategy.when], [])
        if example is None:
            message = f"No order can meet the condition of {strategy.name!r}: " + " and ".join(
                _contradiction(search, strategy.when)
            )
            return [Finding(FindingKind.NEVER_MATCHES, strategy.name, message, {})]
        taken = [earlier.when for earlier in ending]
        if search.example([strategy.when], taken) is not None:
            return []
        example = search.example([strategy.when], [], taken)
        assert example is not None, "there is one without what the others ask about"
        taker = next(one for one in ending if search.holds(one.when, example))
    except _Undecided:
        message = f"The conditions up to {strategy.name!r} have too many combinations to check."
        return [Finding(FindingKind.NOT_DECIDED, strategy.name, message, {})]
    message = (
        f"Orders for {strategy.name!r} never come so far: an order like this one ends with "
        f"{taker.name!r}."
    )
    return [Finding(FindingKind.SHADOWED, strategy.name, message, example)]


def _of_all(search: "_Search", document: PolicyDocument) -> list[Finding]:
    """Look for orders that no strategy is for, and for remainders that nobody takes."""
    found = []
    try:
        example = search.example([], [strategy.when for strategy in document.strategies])
        if example is not None:
            message = "No strategy is for an order like this one: it would wait for a person."
            found.append(Finding(FindingKind.FALLS_THROUGH, "", message, example))
        ending = [s.when for s in document.strategies if s.otherwise is not Otherwise.NEXT]
        going_on = [s for s in document.strategies if s.otherwise is Otherwise.NEXT]
        for strategy in reversed(going_on):
            example = search.example([strategy.when], ending)
            if example is not None:
                message = (
                    f"What {strategy.name!r} leaves of an order like this one goes to no further "
                    "strategy: it would wait for a person."
                )
                kind = FindingKind.LEAVES_TO_NOBODY
                found.append(Finding(kind, strategy.name, message, example))
                break
    except _Undecided:
        message = "The conditions together have too many combinations to check."
        found.append(Finding(FindingKind.NOT_DECIDED, "", message, {}))
    return found


def _contradiction(search: "_Search", condition: Condition | None) -> list[str]:
    """Return the fewest tests of a conjunction that contradict each other, in words."""
    parts = list(condition.all or ()) if condition is not None and condition.all else []
    with suppress(_Undecided):  # that it cannot be met is known
        for count in range(1, min(4, len(parts) + 1)):
            for some in combinations(parts, count):
                if search.example(list(some), []) is None:
                    return [words_of(part) for part in some]
    return [words_of(condition)] if condition is not None else []


def words_of(condition: Condition) -> str:
    """Return a condition as one would say it."""
    if condition.test is not None:
        test = condition.test
        values = ", ".join(test.values)
        return f"{test.attribute} {test.operator.value.replace('_', ' ')} {values}"
    if condition.not_ is not None:
        return f"not ({words_of(condition.not_)})"
    parts, word = (condition.all, " and ") if condition.all else (condition.any, " or ")
    return "(" + word.join(words_of(part) for part in parts or ()) + ")"


def _any_node_passes(condition: Condition, view: NetworkView) -> bool:
    """Whether some node might pass, for an order to somewhere, at some time."""
    truth = _Truth(NODE_ATTRIBUTES)
    for facts in facts_of_nodes(view, Place(NOWHERE)):
        known = {name: value for name, value in facts.items() if name not in VARIES}
        if truth.of(condition, known) is not False:
            return True
    return False


class _Truth:
    """Conditions where some attributes are not decided yet: true, false, or None for either."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self._checks: dict[Comparison, Callable[[Facts], bool]] = {}

    def of(self, condition: Condition | None, facts: Facts) -> bool | None:
        if condition is None:
            return True
        if condition.test is not None:
            return self._test(condition.test, facts)
        if condition.not_ is not None:
            inner = self.of(condition.not_, facts)
            return None if inner is None else not inner
        is_all = condition.all is not None
        parts = condition.all if condition.all is not None else condition.any
        found = [self.of(part, facts) for part in parts or ()]
        if (not is_all) in found:
            return not is_all
        return None if None in found else is_all

    def _test(self, test: Comparison, facts: Facts) -> bool | None:
        if test.operator is Operator.CONTAINS and test.attribute not in facts:
            member: bool | None = facts.get(_member(test.attribute, test.values[0]))
            return member
        if test.attribute not in facts:
            return None
        check = self._checks.get(test)
        if check is None:
            check = compile_condition(Condition(test=test), self._attributes)
            self._checks[test] = check
        return check(facts)


class _Search:
    """Looks for orders that meet some conditions and not others."""

    def __init__(self, document: PolicyDocument, regions: RegionTable) -> None:
        conditions = [s.when for s in document.strategies if s.when is not None]
        self._regions = regions
        self._truth = _Truth(ORDER_ATTRIBUTES)
        values: dict[str, list[Comparison]] = {}
        for test in (test for condition in conditions for test in _tests(condition)):
            values.setdefault(test.attribute, []).append(test)
        self._asked = {name: self._questions(name, tests) for name, tests in values.items()}
        self._steps = self._looks_in_all = 0

    def holds(self, condition: Condition | None, facts: Facts) -> bool:
        return self._truth.of(condition, facts) is True

    def example(
        self,
        wanted: Sequence[Condition | None],
        unwanted: Sequence[Condition | None],
        about: Sequence[Condition | None] = (),
    ) -> Facts | None:
        """Return attributes of an order that meets all of `wanted` and none of `unwanted`.

        It has those that they ask about, and those that the conditions of `about` do.
        """
        self._steps = 0
        names = {
            name
            for condition in (*wanted, *unwanted, *about)
            if condition is not None
            for name in attributes_of(condition)
        }
        asked = [one for name in sorted(names) for one in self._asked[name]]
        return self._descend(sorted(asked, key=lambda one: len(one[1])), {}, wanted, unwanted)

    def _descend(
        self,
        asked: Sequence[_Asked],
        facts: Facts,
        wanted: Sequence[Condition | None],
        unwanted: Sequence[Condition | None],
    ) -> Facts | None:
        self._steps += 1
        self._looks_in_all += len(wanted) + len(unwanted)
        if self._steps > STEPS_MAX or self._looks_in_all > LOOKS_IN_ALL_MAX:
            raise _Undecided
        if any(self._truth.of(one, facts) is False for one in wanted):
            return None
        if any(self._truth.of(one, facts) is True for one in unwanted):
            return None
        if not _is_consistent(facts):
            return None
        if not asked:
            return _as_told(facts)
        name, values = asked[0]
        for value in values:
            found = self._descend(asked[1:], facts | {name: value}, wanted, unwanted)
            if found is not None:
                return found
        return None

    def _questions(self, name: str, tests: Sequence[Comparison]) -> list[_Asked]:
        """Return what is to be decided about an attribute, with the values that tests tell apart.

        Of a set that is each of its values on its own.
        """
        texts = list(dict.fromkeys(value for test in tests for value in test.values))
        if ORDER_ATTRIBUTES[name].type is Type.SET and name not in REGION_ATTRIBUTES:
            return [(_member(name, text), (False, True)) for text in texts]
        found = tuple(dict.fromkeys(self._values(name, texts, tests)))
        return [(name, (*found, None) if name in MAY_BE_UNKNOWN else found)]

    def _values(self, name: str, texts: list[str], tests: Sequence[Comparison]) -> list[Any]:
        type_ = ORDER_ATTRIBUTES[name].type
        if name in REGION_ATTRIBUTES:
            return [self._region(text) for text in texts] + [frozenset()]
        if type_ is Type.TEXT:
            prefixes = [t.values[0] for t in tests if t.operator is Operator.STARTS_WITH]
            unused = _unused_character(texts)
            other = unused if any("another".startswith(text) for text in texts) else "another"
            return [*texts, *(prefix + unused for prefix in prefixes), other]
        values = [near for text in texts for near in _around(type_, type_.read(text))]
        if name not in RANGES:
            return values
        least, most = RANGES[name]
        return [value for value in values if least <= value <= most] or [least]

    def _region(self, code: str) -> frozenset[str]:
        return frozenset(str(region.code) for region in self._regions.ancestors(int(code)))


def _tests(condition: Condition) -> Iterator[Comparison]:
    if condition.test is not None:
        yield condition.test
    for part in (*(condition.all or ()), *(condition.any or ())):
        yield from _tests(part)
    if condition.not_ is not None:
        yield from _tests(condition.not_)


def _member(name: str, text: str) -> str:
    """Return the name of the question whether a set contains a text."""
    return f"{name}{MEMBER}{text}"


def _as_told(facts: Facts) -> Facts:
    """Return facts with the sets in them put together."""
    told: Facts = {}
    for name, value in facts.items():
        of_set, is_member, text = name.partition(MEMBER)
        if is_member:
            told[of_set] = told.get(of_set, frozenset()) | (frozenset({text}) if value else set())
        else:
            told[name] = value
    return told


def _unused_character(texts: Sequence[str]) -> str:
    used = set().union(*texts)
    letters = map(chr, range(ord("~"), sys.maxunicode))
    return next(letter for letter in letters if letter not in used)


def _around(type_: Type, value: Any) -> list[Any]:
    """Return a value, and those right below and above it."""
    if type_ is Type.FLAG:
        return [value, not value]
    if type_ is Type.TIME:
        return [value, (value - 1) % MINUTES_OF_A_DAY, (value + 1) % MINUTES_OF_A_DAY]
    if isinstance(value, date):
        return [value, value - timedelta(days=1), value + timedelta(days=1)]
    return [value, value - 1, value + 1]


def _is_consistent(facts: Facts) -> bool:
    """Whether attributes that depend on each other fit."""
    installs = _member("order.needs", "installs")
    if {"order.dealer", "order.is_dealers"} <= facts.keys() and (
        bool(facts["order.dealer"]) is not facts["order.is_dealers"]
    ):
        return False
    if {"order.promised_on", "order.days_to_promise"} <= facts.keys() and (
        (facts["order.promised_on"] is None) is not (facts["order.days_to_promise"] is None)
    ):
        return False
    if {installs, "order.needs_installation"} <= facts.keys():
        return facts[installs] is facts["order.needs_installation"]
    return _are_words(facts)


def _are_words(facts: Facts) -> bool:
    """Whether what a remark has and lacks fits: who has a word has all parts of it."""
    start = _member("order.remark", "")
    found = {name.removeprefix(start): has for name, has in facts.items() if name.startswith(start)}
    words = [word for word, has in found.items() if has]
    return all(found[part] for word in (*words, "") for part in found if part in word)
