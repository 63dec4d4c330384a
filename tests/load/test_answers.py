"""What a right answer is: envelope, unions, pages."""

import base64
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from loadtests.locust.answers import (
    ComeBack,
    Page,
    WrongAnswer,
    checked,
    data_of,
    kind_of,
    next_page_of,
    outcome_of,
    page_of,
)

FIRST = 2


def global_id(kind: str, number: int) -> str:
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def body(answer: object) -> bytes:
    return msgspec.json.encode(answer)


def connection(*numbers: int, has_next: bool = False) -> dict[str, Any]:
    edges = [{"cursor": f"c{n}", "node": {"id": global_id("Sku", n)}} for n in numbers]
    end = edges[-1]["cursor"] if edges else None
    return {"skus": {"edges": edges, "pageInfo": {"hasNextPage": has_next, "endCursor": end}}}


def test_data_is_returned() -> None:
    assert data_of(200, body({"data": {"skus": 1}})) == {"skus": 1}


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, body({"data": {}})),
        (503, b"away"),
        (200, b"<html>"),
        (200, b""),
        (200, body([1])),
        (200, body({})),
        (200, body({"data": None})),
        (200, body({"data": {}, "errors": [{"message": "no"}]})),
        (200, body({"errors": [{"message": "no", "extensions": {"code": "UNAVAILABLE"}}]})),
        (200, body({"errors": [{"message": "no", "extensions": {"code": "RATE_LIMITED"}}]})),
    ],
)
def test_what_is_no_answer_is_wrong(status: int, content: bytes) -> None:
    with pytest.raises(WrongAnswer):
        data_of(status, content)


def test_a_client_that_asks_too_much_is_told_to_come_back() -> None:
    extensions = {"code": "RATE_LIMITED", "retryAfterSeconds": 1.5}
    with pytest.raises(ComeBack) as raised:
        data_of(200, body({"errors": [{"message": "slow down", "extensions": extensions}]}))
    assert raised.value.seconds == 1.5


def test_a_full_queue_tells_to_come_back() -> None:
    busy: dict[str, Any] = {"__typename": "TooBusy", "code": "TOO_BUSY", "retryAfterSeconds": 1}
    with pytest.raises(ComeBack):
        outcome_of({"orderPlace": busy}, "orderPlace", "OrderPlaced")
    del busy["retryAfterSeconds"]
    with pytest.raises(WrongAnswer):
        outcome_of({"orderPlace": busy}, "orderPlace", "OrderPlaced")


@pytest.mark.parametrize(
    "outcome", [{"__typename": "InputRefused", "code": "X"}, {"status": "ALLOCATED"}, None, "text"]
)
def test_another_member_of_the_union_is_wrong(outcome: object) -> None:
    with pytest.raises(WrongAnswer):
        outcome_of({"orderPlace": outcome}, "orderPlace", "OrderPlaced")


def test_a_page_is_returned_with_where_it_goes_on() -> None:
    page = page_of(connection(1, 2, has_next=True), "skus", "Sku", FIRST)
    assert (len(page.nodes), page.after) == (2, "c2")
    assert page_of(connection(), "skus", "Sku", FIRST) == Page([], None)


def _without_info(found: Any) -> None:
    del found["pageInfo"]


def _without_id(found: Any) -> None:
    del found["edges"][0]["node"]["id"]


def _another_end(found: Any) -> None:
    found["pageInfo"]["endCursor"] = "c9"


def _twice(found: Any) -> None:
    found["edges"][1]["node"] = found["edges"][0]["node"]


def _another_kind(found: Any) -> None:
    found["edges"][0]["node"]["id"] = global_id("Order", 1)


def _no_node(found: Any) -> None:
    found["edges"][0]["node"] = None


def _too_many(found: Any) -> None:
    found["edges"].append({"cursor": "c2", "node": {"id": global_id("Sku", 3)}})


@pytest.mark.parametrize(
    "spoil",
    [_without_info, _without_id, _another_end, _twice, _another_kind, _no_node, _too_many],
)
def test_a_page_that_does_not_hang_together_is_wrong(spoil: Any) -> None:
    data = deepcopy(connection(1, 2))
    spoil(data["skus"])
    with pytest.raises(WrongAnswer):
        page_of(data, "skus", "Sku", FIRST)


def test_a_short_page_with_more_behind_it_is_wrong() -> None:
    with pytest.raises(WrongAnswer):
        page_of(connection(1, has_next=True), "skus", "Sku", FIRST)


def test_an_item_of_the_page_before_is_wrong() -> None:
    seen = frozenset({global_id("Sku", 1)})
    assert next_page_of(connection(2, 3), "skus", "Sku", FIRST, seen).nodes
    with pytest.raises(WrongAnswer):
        next_page_of(connection(1, 2), "skus", "Sku", FIRST, seen)


@pytest.mark.parametrize("text", ["", "no base64!", "AAA", None, 7])
def test_what_is_no_id_is_of_no_kind(text: object) -> None:
    assert kind_of(text) == ""


@pytest.mark.parametrize("data", [{}, {"order": None}, {"order": []}, {"order": {"lines": 1}}])
def test_an_answer_of_another_shape_is_wrong(data: dict[str, Any]) -> None:
    with pytest.raises(WrongAnswer):
        checked(lambda found: found["order"]["lines"][0], data)
