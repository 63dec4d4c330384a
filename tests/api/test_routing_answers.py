"""Why orders are sent from where they are, through the API: and what is said is true."""

from typing import Any

from backend.orders.model import Placed
from graphql_schema.paging import id_of
from tests.api.client import Api, order
from tests.inventory.pools.living import Living
from tests.pickups.counter import open_counters
from tests.world import BEIJING, SHANGHAI, draft, fresh_key

TRACE = """winners { code } isWhole isProved runnerUp { code } otherwise strategy
  strategies { name isMatched why hasTurn placed reason }
  nodes { location { code } removedBy missing { sku units } values { criterion value } cost }
  counterfactuals { kind message strategy location { code } units { sku units } limit value
    winners { code } isWhole }"""
EXPLAIN = f"""query ($order: ID!, $decision: Int! = 1) {{
  routingExplanation(order: $order, decision: $decision) {{ decisionNo policyVersion isSame
    winners {{ code }} trace {{ {TRACE} }} }} }}"""
DRY_RUN = f"""query ($order: OrderPlaceInput!, $version: Int) {{
  routingDryRun(order: $order, version: $version) {{ {TRACE} }} }}"""
PROMISE = """query ($cart: OrderPlaceInput!) { deliveryPromise(cart: $cart) { earliest
  lines { sku day } days { day locations { code } freightMinor }
  stores { location { code } distanceM readyAt } } }"""
PROPOSE = """mutation ($input: RoutingPolicyProposeInput!) { routingPolicyPropose(input: $input) {
  ... on RoutingPolicySaved { policy { version } } ... on UserError { code message path } } }"""
ACTIVATE = """mutation ($input: RoutingPolicyActivateInput!) {
  routingPolicyActivate(input: $input) { ... on RoutingPolicySaved { policy { status } }
  ... on UserError { code message path } } }"""


async def explained(api: Api, live: Living, order_id: int) -> dict[str, Any]:
    found: dict[str, Any] = await api.data(EXPLAIN, live.brand, order=id_of("Order", order_id))
    return found["routingExplanation"]  # type: ignore[no-any-return]


async def dry_run(api: Api, live: Living, **values: Any) -> dict[str, Any]:
    asked = order(fresh_key(), **values)
    found = await api.data(DRY_RUN, live.brand, order=asked)
    return found["routingDryRun"]  # type: ignore[no-any-return]


async def place(live: Living, lines: dict[str, int], **changes: Any) -> int:
    placed = await live.runtime.intake.place(draft(lines, **changes), live.brand)
    assert isinstance(placed, Placed), placed
    return placed.order_id


def codes(locations: list[dict[str, str]]) -> list[str]:
    return [location["code"] for location in locations]


async def put_in_force(api: Api, live: Living, *strategies: dict[str, Any]) -> int:
    """Route by these strategies from now on; returns the version."""
    given = {"idempotencyKey": fresh_key(), "basedOn": 0, "policy": {"strategies": [*strategies]}}
    saved = (await api.data(PROPOSE, live.brand, input=given))["routingPolicyPropose"]
    version: int = saved["policy"]["version"]
    activated = await api.data(
        ACTIVATE, live.brand, input={"idempotencyKey": fresh_key(), "version": version}
    )
    assert activated["routingPolicyActivate"]["policy"]["status"] == "ACTIVE", activated
    await live.freshen()
    return version


async def test_an_order_is_explained_as_it_was_decided(api: Api, live: Living) -> None:
    await live.receive("wh", 5)
    await live.receive("far", 5)
    found = await explained(api, live, await place(live, {"A": 2}))
    assert (found["isSame"], codes(found["winners"])) == (True, ["wh"])
    trace = found["trace"]
    assert (codes(trace["winners"]), trace["runnerUp"]["code"]) == (["wh"], "far")
    (strategy,) = trace["strategies"]
    assert (strategy["name"], strategy["placed"], strategy["hasTurn"]) == ("default", 2, True)
    assert [node["location"]["code"] for node in trace["nodes"]][:2] == ["wh", "far"]


