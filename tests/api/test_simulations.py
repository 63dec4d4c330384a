"""Trying a policy on the past, through the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

from graphql_schema.paging import id_of
from tenants.principal import Principal
from tests.api.client import Api
from tests.api.test_routing_answers import PROPOSE, place
from tests.inventory.pools.living import Living
from tests.world import fresh_key

SIMULATION = """id baseline candidate state progress { ordersDone ordersTotal } error
  requestedBy result { differing
    baseline { orders parcels freightMinor costMinor distanceM daysToArrival onTimeShare splitRate
      crossProvinceShare unitsUnplaced nodes { location { code } parcels units }
      strategies { strategy orders } }
    candidate { orders parcels freightMinor unitsUnplaced } }
  differences(first: 1) { pageInfo { hasNextPage endCursor } edges { node { id order { id }
    baseline { locations { code } freightMinor arrivesOn }
    candidate { locations { code } freightMinor unitsUnplaced } } } }"""
START = f"""mutation ($input: RoutingSimulationStartInput!) {{ done: routingSimulationStart(
  input: $input) {{ ... on RoutingSimulationSaved {{ simulation {{ {SIMULATION} }} }}
  ... on UserError {{ code message path }} }} }}"""
CANCEL = """mutation ($input: RoutingSimulationCancelInput!) { done: routingSimulationCancel(
  input: $input) { ... on RoutingSimulationSaved { simulation { id state } }
  ... on UserError { code message path } } }"""
ONE = f"query ($id: ID!) {{ found: routingSimulation(id: $id) {{ {SIMULATION} }} }}"
ALL = """query ($after: String) { found: routingSimulations(first: 1, after: $after) {
  pageInfo { hasNextPage endCursor } edges { node { id state } } } }"""
MORE = """query ($id: ID!, $after: String) { found: routingSimulation(id: $id) {
  differences(first: 9, after: $after) { edges { node { id order { id } } } } } }"""
NODE = """query ($id: ID!) { node(id: $id) { id ... on RoutingSimulation { state }
  ... on RoutingSimulationDifference { order { id } } } }"""
ONLY_FAR = {
    "name": "far",
    "preset": "NEAREST",
    "nodes": {"test": {"attribute": "node.code", "operator": "EQUALS", "values": ["far"]}},
    "otherwise": "BACKORDER",
}


async def start(api: Api, who: Principal, **changes: Any) -> dict[str, Any]:
    """Ask for a simulation of the last hour."""
    until = datetime.now(UTC)
    given = {
        "idempotencyKey": fresh_key(),
        "baseline": 0,
        "candidate": 0,
        "since": (until - timedelta(hours=1)).isoformat(),
        "until": until.isoformat(),
    }
    found: dict[str, Any] = (await api.data(START, who, input=given | changes))["done"]
    return found


async def cancel(api: Api, who: Principal, simulation: str) -> dict[str, Any]:
    given = {"idempotencyKey": fresh_key(), "simulationId": simulation}
    found: dict[str, Any] = (await api.data(CANCEL, who, input=given))["done"]
    return found


async def run(live: Living) -> None:
    await live.runtime.maintenance._simulations.run_waiting()


async def two_orders_and_a_draft(api: Api, live: Living) -> tuple[list[int], int]:
    """Have two orders sent from "wh"; returns them, and a version that sends from "far" alone."""
    await live.receive("wh", 5)
    await live.receive("far", 5)
    orders = [await place(live, {"A": units}) for units in (1, 2)]
    policy = {"strategies": [ONLY_FAR]}
    given = {"idempotencyKey": fresh_key(), "basedOn": 0, "policy": policy}
    saved = (await api.data(PROPOSE, live.brand, input=given))["routingPolicyPropose"]
    return orders, saved["policy"]["version"]


async def test_a_candidate_is_compared_with_what_was_in_force(api: Api, live: Living) -> None:
    orders, version = await two_orders_and_a_draft(api, live)
    started = (await start(api, live.brand, candidate=version))["simulation"]
    assert (started["state"], started["result"]) == ("QUEUED", None)
    await run(live)
    found = (await api.data(ONE, live.brand, id=started["id"]))["found"]
    assert (found["state"], found["progress"]) == ("DONE", {"ordersDone": 2, "ordersTotal": 2})
    baseline, candidate = found["result"]["baseline"], found["result"]["candidate"]
    assert (baseline["parcels"], candidate["parcels"], found["result"]["differing"]) == (2, 2, 2)
    assert candidate["freightMinor"] > baseline["freightMinor"] == baseline["costMinor"]
    used = [node for node in baseline["nodes"] if node["parcels"]]
    assert used == [{"location": {"code": "wh"}, "parcels": 2, "units": 3}]
    assert (baseline["splitRate"], baseline["onTimeShare"]) == (0.0, None)
    page = found["differences"]
    (edge,) = page["edges"]
    assert edge["node"]["order"] == {"id": id_of("Order", orders[1])}
    assert edge["node"]["baseline"]["locations"] == [{"code": "wh"}]
    assert edge["node"]["candidate"]["locations"] == [{"code": "far"}]
    assert page["pageInfo"]["hasNextPage"]
    after = page["pageInfo"]["endCursor"]
    rest = (await api.data(MORE, live.brand, id=started["id"], after=after))["found"]
    assert [one["node"]["order"]["id"] for one in rest["differences"]["edges"]] == [
        id_of("Order", orders[0])
    ]


async def test_simulations_and_differences_are_nodes(api: Api, live: Living) -> None:
    orders, version = await two_orders_and_a_draft(api, live)
    started = (await start(api, live.brand, candidate=version))["simulation"]
    await run(live)
    found = (await api.data(ONE, live.brand, id=started["id"]))["found"]
    difference = found["differences"]["edges"][0]["node"]["id"]
    seen = [(await api.data(NODE, live.brand, id=one))["node"] for one in (found["id"], difference)]
    assert seen == [
        {"id": found["id"], "state": "DONE"},
        {"id": difference, "order": {"id": id_of("Order", orders[1])}},
    ]


async def test_simulations_are_listed_the_newest_first(api: Api, live: Living) -> None:
    first, second = [(await start(api, live.brand))["simulation"]["id"] for _ in range(2)]
    page = (await api.data(ALL, live.brand))["found"]
    assert [edge["node"]["id"] for edge in page["edges"]] == [second]
    after = page["pageInfo"]["endCursor"]
    page = (await api.data(ALL, live.brand, after=after))["found"]
    assert [edge["node"]["id"] for edge in page["edges"]] == [first]
    assert not page["pageInfo"]["hasNextPage"]


async def test_what_waits_can_be_cancelled_once(api: Api, live: Living) -> None:
    started = (await start(api, live.brand))["simulation"]
    assert (await cancel(api, live.brand, started["id"]))["simulation"]["state"] == "CANCELLED"
    await run(live)
    found = (await api.data(ONE, live.brand, id=started["id"]))["found"]
    assert (found["state"], found["result"]) == ("CANCELLED", None)
    assert (await cancel(api, live.brand, started["id"]))["code"] == "SIMULATION_ENDED"


async def test_what_cannot_be_simulated_is_refused(api: Api, live: Living) -> None:
    assert (await start(api, live.brand, candidate=9))["code"] == "UNKNOWN_POLICY"
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert (await start(api, live.brand, until=later))["code"] == "INVALID_PERIOD"
    unknown = id_of("RoutingSimulation", 9)
    assert (await cancel(api, live.brand, unknown))["code"] == "UNKNOWN_SIMULATION"
    assert (await api.data(ONE, live.brand, id=unknown))["found"] is None


async def test_the_same_key_begins_one(api: Api, live: Living) -> None:
    until = datetime.now(UTC).isoformat()
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    given = {"idempotencyKey": fresh_key(), "since": since, "until": until}
    first, second = [await start(api, live.brand, **given) for _ in range(2)]
    assert first == second


async def test_nobody_else_sees_or_ends_it(api: Api, live: Living) -> None:
    started = (await start(api, live.brand))["simulation"]
    world = live.world
    for who in (world.dealer, world.store, world.other_brand):
        assert (await api.data(ONE, who, id=started["id"]))["found"] is None
        assert (await api.data(ALL, who))["found"]["edges"] == []
        code = (await cancel(api, who, started["id"]))["code"]
        assert code in {"UNKNOWN_SIMULATION", "WRITE_REFUSED"}
    found = (await api.data(ONE, live.brand, id=started["id"]))["found"]
    assert found["state"] == "QUEUED"
