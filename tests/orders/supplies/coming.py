"""A brand that waits for stock to come: what people do, and what must hold after it."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from msgspec.structs import replace

from backend.events.log import events_of_orders
from backend.inventory.model import Level
from backend.inventory.supplies.model import Supply, SupplyDraft, SupplyKind
from backend.inventory.supplies.supplies import close_supply, set_supplies
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.find_orders import lines_of_orders
from backend.orders.model import LineDraft
from backend.orders.supplies.receive import SupplyReceived, receive_supply
from backend.runtime import Runtime
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.orders.checks import level, placed
from tests.world import World, draft, fresh_key, paid, receive

SOON, LATER, LATEST = date(2030, 1, 10), date(2030, 2, 1), date(2030, 3, 1)

PROMISES = """
    select p.order_id, s.code, sum(p.quantity)::bigint as units
    from supply_promise p join supply s on s.tenant_id = p.tenant_id and s.id = p.supply_id
    where p.tenant_id = $1 group by 1, 2 order by 1, 2
"""
KEPT = """
    select h.order_id, p.sku_id, sum(p.quantity)::bigint as units
    from stock_hold h join stock_hold_part p on p.tenant_id = h.tenant_id and p.hold_id = h.id
    where h.tenant_id = $1 and h.kind = 'supply' and h.state = 'active' group by 1, 2
"""
BEYOND_BELIEF = """
    select s.code, s.line_no, p.units, s.quantity, s.received, s.is_open
    from supply s
    join lateral (select sum(p.quantity) as units from supply_promise p
                  where p.tenant_id = s.tenant_id and p.supply_id = s.id) as p on true
    where p.units > case when s.is_open then (s.quantity - s.received) * s.confidence_bp / 10000
                         else 0 end
"""
BEYOND_NEED = """
    with given as (
        select p.order_id, s.sku_id, p.quantity from supply_promise p
        join supply s on s.tenant_id = p.tenant_id and s.id = p.supply_id
        union all
        select h.order_id, p.sku_id, p.quantity from stock_hold h
        join stock_hold_part p on p.tenant_id = h.tenant_id and p.hold_id = h.id
        where h.kind = 'supply' and h.state = 'active')
    select g.order_id, g.sku_id, sum(g.quantity) as given, (
        select coalesce(sum(l.backordered), 0) from order_line l
        where l.order_id = g.order_id and l.sku_id = g.sku_id) as waiting
    from given g group by 1, 2
    having sum(g.quantity) > (
        select coalesce(sum(l.backordered), 0) from order_line l
        where l.order_id = g.order_id and l.sku_id = g.sku_id)
"""
EXPECTATIONS = """
    select l.order_id, l.line_no, l.expected_on, l.backordered, p.units, p.last
    from order_line l
    join lateral (
        select coalesce(sum(p.quantity), 0) as units, max(s.expected_on) as last
        from supply_promise p
        join supply s on s.tenant_id = p.tenant_id and s.id = p.supply_id
        where p.order_id = l.order_id and p.line_no = l.line_no) as p on true
    where l.expected_on is distinct from case when p.units = l.backordered then p.last end
      and not exists (select from stock_hold h
                      where h.order_id = l.order_id and h.state = 'active')
