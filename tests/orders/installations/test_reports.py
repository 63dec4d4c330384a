"""Reports of installers: what was installed is shown, unit by unit; what was in vain says why."""

import asyncio

import pytest
from msgspec.structs import replace

from backend.db.errors import YipanError
from backend.orders.installations.model import InstallationStatus, VisitOutcome, VisitReport
from backend.orders.model import OrderStatus, Placed
from tests.after_sales.desk import Desk
from tests.network.slots import MORNING
from tests.orders.appointments.agreeing import DAY, at
from tests.orders.appointments.test_on_their_way import cancel, take
from tests.orders.checks import placed
from tests.orders.installations.installing import (
    IN_VAIN,
    PHOTO,
    SIGNATURE,
    Installing,
    Told,
    done,
    in_vain,
    units,
)
from tests.refusals import refused
from tests.world import draft

TWO = ("SN-2026-0001", "SN-2026-0002")


# --------------------------------------------------------------------------------- what is done


async def test_what_is_installed_is_shown_unit_by_unit(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived({"AC": 2})
    agreed = await installing.standing(order)
    assert agreed is not None
    assert (agreed.status, agreed.version) == (InstallationStatus.AGREED, 0)
    report = done(*TWO, note="打孔两个，加铜管 1 米")
    after = await installing.report(order, report)
    assert after == replace(agreed, status=InstallationStatus.DONE, version=1)
    assert after == await installing.standing(order)
    assert (after.day, after.from_minute, after.to_minute) == (DAY, *MORNING)
    (visit,) = await installing.visits(order)
    assert visit.report == report
    assert (visit.visit_no, visit.reported_by) == (1, installing.world.brand.subject)
    assert (visit.day, visit.first_minute, visit.end_minute) == (DAY, *MORNING)
    assert visit.provider_id == await installing.admin.fetchval(
        "select id from slot_provider where code = 'fitters'"
    )
    assert await installing.told(order) == [Told("done", "done", *MORNING)]
    assert await installing.fitters() == (0, 1)


async def test_the_visit_says_when_who_was_booked_came(installing: Installing) -> None:
    """The customer agreed on the whole day: fitters were booked for the morning."""
    await installing.furnish()
    order = await installing.arrived(time=(0, 1_440))
    after = await installing.report(order, done("SN-1"))
    assert (after.from_minute, after.to_minute) == (0, 1_440)
    (visit,) = await installing.visits(order)
    assert (visit.first_minute, visit.end_minute) == MORNING


async def test_only_what_is_installed_is_named(installing: Installing) -> None:
    await installing.furnish(A=1, AC=1, TV=2)
    order = await installing.arrived({"A": 1, "AC": 1, "TV": 2})
    report = done(units=(*units("SN-9", line_no=2), *units("TV-1", "TV-2", line_no=3)))
    assert (await installing.report(order, report)).status == "done"
    (visit,) = await installing.visits(order)
    assert visit.report.units == report.units


async def test_what_was_cancelled_is_not_named(installing: Installing) -> None:
    await installing.furnish(AC=3)
    order = await installing.order({"AC": 3}, at(MORNING))
    await cancel(installing, order, 1)
    await take(installing, order, "wh", "deliver")
    assert (await installing.report(order, done(*TWO))).status == "done"


async def test_what_was_sent_back_is_not_named(installing: Installing) -> None:
    """Of two coolers one is brought back before anybody comes: the other one is installed."""
    await installing.furnish(AC=2)
    order = await installing.arrived({"AC": 2})
    desk = Desk(installing.runtime, installing.world)
    await desk.furnish()
    await desk.take_back(order, 1, installing.world.brand, at="wh")
    async with refused(installing.admin, "INVALID_REPORT"):
        await installing.report(order, done("SN-1"))
    why = replace(done("SN-1"), note="另一台已退货")
    assert (await installing.report(order, why)).status == "done"


async def test_what_is_not_installed_may_still_be_at_its_node(installing: Installing) -> None:
    await installing.furnish(AC=1)
    await installing.stock("far", A=1)
    order = await installing.arrived({"AC": 1, "A": 1})
    assert await installing.status(order) == OrderStatus.PARTIALLY_SHIPPED
    assert (await installing.report(order, done("SN-1"))).status == "done"
    await take(installing, order, "far", "deliver")
    assert await installing.status(order) == OrderStatus.DELIVERED


@pytest.mark.parametrize("step", ["", "pack", "ship"])
async def test_nothing_is_installed_before_it_is_there(installing: Installing, step: str) -> None:
    await installing.furnish()
    order = await installing.order({"AC": 1}, at(MORNING))
    if step:
        await take(installing, order, "wh", step)
    async with refused(installing.admin, "NOT_ARRIVED"):
        await installing.report(order, done("SN-1"))


async def test_nothing_is_done_before_all_of_it_is_there(installing: Installing) -> None:
    await installing.furnish(AC=1)
    await installing.stock("far", TV=1)
    order = await installing.arrived({"AC": 1, "TV": 1})
    both = done(units=(*units("SN-1"), *units("TV-1", line_no=2)))
    for report in (both, done("SN-1")):
        async with refused(installing.admin, "NOT_ARRIVED"):
            await installing.report(order, report)
    await take(installing, order, "far", "deliver")
    assert (await installing.report(order, both)).status == "done"


# ------------------------------------------------------------------------------ what is missing


INCOMPLETE: dict[str, tuple[str, VisitReport]] = {
    "no photo": ("photos", done(*TWO, photos=())),
    "no signature": ("signature", done(*TWO, signature="")),
    "no serial number": ("units", done()),
    "too few serial numbers": ("units", done("SN-1")),
    "too many serial numbers": ("units", done(*TWO, "SN-3")),
    "a line that is not there": ("units", done(units=(*units("SN-1"), *units("SN-2", line_no=9)))),
    "a line more": ("units", done(units=(*units(*TWO), *units("SN-3", line_no=9)))),
    "what nobody installs": ("units", done(units=(*units(*TWO), *units("SN-3", line_no=2)))),
    "an empty serial number": ("units", done("SN-1", "")),
    "a long serial number": ("units", done("SN-1", "x" * 101)),
    "many units": ("units", done(*(f"SN-{number}" for number in range(201)))),
    "an empty photo": ("photos", done(*TWO, photos=(PHOTO, ""))),
    "a long photo": ("photos", done(*TWO, photos=("x" * 501,))),
    "many photos": ("photos", done(*TWO, photos=(PHOTO,) * 21)),
    "a long signature": ("signature", done(*TWO, signature="x" * 501)),
    "a long note": ("note", done(*TWO, note="长" * 501)),
    "a site without a photo": ("photos", in_vain(VisitOutcome.SITE_PROBLEM, photos=())),
}
INCOMPLETE |= {f"{one} without a word": ("note", in_vain(one, note="")) for one in IN_VAIN}
INCOMPLETE |= {f"{one} with units": ("units", in_vain(one, units=units("SN-1"))) for one in IN_VAIN}


@pytest.mark.parametrize("missing", INCOMPLETE)
async def test_a_report_says_all_that_it_must(installing: Installing, missing: str) -> None:
    await installing.furnish(AC=2, A=1)
    order = await installing.arrived({"AC": 2, "A": 1})
    path, report = INCOMPLETE[missing]
    async with refused(installing.admin, "INVALID_REPORT") as seen:
        await installing.report(order, report)
    assert isinstance(seen.error, YipanError)
    assert seen.error.path == (path,)


async def test_who_names_too_few_is_told_how_many(installing: Installing) -> None:
    await installing.furnish(AC=2, TV=1)
    order = await installing.arrived({"AC": 2, "TV": 1})
    async with refused(installing.admin, "INVALID_REPORT") as seen:
        await installing.report(order, done("SN-1"))
    assert "2 of line 1, 1 of line 2" in str(seen.error)


async def test_at_its_limits_a_report_is_kept(installing: Installing) -> None:
    await installing.furnish(AC=2)
    order = await installing.arrived({"AC": 2})
    report = done("甲" * 100, "乙" * 100, note="长" * 500, photos=("x" * 500,) * 20)
    assert (await installing.report(order, report)).status == "done"
    (visit,) = await installing.visits(order)
    assert sorted(visit.report.units, key=str) == sorted(report.units, key=str)
    assert replace(visit.report, units=()) == replace(report, units=())


# ------------------------------------------------------------------------------ what was in vain


@pytest.mark.parametrize("outcome", IN_VAIN)
async def test_who_comes_in_vain_says_why(installing: Installing, outcome: VisitOutcome) -> None:
    await installing.furnish()
    order = await installing.arrived()
    report = in_vain(outcome, photos=(PHOTO, "oss://anzhuang/门牌.jpg"))
    after = await installing.report(order, report)
    assert (after.status, after.version, after.reason) == (InstallationStatus.UNDONE, 1, "")
    (visit,) = await installing.visits(order)
    assert visit.report == report
    assert await installing.told(order) == [Told("undone", outcome.value, *MORNING)]
    assert await installing.fitters() == (0, 1)  # until another time is agreed
    assert await installing.status(order) == OrderStatus.DELIVERED


@pytest.mark.parametrize("outcome", IN_VAIN)
async def test_who_comes_before_the_goods_came_in_vain(
    installing: Installing, outcome: VisitOutcome
) -> None:
    await installing.furnish()
    order = await installing.order({"AC": 1}, at(MORNING))
    assert (await installing.report(order, in_vain(outcome))).status == "undone"
    assert await installing.status(order) == OrderStatus.ALLOCATED


async def test_a_signature_may_show_that_it_was_in_vain(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived()
    report = in_vain(VisitOutcome.FAILED, signature=SIGNATURE)
    await installing.report(order, report)
    assert (await installing.visits(order))[0].report == report


# ------------------------------------------------------------------------------- serial numbers


async def test_a_serial_number_is_installed_once_in_a_report(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.arrived({"AC": 2})
    async with refused(installing.admin, "ALREADY_EXISTS"):
        await installing.report(order, done("SN-1", "SN-1"))
    assert (await installing.report(order, done("SN-1", "SN-2"))).status == "done"


async def test_a_serial_number_is_installed_once_on_two_lines(installing: Installing) -> None:
    """The same SKU stands in the order twice."""
    await installing.furnish()
    twice = draft({"AC": 1}, appointment=at(MORNING))
    twice = replace(twice, lines=twice.lines * 2)
    order = placed(await installing.runtime.intake.place(twice, installing.world.brand))
    await take(installing, order, "wh", "deliver")
    async with refused(installing.admin, "ALREADY_EXISTS"):
        await installing.report(order, done(units=(*units("SN-1"), *units("SN-1", line_no=2))))
    report = done(units=(*units("SN-1"), *units("SN-2", line_no=2)))
    assert (await installing.report(order, report)).status == "done"


async def test_what_is_installed_elsewhere_is_not_installed_here(installing: Installing) -> None:
    await installing.furnish(visits=2)
    first, second = [await installing.arrived() for _ in range(2)]
    await installing.report(first, done("SN-1"))
    async with refused(installing.admin, "ALREADY_EXISTS"):
        await installing.report(second, done("SN-1"), key="k")
    after = await installing.report(second, done("SN-2"), key="k")  # the key is free again
    assert (after.status, after.version) == ("done", 1)


async def test_goods_of_two_kinds_may_have_one_number(installing: Installing) -> None:
    await installing.furnish(AC=1, TV=1)
    order = await installing.arrived({"AC": 1, "TV": 1})
    report = done(units=(*units("0001"), *units("0001", line_no=2)))
    assert (await installing.report(order, report)).status == "done"


async def test_of_two_orders_with_one_number_at_once_one_is_done(installing: Installing) -> None:
    await installing.furnish(visits=2)
    orders = [await installing.arrived() for _ in range(2)]
    answers = await asyncio.gather(
        *(installing.report(order, done("SN-1")) for order in orders), return_exceptions=True
    )
    assert sorted(getattr(one, "code", "done") for one in answers) == ["ALREADY_EXISTS", "done"]
    for table in ("installation", "installation_visit", "installed_unit"):
        assert await installing.admin.fetchval(f"select count(*) from {table}") == 1  # noqa: S608


# --------------------------------------------------------------------------- nothing to install


async def test_without_an_appointment_there_is_nothing_to_install(installing: Installing) -> None:
    await installing.furnish()
    order = placed(await installing.runtime.intake.place(draft({"AC": 1}), installing.world.brand))
    await take(installing, order, "wh", "deliver")
    await nothing_to_install(installing, order)


async def test_what_nobody_installs_is_only_delivered(installing: Installing) -> None:
    await installing.furnish(A=1)
    order = await installing.arrived({"A": 1})
    await nothing_to_install(installing, order)


async def test_what_was_cancelled_before_anybody_came_is_over(installing: Installing) -> None:
    await installing.furnish()
    order = await installing.order({"AC": 1}, at(MORNING))
    await cancel(installing, order, 1)
    await nothing_to_install(installing, order)


async def nothing_to_install(installing: Installing, order: Placed) -> None:
    """Assert that nobody may say, agree on or give up anything."""
    async with refused(installing.admin, "NOTHING_TO_INSTALL"):
        await installing.report(order, done("SN-1"))
    async with refused(installing.admin, "NOTHING_TO_INSTALL"):
        await installing.report(order, in_vain())
    async with refused(installing.admin, "NOTHING_TO_INSTALL"):
        await installing.arrange(order)
    async with refused(installing.admin, "NOTHING_TO_INSTALL"):
        await installing.give_up(order)
    assert await installing.standing(order) is None