async def test_what_happens_later_does_not_change_an_explanation(api: Api, live: Living) -> None:
    await live.receive("wh", 5)
    await live.receive("far", 9)
    first = await place(live, {"A": 4})
    await place(live, {"A": 1})
    await live.receive("store", 50)
    found = await explained(api, live, first)
    assert (found["isSame"], codes(found["trace"]["winners"])) == (True, ["wh"])
    store = next(n for n in found["trace"]["nodes"] if n["location"]["code"] == "store")
    assert store["missing"] == [{"sku": "A", "units": 4}]


async def test_a_node_would_have_won_with_more_units_indeed(api: Api, live: Living) -> None:
    """What is told is done: then the winner is the other one."""
    await live.receive("wh", 1)
    await live.receive("far", 9)
    found = await explained(api, live, await place(live, {"A": 3}))
    assert codes(found["trace"]["winners"]) == ["far"]
    told = [one for one in found["trace"]["counterfactuals"] if one["kind"] == "STOCK"]
    near = next(one for one in told if one["location"]["code"] == "wh")
    assert near["units"] == [{"sku": "A", "units": 2}]
    assert near["message"] == "wh would have sent it with 2 more of A."
    for units in near["units"]:
        await live.receive("wh", units["units"], units["sku"])
    again = await dry_run(api, live, quantity=3)
    assert codes(again["winners"]) == codes(near["winners"]) == ["wh"]


async def test_with_one_unit_less_than_told_it_would_not_have_won(api: Api, live: Living) -> None:
    await live.receive("wh", 2)
    await live.receive("far", 9)
    again = await dry_run(api, live, quantity=3)
    assert codes(again["winners"]) == ["far"]


async def test_another_limit_would_have_sent_it_indeed(api: Api, live: Living) -> None:
    await live.receive("wh", 2)
    await live.receive("far", 2)
    only = {"name": "one node", "preset": "FEWEST_SPLITS", "maxParcels": 1, "wholeOnly": True}
    rest = {"name": "rest", "preset": "NEAREST", "wholeOnly": True, "maxParcels": 1}
    await put_in_force(api, live, only, rest)
    found = await dry_run(api, live, quantity=3)
    assert (found["winners"], found["isWhole"], found["otherwise"]) == ([], False, "HOLD")
    told = next(one for one in found["counterfactuals"] if one["limit"] == "maxParcels")
    assert (told["value"], sorted(codes(told["winners"]))) == (2, ["far", "wh"])
    changed = only | {"maxParcels": told["value"]} if told["strategy"] == "one node" else only
    given = {
        "idempotencyKey": fresh_key(),
        "basedOn": 1,
        "policy": {"strategies": [changed, rest]},
    }
    saved = (await api.data(PROPOSE, live.brand, input=given))["routingPolicyPropose"]
    asked = order(fresh_key(), quantity=3)
    version = saved["policy"]["version"]
    again = await api.data(DRY_RUN, live.brand, order=asked, version=version)
    assert sorted(codes(again["routingDryRun"]["winners"])) == sorted(codes(told["winners"]))


async def test_a_filter_that_removes_a_node_is_named(api: Api, live: Living) -> None:
    await live.receive("store", 9)
    await live.receive("far", 9)
    test = {"attribute": "node.kind", "operator": "EQUALS", "values": ["warehouse"]}
    await put_in_force(
        api, live, {"name": "warehouses", "preset": "NEAREST", "nodes": {"test": test}}
    )
    found = await explained(api, live, await place(live, {"A": 1}))
    store = next(n for n in found["trace"]["nodes"] if n["location"]["code"] == "store")
    assert store["removedBy"] == "the strategy wants node.kind equals warehouse"
    told = next(one for one in found["trace"]["counterfactuals"] if one["kind"] == "FILTER")
    assert codes(told["winners"]) == ["store"]


