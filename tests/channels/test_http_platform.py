"""The connector: what answers mean, and what is not asked at all."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from backend.channels.connectors import CHANNELS, Access, connect
from backend.channels.errors import ChannelAway, ChannelBusy, ChannelRefused
from backend.channels.http_platform import (
    ANSWER_BYTES_MAX,
    RETRY_AFTER_SECONDS,
    RETRY_AFTER_SECONDS_MAX,
    HttpChannelStock,
)
from backend.channels.platform import PushAnswer, PushOutcome, StockPush
from tests.channels.marketplace import BUYER, TOKEN, Shopfront

PUSH = [StockPush("A", 5, 1)]


@asynccontextmanager
async def saying(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that says the same to everybody and hangs up; with what it was told."""
    told: list[bytes] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", told


def http_answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def push_to(http: httpx2.AsyncClient, answer: bytes) -> list[PushAnswer]:
    async with saying(answer) as (url, told):
        try:
            return await HttpChannelStock(url, "s", TOKEN, http, 5.0).push(PUSH)
        finally:
            assert len(told) == 1, "the connector never tries again by itself"


async def read_often(shop: Shopfront, times: int) -> None:
    for _ in range(times):
        await shop.seller().read(["A"])


async def test_every_outcome_has_its_name(shop: Shopfront) -> None:
    await shop.show(5, A=3)
    pushes = [
        StockPush("B", 7, 1), StockPush("Z", 7, 1), StockPush("A", 7, 5), StockPush("C", 10**6, 1)
    ]  # fmt: skip
    assert await shop.seller().push(pushes) == [
        PushAnswer("B", PushOutcome.ACCEPTED, 7),
        PushAnswer("Z", PushOutcome.UNKNOWN_LISTING, 0),
        PushAnswer("A", PushOutcome.STALE, 3),
        PushAnswer("C", PushOutcome.REFUSED, 0),
    ]


async def test_a_read_leaves_out_what_is_not_there(shop: Shopfront) -> None:
    await shop.show(A=3)
    assert await shop.seller().read(["A", "Z", "B", "x,y", ""]) == {"A": 3, "B": 0}


async def test_orders_are_read_page_by_page(shop: Shopfront) -> None:
    await shop.show(A=9)
    bought = [(await shop.buy(A=1)).json()["number"] for _ in range(3)]
    first = await shop.seller().orders("", 2)
    assert len(first.orders) == 2
    second = await shop.seller().orders(first.next, 2)
    assert [order.number for order in first.orders + second.orders] == bought
    assert first.orders[0].buyer.name == BUYER["name"]
    assert (first.orders[0].lines[0].listing, first.orders[0].total_minor) == ("A", 100)


async def test_nothing_is_asked_for_nothing(shop: Shopfront) -> None:
    assert await shop.seller().push([]) == []
    assert await shop.seller().read([]) == await shop.seller().read(["x,y"]) == {}
    assert (await shop.state())["calls"].keys() == {"save"}


async def test_the_limits_of_the_connector_are_those_of_the_platform(shop: Shopfront) -> None:
    seller = shop.seller()
    pushes = [StockPush("A", n, n) for n in range(1, seller.push_items_max + 1)]
    assert len(await seller.push(pushes)) == seller.push_items_max
    assert await seller.read(["A"] * seller.read_listings_max)
    assert (await seller.orders("", seller.orders_page_max)).orders == []


async def test_more_than_the_limits_is_never_sent(shop: Shopfront) -> None:
    seller = shop.seller()
    async with shop.unchanged():
        with pytest.raises(AssertionError):
            await seller.push(PUSH * (seller.push_items_max + 1))
        with pytest.raises(AssertionError):
            await seller.read(["A"] * (seller.read_listings_max + 1))
        with pytest.raises(AssertionError):
            await seller.orders("", seller.orders_page_max + 1)
    assert (await shop.state())["calls"].keys() == {"save"}


async def test_a_wrong_token_needs_a_person(shop: Shopfront) -> None:
    async with shop.unchanged():
        with pytest.raises(ChannelRefused, match=r"401.*unknown_token"):
            await shop.seller(token="another").push(PUSH)


async def test_a_shop_that_is_not_there_needs_a_person(shop: Shopfront) -> None:
    with pytest.raises(ChannelRefused, match=r"404.*unknown_shop"):
        await Shopfront(shop.url, "nowhere?", shop.http).seller().read(["A"])


async def test_what_is_not_valid_needs_a_person(shop: Shopfront) -> None:
    async with shop.unchanged():
        with pytest.raises(ChannelRefused, match=r"422.*items\[0\]\.quantity"):
            await shop.seller().push([StockPush("A", -1, 1)])
        with pytest.raises(ChannelRefused, match=r"422.*since"):
            await shop.seller().orders("x", 1)


