"""What right answers about orders and stock look like."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from loadtests.locust.answers import OK, Fields, WrongAnswer, expect, kind_of, outcome_of

ALLOCATED = "ALLOCATED"
STATUSES = frozenset(
    {"ALLOCATED", "BACKORDERED", "CANCELLED", "COMPLETE", "HELD", "PARTIALLY_ALLOCATED"}
)


class LogIn(NamedTuple):
    """What a log-in gives."""

    token: str
    brand: str


def logged_in(data: Fields, brand: str, kind: str) -> LogIn:
    """Return the token of a log-in, if it is for the brand and the role that were meant."""
    outcome = outcome_of(data, "logIn", "LoggedIn")
    expect(outcome["brand"] == brand, f"logIn: brand {outcome['brand']} instead of {brand}")
    expect(outcome["kind"] == kind, f"logIn: {outcome['kind']} instead of {kind}")
    expect(outcome["token"], "logIn: no token")
    return LogIn(outcome["token"], brand)


def placed(data: Fields, quantities: Sequence[int]) -> str:
    """Return the id of an order that was placed whole: each unit of each line is reserved."""
    return _placed(outcome_of(data, "orderPlace", "OrderPlaced"), quantities)


def bought(data: Fields, sku: str) -> str | None:
    """Return the id of an order of one unit; None where the SKU is sold out, and says so."""
    outcome = outcome_of(data, "orderPlace", "OrderPlaced", "InsufficientStock")
    if outcome["__typename"] == "OrderPlaced":
        return _placed(outcome, [1])
    expect(outcome.get("code") == "INSUFFICIENT_STOCK", f"orderPlace: code {outcome.get('code')}")
    short = [(line["sku"], line["requested"]) for line in outcome["lines"]]
    expect(short == [(sku, 1)], f"orderPlace: short are {short}")
    return None


def _placed(outcome: Fields, quantities: Sequence[int]) -> str:
    wanted = [(number, quantity, 0, 0, 0) for number, quantity in enumerate(quantities, 1)]
    parts = ("lineNo", "reserved", "backordered", "held", "cancelled")
    lines = [tuple(line[part] for part in parts) for line in outcome["lines"]]
    expect(lines == wanted, f"orderPlace: lines {lines} instead of {wanted}")
    expect(outcome["status"] == ALLOCATED, f"orderPlace: status {outcome['status']}")
    expect(outcome["holds"] == [], f"orderPlace: holds {outcome['holds']}")
    expect(outcome["parcels"] >= 1, "orderPlace: no parcel")
    expect(kind_of(outcome["orderId"]) == "Order", "orderPlace: the id is no order's")
    return str(outcome["orderId"])


def cancelled(data: Fields, order_id: str, units: int) -> None:
    """Check that all of an order was cancelled."""
    outcome = outcome_of(data, "orderCancel", "OrderCancelled")
    expect(outcome["units"] == units, f"orderCancel: {outcome['units']} units instead of {units}")
    shown = {"id": order_id, "status": "CANCELLED"}
    expect(outcome["status"] == "CANCELLED", f"orderCancel: status {outcome['status']}")
    expect(outcome["order"] == shown, f"orderCancel: the order is {outcome['order']}")


def opened(data: Fields, order_id: str) -> Fields:
    """Return an order that was asked for by id, if its parts go together."""
    order = data.get("order")
    if not isinstance(order, dict):
        raise WrongAnswer("order: there is none, although the list showed it")
    expect(order["id"] == order_id, "order: another one than was asked for")
    expect(order["status"] in STATUSES, f"order: status {order['status']}")
    _check_lines(order)
    _check_events(order["events"], order_id)
    numbers = [parcel["fulfilmentNo"] for parcel in order["fulfilments"]]
    expect(len(set(numbers)) == len(numbers), f"order: fulfilments {numbers}")
    return order


def _check_lines(order: Fields) -> None:
    lines = order["lines"]
    expect(lines, "order: no lines")
    for line in lines:
        parts = [line[part] for part in ("reserved", "backordered", "held", "cancelled")]
        expect(
            min(parts) >= 0 and sum(parts) == line["quantity"],
            f"order: {parts} of {line['quantity']} units",
        )
    goods = sum(line["amountMinor"] for line in lines)
    fees = sum(fee["amountMinor"] for fee in order["fees"])
    total = goods + fees + order["freight"]["amountMinor"]
    expect(order["total"]["amountMinor"] == total, "order: the total is not the sum of its parts")


def _check_events(events: Sequence[Fields], order_id: str) -> None:
    expect(events and events[0]["type"] == "order.placed", "order: it does not begin as placed")
    sequences = [event["sequence"] for event in events]
    expect(sequences == sorted(set(sequences)), f"order: events in the sequence {sequences}")
    expect(all(event["orderId"] == order_id for event in events), "order: an event of another one")


def hidden(data: Fields) -> None:
    """Check that an order which is nobody's business here is not shown."""
    expect("order" in data and data["order"] is None, "order: another dealer's order is shown")


