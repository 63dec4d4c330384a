"""What installers do: install what has come, find nobody at home, or a place not fit for it."""

from collections.abc import AsyncIterator

from backend.orders.find_orders import lines_of_orders
from backend.orders.installations.installations import (
    agree_installation,
    give_up_installation,
    installation_times,
    installations_of_orders,
    report_visit,
)
from backend.orders.installations.model import (
    Installation,
    InstallationStatus,
    InstalledUnit,
    VisitOutcome,
    VisitReport,
)
from backend.orders.model import Appointment, OrderStatus
from loadtests.week.plan import Fate
from loadtests.week.week import Sold, Week


async def installed(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Install what has come on the agreed day; where it was in vain, on another one, or never."""
    fate = sold.planned.fate
    async for _ in week.until(sold):
        yield
    if sold.status is OrderStatus.CANCELLED or await _stands(week, sold) is None:
        return
    async for _ in _their_day(week, sold):
        yield
    if fate is Fate.NOBODY_HOME:
        await _report(week, sold, VisitReport(VisitOutcome.NO_SHOW, "敲门无人，电话不接"))
        yield
        await _agree(week, sold)
        async for _ in _their_day(week, sold):
            yield
    if fate is Fate.SITE_PROBLEM:
        measured = VisitReport(VisitOutcome.SITE_PROBLEM, "外墙 12 cm，承重不够", ("photo-wall",))
        await _report(week, sold, measured)
        ended = give_up_installation(
            week.database, week.clerk, sold.id, "墙体不能安装", seen=None, key=week.key()
        )
        await week.do("installation given up", ended)
        return
    await _report(week, sold, await _done(week, sold))


async def _their_day(week: Week, sold: Sold) -> AsyncIterator[None]:
    """Wait until the day has come that is agreed."""
    while (stands := await _stands(week, sold)) is not None:
        today = (await week.runtime.brands.get(week.tenant_id)).today()
        if stands.status is not InstallationStatus.AGREED or stands.day <= today:
            return
        yield


async def _stands(week: Week, sold: Sold) -> Installation | None:
    async with week.reading() as tx:
        return (await installations_of_orders(tx, [sold.id])).get(sold.id)


async def _agree(week: Week, sold: Sold) -> None:
    live = await week.runtime.books.open(week.tenant_id)
    await live.freshen()
    planner = live.book.planner
    times = await installation_times(week.database, week.clerk, sold.id, planner)
    other = Appointment(*times[0])
    agreed = agree_installation(week.database, week.clerk, sold.id, other, planner, week.key())
    await week.do("to be installed another day", agreed)


async def _done(week: Week, sold: Sold) -> VisitReport:
    """Return the report of an installation with all its units."""
    async with week.reading() as tx:
        lines = (await lines_of_orders(tx, [sold.id]))[sold.id]
    units = tuple(
        InstalledUnit(line["line_no"], f"SN{sold.id}-{line['line_no']}-{number}")
        for line in lines
        for number in range(line["delivered"])
    )
    photos, signature = (f"photo-{sold.id}",), f"signature-{sold.id}"
    return VisitReport(VisitOutcome.DONE, "", photos, units, signature)


async def _report(week: Week, sold: Sold, report: VisitReport) -> None:
    said = report_visit(week.database, week.people[2], sold.id, report, seen=None, key=week.key())
    await week.do(f"visit: {report.outcome}", said)
