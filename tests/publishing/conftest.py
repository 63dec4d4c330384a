"""A database for the refusals, who leave it as it is; a platform, and a brand that publishes."""

import pytest

from backend.channels.connectors import CHANNELS
from backend.channels.http_platform import HttpChannelStock
from backend.publishing import publisher, shop_numbers, shop_publisher
from backend.routing import live_book
from backend.runtime import Runtime
from tests.catalogue import Connection
from tests.channels.conftest import http, platform_url, shop
from tests.channels.marketplace import HASTY_SECONDS, Shopfront
from tests.publishing.scene import Scene
from tests.refusals import still, still_admin, still_url
from tests.world import World

__all__ = ["http", "platform_url", "shop", "still", "still_admin", "still_url"]

HASTE = {
    (publisher, "RENEW_SECONDS"): 0.1,
    (live_book, "FRESH_SECONDS"): 0.05,
    (shop_publisher, "FRESH_SECONDS"): 0.05,
    (shop_publisher, "SAVE_SECONDS"): 0.05,
    (shop_publisher, "READ_SECONDS"): 0.2,
    (shop_publisher, "PULL_SECONDS"): 0.2,
    (shop_publisher, "AWAY_SECONDS"): 0.05,
    (shop_publisher, "AWAY_SECONDS_MAX"): 0.2,
    (shop_numbers, "SOLD_SECONDS"): 1.0,
}
"""What a test does not wait for as long as the product does."""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A publisher that looks often and gives up soon."""
    for (module, name), seconds in HASTE.items():
        monkeypatch.setattr(module, name, seconds)
    monkeypatch.setitem(
        CHANNELS,
        "simulated",
        lambda at, http: HttpChannelStock(at.base_url, at.shop, at.token, http, HASTY_SECONDS),
    )


@pytest.fixture
async def scene(
    hasty: None, runtime: Runtime, world: World, shop: Shopfront, admin: Connection
) -> Scene:
    """A brand with stock and a layout in force, whose shop is connected; nobody publishes yet."""
    ready = Scene(runtime, world, shop, admin)
    await ready.prepare()
    return ready
