"""What buyers want to send back, on the simulated platform, and how the connector answers it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx2
import pytest

from backend.channels.errors import ChannelAway, ChannelBusy, ChannelRefused
from backend.channels.http_platform import HttpChannelStock
from backend.channels.platform import (
    ChannelReturn,
    ChannelReturnKind,
    ChannelReturnStatus,
    ChannelReturnUnits,
    ReturnAction,
    ReturnAnswer,
    ReturnPage,
)
from backend.demo.platform import limits, wire
from backend.demo.platform.refusal import Refusal
from backend.demo.platform.returns import Returns
from loadtests.waiting import until
from tests.channels.marketplace import (
    BUYER,
    HASTY_SECONDS,
    TOKEN,
    Shopfront,
    platform_process,
)
from tests.channels.test_http_platform import http_answer, saying
from tests.channels.test_simulated_platform import refusal

OPEN = ("wait_seller", "wait_buyer_send", "wait_seller_receive")
ENDED = ("refused", "closed", "done")
STANDINGS = [("return", status) for status in (*OPEN, *ENDED)] + [
    ("refund_only", status) for status in ("wait_seller", *ENDED)
]
"""Every kind and status in which a request can stand: without goods, nothing is sent back."""
LEADS: dict[tuple[str, str, str], str] = {
    ("return", "wait_seller", "agree"): "wait_buyer_send",
    ("return", "wait_buyer_send", "confirm"): "done",
    ("return", "wait_seller_receive", "confirm"): "done",
    ("refund_only", "wait_seller", "agree"): "done",
    **{(kind, status, "refuse"): "refused" for kind, status in STANDINGS if status in OPEN},
}
"""Where answers lead that fit."""
REPEATED = {
    ("return", "wait_buyer_send", "agree"),
    ("return", "done", "confirm"),
    ("return", "refused", "refuse"),
    ("refund_only", "done", "agree"),
    ("refund_only", "refused", "refuse"),
}
"""Answers that have been given already: they change nothing."""
MISFITS = [
    (kind, status, action)
    for kind, status in STANDINGS
    for action in ("agree", "refuse", "confirm")
    if (kind, status, action) not in LEADS.keys() | REPEATED
    and (kind, status, action) != ("refund_only", "done", "confirm")  # see below
]
AGREE = ReturnAnswer(ReturnAction.AGREE)


class Requests:
    """What buyers of a shop ask for, and what its seller answers, as it goes over the wire."""

    def __init__(self, shop: Shopfront) -> None:
        self.shop = shop

    async def bought(self, **units: int) -> str:
        """Let units be bought, two of "A" where nothing is said; returns the order's number."""
        wanted = units or {"A": 2}
        lines = [
            {"listing": code, "quantity": n, "unit_price_minor": 100} for code, n in wanted.items()
        ]
        return await self.bought_as(*lines)

    async def bought_as(self, *lines: dict[str, Any]) -> str:
        for line in lines:
            shown = (await self.shop.shown()).get(line["listing"], 0) + line["quantity"]
            sequence = time.time_ns()
            await self.shop.show(sequence, **{line["listing"]: shown})
        body = {"buyer": BUYER, "lines": lines}
        answer = await self.shop.call("POST", "purchases", body, headers={})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["number"])

    async def ask(self, order: str, kind: str = "return", **units: int) -> Any:
        """Ask for units, one of "A" where nothing is said, and return the answer."""
        lines = [{"listing": code, "quantity": n} for code, n in (units or {"A": 1}).items()]
        body = {"kind": kind, "lines": lines, "reason": "尺寸不合适"}
        return await self.shop.call("POST", f"purchases/{order}/returns", body, headers={})

    async def asked(self, order: str = "", kind: str = "return", **units: int) -> str:
        """Let a buyer ask, of a new order where none is said; returns the request's number."""
        answer = await self.ask(order or await self.bought(), kind, **units)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["number"])

    async def answer(self, number: str, action: str, **more: Any) -> Any:
        return await self.shop.call("POST", f"returns/{number}/answer", {"action": action, **more})

    async def send(self, number: str, **changes: Any) -> Any:
        body = {"carrier": "sf", "waybill": "SF123"} | changes
        return await self.shop.call("POST", f"returns/{number}/shipment", body, headers={})

    async def close(self, number: str) -> Any:
        return await self.shop.call("DELETE", f"returns/{number}", headers={})

    async def brought_to(self, kind: str, status: str) -> str:
        """Let a new request stand somewhere, by the shortest way; returns its number."""
        number = await self.asked(kind=kind)
        steps: list[Any] = []
        if status in ("wait_buyer_send", "wait_seller_receive", "done"):
            steps.append(await self.answer(number, "agree"))
        if status == "wait_seller_receive":
            steps.append(await self.send(number))
        if status == "done" and kind == "return":
            steps.append(await self.answer(number, "confirm", amount_minor=90))
        if status == "refused":
            steps.append(await self.answer(number, "refuse", reason="已使用"))
        if status == "closed":
            steps.append(await self.close(number))
        assert all(step.status_code == 200 for step in steps)
        assert (await self.stands(number))["status"] == status
        return number

    async def stands(self, number: str) -> dict[str, Any]:
        """Return how a request stands, as who looks behind the platform sees it."""
        found = (await self.shop.state())["returns"]
        return next(dict(one) for one in found if one["number"] == number)

    async def changes(self, **query: object) -> tuple[list[tuple[str, str]], str]:
        """Return the numbers and statuses of a page of changes, and its cursor."""
        answer = (await self.shop.call("GET", "returns", params=query)).json()
        return [(one["number"], one["status"]) for one in answer["returns"]], answer["next"]

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """What is inside changes nothing of this shop, and tells nobody of a change."""
        before, told = (await self.shop.state())["returns"], await self.changes()
        async with self.shop.unchanged():
            yield
        assert ((await self.shop.state())["returns"], await self.changes()) == (before, told)


