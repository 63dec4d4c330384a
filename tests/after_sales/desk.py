"""A desk of after-sales service, in few words: what has arrived, and what comes back of it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from backend.after_sales.model import (
    Inspected,
    Refund,
    ReturnDone,
    ReturnDraft,
    ReturnKind,
    ReturnRule,
    ReturnUnits,
)
from backend.after_sales.pay_back import grant_refund, move_refund
from backend.after_sales.receive import Arrived, inspect_return, receive_return, take_back
from backend.after_sales.request import approve_return, end_return, request_return, send_back
from backend.after_sales.rules import set_return_rules
from backend.after_sales.standing import refunds_of_orders, returns_by_ids
from backend.inventory.warehouses import create_warehouse
from backend.network.model import Condition, WarehouseDraft
from backend.orders.model import LineDraft, OrderDraft, Placed
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants.principal import Principal
from tests.fulfilment.working import Working
from tests.orders.checks import placed
from tests.world import HANGZHOU, World, draft, fresh_key, receive

PRICE = 1_000
AUTOMATIC = ReturnRule(days=7, is_automatic=True)


class Desk:
    """Who serves customers after the sale, at the brand and at its store."""

    def __init__(self, runtime: Runtime, world: World) -> None:
        self.runtime = runtime
        self.world = world
        self.working = Working(runtime, world)

    @property
    def database(self) -> Any:
        return self.runtime.database

    @property
    def store(self) -> int:
        return self.world.nodes["store"]

    async def furnish(self) -> None:
        """Let store and warehouse have room for what comes back."""
        async with self.database.tenant_transaction(self.world.brand) as tx:
            for code in ("store", "wh"):
                for condition in (Condition.INSPECTION, Condition.DEFECTIVE):
                    room = WarehouseDraft(
                        node_id=self.world.nodes[code],
                        code=f"{code}-{condition}",
                        condition=condition,
                    )
                    await create_warehouse(tx, room)

    async def arrived(self, units: int = 3, **changes: Any) -> Placed:
        """Let an order of so many units arrive."""
        order = await self.placed(units, **changes)
        await self.working.until(order, "deliver")
        return order

    async def placed(self, units: int = 3, stock: int = 5, **changes: Any) -> Placed:
        await receive(self.database, self.world.brand, "store", "A", stock)
        return await self.place(draft({"A": units}, region=HANGZHOU, **changes))

    async def place(self, order: OrderDraft) -> Placed:
        """Place an order, and wait until Valkey counts: nothing is written by itself after it."""
        outcome = placed(await self.runtime.intake.place(order, self.world.brand))
        await until(partial(self.runtime.admission.ensure_warm, self.world.tenant_id))
        return outcome

    async def ask(
        self,
        order: Placed,
        units: int | Sequence[ReturnUnits] = 1,
        kind: ReturnKind = ReturnKind.RETURN,
        who: Principal | None = None,
        key: str = "",
    ) -> ReturnDone:
        lines = (ReturnUnits(1, units),) if isinstance(units, int) else tuple(units)
        wanted = ReturnDraft(order.order_id, kind, lines, "不喜欢")
        who = who or self.world.brand
        done = await request_return(self.database, who, wanted, key or fresh_key())
        return await self._told(done)

    async def approve(self, return_id: int, who: Principal | None = None, **given: Any) -> Any:
        given = {"seen": None, "key": fresh_key()} | given
        done = await approve_return(self.database, who or self.world.brand, return_id, **given)
        return await self._told(done)

    async def end(self, return_id: int, *, is_rejected: bool, reason: str = "太晚") -> ReturnDone:
        done = await end_return(
            self.database,
            self.world.brand,
            return_id,
            is_rejected=is_rejected,
            reason=reason,
            seen=None,
            key=fresh_key(),
        )
        return await self._told(done)

    async def send_back(self, return_id: int) -> ReturnDone:
        sent_by = ("sf", "SF123")
        return await send_back(
            self.database, self.world.brand, return_id, sent_by, seen=None, key=fresh_key()
        )

    async def receive(
        self,
        return_id: int,
        units: int | None = None,
        at: str = "store",
        who: Principal | None = None,
        **given: Any,
    ) -> ReturnDone:
        lines = None if units is None else (ReturnUnits(1, units),)
        given = {"seen": None, "key": fresh_key()} | given
        done = await receive_return(
            self.database,
            who or self.world.store,
            return_id,
            Arrived(self.world.nodes[at], lines),
            **given,
        )
        return await self._told(done)

    async def inspect(
        self,
        return_id: int,
        good: int = 0,
        defective: int = 0,
        scrapped: int = 0,
        denied: int = 0,
        *,
        key: str = "",
    ) -> ReturnDone:
        done = await inspect_return(
            self.database,
            self.world.store,
            return_id,
            [Inspected(1, good, defective, scrapped, denied)],
            seen=None,
            key=key or fresh_key(),
        )
        return await self._told(done)

    async def take_back(
        self, order: Placed, units: int, who: Principal | None = None, at: str = "store"
    ) -> ReturnDone:
        wanted = ReturnDraft(
            order.order_id,
            ReturnKind.RETURN,
            (ReturnUnits(1, units),),
            "尺寸不合",
            self.world.nodes[at],
        )
        who = who or self.world.store
        return await self._told(await take_back(self.database, who, wanted, fresh_key()))

    async def move(
        self, order: Placed, number: int, step: str, who: Principal | None = None
    ) -> Refund:
        return await move_refund(
            self.database,
            who or self.world.brand,
            (order.order_id, number),
            step,
            "ref-1",
            seen=None,
            key=fresh_key(),
        )

    async def grant(self, order: Placed, amount_minor: int) -> Refund:
        return await grant_refund(
            self.database, self.world.brand, order.order_id, amount_minor, "道歉", fresh_key()
        )

    async def rule(self, *rules: ReturnRule) -> None:
        async with self.database.tenant_transaction(self.world.brand) as tx:
            await set_return_rules(tx, rules, fresh_key())

    async def refunds(self, order: Placed) -> list[tuple[str, str, int]]:
        """Return the refunds of an order: why, where it stands, how much."""
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            found = await refunds_of_orders(tx, [order.order_id])
        return [
            (one.cause.value, one.status.value, one.amount_minor)
            for one in found.get(order.order_id, [])
        ]

    async def status(self, return_id: int) -> str:
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            return (await returns_by_ids(tx, [return_id]))[return_id].status.value

    async def _told(self, done: ReturnDone) -> ReturnDone:
        if done.counters.has_any:
            await self.runtime.publish_counters(self.world.tenant_id, done.counters)
        return done


def line(units: int, price: int = PRICE) -> tuple[LineDraft, ...]:
    return (LineDraft("A", units, price),)
