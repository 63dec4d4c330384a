"""The declaration of stock, and the earmark that is made of it."""

from datetime import date

import pytest

from backend.catalog.errors import UnknownSku
from backend.inventory.earmarks.declare import DeclaredSku, declare, earmark_declared
from backend.inventory.earmarks.errors import InvalidEarmark, NotEnoughToEarmark
from backend.inventory.supplies.dispatch import Dispatch, dispatch
from backend.inventory.supplies.model import SupplyDraft, SupplyKind
from backend.inventory.supplies.supplies import set_supplies
from backend.network.regions.table import bundled_regions
from tests.catalogue import Connection
from tests.inventory.earmarks.keeping import Act, Kept, draft_of, keep, kept, lines_of, told
from tests.inventory.pools.living import Living
from tests.world import fresh_key

TODAY = date(2030, 1, 1)


def declaring(*lines: tuple[str, int]) -> Act:
    return lambda tx, key: earmark_declared(
        tx, draft_of("11.11"), lines_of(*lines), key=key, regions=bundled_regions()
    )


async def test_the_sheet_has_all_stock_with_what_is_to_come(shops: Living) -> None:
    for warehouse, units in (("wh", 10), ("far", 4)):
        await shops.receive(warehouse, units)
    await keep(shops, ("A", 3, "wh"))
    ordered = SupplyDraft(
        code="PO",
        line_no=1,
        kind=SupplyKind.PURCHASE,
        warehouse="far",
        sku="A",
        quantity=20,
        expected_on=TODAY,
    )
    sent = Dispatch(
        code="TR", source="wh", destination="far", sku="A", quantity=2, arrives_on=TODAY
    )
    async with shops.runtime.database.tenant_transaction(shops.brand) as tx:
        await set_supplies(tx, [ordered], key=fresh_key())
        await dispatch(tx, sent, key=fresh_key())
        found = await declare(tx, ["A", "B"])
    assert found == [
        DeclaredSku(
            sku="A",
            on_hand=12,
            reserved=0,
            floor=0,
            earmarked=3,
            free=9,
            in_transit=2,
            ordered=20,
        ),
        DeclaredSku(
            sku="B", on_hand=0, reserved=0, floor=0, earmarked=0, free=0, in_transit=0, ordered=0
        ),
    ]


async def test_one_command_makes_an_earmark_of_it(shops: Living, admin: Connection) -> None:
    await shops.receive("wh", 10)
    changed = await told(shops, declaring(("A", 6)))
    assert (changed.earmark.code, changed.earmark.unused) == ("11.11", 6)
    assert await kept(admin, "11.11") == {"wh": Kept(6, 6)}


async def test_it_makes_none_of_more_than_there_is(shops: Living, admin: Connection) -> None:
    await shops.receive("wh", 5)
    with pytest.raises(NotEnoughToEarmark):
        await told(shops, declaring(("A", 6)))
    assert await admin.fetchval("select count(*) from earmark") == 0


@pytest.mark.parametrize(("skus", "error"), [([], InvalidEarmark), (["no such"], UnknownSku)])
async def test_what_cannot_be_declared(
    shops: Living, skus: list[str], error: type[Exception]
) -> None:
    async with shops.runtime.database.tenant_transaction(shops.brand, read_only=True) as tx:
        with pytest.raises(error):
            await declare(tx, skus)