@pytest.fixture(scope="module")
def platform_url() -> Iterator[str]:
    """A platform of this file's own: one has room for 100 shops, and each test opens some."""
    with platform_process("--rate", "1000", "--seed", "7") as platform:
        yield platform.url


@pytest.fixture
def requests(shop: Shopfront) -> Requests:
    return Requests(shop)


# -------------------------------------------------------------------------------- a whole life


async def test_a_return_goes_its_whole_way(requests: Requests) -> None:
    order = await requests.bought(A=2, B=1)
    asked = await requests.ask(order, A=2, B=1)
    number = f"{requests.shop.code}-R0000001"
    made = {
        "number": number,
        "order": order,
        "kind": "return",
        "status": "wait_seller",
        "lines": [{"listing": "A", "quantity": 2}, {"listing": "B", "quantity": 1}],
        "reason": "尺寸不合适",
        "carrier": "",
        "waybill": "",
        "amount_minor": 0,
    }
    assert (asked.status_code, asked.json()) == (201, made)
    agreed = await requests.answer(number, "agree")
    assert (agreed.status_code, agreed.json()) == (200, made | {"status": "wait_buyer_send"})
    sent = made | {"status": "wait_seller_receive", "carrier": "sf", "waybill": "SF123"}
    assert (await requests.send(number)).json() == sent
    paid = await requests.answer(number, "confirm", amount_minor=250)
    assert paid.json() == sent | {"status": "done", "amount_minor": 250}
    assert await requests.stands(number) == paid.json()
    told = (await requests.shop.call("GET", "returns")).json()
    assert told == {"returns": [made, agreed.json(), sent, paid.json()], "next": "4"}


async def test_a_refund_without_goods_is_paid_when_it_is_agreed_to(requests: Requests) -> None:
    a = {"listing": "A", "quantity": 2, "unit_price_minor": 130}
    b = {"listing": "B", "quantity": 3, "unit_price_minor": 7}
    order = await requests.bought_as(a, b)
    number = await requests.asked(order, "refund_only", A=1, B=2)
    # What is paid is what the units cost, whatever the seller says.
    paid = await requests.answer(number, "agree", amount_minor=999)
    assert (paid.json()["status"], paid.json()["amount_minor"]) == ("done", 144)


async def test_a_refund_of_goods_at_two_prices_is_what_they_cost(requests: Requests) -> None:
    lines = [{"listing": "A", "quantity": 1, "unit_price_minor": price} for price in (100, 40)]
    order = await requests.bought_as(*lines)
    number = await requests.asked(order, "refund_only", A=2)
    assert (await requests.answer(number, "agree")).json()["amount_minor"] == 140


async def test_a_seller_pays_before_the_goods_are_sent(requests: Requests) -> None:
    number = await requests.brought_to("return", "wait_buyer_send")
    paid = (await requests.answer(number, "confirm", amount_minor=0)).json()
    assert (paid["status"], paid["amount_minor"], paid["waybill"]) == ("done", 0, "")


@pytest.mark.parametrize("answer", LEADS, ids="-".join)
async def test_an_answer_that_fits_leads_on(
    requests: Requests, answer: tuple[str, str, str]
) -> None:
    kind, status, action = answer
    number = await requests.brought_to(kind, status)
    before, (told, _) = await requests.stands(number), await requests.changes()
    after = await requests.answer(number, action)
    assert (after.status_code, after.json()["status"]) == (200, LEADS[answer])
    paid = 100 if (kind, action) == ("refund_only", "agree") else 0
    assert after.json() == before | {"status": LEADS[answer], "amount_minor": paid}
    assert await requests.stands(number) == after.json()
    assert (await requests.changes())[0] == [*told, (number, LEADS[answer])]


