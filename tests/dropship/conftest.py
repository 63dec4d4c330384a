"""A brand with stock, and a dealer with an agreement, prices and what the test adds to them."""

import pytest

from backend.runtime import Runtime
from tests.catalogue import Connection
from tests.dropship.dealing import Dealing
from tests.refusals import still, still_admin, still_url
from tests.world import World, receive

__all__ = ["still", "still_admin", "still_url"]


@pytest.fixture
async def unbound(runtime: Runtime, world: World, admin: Connection) -> Dealing:
    """100 of "A" and "B" in "wh"; nothing is agreed with the dealer."""
    for sku in "AB":
        await receive(runtime.database, world.brand, "wh", sku, 100)
    return Dealing(runtime, world, admin)


@pytest.fixture
async def dealing(unbound: Dealing) -> Dealing:
    """The same; an agreement of everything everywhere takes a credit of 6,000, ten units."""
    await unbound.credit(6_000)
    await unbound.agree(quota_account="Q-1")
    await unbound.price()
    return unbound
