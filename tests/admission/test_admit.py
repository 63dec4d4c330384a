"""Admission takes all counters of an order or none, order by order, and says what was short."""

import pytest

from backend.admission.model import ADMITTED, COLD, Base, Refused, Request, Take
from loadtests.waiting import until
from tests.admission.authority import ON_BOTH, Process, order, orders

pytestmark = ON_BOTH

A5, B2 = Base("a", 5, 1), Base("b", 2, 1)


async def test_nobody_asks_for_nothing(process: Process) -> None:
    assert await process.admit() == []
    assert await process.epoch() == 0


async def test_an_order_takes_every_counter_it_names(process: Process) -> None:
    await process.warm(A5, B2)
    assert await process.admit(order("t", ("a", 3), ("b", 2))) == [ADMITTED]
    assert await process.look("a", "b") == [(5, 1, 3), (2, 1, 2)]
    assert await process.tokens() == {"t": [Take("a", 3), Take("b", 2)]}


async def test_an_order_without_takes_is_admitted_and_dropped(process: Process) -> None:
    await process.warm(A5)
    assert await process.admit(order("t")) == [ADMITTED]
    assert await process.tokens() == {"t": []}
    assert await process.finish(["t"])
    assert await process.tokens() == {}


REFUSALS = {
    "the first counter": ([("b", 3), ("a", 1)], Refused("b", 2, 0)),
    "the last counter": ([("a", 5), ("b", 3)], Refused("b", 2, 0)),
    "both, and the first is named": ([("a", 6), ("b", 3)], Refused("a", 5, 0)),
}


@pytest.mark.parametrize(("takes", "refusal"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refused_order_takes_nothing(
    process: Process, takes: list[tuple[str, int]], refusal: Refused
) -> None:
    await process.warm(A5, B2)
    assert await process.admit(order("t", *takes)) == [refusal]
    assert await process.look("a", "b") == [(5, 1, 0), (2, 1, 0)]
    assert await process.tokens() == {}


async def test_a_refusal_says_what_others_have_pending(process: Process) -> None:
    await process.warm(A5)
    await process.admit(order("first", ("a", 4)))
    assert await process.admit(order("t", ("a", 2))) == [Refused("a", 1, 4)]
    assert await process.pending("a") == [4]


async def test_what_was_sold_below_zero_has_nothing_left(process: Process) -> None:
    await process.warm(Base("a", -3, 1))
    assert await process.admit(order("t", ("a", 1))) == [Refused("a", 0, 0)]
    assert await process.look("a") == [(-3, 1, 0)]


COMPETING = {
    "all fit": ([1, 4], [ADMITTED, ADMITTED], 5),
    "the first come are served": ([3, 3, 2], [ADMITTED, Refused("a", 2, 3), ADMITTED], 5),
    "a large one leaves room": ([9, 5, 1], [Refused("a", 5, 0), ADMITTED, Refused("a", 0, 5)], 5),
}


@pytest.mark.parametrize(("quantities", "verdicts", "taken"), COMPETING.values(), ids=COMPETING)
async def test_orders_of_a_batch_compete_in_the_order_given(
    process: Process, quantities: list[int], verdicts: list[object], taken: int
) -> None:
    await process.warm(A5)
    assert await process.admit(*orders(quantities)) == verdicts
    assert await process.pending("a") == [taken]


async def test_what_a_refused_order_gave_back_the_next_one_takes(process: Process) -> None:
    await process.warm(A5, B2)
    batch = [order("t0", ("a", 5), ("b", 3)), order("t1", ("a", 5), ("b", 2))]
    assert await process.admit(*batch) == [Refused("b", 2, 0), ADMITTED]
    assert list(await process.tokens()) == ["t1"]
    assert await process.pending("a", "b") == [5, 2]


async def test_orders_of_a_later_call_meet_what_is_pending(process: Process) -> None:
    await process.warm(A5)
    assert await process.admit(*orders([2, 2])) == [ADMITTED, ADMITTED]
    assert await process.admit(order("t", ("a", 1))) == [ADMITTED]
    assert await process.admit(order("u", ("a", 1))) == [Refused("a", 0, 5)]
    assert await process.pending("a") == [5]


@pytest.mark.parametrize(("second", "is_admitted"), [(2, True), (3, False)])
async def test_a_counter_named_twice_is_taken_twice(
    process: Process, second: int, is_admitted: bool
) -> None:
    await process.warm(A5, B2)
    (verdict,) = await process.admit(order("t", ("a", 3), ("b", 1), ("a", second)))
    assert (verdict == ADMITTED) == is_admitted
    assert await process.pending("a", "b") == ([5, 1] if is_admitted else [0, 0])
    await process.finish(["t"])
    assert await process.pending("a", "b") == [0, 0]


async def test_an_unknown_counter_is_cold_and_takes_nothing(process: Process) -> None:
    await process.warm(A5)
    batch = [order("t0", ("a", 2), ("?", 1)), order("t1", ("a", 5))]
    assert await process.admit(*batch) == [COLD, ADMITTED]
    assert await process.look("a", "?") == [(5, 1, 5), None]
    assert list(await process.tokens()) == ["t1"]


async def test_a_shortage_before_an_unknown_counter_is_a_refusal(process: Process) -> None:
    await process.warm(A5)
    assert await process.admit(order("t", ("a", 6), ("?", 1))) == [Refused("a", 5, 0)]
    assert await process.admit(order("t", ("?", 1), ("a", 6))) == [COLD]
    assert await process.pending("a") == [0]


async def test_a_cold_tenant_is_warmed_by_its_first_order(process: Process) -> None:
    process.authority.set(A5)
    batch = orders([1, 2])
    assert await process.admit(*batch) == [COLD, COLD]
    assert await process.tokens() == {}

    async def admits() -> bool:
        return await process.admit(*batch) == [ADMITTED, ADMITTED]

    await until(admits)
    assert (await process.epoch(), process.authority.reads) == (2, 1)


async def test_tenants_do_not_meet(process: Process) -> None:
    await process.warm(A5)
    other = process._replace(tenant_id=process.tenant_id + 1_000_000)
    await other.warm(A5)
    assert await process.admit(order("t", ("a", 5))) == [ADMITTED]
    assert await other.look("a") == [(5, 1, 0)]
    assert await other.finish(["t"], [Base("a", 9, 9)])
    assert await process.look("a") == [(5, 1, 5)]


@pytest.mark.parametrize("free", [2**31, 10**12, 2**53 - 1])
async def test_large_numbers_stay_exact(process: Process, free: int) -> None:
    await process.warm(Base("a", free, free))
    assert await process.admit(order("t", ("a", free - 1))) == [ADMITTED]
    assert await process.admit(order("u", ("a", 2))) == [Refused("a", 1, free - 1)]
    assert await process.look("a") == [(free, free, free - 1)]
    assert await process.tokens() == {"t": [Take("a", free - 1)]}


async def test_names_may_be_any_text(process: Process) -> None:
    names = ["s1:2", "库存", "a b", "{x}", "a\r\nb", "1", "-0"]
    await process.warm(*(Base(name, 1, 1) for name in names))
    assert await process.admit(Request("令牌", [Take(name, 1) for name in names])) == [ADMITTED]
    assert await process.look(*names) == [(1, 1, 1)] * len(names)
    assert await process.tokens() == {"令牌": [Take(name, 1) for name in names]}
