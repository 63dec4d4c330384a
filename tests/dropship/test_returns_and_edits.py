"""What becomes of a dealer's quota after an order is placed: returned, exchanged, edited."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from backend.after_sales.exchange import request_exchange
from backend.after_sales.model import (
    Exchange,
    ExchangeDraft,
    ReturnDraft,
    ReturnKind,
    ReturnUnits,
    WantedLine,
)
from backend.orders.dealing.errors import OutsideTerritory
from backend.orders.edit_order import Edited, LineEdit, OrderEdit, edit_order
from backend.orders.errors import InvalidEdit
from backend.orders.find_orders import orders_by_ids
from backend.orders.model import AddressDraft, Placed, Shortage
from backend.runtime import Runtime
from tenants.principal import Principal
from tests.after_sales.desk import AUTOMATIC, Desk
from tests.after_sales.test_refused_parcels import take_in
from tests.catalogue import Connection
from tests.dropship.dealing import PRICE, Dealing, Units
from tests.orders.checks import placed
from tests.refusals import refused
from tests.world import BEIJING, HANGZHOU, SHANGHAI, World, draft, fresh_key, receive

LIMIT = 6_000
EAST = 310_000
THERE = AddressDraft("另一条路 2 号", region_code=BEIJING, name="李四", phone="139")
NEAR = replace(THERE, region_code=SHANGHAI)


class DealersDesk(Desk):
    """A desk that serves the customers of dealer d1, whose quota is "Q-1"."""

    def __init__(self, runtime: Runtime, world: World, admin: Connection) -> None:
        super().__init__(runtime, world)
        self.dealing = Dealing(runtime, world, admin)

    async def agree(self, **changes: Any) -> None:
        """Agree on everything everywhere, if nothing else is said; 10 units fit the credit."""
        await self.dealing.credit(LIMIT)
        await self.dealing.agree(quota_account="Q-1", **changes)
        await self.dealing.price()

    async def delivered(self, units: int = 3) -> Placed:
        return await self.arrived(units, shop="dshop")

    async def received(self, order: Placed, units: int) -> int:
        """Let units of an order come back; returns the number of the request."""
        number = (await self.ask(order, units)).request.id
        await self.approve(number)
        await self.receive(number)
        return number

    async def edit(
        self, order: Placed, *lines: LineEdit, who: Principal | None = None, **said: Any
    ) -> Edited:
        done = await edit_order(
            self.database,
            who or self.world.brand,
            order.order_id,
            OrderEdit(lines=lines, **said),
            self.runtime.regions,
            seen=await self.version(order),
            key=fresh_key(),
            is_preview=False,
        )
        await self.runtime.publish_counters(self.world.tenant_id, done.counters)
        await self.runtime.settle()
        return done

    async def version(self, order: Placed) -> int:
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            row = (await orders_by_ids(tx, [order.order_id]))[order.order_id]
        return int(row["event_sequence"])

    async def used(self) -> int:
        return await self.dealing.used()

    async def tidy(self) -> None:
        await self.dealing.assert_clean()


@pytest.fixture
async def bare(runtime: Runtime, world: World, admin: Connection) -> DealersDesk:
    desk = DealersDesk(runtime, world, admin)
    await desk.furnish()
    return desk


@pytest.fixture
async def desk(bare: DealersDesk) -> DealersDesk:
    await bare.agree()
    return bare


# ----------------------------------------------------------------------------------- returns


async def test_what_is_delivered_stays_taken(desk: DealersDesk) -> None:
    await desk.delivered(3)
    assert await desk.used() == 3 * PRICE
    await desk.tidy()


async def test_what_comes_back_gives_its_quota_back_once_it_is_inspected(
    desk: DealersDesk,
) -> None:
    order = await desk.delivered(3)
    number = await desk.received(order, 2)
    assert await desk.used() == 3 * PRICE
    await desk.inspect(number, good=2)
    assert await desk.used() == PRICE
    await desk.tidy()


async def test_only_what_is_accepted_gives_it_back(desk: DealersDesk) -> None:
    order = await desk.delivered(4)
    number = await desk.received(order, 4)
    await desk.inspect(number, good=1, defective=1, scrapped=1, denied=1)
    assert await desk.used() == PRICE
    await desk.tidy()


async def test_what_is_denied_gives_nothing_back(desk: DealersDesk) -> None:
    order = await desk.delivered(3)
    await desk.inspect(await desk.received(order, 2), denied=2)
    assert await desk.used() == 3 * PRICE
    await desk.tidy()


async def test_who_inspects_again_gives_it_back_once(desk: DealersDesk) -> None:
    order = await desk.delivered(3)
    number = await desk.received(order, 1)
    for _ in range(2):
        await desk.inspect(number, good=1, key="k")
    assert await desk.used() == 2 * PRICE


async def test_what_did_not_come_gives_nothing_back(desk: DealersDesk) -> None:
    order = await desk.delivered(3)
    number = (await desk.ask(order, 3)).request.id
    await desk.approve(number)
    await desk.receive(number, 1)
    await desk.inspect(number, good=1)
    assert await desk.used() == 2 * PRICE
    await desk.tidy()


@pytest.mark.parametrize(("kind", "back"), [(ReturnKind.REFUND_ONLY, 0), (ReturnKind.MISSING, 1)])
async def test_of_what_is_only_paid_back_what_never_came_gives_it_back(
    desk: DealersDesk, kind: ReturnKind, back: int
) -> None:
    order = await desk.delivered(3)
    number = (await desk.ask(order, 1, kind)).request.id
    assert await desk.used() == 3 * PRICE
    await desk.approve(number)
    assert await desk.used() == (3 - back) * PRICE
    await desk.tidy()


async def test_what_is_rejected_gives_nothing_back(desk: DealersDesk) -> None:
    order = await desk.delivered(3)
    number = (await desk.ask(order, 1, ReturnKind.MISSING)).request.id
    await desk.end(number, is_rejected=True)
    assert await desk.used() == 3 * PRICE


async def test_it_comes_back_at_the_price_it_was_sold_at(desk: DealersDesk) -> None:
    order = await desk.delivered(2)
    await desk.dealing.price("PL-2", 900, dealer="d1")
    await desk.inspect(await desk.received(order, 1), good=1)
    assert await desk.used() == PRICE
    await desk.tidy()


async def test_what_comes_back_lets_go_who_waits(desk: DealersDesk) -> None:
    order = await desk.delivered(3)
    await receive(desk.database, desk.world.brand, "wh", "B", 20)
    waits = await desk.dealing.sold(8, "B")
    assert await desk.dealing.held_for(waits) == ["quota"]
    await desk.inspect(await desk.received(order, 1), good=1)
    assert await desk.dealing.settle() == 1
    assert await desk.used() == LIMIT


async def test_a_parcel_that_was_taken_back_at_a_counter_gives_it_back(desk: DealersDesk) -> None:
    order = await desk.delivered(3)
    taken = await desk.take_back(order, 1)
    assert await desk.used() == 3 * PRICE
    await desk.inspect(taken.request.id, good=1)
    assert await desk.used() == 2 * PRICE
    await desk.tidy()


async def test_a_parcel_that_nobody_accepted_gives_it_back(
    desk: DealersDesk, admin: Connection
) -> None:
    order = await desk.placed(3, shop="dshop")
    await desk.working.until(order, "ship")
    parcel = await admin.fetchval("select id from parcel")
    done = await take_in(desk, parcel)
    assert await desk.used() == 3 * PRICE
    await desk.inspect(done.request.id, good=2, scrapped=1)
    assert await desk.used() == 0
    await desk.tidy()


# ------------------------------------------------------------------------------------- edits


@pytest.fixture
async def sold(desk: DealersDesk) -> Placed:
    """An order of 3 units that nobody has paid, nor begun with."""
    return await desk.placed(3, stock=20, shop="dshop")


async def test_more_units_take_their_quota(desk: DealersDesk, sold: Placed) -> None:
    done = await desk.edit(sold, LineEdit(1, 10))
    assert done.added == 7
    assert await desk.used() == LIMIT
    await desk.tidy()


async def test_more_than_the_quota_is_refused_whole(
    desk: DealersDesk, sold: Placed, admin: Connection
) -> None:
    async with refused(admin, InvalidEdit.code):
        await desk.edit(sold, LineEdit(1, 11), remark="礼品")
    assert await desk.used() == 3 * PRICE


async def test_fewer_units_give_it_back(desk: DealersDesk, sold: Placed) -> None:
    assert (await desk.edit(sold, LineEdit(1, 1))).cancelled == 2
    assert await desk.used() == PRICE
    await desk.tidy()


async def test_fewer_of_one_make_room_for_more_of_another(desk: DealersDesk) -> None:
    for sku in "AB":
        await receive(desk.database, desk.world.brand, "store", sku, 20)
    order = await desk.place(draft({"A": 5, "B": 5}, region=HANGZHOU, shop="dshop"))
    await desk.edit(order, LineEdit(1, 2), LineEdit(2, 8))
    assert await desk.used() == LIMIT
    await desk.tidy()


async def test_more_is_charged_what_the_line_was(desk: DealersDesk, sold: Placed) -> None:
    await desk.dealing.price("PL-2", 900, dealer="d1")
    await desk.edit(sold, LineEdit(1, 4))
    assert await desk.used() == 4 * PRICE
    await desk.tidy()


async def test_a_preview_takes_nothing(desk: DealersDesk, sold: Placed, admin: Connection) -> None:
    seen = await edit_order(
        desk.database,
        desk.world.brand,
        sold.order_id,
        OrderEdit(lines=[LineEdit(1, 10)]),
        desk.runtime.regions,
        seen=await desk.version(sold),
        key=fresh_key(),
        is_preview=True,
    )
    assert seen.added == 7
    assert await desk.used() == 3 * PRICE


async def test_a_line_keeps_the_sku_that_a_dealer_sold(
    desk: DealersDesk, sold: Placed, admin: Connection
) -> None:
    for who in (desk.world.brand, desk.world.dealer):
        async with refused(admin, InvalidEdit.code) as seen:
            await desk.edit(sold, LineEdit(1, sku="B"), who=who)
        assert getattr(seen.error, "path", ()) == ("lines", 0, "sku")


async def test_a_dealer_edits_its_order_with_its_quota(
    desk: DealersDesk, sold: Placed, admin: Connection
) -> None:
    await desk.edit(sold, LineEdit(1, 5), who=desk.world.dealer)
    assert await desk.used() == 5 * PRICE
    async with refused(admin, InvalidEdit.code):
        await desk.edit(sold, LineEdit(1, 11), who=desk.world.dealer)
    await desk.tidy()


async def test_what_waits_for_quota_takes_none_when_it_becomes_more(desk: DealersDesk) -> None:
    await desk.dealing.limit(0)
    await receive(desk.database, desk.world.brand, "store", "A", 20)
    waits = await desk.dealing.sold(2)
    assert await desk.dealing.held_for(waits) == ["quota"]
    await desk.edit(waits, LineEdit(1, 1))
    await desk.dealing.limit(PRICE)
    assert await desk.dealing.settle() == 1
    assert await desk.used() == PRICE
    await desk.tidy()


async def test_more_of_what_waits_waits_with_it(desk: DealersDesk) -> None:
    await receive(desk.database, desk.world.brand, "store", "A", 20)
    await desk.dealing.limit(PRICE)
    waits = placed(await desk.dealing.sell(2, shortage=Shortage.BACKORDER))
    assert await desk.dealing.held_for(waits) == ["quota"]
    await desk.edit(waits, LineEdit(1, 3))
    assert await desk.dealing.units(waits) == Units(held=3)
    assert await desk.used() == 0
    await desk.dealing.limit(3 * PRICE)
    assert await desk.dealing.settle() == 1
    assert await desk.used() == 3 * PRICE
    await desk.tidy()


async def test_once_its_address_is_known_it_asks_for_its_quota(desk: DealersDesk) -> None:
    await receive(desk.database, desk.world.brand, "wh", "A", 20)
    nowhere = AddressDraft(detail="?", region_path=("Atlantis",))
    order = await desk.dealing.sold(2, address=nowhere)
    assert await desk.dealing.held_for(order) == ["address_unresolved"]
    await desk.edit(order, address=NEAR, who=desk.world.dealer)
    assert await desk.dealing.held_for(order) == ["quota"]
    assert await desk.dealing.settle() == 1
    assert await desk.dealing.units(order) == Units(reserved=2)
    assert await desk.used() == 2 * PRICE
    await desk.tidy()


@pytest.fixture
async def eastern(bare: DealersDesk) -> DealersDesk:
    """A dealer that sells to Shanghai alone."""
    await bare.agree(territory=(EAST,))
    await receive(bare.database, bare.world.brand, "wh", "A", 20)
    return bare


async def test_once_it_goes_where_the_dealer_sells_it_goes(eastern: DealersDesk) -> None:
    order = await eastern.dealing.sold(2, region=BEIJING)
    await eastern.edit(order, address=NEAR)
    assert await eastern.dealing.held_for(order) == ["quota"]
    assert await eastern.dealing.settle() == 1
    assert await eastern.dealing.units(order) == Units(reserved=2)
    await eastern.tidy()


async def test_where_the_dealer_does_not_sell_either_it_goes_on_waiting(
    eastern: DealersDesk,
) -> None:
    order = await eastern.dealing.sold(2, region=BEIJING)
    await eastern.edit(order, address=replace(THERE, region_code=HANGZHOU))
    assert await eastern.dealing.settle() == 0
    assert await eastern.dealing.held_for(order) == ["territory"]


async def test_once_its_address_is_known_it_waits_for_who_allows_it(
    eastern: DealersDesk,
) -> None:
    nowhere = AddressDraft(detail="?", region_path=("Atlantis",))
    order = await eastern.dealing.sold(2, address=nowhere)
    await eastern.edit(order, address=THERE, who=eastern.world.dealer)
    assert await eastern.dealing.settle() == 0
    assert await eastern.dealing.held_for(order) == ["territory"]
    assert await eastern.used() == 0
    await eastern.tidy()


async def in_the_east(desk: DealersDesk) -> Placed:
    return placed(await desk.dealing.sell(2, region=SHANGHAI))


async def test_a_dealer_sends_nothing_outside_its_territory(
    eastern: DealersDesk, admin: Connection
) -> None:
    order = await in_the_east(eastern)
    await eastern.runtime.settle()
    await eastern.dealing.warm()
    async with refused(admin, OutsideTerritory.code) as seen:
        await eastern.edit(order, address=THERE, who=eastern.world.dealer)
    assert getattr(seen.error, "path", ()) == ("address",)


async def test_a_dealer_sends_it_elsewhere_within(eastern: DealersDesk) -> None:
    order = await in_the_east(eastern)
    await eastern.edit(order, address=NEAR, who=eastern.world.dealer)
    assert await eastern.used() == 2 * PRICE
    await eastern.tidy()


async def test_the_brand_sends_it_anywhere(eastern: DealersDesk) -> None:
    order = await in_the_east(eastern)
    done = await eastern.edit(order, address=THERE)
    assert "regionCode" in [edit.field for edit in done.edits]
    assert await eastern.used() == 2 * PRICE
    await eastern.tidy()


# --------------------------------------------------------------------------------- exchanges


async def exchange(
    desk: DealersDesk, order: Placed, units: int = 1, wanted: Sequence[WantedLine] = ()
) -> Exchange:
    back = ReturnDraft(order.order_id, ReturnKind.RETURN, (ReturnUnits(1, units),), "要大一号")
    what = ExchangeDraft(back, tuple(wanted) or (WantedLine("B", units),))
    intake, key = desk.runtime.intake, fresh_key()
    _, done = await request_exchange(desk.database, intake, desk.world.brand, what, key)
    return done.exchange


@pytest.fixture
async def exchanging(desk: DealersDesk) -> DealersDesk:
    """What is asked for is approved by itself; 10 of "B" are there."""
    await desk.rule(AUTOMATIC)
    await receive(desk.database, desk.world.brand, "store", "B", 10)
    return desk


async def test_what_replaces_goods_takes_quota_and_what_came_back_gives_it(
    exchanging: DealersDesk,
) -> None:
    order = await exchanging.delivered(3)
    found = await exchange(exchanging, order)
    assert await exchanging.used() == 4 * PRICE
    await exchanging.receive(found.return_id)
    assert await exchanging.used() == 4 * PRICE
    await exchanging.inspect(found.return_id, good=1)
    assert await exchanging.used() == 3 * PRICE
    await exchanging.tidy()


async def test_what_is_not_exchanged_gives_what_replaced_it_back(
    exchanging: DealersDesk,
) -> None:
    await exchanging.rule(replace(AUTOMATIC, is_automatic=False))
    order = await exchanging.delivered(3)
    found = await exchange(exchanging, order)
    assert await exchanging.used() == 4 * PRICE
    await exchanging.end(found.return_id, is_rejected=True)
    assert await exchanging.used() == 3 * PRICE
    await exchanging.tidy()
