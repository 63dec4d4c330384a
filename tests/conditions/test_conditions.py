"""Conditions say what they are written to say; what cannot be used is refused with its place."""

from datetime import date
from typing import Any

import msgspec
import pytest

from backend.conditions.attributes import Type, attributes
from backend.conditions.compile import attributes_of, compile_condition
from backend.conditions.model import (
    DEPTH_MAX,
    TESTS_MAX,
    VALUES_MAX,
    Comparison,
    Condition,
    InvalidCondition,
    Operator,
)

KNOWN = attributes(
    ("category", Type.TEXT, "A text."),
    ("weight_g", Type.NUMBER, "A number."),
    ("is_large", Type.FLAG, "A flag."),
    ("day", Type.DATE, "A date."),
    ("of_day", Type.TIME, "A time of the day."),
    ("tags", Type.SET, "Some texts."),
)
FACTS: dict[str, Any] = {
    "category": "TV",
    "weight_g": 700,
    "is_large": True,
    "day": date(2026, 11, 11),
    "of_day": 23 * 60,
    "tags": {"new", "live"},
}


def a_test(attribute: str, operator: str, *values: str) -> Condition:
    return Condition(test=Comparison(attribute, Operator(operator), values))


def holds(condition: Condition, facts: dict[str, Any] | None = None) -> bool:
    return compile_condition(condition, KNOWN)(FACTS if facts is None else facts)


@pytest.mark.parametrize(
    ("attribute", "operator", "values", "expected"),
    [
        ("category", "equals", ["TV"], True),
        ("category", "equals", ["tv"], False),
        ("category", "in", ["audio", "TV"], True),
        ("category", "starts_with", ["T"], True),
        ("category", "starts_with", ["V"], False),
        ("weight_g", "at_least", ["700"], True),
        ("weight_g", "at_least", ["701"], False),
        ("weight_g", "at_most", ["700"], True),
        ("weight_g", "at_most", ["699"], False),
        ("weight_g", "between", ["700", "800"], True),
        ("weight_g", "between", ["701", "800"], False),
        ("weight_g", "in", ["1", "700"], True),
        ("is_large", "equals", ["true"], True),
        ("is_large", "equals", ["false"], False),
        ("day", "between", ["2026-11-01", "2026-11-11"], True),
        ("day", "at_least", ["2026-11-12"], False),
        ("of_day", "between", ["22:00", "23:00"], True),
        ("of_day", "between", ["22:00", "02:00"], True),
        ("of_day", "between", ["00:00", "22:59"], False),
        ("tags", "contains", ["live"], True),
        ("tags", "contains", ["old"], False),
    ],
)
def test_a_test_compares(attribute: str, operator: str, values: list[str], expected: bool) -> None:
    assert holds(a_test(attribute, operator, *values)) is expected


TRUE, FALSE = a_test("is_large", "equals", "true"), a_test("is_large", "equals", "false")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition(all=(TRUE, TRUE)), True),
        (Condition(all=(TRUE, FALSE)), False),
        (Condition(any=(FALSE, TRUE)), True),
        (Condition(any=(FALSE, FALSE)), False),
        (Condition(not_=FALSE), True),
        (Condition(all=(TRUE, Condition(not_=Condition(any=(FALSE, TRUE))))), False),
    ],
)
def test_a_tree_joins_its_tests(condition: Condition, expected: bool) -> None:
    assert holds(condition) is expected


def test_what_nobody_knows_fails_its_test() -> None:
    assert not holds(a_test("weight_g", "at_most", "9"), {})
    assert not holds(a_test("weight_g", "at_most", "9"), {"weight_g": None})
    assert holds(Condition(not_=a_test("weight_g", "at_most", "9")), {})


def test_it_is_read_from_json_as_it_is_written() -> None:
    comparison = b'{"attribute":"day","operator":"equals","values":["2026-01-01"]}'
    text = b'{"not":{"any":[{"test":%b}]}}' % comparison
    condition = msgspec.json.decode(text, type=Condition)
    assert msgspec.json.encode(condition) == text
    assert attributes_of(condition) == {"day"}


def deep(levels: int) -> Condition:
    return TRUE if levels == 1 else Condition(not_=deep(levels - 1))


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        (Condition(), ()),
        (Condition(all=(TRUE,), test=TRUE.test), ()),
        (Condition(all=()), ("all",)),
        (Condition(any=(TRUE, Condition())), ("any", 1)),
        (Condition(not_=a_test("colour", "equals", "red")), ("not", "test", "attribute")),
        (a_test("category", "at_least", "a"), ("test", "operator")),
        (a_test("is_large", "in", "true"), ("test", "operator")),
        (a_test("weight_g", "equals"), ("test", "values")),
        (a_test("weight_g", "equals", "1", "2"), ("test", "values")),
        (a_test("weight_g", "between", "1"), ("test", "values")),
        (a_test("weight_g", "between", "2", "1"), ("test", "values")),
        (a_test("weight_g", "in", "1", "heavy"), ("test", "values", 1)),
        (a_test("weight_g", "equals", str(2**53)), ("test", "values", 0)),
        (a_test("is_large", "equals", "yes"), ("test", "values", 0)),
        (a_test("day", "equals", "11.11.2026"), ("test", "values", 0)),
        (a_test("of_day", "between", "8", "9"), ("test", "values", 0)),
        (a_test("of_day", "between", "08:00", "24:00"), ("test", "values", 1)),
        (a_test("of_day", "between", "08:00", "09:60"), ("test", "values", 1)),
        (a_test("category", "equals", "x" * 201), ("test", "values", 0)),
        (a_test("category", "in", *map(str, range(VALUES_MAX + 1))), ("test", "values")),
        (deep(DEPTH_MAX + 1), ("not",) * DEPTH_MAX),
        (Condition(all=(TRUE,) * (TESTS_MAX + 1)), ("all", TESTS_MAX, "test")),
    ],
    ids=range(22),
)
def test_what_cannot_be_used_is_refused(condition: Condition, path: tuple[str | int, ...]) -> None:
    with pytest.raises(InvalidCondition) as refusal:
        compile_condition(condition, KNOWN, ("rule",))
    assert refusal.value.path == ("rule", *path)


def test_the_bounds_themselves_are_allowed() -> None:
    assert holds(Condition(all=(TRUE,) * TESTS_MAX))
    compile_condition(deep(DEPTH_MAX), KNOWN)
