"""Repairs over the API: the service asks and decides, the store looks, repairs and sends home."""

from typing import Any

import pytest

from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tests.after_sales.desk import Desk
from tests.api.client import Api
from tests.world import World, fresh_key

REPAIR = """repair { id status version fault serial finding priceMinor reference work carrier
    waybill orderId sku { code } location { code } }"""
SAVED = f"""__typename ... on RepairSaved {{ {REPAIR} }}
    ... on RepairChanged {{ repair {{ status version }} }}
    ... on UserError {{ code path }} ... on PermissionDenied {{ permission }}"""
LIST = """query ($order: ID, $statuses: [RepairStatus!]) {
    repairs(orderId: $order, statuses: $statuses) { edges { node { id status } } } }"""
NODE = "query ($id: ID!) { node(id: $id) { ... on Repair { status } } }"
INPUTS = {
    "repairRequest": "RepairRequestInput",
    "repairCancel": "RepairReasonInput",
    "repairReceive": "RepairReceiveInput",
    "repairQuote": "RepairQuoteInput",
    "repairAccept": "RepairAcceptInput",
    "repairDecline": "RepairReasonInput",
    "repairFinish": "RepairFinishInput",
    "repairSendHome": "RepairSendHomeInput",
}
NEEDS: dict[str, dict[str, Any]] = {
    "repairCancel": {"reason": "x"},
    "repairQuote": {"finding": "x", "priceMinor": 1},
    "repairAccept": {"amountMinor": 1, "reference": "x"},
    "repairDecline": {"reason": "x"},
    "repairFinish": {"work": "x"},
    "repairSendHome": {},
}


class Workshop:
    """Who repairs for customers, over the API."""

    def __init__(self, api: Api, desk: Desk) -> None:
        self.api, self.desk, self.world = api, desk, desk.world
        self.location = id_of("Location", desk.store)

    async def run(self, name: str, who: Any = None, **values: Any) -> dict[str, Any]:
        query = f"mutation ($input: {INPUTS[name]}!) {{ {name}(input: $input) {{ {SAVED} }} }}"
        given = {"idempotencyKey": fresh_key()} | values
        return dict((await self.api.data(query, who or self.world.brand, input=given))[name])

    async def asked(self) -> str:
        order = await self.desk.arrived(2)
        asked = await self.run(
            "repairRequest",
            orderId=id_of("Order", order.order_id),
            lineNo=1,
            fault="不制冷",
            serial="SN-1",
        )
        assert asked["__typename"] == "RepairSaved"
        return str(asked["repair"]["id"])


@pytest.fixture
async def workshop(api: Api, runtime: Runtime, world: World) -> Workshop:
    desk = Desk(runtime, world)
    await desk.furnish()
    return Workshop(api, desk)


async def test_a_repair_from_the_wish_to_the_way_home(workshop: Workshop, world: World) -> None:
    which = {"repairId": await workshop.asked()}
    got = await workshop.run("repairReceive", world.store, **which, locationId=workshop.location)
    assert got["repair"]["location"] == {"code": "store"}
    quote = {"finding": "压缩机", "priceMinor": 9_900}
    priced = await workshop.run("repairQuote", world.store, **which, **quote)
    assert (priced["repair"]["status"], priced["repair"]["priceMinor"]) == ("QUOTED", 9_900)
    wrong = await workshop.run("repairAccept", **which, amountMinor=1, reference="p")
    assert (wrong["code"], wrong["path"]) == ("WRONG_AMOUNT", ["amountMinor"])
    await workshop.run("repairAccept", **which, amountMinor=9_900, reference="p")
    late = await workshop.run("repairDecline", **which, reason="贵")
    assert (late["__typename"], late["repair"]["status"]) == ("RepairChanged", "ACCEPTED")
    await workshop.run("repairFinish", world.store, **which, work="换了")
    home = await workshop.run("repairSendHome", world.store, **which, carrier="sf", waybill="SF1")
    assert home["repair"] == {
        "id": which["repairId"],
        "status": "CLOSED",
        "version": 6,
        "fault": "不制冷",
        "serial": "SN-1",
        "finding": "压缩机",
        "priceMinor": 9_900,
        "reference": "p",
        "work": "换了",
        "carrier": "sf",
        "waybill": "SF1",
        "orderId": home["repair"]["orderId"],
        "sku": {"code": "A"},
        "location": {"code": "store"},
    }


async def test_lists_show_what_is_open_of_whom_it_concerns(
    workshop: Workshop, world: World
) -> None:
    number = await workshop.asked()
    for who, seen in ((world.brand, 1), (world.store, 0), (world.dealer, 0)):
        found = (await workshop.api.data(LIST, who))["repairs"]["edges"]
        assert len(found) == seen
    await workshop.run("repairCancel", repairId=number, reason="好了")
    assert (await workshop.api.data(LIST, world.brand))["repairs"]["edges"] == []
    closed = await workshop.api.data(LIST, world.brand, statuses=["CANCELLED"])
    assert closed["repairs"]["edges"] == [{"node": {"id": number, "status": "CANCELLED"}}]
    other = await workshop.api.data(LIST, world.brand, order=id_of("Order", 999_999))
    assert other["repairs"]["edges"] == []
    found = await workshop.api.data(NODE, world.brand, id=number)
    assert found["node"] == {"status": "CANCELLED"}
    unseen = await workshop.api.data(NODE, world.dealer, id=number)
    assert unseen["node"] is None


@pytest.mark.parametrize("name", NEEDS)
async def test_what_is_unknown_is_refused(workshop: Workshop, name: str) -> None:
    refused = await workshop.run(name, repairId=id_of("Repair", 999_999), **NEEDS[name])
    assert refused["code"] == "UNKNOWN_REPAIR"
