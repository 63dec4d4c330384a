"""A world in which nodes work on orders, and what they do in few words."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from backend.fulfilment.bulk import Done
from backend.fulfilment.intercepts import Stopped, answer_intercept, ask_intercept
from backend.fulfilment.model import Packing, ParcelDraft, Wave
from backend.fulfilment.pack import pack_fulfilments
from backend.fulfilment.pick_lists import (
    NewPickList,
    PickListDraft,
    Scanned,
    create_pick_list,
    pick_fulfilments,
    scan_pick,
)
from backend.fulfilment.ship import deliver_fulfilments, ship_fulfilments
from backend.fulfilment.waves import WaveDraft, release_wave
from backend.orders.find_orders import (
    fulfilments_of_orders,
    lines_of_orders,
    orders_by_ids,
)
from backend.orders.model import FulfilmentStatus, LineOutcome, OrderStatus, Placed
from backend.orders.move_fulfilments import FulfilmentKey
from backend.orders.step import line_outcome
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants.principal import Principal
from tests.orders.checks import placed
from tests.world import HANGZHOU, World, draft, fresh_key, receive

NOON = datetime.fromisoformat("2030-01-31T12:00:00+08:00")
STEPS = ("release", "start", "pick", "pack", "ship", "deliver")


class Standing(NamedTuple):
    """How an order stands: its status, its first line, its fulfilments by number."""

    status: OrderStatus
    line: LineOutcome
    fulfilments: dict[int, FulfilmentStatus]


class Working:
    """Nodes that work on the orders of the brand; a step at a time."""

    def __init__(self, runtime: Runtime, world: World, node: str = "store") -> None:
        self.runtime = runtime
        self.world = world
        self.node = node
        """Where they work, where nothing else is said."""

    async def sold(self, units: int = 3, stock: int = 5, warehouse: str = "store") -> Placed:
        """Let an order be allocated to a node that has so much."""
        await receive(self.runtime.database, self.world.brand, warehouse, "A", stock)
        order = draft({"A": units}, region=HANGZHOU)
        outcome = placed(await self.runtime.intake.place(order, self.world.brand))
        await until(partial(self.runtime.admission.ensure_warm, self.world.tenant_id))
        return outcome

    async def standing(self, order: Placed) -> Standing:
        ids = [order.order_id]
        async with self.runtime.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            row = (await orders_by_ids(tx, ids))[order.order_id]
            line = (await lines_of_orders(tx, ids))[order.order_id][0]
            fulfilments = (await fulfilments_of_orders(tx, ids))[order.order_id]
        return Standing(
            OrderStatus(row["status"]),
            line_outcome(line),
            {one["fulfilment_no"]: FulfilmentStatus(one["status"]) for one in fulfilments},
        )

    async def until(self, order: Placed, step: str) -> FulfilmentKey:
        """Let the first fulfilment of an order take all steps up to one; returns its key."""
        key = FulfilmentKey(order.order_id, 1)
        for name in STEPS[: STEPS.index(step) + 1]:
            await self.take(name, key)
        return key

    async def take(self, step: str, key: FulfilmentKey, who: Principal | None = None) -> None:
        """Let a fulfilment take a step; it may."""
        match step:
            case "release":
                await self.release(who=who)
            case "start":
                await self.pick_list(key, who=who)
            case "pick":
                assert_done(await self.pick([key], who))
            case "pack":
                assert_done(await self.pack(key, who=who))
            case "ship":
                assert_done(await self.ship([key], who))
            case "deliver":
                assert_done(await self.deliver([key], who))

    async def release(
        self, draft: WaveDraft | None = None, who: Principal | None = None, key: str = ""
    ) -> Wave:
        wave = draft or WaveDraft(node_id=self.world.nodes[self.node])
        who = who or self.world.brand
        return await release_wave(self.runtime.database, who, wave, NOON, key or fresh_key())

    async def pick_list(
        self, *keys: FulfilmentKey, node: str = "", who: Principal | None = None
    ) -> NewPickList:
        draft = PickListDraft(node_id=self.world.nodes[node or self.node], keys=keys)
        return await create_pick_list(
            self.runtime.database, who or self.world.brand, draft, fresh_key()
        )

    async def scan(
        self,
        key: FulfilmentKey,
        sku: str = "A",
        quantity: int = 1,
        who: Principal | None = None,
        command_key: str = "",
    ) -> Scanned:
        who, command_key = who or self.world.brand, command_key or fresh_key()
        return await scan_pick(self.runtime.database, who, key, sku, quantity, command_key)

    async def pick(self, keys: Sequence[FulfilmentKey], who: Principal | None = None) -> Done:
        return await pick_fulfilments(
            self.runtime.database, who or self.world.brand, keys, fresh_key()
        )

    async def pack(
        self,
        key: FulfilmentKey,
        *parcels: ParcelDraft,
        carrier: str = "own",
        who: Principal | None = None,
    ) -> Done:
        packing = Packing(key, carrier, parcels)
        return await pack_fulfilments(
            self.runtime.database, who or self.world.brand, [packing], fresh_key()
        )

    async def ship(
        self, keys: Sequence[FulfilmentKey], who: Principal | None = None, command_key: str = ""
    ) -> Done:
        who, command_key = who or self.world.brand, command_key or fresh_key()
        done = await ship_fulfilments(self.runtime.database, who, keys, command_key)
        await self.runtime.publish_counters(who.tenant_id, done.counters)
        return done

    async def deliver(self, keys: Sequence[FulfilmentKey], who: Principal | None = None) -> Done:
        return await deliver_fulfilments(
            self.runtime.database, who or self.world.brand, keys, fresh_key()
        )

    async def ask(self, key: FulfilmentKey, who: Principal | None = None) -> int:
        who = who or self.world.brand
        return await ask_intercept(self.runtime.database, who, key, "changed mind", fresh_key())

    async def answer(
        self, key: FulfilmentKey, *, stops: bool, who: Principal | None = None
    ) -> Stopped:
        who = who or self.world.store
        stopped = await answer_intercept(
            self.runtime.database, who, key, stops=stops, answer="", command_key=fresh_key()
        )
        await self.runtime.publish_counters(who.tenant_id, stopped.counters)
        return stopped


def assert_done(done: Done) -> None:
    assert all(answer.is_done for answer in done.answers), done.answers


def codes(done: Done) -> list[str]:
    """Return the answers of a command: why each was refused, or nothing."""
    return [answer.code for answer in done.answers]
