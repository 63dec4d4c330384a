"""Orders of more than any quota: they wait, and keep nobody else from what there is."""

from msgspec.structs import replace

from backend.dropship.price_lists import PRICE_MINOR_MAX
from backend.orders.model import LINES_MAX_BULK, QUANTITY_MAX, LineDraft
from tests.dropship.dealing import PRICE, Dealing, Units
from tests.orders.checks import placed
from tests.world import fresh_key, paid

LINES = 20


def test_what_costs_most_fits_a_counter() -> None:
    assert LINES_MAX_BULK * QUANTITY_MAX * PRICE_MINOR_MAX < 2**63


async def test_what_never_fits_keeps_no_other_waiting(unbound: Dealing) -> None:
    await unbound.credit(0)
    await unbound.agree(quota_account="Q-1")
    await unbound.price("DEAR", PRICE_MINOR_MAX, skus=("A",))
    await unbound.price("OWN", skus=("B",), dealer="d1")
    lines = (LineDraft("A", QUANTITY_MAX, 1),) * LINES
    enormous = replace(paid(fresh_key(), shop="dshop"), lines=lines)
    never = placed(await unbound.runtime.intake.place(enormous, unbound.world.brand))
    assert never.holds == ("quota",)
    waits = await unbound.sold(2, "B")
    await unbound.limit(2 * PRICE)
    assert await unbound.settle() == 1
    assert await unbound.units(waits) == Units(reserved=2)
    assert await unbound.units(never) == Units(held=LINES * QUANTITY_MAX)
    await unbound.assert_clean()
