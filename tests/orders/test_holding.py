"""Holding orders by hand: nothing is sent meanwhile, one person at a time, until its time is up."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from backend.db.errors import YipanError
from backend.orders.hold_orders import (
    claim_hold,
    hold_order,
    page_of_held_orders,
    release_expired,
    release_holds,
)
from backend.orders.model import HoldKind, OrderStatus, Placed
from backend.orders.release_holds import Resolution
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.fulfilment.working import Working, codes
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import fresh_key

S = OrderStatus
SOON = datetime(2099, 1, 1, tzinfo=UTC)


class Holding(Working):
    """Orders that are held."""

    async def hold(
        self, order: Placed, *, who: Principal | None = None, until: datetime | None = None
    ) -> tuple[int, OrderStatus]:
        who = who or self.world.brand
        database = self.runtime.database
        return await hold_order(database, who, order.order_id, "risk", until, fresh_key())

    async def let_go(self, order: Placed, number: int) -> list[str | None]:
        asked = [(order.order_id, Resolution(number))]
        done = await release_holds(
            self.runtime.database, self.world.brand, asked, self.runtime.regions, fresh_key()
        )
        return [one.error.code if one.error else one.status for one in done]

    async def claim(self, order: Placed, who: Principal, *, gives_back: bool = False) -> None:
        await claim_hold(self.runtime.database, who, order.order_id, 1, gives_back=gives_back)

    async def queue(self, *, kind: HoldKind | None = None, is_free: bool = False) -> list[int]:
        async with self.runtime.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            rows = await page_of_held_orders(tx, kind=kind, is_free=is_free, after=0, limit=10)
        return [row["id"] for row in rows]


@pytest.fixture
def holding(runtime: object, world: object) -> Holding:
    return Holding(runtime, world)  # type: ignore[arg-type]


async def test_what_is_held_goes_nowhere_until_it_is_let_go(
    holding: Holding, admin: Connection
) -> None:
    order = await holding.sold(3)
    assert await holding.hold(order) == (1, S.HELD)
    async with refused(admin, "NOTHING_TO_RELEASE"):
        await holding.release()
    assert await holding.let_go(order, 1) == [S.ALLOCATED]
    await holding.until(order, "deliver")
    await assert_clean(holding.runtime, holding.world)


@pytest.mark.parametrize("step", ["release", "start", "pick", "pack"])
async def test_what_a_node_has_packed_is_not_handed_over_while_it_is_held(
    holding: Holding, step: str
) -> None:
    order = await holding.sold(3)
    key = await holding.until(order, step)
    assert await holding.hold(order) == (1, S.IN_FULFILMENT)
    for name in ("start", "pick", "pack"):
        if LIFE.index(name) > LIFE.index(step):
            await holding.take(name, key)
    assert codes(await holding.ship([key])) == ["ORDER_HELD"]
    assert await holding.let_go(order, 1) == [S.IN_FULFILMENT]
    assert codes(await holding.ship([key])) == [""]
    await assert_clean(holding.runtime, holding.world)


LIFE = ("release", "start", "pick", "pack")


async def test_several_hold_it_and_the_last_lets_it_go(holding: Holding) -> None:
    order = await holding.sold(3)
    assert [await holding.hold(order), await holding.hold(order)] == [(1, S.HELD), (2, S.HELD)]
    assert await holding.let_go(order, 1) == [S.HELD]
    assert await holding.let_go(order, 1) == ["UNKNOWN_HOLD"]
    assert await holding.let_go(order, 2) == [S.ALLOCATED]


async def test_a_hold_ends_when_its_time_is_over(holding: Holding, admin: Connection) -> None:
    order, other = await holding.sold(1), await holding.sold(1)
    await holding.hold(order, until=datetime.now(UTC) + timedelta(hours=1))
    await holding.hold(other, until=SOON)
    database, regions = holding.runtime.database, holding.runtime.regions
    tenant = holding.world.tenant_id
    assert await release_expired(database, tenant, regions) == 0
    await admin.execute(
        "update order_hold set expires_at = now() where order_id = $1", order.order_id
    )
    both = await asyncio.gather(*(release_expired(database, tenant, regions) for _ in range(2)))
    assert max(both) == 1
    assert (await holding.standing(order)).status is S.ALLOCATED
    assert (await holding.standing(other)).status is S.HELD


async def test_one_at_a_time_has_it_in_hand(holding: Holding, admin: Connection) -> None:
    world, order = holding.world, await holding.sold(1)
    await holding.hold(order)
    other = world.system
    await holding.claim(order, world.brand)
    await holding.claim(order, world.brand)
    async with refused(admin, "HOLD_CLAIMED"):
        await holding.claim(order, other)
    async with refused(admin, "HOLD_CLAIMED"):
        await holding.claim(order, other, gives_back=True)
    assert (await holding.queue(), await holding.queue(is_free=True)) == ([order.order_id], [])
    await admin.execute("update order_hold set claimed_at = now() - interval '31 minutes'")
    assert await holding.queue(is_free=True) == [order.order_id]
    await holding.claim(order, other)
    await holding.claim(order, other, gives_back=True)
    await holding.claim(order, world.brand)


async def test_the_queue_is_by_kind_and_forgets_what_is_let_go(holding: Holding) -> None:
    first, second = await holding.sold(1), await holding.sold(1)
    for order in (second, first):
        await holding.hold(order)
    assert await holding.queue(kind=HoldKind.MANUAL) == [first.order_id, second.order_id]
    assert await holding.queue(kind=HoldKind.AUDIT) == []
    await holding.let_go(first, 1)
    assert await holding.queue() == [second.order_id]


async def test_what_is_stopped_whole_is_held_no_more(holding: Holding) -> None:
    order = await holding.sold(3)
    key = await holding.until(order, "pick")
    await holding.hold(order)
    await holding.ask(key)
    await holding.answer(key, stops=True)
    assert (await holding.standing(order)).status is S.CANCELLED
    assert await holding.queue() == []


async def test_who_may_hold(holding: Holding, admin: Connection) -> None:
    order = await holding.sold(1)
    for who, code in (("dealer", "UNKNOWN_ORDER"), ("group", "WRITE_REFUSED")):
        async with refused(admin, code):
            await holding.hold(order, who=getattr(holding.world, who))


@pytest.mark.parametrize("change", ["no reason", "long reason", "no zone", "delivered", "many"])
async def test_a_hold_that_makes_no_sense_is_refused(
    holding: Holding, admin: Connection, change: str
) -> None:
    order = await holding.sold(1)
    if change == "delivered":
        await holding.until(order, "deliver")
    if change == "many":
        for _ in range(20):
            await holding.hold(order)
    reason = {"no reason": "", "long reason": "x" * 201}.get(change, "risk")
    until = datetime(2030, 1, 1) if change == "no zone" else None
    who, database = holding.world.brand, holding.runtime.database
    async with refused(admin, "INVALID_HOLD"):
        await hold_order(database, who, order.order_id, reason, until, fresh_key())


async def test_holding_and_handing_over_at_once_end_in_one_of_both(holding: Holding) -> None:
    order = await holding.sold(3)
    key = await holding.until(order, "pack")

    async def hold() -> bool:
        try:
            await holding.hold(order)
        except YipanError:
            return False
        return True

    shipped, held = await asyncio.gather(holding.ship([key]), hold())
    assert (codes(shipped) == [""]) is not held
    await assert_clean(holding.runtime, holding.world)