async def test_the_same_answer_again_changes_nothing(requests: Requests) -> None:
    for kind, status, action in sorted(REPEATED):
        number = await requests.brought_to(kind, status)
        before = await requests.stands(number)
        async with requests.unchanged():
            again = await requests.answer(number, action, amount_minor=5, reason="另一个")
        assert (again.status_code, again.json()) == (200, before), (kind, status, action)


async def test_an_answer_that_does_not_fit_changes_nothing(requests: Requests) -> None:
    for kind, status, action in MISFITS:
        number = await requests.brought_to(kind, status)
        async with requests.unchanged():
            refused = await requests.answer(number, action)
        assert refused.status_code == 409, (kind, status, action)
        assert (refused.json()["error"], refused.json()["stands"]) == ("not_now", status)


async def test_goods_that_never_come_are_never_confirmed(requests: Requests) -> None:
    """Nor where the buyer was paid already: it is another answer than the one that was given."""
    number = await requests.brought_to("refund_only", "done")
    async with requests.unchanged():
        refused = await requests.answer(number, "confirm", amount_minor=5)
    assert refused.status_code == 409, refused.json()


async def test_an_agreement_is_told_no_more_once_the_goods_are_on_their_way(
    requests: Requests,
) -> None:
    """Whoever was not heard the first time reads how it stands: the next page says it."""
    number = await requests.brought_to("return", "wait_seller_receive")
    async with requests.unchanged():
        refused = await requests.answer(number, "agree")
    assert (*refusal(refused), refused.json()["stands"]) == (409, "not_now", "wait_seller_receive")
    assert (await requests.changes())[0][-1] == (number, "wait_seller_receive")


@pytest.mark.parametrize("status", OPEN)
async def test_a_buyer_keeps_it_until_it_has_ended(requests: Requests, status: str) -> None:
    number = await requests.brought_to("return", status)
    closed = await requests.close(number)
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    assert (await requests.changes())[0][-1] == (number, "closed")


async def test_what_has_ended_is_not_closed(requests: Requests) -> None:
    for kind, status in STANDINGS:
        if status in ENDED:
            number = await requests.brought_to(kind, status)
            async with requests.unchanged():
                refused = await requests.close(number)
            assert (*refusal(refused), refused.json()["stands"]) == (409, "not_now", status)


async def test_goods_are_sent_when_the_seller_has_agreed_and_not_twice(requests: Requests) -> None:
    for kind, status in STANDINGS:
        if status != "wait_buyer_send":
            number = await requests.brought_to(kind, status)
            async with requests.unchanged():
                refused = await requests.send(number, waybill="SF999")
            assert (*refusal(refused), refused.json()["stands"]) == (409, "not_now", status)


async def test_requests_of_one_order_go_their_own_ways(requests: Requests) -> None:
    order = await requests.bought()
    first, second = [await requests.asked(order) for _ in range(2)]
    await requests.answer(first, "refuse")
    assert (await requests.stands(first))["status"] == "refused"
    assert (await requests.stands(second))["status"] == "wait_seller"
    assert second == f"{requests.shop.code}-R0000002"


# ---------------------------------------------------------------------------- what is not valid


async def test_only_what_was_bought_and_paid_is_asked_for(requests: Requests) -> None:
    shop = requests.shop
    order = await requests.bought(A=2, B=1)
    await shop.show(time.time_ns(), A=1)
    unpaid = (await shop.buy(A=1, paid=False)).json()["number"]
    async with requests.unchanged():
        for unknown in (unpaid, "nowhere", f"{shop.code}-99999999"):
            assert refusal(await requests.ask(unknown)) == (404, "unknown_order")
        for units, line in (({"A": 3}, 0), ({"A": 2, "B": 2}, 1), ({"C": 1}, 0), ({"Z": 1}, 0)):
            answer = await requests.ask(order, "return", **units)
            assert refusal(answer) == (422, "invalid")
            assert answer.json()["field"] == f"lines[{line}].quantity"
    assert (await requests.ask(order, A=2, B=1)).status_code == 201


async def test_lines_of_the_same_listing_add_up(requests: Requests) -> None:
    order, line = await requests.bought(A=2), {"listing": "A", "quantity": 2}
    async with requests.unchanged():
        body = {"kind": "return", "lines": [line, line]}
        answer = await requests.shop.call("POST", f"purchases/{order}/returns", body)
    assert refusal(answer) == (422, "invalid")


async def test_an_order_of_another_shop_is_unknown(requests: Requests) -> None:
    order = await requests.bought()
    other = Shopfront(requests.shop.url, f"{requests.shop.code}-other", requests.shop.http)
    await other.open()
    assert refusal(await Requests(other).ask(order)) == (404, "unknown_order")
    number = await requests.asked(order)
    assert refusal(await Requests(other).answer(number, "agree")) == (404, "unknown_return")
    assert await Requests(other).changes() == ([], "0")


