"""A world in which customers fetch orders at "store" and at "dealer-node", in few words."""

from datetime import datetime
from functools import partial
from typing import Any

from backend.inventory.counters import Counters
from backend.network.model import Capability, NodeTerms
from backend.network.node_terms import set_node_terms
from backend.orders.allocate_backorders import allocate_backorders
from backend.orders.find_orders import fulfilments_of_orders, lines_of_orders, orders_by_ids
from backend.orders.model import FulfilmentStatus, Pickup, Placed, Shortage
from backend.orders.step import line_outcome
from backend.pickups.codes import codes_of_order, issue_code
from backend.pickups.expire import expire_pickups
from backend.pickups.hand_over import Handing, hand_over
from backend.pickups.model import HandedLine, PickupDone, PickupStatus
from backend.pickups.model import Pickup as PickupRecord
from backend.pickups.move import Moving, move_pickup
from backend.pickups.standing import pickups_of_orders
from backend.pickups.store_work import accept_pickup, keep_pickup, make_ready, reject_pickup
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants.principal import Principal
from tests.fulfilment.working import Standing
from tests.orders.checks import placed
from tests.world import World, draft, fresh_key, receive

HANDS_OVER = frozenset({Capability.HANDS_OVER})


async def open_counters(runtime: Runtime, world: World) -> None:
    """Let the store and the dealer's node hand orders over."""
    async with runtime.database.tenant_transaction(world.brand) as tx:
        for code in ("store", "dealer-node"):
            await set_node_terms(tx, code, NodeTerms(capabilities=HANDS_OVER))


class Counter:
    """The counters of the brand's stores, and who orders there."""

    def __init__(self, runtime: Runtime, world: World) -> None:
        self.runtime = runtime
        self.world = world

    @property
    def database(self) -> Any:
        return self.runtime.database

    async def stocked(self, units: int = 5, warehouse: str = "store") -> None:
        level = await receive(self.database, self.world.brand, warehouse, "A", units)
        await self.runtime.publish_levels(self.world.tenant_id, [level])

    async def sold(
        self, units: int = 3, stock: int = 5, at: str = "store", **changes: Any
    ) -> Placed:
        """Let somebody order so much, to be fetched at a store that has so much."""
        if stock:
            await self.stocked(stock, at)
        changes = {"shortage": Shortage.BACKORDER, **changes}
        order = draft({"A": units}, pickup=Pickup(at), **changes)
        outcome = placed(await self.runtime.intake.place(order, self.world.brand))
        await until(partial(self.runtime.admission.ensure_warm, self.world.tenant_id))
        return outcome

    async def ready(self, units: int = 3, stock: int = 5) -> Placed:
        """Let a store have an order ready."""
        order = await self.sold(units, stock)
        await self.make_ready(order)
        return order

    async def pickup(self, order: Placed) -> PickupRecord:
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            return (await pickups_of_orders(tx, [order.order_id]))[order.order_id]

    async def status(self, order: Placed) -> PickupStatus:
        return (await self.pickup(order)).status

    async def standing(self, order: Placed) -> Standing:
        ids = [order.order_id]
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            row = (await orders_by_ids(tx, ids))[order.order_id]
            line = (await lines_of_orders(tx, ids))[order.order_id][0]
            fulfilments = (await fulfilments_of_orders(tx, ids)).get(order.order_id, [])
        return Standing(
            row["status"],
            line_outcome(line),
            {one["fulfilment_no"]: FulfilmentStatus(one["status"]) for one in fulfilments},
        )

    async def allocate(self) -> int:
        lane = await self.runtime.intake.lane(self.world.tenant_id)
        return await allocate_backorders(self.database, lane)

    async def accept(
        self,
        order: Placed,
        who: Principal | None = None,
        *,
        seen: int | None = None,
        key: str = "",
    ) -> PickupDone:
        return await accept_pickup(
            self.database,
            who or self.world.store,
            order.order_id,
            seen=seen,
            key=key or fresh_key(),
        )

    async def reject(
        self,
        order: Placed,
        who: Principal | None = None,
        *,
        reason: str = "sold out",
        seen: int | None = None,
    ) -> PickupDone:
        return await self._told(
            await reject_pickup(
                self.database,
                who or self.world.store,
                order.order_id,
                reason,
                seen=seen,
                key=fresh_key(),
            )
        )

    async def make_ready(
        self,
        order: Placed,
        who: Principal | None = None,
        *,
        seen: int | None = None,
        key: str = "",
    ) -> PickupDone:
        return await make_ready(
            self.database,
            who or self.world.store,
            order.order_id,
            seen=seen,
            key=key or fresh_key(),
        )

    async def keep(
        self, order: Placed, until: datetime, who: Principal | None = None
    ) -> PickupDone:
        return await keep_pickup(
            self.database,
            who or self.world.store,
            order.order_id,
            until,
            seen=None,
            key=fresh_key(),
        )

    async def hand_over(
        self,
        order: Placed,
        code: str,
        lines: dict[int, int] | None = None,
        who: Principal | None = None,
        *,
        seen: int | None = None,
        key: str = "",
        happened_at: datetime | None = None,
    ) -> PickupDone:
        taken = None
        if lines is not None:
            taken = tuple(HandedLine(number, units) for number, units in lines.items())
        return await self._told(
            await hand_over(
                self.database,
                who or self.world.store,
                order.order_id,
                Handing(code, taken, happened_at),
                seen=seen,
                key=key or fresh_key(),
            )
        )

    async def move(
        self,
        order: Placed,
        to: str | None,
        who: Principal | None = None,
        *,
        seen: int | None = None,
    ) -> PickupDone:
        return await self._told(
            await move_pickup(
                self.database,
                who or self.world.brand,
                order.order_id,
                Moving(to, "rather there"),
                seen=seen,
                key=fresh_key(),
            )
        )

    async def expire(self) -> int:
        ended, counters = await expire_pickups(self.database, self.world.tenant_id)
        await self.publish(counters)
        return ended

    async def code(self, order: Placed, number: int = 1) -> str:
        """Return the digits of a code."""
        found = await codes_of_order(self.database, self.world.brand, order.order_id)
        code = next(one.code for one in found if one.code_no == number)
        assert code is not None, "it is ready"
        return code

    async def token(self, order: Placed, number: int = 1) -> str:
        found = await codes_of_order(self.database, self.world.brand, order.order_id)
        token = next(one.token for one in found if one.code_no == number)
        assert token is not None, "it is ready"
        return token

    async def issue(self, order: Placed, *revokes: int, name: str = "李四") -> int:
        return await issue_code(
            self.database,
            self.world.brand,
            order.order_id,
            (name, "139"),
            revokes,
            fresh_key(),
        )

    async def _told(self, done: PickupDone) -> PickupDone:
        await self.publish(done.counters)
        return done

    async def publish(self, counters: Counters) -> None:
        await self.runtime.publish_counters(self.world.tenant_id, counters)
