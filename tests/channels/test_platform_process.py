"""The simulated platform as a process: its line, its end, and that its seed decides."""

import asyncio
import re
import signal
import time
from contextlib import suppress

import httpx2
import pytest

from backend.channels.errors import ChannelAway
from backend.channels.platform import StockPush
from loadtests.waiting import until
from tests.channels.marketplace import (
    END_SECONDS,
    Platform,
    Shopfront,
    platform_process,
    start_platform,
)


def ended(platform: Platform) -> tuple[int, str, str]:
    """Return how a platform ended, and what it said beside its line."""
    out, err = platform.process.communicate(timeout=END_SECONDS)
    return platform.process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_ends_at_a_signal(number: signal.Signals) -> None:
    with platform_process() as platform:
        assert re.fullmatch(r"platform listens on http://127\.0\.0\.1:\d+\n", platform.line)
        assert httpx2.get(f"{platform.url}/control/state").json()["shops"] == {}
        platform.process.send_signal(number)
        assert ended(platform) == (0, "", "")


async def test_it_ends_although_it_holds_a_call(http: httpx2.AsyncClient) -> None:
    with platform_process() as platform:
        shop = Shopfront(platform.url, "s", http)
        await shop.open()
        await shop.break_down("timeout")
        held = asyncio.create_task(shop.seller().read(["A"]))
        await until(shop.is_struck)
        began = time.monotonic()
        platform.process.terminate()
        with pytest.raises(ChannelAway):
            await held
        assert (await asyncio.to_thread(ended, platform))[0] == 0
        assert time.monotonic() - began < 4.0


def test_a_port_in_use_is_named(platform_url: str) -> None:
    port = platform_url.rpartition(":")[2]
    process = start_platform("--port", port)
    _, err = process.communicate(timeout=END_SECONDS)
    assert (process.returncode, port in err, len(err.splitlines())) == (1, True, 1)
    assert httpx2.get(f"{platform_url}/control/state").is_success


@pytest.mark.parametrize("words", [(), ("--port", "0", "--rate", "0"), ("--port", "70000")])
def test_what_it_is_told_is_checked(words: tuple[str, ...]) -> None:
    process = start_platform(*words)
    out, err = process.communicate(timeout=END_SECONDS)
    assert process.returncode in (1, 2)
    assert (out, "Traceback" in err) == ("", False)


async def test_the_rate_of_the_command_line_is_that_of_a_shop(http: httpx2.AsyncClient) -> None:
    with platform_process("--rate", "2") as platform:
        shop = Shopfront(platform.url, "s", http)
        await shop.open()
        statuses = [(await shop.call("GET", "stock")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


async def misfortunes(seed: str, http: httpx2.AsyncClient) -> list[dict[str, object]]:
    """Let 60 pushes meet two faults, and return what became of them."""
    with platform_process("--seed", seed, "--rate", "1000") as platform:
        shop = Shopfront(platform.url, "s", http)
        await shop.open()
        await shop.list_articles("A")
        await shop.break_down("error500", share=3_000)
        await shop.break_down("other_number", share=5_000)
        for sequence in range(1, 61):
            with suppress(ChannelAway):
                await shop.seller().push([StockPush("A", 20, sequence)])
        return [
            {name: value for name, value in push.items() if name != "seconds"}
            for push in (await shop.state())["pushes"]
        ]


async def test_the_seed_decides_what_goes_wrong(http: httpx2.AsyncClient) -> None:
    first = await misfortunes("1", http)
    assert first == await misfortunes("1", http)
    assert first != await misfortunes("2", http)
    assert 0 < sum(push["stored"] != 20 for push in first) < len(first) < 60