LINE = {"listing": "A", "quantity": 1}
DRAFT: dict[str, Any] = {"kind": "return", "lines": [LINE]}
LONG = "x" * (limits.TEXT_CHARS_MAX + 1)
SHIPMENT = {"carrier": "sf", "waybill": "SF1"}
ASK, ANSWER, SEND = (
    "purchases/{order}/returns",
    "returns/{number}/answer",
    ("returns/{number}/shipment"),
)
INVALID: dict[str, tuple[str, Any, str]] = {
    "a kind that is none": (ASK, DRAFT | {"kind": "exchange"}, "kind"),
    "no kind": (ASK, {"lines": [LINE]}, "body"),
    "no lines": (ASK, DRAFT | {"lines": []}, "lines"),
    "too many lines": (ASK, DRAFT | {"lines": [LINE] * (limits.PURCHASE_LINES_MAX + 1)}, "lines"),
    "no units": (ASK, DRAFT | {"lines": [LINE | {"quantity": 0}]}, "lines[0].quantity"),
    "units that are none": (
        ASK,
        DRAFT | {"lines": [LINE | {"quantity": "1"}]},
        "lines[0].quantity",
    ),
    "a comma": (ASK, DRAFT | {"lines": [LINE | {"listing": "A,B"}]}, "lines[0].listing"),
    "a field of a line": (ASK, DRAFT | {"lines": [LINE | {"price": 1}]}, "lines[0]"),
    "a field of a request": (ASK, DRAFT | {"status": "done"}, "body"),
    "a long story": (ASK, DRAFT | {"reason": LONG}, "reason"),
    "an answer that is none": (ANSWER, {"action": "perhaps"}, "action"),
    "no answer": (ANSWER, {}, "body"),
    "a field of an answer": (ANSWER, {"action": "agree", "status": "done"}, "body"),
    "less than nothing": (ANSWER, {"action": "confirm", "amount_minor": -1}, "amount_minor"),
    "too much": (
        ANSWER,
        {"action": "confirm", "amount_minor": limits.PRICE_MINOR_MAX + 1},
        "amount_minor",
    ),
    "a long reason": (ANSWER, {"action": "refuse", "reason": LONG}, "reason"),
    "a list": (ANSWER, [], "body"),
    "nobody who sends": (SEND, SHIPMENT | {"carrier": ""}, "carrier"),
    "no waybill": (SEND, {"carrier": "sf"}, "body"),
    "a waybill of two": (SEND, SHIPMENT | {"waybill": "SF1 SF2"}, "waybill"),
    "a field of a shipment": (SEND, SHIPMENT | {"phone": "138"}, "body"),
}


async def test_what_is_not_valid_is_refused_with_its_field(requests: Requests) -> None:
    order = await requests.bought()
    number = await requests.asked(order)
    await requests.answer(number, "agree")
    for name, (path, body, field) in INVALID.items():
        async with requests.unchanged():
            target = path.format(order=order, number=number)
            answer = await requests.shop.call("POST", target, body)
        assert refusal(answer) == (422, "invalid"), name
        assert answer.json()["field"] == field, name


@pytest.mark.parametrize("content", [b"", b'{"action":', b'{"action":"agree","reason":"\xff"}'])
async def test_an_answer_that_is_no_json_is_refused(requests: Requests, content: bytes) -> None:
    number = await requests.asked()
    path = f"returns/{number}/answer"
    async with requests.unchanged():
        answer = await requests.shop.call("POST", path, json=None, content=content)
    assert (*refusal(answer), answer.json()["field"]) == (422, "invalid", "body")


async def test_a_request_that_is_not_there_is_unknown(requests: Requests) -> None:
    await requests.asked()
    async with requests.unchanged():
        for number in ("nowhere", f"{requests.shop.code}-R0000002"):
            for answer in (
                await requests.answer(number, "agree"),
                await requests.answer(number, "refuse"),
                await requests.send(number),
                await requests.close(number),
            ):
                assert refusal(answer) == (404, "unknown_return")


async def test_who_has_no_token_neither_reads_nor_answers(requests: Requests) -> None:
    number, shop = await requests.asked(), requests.shop
    async with requests.unchanged():
        for words in ("", "Bearer", "Bearer no", TOKEN, f"Basic {TOKEN}"):
            given: dict[str, Any] = {"headers": {"Authorization": words}}
            read = await shop.call("GET", "returns", **given)
            body = {"action": "agree"}
            answered = await shop.call("POST", f"returns/{number}/answer", body, **given)
            assert refusal(read) == refusal(answered) == (401, "unknown_token")


async def test_a_shop_that_is_not_there_is_unknown(requests: Requests) -> None:
    nowhere = Requests(Shopfront(requests.shop.url, "nowhere", requests.shop.http))
    for answer in (
        await nowhere.shop.call("GET", "returns"),
        await nowhere.ask("x"),
        await nowhere.answer("x", "agree"),
        await nowhere.send("x"),
        await nowhere.close("x"),
    ):
        assert refusal(answer) == (404, "unknown_shop")


