"""Who works where: a store in its own nodes, the brand everywhere, dealers and groups nowhere."""

from functools import partial

import pytest
from msgspec.structs import replace

from backend.fulfilment.waves import WaveDraft
from backend.orders.model import FulfilmentStatus
from backend.orders.move_fulfilments import FulfilmentKey
from loadtests.waiting import until
from tenants.principal import Kind, Permission, Principal
from tests.catalogue import Connection
from tests.fulfilment.working import STEPS, Working, codes
from tests.orders.checks import placed
from tests.refusals import refused
from tests.world import GUANGZHOU, World, draft, receive


async def test_a_store_works_on_what_is_its_own(working: Working) -> None:
    order = await working.sold(3)
    store = working.world.store
    key = await working.until(order, "release")
    for step in STEPS[1:]:
        await working.take(step, key, store)
    assert (await working.standing(order)).fulfilments == {1: FulfilmentStatus.DELIVERED}


@pytest.mark.parametrize("who", ["store", "dealer", "other_dealer", "other_brand"])
async def test_nobody_works_on_what_is_anothers(
    working: Working, admin: Connection, who: str
) -> None:
    world = working.world
    await receive(working.runtime.database, world.brand, "wh", "A", 5)
    order = placed(await working.runtime.intake.place(draft({"A": 2}), world.brand))
    await until(partial(working.runtime.admission.ensure_warm, world.tenant_id))
    await working.release(WaveDraft(node_id=world.nodes["wh"]))
    key = FulfilmentKey(order.order_id, 1)
    stranger: Principal = getattr(world, who)
    nothing = {Kind.DEALER: "WRITE_REFUSED", Kind.STORE: "NOTHING_TO_PICK"}.get(
        stranger.kind, "UNKNOWN_REFERENCE"
    )
    async with refused(admin, nothing):
        await working.pick_list(key, node="wh", who=stranger)
    await working.pick_list(key, node="wh")
    unknown = ["UNKNOWN_FULFILMENT"]
    if stranger.kind is Kind.DEALER:
        async with refused(admin, "WRITE_REFUSED"):
            await working.pick([key], stranger)
        return
    assert codes(await working.pick([key], stranger)) == unknown
    async with refused(admin, "UNKNOWN_FULFILMENT"):
        await working.scan(key, who=stranger)
    assert codes(await working.pack(key, who=stranger)) == unknown
    assert codes(await working.ship([key], stranger)) == unknown
    assert codes(await working.deliver([key], stranger)) == unknown


async def test_a_dealer_itself_works_on_nothing(working: Working, admin: Connection) -> None:
    world = working.world
    await receive(working.runtime.database, world.brand, "dealer-node", "A", 5)
    placed(await working.runtime.intake.place(draft({"A": 2}, region=GUANGZHOU), world.brand))
    await until(partial(working.runtime.admission.ensure_warm, world.tenant_id))
    wave = WaveDraft(node_id=world.nodes["dealer-node"])
    async with refused(admin, "WRITE_REFUSED"):
        await working.release(wave, world.dealer)


async def test_nobody_releases_what_is_anothers(working: Working, admin: Connection) -> None:
    await working.sold(2, warehouse="wh")
    for node in ("wh", "store"):
        who = replace(working.world.store, node_ids=(working.world.nodes["far"],))
        async with refused(admin, "INVALID_FULFILMENT_INPUT"):
            await working.release(WaveDraft(node_id=working.world.nodes[node]), who)


@pytest.mark.parametrize("who", ["brand", "store", "dealer"])
async def test_nobody_works_without_the_permission(
    working: Working, world: World, admin: Connection, who: str
) -> None:
    order = await working.sold(3)
    key = await working.until(order, "start")
    principal: Principal = getattr(world, who)
    may = principal.permissions - {Permission.FULFILMENT_WRITE}
    nobody = replace(principal, permissions=may)
    for way in (
        lambda: working.release(who=nobody),
        lambda: working.pick_list(key, who=nobody),
        lambda: working.scan(key, who=nobody),
        lambda: working.pick([key], nobody),
        lambda: working.pack(key, who=nobody),
        lambda: working.ship([key], nobody),
        lambda: working.deliver([key], nobody),
        lambda: working.answer(key, stops=True, who=nobody),
    ):
        async with refused(admin, "PERMISSION_MISSING"):
            await way()


async def test_a_group_reads_only(working: Working, admin: Connection) -> None:
    order = await working.sold(3)
    key = await working.until(order, "start")
    async with refused(admin, "WRITE_REFUSED"):
        await working.pick([key], working.world.group)


async def test_a_store_names_the_node_of_its_wave(working: Working, admin: Connection) -> None:
    await working.sold(3)
    async with refused(admin, "INVALID_FULFILMENT_INPUT"):
        await working.release(WaveDraft(), working.world.store)
