"""A store that sends with the simulated carrier, as users of the API see it."""

from typing import Any

from backend.fulfilment.carriers.http_carrier import carrier_client
from backend.orders.model import OrderStatus, Placed
from backend.orders.move_fulfilments import FulfilmentKey
from backend.runtime import Runtime
from tests.api.client import Api
from tests.fulfilment.carrier import SECRET, Fate
from tests.fulfilment.working import Working, codes
from tests.world import World, fresh_key

FAULT = "... on UserError { code path } ... on PermissionDenied { permission }"
ACCOUNT = f"""mutation ($input: CarrierAccountSetInput!) {{ carrierAccountSet(input: $input) {{
    __typename ... on CarrierAccountSaved {{ code eventsPath }} {FAULT} }} }}"""
CHANGE = f"""mutation ($input: ParcelCarrierSetInput!) {{ parcelCarrierSet(input: $input) {{
    __typename ... on ParcelCarrierSaved {{ parcelId }} {FAULT} }} }}"""
PARCELS = """{ parcels { edges { node { id carrier status waybill labelUrl said
    tracking { kind } } } } carrierAccounts { code url isActive }
    unknownTracking { carrier waybill kind } }"""
CARRIER = {"code": "sim", "name": "模拟快递", "secret": SECRET}


class Carried:
    """A store that sends with the simulated carrier."""

    def __init__(self, api: Api, runtime: Runtime, world: World, fate: Fate) -> None:
        self.api, self.runtime, self.world, self.fate = api, runtime, world, fate
        self.working = Working(runtime, world)

    async def run(self, query: str, **values: Any) -> dict[str, Any]:
        given = {"idempotencyKey": fresh_key()} | values
        (answer,) = (await self.api.data(query, self.world.brand, input=given)).values()
        return dict(answer)

    async def packed(self, units: int = 3) -> tuple[Placed, FulfilmentKey]:
        """Let an order be packed for the carrier."""
        order = await self.working.sold(units, stock=units)
        key = await self.working.until(order, "pick")
        assert codes(await self.working.pack(key, carrier="sim")) == [""]
        return order, key

    async def label(self) -> int:
        async with carrier_client() as http:
            return await self.runtime.labeller.label(self.world.tenant_id, http)

    async def parcels(self) -> list[dict[str, Any]]:
        edges = (await self.api.data(PARCELS, self.world.brand))["parcels"]["edges"]
        return [edge["node"] for edge in edges]

    async def sent(self) -> tuple[Placed, str]:
        """Let an order be handed over; returns it and its waybill."""
        order, key = await self.packed()
        assert await self.label() == 1
        assert codes(await self.working.ship([key])) == [""]
        return order, (await self.parcels())[0]["waybill"]

    async def status(self, order: Placed) -> OrderStatus:
        return (await self.working.standing(order)).status
