"""Orders as NDJSON: an answer a line, in order; a broken line harms nobody else."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from backend.orders import intake_stream
from backend.orders.intake_stream import place_stream
from backend.runtime import Runtime
from tests.orders.checks import assert_clean, facts
from tests.world import SHANGHAI, World, receive


def record(number: int, **changes: object) -> bytes:
    values = {
        "shop": "shop",
        "externalId": f"e{number}",
        "address": {"detail": "x", "regionCode": SHANGHAI},
        "lines": [{"sku": "A", "quantity": 1}],
    }
    return msgspec.json.encode({**values, **changes})


async def chunks(body: bytes, size: int = 50) -> AsyncIterator[bytes]:
    for first in range(0, len(body), size):
        yield body[first : first + size]


async def answers(runtime: Runtime, world: World, body: bytes) -> list[dict[str, object]]:
    stream = place_stream(runtime.intake, world.brand, chunks(body))
    pieces = [piece async for piece in stream]
    return [msgspec.json.decode(line) for line in b"".join(pieces).splitlines()]


async def test_a_broken_line_harms_nobody_else(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 20)
    lines = [record(number) for number in range(1, 11)]
    lines[6] = b'{"shop": '
    found = await answers(runtime, world, b"\n".join([*lines, b""]))
    assert [answer["line"] for answer in found] == list(range(1, 11))
    results = [answer["result"] for answer in found]
    assert results == ["placed"] * 6 + ["refused"] + ["placed"] * 3
    assert found[6]["code"] == "INVALID_ORDER"
    assert (await facts(runtime, world)).orders == 9
    await assert_clean(runtime, world)


@pytest.mark.parametrize(
    "changes", [{"colour": "red"}, {"lines": "none"}, {"shop": None}, {"externalId": None}]
)
async def test_a_record_that_cannot_be_read_is_refused(
    runtime: Runtime, world: World, changes: dict[str, object]
) -> None:
    before = await facts(runtime, world)
    (answer,) = await answers(runtime, world, record(1, **changes))
    assert answer["code"] == "INVALID_ORDER"
    assert await facts(runtime, world) == before


async def test_a_stream_that_is_too_long_says_so(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_stream, "RECORDS_MAX", 3)
    found = await answers(runtime, world, b"\n".join(record(n) for n in range(6)) + b"\n")
    assert [answer["result"] for answer in found] == ["placed"] * 3 + ["refused"]
    assert found[3]["code"] == "TOO_LARGE"
    assert (await facts(runtime, world)).orders == 3