"""


def supply(quantity: int = 3, **changes: Any) -> SupplyDraft:
    """Return a supply of A for "wh", expected soon."""
    values: dict[str, Any] = {
        "code": "PO-1",
        "line_no": 1,
        "kind": SupplyKind.PURCHASE,
        "warehouse": "wh",
        "sku": "A",
        "expected_on": SOON,
    }
    return SupplyDraft(**(values | changes), quantity=quantity)


class Coming:
    """One process, and the supplies of brand "acme"."""

    def __init__(self, runtime: Runtime, world: World, admin: Connection) -> None:
        self.runtime = runtime
        self.world = world
        self.admin = admin

    async def keep(
        self, *drafts: SupplyDraft, key: str | None = None, who: Principal | None = None
    ) -> list[Supply]:
        """Keep supplies; nothing is promised yet."""
        async with self.runtime.database.tenant_transaction(who or self.world.brand) as tx:
            return await set_supplies(tx, drafts, key=key or fresh_key())

    async def settle(self) -> None:
        """Allocate what is free, and promise what is to come."""
        await self.runtime.allocator.allocate(self.world.tenant_id)

    async def expect(self, quantity: int, **changes: Any) -> Supply:
        """Keep a supply, and let promises follow."""
        (found,) = await self.keep(supply(quantity, **changes))
        await self.settle()
        return found

    async def close(self, code: str = "PO-1", line_no: int = 1, key: str | None = None) -> Supply:
        """Expect no more of a supply; nothing follows yet."""
        async with self.runtime.database.tenant_transaction(self.world.brand) as tx:
            return await close_supply(tx, code, line_no, key=key or fresh_key())

    async def waits(self, *lines: tuple[str, int], **changes: Any) -> int:
        """Place a paid order, of which all or a part waits, and let promises follow."""
        drafts = tuple(LineDraft(sku, units, 1_000) for sku, units in lines)
        order = replace(paid(fresh_key(), **changes), lines=drafts)
        answer = placed(await self.runtime.intake.place(order, self.world.brand))
        await self.settle()
        return answer.order_id

    async def take_in(
        self,
        quantity: int,
        code: str = "PO-1",
        *,
        key: str | None = None,
        on: Runtime | None = None,
        who: Principal | None = None,
    ) -> SupplyReceived:
        """Receive units of a supply; nobody has been told of them yet."""
        used, asked = on or self.runtime, (code, 1, quantity)
        return await receive_supply(
            used.database, who or self.world.brand, used.intake.ids, asked, key=key or fresh_key()
        )

    async def receive(self, quantity: int, code: str = "PO-1") -> SupplyReceived:
        """Receive units of a supply, and let everybody know."""
        received = await self.take_in(quantity, code)
        await self.runtime.publish_levels(self.world.tenant_id, received.levels)
        await self.runtime.settle()
        return received

    async def stock(self, warehouse: str, sku: str, quantity: int) -> None:
        """Receive units that were not announced, and let everybody know."""
        at = await receive(self.runtime.database, self.world.brand, warehouse, sku, quantity)
        await self.runtime.publish_levels(self.world.tenant_id, [at])
        await self.runtime.settle()

    async def cancel(self, order_id: int, lines: Sequence[CancelLine] | None = None) -> None:
        """Cancel an order, or units of it; promises do not follow yet."""
        database, brand = self.runtime.database, self.world.brand
        done = await cancel_order(database, brand, order_id, lines, fresh_key())
        live = await self.runtime.books.open(self.world.tenant_id)
        live.book.apply(done.counters)
        await self.runtime.admission.finish(self.world.tenant_id, [], done.counters.bases())

    async def buys(self, units: int = 1, sku: str = "A") -> bool:
        """Whether somebody gets units, here and now, without waiting."""
        outcome = await self.runtime.intake.place(draft({sku: units}), self.world.brand)
        return not hasattr(outcome, "code")

    async def lines(self, order_id: int) -> list[tuple[int, int, date | None]]:
        """Return of each line what is reserved, what waits, and when it is expected."""
        async with self.runtime.database.tenant_transaction(self.world.brand) as tx:
            rows = (await lines_of_orders(tx, [order_id]))[order_id]
        return [(row["reserved"], row["backordered"], row["expected_on"]) for row in rows]

    async def expected(self, *order_ids: int) -> list[date | None]:
        """Return when the first lines of orders are expected."""
        return [(await self.lines(one))[0][2] for one in order_ids]

    async def level(self, node: str = "wh", sku: str = "A") -> Level:
        return await level(self.runtime, self.world, self.world.nodes[node], sku)

    async def promises(self) -> dict[tuple[int, str], int]:
        """Return the units that orders are promised, by order and code of supply."""
        rows = await self.admin.fetch(PROMISES, self.world.tenant_id)
        return {(row["order_id"], row["code"]): row["units"] for row in rows}

    async def kept(self) -> dict[int, int]:
        """Return the units of A that are kept for orders."""
        rows = await self.admin.fetch(KEPT, self.world.tenant_id)
        return {r["order_id"]: r["units"] for r in rows if r["sku_id"] == self.world.skus["A"]}

    async def news(self, order_id: int) -> list[Any]:
        """Return what an order's events say of expected units, by sequence."""
        async with self.runtime.database.tenant_transaction(self.world.brand) as tx:
            events = (await events_of_orders(tx, [order_id]))[order_id]
        assert [one.sequence for one in events] == list(range(1, len(events) + 1))
        return [one.payload for one in events if one.type == "order.expected"]

    async def assert_true(self) -> None:
        """What is promised is believed in and waited for, and dates are those of promises."""
        for query in (BEYOND_BELIEF, BEYOND_NEED, EXPECTATIONS):
            assert [tuple(row) for row in await self.admin.fetch(query)] == [], query
