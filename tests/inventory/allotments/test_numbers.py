"""What is left of its allotments caps what a shop offers: in each process, wherever one asks."""

from datetime import datetime

from backend.audit.audit import CHECKS
from backend.inventory.pools.model import Layout
from backend.inventory.pools.preview import preview
from backend.network.regions.table import bundled_regions
from tests.catalogue import Connection
from tests.inventory.allotments.allotting import (
    DEALERS,
    allot,
    buy,
    cancel,
    end,
    end_,
    line_of,
    owner_of,
    set_,
)
from tests.inventory.pools.layouts import propose, share, supply
from tests.inventory.pools.living import Living
from tests.inventory.pools.test_explain import ask, moment
from tests.orders.checks import placed

NOON = datetime(2026, 11, 11, 12)


async def test_a_shop_offers_no_more_than_is_left(shops: Living) -> None:
    await shops.receive("wh", 20)
    assert (shops.shop("shop"), shops.shop("dshop")) == (20, 16)
    await allot(shops, "shop", 5)
    assert (shops.shop("shop"), shops.shop("dshop")) == (5, 16)
    order = placed(await buy(shops, 2))
    assert (shops.shop("shop"), shops.shop("dshop")) == (3, 14)
    await cancel(shops, order.order_id)
    assert shops.shop("shop") == 5
    await allot(shops, "shop", 100)
    assert shops.shop("shop") == 20
    await allot(shops, "shop", 0)
    assert shops.shop("shop") == 0
    await end(shops, "shop")
    assert shops.shop("shop") == 20


async def test_below_what_is_taken_it_offers_nothing(shops: Living) -> None:
    await shops.receive("wh", 20)
    await allot(shops, "shop", 5)
    placed(await buy(shops, 4))
    await allot(shops, "shop", 2)
    assert shops.shop("shop") == 0


async def test_the_smaller_of_shops_and_dealers_counts(shops: Living) -> None:
    await shops.receive("wh", 20)
    await allot(shops, DEALERS, 7)
    assert (shops.shop("shop"), shops.shop("dshop")) == (20, 7)
    await allot(shops, "dshop", 9)
    assert shops.shop("dshop") == 7
    placed(await buy(shops, 3, "dshop"))
    assert shops.shop("dshop") == 4
    await allot(shops, DEALERS, 70)
    assert shops.shop("dshop") == 6


async def test_skus_have_their_own(shops: Living) -> None:
    for sku in "AB":
        await shops.receive("wh", 20, sku)
    await allot(shops, "shop", 5, "B")
    assert [shops.shop("shop", sku) for sku in "AB"] == [20, 5]


async def test_goods_that_come_later_are_capped(shops: Living) -> None:
    await allot(shops, "shop", 5)
    assert shops.shop("shop") == 0
    await shops.receive("wh", 20)
    assert shops.shop("shop") == 5


async def test_another_process_follows(shops: Living) -> None:
    await shops.receive("wh", 20)
    async with shops.another() as other:
        await other.freshen()
        await allot(shops, "shop", 5)
        await other.freshen()
        assert other.shop("shop") == 5
        placed(await buy(shops, 2))
        await other.becomes("shop", 3)
        placed(await buy(other, 1))
        await shops.becomes("shop", 2)
        await allot(other, "shop", 9)
        await shops.becomes("shop", 6)
        await end(other, "shop")
        await shops.freshen()
        assert shops.shop("shop") == 17
        await allot(other, "shop", 4)
        await shops.freshen()
        assert shops.shop("shop") == 1


async def test_what_was_announced_to_nobody_is_read(shops: Living) -> None:
    """Whoever set it died before saying so."""
    await shops.receive("wh", 20)
    database = shops.runtime.database
    await set_(database, shops.brand, line_of("shop", 5))
    await shops.freshen()
    assert shops.shop("shop") == 5
    await end_(database, shops.brand, owner_of("shop"))
    await shops.freshen()
    assert shops.shop("shop") == 20


async def test_a_process_that_begins_knows_what_is_taken(shops: Living) -> None:
    await shops.receive("wh", 20)
    await allot(shops, "shop", 5)
    placed(await buy(shops, 2))
    await end_(shops.runtime.database, shops.brand, owner_of("shop"))
    (again,) = await set_(shops.runtime.database, shops.brand, line_of("shop", 6))
    assert again.taken == 2
    async with shops.another() as other:
        await other.freshen()
        assert other.shop("shop") == 4


async def test_another_layout_is_capped_as_well(shops: Living) -> None:
    await shops.receive("wh", 20)
    await allot(shops, "dshop", 5)
    await shops.lay_out(Layout(pools=(supply("new", "wh"),), shares=(share("new", "dshop"),)))
    assert (shops.shop("shop"), shops.shop("dshop")) == (None, 5)


# ---------------------------------------------------------------------------- where it is asked


async def test_an_explanation_shows_the_cap(shops: Living) -> None:
    await shops.receive("wh", 20)
    before = await moment(shops)
    await allot(shops, "shop", 5)
    placed(await buy(shops, 2))
    found = await ask(shops)
    assert (found.number, found.shown) == (3, 3)
    assert (await ask(shops, "dshop")).number == 14
    assert (await ask(shops, as_of=before)).number == 20
    await end(shops, "shop")
    assert (await ask(shops)).number == 18


async def test_a_preview_is_capped(shops: Living) -> None:
    await shops.receive("wh", 20)
    await allot(shops, "shop", 5)
    await allot(shops, "dshop", 18)
    assert shops.pools is not None
    layout = Layout(
        pools=(supply("online", "wh"),), shares=(share("online", "shop"), share("online", "dshop"))
    )
    database = shops.runtime.database
    draft_ = await propose(database, shops.brand, layout, shops.pools.version)
    async with database.tenant_transaction(shops.brand, read_only=True) as tx:
        found = await preview(tx, draft_.version, NOON, bundled_regions())
    codes = {shop_id: code for code, shop_id in shops.shop_ids.items()}
    assert [(codes[one.shop_id], one.before, one.after) for one in found] == [("dshop", 16, 18)]


# ---------------------------------------------------------------------------- the audit

ALLOTTED = CHECKS["allotment_is_not_the_orders"].text
BROKEN = {
    "units that nobody took": "update allotment set taken = taken + 1",
    "units that were not counted": "update allotment set taken = 0",
    "a reservation that took of none": "update reservation set allotment_ids = null",
    "a reservation that is gone": "update reservation set active = 0",
    "an allotment that is gone": "delete from allotment",
}


async def test_the_audit_finds_what_is_wrong(shops: Living, admin: Connection) -> None:
    await shops.receive("wh", 20)
    one = await allot(shops, "shop", 5)
    placed(await buy(shops, 2))
    for name, statement in BROKEN.items():
        transaction = admin.transaction()
        await transaction.start()
        assert str(await admin.execute(statement)).endswith(" 1"), name
        rows = await admin.fetch(ALLOTTED, shops.world.tenant_id, 10)
        assert [row["allotment_id"] for row in rows] == [one.id], name
        await transaction.rollback()
    rows = await admin.fetch(ALLOTTED, shops.world.tenant_id, 10)
    assert rows == []
