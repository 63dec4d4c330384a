"""What several orders of one customer get from one node goes in one parcel, under one waybill."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from backend.after_sales.collecting import note_collected
from backend.fulfilment.carriers.accounts import set_carrier_account
from backend.fulfilment.carriers.change_carrier import change_carrier
from backend.fulfilment.carriers.model import TrackingEvent, TrackingKind
from backend.fulfilment.carriers.tracking import record_tracking
from backend.fulfilment.find import parcels_of_orders, tracking_of_parcels
from backend.fulfilment.pack_together import Joint, Proposal, joint_proposals, pack_together
from backend.orders.hold_orders import hold_order
from backend.orders.model import AddressDraft, FulfilmentStatus, Placed
from backend.orders.move_fulfilments import FulfilmentKey
from backend.runtime import Runtime
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.fulfilment.working import Working, codes
from tests.orders.checks import assert_clean, placed
from tests.refusals import refused
from tests.world import HANGZHOU, World, draft, fresh_key, receive

HOME = AddressDraft("文三路 1 号", region_code=HANGZHOU, name="陈静", phone="13900001111")
OFFICE = AddressDraft("文三路 99 号", region_code=HANGZHOU, name="陈静", phone="13900001111")
LABEL = "update parcel set waybill = $1, status = 'labelled' where id = $2 or host_id = $2"


class Packers:
    """Who packs for customers that have ordered twice."""

    def __init__(self, runtime: Runtime, world: World, admin: Connection) -> None:
        self.runtime, self.world, self.admin = runtime, world, admin
        self.working = Working(runtime, world)

    async def bought(self, address: AddressDraft = HOME, units: int = 1) -> FulfilmentKey:
        await receive(self.runtime.database, self.world.brand, "store", "A", units)
        order = draft({"A": units}, address=address)
        outcome: Placed = placed(await self.runtime.intake.place(order, self.world.brand))
        return FulfilmentKey(outcome.order_id, 1)

    async def picked(self, *addresses: AddressDraft) -> list[FulfilmentKey]:
        """Let an order to each address be picked."""
        keys = [await self.bought(address) for address in addresses or (HOME, HOME)]
        await self.working.release()
        await self.working.pick_list(*keys)
        assert set(codes(await self.working.pick(keys))) == {""}
        return keys

    async def pack(
        self,
        keys: list[FulfilmentKey],
        who: Principal | None = None,
        carrier: str = "own",
        weight_g: int | None = None,
        key: str = "",
    ) -> Joint:
        who = who or self.world.store
        given = (keys, carrier, weight_g, key or fresh_key())
        return await pack_together(self.runtime.database, who, *given)

    async def proposals(self, hours: int = 24) -> list[Proposal]:
        async with self.runtime.database.tenant_transaction(self.world.store, read_only=True) as tx:
            return await joint_proposals(tx, self.world.nodes["store"], hours)

    async def parcels(self, *keys: FulfilmentKey) -> list[Any]:
        ids = [key.order_id for key in keys]
        async with self.runtime.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            found = await parcels_of_orders(tx, ids)
        return [one for key in keys for one in found.get(key.order_id, [])]

    async def status(self, key: FulfilmentKey) -> FulfilmentStatus:
        order = Placed(key.order_id, "allocated", ())  # type: ignore[arg-type]
        return (await self.working.standing(order)).fulfilments[1]

    async def tell(self, waybill: str, kind: TrackingKind) -> None:
        event = TrackingEvent(fresh_key(), waybill, kind, datetime.now(UTC))
        tenant_id = self.world.tenant_id
        await record_tracking(self.runtime.database, tenant_id, "sim", [event], note_collected)

    async def with_carrier(self) -> None:
        account = ("sim", "模拟快递", "http://127.0.0.1:9", "a secret of the carrier")
        async with self.runtime.database.tenant_transaction(self.world.brand) as tx:
            await set_carrier_account(tx, *account, is_active=True, key=fresh_key())


@pytest.fixture
async def packers(runtime: Runtime, world: World, admin: Connection) -> Packers:
    return Packers(runtime, world, admin)


async def test_one_parcel_with_what_both_orders_get(packers: Packers) -> None:
    keys = await packers.picked()
    done = await packers.pack(keys)
    host, guest = await packers.parcels(*keys)
    assert (done.parcel_id, done.parcels) == (host["id"], 2)
    assert (host["host_id"], guest["host_id"]) == (None, host["id"])
    assert done.weight_g == host["weight_g"] == 2 * guest["weight_g"]
    assert set(codes(await packers.working.ship(keys))) == {""}
    assert set(codes(await packers.working.deliver(keys))) == {""}
    await assert_clean(packers.runtime, packers.world)


async def test_it_is_proposed_until_it_is_packed(packers: Packers) -> None:
    keys = [await packers.bought() for _ in range(2)]
    await packers.bought(OFFICE)
    (found,) = await packers.proposals()
    assert (found.buyer_name, found.address, found.keys, found.picked) == (
        "陈静",
        "文三路 1 号",
        tuple(keys),
        0,
    )
    await packers.working.release()
    await packers.working.pick_list(*keys)
    await packers.working.pick(keys)
    assert [one.picked for one in await packers.proposals()] == [2]
    await packers.pack(keys)
    assert await packers.proposals() == []


async def test_what_its_node_was_given_long_ago_is_not_proposed(packers: Packers) -> None:
    keys = [await packers.bought() for _ in range(2)]
    await packers.admin.execute(
        "update fulfilment set recorded_at = recorded_at - interval '2 days' where order_id = $1",
        keys[0].order_id,
    )
    assert await packers.proposals(24) == []
    assert len(await packers.proposals(72)) == 1


async def test_one_waybill_is_asked_for_and_both_have_it(packers: Packers) -> None:
    await packers.with_carrier()
    keys = await packers.picked()
    done = await packers.pack(keys, carrier="sim")
    assert set(codes(await packers.working.ship(keys))) == {"NO_WAYBILL"}
    await packers.admin.execute(LABEL, "W1", done.parcel_id)
    assert set(codes(await packers.working.ship(keys))) == {""}
    for kind in (TrackingKind.PICKED_UP, TrackingKind.DELIVERED):
        await packers.tell("W1", kind)
    assert [await packers.status(key) for key in keys] == ["delivered", "delivered"]
    parcels = await packers.parcels(*keys)
    async with packers.runtime.database.tenant_transaction(packers.world.brand) as tx:
        tracking = await tracking_of_parcels(tx, [one["id"] for one in parcels])
    assert [len(tracking[one["id"]]) for one in parcels] == [2, 2]
    await assert_clean(packers.runtime, packers.world)


async def test_a_part_of_it_is_not_handed_over(packers: Packers) -> None:
    keys = await packers.picked()
    await packers.pack(keys)
    for key in keys:
        assert codes(await packers.working.ship([key])) == ["PACKED_TOGETHER"]


async def test_what_one_is_stopped_for_stops_the_other(packers: Packers) -> None:
    keys = await packers.picked()
    await packers.pack(keys)
    await packers.working.ask(keys[0])
    assert set(codes(await packers.working.ship(keys))) == {"INTERCEPT_PENDING"}


@pytest.mark.parametrize("held", [0, 1])
async def test_what_one_is_held_for_keeps_the_other(packers: Packers, held: int) -> None:
    keys = await packers.picked()
    await packers.pack(keys)
    database, who = packers.runtime.database, packers.world.brand
    await hold_order(database, who, keys[held].order_id, "风险", None, fresh_key())
    found = codes(await packers.working.ship(keys))
    assert (found[held], found[1 - held]) == ("ORDER_HELD", "PACKED_TOGETHER")
    assert [await packers.status(key) for key in keys] == ["packed", "packed"]


async def test_what_was_taken_out_stays_out(packers: Packers) -> None:
    """Another carrier takes what is left of it: no parcel that was cancelled comes back."""
    keys = await packers.picked(HOME, HOME, HOME)
    done = await packers.pack(keys)
    await packers.working.ask(keys[1])
    await packers.working.answer(keys[1], stops=True)
    database, who = packers.runtime.database, packers.world.store
    await change_carrier(database, who, done.parcel_id, "sf", fresh_key())
    stand = {one["order_id"]: one["status"] for one in await packers.parcels(*keys)}
    assert [stand[key.order_id] for key in keys] == ["packed", "cancelled", "packed"]
    left = [keys[0], keys[2]]
    assert set(codes(await packers.working.ship(left))) == {""}
    await assert_clean(packers.runtime, packers.world)


@pytest.mark.parametrize("stopped", [0, 1])
async def test_the_other_goes_by_itself_once_one_was_stopped(
    packers: Packers, stopped: int
) -> None:
    await packers.with_carrier()
    keys = await packers.picked()
    done = await packers.pack(keys, carrier="sim")
    await packers.admin.execute(LABEL, "W1", done.parcel_id)
    await packers.working.ask(keys[stopped])
    await packers.working.answer(keys[stopped], stops=True)
    (left,) = [one for one in await packers.parcels(*keys) if one["status"] != "cancelled"]
    voided = await packers.admin.fetchval("select count(*) from waybill_void")
    if stopped == 0:  # the waybill goes with the parcel that had it
        assert (left["host_id"], left["waybill"], left["status"], voided) == (
            None,
            None,
            "packed",
            1,
        )
        await packers.admin.execute(LABEL, "W2", left["id"])
    else:
        assert (left["waybill"], left["status"], voided) == ("W1", "labelled", 0)
    assert codes(await packers.working.ship([keys[1 - stopped]])) == [""]
    await assert_clean(packers.runtime, packers.world)


async def test_another_carrier_takes_all_of_it(packers: Packers, admin: Connection) -> None:
    keys = await packers.picked()
    await packers.pack(keys)
    host, guest = await packers.parcels(*keys)
    database = packers.runtime.database
    async with refused(admin, "INVALID_FULFILMENT_INPUT"):
        await change_carrier(database, packers.world.store, guest["id"], "sf", fresh_key())
    await change_carrier(database, packers.world.store, host["id"], "sf", fresh_key())
    assert {one["carrier"] for one in await packers.parcels(*keys)} == {"sf"}


async def test_it_is_done_once(packers: Packers, admin: Connection) -> None:
    keys, key = await packers.picked(), fresh_key()
    first = await packers.pack(keys, key=key)
    assert await packers.pack(keys, key=key) == first
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await packers.pack(keys, key=key, weight_g=1)


async def test_of_two_at_once_one_packs_it(packers: Packers) -> None:
    keys = await packers.picked()
    done = await asyncio.gather(*(packers.pack(keys) for _ in range(2)), return_exceptions=True)
    assert sum(isinstance(one, Joint) for one in done) == 1
    assert len(await packers.parcels(*keys)) == 2


async def test_only_what_one_customer_gets_goes_together(
    packers: Packers, admin: Connection
) -> None:
    keys = await packers.picked(HOME, OFFICE)
    async with refused(admin, "NOT_ONE_CUSTOMER"):
        await packers.pack(keys)


async def test_nowhere_is_nobodys_address(packers: Packers, admin: Connection) -> None:
    keys = await packers.picked()
    await admin.execute("update fulfilment set address = ''")
    async with refused(admin, "NOT_ONE_CUSTOMER"):
        await packers.pack(keys)


async def test_what_two_sellers_sold_goes_apart(packers: Packers, admin: Connection) -> None:
    keys = await packers.picked()
    await admin.execute(
        "update fulfilment set dealer_id = (select min(id) from platform.dealer) "
        "where order_id = $1",
        keys[0].order_id,
    )
    assert await packers.proposals() == []
    async with refused(admin, "NOT_ONE_CUSTOMER"):
        await packers.pack(keys)


async def test_who_is_not_picked_refuses_all(packers: Packers, admin: Connection) -> None:
    (first, second), third = await packers.picked(), await packers.bought()
    async with refused(admin, "FULFILMENT_STATE"):
        await packers.pack([first, second, third])


@pytest.mark.parametrize(
    ("count", "carrier", "weight_g"), [(1, "own", None), (2, "", None), (2, "own", -1)]
)
async def test_what_makes_no_sense_is_refused(
    packers: Packers, admin: Connection, count: int, carrier: str, weight_g: int | None
) -> None:
    keys = await packers.picked()
    async with refused(admin, "INVALID_FULFILMENT_INPUT"):
        await packers.pack(keys[:count], carrier=carrier, weight_g=weight_g)


async def test_another_store_packs_nothing_here(packers: Packers, admin: Connection) -> None:
    keys = await packers.picked()
    elsewhere = replace(packers.world.store, node_ids=(packers.world.nodes["wh"],))
    async with refused(admin, "UNKNOWN_FULFILMENT"):
        await packers.pack(keys, elsewhere)
