"""From a condition to a function; whatever cannot be used is refused here, once."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from backend.conditions.attributes import Attributes, Type
from backend.conditions.model import (
    DEPTH_MAX,
    TESTS_MAX,
    VALUE_LENGTH_MAX,
    VALUES_MAX,
    Comparison,
    Condition,
    InvalidCondition,
    Operator,
)

Facts = Mapping[str, Any]
"""Attribute → what it is; None, or left out, where nobody knows."""

Check = Callable[[Facts], bool]
Path = tuple[str | int, ...]


def compile_condition(condition: Condition, known: Attributes, path: Path = ()) -> Check:
    """Return the condition as a function of facts.

    Raises InvalidCondition for an unknown attribute, an operator or value that its type does not
    have, and for a tree that is too deep or too large; its path begins with `path`.
    """
    return _Compiler(known).compile(condition, path, 1)


def attributes_of(condition: Condition) -> set[str]:
    """Return the attributes that a condition asks about."""
    if condition.test is not None:
        return {condition.test.attribute}
    parts = [*(condition.all or ()), *(condition.any or ())]
    if condition.not_ is not None:
        parts.append(condition.not_)
    return {name for part in parts for name in attributes_of(part)}


class _Compiler:
    def __init__(self, known: Attributes) -> None:
        self._known = known
        self._tests = 0

    def compile(self, condition: Condition, path: Path, depth: int) -> Check:
        if depth > DEPTH_MAX:
            raise InvalidCondition(f"A condition has at most {DEPTH_MAX} levels.", path=path)
        given = [
            name
            for name, part in (
                ("all", condition.all),
                ("any", condition.any),
                ("not", condition.not_),
                ("test", condition.test),
            )
            if part is not None
        ]
        if len(given) != 1:
            raise InvalidCondition("Give exactly one of all, any, not and test.", path=path)
        if condition.test is not None:
            return self._test(condition.test, (*path, "test"))
        if condition.not_ is not None:
            inner = self.compile(condition.not_, (*path, "not"), depth + 1)
            return lambda facts: not inner(facts)
        parts = condition.all if condition.all is not None else condition.any
        assert parts is not None, "one of the four is given"
        if not parts:
            raise InvalidCondition("There is nothing in it.", path=(*path, given[0]))
        checks = [
            self.compile(part, (*path, given[0], index), depth + 1)
            for index, part in enumerate(parts)
        ]
        if condition.all is not None:
            return lambda facts: all(check(facts) for check in checks)
        return lambda facts: any(check(facts) for check in checks)

    def _test(self, test: Comparison, path: Path) -> Check:
        self._tests += 1
        if self._tests > TESTS_MAX:
            raise InvalidCondition(f"A condition has at most {TESTS_MAX} tests.", path=path)
        attribute = self._known.get(test.attribute)
        if attribute is None:
            raise InvalidCondition(
                f"There is no attribute {test.attribute!r} here; there are "
                f"{', '.join(sorted(self._known))}.",
                path=(*path, "attribute"),
            )
        if test.operator not in attribute.type.operators:
            allowed = ", ".join(sorted(attribute.type.operators))
            raise InvalidCondition(
                f"{test.attribute} has the operators {allowed}.", path=(*path, "operator")
            )
        return _comparison(test, attribute.type, _values(test, attribute.type, path))


def _values(test: Comparison, type_: Type, path: Path) -> list[Any]:
    wanted = {Operator.IN: range(1, VALUES_MAX + 1), Operator.BETWEEN: (2,)}
    allowed: Collection[int] = wanted.get(test.operator, (1,))
    if len(test.values) not in allowed:
        raise InvalidCondition(
            f"{test.operator} takes {min(allowed)} to {max(allowed)} values.",
            path=(*path, "values"),
        )
    values = []
    for index, text in enumerate(test.values):
        try:
            if len(text) > VALUE_LENGTH_MAX:
                raise ValueError(f"a value has at most {VALUE_LENGTH_MAX} characters")
            if "\0" in text:
                raise ValueError("a value has no zero byte")
            values.append(type_.read(text))
        except ValueError as error:
            raise InvalidCondition(
                f"{text[:40]!r} is no value of {test.attribute}: {error}.",
                path=(*path, "values", index),
            ) from error
    if test.operator is Operator.BETWEEN and type_ is not Type.TIME and values[0] > values[1]:
        raise InvalidCondition("The first value lies behind the second.", path=(*path, "values"))
    return values


def _comparison(test: Comparison, type_: Type, values: list[Any]) -> Check:
    """Return the test of a value that is there."""
    first, last = values[0], values[-1]
    among = frozenset(values)
    compare: dict[Operator, Callable[[Any], bool]] = {
        Operator.EQUALS: lambda value: value == first,
        Operator.IN: lambda value: value in among,
        Operator.STARTS_WITH: lambda value: value.startswith(first),
        Operator.AT_LEAST: lambda value: value >= first,
        Operator.AT_MOST: lambda value: value <= first,
        Operator.BETWEEN: lambda value: first <= value <= last,
        Operator.CONTAINS: lambda value: first in value,
    }
    is_so = compare[test.operator]
    if type_ is Type.TIME and first > last:  # past midnight
        is_so = lambda value: value >= first or value <= last  # noqa: E731
    name = test.attribute

    def check(facts: Facts) -> bool:
        value = facts.get(name)
        return value is not None and is_so(value)

    return check
