"""A dealer uploads thousands of orders, some wrong in every way: each row is answered by itself."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pytest

from backend.orders.intake_stream import place_stream
from tests.dropship.dealing import PRICE, Dealing
from tests.world import BEIJING, SHANGHAI, receive

ROWS, EVERY = 3_000, 10
"""Of so many rows every tenth is wrong: 300."""
CHUNK = 16_384


class Wrong(NamedTuple):
    """What is wrong with a row, and what it is refused with."""

    code: str
    changes: Mapping[str, Any] = MappingProxyType({})
    raw: bytes | None = None


def line(**changes: Any) -> dict[str, Any]:
    return {"lines": [{"sku": "A", "quantity": 1, "unitPriceMinor": 1_000, **changes}]}


WRONG = [
    Wrong("INVALID_ORDER", raw=b'{"shop": '),
    Wrong("INVALID_ORDER", raw=b"[]"),
    Wrong("INVALID_ORDER", raw=b"\xff\xfe"),
    Wrong("INVALID_ORDER", raw=b"dshop,A,1"),
    Wrong("INVALID_ORDER", {"colour": "red"}),
    Wrong("INVALID_ORDER", {"lines": []}),
    Wrong("INVALID_ORDER", {"lines": "A"}),
    Wrong("INVALID_ORDER", {"externalId": ""}),
    Wrong("INVALID_ORDER", {"remark": "x" * 501}),
    Wrong("INVALID_ORDER", {"remark": "\x00"}),
    Wrong("INVALID_ORDER", {"orderDiscountMinor": 2_000}),
    Wrong("INVALID_ORDER", line(quantity=0)),
    Wrong("INVALID_ORDER", line(quantity=-1)),
    Wrong("INVALID_ORDER", line(quantity=1.5)),
    Wrong("INVALID_ORDER", line(quantity=10**7)),
    Wrong("INVALID_ORDER", line(unitPriceMinor=-1)),
    Wrong("INVALID_ORDER", line(unitPriceMinor=10**30)),
    Wrong("INVALID_ORDER", line(discountMinor=1_001)),
    Wrong("AMOUNTS_DO_NOT_ADD_UP", {"totalMinor": 7}),
    Wrong("ADDRESS_UNRESOLVED", {"address": {"detail": "x", "regionPath": ["火星"]}}),
    Wrong("UNKNOWN_SHOP", {"shop": "nowhere"}),
    Wrong("UNKNOWN_SHOP", {"shop": "dshop2"}),
    Wrong("UNKNOWN_SHOP", {"shop": "shop"}),
    Wrong("UNKNOWN_SKU", line(sku="nothing")),
    Wrong("NOT_IN_ASSORTMENT", line(sku="B")),
    Wrong("OUTSIDE_TERRITORY", {"address": {"detail": "x", "regionCode": BEIJING}}),
    Wrong("BELOW_RESALE_PRICE", line(unitPriceMinor=899)),
    Wrong("ORDER_CONFLICT", {"externalId": "before", "remark": "another one"}),
    Wrong("INSUFFICIENT_STOCK", line(sku="C", quantity=100)),
    Wrong("QUOTA_EXCEEDED", line(quantity=9_000, unitPriceMinor=1_000)),
]


def row(number: int, wrong: Wrong | None) -> bytes:
    if wrong is not None and wrong.raw is not None:
        return wrong.raw
    values = {
        "shop": "dshop",
        "externalId": f"row-{number}",
        "isPaid": False,
        "address": {"detail": "x", "regionCode": SHANGHAI},
        **line(),
    }
    return msgspec.json.encode(values | dict(wrong.changes if wrong else {}))


def upload() -> list[tuple[Wrong | None, bytes]]:
    kinds = [WRONG[n // EVERY % len(WRONG)] if n % EVERY == 0 else None for n in range(ROWS)]
    return [(wrong, row(number, wrong)) for number, wrong in enumerate(kinds)]


@pytest.fixture
async def uploader(unbound: Dealing) -> Dealing:
    """Stock of "A" for all rows; a dealer that may sell "A" in Shanghai, for 900 at least."""
    await receive(unbound.database, unbound.world.brand, "wh", "A", 10_000)
    await unbound.credit(4_000 * PRICE)
    await unbound.agree(territory=(310_000,), added_skus=("A", "C"), quota_account="Q-1")
    await unbound.price(least=900)
    return unbound


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    for first in range(0, len(body), CHUNK):
        yield body[first : first + CHUNK]


async def send(dealing: Dealing, body: bytes) -> list[dict[str, Any]]:
    stream = place_stream(dealing.runtime.intake, dealing.world.dealer, chunks(body))
    pieces = [piece async for piece in stream]
    return [msgspec.json.decode(text) for text in b"".join(pieces).splitlines()]


async def test_each_row_is_answered_and_the_good_ones_are_placed(uploader: Dealing) -> None:
    await send(uploader, row(0, Wrong("", {"externalId": "before"})))
    rows = upload()
    answers = await send(uploader, b"\n".join(text for _, text in rows))
    assert [answer["line"] for answer in answers] == list(range(1, ROWS + 1))
    for (wrong, _), answer in zip(rows, answers, strict=True):
        assert answer.get("code") == (wrong and wrong.code), (wrong, answer)
    good = ROWS - ROWS // EVERY
    assert Counter(answer["result"] for answer in answers) == {
        "placed": good,
        "refused": ROWS // EVERY,
    }
    assert await uploader.admin.fetchval("select count(*) from orders") == good + 1
    assert await uploader.used() == (good + 1) * PRICE
    await uploader.assert_clean()
