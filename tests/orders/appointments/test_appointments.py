"""Orders that are to come at a time: delivered and installed then, or nothing of it is booked."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from msgspec.structs import replace

from backend.inventory.accuracy.model import ShortageCause
from backend.network.nodes import set_node_active
from backend.network.slots import Window
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.model import Appointment, FeeDraft, OrderStatus, Placed, Shortage
from backend.orders.release_holds import Resolution, release_hold
from backend.orders.report_shortage import ShortPick, report_shortage
from tenants.principal import PermissionMissing
from tests.catalogue import Connection, contents
from tests.network.slots import AFTERNOON, INSTALLER, MORNING, dock_of
from tests.orders.appointments.agreeing import DAY, Agreeing, Booked, at
from tests.orders.checks import placed, refused, second_runtime
from tests.orders.strategies.routed import sent
from tests.refusals import refused as refusal
from tests.world import BEIJING, HANGZHOU, World, draft, fresh_key


async def cancel(brand: Agreeing, order: Placed, *lines: CancelLine) -> None:
    done = await cancel_order(
        brand.database, brand.world.brand, order.order_id, list(lines) or None, fresh_key()
    )
    await brand.runtime.publish_counters(brand.world.tenant_id, done.counters)


async def both(brand: Agreeing) -> None:
    """2 coolers and 2 of "A" in "wh", which delivers once each half-day; so do fitters install."""
    await brand.stock("wh", AC=2, A=2)
    await brand.provide(dock_of("wh"))
    await brand.provide(INSTALLER)


# ------------------------------------------------------------------------------------ placing


async def test_delivery_and_installation_are_booked_together(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = await agreeing.order({"AC": 1, "A": 1}, at(MORNING))
    assert order.status is OrderStatus.ALLOCATED
    assert await agreeing.booked(order) == Booked(True, ["dock-wh-am", "fitters-am"])
    assert await agreeing.free() == {
        "dock-wh-am": 0,
        "dock-wh-pm": 1,
        "fitters-am": 0,
        "fitters-pm": 1,
    }
    assert await agreeing.events(order) == [
        "order.placed",
        "order.appointment_set",
        "fulfilment.created",
    ]


async def test_what_is_not_installed_needs_no_installer(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = await agreeing.order({"A": 1}, at(AFTERNOON))
    assert await agreeing.booked(order) == Booked(True, ["dock-wh-pm"])


@pytest.mark.parametrize("taken", ["delivery", "installation"])
async def test_without_one_of_the_two_nothing_is_taken(agreeing: Agreeing, taken: str) -> None:
    await agreeing.stock("wh", AC=2)
    await agreeing.provide(dock_of("wh"), MORNING, visits=int(taken != "delivery"))
    await agreeing.provide(INSTALLER, MORNING, visits=int(taken != "installation"))
    before = await contents(agreeing.admin)
    refused(await agreeing.ask({"AC": 1}, at(MORNING)), "NO_APPOINTMENT")
    assert await contents(agreeing.admin) == before


async def test_short_of_stock_says_so_and_not_of_time(agreeing: Agreeing) -> None:
    await both(agreeing)
    answer = refused(await agreeing.ask({"AC": 3}, at(MORNING)), "INSUFFICIENT_STOCK")
    assert answer.detail == {"lines": [{"sku": "AC", "requested": 3, "available": 2}]}
    assert set((await agreeing.free()).values()) == {1}


async def test_the_node_that_comes_then_sends(agreeing: Agreeing, admin: Connection) -> None:
    await agreeing.stock("wh", A=5)
    await agreeing.stock("far", A=5)
    await agreeing.provide(dock_of("wh"), MORNING)
    usual = placed(await agreeing.runtime.intake.place(draft({"A": 1}), agreeing.world.brand))
    assert await sent(admin, usual) == {"wh": 1}
    first, second = [await agreeing.order({"A": 1}, at(MORNING)) for _ in range(2)]
    assert await sent(admin, first) == {"wh": 1}
    assert await sent(admin, second) == {"far": 1}
    assert await agreeing.booked(second) == Booked(True, [])


async def test_every_parcel_of_an_order_has_its_visit(agreeing: Agreeing) -> None:
    await agreeing.stock("wh", A=1)
    await agreeing.stock("far", B=1, AC=1)
    for node in ("wh", "far"):
        await agreeing.provide(dock_of(node), *((AFTERNOON,) if node == "far" else ()))
    await agreeing.provide(INSTALLER)
    order = await agreeing.order({"A": 1, "B": 1, "AC": 1}, at())
    booked = Booked(True, ["dock-far-pm", "dock-wh-am", "fitters-pm"])
    assert await agreeing.booked(order) == booked


async def test_a_day_before_it_can_be_there_is_refused(agreeing: Agreeing) -> None:
    await agreeing.stock("wh", A=1)
    past = at(day=DAY - timedelta(days=31))
    refused(await agreeing.ask({"A": 1}, past), "NO_APPOINTMENT")


async def test_what_is_paid_is_taken_and_held_for_another_time(agreeing: Agreeing) -> None:
    await both(agreeing)
    first = await agreeing.pay({"AC": 1}, at(MORNING))
    second = await agreeing.pay({"AC": 1}, at(MORNING))
    assert (first.status, first.holds) == (OrderStatus.ALLOCATED, ())
    assert (second.status, second.holds) == (OrderStatus.HELD, ("appointment",))
    assert second.lines[0].reserved == 1
    assert await agreeing.booked(second) == Booked(False, [])


@pytest.mark.parametrize("wish", [Shortage.BACKORDER, Shortage.PARTIAL])
async def test_what_is_not_whole_books_nothing(agreeing: Agreeing, wish: Shortage) -> None:
    await both(agreeing)
    order = await agreeing.order({"AC": 3}, at(MORNING), shortage=wish)
    assert order.holds == ("appointment",)
    assert order.lines[0].reserved == 2
    assert set((await agreeing.free()).values()) == {1}


async def test_a_presale_that_misses_its_time_is_refused(agreeing: Agreeing) -> None:
    await agreeing.stock("wh", AC=2)
    before = await contents(agreeing.admin)
    answer = await agreeing.ask({"AC": 1}, at(MORNING), shortage=Shortage.PRESALE)
    refused(answer, "NO_APPOINTMENT")
    assert await contents(agreeing.admin) == before


async def test_what_has_no_lines_comes_at_no_time(agreeing: Agreeing) -> None:
    before = await contents(agreeing.admin)
    order = draft(lines=None, appointment=at(MORNING), fees=(FeeDraft("post", 5),))
    answer = await agreeing.runtime.intake.place(replace(order, lines=()), agreeing.world.brand)
    refused(answer, "INVALID_ORDER")
    assert await contents(agreeing.admin) == before


async def test_an_order_held_for_its_address_books_nothing(agreeing: Agreeing) -> None:
    await both(agreeing)
    nowhere = replace(draft().address, region_code=7)
    order = await agreeing.pay({"AC": 1}, at(MORNING), address=nowhere)
    assert order.holds == ("address_unresolved", "appointment")
    assert set((await agreeing.free()).values()) == {1}


@pytest.mark.parametrize("bad", [(-1, 5), (5, 5), (6, 5), (0, 1_441)])
async def test_a_time_that_is_none_is_refused(agreeing: Agreeing, bad: tuple[int, int]) -> None:
    await agreeing.stock("wh", A=1)
    before = await contents(agreeing.admin)
    answer = refused(await agreeing.ask({"A": 1}, Appointment(DAY, *bad)), "INVALID_ORDER")
    assert answer.path == ("appointment",)
    assert await contents(agreeing.admin) == before


async def test_the_same_order_again_takes_no_second_visit(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = draft({"AC": 1}, appointment=at(MORNING))
    place = agreeing.runtime.intake.place
    first = await place(order, agreeing.world.brand)
    assert await place(order, agreeing.world.brand) == first
    other = replace(order, appointment=at(AFTERNOON))
    refused(await place(other, agreeing.world.brand), "ORDER_CONFLICT")
    assert sum((await agreeing.free()).values()) == 2


async def test_many_at_once_for_few_visits(
    agreeing: Agreeing, database_url: str, valkey_url: str
) -> None:
    """40 buyers in two processes; stock for all, 12 deliveries, 9 installations."""
    await agreeing.stock("wh", AC=50)
    await agreeing.stock("store", AC=50)
    await agreeing.provide(dock_of("wh"), MORNING, visits=5)
    await agreeing.provide(dock_of("store"), MORNING, visits=7)
    await agreeing.provide(INSTALLER, MORNING, visits=9)
    async with second_runtime(database_url, valkey_url) as other:
        outcomes = await asyncio.gather(
            *(
                (agreeing.runtime, other)[n % 2].intake.place(
                    draft({"AC": 1}, appointment=at(MORNING), region=(HANGZHOU, BEIJING)[n % 2]),
                    agreeing.world.brand,
                )
                for n in range(40)
            )
        )
    codes = Counter("placed" if isinstance(o, Placed) else o.code for o in outcomes)
    assert codes == {"placed": 9, "NO_APPOINTMENT": 31}
    free = await agreeing.free()
    assert (free["fitters-am"], free["dock-wh-am"] + free["dock-store-am"]) == (0, 3)


# ------------------------------------------------------------------------------- another time


async def test_another_time_is_agreed(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = await agreeing.order({"AC": 1}, at(MORNING))
    assert await agreeing.agree(order, at(AFTERNOON)) is OrderStatus.ALLOCATED
    assert await agreeing.booked(order) == Booked(True, ["dock-wh-pm", "fitters-pm"])
    assert (await agreeing.free())["dock-wh-am"] == 1
    assert await agreeing.agree(order, at()) is OrderStatus.ALLOCATED  # its own count as free
    assert await agreeing.booked(order) == Booked(True, ["dock-wh-am", "fitters-am"])


async def test_a_hold_for_want_of_a_time_ends(agreeing: Agreeing) -> None:
    await both(agreeing)
    await agreeing.order({"AC": 1}, at(MORNING))
    order = await agreeing.pay({"AC": 1}, at(MORNING))
    assert await agreeing.agree(order, at(AFTERNOON), key="k") is OrderStatus.ALLOCATED
    assert await agreeing.agree(order, at(AFTERNOON), key="k") is OrderStatus.ALLOCATED
    assert await agreeing.kinds(order) == []
    assert (await agreeing.events(order))[-2:] == ["order.appointment_set", "order.hold_released"]


async def test_an_order_without_a_time_is_given_one(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = placed(await agreeing.runtime.intake.place(draft({"AC": 1}), agreeing.world.brand))
    assert await agreeing.booked(order) is None
    await agreeing.agree(order, at(MORNING))
    assert await agreeing.booked(order) == Booked(True, ["dock-wh-am", "fitters-am"])


async def test_a_hold_can_be_released_without_a_time(agreeing: Agreeing) -> None:
    await agreeing.stock("wh", AC=1)
    order = await agreeing.pay({"AC": 1}, at(MORNING))
    status = await release_hold(
        agreeing.database,
        agreeing.world.brand,
        order.order_id,
        Resolution(1),
        agreeing.runtime.regions,
        fresh_key(),
    )
    assert status is OrderStatus.ALLOCATED
    assert await agreeing.booked(order) == Booked(False, [])


async def test_no_visit_is_free_at_the_other_time(agreeing: Agreeing) -> None:
    await both(agreeing)
    first = await agreeing.order({"AC": 1}, at(MORNING))
    await agreeing.order({"AC": 1}, at(AFTERNOON))
    async with refusal(agreeing.admin, "NO_APPOINTMENT"):
        await agreeing.agree(first, at(AFTERNOON))


async def test_what_waits_has_no_time_yet(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = await agreeing.order({"AC": 3}, at(MORNING), shortage=Shortage.BACKORDER)
    async with refusal(agreeing.admin, "NO_APPOINTMENT"):
        await agreeing.agree(order, at(AFTERNOON))
    await agreeing.stock("wh", AC=1)
    await agreeing.runtime.settle()
    assert await agreeing.agree(order, at(AFTERNOON)) is OrderStatus.ALLOCATED


async def test_what_is_cancelled_has_no_time_any_more(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = await agreeing.order({"AC": 1}, at(MORNING))
    await cancel(agreeing, order)
    async with refusal(agreeing.admin, "NO_APPOINTMENT"):
        await agreeing.agree(order, at(AFTERNOON))


async def test_whose_order_it_is_not_agrees_to_nothing(agreeing: Agreeing, world: World) -> None:
    await both(agreeing)
    order = await agreeing.order({"AC": 1}, at(MORNING))
    for who in (world.dealer, world.other_brand):
        async with refusal(agreeing.admin, "UNKNOWN_ORDER"):
            await agreeing.agree(order, at(AFTERNOON), who)
        async with refusal(agreeing.admin, "UNKNOWN_ORDER"):
            await agreeing.times(order, who)
    async with refusal(agreeing.admin, "WRITE_REFUSED"):
        await agreeing.agree(order, at(AFTERNOON), world.group)
    nobody = replace(world.brand, permissions=frozenset())
    before = await contents(agreeing.admin)
    with pytest.raises(PermissionMissing):
        await agreeing.agree(order, at(AFTERNOON), nobody)
    assert await contents(agreeing.admin) == before


async def test_the_times_of_an_order_are_those_that_can_be_agreed(agreeing: Agreeing) -> None:
    """Of its own node, with its own visits; another node would come in the afternoon."""
    await agreeing.stock("wh", AC=1)
    await agreeing.provide(dock_of("wh"), MORNING)
    await agreeing.provide(INSTALLER, MORNING, AFTERNOON)
    order = await agreeing.order({"AC": 1}, at(MORNING))
    await agreeing.stock("far", AC=1)
    await agreeing.provide(dock_of("far"), AFTERNOON)
    assert await agreeing.times(order) == [Window(DAY, *MORNING)]
    async with refusal(agreeing.admin, "NO_APPOINTMENT"):
        await agreeing.agree(order, at(AFTERNOON))
    await agreeing.provide(dock_of("wh"), AFTERNOON)
    times = await agreeing.times(order)
    assert times == [Window(DAY, *MORNING), Window(DAY, *AFTERNOON)]
    for day, *time in times:
        assert await agreeing.agree(order, Appointment(day, *time)) is OrderStatus.ALLOCATED


async def test_what_waits_has_no_times(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = await agreeing.order({"AC": 3}, at(MORNING), shortage=Shortage.BACKORDER)
    assert await agreeing.times(order) == []


async def test_a_day_that_is_over_is_agreed_to_with_nobody(agreeing: Agreeing) -> None:
    past = DAY - timedelta(days=33)
    await both(agreeing)
    for provider in (dock_of("wh"), INSTALLER):
        await agreeing.provide(provider, day=past)
    order = await agreeing.order({"AC": 1}, at(MORNING))
    await agreeing.admin.execute("update fulfilment set recorded_at = now() - interval '60 days'")
    for is_open in (True, False):
        async with agreeing.database.tenant_transaction(agreeing.world.brand) as tx:
            await set_node_active(tx, "wh", is_open)
        async with refusal(agreeing.admin, "NO_APPOINTMENT"):
            await agreeing.agree(order, at(MORNING, past))


async def test_on_the_day_itself_it_is_still_agreed(agreeing: Agreeing) -> None:
    """A parcel that left days ago is there today, though one that leaves now would not be."""
    brand = await agreeing.runtime.brands.get(agreeing.world.tenant_id)
    today = brand.today()
    await agreeing.admin.execute("update node set lead_time_minutes = 2880 where code = 'wh'")
    await agreeing.stock("wh", A=2)
    whole_day = (0, 1_440)
    await agreeing.provide(dock_of("wh"), whole_day, visits=5, day=today)
    order = placed(await agreeing.runtime.intake.place(draft({"A": 1}), agreeing.world.brand))
    async with refusal(agreeing.admin, "NO_APPOINTMENT"):
        await agreeing.agree(order, at(whole_day, today))
    await agreeing.admin.execute("update fulfilment set recorded_at = now() - interval '4 days'")
    async with refusal(agreeing.admin, "NO_APPOINTMENT"):  # a part may have come there just now
        await agreeing.agree(order, at(whole_day, today))
    await agreeing.admin.execute(
        "update routing_decision set recorded_at = now() - interval '4 days'"
    )
    assert await agreeing.agree(order, at(whole_day, today)) is OrderStatus.ALLOCATED


async def test_two_orders_change_places_at_once(agreeing: Agreeing) -> None:
    """Each wants what the other one has: nobody finds it free, and nobody is left half-booked."""
    await both(agreeing)
    first = await agreeing.order({"AC": 1}, at(MORNING))
    second = await agreeing.order({"AC": 1}, at(AFTERNOON))
    answers = await asyncio.gather(
        agreeing.agree(first, at(AFTERNOON)),
        agreeing.agree(second, at(MORNING)),
        return_exceptions=True,
    )
    assert [getattr(answer, "code", answer) for answer in answers] == ["NO_APPOINTMENT"] * 2
    assert set((await agreeing.free()).values()) == {0}


# --------------------------------------------------------------------------------- giving back


async def test_a_cancelled_order_gives_all_back(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = await agreeing.order({"AC": 1, "A": 1}, at(MORNING))
    await cancel(agreeing, order)
    assert set((await agreeing.free()).values()) == {1}
    assert await agreeing.booked(order) == Booked(False, [])


async def test_without_goods_to_install_nobody_installs(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = await agreeing.order({"A": 1, "AC": 1}, at(MORNING))
    await cancel(agreeing, order, CancelLine(2, 1))
    assert await agreeing.booked(order) == Booked(True, ["dock-wh-am"])
    assert (await agreeing.free())["fitters-am"] == 1


async def test_a_parcel_that_is_cancelled_gives_its_visit_back(agreeing: Agreeing) -> None:
    await agreeing.stock("wh", A=1)
    await agreeing.stock("far", AC=1)
    for provider in (dock_of("wh"), dock_of("far"), INSTALLER):
        await agreeing.provide(provider, MORNING)
    order = await agreeing.order({"A": 1, "AC": 1}, at(MORNING))
    await cancel(agreeing, order, CancelLine(1, 1))
    assert await agreeing.booked(order) == Booked(True, ["dock-far-am", "fitters-am"])
    assert (await agreeing.free())["dock-wh-am"] == 1


async def test_a_unit_less_in_a_parcel_keeps_its_time(agreeing: Agreeing) -> None:
    await both(agreeing)
    order = await agreeing.order({"AC": 2}, at(MORNING))
    await cancel(agreeing, order, CancelLine(1, 1))
    assert await agreeing.booked(order) == Booked(True, ["dock-wh-am", "fitters-am"])


async def test_a_node_that_lacks_goods_ends_the_appointment(
    agreeing: Agreeing, admin: Connection
) -> None:
    await both(agreeing)
    await agreeing.stock("far", AC=1)
    order = await agreeing.order({"AC": 1, "A": 1}, at(MORNING))
    done = await report_shortage(
        agreeing.database,
        agreeing.world.brand,
        (order.order_id, 1),
        [ShortPick(1, 1)],
        ShortageCause.NOT_FOUND,
        fresh_key(),
    )
    assert done.status is OrderStatus.HELD
    await agreeing.runtime.publish_counters(agreeing.world.tenant_id, done.counters)
    assert set((await agreeing.free()).values()) == {1}
    assert await agreeing.kinds(order) == ["appointment"]
    assert "order.appointment_lost" in await agreeing.events(order)
    await agreeing.runtime.settle()  # another node has it, at a time that is still to be agreed
    assert await sent(admin, order) == {"wh": 1, "far": 1}
    assert await agreeing.agree(order, at(AFTERNOON)) is OrderStatus.ALLOCATED
    assert await agreeing.booked(order) == Booked(True, ["dock-wh-pm", "fitters-pm"])


async def test_a_shortage_of_an_order_without_a_time_holds_nothing(agreeing: Agreeing) -> None:
    await agreeing.stock("wh", A=1)
    order = placed(await agreeing.runtime.intake.place(draft({"A": 1}), agreeing.world.brand))
    await report_shortage(
        agreeing.database,
        agreeing.world.brand,
        (order.order_id, 1),
        [ShortPick(1, 1)],
        ShortageCause.NOT_FOUND,
        fresh_key(),
    )
    assert await agreeing.kinds(order) == []