async def test_the_rate_of_a_shop_holds_for_its_seller_and_not_for_buyers(
    requests: Requests,
) -> None:
    slow = Shopfront(requests.shop.url, f"{requests.shop.code}-slow", requests.shop.http)
    await slow.open(calls_per_second=1)
    for _ in range(4):
        answer = await slow.call("GET", "returns")
    assert refusal(answer) == (429, "too_many_calls")
    assert refusal(await Requests(slow).answer("x", "agree")) == (429, "too_many_calls")
    assert refusal(await Requests(slow).ask("x")) == (404, "unknown_order")
    assert refusal(await Requests(slow).close("x")) == (404, "unknown_return")


async def test_the_state_counts_calls_and_refusals(requests: Requests) -> None:
    order = await requests.bought()
    before = (await requests.shop.state())["calls"]
    number = await requests.asked(order)
    await requests.answer(number, "confirm")
    await requests.answer(number, "agree")
    await requests.send(number)
    await requests.close(number)
    await requests.close(number)
    await requests.changes()
    state = await requests.shop.state()
    counted = {"ask": 1, "answer": 2, "send": 1, "close": 2, "returns": 1}
    assert state["calls"] == before | counted
    assert state["refusals"] == {"409": 2}


# ------------------------------------------------------------------------------- page by page


async def test_changes_come_page_by_page_as_they_happened(requests: Requests) -> None:
    assert await requests.changes() == ([], "0")
    first = await requests.asked()
    second = await requests.asked()
    await requests.answer(first, "agree")
    await requests.close(second)
    await requests.send(first)
    told = [
        (first, "wait_seller"),
        (second, "wait_seller"),
        (first, "wait_buyer_send"),
        (second, "closed"),
        (first, "wait_seller_receive"),
    ]
    assert await requests.changes() == (told, "5")
    assert await requests.changes(limit=2) == (told[:2], "2")
    for _ in range(2):
        assert await requests.changes(since="2", limit=2) == (told[2:4], "4")
    assert await requests.changes(since="4", limit=2) == (told[4:], "5")
    assert await requests.changes(since="5") == ([], "5")
    await requests.answer(first, "confirm")
    assert await requests.changes(since="5") == ([(first, "done")], "6")


