"""Every way in which the platform fails, as the connector sees it."""

import asyncio
import time
from random import Random

import httpx2
import pytest

from backend.channels.errors import ChannelAway
from backend.channels.platform import PushAnswer, PushOutcome, StockPush
from backend.demo.platform import limits
from backend.demo.platform.faults import Faults
from backend.demo.platform.refusal import Refusal
from backend.demo.platform.wire import FaultDraft, FaultKind, Operation
from loadtests.waiting import until
from tests.channels.marketplace import HASTY_SECONDS, Shopfront

PUSH = [StockPush("A", 5, 1)]
NOTHING_DONE: dict[str, type[object]] = {
    "error500": type(None),
    "timeout": TimeoutError,
    "reset": httpx2.RemoteProtocolError,
}
"""Kind of fault → what was behind it on the wire."""


def accepted(quantity: int) -> list[PushAnswer]:
    return [PushAnswer("A", PushOutcome.ACCEPTED, quantity)]


@pytest.mark.parametrize("kind", NOTHING_DONE)
async def test_a_push_that_fails_does_nothing(shop: Shopfront, kind: str) -> None:
    await shop.break_down(kind, calls=1)
    async with shop.unchanged():
        with pytest.raises(ChannelAway) as raised:
            await shop.seller(HASTY_SECONDS).push(PUSH)
    assert isinstance(raised.value.__cause__, NOTHING_DONE[kind])
    assert (await shop.state())["faults"] == {kind: 1}
    assert await shop.seller().push(PUSH) == accepted(5)


@pytest.mark.parametrize("kind", NOTHING_DONE)
async def test_reads_and_orders_fail_as_pushes_do(shop: Shopfront, kind: str) -> None:
    await shop.break_down(kind, calls=2)
    async with shop.unchanged():
        with pytest.raises(ChannelAway):
            await shop.seller(HASTY_SECONDS).read(["A"])
        with pytest.raises(ChannelAway):
            await shop.seller(HASTY_SECONDS).orders("", 10)


async def test_a_push_can_be_done_although_nobody_said_so(shop: Shopfront) -> None:
    await shop.break_down("timeout_after", calls=1)
    with pytest.raises(ChannelAway):
        await shop.seller(HASTY_SECONDS).push(PUSH)
    assert await shop.shown() == {"A": 5}
    again = await shop.seller().push(PUSH)
    assert again == [PushAnswer("A", PushOutcome.STALE, 5)]


async def test_a_push_can_be_forgotten(shop: Shopfront) -> None:
    await shop.break_down("forget", calls=1)
    async with shop.unchanged():
        assert await shop.seller().push(PUSH) == accepted(5)
    assert await shop.seller().read(["A"]) == {"A": 0}


@pytest.mark.parametrize("quantity", [0, 5, limits.SHOWN_MAX])
async def test_another_number_can_be_stored_and_named(shop: Shopfront, quantity: int) -> None:
    await shop.break_down("other_number", calls=1)
    (answer,) = await shop.seller().push([StockPush("A", quantity, 1)])
    assert answer.outcome is PushOutcome.ACCEPTED
    assert answer.quantity_shown != quantity
    assert 0 <= answer.quantity_shown <= limits.SHOWN_MAX
    assert await shop.seller().read(["A"]) == {"A": answer.quantity_shown}


async def test_another_number_can_be_stored_in_silence(shop: Shopfront) -> None:
    await shop.break_down("silent_other_number", calls=1)
    assert await shop.seller().push(PUSH) == accepted(5)
    shown = (await shop.seller().read(["A"]))["A"]
    assert shown != 5
    (push,) = (await shop.state())["pushes"]
    assert (push["asked"], push["stored"]) == (5, shown)


