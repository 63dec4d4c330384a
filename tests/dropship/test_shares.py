"""What brand and dealer have of what was sold: what has arrived, less what came back."""

from collections.abc import Sequence

import pytest

from backend.db.errors import OutOfRange
from backend.documents.shares import ShareLine, share_statement
from backend.dropship.model import Settlement
from backend.runtime import Runtime
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.dropship.dealing import PRICE, RETAIL
from tests.dropship.test_returns_and_edits import DealersDesk
from tests.world import World


@pytest.fixture
async def desk(runtime: Runtime, world: World, admin: Connection) -> DealersDesk:
    """A desk of dealer d1, of what it earns beyond the brand's price a quarter is the brand's."""
    found = DealersDesk(runtime, world, admin)
    await found.furnish()
    await found.agree(settlement=Settlement(share_bp=2_500))
    return found


async def shares(
    desk: DealersDesk, who: Principal | None = None, month: str = ""
) -> Sequence[ShareLine]:
    brand = await desk.dealing.brand()
    this = f"{brand.today():%Y-%m}"
    async with desk.database.tenant_transaction(who or desk.world.brand, read_only=True) as tx:
        return await share_statement(tx, brand, desk.world.dealers["d1"], month or this)


async def test_a_quarter_of_what_lies_between_is_the_brands(desk: DealersDesk) -> None:
    await desk.delivered(3)
    (found,) = await shares(desk)
    assert (found.units, found.sold_minor, found.dealer_minor) == (3, 3 * RETAIL, 3 * PRICE)
    between = 3 * (RETAIL - PRICE)
    assert (found.brand_share_minor, found.dealer_share_minor) == (between // 4, between * 3 // 4)


async def test_what_came_back_is_taken_off(desk: DealersDesk) -> None:
    order = await desk.delivered(3)
    await desk.inspect(await desk.received(order, 2), good=1, denied=1)
    (found,) = await shares(desk)
    assert (found.units, found.returned_units) == (2, 1)
    assert (found.sold_minor, found.dealer_minor) == (2 * RETAIL, 2 * PRICE)
    assert found.brand_share_minor == 2 * (RETAIL - PRICE) // 4


async def test_what_is_on_its_way_is_not_counted(desk: DealersDesk) -> None:
    await desk.dealing.sell(2)
    assert await shares(desk) == []


async def test_another_month_has_nothing_of_it(desk: DealersDesk) -> None:
    await desk.delivered(1)
    assert await shares(desk, month="2020-01") == []


async def test_another_dealer_sees_nothing_of_it(desk: DealersDesk) -> None:
    await desk.delivered(1)
    assert len(await shares(desk, desk.world.dealer)) == 1
    assert await shares(desk, desk.world.other_dealer) == []


@pytest.mark.parametrize("month", ["2026-13", "november", "9999-12", "2026-1"])
async def test_what_is_no_month_is_refused(desk: DealersDesk, month: str) -> None:
    with pytest.raises(OutOfRange):
        await shares(desk, month=month)
