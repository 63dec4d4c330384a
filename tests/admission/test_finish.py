"""Finish drops tokens, whatever they are, and sets the bases that are newer and no others."""

import pytest

from backend.admission.keys import epoch_keys, function_keys
from backend.admission.model import ADMITTED, Base, Refused, Take
from tests.admission.authority import ON_BOTH, Process, order, orders

pytestmark = ON_BOTH

A5, B2 = Base("a", 5, 10), Base("b", 2, 10)


async def test_dropping_a_token_gives_all_its_counters_back(process: Process) -> None:
    await process.warm(A5, B2)
    await process.admit(order("t", ("a", 3), ("b", 2)), order("u", ("a", 1)))
    assert await process.finish(["t"])
    assert await process.look("a", "b") == [(5, 10, 1), (2, 10, 0)]
    assert await process.tokens() == {"u": [Take("a", 1)]}


async def test_a_commit_moves_from_pending_to_the_base(process: Process) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))
    assert await process.finish(["t"], [Base("a", 2, 11)])
    assert await process.look("a") == [(2, 11, 0)]
    assert await process.admit(order("u", ("a", 3))) == [Refused("a", 2, 0)]


DROPPED = {
    "unknown": (["?"], [5, 2]),
    "an unknown one before": (["?", "t0"], [3, 2]),
    "doubled": (["t0", "t0"], [3, 2]),
    "doubled, with others between": (["t0", "t1", "?", "t0"], [0, 0]),
    "none": ([], [5, 2]),
    "all": (["t1", "t0"], [0, 0]),
}


@pytest.mark.parametrize(("tokens", "pending"), DROPPED.values(), ids=DROPPED)
async def test_each_token_is_dropped_once(
    process: Process, tokens: list[str], pending: list[int]
) -> None:
    await process.warm(A5, B2)
    batch = [order("t0", ("a", 2)), order("t1", ("a", 3), ("b", 2))]
    assert await process.admit(*batch) == [ADMITTED, ADMITTED]
    assert await process.finish(tokens)
    assert await process.pending("a", "b") == pending


async def test_a_token_dropped_before_gives_nothing_back(process: Process) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 2)), order("u", ("a", 2)))
    await process.finish(["t"])
    await process.finish(["t"])
    assert await process.pending("a") == [2]


@pytest.mark.parametrize("pending", ["1", None])
async def test_pending_never_goes_below_zero(process: Process, pending: str | None) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 3)))
    key = epoch_keys(process.tenant_id, await process.epoch())[2]
    lower = ("HSET", key, "a", pending) if pending else ("HDEL", key, "a")
    await process.valkey.command(*lower)
    assert await process.finish(["t"])
    assert await process.look("a") == [(5, 10, 0)]
    assert await process.admit(order("u", ("a", 6))) == [Refused("a", 5, 0)]


async def test_what_is_not_pending_takes_no_room(process: Process) -> None:
    await process.warm(A5, B2)
    await process.admit(order("t", ("a", 3), ("b", 1)))
    await process.finish(["t"])
    _, _, *keys = epoch_keys(process.tenant_id, await process.epoch())
    assert await process.valkey.command("EXISTS", *keys) == 0


VERSIONS = {
    "older": (9, (5, 10, 0)),
    "the same": (10, (5, 10, 0)),
    "newer": (11, (7, 11, 0)),
    "newer, though it sorts before as text": (100, (7, 100, 0)),
}


@pytest.mark.parametrize(("version", "looked"), VERSIONS.values(), ids=VERSIONS)
async def test_a_base_is_set_only_if_newer(
    process: Process, version: int, looked: tuple[int, int, int]
) -> None:
    await process.warm(A5)
    assert await process.finish([], [Base("a", 7, version)])
    assert await process.look("a") == [looked]


async def test_a_counter_that_is_new_becomes_known(process: Process) -> None:
    await process.warm(A5)
    assert await process.finish([], [Base("new", 3, 0)])
    assert await process.look("new") == [(3, 0, 0)]
    assert await process.admit(order("t", ("new", 3))) == [ADMITTED]


async def test_bases_are_judged_one_by_one(process: Process) -> None:
    await process.warm(A5, B2)
    await process.finish([], [Base("b", 9, 11), Base("a", 9, 9), Base("c", -1, 1)])
    assert await process.look("a", "b", "c") == [(5, 10, 0), (9, 11, 0), (-1, 1, 0)]


async def test_tokens_are_dropped_also_where_bases_are_old(process: Process) -> None:
    await process.warm(A5)
    await process.admit(*orders([2, 2]))
    await process.finish(["t1"], [Base("a", 99, 1)])
    assert await process.look("a") == [(5, 10, 2)]


async def test_a_base_may_fall_below_what_is_pending(process: Process) -> None:
    await process.warm(A5)
    await process.admit(order("t", ("a", 4)))
    await process.finish([], [Base("a", 1, 11)])
    assert await process.admit(order("u", ("a", 1))) == [Refused("a", 0, 4)]
    await process.finish(["t"])
    assert await process.admit(order("u", ("a", 1))) == [ADMITTED]


async def test_a_tenant_that_nobody_warmed_is_told_nothing(process: Process) -> None:
    assert await process.finish(["t"], [A5])
    assert await process.look("a") == [None]
    assert await process.valkey.command("EXISTS", *function_keys(process.tenant_id, 0)) == 0
