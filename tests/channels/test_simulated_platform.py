"""The simulated platform's own API: stock, listings, purchases, orders, refusals."""

from typing import Any

import httpx2
import pytest

from backend.demo.platform import limits
from backend.demo.platform.bucket import Bucket
from tests.channels.marketplace import BUYER, TOKEN, Shopfront


def items(*pushes: tuple[str, int, int]) -> dict[str, Any]:
    names = ("listing", "quantity", "sequence")
    return {"items": [dict(zip(names, push, strict=True)) for push in pushes]}


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


async def pushed(shop: Shopfront, *pushes: tuple[str, int, int]) -> list[tuple[str, int]]:
    answer = await shop.call("PUT", "stock", items(*pushes))
    return [(one["status"], one["quantity"]) for one in answer.json()["items"]]


async def numbers(shop: Shopfront, **query: object) -> tuple[list[str], str]:
    answer = (await shop.call("GET", "orders", params=query)).json()
    return [order["number"] for order in answer["orders"]], answer["next"]


async def test_a_push_sets_what_is_shown(shop: Shopfront) -> None:
    assert await pushed(shop, ("A", 5, 1), ("B", 7, 1)) == [("accepted", 5), ("accepted", 7)]
    assert await shop.shown() == {"A": 5, "B": 7}
    assert await pushed(shop, ("A", 0, 2)) == [("accepted", 0)]
    assert await shop.shown() == {"B": 7}


@pytest.mark.parametrize("sequence", [1, 4, 5])
async def test_a_push_that_is_not_newer_is_stale(shop: Shopfront, sequence: int) -> None:
    await pushed(shop, ("A", 3, 5))
    async with shop.unchanged():
        assert await pushed(shop, ("A", 9, sequence)) == [("stale", 3)]
    assert await pushed(shop, ("A", 9, 6)) == [("accepted", 9)]


async def test_each_item_of_a_push_is_answered_by_itself(shop: Shopfront) -> None:
    too_much = limits.SHOWN_MAX + 1
    answered = await pushed(shop, ("A", 5, 1), ("Z", 5, 1), ("A", 6, 1), ("B", too_much, 1))
    assert answered == [("accepted", 5), ("unknown_listing", 0), ("stale", 5), ("refused", 0)]
    assert await shop.shown() == {"A": 5}


async def test_what_is_refused_may_be_pushed_anew(shop: Shopfront) -> None:
    async with shop.unchanged():
        assert await pushed(shop, ("A", limits.SHOWN_MAX + 1, 1)) == [("refused", 0)]
    assert await pushed(shop, ("A", limits.SHOWN_MAX, 1)) == [("accepted", limits.SHOWN_MAX)]


async def test_stock_is_read_by_name_and_by_page(shop: Shopfront) -> None:
    await shop.show(3, A=5, C=7)
    named = (await shop.call("GET", "stock", params={"listings": "C,Z,A"})).json()["items"]
    assert named == [items(("C", 7, 3))["items"][0], items(("A", 5, 3))["items"][0]]
    page = (await shop.call("GET", "stock", params={"after": "A", "limit": 1})).json()
    assert page == items(("B", 0, 0))
    assert len((await shop.call("GET", "stock")).json()["items"]) == 3


async def test_a_listing_is_created_once_and_then_updated(shop: Shopfront) -> None:
    await shop.show(A=5)
    drafts = [{"listing": code, "title": "New", "price_minor": 9} for code in ("A", "AB")]
    answer = await shop.call("PUT", "listings", {"items": drafts})
    assert [one["status"] for one in answer.json()["items"]] == ["updated", "created"]
    assert (await shop.call("GET", "listings", params={"limit": 2})).json()["items"] == drafts
    assert await shop.shown() == {"A": 5}


async def test_a_purchase_lowers_what_is_shown(shop: Shopfront) -> None:
    await shop.show(A=5, B=5)
    bought = await shop.buy(A=2, B=5)
    assert (bought.status_code, bought.json()["number"]) == (201, f"{shop.code}-00000001")
    assert await shop.shown() == {"A": 3}


async def test_a_push_after_a_purchase_is_absolute(shop: Shopfront) -> None:
    await shop.show(A=5)
    await shop.buy(A=2)
    await shop.show(2, A=5)
    assert await shop.shown() == {"A": 5}


async def test_a_purchase_takes_all_lines_or_none(shop: Shopfront) -> None:
    await shop.show(A=5, B=1)
    async with shop.unchanged():
        answer = await shop.buy(A=2, B=2)
    assert refusal(answer) == (409, "sold_out")
    assert answer.json()["left"] == [
        {"listing": "A", "quantity": 5},
        {"listing": "B", "quantity": 1},
    ]


async def test_lines_of_the_same_listing_add_up(shop: Shopfront) -> None:
    await shop.show(A=5)
    line = {"listing": "A", "quantity": 3, "unit_price_minor": 1}
    async with shop.unchanged():
        answer = await shop.call("POST", "purchases", {"buyer": BUYER, "lines": [line, line]})
    assert refusal(answer) == (409, "sold_out")


