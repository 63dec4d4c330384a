"""A brand routed by strategies, and what became of its orders."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from backend.orders.model import Outcome, Placed
from backend.routing.model import Strategy
from tests.catalogue import Connection
from tests.inventory.pools.living import Living
from tests.orders.checks import placed
from tests.routing.policies import document, put_in_force
from tests.world import draft, fresh_key, paid

STANDING = """
    select o.status,
           (select sum(l.reserved) from order_line l
            where l.tenant_id = o.tenant_id and l.order_id = o.id)::bigint as reserved,
           (select sum(l.backordered) from order_line l
            where l.tenant_id = o.tenant_id and l.order_id = o.id)::bigint as waiting,
           array(select h.kind from order_hold h
                 where h.tenant_id = o.tenant_id and h.order_id = o.id) as holds
    from orders o where o.id = $1
"""
SENT = """
    select n.code, sum(r.active)::bigint as units from reservation r
    join node n on n.tenant_id = r.tenant_id and n.id = r.node_id
    where r.order_id = $1 and r.active > 0 group by n.code
"""
DECIDED = """
    select policy_version, strategies, otherwise from routing_decision where order_id = $1
    order by decision_no
"""
WAITS = "select strategy, queue, cancel_on, dealer_id from routing_wait where order_id = $1"


class Standing(NamedTuple):
    """How an order stands: its status, its units, and what it is held for."""

    status: str
    reserved: int
    waiting: int
    holds: list[str]


class Wait(NamedTuple):
    """How an order waits otherwise than for stock alone."""

    strategy: str
    queue: str | None
    cancel_on: date | None
    dealer_id: int | None = None


class Routed:
    """A process whose brand is routed by what the test says."""

    def __init__(self, live: Living) -> None:
        self.live = live

    async def by(self, *strategies: Strategy) -> int:
        """Let a policy of these strategies route from now on; returns its version."""
        runtime, brand = self.live.runtime, self.live.brand
        return (await put_in_force(runtime.database, brand, document(*strategies))).version

    async def stock(self, warehouse: str, units: int, sku: str = "A") -> None:
        await self.live.receive(warehouse, units, sku)

    async def ask(self, lines: Mapping[str, int] | int = 1, **changes: Any) -> Outcome:
        """Give an order that is not paid, of units of "A" where no SKU is named."""
        return await self.live.runtime.intake.place(
            draft(_lines(lines), **changes), self.live.brand
        )

    async def order(self, lines: Mapping[str, int] | int = 1, **changes: Any) -> Placed:
        return placed(await self.ask(lines, **changes))

    async def pay(self, lines: Mapping[str, int] | int = 1, **changes: Any) -> Placed:
        """Give an order that is paid."""
        order = paid(fresh_key(), _lines(lines), **changes)
        return placed(await self.live.runtime.intake.place(order, self.live.brand))


def _lines(lines: Mapping[str, int] | int) -> Mapping[str, int]:
    return {"A": lines} if isinstance(lines, int) else lines


async def standing(admin: Connection, order: Placed) -> Standing:
    row = await admin.fetchrow(STANDING, order.order_id)
    assert row is not None
    return Standing(*row)


async def sent(admin: Connection, order: Placed) -> dict[str, int]:
    """Return the units that each node sends."""
    return {row["code"]: row["units"] for row in await admin.fetch(SENT, order.order_id)}


async def decided(admin: Connection, order: Placed) -> list[tuple[list[str], str | None]]:
    """Return, decision by decision, which strategies placed something, and what of the rest."""
    rows = await admin.fetch(DECIDED, order.order_id)
    return [(list(row["strategies"]), row["otherwise"]) for row in rows]


async def wait_of(admin: Connection, order: Placed) -> Wait | None:
    row = await admin.fetchrow(WAITS, order.order_id)
    return None if row is None else Wait(*row)
