"""From the shelf to the door: every step of a fulfilment, its units, its stock, its events."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from backend.fulfilment.bulk import Done
from backend.fulfilment.errors import NothingToRelease
from backend.fulfilment.model import ParcelDraft, ParcelLine
from backend.fulfilment.waves import WaveDraft
from backend.orders.cancel_orders import cancel_order
from backend.orders.errors import NothingToCancel
from backend.orders.model import FulfilmentStatus, LineOutcome, OrderStatus, Shortage
from backend.orders.move_fulfilments import FulfilmentKey
from tests.catalogue import Connection, contents
from tests.fulfilment.working import NOON, STEPS, Working, codes
from tests.inventory.stock import figures, ledger
from tests.orders.checks import assert_clean, placed
from tests.refusals import refused
from tests.world import HANGZHOU, draft, fresh_key, receive

F, S = FulfilmentStatus, OrderStatus
Way = Callable[[list[FulfilmentKey]], Awaitable[Done]]
LIFE = {
    "release": (S.IN_FULFILMENT, F.RELEASED, LineOutcome(1, 0, 0, 0, 0, at_node=3)),
    "start": (S.IN_FULFILMENT, F.PICKING, LineOutcome(1, 0, 0, 0, 0, at_node=3)),
    "pick": (S.IN_FULFILMENT, F.PICKED, LineOutcome(1, 0, 0, 0, 0, at_node=3)),
    "pack": (S.IN_FULFILMENT, F.PACKED, LineOutcome(1, 0, 0, 0, 0, at_node=3)),
    "ship": (S.SHIPPED, F.SHIPPED, LineOutcome(1, 0, 0, 0, 0, shipped=3)),
    "deliver": (S.DELIVERED, F.DELIVERED, LineOutcome(1, 0, 0, 0, 0, delivered=3)),
}


@pytest.mark.parametrize("step", STEPS)
async def test_each_step_moves_status_units_and_stock(
    working: Working, admin: Connection, step: str
) -> None:
    order = await working.sold(3)
    await working.until(order, step)
    status, sent, line = LIFE[step]
    assert await working.standing(order) == (status, line, {1: sent})
    stock = await figures(admin, working.world, "store")
    is_gone = STEPS.index(step) >= STEPS.index("ship")
    assert (stock.on_hand, stock.reserved) == ((2, 0) if is_gone else (5, 3))
    await assert_clean(working.runtime, working.world)


async def test_a_whole_life_is_told_in_order(working: Working, admin: Connection) -> None:
    order = await working.sold(3)
    await working.until(order, "deliver")
    rows = await admin.fetch("select type, sequence from outbox order by sequence")
    assert [row["type"] for row in rows] == [
        "order.placed",
        "fulfilment.created",
        "fulfilment.released",
        "fulfilment.picking",
        "fulfilment.picked",
        "fulfilment.packed",
        "fulfilment.shipped",
        "fulfilment.delivered",
    ]
    assert [row["sequence"] for row in rows] == [*range(1, 9)]
    moved = [(one.type, one.quantity) for one in await ledger(admin, working.world)]
    assert moved == [("received", 5), ("reserved", 3), ("shipped", 3)]


@pytest.mark.parametrize("step", STEPS)
async def test_no_step_is_taken_twice_or_too_early(
    working: Working, admin: Connection, step: str
) -> None:
    order = await working.sold(3)
    key = await working.until(order, step)
    before = await contents(admin)
    ways: dict[str, Way] = {
        "pick": working.pick,
        "pack": lambda keys: working.pack(keys[0]),
        "ship": working.ship,
        "deliver": working.deliver,
    }
    following = STEPS[STEPS.index(step) + 1 :][:1]
    for name, way in ways.items():
        if name not in following:
            done = await way([key])
            assert codes(done) == ["FULFILMENT_STATE"], name
    after = await contents(admin)
    after["command_key"] = before["command_key"]
    assert after == before


async def test_a_fulfilment_of_nobody_is_unknown(working: Working) -> None:
    order = await working.sold(3)
    await working.until(order, "start")
    keys = [FulfilmentKey(order.order_id, 1), FulfilmentKey(order.order_id, 2), FulfilmentKey(7, 1)]
    unknown = "UNKNOWN_FULFILMENT"
    assert codes(await working.pick(keys)) == ["", unknown, unknown]


async def test_a_wave_takes_what_is_ready_and_nothing_else(
    working: Working, admin: Connection
) -> None:
    world, runtime = working.world, working.runtime
    ready = await working.sold(2)
    held = placed(
        await runtime.intake.place(
            draft({"A": 1}, region=HANGZHOU, total_minor=5, external_id="x", is_paid=True,
                  idempotency_key=None),
            world.brand,
        )
    )  # fmt: skip
    part = placed(
        await runtime.intake.place(
            draft({"A": 5}, region=HANGZHOU, shortage=Shortage.BACKORDER), world.brand
        )
    )
    assert (held.status, part.status) == (S.HELD, S.PARTIALLY_ALLOCATED)
    wave = await working.release()
    assert (wave.fulfilments, wave.refused) == (1, ())
    assert (await working.standing(ready)).status is S.IN_FULFILMENT
    assert (await working.standing(held)).status is S.HELD
    assert (await working.standing(part)).status is S.PARTIALLY_ALLOCATED
    async with refused(admin, NothingToRelease.code):
        await working.release()
    wave = await working.release(WaveDraft(with_waiting=True))
    assert wave.fulfilments == 1
    line = (await working.standing(part)).line
    assert (line.at_node, line.backordered) == (2, 3)
    await assert_clean(runtime, world)


async def test_a_wave_goes_on_where_it_was_cut_off(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.fulfilment.waves.BULK_MAX", 2)
    orders = [await working.sold(1) for _ in range(5)]
    first = await working.release(WaveDraft(limit=4), key="wave")
    assert first.fulfilments == 4
    assert await working.release(WaveDraft(limit=4), key="wave") == first
    rest = await working.release(WaveDraft(), key="rest")
    assert (rest.fulfilments, rest.id == first.id) == (1, False)
    assert {(await working.standing(one)).status for one in orders} == {S.IN_FULFILMENT}


async def test_a_wave_takes_orders_placed_before_its_cut_off(
    working: Working, admin: Connection
) -> None:
    order = await working.sold(1)
    async with refused(admin, NothingToRelease.code):
        await working.release(WaveDraft(placed_before=NOON - timedelta(days=20_000)))
    await working.release(WaveDraft(placed_before=NOON))
    assert (await working.standing(order)).status is S.IN_FULFILMENT


async def test_scanning_the_last_unit_ends_picking(working: Working, admin: Connection) -> None:
    order = await working.sold(3)
    key = await working.until(order, "start")
    assert (await working.scan(key, quantity=2, command_key="k")).units_left == 1
    assert (await working.scan(key, quantity=2, command_key="k")).units_left == 1
    for sku, quantity, code in (
        ("B", 1, "WRONG_SKU"),
        ("A", 2, "TOO_MANY_PICKED"),
        ("A", 0, "INVALID_FULFILMENT_INPUT"),
    ):
        async with refused(admin, code):
            await working.scan(key, sku, quantity)
    assert (await working.scan(key)).units_left == 0
    assert (await working.standing(order)).fulfilments == {1: F.PICKED}


async def test_parcels_hold_just_what_was_picked(working: Working, admin: Connection) -> None:
    order = await working.sold(3)
    key = await working.until(order, "pick")
    before = await contents(admin)
    for units in ((1, 1), (2, 2), (3, 1)):
        parcels = [ParcelDraft((ParcelLine(1, one),)) for one in units]
        assert codes(await working.pack(key, *parcels)) == ["PARCELS_DO_NOT_ADD_UP"]
    after = await contents(admin)
    after["command_key"] = before["command_key"]
    assert after == before
    two = [ParcelDraft((ParcelLine(1, 1),), 500), ParcelDraft((ParcelLine(1, 2),))]
    assert codes(await working.pack(key, *two)) == [""]
    rows = await admin.fetch("select weight_g, status from parcel order by id")
    assert [tuple(row) for row in rows] == [(500, "packed"), (2_000, "packed")]


@pytest.mark.parametrize("step", ["release", "start", "pick", "pack", "ship"])
async def test_what_a_node_has_begun_with_is_not_cancelled(
    working: Working, admin: Connection, step: str
) -> None:
    order = await working.sold(3)
    await working.until(order, step)
    before = await contents(admin)
    database, brand = working.runtime.database, working.world.brand
    with pytest.raises(NothingToCancel):
        await cancel_order(database, brand, order.order_id, None, fresh_key())
    assert await contents(admin) == before


async def test_what_waits_of_an_order_is_cancelled_while_a_node_works(working: Working) -> None:
    world, runtime = working.world, working.runtime
    await receive(runtime.database, world.brand, "store", "A", 2)
    order = placed(
        await runtime.intake.place(
            draft({"A": 5}, region=HANGZHOU, shortage=Shortage.BACKORDER), world.brand
        )
    )
    await working.release(WaveDraft(with_waiting=True))
    await cancel_order(runtime.database, world.brand, order.order_id, None, fresh_key())
    standing = await working.standing(order)
    assert (standing.status, standing.line.cancelled, standing.line.at_node) == (
        S.IN_FULFILMENT,
        3,
        2,
    )
    await assert_clean(runtime, world)


async def test_many_move_in_one_command(working: Working) -> None:
    orders = [await working.sold(1) for _ in range(7)]
    await working.release()
    keys = [FulfilmentKey(order.order_id, 1) for order in orders]
    assert (await working.pick_list(*keys)).fulfilments == 7
    for way in (working.pick, working.ship, working.deliver):
        if way == working.ship:
            for key in keys:
                await working.pack(key)
        assert set(codes(await way(keys))) == {""}
    assert {(await working.standing(one)).status for one in orders} == {S.DELIVERED}
    await assert_clean(working.runtime, working.world)


@pytest.mark.parametrize("keys", [[], [FulfilmentKey(1, 1)] * 2, [FulfilmentKey(1, 1)] * 501])
async def test_a_command_has_a_bound(
    working: Working, admin: Connection, keys: list[FulfilmentKey]
) -> None:
    for way in (working.pick, working.ship, working.deliver):
        async with refused(admin, "INVALID_FULFILMENT_INPUT"):
            await way(keys)


async def test_the_same_key_ships_once(working: Working, admin: Connection) -> None:
    order = await working.sold(3)
    key = await working.until(order, "pack")
    first = await working.ship([key], command_key="ship")
    assert (await working.ship([key], command_key="ship")).answers == first.answers
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await working.ship([FulfilmentKey(order.order_id, 2)], command_key="ship")
    assert (await figures(admin, working.world, "store")).on_hand == 2
    await assert_clean(working.runtime, working.world)
