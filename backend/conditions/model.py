"""Conditions that users write: a bounded tree of tests, without loops or formulas.

As JSON each part is one object with one of the fields below, for example

    {"all": [
        {"test": {"attribute": "sku.category", "operator": "in", "values": ["TV", "audio"]}},
        {"not": {"test": {"attribute": "time.month", "operator": "equals", "values": ["11"]}}}]}

Values are text, read by the type of the attribute; dates as 2026-11-11, times of the day as 20:00.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from backend.db.errors import YipanError

DEPTH_MAX = 6
"""Levels of a tree: more cannot be read on a screen."""
TESTS_MAX = 64
"""Tests of a tree."""
VALUES_MAX = 1_000
"""Values of a test: a list of SKUs that somebody pastes."""
VALUE_LENGTH_MAX = 200


class InvalidCondition(YipanError):
    """The condition cannot be used; the message says which part, and what is allowed there."""

    code = "INVALID_CONDITION"


class Operator(StrEnum):
    """How a test compares."""

    EQUALS = "equals"
    IN = "in"
    STARTS_WITH = "starts_with"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    BETWEEN = "between"
    """From the first value to the second, both included; a time of the day may pass midnight."""
    CONTAINS = "contains"


class Comparison(msgspec.Struct, frozen=True):
    """One comparison of an attribute with constants; it fails where the attribute is unknown."""

    attribute: str
    operator: Operator
    values: tuple[str, ...]


class Condition(msgspec.Struct, frozen=True, rename={"not_": "not"}, omit_defaults=True):
    """All of some, any of some, not one, or a test: exactly one of the four."""

    all: tuple[Condition, ...] | None = None
    any: tuple[Condition, ...] | None = None
    not_: Condition | None = None
    test: Comparison | None = None
