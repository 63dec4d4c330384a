"""What dealers sell under their own names: saved by themselves, offered in shops, and ordered."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from backend.dropship.errors import DocumentChanged
from backend.dropship.items.model import DealerItem, ItemDraft, ItemPart, ListingDraft
from backend.dropship.items.save_items import (
    dealer_for,
    listings_of_items,
    page_of_items,
    save_items,
    save_listings,
)
from backend.orders.model import LineDraft, OrderStatus
from tenants.principal import Principal, system_principal
from tests.dropship.dealing import PRICE, Dealing, Units
from tests.orders.checks import placed, refused
from tests.refusals import refused as refused_command
from tests.world import draft, fresh_key

S = OrderStatus
LINES = """
    select sku_code, item_code, quantity, unit_price_minor, line_discount_minor, amount_minor
    from order_line where order_id = $1 order by line_no
"""


def item(code: str = "MINE", price: int = 1_000, **changes: object) -> ItemDraft:
    values = {"title": "我的", "parts": (ItemPart("A", 1),), **changes}
    return ItemDraft(code=code, price_minor=price, **values)  # type: ignore[arg-type]


BUNDLE = item("SET", 2_999, parts=(ItemPart("A", 1), ItemPart("B", 2)))


async def save(
    dealing: Dealing, *drafts: ItemDraft, who: Principal | None = None, key: str = ""
) -> list[DealerItem]:
    by = who or dealing.world.dealer
    system = system_principal(by.tenant_id, by.subject)
    async with dealing.database.tenant_transaction(system) as tx:
        dealer_id = await dealer_for(tx, by, "d1")
        return await save_items(tx, dealer_id, drafts, key=key or fresh_key())


async def offer(dealing: Dealing, *drafts: ListingDraft) -> list[DealerItem]:
    async with dealing.database.tenant_transaction(dealing.world.system) as tx:
        dealer_id = dealing.world.dealers["d1"]
        return await save_listings(tx, dealer_id, drafts, key=fresh_key())


async def seen_by(dealing: Dealing, who: Principal) -> Sequence[DealerItem]:
    async with dealing.database.tenant_transaction(who, read_only=True) as tx:
        return await page_of_items(tx, 0, 10)


# ------------------------------------------------------------------------------------ ordered


async def test_what_a_dealer_calls_it_is_the_brands_sku(dealing: Dealing) -> None:
    await save(dealing, item())
    order = placed(await dealing.sell(2, "MINE"))
    (line,) = await dealing.admin.fetch(LINES, order.order_id)
    assert (line["sku_code"], line["item_code"], line["quantity"]) == ("A", "MINE", 2)
    assert await dealing.used() == 2 * PRICE
    await dealing.assert_clean()


async def test_what_is_sold_from_now_on_is_known_at_once(dealing: Dealing) -> None:
    refused(await dealing.sell(1, "MINE"), "UNKNOWN_SKU")
    await save(dealing, item())
    placed(await dealing.sell(1, "MINE"))


async def test_a_bundle_is_a_line_for_each_of_its_skus(dealing: Dealing) -> None:
    await save(dealing, BUNDLE)
    sold = replace(draft(shop="dshop"), lines=(LineDraft("SET", 2, 2_999, 500),), total_minor=5_498)
    order = placed(await dealing.runtime.intake.place(sold, dealing.world.dealer))
    lines = await dealing.admin.fetch(LINES, order.order_id)
    assert [(line["sku_code"], line["quantity"]) for line in lines] == [("A", 2), ("B", 4)]
    assert sum(line["amount_minor"] for line in lines) == 2 * 2_999 - 500
    assert await dealing.used() == 6 * PRICE
    await dealing.assert_clean()


async def test_another_dealers_shop_knows_nothing_of_it(dealing: Dealing) -> None:
    await save(dealing, item())
    for shop in ("shop", "dshop2"):
        order = draft({"MINE": 1}, shop=shop)
        refused(await dealing.runtime.intake.place(order, dealing.world.brand), "UNKNOWN_SKU")


async def test_what_is_no_longer_sold_is_unknown(dealing: Dealing) -> None:
    await save(dealing, item())
    placed(await dealing.sell(1, "MINE"))
    await save(dealing, item(is_active=False))
    assert (await dealing.sold(1, "MINE")).holds == ("sku_unknown",)


async def test_what_it_is_made_of_may_change_on_the_way(dealing: Dealing) -> None:
    await save(dealing, item())
    placed(await dealing.sell(1, "MINE"))
    await save(dealing, item(parts=(ItemPart("B", 3),)))
    order = placed(await dealing.sell(1, "MINE"))
    assert await dealing.units(order) == Units(reserved=3)
    (line,) = await dealing.admin.fetch(LINES, order.order_id)
    assert line["sku_code"] == "B"


# -------------------------------------------------------------------------------------- saved


async def test_a_dealer_sees_its_own(dealing: Dealing) -> None:
    (saved,) = await save(dealing, BUNDLE)
    assert [(part.sku_code, part.quantity) for part in saved.parts] == [("A", 1), ("B", 2)]
    world = dealing.world
    for who, count in ((world.brand, 1), (world.dealer, 1), (world.other_dealer, 0)):
        assert len(await seen_by(dealing, who)) == count
    assert await seen_by(dealing, world.store) == []


async def test_the_same_command_again_answers_the_same(dealing: Dealing) -> None:
    key = fresh_key()
    assert await save(dealing, item(), key=key) == await save(dealing, item(), key=key)


async def test_who_has_not_read_it_is_refused(dealing: Dealing) -> None:
    await save(dealing, item(compare_version=0))
    with pytest.raises(DocumentChanged) as raised:
        await save(dealing, item(compare_version=0))
    assert raised.value.version == 1
    await save(dealing, item(compare_version=1))


async def test_of_two_at_once_one_saves_it(dealing: Dealing) -> None:
    found = await asyncio.gather(
        *(save(dealing, item(title=f"{n}", compare_version=0)) for n in range(2)),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, DocumentChanged) for one in found) == [False, True]


@pytest.mark.parametrize(
    ("draft_", "code"),
    [
        (item(code=""), "INVALID_DEALER_ITEM"),
        (item(title=" "), "INVALID_DEALER_ITEM"),
        (item(price=-1), "INVALID_DEALER_ITEM"),
        (item(parts=()), "INVALID_DEALER_ITEM"),
        (item(parts=(ItemPart("A", 0),)), "INVALID_DEALER_ITEM"),
        (item(parts=(ItemPart("A", 1), ItemPart("A", 1))), "INVALID_DEALER_ITEM"),
        (item(parts=(ItemPart("nothing", 1),)), "INVALID_DEALER_ITEM"),
        (item(pictures=("x",) * 21), "INVALID_DEALER_ITEM"),
    ],
)
async def test_what_is_no_item_is_refused(dealing: Dealing, draft_: ItemDraft, code: str) -> None:
    async with refused_command(dealing.admin, code):
        await save(dealing, item("GOOD"), draft_)


async def test_others_save_none(dealing: Dealing) -> None:
    for who in (dealing.world.store, dealing.world.group):
        async with refused_command(dealing.admin, "PERMISSION_MISSING"):
            await save(dealing, item(), who=who)


async def test_what_no_agreement_has_is_refused(unbound: Dealing) -> None:
    await unbound.price()
    await unbound.agree(added_skus=("A",))
    await save(unbound, item())
    async with refused_command(unbound.admin, "INVALID_DEALER_ITEM"):
        await save(unbound, item(parts=(ItemPart("B", 1),)))


async def test_a_price_below_the_least_is_refused(unbound: Dealing) -> None:
    await unbound.price(least=900)
    await unbound.agree()
    await save(unbound, item(price=900))
    async with refused_command(unbound.admin, "PRICE_TOO_LOW"):
        await save(unbound, item(price=899))
    async with refused_command(unbound.admin, "PRICE_TOO_LOW"):
        await offer(unbound, ListingDraft(item="MINE", shop="dshop", price_minor=899))


# ------------------------------------------------------------------------------------ offered


async def test_an_item_is_offered_under_its_own_name_in_each_shop(dealing: Dealing) -> None:
    (saved,) = await save(dealing, item())
    await offer(dealing, ListingDraft(item="MINE", shop="dshop", title="特价", price_minor=950))
    async with dealing.database.tenant_transaction(dealing.world.dealer, read_only=True) as tx:
        (listed,) = (await listings_of_items(tx, [saved.id]))[saved.id]
    assert (listed.title, listed.price_minor, listed.is_listed) == ("特价", 950, True)


@pytest.mark.parametrize(
    ("listing", "code"),
    [
        (ListingDraft(item="nothing", shop="dshop"), "UNKNOWN_DEALER_ITEM"),
        (ListingDraft(item="MINE", shop="dshop2"), "INVALID_DEALER_ITEM"),
        (ListingDraft(item="MINE", shop="shop"), "INVALID_DEALER_ITEM"),
    ],
)
async def test_what_cannot_be_offered_is_refused(
    dealing: Dealing, listing: ListingDraft, code: str
) -> None:
    await save(dealing, item())
    async with refused_command(dealing.admin, code):
        await offer(dealing, ListingDraft(item="MINE", shop="dshop"), listing)