async def test_who_waits_as_long_as_a_busy_channel_says_is_let_in(shop: Shopfront) -> None:
    slow = Shopfront(shop.url, f"{shop.code}-slow", shop.http)
    await slow.open(calls_per_second=5)
    async with slow.unchanged():
        with pytest.raises(ChannelBusy) as raised:
            await read_often(slow, 50)
    assert 0 < raised.value.retry_after_seconds <= 0.201
    await asyncio.sleep(raised.value.retry_after_seconds)
    assert await slow.seller().read(["A"]) == {}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 2", 2.0),
        ("Retry-After: 0.25", 0.25),
        ("Retry-After: 99999", RETRY_AFTER_SECONDS_MAX),
        ("Retry-After: Wed, 21 Oct 2026 07:28:00 GMT", RETRY_AFTER_SECONDS),
        ("Retry-After: -5", RETRY_AFTER_SECONDS),
        ("Retry-After: nan", RETRY_AFTER_SECONDS),
        ("X: y", RETRY_AFTER_SECONDS),
    ],
)
async def test_a_busy_channel_says_for_how_long(
    http: httpx2.AsyncClient, header: str, seconds: float
) -> None:
    with pytest.raises(ChannelBusy) as raised:
        await push_to(http, http_answer("429 Too Many Requests", b"", header))
    assert raised.value.retry_after_seconds == seconds


GOOD = b'{"items":[{"listing":"A","status":"accepted","quantity":5}]}'
AWAY = {
    "a fault of the server": http_answer("503 Service Unavailable", b"", "Retry-After: 9"),
    "a request that timed out": http_answer("408 Request Timeout"),
    "no JSON": http_answer("200 OK", b"<html>"),
    "a maze": http_answer("200 OK", b'{"x":' + b"[" * 100_000),
    "no text": http_answer("200 OK", GOOD.replace(b"A", b"\xff")),
    "another shape": http_answer("200 OK", b'{"items":[{"listing":"A"}]}'),
    "another status": http_answer("200 OK", GOOD.replace(b"accepted", b"perhaps")),
    "another listing": http_answer("200 OK", GOOD.replace(b"A", b"B")),
    "a listing too few": http_answer("200 OK", b'{"items":[]}'),
    "half an answer": http_answer("200 OK", GOOD)[:-5],
    "a broken compression": http_answer("200 OK", GOOD, "Content-Encoding: gzip"),
    "an answer without end": http_answer("200 OK", b" " * ANSWER_BYTES_MAX + GOOD),
    "silence": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
}


@pytest.mark.parametrize("name", AWAY)
async def test_what_tells_no_outcome_leaves_it_unknown(http: httpx2.AsyncClient, name: str) -> None:
    with pytest.raises(ChannelAway):
        await push_to(http, AWAY[name])


async def test_a_good_answer_is_one(http: httpx2.AsyncClient) -> None:
    answers = await push_to(http, http_answer("200 OK", GOOD))
    assert answers == [PushAnswer("A", PushOutcome.ACCEPTED, 5)]


@pytest.mark.parametrize("status", ["301 Moved", "400 Bad", "403 Forbidden", "413 Too Large"])
async def test_other_refusals_need_a_person(http: httpx2.AsyncClient, status: str) -> None:
    with pytest.raises(ChannelRefused, match=status[:3]):
        await push_to(http, http_answer(status, b"why", "Location: /elsewhere"))


async def test_nobody_at_the_address_is_away(http: httpx2.AsyncClient) -> None:
    async with saying(b"") as (url, _):
        pass
    with pytest.raises(ChannelAway):
        await HttpChannelStock(url, "s", TOKEN, http).push(PUSH)


async def test_the_whole_call_has_a_limit(shop: Shopfront) -> None:
    await shop.break_down("slow", milliseconds=2_000)
    began = time.monotonic()
    with pytest.raises(ChannelAway):
        await shop.seller(0.1).push(PUSH)
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("url", ["", "shop.example", "ftp://x", "http://", "http://x:y", "//x"])
def test_an_address_that_is_none_needs_a_person(url: str, http: httpx2.AsyncClient) -> None:
    with pytest.raises(ChannelRefused, match="address"):
        HttpChannelStock(url, "s", TOKEN, http)


@pytest.mark.parametrize("token", ["令牌", "a\r\nHost: x"])
def test_a_token_that_is_none_needs_a_person(token: str, http: httpx2.AsyncClient) -> None:
    with pytest.raises(ChannelRefused, match="token") as raised:
        HttpChannelStock("http://x", "s", token, http)
    assert token not in str(raised.value)


async def test_a_registered_connector_reaches_its_shop(shop: Shopfront) -> None:
    channel = connect("simulated", Access(f"{shop.url}/", shop.code, TOKEN), shop.http)
    assert await channel.push(PUSH) == [PushAnswer("A", PushOutcome.ACCEPTED, 5)]
    assert await shop.shown() == {"A": 5}


def test_a_kind_without_connector_needs_a_person(http: httpx2.AsyncClient) -> None:
    before = dict(CHANNELS)
    with pytest.raises(ChannelRefused, match="simulated"):
        connect("carrier pigeon", Access("http://x", "s", TOKEN), http)
    assert before == CHANNELS


def test_a_token_is_not_shown() -> None:
    shown = repr(Access("http://x", "s", "secret"))
    assert "http://x" in shown
    assert "secret" not in shown