async def test_orders_come_as_they_were_paid(shop: Shopfront) -> None:
    await shop.show(A=9)
    unpaid = (await shop.buy(A=1, paid=False)).json()["number"]
    paid = (await shop.buy(A=2)).json()["number"]
    assert await numbers(shop) == ([paid], "1")
    assert (await shop.call("POST", f"purchases/{unpaid}/payment")).status_code == 200
    assert await numbers(shop) == ([paid, unpaid], "2")
    async with shop.unchanged():
        answer = await shop.call("POST", f"purchases/{unpaid}/payment")
    assert refusal(answer) == (404, "unknown_order")


async def test_an_order_says_what_was_bought(shop: Shopfront) -> None:
    await shop.show(A=9, B=9)
    await shop.buy(A=2, B=1)
    order = (await shop.call("GET", "orders")).json()["orders"][0]
    assert (order["buyer"], order["total_minor"]) == (BUYER, 300)
    assert [(line["listing"], line["quantity"]) for line in order["lines"]] == [("A", 2), ("B", 1)]


async def test_an_order_that_was_paid_at_once_cannot_be_paid(shop: Shopfront) -> None:
    await shop.show(A=9)
    number = (await shop.buy(A=2)).json()["number"]
    async with shop.unchanged():
        answer = await shop.call("POST", f"purchases/{number}/payment")
    assert refusal(answer) == (404, "unknown_order")


async def test_a_cursor_can_be_read_again(shop: Shopfront) -> None:
    await shop.show(A=9)
    bought = [(await shop.buy(A=1)).json()["number"] for _ in range(3)]
    assert await numbers(shop, limit=2) == (bought[:2], "2")
    for _ in range(2):
        assert await numbers(shop, since="2") == (bought[2:], "3")
    assert await numbers(shop, since="3") == ([], "3")


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_stranger_is_told_nothing(shop: Shopfront, method: str) -> None:
    for words in ("", "Bearer", "Bearer no", TOKEN, f"Basic {TOKEN}"):
        headers = {"Authorization": words}
        async with shop.unchanged():
            answer = await shop.call(method, "stock", items(("A", 5, 1)), headers=headers)
        assert refusal(answer) == (401, "unknown_token")


async def test_a_shop_that_is_not_there_is_unknown(shop: Shopfront) -> None:
    nowhere = Shopfront(shop.url, "nowhere", shop.http)
    assert refusal(await nowhere.call("GET", "stock")) == (404, "unknown_shop")
    assert refusal(await nowhere.buy(A=1)) == (404, "unknown_shop")


PUSH_MAX, READ_MAX = limits.PUSH_ITEMS_MAX, limits.READ_LISTINGS_MAX
DRAFT = {"listing": "A", "title": "A", "price_minor": 1}
TOO_MANY: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    "items": ("PUT", "stock", items(*[("A", 5, n) for n in range(1, PUSH_MAX + 2)]), {}),
    "listings": ("GET", "stock", None, {"listings": ",".join(["A"] * (READ_MAX + 1))}),
    "drafts": ("PUT", "listings", {"items": [DRAFT] * (limits.LISTING_ITEMS_MAX + 1)}, {}),
    "bytes": ("PUT", "stock", {"text": "x" * limits.BODY_BYTES_MAX}, {}),
}


@pytest.mark.parametrize("name", TOO_MANY)
async def test_too_many_at_once_are_refused(shop: Shopfront, name: str) -> None:
    method, path, body, query = TOO_MANY[name]
    async with shop.unchanged():
        answer = await shop.call(method, path, body, params=query)
    assert refusal(answer) == (413, "too_many_items")


async def test_as_many_as_allowed_are_taken(shop: Shopfront) -> None:
    most = [("A", 5, n) for n in range(1, PUSH_MAX + 1)]
    assert await pushed(shop, *most) == [("accepted", 5)] * PUSH_MAX
    query = {"listings": ",".join(["A"] * READ_MAX)}
    assert (await shop.call("GET", "stock", params=query)).status_code == 200


