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


def stock_counter(functional_warehouse_id: int, sku_id: int, earmark_id: int = 0) -> str:
    """Return the counter of what is free of a level, or of what an earmark keeps of it."""
    if earmark_id:
        return f"e{earmark_id}:{functional_warehouse_id}:{sku_id}"
    return f"s{functional_warehouse_id}:{sku_id}"


def capacity_counter(node_id: int, day: date) -> str:
    return f"c{node_id}:{day.toordinal()}"


def allotment_counter(allotment_id: int) -> str:
    return f"a{allotment_id}"


def quota_counter(account_id: int) -> str:
    return f"q{account_id}"


def parse_quota_counter(counter: str) -> int | None:
    """Return the quota account, or None for another kind of counter."""
    return int(counter[1:]) if counter.startswith("q") else None


def parse_allotment_counter(counter: str) -> int | None:
    """Return the allotment, or None for another kind of counter."""
    return int(counter[1:]) if counter.startswith("a") else None


def parse_stock_counter(counter: str) -> tuple[int, int, int] | None:
    """Return (functional warehouse, SKU, earmark or 0), or None for another kind of counter."""
    parts = counter[1:].split(":")
    if counter.startswith("s"):
        return int(parts[0]), int(parts[1]), 0
    if counter.startswith("e"):
        return int(parts[1]), int(parts[2]), int(parts[0])
    return None


def parse_capacity_counter(counter: str) -> tuple[int, date] | None:
    """Return (node, day), or None for another kind of counter."""
    if not counter.startswith("c"):
        return None
    node, _, ordinal = counter[1:].partition(":")
    return int(node), date.fromordinal(int(ordinal))
