"""What dealers sell under their own names, through the API."""

from typing import Any

import pytest

from backend.runtime import Runtime
from tests.api.client import Api, order
from tests.world import World, fresh_key, receive

FOUND = """... on DealerItemsRecorded { items { id code title priceMinor version parts {
    skuCode quantity sku { code } } listings { title priceMinor isListed shop { code } } } }
    ... on UserError { code message path }"""
SAVE = f"""mutation ($input: DealerItemsSaveInput!) {{ dealerItemsSave(input: $input) {{
    __typename {FOUND} ... on TermsChanged {{ version }} }} }}"""
OFFER = f"""mutation ($input: DealerListingsSaveInput!) {{ dealerListingsSave(input: $input) {{
    __typename {FOUND} }} }}"""
LISTED = "{ dealerItems(first: 5) { edges { node { id code } } } }"
LINES = "query ($id: ID!) { node(id: $id) { ... on Order { lines { itemCode skuCode } } } }"
ITEM = {"code": "MINE", "title": "我的", "priceMinor": 1_000, "parts": [{"sku": "A"}]}


async def save(api: Api, who: Any, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": fresh_key(), "items": [{**ITEM, **changes}]}
    found: dict[str, Any] = (await api.data(SAVE, who, input=given))["dealerItemsSave"]
    return found


async def test_a_dealer_saves_offers_and_sells(api: Api, runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    (saved,) = (await save(api, world.dealer))["items"]
    assert saved["parts"] == [{"skuCode": "A", "quantity": 1, "sku": {"code": "A"}}]
    listing = {"item": "MINE", "shop": "dshop", "priceMinor": 900}
    given = {"idempotencyKey": fresh_key(), "listings": [listing]}
    done = (await api.data(OFFER, world.dealer, input=given))["dealerListingsSave"]
    (offered,) = done["items"][0]["listings"]
    assert offered == {
        "title": "我的",
        "priceMinor": 900,
        "isListed": True,
        "shop": {"code": "dshop"},
    }
    sold = await api.place(world.dealer, order(fresh_key(), sku="MINE", shop="dshop"))
    lines = (await api.data(LINES, world.dealer, id=sold["orderId"]))["node"]["lines"]
    assert lines == [{"itemCode": "MINE", "skuCode": "A"}]


async def test_each_dealer_lists_its_own(api: Api, world: World) -> None:
    await save(api, world.dealer)
    for who, count in ((world.brand, 1), (world.dealer, 1), (world.other_dealer, 0)):
        assert len((await api.data(LISTED, who))["dealerItems"]["edges"]) == count


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"code": ""}, "INVALID_DEALER_ITEM"), ({"compareVersion": 7}, "DOCUMENT_CHANGED")],
)
async def test_what_is_wrong_is_told(
    api: Api, world: World, changes: dict[str, Any], code: str
) -> None:
    assert (await save(api, world.dealer, **changes))["code"] == code


async def test_the_brand_says_whose_it_is(api: Api, world: World) -> None:
    assert (await save(api, world.brand))["code"] == "UNKNOWN_DEALER"
    given = {"idempotencyKey": fresh_key(), "items": [ITEM], "dealer": "d2"}
    done = (await api.data(SAVE, world.brand, input=given))["dealerItemsSave"]
    assert done["__typename"] == "DealerItemsRecorded"
