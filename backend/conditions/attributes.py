"""What tests compare: the types of attributes, their operators and how their values are read."""

from collections.abc import Callable
from datetime import date
from enum import Enum
from typing import Any, NamedTuple

from backend.conditions.model import Operator

MINUTES_OF_A_DAY = 24 * 60
NUMBER_MOST = 2**53 - 1
"""The largest number that every client reads exactly."""


def _number(text: str) -> int:
    number = int(text)
    if abs(number) > NUMBER_MOST:
        raise ValueError(f"a number lies between -{NUMBER_MOST} and {NUMBER_MOST}")
    return number


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("a flag is true or false")
    return text == "true"


def _minute(text: str) -> int:
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal()):
        raise ValueError("a time of the day is written as 20:00")
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute >= MINUTES_OF_A_DAY:
        raise ValueError("a time of the day lies between 00:00 and 23:59")
    return minute


COMPARED = frozenset({Operator.EQUALS, Operator.IN})
ORDERED = COMPARED | {Operator.AT_LEAST, Operator.AT_MOST, Operator.BETWEEN}


class Type(Enum):
    """The type of an attribute: its operators, and how a value is read (ValueError if it is none).

    What is read compares with what the attribute is: text, a whole number, a flag, a date, minutes
    since midnight; a SET of texts contains some.
    """

    TEXT = (COMPARED | {Operator.STARTS_WITH}, str)
    NUMBER = (ORDERED, _number)
    FLAG = (frozenset({Operator.EQUALS}), _flag)
    DATE = (ORDERED, date.fromisoformat)
    TIME = (frozenset({Operator.BETWEEN}), _minute)
    SET = (frozenset({Operator.CONTAINS}), str)

    def __init__(self, operators: frozenset[Operator], read: Callable[[str], Any]) -> None:
        self.operators = operators
        self.read = read


class Attribute(NamedTuple):
    """Something that a condition may ask about, with what it means for whoever writes one."""

    name: str
    type: Type
    meaning: str


Attributes = dict[str, Attribute]


def attributes(*listed: tuple[str, Type, str]) -> Attributes:
    """Return attributes by name."""
    return {name: Attribute(name, type_, meaning) for name, type_, meaning in listed}
