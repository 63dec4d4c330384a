"""Counters as admission knows them: a name, a base and a version."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple


class Base(NamedTuple):
    """What PostgreSQL has free of a counter, at a version."""

    counter: str
    free: int
    version: int


class Take(NamedTuple):
    """Units of one counter that an order needs."""

    counter: str
    quantity: int


class Request(NamedTuple):
    """All that one attempt needs, under its token."""

    token: str
    takes: Sequence[Take]


class Refused(NamedTuple):
    """The counter that had too little, what was left of it and what others have pending."""

    counter: str
    left: int
    pending: int


ADMITTED = "admitted"
COLD = "cold"

Verdict = str | Refused
"""ADMITTED, COLD (not warm, or a counter that is not known: go straight to PostgreSQL), Refused."""


def level_counter(functional_warehouse_id: int, sku_id: int) -> str:
    return f"s{functional_warehouse_id}:{sku_id}"


def capacity_counter(node_id: int, day: date) -> str:
    return f"c{node_id}:{day.toordinal()}"


def parse_level_counter(counter: str) -> tuple[int, int] | None:
    """Return (functional warehouse, SKU), or None for another kind of counter."""
    if not counter.startswith("s"):
        return None
    warehouse, _, sku = counter[1:].partition(":")
    return int(warehouse), int(sku)


def parse_capacity_counter(counter: str) -> tuple[int, date] | None:
    """Return (node, day), or None for another kind of counter."""
    if not counter.startswith("c"):
        return None
    node, _, ordinal = counter[1:].partition(":")
    return int(node), date.fromordinal(int(ordinal))
