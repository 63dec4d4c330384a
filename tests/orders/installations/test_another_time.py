"""Another time for who came in vain: its visit goes back and one is booked, or nothing changes."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from backend.orders.errors import NoAppointment, NotArrived
from backend.orders.installations.model import Installation, InstallationStatus, VisitOutcome
from backend.orders.model import Appointment, OrderStatus, Placed
from backend.orders.report_shortage import ShortPick
from tests.network.slots import AFTERNOON, INSTALLER, MORNING, dock_of
from tests.orders.appointments.agreeing import DAY, Booked, at
from tests.orders.appointments.test_on_their_way import cancel, take
from tests.orders.checks import assert_clean
from tests.orders.installations.installing import IN_VAIN, Installing, Told, done, in_vain
from tests.orders.test_report_shortage import report as report_short
from tests.refusals import refused
from tests.world import BEIJING

EVENING = (1_080, 1_260)
"""When no fitter ever comes."""
TIMES = """
    select a.day, a.from_minute, a.to_minute, s.day as on_day, s.first_minute, s.end_minute
    from order_appointment a
    join fulfilment f on f.order_id = a.order_id and f.status = 'reserved'
    join slot s on s.id = f.slot_id
    where a.order_id = $1
"""


class Parts(NamedTuple):
    """An order of which the cooler is there, and an A is still at another node."""

    order: Placed
    undone: Installation


async def half_there(installing: Installing) -> Parts:
    """Let a cooler come in the morning and not be installed; "far" delivers an A then, or later."""
    await installing.furnish(AC=1)
    await installing.stock("far", A=1)
    await installing.provide(dock_of("far"))
    order = await installing.arrived({"AC": 1, "A": 1})
    undone = await installing.report(order, in_vain())
    assert await installing.free() == {
        "dock-far-am": 0,
        "dock-far-pm": 1,
        "fitters-am": 0,
        "fitters-pm": 1,
    }
    return Parts(order, undone)


# ------------------------------------------------------------------------------ after it has come


@pytest.mark.parametrize("outcome", IN_VAIN)
async def test_after_a_visit_in_vain_another_one_does_it(
    installing: Installing, outcome: VisitOutcome
) -> None:
    await installing.furnish()
    order = await installing.arrived()
    await installing.report(order, in_vain(outcome))
    assert await installing.fitters() == (0, 1)
    again = await installing.arrange(order)
    assert await installing.fitters() == (1, 0)
    assert (again.status, again.version) == (InstallationStatus.AGREED, 2)
    assert (again.day, again.from_minute, again.to_minute) == (DAY, *AFTERNOON)
    assert await installing.booked(order) == Booked(True, ["fitters-pm"])
    after = await installing.report(order, done("SN-1"))
    assert (after.status, after.version) == (InstallationStatus.DONE, 3)
    assert await installing.outcomes(order) == [outcome, "done"]
    first, second = await installing.visits(order)
    assert (first.first_minute, second.first_minute) == (MORNING[0], AFTERNOON[0])
    assert (len(first.report.units), len(second.report.units)) == (0, 1)
    assert await installing.told(order) == [
        Told("undone", outcome, *MORNING),
        Told("agreed", "", *AFTERNOON),
        Told("done", "done", *AFTERNOON),
    ]


async def test_a_time_is_changed_before_anybody_comes(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived()
    again = await installing.arrange(order)
    assert (again.status, again.version) == ("agreed", 1)
    assert await installing.fitters() == (1, 0)
    assert await installing.visits(order) == []
    assert await installing.told(order) == [Told("agreed", "", *AFTERNOON)]
    assert await installing.status(order) == OrderStatus.DELIVERED


async def test_one_may_come_in_vain_again_and_again(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived()
    for time in (AFTERNOON, MORNING, AFTERNOON):
        await installing.report(order, in_vain())
        await installing.arrange(order, at(time))
    assert (await installing.report(order, done("SN-1"))).version == 7
    assert await installing.outcomes(order) == ["no_show"] * 3 + ["done"]
    assert await installing.fitters() == (1, 0)


async def test_the_same_time_again_takes_no_second_visit(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived()
    await installing.report(order, in_vain())
    assert (await installing.arrange(order, at(MORNING))).status == "agreed"
    assert await installing.fitters() == (0, 1)


async def test_within_a_longer_time_its_own_visit_counts_as_free(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived(time=AFTERNOON)
    whole = await installing.arrange(order, at())
    assert (whole.from_minute, whole.to_minute) == (0, 1_440)
    assert await installing.fitters() == (0, 1)  # the earliest
    other = await installing.arrived(time=AFTERNOON)
    assert (await installing.arrange(order, at())).status == "agreed"
    assert await installing.fitters() == (0, 0)
    assert await installing.booked(other) == Booked(True, ["fitters-pm"])


async def test_another_day_is_another_visit(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived()
    later = DAY + timedelta(days=3)
    await installing.provide(INSTALLER, (600, 660), day=later)
    again = await installing.arrange(order, at(day=later))
    assert (again.day, again.from_minute, again.to_minute) == (later, 0, 1_440)
    assert (await installing.fitters())[0] == 1
    await installing.report(order, done("SN-1"))
    (visit,) = await installing.visits(order)
    assert (visit.day, visit.first_minute, visit.end_minute) == (later, 600, 660)


async def test_who_installs_something_else_is_not_booked(installing: Installing) -> None:
    await installing.furnish(AC=1, TV=1)
    order = await installing.arrived({"AC": 1})
    screens = replace(INSTALLER, code="screens", categories=("tv",))
    coolers = replace(INSTALLER, code="coolers", categories=("ac",))
    north = replace(INSTALLER, code="north", regions=(BEIJING,))
    for provider in (screens, north):
        await installing.provide(provider, EVENING)
    async with refused(installing.admin, "NO_APPOINTMENT"):
        await installing.arrange(order, at(EVENING))
    await installing.provide(coolers, EVENING)
    await installing.arrange(order, at(EVENING))
    free = await installing.free()
    assert (free["coolers-pm"], free["screens-pm"], free["north-pm"]) == (0, 1, 1)


# --------------------------------------------------------------------------------- what is not


async def test_with_no_visit_free_nothing_changes(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived()
    await installing.arrived(time=AFTERNOON)
    undone = await installing.report(order, in_vain())
    for time in (AFTERNOON, EVENING):
        async with refused(installing.admin, "NO_APPOINTMENT") as seen:
            await installing.arrange(order, at(time), key="k")
        assert isinstance(seen.error, NoAppointment)
        assert seen.error.path == ("appointment",)
    assert await installing.standing(order) == undone
    assert (await installing.arrange(order, at(MORNING), key="k")).status == "agreed"


async def test_a_day_that_is_over_is_agreed_to_with_nobody(installing: Installing) -> None:
    past = DAY - timedelta(days=33)
    await installing.furnish()
    await installing.provide(INSTALLER, day=past)
    order = await installing.arrived()
    async with refused(installing.admin, "NO_APPOINTMENT"):
        await installing.arrange(order, at(MORNING, past))


@pytest.mark.parametrize("bad", [(-1, 5), (5, 5), (6, 5), (0, 1_441)])
async def test_a_time_that_is_none_is_refused(installing: Installing, bad: tuple[int, int]) -> None:
    await installing.furnish()
    order = await installing.arrived()
    async with refused(installing.admin, "INVALID_ORDER"):
        await installing.arrange(order, Appointment(DAY, *bad))


async def test_what_has_not_come_has_no_time_of_its_own(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.order({"AC": 1}, at(MORNING))
    async with refused(installing.admin, "NOT_ARRIVED"):
        await installing.arrange(order)
    await take(installing, order, "wh", "ship")
    async with refused(installing.admin, "NOT_ARRIVED"):
        await installing.arrange(order)
    await installing.report(order, in_vain())
    async with refused(installing.admin, "NOT_ARRIVED"):
        await installing.arrange(order)


async def test_of_two_who_want_the_last_visit_one_has_it(installing: Installing) -> None:
    """Both were visited in the morning in vain; in the afternoon there is one visit."""
    await installing.stock("wh", AC=2)
    await installing.provide(INSTALLER, MORNING, visits=2)
    orders = [await installing.arrived() for _ in range(2)]
    await installing.provide(INSTALLER, AFTERNOON)
    for order in orders:
        await installing.report(order, in_vain())
    answers = await asyncio.gather(
        *(installing.arrange(order) for order in orders), return_exceptions=True
    )
    assert sorted(getattr(one, "code", "agreed") for one in answers) == [
        "NO_APPOINTMENT",
        "agreed",
    ]
    assert await installing.fitters() == (1, 0)
    found = [await installing.standing(order) for order in orders]
    assert sorted(one.status for one in found if one is not None) == ["agreed", "undone"]


async def test_two_who_change_places_at_once_both_stay(installing: Installing) -> None:
    await installing.furnish()
    first = await installing.arrived()
    second = await installing.arrived(time=AFTERNOON)
    answers = await asyncio.gather(
        installing.arrange(first, at(AFTERNOON)),
        installing.arrange(second, at(MORNING)),
        return_exceptions=True,
    )
    assert [getattr(one, "code", one) for one in answers] == ["NO_APPOINTMENT"] * 2
    assert await installing.fitters() == (0, 0)


async def test_an_order_and_a_new_time_at_once_share_what_is_free(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived()
    again, bought = await asyncio.gather(
        installing.arrange(order),
        installing.ask({"AC": 1}, at(AFTERNOON)),
        return_exceptions=True,
    )
    assert isinstance(again, Installation) is not isinstance(bought, Placed)
    assert (await installing.fitters())[1] == 0


# ------------------------------------------------------------------- a time for all of an order


async def test_while_all_is_at_its_node_the_order_is_agreed_again(installing: Installing) -> None:
    await installing.furnish()
    await installing.provide(dock_of("wh"))
    order = await installing.order({"AC": 1}, at(MORNING))
    await installing.report(order, in_vain(VisitOutcome.FAILED, note="货还没到"))
    assert await installing.agree(order, at(AFTERNOON)) is OrderStatus.ALLOCATED
    again = await installing.standing(order)
    assert again is not None
    assert (again.status, again.version, again.from_minute) == ("agreed", 2, AFTERNOON[0])
    assert await installing.booked(order) == Booked(True, ["dock-wh-pm", "fitters-pm"])
    assert await installing.fitters() == (1, 0)
    await take(installing, order, "wh", "deliver")
    assert (await installing.report(order, done("SN-1"))).status == "done"
    assert await installing.outcomes(order) == ["failed", "done"]


async def test_who_follows_an_order_hears_that_it_is_agreed_again(installing: Installing) -> None:
    """Every event of an order has a number of its own, in the order in which they happened."""
    await installing.furnish()
    order = await installing.order({"AC": 1}, at(MORNING))
    await installing.report(order, in_vain(VisitOutcome.FAILED, note="货还没到"))
    await installing.agree(order, at(AFTERNOON))
    assert await installing.told(order) == [
        Told("undone", "failed", *MORNING),
        Told("agreed", "", *AFTERNOON),
    ]


async def test_what_was_not_reported_needs_no_word_of_its_installation(
    installing: Installing,
) -> None:
    await installing.furnish()
    order = await installing.order({"AC": 1}, at(MORNING))
    await installing.agree(order, at(AFTERNOON))
    agreed = await installing.standing(order)
    assert agreed is not None
    assert (agreed.status, agreed.version, agreed.from_minute) == ("agreed", 0, AFTERNOON[0])
    assert await installing.told(order) == []


async def test_without_a_time_for_the_order_it_stays_in_vain(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.order({"AC": 1}, at(MORNING))
    await installing.report(order, in_vain())
    async with refused(installing.admin, "NO_APPOINTMENT"):
        await installing.agree(order, at(EVENING))


async def test_what_is_there_is_agreed_with_what_is_still_at_its_node(
    installing: Installing,
) -> None:
    """The cooler is there, in vain; the whole order has another time: fitters come then."""
    order, undone = await half_there(installing)
    assert await installing.agree(order, at(AFTERNOON)) is OrderStatus.PARTIALLY_SHIPPED
    again = await installing.standing(order)
    assert again is not None
    assert (again.status, again.version) == ("agreed", undone.version + 1)
    assert await installing.booked(order) == Booked(True, ["dock-far-pm", "fitters-pm"])
    assert (await installing.report(order, done("SN-1"))).status == "done"
    assert await installing.outcomes(order) == ["no_show", "done"]


async def test_a_time_for_the_rest_leaves_an_installer_for_what_is_there(
    installing: Installing,
) -> None:
    """The cooler is there and nobody has come for it yet: fitters still do, then or as agreed."""
    await installing.furnish(AC=1)
    await installing.stock("far", A=1)
    order = await installing.arrived({"AC": 1, "A": 1})
    await installing.agree(order, at(AFTERNOON))
    assert sum(await installing.fitters()) == 1
    found = await installing.standing(order)
    assert found is not None
    assert found.status == "agreed"


async def test_what_is_cancelled_of_the_rest_leaves_the_installer(installing: Installing) -> None:
    await installing.furnish(AC=1)
    await installing.stock("far", A=1)
    order = await installing.arrived({"AC": 1, "A": 1})
    await cancel(installing, order, 2)
    assert await installing.fitters() == (0, 1)
    assert (await installing.report(order, done("SN-1"))).status == "done"


async def test_another_visit_leaves_no_delivery_at_another_time(installing: Installing) -> None:
    """The rest of the order is delivered when the order says that it comes."""
    order, _ = await half_there(installing)
    with suppress(NotArrived, NoAppointment):  # that it is for orderAppointmentSet would do too
        await installing.arrange(order)
    for time in await installing.admin.fetch(TIMES, order.order_id):
        assert time["day"] == time["on_day"]
        assert time["from_minute"] <= time["first_minute"]
        assert time["end_minute"] <= time["to_minute"]


async def test_what_is_done_stays_done_when_the_rest_has_another_time(
    installing: Installing,
) -> None:
    await installing.furnish(AC=1)
    await installing.stock("far", A=1)
    order = await installing.arrived({"AC": 1, "A": 1})
    after = await installing.report(order, done("SN-1"))
    await installing.agree(order, at(AFTERNOON))
    found = await installing.standing(order)
    assert found is not None
    assert (found.status, found.version) == (after.status, after.version)
    (visit,) = await installing.visits(order)
    assert (visit.first_minute, visit.end_minute) == MORNING


async def test_what_was_lost_with_the_time_of_an_order_is_not_reported(
    installing: Installing,
) -> None:
    """Agreed again, then cancelled: nobody comes any more, and nobody is waited for."""
    await installing.furnish()
    order = await installing.order({"AC": 1}, at(MORNING))
    await installing.report(order, in_vain())
    await installing.agree(order, at(AFTERNOON))
    await cancel(installing, order, 1)
    assert await installing.fitters() == (1, 1)
    async with refused(installing.admin, "NOTHING_TO_INSTALL"):
        await installing.report(order, in_vain(VisitOutcome.INSTALLER_ABSENT))


async def test_a_shortage_of_the_rest_leaves_a_visit_that_can_be_reported(
    installing: Installing,
) -> None:
    """Either fitters still come for what is there, or it is known that they do not."""
    order, _ = await half_there(installing)
    await take(installing, order, "far", "start")
    with suppress(NotArrived, NoAppointment):
        await installing.arrange(order)
    brand = installing.world.brand
    await report_short(installing.runtime, order, brand, picks=[ShortPick(2, 1)], number=2)
    found = await installing.standing(order)
    assert found is not None
    booked = await installing.booked(order)
    assert booked is not None
    assert (found.status == "agreed") is ("fitters-pm" in booked.slots)


async def test_a_visit_for_what_is_there_is_no_time_for_what_waits(installing: Installing) -> None:
    """The rest was not found and waits, without a time: as before, whoever comes for the cooler."""
    order, _ = await half_there(installing)
    await take(installing, order, "far", "start")
    brand = installing.world.brand
    await report_short(installing.runtime, order, brand, picks=[ShortPick(2, 1)], number=2)
    assert await installing.kinds(order) == ["appointment"]
    with suppress(NotArrived, NoAppointment):
        await installing.arrange(order)
    assert await installing.kinds(order) == ["appointment"]
    await assert_clean(installing.runtime, installing.world)


# --------------------------------------------------------------------------------- giving it up


async def test_what_is_given_up_frees_its_visit_and_says_why(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived()
    reason = "客户退掉安装，自己找人装"
    after = await installing.give_up(order, reason)
    assert (after.status, after.version, after.reason) == ("given_up", 1, reason)
    assert await installing.standing(order) == after
    assert await installing.fitters() == (1, 1)
    assert await installing.booked(order) == Booked(True, [])
    assert await installing.visits(order) == []
    assert await installing.told(order) == [Told("given_up", "", *MORNING)]
    assert await installing.status(order) == OrderStatus.DELIVERED
    await installing.arrived()  # somebody else has the visit


@pytest.mark.parametrize("outcome", IN_VAIN)
async def test_after_a_visit_in_vain_it_may_be_given_up(
    installing: Installing, outcome: VisitOutcome
) -> None:
    await installing.furnish()
    order = await installing.arrived()
    await installing.report(order, in_vain(outcome))
    after = await installing.give_up(order, "墙体不能打孔")
    assert (after.status, after.version, after.reason) == ("given_up", 2, "墙体不能打孔")
    assert await installing.fitters() == (1, 1)
    assert await installing.outcomes(order) == [outcome]


async def test_what_has_not_come_may_be_given_up_and_still_comes(installing: Installing) -> None:
    await installing.furnish()
    await installing.provide(dock_of("wh"))
    order = await installing.order({"AC": 1}, at(MORNING))
    await installing.give_up(order)
    assert await installing.booked(order) == Booked(True, ["dock-wh-am"])
    await take(installing, order, "wh", "deliver")
    assert await installing.status(order) == OrderStatus.DELIVERED


async def test_what_was_cancelled_after_a_visit_in_vain_is_given_up(
    installing: Installing,
) -> None:
    await installing.furnish()
    order = await installing.order({"AC": 1}, at(MORNING))
    await installing.report(order, in_vain())
    await cancel(installing, order, 1)
    assert await installing.fitters() == (1, 1)
    assert (await installing.give_up(order)).status == "given_up"
    assert await installing.fitters() == (1, 1)


async def test_for_what_is_given_up_nobody_is_booked_any_more(installing: Installing) -> None:
    """Its delivery has another time, and no fitter comes with it."""
    await installing.furnish()
    await installing.provide(dock_of("wh"))
    order = await installing.order({"AC": 1}, at(MORNING))
    await installing.give_up(order)
    await installing.agree(order, at(AFTERNOON))
    assert await installing.booked(order) == Booked(True, ["dock-wh-pm"])
    assert await installing.fitters() == (1, 1)


@pytest.mark.parametrize("reason", ["", "长" * 501])
async def test_who_gives_it_up_says_why(installing: Installing, reason: str) -> None:
    await installing.furnish()
    order = await installing.arrived()
    async with refused(installing.admin, "INVALID_REPORT"):
        await installing.give_up(order, reason)
