"""Batches larger than one command's arguments are admitted, dropped and published whole."""

from collections.abc import Callable, Sequence

import pytest

from backend.admission.epochs import WARM_UP_CHUNK
from backend.admission.model import ADMITTED, Base, Refused, Request, Take
from tests.admission.authority import ON_BOTH, Process, order

pytestmark = ON_BOTH

COUNTERS, ORDERS = 5_000, 2_000
NAMES = [f"c{number}" for number in range(COUNTERS)]
EDGES = [1, 2_999, 3_000, 3_001, 6_000, 6_001]
"""Around the number of arguments that one command is given."""


@pytest.fixture
async def large(process: Process) -> Process:
    """A process with 5,000 counters of 5, 6 and 7 units in turn."""
    await process.warm(*(Base(name, 5 + at % 3, at) for at, name in enumerate(NAMES)))
    return process


def spread(tokens: Sequence[str], takes: int) -> list[Request]:
    """Return orders of one unit of so many counters each, one after another."""
    numbers = range(0, len(tokens) * takes, takes)
    return [
        Request(token, [Take(NAMES[at % COUNTERS], 1) for at in range(first, first + takes)])
        for token, first in zip(tokens, numbers, strict=True)
    ]


async def test_every_counter_of_a_large_warm_up_is_known(large: Process) -> None:
    assert await large.look(*NAMES) == [(5 + at % 3, at, 0) for at in range(COUNTERS)]


async def test_a_large_batch_is_taken_and_dropped_whole(large: Process) -> None:
    tokens = [f"t{number}" for number in range(ORDERS)]
    assert await large.admit(*spread(tokens, 5)) == [ADMITTED] * ORDERS
    assert await large.pending(*NAMES) == [2] * COUNTERS
    assert (await large.tokens()).keys() == set(tokens)
    assert await large.finish(tokens, [Base(name, at, 10_000) for at, name in enumerate(NAMES)])
    assert await large.look(*NAMES) == [(at, 10_000, 0) for at in range(COUNTERS)]
    assert await large.tokens() == {}


async def test_the_orders_of_a_large_batch_compete(large: Process) -> None:
    batch = [order(f"t{number}", ("c4999", 1), (NAMES[number], 1)) for number in range(ORDERS)]
    verdicts = await large.admit(*batch)
    assert verdicts == [ADMITTED] * 6 + [Refused("c4999", 0, 6)] * (ORDERS - 6)
    assert await large.pending(*NAMES) == [1] * 6 + [0] * (COUNTERS - 7) + [6]


@pytest.mark.parametrize("takes", EDGES)
async def test_one_order_may_name_very_many_counters(process: Process, takes: int) -> None:
    names = [f"n{number}" for number in range(takes)]
    await process.warm(*(Base(name, 1, 1) for name in names))
    assert await process.admit(Request("t", [Take(name, 1) for name in names])) == [ADMITTED]
    assert await process.admit(order("u", (names[-1], 1))) == [Refused(names[-1], 0, 1)]
    await process.finish(["t"])
    assert await process.pending(*names) == [0] * takes


@pytest.mark.parametrize("count", EDGES)
async def test_very_many_orders_come_in_one_call(process: Process, count: int) -> None:
    await process.warm(Base("a", count, 1))
    tokens = [f"t{number}" for number in range(count)]
    assert await process.admit(*(order(token, ("a", 1)) for token in tokens)) == [ADMITTED] * count
    assert len(await process.tokens()) == count
    await process.finish(tokens)
    assert (await process.pending("a"), await process.tokens()) == ([0], {})


BOUNDS: dict[str, Callable[[int], int]] = {
    "one chunk": lambda chunk: chunk,
    "one more": lambda chunk: chunk + 1,
    "two and a rest": lambda chunk: 2 * chunk + 7,
}


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
async def test_warm_ups_are_chunked_without_a_gap(
    process: Process, bound: Callable[[int], int]
) -> None:
    # What is read is twice as much: the authority hands it out in halves.
    names = [f"n{number}" for number in range(2 * bound(WARM_UP_CHUNK))]
    await process.warm(*(Base(name, 1, 1) for name in names))
    assert await process.look(*names) == [(1, 1, 0)] * len(names)