LINE = {"listing": "A", "quantity": 1, "unit_price_minor": 1}
INVALID: dict[str, tuple[str, str, Any, dict[str, Any], str]] = {
    "quantity": ("PUT", "stock", items(("A", 1, 1), ("A", -1, 2)), {}, "items[1].quantity"),
    "sequence": ("PUT", "stock", items(("A", 1, 0)), {}, "items[0].sequence"),
    "field": ("PUT", "stock", {"items": [], "more": 1}, {}, "body"),
    "price": ("PUT", "listings", {"items": [DRAFT | {"title": 1}]}, {}, "items[0].title"),
    "comma": ("PUT", "listings", {"items": [DRAFT | {"listing": "A,B"}]}, {}, "items[0].listing"),
    "limit": ("GET", "stock", None, {"limit": "0"}, "limit"),
    "page": ("GET", "listings", None, {"limit": str(READ_MAX + 1)}, "limit"),
    "cursor": ("GET", "orders", None, {"since": "x"}, "since"),
    "lines": ("POST", "purchases", {"buyer": BUYER, "lines": []}, {}, "lines"),
    "units": (
        "POST", "purchases", {"buyer": BUYER, "lines": [LINE | {"quantity": 0}]}, {},
        "lines[0].quantity",
    ),
    "listing": (
        "POST", "purchases", {"buyer": BUYER, "lines": [LINE, LINE | {"listing": "Z"}]}, {},
        "lines[1].listing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INVALID)
async def test_what_is_not_valid_is_refused_with_its_field(shop: Shopfront, name: str) -> None:
    method, path, body, query, field = INVALID[name]
    await shop.show(A=5)
    async with shop.unchanged():
        answer = await shop.call(method, path, body, params=query)
    assert (*refusal(answer), answer.json()["field"]) == (422, "invalid", field)


@pytest.mark.parametrize("content", [b"", b'{"items":[', b'{"items":[{"listing":"\xff"}]}', b"[]"])
async def test_what_is_no_json_is_refused(shop: Shopfront, content: bytes) -> None:
    async with shop.unchanged():
        answer = await shop.call("PUT", "stock", json=None, content=content)
    assert (*refusal(answer), answer.json()["field"]) == (422, "invalid", "body")


async def test_a_shop_has_its_rate(shop: Shopfront) -> None:
    slow = Shopfront(shop.url, f"{shop.code}-slow", shop.http)
    await slow.open(calls_per_second=2)
    statuses = [(await slow.call("GET", "stock")).status_code for _ in range(4)]
    answer = await slow.call("PUT", "stock", items(("A", 5, 1)))
    assert (statuses[:2], refusal(answer)) == ([200, 200], (429, "too_many_calls"))
    assert 0 < float(answer.headers["Retry-After"]) <= 0.501
    assert (await slow.buy(A=1)).status_code == 422, "buyers are not limited"
    assert (await slow.state())["refusals"]["429"] == statuses.count(429) + 1
    assert (await shop.call("GET", "stock")).status_code == 200, "nor are other shops"


def test_a_shop_saves_up_calls_for_a_second_and_no_more() -> None:
    bucket = Bucket(2)
    assert [bucket.take(0.0) for _ in range(3)] == [0, 0, 0.5]
    assert [bucket.take(60.0) for _ in range(3)] == [0, 0, 0.5]


async def test_the_state_counts_calls_refusals_and_accepted_pushes(shop: Shopfront) -> None:
    await pushed(shop, ("A", 5, 1), ("A", 6, 1), ("Z", 1, 1))
    await shop.call("GET", "stock", params={"limit": "x"})
    await shop.buy(A=9)
    state = await shop.state()
    assert state["calls"] == {"save": 1, "push": 1, "read": 1, "buy": 1}
    assert state["refusals"] == {"422": 1, "409": 1}
    ((seconds, push),) = [(one.pop("seconds"), one) for one in state["pushes"]]
    assert push == {"listing": "A", "asked": 5, "stored": 5, "sequence": 1}
    assert 0 < seconds <= (await shop.control("GET", "state"))["seconds"]


async def test_the_token_is_not_in_the_state(shop: Shopfront) -> None:
    assert TOKEN not in str(await shop.state())


CONTROL_REFUSED: dict[str, tuple[str, Any, tuple[int, str]]] = {
    "a kind that is none": ("faults", {"kind": "x"}, (422, "invalid")),
    "a share above all": ("faults", {"kind": "slow", "share": 10_001}, (422, "invalid")),
    "a shop that is not there": ("faults", {"kind": "slow", "shop": "x"}, (404, "unknown_shop")),
    "a read that forgets": ("faults", {"kind": "forget", "operation": "read"}, (422, "invalid")),
    "no token": ("shops", {"code": "new", "token": ""}, (422, "invalid")),
    "no calls": ("shops", {"code": "new", "token": "t", "calls_per_second": 0}, (422, "invalid")),
}


@pytest.mark.parametrize("name", CONTROL_REFUSED)
async def test_the_control_door_refuses(shop: Shopfront, name: str) -> None:
    path, body, expected = CONTROL_REFUSED[name]
    before = await shop.control("GET", "state")
    answer = await shop.http.post(f"{shop.url}/control/{path}", json=body)
    assert refusal(answer) == expected
    after = await shop.control("GET", "state")
    assert (after["faults"], after["shops"]) == (before["faults"], before["shops"])


async def test_a_shop_is_opened_once(shop: Shopfront, http: httpx2.AsyncClient) -> None:
    async with shop.unchanged():
        body = {"code": shop.code, "token": "another"}
        answer = await http.post(f"{shop.url}/control/shops", json=body)
        assert refusal(answer) == (409, "exists")
        assert (await shop.call("GET", "stock")).status_code == 200, "with its first token"
