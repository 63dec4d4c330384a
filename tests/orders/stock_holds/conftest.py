"""A process with two shops on the same stock."""

import pytest

from backend.orders import sold_out
from tests.inventory.allotments.conftest import BOTH
from tests.inventory.pools.conftest import live
from tests.inventory.pools.living import Living

__all__ = ["live"]


@pytest.fixture
async def shops(live: Living, monkeypatch: pytest.MonkeyPatch) -> Living:
    """10 of "A" in "wh", in a process that takes nothing for sold out because it was a moment ago.

    "shop" offers all of it, and "dshop" four fifths.
    """
    monkeypatch.setattr(sold_out, "MEMORY_SECONDS", 0.0)
    await live.lay_out(BOTH)
    await live.receive("wh", 10)
    return live
