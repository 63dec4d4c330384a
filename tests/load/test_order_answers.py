"""What right answers about orders and stock are, and that others are refused."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from loadtests.locust.answers import ComeBack, Fields, WrongAnswer, checked
from loadtests.locust.order_answers import (
    bought,
    cancelled,
    check_dealers_order,
    check_level,
    check_listed,
    check_sku,
    check_stores_fulfilment,
    check_stores_level,
    hidden,
    logged_in,
    opened,
    page_answers,
    placed,
)
from tests.load.test_answers import global_id

ORDER = global_id("Order", 1)
OTHER = global_id("Order", 2)
LINE = {"lineNo": 1, "reserved": 2, "backordered": 0, "held": 0, "cancelled": 0}
LOG_IN = {"logIn": {"__typename": "LoggedIn", "token": "t", "brand": "b", "kind": "BRAND"}}
PLACED = {
    "orderPlace": {
        "__typename": "OrderPlaced",
        "orderId": ORDER,
        "status": "ALLOCATED",
        "holds": [],
        "parcels": 1,
        "lines": [LINE, {**LINE, "lineNo": 2, "reserved": 1}],
    }
}
SHORT = {
    "orderPlace": {
        "__typename": "InsufficientStock",
        "code": "INSUFFICIENT_STOCK",
        "lines": [{"sku": "X", "requested": 1, "available": 0}],
    }
}
CANCELLED = {
    "orderCancel": {
        "__typename": "OrderCancelled",
        "status": "CANCELLED",
        "units": 3,
        "order": {"id": ORDER, "status": "CANCELLED"},
    }
}
OPENED: Fields = {
    "order": {
        "id": ORDER,
        "status": "ALLOCATED",
        "total": {"amountMinor": 35},
        "freight": {"amountMinor": 5},
        "fees": [{"amountMinor": 10}],
        "lines": [{**LINE, "quantity": 2, "amountMinor": 20}],
        "fulfilments": [{"fulfilmentNo": 1}],
        "events": [
            {"orderId": ORDER, "sequence": 1, "type": "order.placed"},
            {"orderId": ORDER, "sequence": 2, "type": "fulfilment.created"},
        ],
    }
}
LEVEL = {
    "onHand": 9,
    "reserved": 2,
    "floor": 1,
    "earmarkUnused": 1,
    "free": 5,
    "sku": {"code": "X"},
    "warehouse": {"code": "w"},
}
STORES_LEVEL = {**LEVEL, "location": {"code": "store"}}
FULFILMENT = {
    "buyerName": "王女士",
    "address": "人民路 1 号",
    "location": {"code": "store"},
    "reservations": [{"quantity": 2, "active": 1}],
}
DEALERS = {"remark": "d", "shop": {"code": "s", "isDealers": True}}
LISTED = {"status": "HELD", "shop": {"code": "s"}, "total": {"amountMinor": 1}}

Check = Callable[[Fields], Any]
CHECKS: dict[str, tuple[Check, Fields]] = {
    "log-in": (lambda data: logged_in(data, "b", "BRAND"), LOG_IN),
    "placed": (lambda data: placed(data, [2, 1]), PLACED),
    "sold out": (lambda data: bought(data, "X"), SHORT),
    "cancelled": (lambda data: cancelled(data, ORDER, 3), CANCELLED),
    "opened": (lambda data: opened(data, ORDER), OPENED),
    "level": (check_level, LEVEL),
    "a store's level": (lambda level: check_stores_level(level, "store"), STORES_LEVEL),
    "fulfilment": (lambda data: check_stores_fulfilment(data, "store"), FULFILMENT),
    "a dealer's order": (lambda order: check_dealers_order(order, "s", "d"), DEALERS),
    "listed": (check_listed, LISTED),
    "sku": (check_sku, {"code": "X", "name": "X"}),
    "hidden": (hidden, {"order": None}),
}
WRONG: list[tuple[str, tuple[Any, ...], object]] = [
    ("log-in", ("logIn", "brand"), "another"),
    ("log-in", ("logIn", "kind"), "STORE"),
    ("log-in", ("logIn", "token"), ""),
    ("log-in", ("logIn", "__typename"), "InputRefused"),
    ("placed", ("orderPlace", "status"), "BACKORDERED"),
    ("placed", ("orderPlace", "holds"), ["AUDIT"]),
    ("placed", ("orderPlace", "parcels"), 0),
    ("placed", ("orderPlace", "orderId"), global_id("Sku", 1)),
    ("placed", ("orderPlace", "lines"), [LINE]),
    ("placed", ("orderPlace", "lines", 0, "reserved"), 1),
    ("placed", ("orderPlace", "lines", 0, "backordered"), 1),
    ("placed", ("orderPlace", "lines", 1, "lineNo"), 3),
    ("placed", ("orderPlace", "__typename"), "InsufficientStock"),
    ("sold out", ("orderPlace", "code"), "NO_NODE"),
    ("sold out", ("orderPlace", "lines", 0, "sku"), "Y"),
    ("sold out", ("orderPlace", "lines"), []),
    ("cancelled", ("orderCancel", "units"), 2),
    ("cancelled", ("orderCancel", "status"), "ALLOCATED"),
    ("cancelled", ("orderCancel", "order", "id"), OTHER),
    ("cancelled", ("orderCancel", "order"), None),
    ("opened", ("order",), None),
    ("opened", ("order", "id"), OTHER),
    ("opened", ("order", "status"), "LOST"),
    ("opened", ("order", "lines"), []),
    ("opened", ("order", "lines", 0, "quantity"), 3),
    ("opened", ("order", "lines", 0, "reserved"), -1),
    ("opened", ("order", "total", "amountMinor"), 36),
    ("opened", ("order", "events"), []),
    ("opened", ("order", "events", 0, "type"), "order.cancelled"),
    ("opened", ("order", "events", 1, "sequence"), 1),
    ("opened", ("order", "events", 1, "orderId"), OTHER),
    ("opened", ("order", "fulfilments"), [{"fulfilmentNo": 1}, {"fulfilmentNo": 1}]),
    ("level", ("free",), 6),
    ("level", ("sku",), None),
    ("a store's level", ("location", "code"), "another"),
    ("a store's level", ("location",), None),
    ("fulfilment", ("location", "code"), "another"),
    ("fulfilment", ("buyerName",), ""),
    ("fulfilment", ("reservations", 0, "active"), 3),
    ("a dealer's order", ("remark",), "e"),
    ("a dealer's order", ("shop", "code"), "t"),
    ("a dealer's order", ("shop",), None),
    ("a dealer's order", ("shop", "isDealers"), False),
    ("listed", ("status",), None),
    ("listed", ("shop",), None),
    ("listed", ("total", "amountMinor"), 0),
    ("sku", ("name",), ""),
    ("hidden", ("order",), {"id": OTHER}),
]


@pytest.mark.parametrize("name", CHECKS)
def test_a_right_answer_passes(name: str) -> None:
    check, data = CHECKS[name]
    checked(check, data)


@pytest.mark.parametrize(("name", "path", "value"), WRONG)
def test_a_wrong_answer_is_refused(name: str, path: tuple[Any, ...], value: object) -> None:
    check, data = CHECKS[name]
    spoiled: Any = deepcopy(data)
    place = spoiled
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(WrongAnswer):
        checked(check, spoiled)


def test_every_check_has_seen_something_wrong() -> None:
    assert {name for name, _, _ in WRONG} == set(CHECKS)


def test_an_answer_that_lacks_a_field_is_refused() -> None:
    for check, data in CHECKS.values():
        for field in data:
            with pytest.raises(WrongAnswer):
                checked(check, {name: data[name] for name in data if name != field})


def test_what_was_placed_and_bought_is_returned() -> None:
    assert placed(PLACED, [2, 1]) == ORDER
    one = deepcopy(PLACED)
    one["orderPlace"]["lines"] = [{**LINE, "reserved": 1}]
    assert bought(one, "X") == ORDER
    assert bought(SHORT, "X") is None


def test_a_busy_server_is_no_wrong_answer() -> None:
    busy = {"orderPlace": {"__typename": "TooBusy", "retryAfterSeconds": 1.0}}
    with pytest.raises(ComeBack):
        placed(busy, [1])


# ----------------------------------------------------------------------------------- NDJSON pages

ANSWER = {"line": 1, "result": "placed", "orderId": ORDER, "status": "allocated", "parcels": 1}
SECOND = {**ANSWER, "line": 2, "orderId": OTHER}


def page(*answers: object) -> bytes:
    return b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers)


def test_the_orders_of_a_page_are_returned_by_external_id() -> None:
    found = page_answers(200, page(ANSWER, SECOND), ["a", "b"], {"a": ORDER})
    assert found == {"a": ORDER, "b": OTHER}


@pytest.mark.parametrize(
    "body",
    [
        page(ANSWER),
        page(ANSWER, SECOND, {**SECOND, "line": 3}),
        page(SECOND, ANSWER),
        page(ANSWER, {**SECOND, "line": 1}),
        page(ANSWER, {"line": 2, "result": "refused", "code": "TOO_BUSY", "message": "no"}),
        page(ANSWER, {**SECOND, "status": "backordered"}),
        page(ANSWER, {**SECOND, "orderId": "17"}),
        page(ANSWER, "text"),
        page(ANSWER, {"result": "placed"}),
        page(ANSWER) + b"{",
        b"",
    ],
)
def test_a_page_that_is_answered_otherwise_is_refused(body: bytes) -> None:
    with pytest.raises(WrongAnswer):
        page_answers(200, body, ["a", "b"], {})


def test_a_page_with_another_status_is_refused() -> None:
    with pytest.raises(WrongAnswer):
        page_answers(503, page(ANSWER), ["a"], {})


def test_an_external_id_that_is_sent_again_has_the_same_order() -> None:
    again = {**ANSWER, "line": 2}
    assert page_answers(200, page(ANSWER, again), ["a", "a"], {}) == {"a": ORDER}
    with pytest.raises(WrongAnswer):
        page_answers(200, page(ANSWER, SECOND), ["a", "a"], {})
    with pytest.raises(WrongAnswer):
        page_answers(200, page(ANSWER), ["a"], {"a": OTHER})