async def test_a_slow_push_cannot_undo_a_newer_one(shop: Shopfront) -> None:
    await shop.break_down("slow", calls=1, milliseconds=200)
    slow = asyncio.create_task(shop.seller().push(PUSH))
    await until(shop.is_struck)
    assert await shop.seller().push([StockPush("A", 2, 2)]) == accepted(2)
    assert await slow == [PushAnswer("A", PushOutcome.STALE, 2)]
    assert await shop.shown() == {"A": 2}


async def test_a_slow_answer_takes_as_long_as_ordered(shop: Shopfront) -> None:
    await shop.break_down("slow", milliseconds=120, operation="read")
    began = time.monotonic()
    await shop.seller().read(["A"])
    assert time.monotonic() - began >= 0.12


async def test_a_fault_keeps_to_its_operation_and_its_shop(shop: Shopfront) -> None:
    other = Shopfront(shop.url, f"{shop.code}-other", shop.http)
    await other.open()
    await shop.break_down("error500", operation="orders")
    assert await shop.seller().read(["A"]) == {"A": 0}
    assert (await other.seller().orders("", 1)).orders == []
    with pytest.raises(ChannelAway):
        await shop.seller().orders("", 1)


async def test_a_call_that_is_refused_anyway_has_no_fault(shop: Shopfront) -> None:
    await shop.break_down("error500", calls=1)
    assert (await shop.call("PUT", "stock", {"items": 1})).status_code == 422
    assert (await shop.state())["faults"] == {}


async def test_faults_are_removed_together(shop: Shopfront) -> None:
    await shop.break_down("error500")
    await shop.control("DELETE", "faults")
    assert await shop.seller().push(PUSH) == accepted(5)
    assert (await shop.control("GET", "state"))["faults"] == []


def struck(faults: Faults, now: float = 0.0, *, seed: int = 1, calls: int = 1) -> int:
    """Return how many pushes of a shop went wrong."""
    random = Random(seed)
    return sum(faults.strike("s", Operation.PUSH, random, now) is not None for _ in range(calls))


def faults_of(*drafts: FaultDraft) -> Faults:
    faults = Faults()
    for draft in drafts:
        faults.order(draft, 0.0)
    return faults


def test_a_fault_ends_with_its_time() -> None:
    faults = faults_of(FaultDraft(FaultKind.RESET, seconds=2.0))
    assert (struck(faults, 0.0), struck(faults, 1.9), struck(faults, 2.0)) == (1, 1, 0)


def test_a_fault_ends_with_its_calls() -> None:
    assert struck(faults_of(FaultDraft(FaultKind.RESET, calls=3)), calls=9) == 3


def test_a_share_of_the_calls_goes_wrong_and_always_the_same() -> None:
    draft = FaultDraft(FaultKind.RESET, share=2_500)
    counts = [struck(faults_of(draft), calls=10_000, seed=seed) for seed in (1, 1, 2)]
    assert counts[0] == counts[1] != counts[2]
    assert all(2_300 < count < 2_700 for count in counts)
    assert struck(faults_of(FaultDraft(FaultKind.RESET, share=0)), calls=100_000) == 0


def test_the_oldest_fault_that_strikes_is_the_one() -> None:
    faults = faults_of(FaultDraft(FaultKind.RESET, calls=1), FaultDraft(FaultKind.SLOW))
    struck_by = [faults.strike("s", Operation.PUSH, Random(1), 0.0) for _ in range(2)]
    assert [one and one.kind for one in struck_by] == [FaultKind.RESET, FaultKind.SLOW]


def test_there_are_not_more_faults_than_one_can_look_through() -> None:
    faults = faults_of(*[FaultDraft(FaultKind.RESET, seconds=1.0)] * limits.FAULTS_MAX)
    with pytest.raises(Refusal, match="at most"):
        faults.order(FaultDraft(FaultKind.SLOW), 0.5)
    assert len(faults.state(0.5)) == limits.FAULTS_MAX
    faults.order(FaultDraft(FaultKind.SLOW), 1.0)
    assert len(faults.state(1.0)) == 1