async def test_a_change_that_was_told_is_told_as_it_was(requests: Requests) -> None:
    number = await requests.brought_to("return", "done")
    first = (await requests.shop.call("GET", "returns", params={"limit": 1})).json()
    assert first["returns"][0] == (await requests.stands(number)) | {
        "status": "wait_seller",
        "amount_minor": 0,
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "x"}, "since"),
        ({"since": "-1"}, "since"),
        ({"since": str(limits.RETURNS_MAX * len(wire.ReturnStatus) + 1)}, "since"),
        ({"since": "9" * 30}, "since"),
        ({"limit": "0"}, "limit"),
        ({"limit": str(limits.READ_LISTINGS_MAX + 1)}, "limit"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(
    requests: Requests, query: dict[str, str], field: str
) -> None:
    await requests.asked()
    async with requests.unchanged():
        answer = await requests.shop.call("GET", "returns", params=query)
    assert (*refusal(answer), answer.json()["field"]) == (422, "invalid", field)


def draft_of(kind: wire.ReturnKind = wire.ReturnKind.RETURN) -> wire.ReturnDraft:
    return wire.ReturnDraft(kind, [wire.ReturnUnits("A", 1)])


def test_a_shop_has_not_more_requests_than_it_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RETURNS_MAX", 2)
    returns = Returns("s")
    made = [returns.ask("o", draft_of()) for _ in range(2)]
    with pytest.raises(Refusal, match="at most 2") as raised:
        returns.ask("o", draft_of())
    assert (raised.value.status, raised.value.body["error"]) == (409, "full")
    assert returns.all() == made
    assert returns.since(0, 9) == (made, 2)


def test_a_platform_pays_without_asking_what_has_not_ended() -> None:
    returns = Returns("s")
    made = returns.ask("o", draft_of())
    paid = returns.pay(made.number, 70)
    assert (paid.status, paid.amount_minor) == (wire.ReturnStatus.DONE, 70)
    told = returns.since(0, 9)
    with pytest.raises(Refusal, match="done"):
        returns.pay(made.number, 80)
    with pytest.raises(Refusal, match="no return"):
        returns.pay("nowhere", 80)
    assert returns.since(0, 9) == told
    assert returns.of(made.number) == paid


# ------------------------------------------------------------------------------------- faults


class Call(NamedTuple):
    """What the connector does of requests, and how faults name it."""

    operation: str
    run: Callable[[HttpChannelStock, str], Any]


CALLS = {
    "returns": Call("returns", lambda seller, _: seller.returns("", 10)),
    "answer": Call("answer", lambda seller, number: seller.answer_return(number, AGREE)),
}
NOTHING_DONE: dict[str, type[object]] = {
    "error500": type(None),
    "timeout": TimeoutError,
    "reset": httpx2.RemoteProtocolError,
}
"""Kind of fault → what was behind it on the wire."""


@pytest.mark.parametrize("kind", NOTHING_DONE)
@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_fails_does_nothing(requests: Requests, name: str, kind: str) -> None:
    operation, run = CALLS[name]
    number = await requests.asked()
    before = await requests.stands(number)
    await requests.shop.break_down(kind, operation=operation, calls=1)
    with pytest.raises(ChannelAway) as raised:
        await run(requests.shop.seller(HASTY_SECONDS), number)
    assert isinstance(raised.value.__cause__, NOTHING_DONE[kind])
    assert (await requests.shop.state())["faults"] == {kind: 1}
    assert await requests.stands(number) == before
    assert await requests.changes() == ([(number, "wait_seller")], "1")
    await run(requests.shop.seller(), number)


async def test_an_answer_can_be_done_although_nobody_said_so(requests: Requests) -> None:
    number, seller = await requests.asked(), requests.shop.seller
    await requests.shop.break_down("timeout_after", operation="answer", calls=1)
    with pytest.raises(ChannelAway):
        await seller(HASTY_SECONDS).answer_return(number, AGREE)
    assert (await requests.stands(number))["status"] == "wait_buyer_send"
    async with requests.unchanged():
        again = await seller().answer_return(number, AGREE)
    assert again.status is ChannelReturnStatus.WAIT_BUYER_SEND


async def test_a_page_that_nobody_got_comes_again(requests: Requests) -> None:
    number = await requests.asked()
    await requests.shop.break_down("timeout_after", operation="returns", calls=1)
    with pytest.raises(ChannelAway):
        await requests.shop.seller(HASTY_SECONDS).returns("", 10)
    page = await requests.shop.seller().returns("", 10)
    assert [one.number for one in page.returns] == [number]


async def test_a_slow_answer_does_not_undo_a_faster_one(requests: Requests) -> None:
    number, seller = await requests.asked(), requests.shop.seller()
    await requests.shop.break_down("slow", operation="answer", calls=1, milliseconds=400)
    slow = asyncio.create_task(seller.answer_return(number, AGREE))
    await until(requests.shop.is_struck)
    refuse = ReturnAnswer(ReturnAction.REFUSE, "已使用")
    assert (await seller.answer_return(number, refuse)).status == "refused"
    with pytest.raises(ChannelRefused, match=r"409.*not_now"):
        await slow
    assert (await requests.stands(number))["status"] == "refused"


async def test_a_fault_keeps_to_its_operation(requests: Requests) -> None:
    number, seller = await requests.asked(), requests.shop.seller()
    await requests.shop.break_down("error500", operation="returns")
    assert (await seller.answer_return(number, AGREE)).status == "wait_buyer_send"
    assert (await seller.orders("", 9)).orders
    with pytest.raises(ChannelAway):
        await seller.returns("", 9)
    await requests.shop.control("DELETE", "faults")
    await requests.shop.break_down("error500", operation="answer")
    assert (await seller.returns("", 9)).next == "2"
    with pytest.raises(ChannelAway):
        await seller.answer_return(number, AGREE)


async def test_buyers_have_no_faults(requests: Requests) -> None:
    number = await requests.asked()
    await requests.answer(number, "agree")
    await requests.shop.break_down("error500")
    assert (await requests.send(number)).status_code == 200
    assert (await requests.close(number)).status_code == 200
    assert (await requests.shop.state())["faults"] == {}


async def test_an_answer_that_is_not_valid_has_no_fault(requests: Requests) -> None:
    number = await requests.asked()
    await requests.shop.break_down("error500", operation="answer", calls=1)
    assert (await requests.answer(number, "perhaps")).status_code == 422
    assert (await requests.shop.state())["faults"] == {}
    assert (await requests.answer(number, "agree")).status_code == 500


@pytest.mark.parametrize("kind", ["forget", "other_number", "silent_other_number"])
async def test_what_befalls_pushes_alone_is_not_ordered(requests: Requests, kind: str) -> None:
    number = await requests.asked()
    for operation in ("returns", "answer"):
        body = {"kind": kind, "operation": operation, "shop": requests.shop.code}
        answer = await requests.shop.http.post(f"{requests.shop.url}/control/faults", json=body)
        assert (*refusal(answer), answer.json()["field"]) == (422, "invalid", "operation")
    await requests.shop.break_down(kind)
    assert (await requests.answer(number, "agree")).json()["status"] == "wait_buyer_send"


# ------------------------------------------------------------------------------- the connector


async def test_the_connector_reads_requests_page_by_page(requests: Requests) -> None:
    order = await requests.bought(A=2, B=1)
    number = await requests.asked(order, A=2, B=1)
    other = await requests.asked(kind="refund_only")
    await requests.answer(number, "agree")
    await requests.send(number)
    seller = requests.shop.seller()
    first = await seller.returns("", 3)
    assert [one.number for one in first.returns] == [number, other, number]
    assert first.returns[1].kind is ChannelReturnKind.REFUND_ONLY
    second = await seller.returns(first.next, 3)
    assert second.returns == [
        ChannelReturn(
            number=number,
            order=order,
            kind=ChannelReturnKind.RETURN,
            status=ChannelReturnStatus.WAIT_SELLER_RECEIVE,
            lines=[ChannelReturnUnits("A", 2), ChannelReturnUnits("B", 1)],
            reason="尺寸不合适",
            carrier="sf",
            waybill="SF123",
        )
    ]
    assert await seller.returns(second.next, 3) == ReturnPage([], second.next)


async def test_the_connector_answers_and_says_how_it_stands(requests: Requests) -> None:
    number, seller = await requests.asked(), requests.shop.seller()
    agreed = await seller.answer_return(number, AGREE)
    assert (agreed.number, agreed.status) == (number, ChannelReturnStatus.WAIT_BUYER_SEND)
    await requests.send(number)
    confirm = ReturnAnswer(ReturnAction.CONFIRM, amount_minor=80)
    for _ in range(2):
        done = await seller.answer_return(number, confirm)
        assert done.status is ChannelReturnStatus.DONE
    assert (await requests.stands(number))["amount_minor"] == 80
    refuse = ReturnAnswer(ReturnAction.REFUSE, "已使用")
    another = await requests.asked()
    assert (await seller.answer_return(another, refuse)).status is ChannelReturnStatus.REFUSED


async def test_the_largest_page_is_taken_and_no_larger_one_is_asked_for(requests: Requests) -> None:
    seller = requests.shop.seller()
    assert (await seller.returns("", seller.orders_page_max)).returns == []
    calls = (await requests.shop.state())["calls"]
    for limit in (0, seller.orders_page_max + 1):
        with pytest.raises(AssertionError):
            await seller.returns("", limit)
    assert (await requests.shop.state())["calls"] == calls


async def test_what_the_platform_refuses_needs_a_person(requests: Requests) -> None:
    shop, number = requests.shop, await requests.asked()
    seller, confirm = shop.seller(), ReturnAnswer(ReturnAction.CONFIRM)
    nowhere = Shopfront(shop.url, "nowhere?", shop.http).seller()
    async with requests.unchanged():
        for words, call in (
            (r"401.*unknown_token", shop.seller(token="no").returns("", 1)),
            (r"401.*unknown_token", shop.seller(token="no").answer_return(number, AGREE)),
            (r"404.*unknown_shop", nowhere.returns("", 1)),
            (r"404.*unknown_shop", nowhere.answer_return(number, AGREE)),
            (r"404.*unknown_return", seller.answer_return("nowhere", AGREE)),
            (r"409.*not_now.*wait_seller", seller.answer_return(number, confirm)),
            (r"422.*since", seller.returns("x", 1)),
            (
                r"422.*amount_minor",
                seller.answer_return(number, ReturnAnswer(ReturnAction.CONFIRM, amount_minor=-1)),
            ),
            (
                r"422.*reason",
                seller.answer_return(number, ReturnAnswer(ReturnAction.REFUSE, LONG)),
            ),
        ):
            with pytest.raises(ChannelRefused, match=words):
                await call


async def test_what_the_connector_sends_is_what_it_was_given() -> None:
    sent: list[httpx2.Request] = []

    async def respond(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        content = ANSWERED if request.method == "POST" else b'{"returns":[],"next":"8"}'
        return httpx2.Response(200, content=content)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(respond)) as http:
        seller = HttpChannelStock("http://p.example/", "s/1", TOKEN, http)
        assert await seller.returns("7&limit=9", 50) == ReturnPage([], "8")
        answer = ReturnAnswer(ReturnAction.REFUSE, "已使用", 5)
        await seller.answer_return("R/1?x=#", answer)
    page, said = sent
    assert (page.method, page.url.raw_path.partition(b"?")[0]) == (
        "GET",
        b"/v1/shops/s%2F1/returns",
    )
    assert dict(page.url.params) == {"since": "7&limit=9", "limit": "50"}
    assert said.method == "POST"
    assert said.url.raw_path == b"/v1/shops/s%2F1/returns/R%2F1%3Fx%3D%23/answer"
    body = {"action": "refuse", "reason": "已使用", "amount_minor": 5}
    assert json.loads(said.content) == body
    assert {one.headers["authorization"] for one in sent} == {f"Bearer {TOKEN}"}


ANSWERED = json.dumps(
    {
        "number": "R/1?x=#",
        "order": "P-1",
        "kind": "return",
        "status": "refused",
        "lines": [{"listing": "A", "quantity": 1}],
        "reason": "",
    }
).encode()
PAGE = b'{"returns":[' + ANSWERED + b'],"next":"1"}'


async def call_to(http: httpx2.AsyncClient, name: str, answer: bytes) -> Any:
    """Make a call to somebody who says the same to everybody; it is made once."""
    async with saying(answer) as (url, told):
        try:
            return await CALLS[name].run(HttpChannelStock(url, "s", TOKEN, http, 5.0), "R/1?x=#")
        finally:
            assert len(told) == 1, "the connector never tries again by itself"


def garbage(good: bytes) -> dict[str, bytes]:
    """Return answers that tell nothing, made of a good one."""
    return {
        "a fault of the server": http_answer("503 Service Unavailable", good),
        "a request that timed out": http_answer("408 Request Timeout", good),
        "nothing": http_answer("200 OK"),
        "no JSON": http_answer("200 OK", b"<html>"),
        "a maze": http_answer("200 OK", b'{"x":' + b"[" * 100_000),
        "no text": http_answer("200 OK", good.replace(b"A", b"\xff")),
        "a list": http_answer("200 OK", b"[" + good + b"]"),
        "another status": http_answer("200 OK", good.replace(b"refused", b"perhaps")),
        "another kind": http_answer("200 OK", good.replace(b'"return"', b'"exchange"')),
        "units that are none": http_answer("200 OK", good.replace(b": 1}", b": 1.5}")),
        "no number": http_answer("200 OK", good.replace(b'"number"', b'"no"')),
        "no order": http_answer("200 OK", good.replace(b'"order"', b'"no"')),
        "half an answer": http_answer("200 OK", good)[:-5],
        "silence": b"",
        "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    }


GARBAGE = [("returns", name) for name in garbage(PAGE)] + [
    ("answer", name) for name in garbage(ANSWERED)
]


@pytest.mark.parametrize(("call", "name"), GARBAGE)
async def test_what_tells_nothing_leaves_the_outcome_unknown(
    http: httpx2.AsyncClient, call: str, name: str
) -> None:
    answers = garbage(PAGE if call == "returns" else ANSWERED)
    with pytest.raises(ChannelAway):
        await call_to(http, call, answers[name])


@pytest.mark.parametrize("page", [b'{"returns":[]}', b'{"next":"1"}', b'{"returns":[],"next":1}'])
async def test_a_page_without_its_cursor_is_none(http: httpx2.AsyncClient, page: bytes) -> None:
    with pytest.raises(ChannelAway):
        await call_to(http, "returns", http_answer("200 OK", page))


async def test_an_answer_about_another_request_is_none(http: httpx2.AsyncClient) -> None:
    other = ANSWERED.replace(b"R/1?x=#", b"R-2")
    with pytest.raises(ChannelAway):
        await call_to(http, "answer", http_answer("200 OK", other))


async def test_what_a_platform_says_beside_it_does_no_harm(http: httpx2.AsyncClient) -> None:
    more = ANSWERED[:-1] + b',"amount_minor":5,"seller_memo":{"flag":1}}'
    answered = await call_to(http, "answer", http_answer("200 OK", more))
    assert (answered.status, answered.carrier) == (ChannelReturnStatus.REFUSED, "")
    page = await call_to(http, "returns", http_answer("200 OK", PAGE))
    assert page == ReturnPage([answered], "1")


@pytest.mark.parametrize("call", CALLS)
async def test_a_busy_platform_says_for_how_long(http: httpx2.AsyncClient, call: str) -> None:
    with pytest.raises(ChannelBusy) as raised:
        await call_to(http, call, http_answer("429 Too Many Requests", b"", "Retry-After: 2.5"))
    assert raised.value.retry_after_seconds == 2.5


@pytest.mark.parametrize("status", ["301 Moved", "400 Bad", "403 Forbidden", "409 Conflict"])
@pytest.mark.parametrize("call", CALLS)
async def test_other_refusals_need_a_person(
    http: httpx2.AsyncClient, call: str, status: str
) -> None:
    with pytest.raises(ChannelRefused, match=f"{status[:3]}.*why"):
        await call_to(http, call, http_answer(status, b"why", "Location: /elsewhere"))


@pytest.mark.parametrize("call", CALLS)
async def test_nobody_at_the_address_is_away(http: httpx2.AsyncClient, call: str) -> None:
    async with saying(b"") as (url, _):
        pass
    with pytest.raises(ChannelAway):
        await CALLS[call].run(HttpChannelStock(url, "s", TOKEN, http), "R-1")


@pytest.mark.parametrize("call", CALLS)
async def test_the_whole_call_has_a_limit(requests: Requests, call: str) -> None:
    number = await requests.asked()
    await requests.shop.break_down("slow", milliseconds=2_000)
    began = time.monotonic()
    with pytest.raises(ChannelAway):
        await CALLS[call].run(requests.shop.seller(0.1), number)
    assert time.monotonic() - began < 1.0