async def test_a_dry_run_takes_nothing(api: Api, live: Living) -> None:
    await live.receive("wh", 5)
    first, second = [await dry_run(api, live, quantity=5) for _ in range(2)]
    assert first == second
    assert codes(first["winners"]) == ["wh"]


async def test_a_cart_is_promised_what_would_be_sent(api: Api, live: Living) -> None:
    await live.receive("wh", 5)
    await live.receive("store", 5)
    await live.receive("far", 5)
    cart = order(fresh_key(), quantity=6)
    found = (await api.data(PROMISE, live.brand, cart=cart))["deliveryPromise"]
    assert found["earliest"] == found["days"][0]["day"] == found["lines"][0]["day"]
    sent = await dry_run(api, live, quantity=6)
    assert sorted(codes(found["days"][-1]["locations"])) == sorted(codes(sent["winners"]))
    assert found["stores"] == []


async def test_a_store_nearby_that_has_everything_is_offered(api: Api, live: Living) -> None:
    await live.receive("store", 5)
    await open_counters(live.runtime, live.world)
    here: dict[str, Any] = {"address": {"detail": "x", "regionCode": 330106}}
    found = await api.data(PROMISE, live.brand, cart=order(fresh_key(), quantity=5, **here))
    stores = found["deliveryPromise"]["stores"]
    assert [store["location"]["code"] for store in stores] == ["store"]


async def test_what_is_short_is_promised_to_nobody(api: Api, live: Living) -> None:
    await live.receive("wh", 5)
    cart = order(fresh_key(), quantity=6)
    found = (await api.data(PROMISE, live.brand, cart=cart))["deliveryPromise"]
    assert (found["earliest"], found["days"]) == (None, [])
    assert found["lines"] == [{"sku": "A", "day": None}]


async def test_an_order_elsewhere_is_explained_from_there(api: Api, live: Living) -> None:
    await live.receive("wh", 5)
    await live.receive("far", 5)
    near = await explained(api, live, await place(live, {"A": 1}, region=SHANGHAI))
    away = await explained(api, live, await place(live, {"A": 1}, region=BEIJING))
    assert [codes(one["winners"]) for one in (near, away)] == [["wh"], ["far"]]


async def test_only_the_brand_is_told_why(api: Api, live: Living) -> None:
    await live.receive("wh", 5)
    order_id = await place(live, {"A": 1})
    for who in (live.world.dealer, live.world.store, live.world.other_brand):
        answer = await api.ask(EXPLAIN, who, order=id_of("Order", order_id))
        assert answer["data"] is None or answer["data"]["routingExplanation"] is None


async def test_only_the_brand_tries_orders_out(api: Api, live: Living) -> None:
    await live.receive("wh", 5)
    asked = order(fresh_key(), shop="dshop")
    answer = await api.ask(DRY_RUN, live.world.dealer, order=asked)
    assert answer["errors"][0]["extensions"]["code"] == "PERMISSION_MISSING"


async def test_a_dealer_is_promised_a_day_and_not_told_what_it_costs(
    api: Api, live: Living
) -> None:
    await live.receive("store", 5)
    await open_counters(live.runtime, live.world)
    ask = """query ($cart: OrderPlaceInput!) { deliveryPromise(cart: $cart) {
        days { locations { code } freightMinor } stores { location { code dailyCapacity } } } }"""
    here = {"detail": "x", "regionCode": 330106}
    cart = order(fresh_key(), shop="dshop", address=here)
    found = (await api.data(ask, live.world.dealer, cart=cart))["deliveryPromise"]
    assert [day["locations"] for day in found["days"]] == [[]]
    assert found["days"][0]["freightMinor"] is None
    assert found["stores"] == [{"location": {"code": "store", "dailyCapacity": None}}]