def check_listed(order: Fields) -> None:
    """Check an order in a brand's list."""
    expect(order["status"] in STATUSES, f"orders: status {order['status']}")
    expect(order["shop"], "orders: an order of no shop")
    expect(order["total"]["amountMinor"] > 0, "orders: an order of nothing")


def check_sku(sku: Fields) -> None:
    """Check a SKU in a list."""
    expect(sku["code"] and sku["name"], "skus: a SKU without code or name")


def check_level(level: Fields) -> None:
    """Check that a level's free units follow from its other figures."""
    signed = level["onHand"] - level["reserved"] - level["floor"] - level["earmarkUnused"]
    expect(level["free"] == max(0, signed), "stockLevels: free does not follow from the rest")
    expect(level["sku"] and level["warehouse"], "stockLevels: a level of nothing, or nowhere")


def check_stores_level(level: Fields, code: str) -> None:
    """Check a level that a store was shown: its own."""
    check_level(level)
    expect((level["location"] or {}).get("code") == code, "stockLevels: stock of another location")


def check_stores_fulfilment(fulfilment: Fields, code: str) -> None:
    """Check what a store was shown to hand out: its own, with somebody to hand it to."""
    location = fulfilment["location"] or {}
    expect(location.get("code") == code, "fulfilments: one of another location")
    expect(fulfilment["buyerName"] and fulfilment["address"], "fulfilments: for nobody")
    for part in fulfilment["reservations"]:
        expect(0 <= part["active"] <= part["quantity"], f"fulfilments: {part}")


def check_dealers_order(order: Fields, shop: str, remark: str) -> None:
    """Check that an order which a dealer was shown is the dealer's own."""
    expect(order["remark"] == remark, f"another dealer's order: {order['remark']!r}")
    found = order["shop"] or {}
    expect(found.get("code") == shop, f"an order of another shop: {found.get('code')}")
    expect(found.get("isDealers") is True, "an order of the brand's own shop")


class LineAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What becomes of one record of a page; more fields there are ignored."""

    line: int
    result: str
    order_id: str = ""
    status: str = ""
    code: str = ""
    message: str = ""


def page_answers(
    status: int, body: bytes, external_ids: Sequence[str], known: Mapping[str, str]
) -> dict[str, str]:
    """Return the order of each external id of a page, if each record was answered in order.

    `known` are orders of earlier pages: who sends an external id again gets the same order.
    """
    expect(status == OK, f"HTTP {status}")
    try:
        answers = [
            msgspec.json.decode(line, type=LineAnswer) for line in body.split(b"\n") if line.strip()
        ]
    except msgspec.MsgspecError as error:
        raise WrongAnswer(f"an answer cannot be read: {error}") from error
    count = len(external_ids)
    expect(len(answers) == count, f"{len(answers)} answers to {count} records")
    expect([a.line for a in answers] == list(range(1, count + 1)), "answers are out of order")
    found: dict[str, str] = {}
    for answer, external_id in zip(answers, external_ids, strict=True):
        expect(answer.result == "placed", f"{answer.result}: {answer.code} {answer.message}")
        expect(answer.status == ALLOCATED.lower(), f"a paid order is {answer.status}")
        expect(kind_of(answer.order_id) == "Order", "the id is no order's")
        before = found.get(external_id) or known.get(external_id, answer.order_id)
        expect(before == answer.order_id, "an external id has two orders")
        found[external_id] = answer.order_id
    return found


def quantities_of(order: Mapping[str, Any]) -> list[int]:
    """Return the units of each line of an order that is sent."""
    return [line["quantity"] for line in order["lines"]]
