"""What people say of installations: once, as they saw it, of orders that are theirs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend.orders.errors import InstallationChanged
from backend.orders.installations.installations import page_of_installations
from backend.orders.installations.model import Installation, InstallationStatus
from backend.orders.model import Placed
from tenants.principal import Permission, Principal
from tests.network.slots import AFTERNOON, INSTALLER, MORNING
from tests.orders.appointments.agreeing import DAY, at
from tests.orders.installations.installing import Installing, Told, done, in_vain
from tests.refusals import refused
from tests.world import World

AGREED, UNDONE = InstallationStatus.AGREED, InstallationStatus.UNDONE
DONE, GIVEN_UP = InstallationStatus.DONE, InstallationStatus.GIVEN_UP
Step = Callable[..., Awaitable[Installation]]
STEPS: Mapping[str, Step] = {
    "report": lambda brand, order, **how: brand.report(order, done("SN-1"), **how),
    "agree": lambda brand, order, **how: brand.arrange(order, **how),
    "give up": lambda brand, order, **how: brand.give_up(order, **how),
}
OTHERS: Mapping[str, Step] = {
    "report": lambda brand, order, **how: brand.report(order, done("SN-2"), **how),
    "agree": lambda brand, order, **how: brand.arrange(order, at(MORNING), **how),
    "give up": lambda brand, order, **how: brand.give_up(order, "墙体不能打孔", **how),
}
"""The same steps with other content."""
NEEDED: Mapping[str, Permission] = {
    "report": Permission.FULFILMENT_WRITE,
    "agree": Permission.ORDERS_PLACE,
    "give up": Permission.ORDERS_CANCEL,
}


async def brought_to(installing: Installing, status: InstallationStatus) -> Placed:
    """Return an order that has come, and whose installation stands so."""
    await installing.furnish(visits=3)
    order = await installing.arrived()
    match status:
        case InstallationStatus.UNDONE:
            await installing.report(order, in_vain())
        case InstallationStatus.DONE:
            await installing.report(order, done("SN-0"))
        case InstallationStatus.GIVEN_UP:
            await installing.give_up(order, "客户搬家")
    return order


# --------------------------------------------------------------------------------- wrong states


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", [DONE, GIVEN_UP])
async def test_what_is_over_stays_as_it_is(
    installing: Installing, status: InstallationStatus, step: str
) -> None:
    order = await brought_to(installing, status)
    async with refused(installing.admin, "INSTALLATION_CHANGED") as seen:
        await STEPS[step](installing, order)
    assert isinstance(seen.error, InstallationChanged)
    assert seen.error.installation == await installing.standing(order)
    assert (seen.error.installation.status, seen.error.installation.version) == (status, 1)


@pytest.mark.parametrize("report", [done("SN-1"), in_vain()], ids=["done", "in vain"])
async def test_a_visit_is_reported_once(installing: Installing, report: Any) -> None:
    order = await brought_to(installing, UNDONE)
    async with refused(installing.admin, "INSTALLATION_CHANGED"):
        await installing.report(order, report)


# -------------------------------------------------------------------------------------- at once


async def test_of_two_reports_at_once_one_counts(installing: Installing) -> None:
    order = await brought_to(installing, AGREED)
    answers = await asyncio.gather(
        installing.report(order, done("SN-1")),
        installing.report(order, in_vain()),
        return_exceptions=True,
    )
    kinds = sorted(type(answer).__name__ for answer in answers)
    assert kinds == ["Installation", "InstallationChanged"]
    assert len(await installing.visits(order)) == 1


async def test_of_doing_it_and_giving_it_up_at_once_one_counts(installing: Installing) -> None:
    order = await brought_to(installing, AGREED)
    answers = await asyncio.gather(
        installing.report(order, done("SN-1")), installing.give_up(order), return_exceptions=True
    )
    kinds = sorted(type(answer).__name__ for answer in answers)
    assert kinds == ["Installation", "InstallationChanged"]
    found = await installing.standing(order)
    assert found is not None
    assert (await installing.fitters())[0] == (2 if found.status is DONE else 3)


async def test_of_two_times_at_once_the_later_holds(installing: Installing) -> None:
    """Each moves the same visit: one is booked in the end, whichever."""
    order = await brought_to(installing, UNDONE)
    await asyncio.gather(
        installing.arrange(order, at(MORNING)), installing.arrange(order, at(AFTERNOON))
    )
    found = await installing.standing(order)
    assert found is not None
    assert (found.status, found.version) == (AGREED, 3)
    morning, afternoon = await installing.fitters()
    taken_in = {MORNING[0]: (2, 3), AFTERNOON[0]: (3, 2)}
    assert (morning, afternoon) == taken_in[found.from_minute]


# ----------------------------------------------------------------------------------------- once


@pytest.mark.parametrize("step", STEPS)
async def test_the_same_command_again_is_the_same(installing: Installing, step: str) -> None:
    order = await brought_to(installing, AGREED)
    first = await STEPS[step](installing, order, key="k")
    free, told = await installing.fitters(), await installing.told(order)
    assert await STEPS[step](installing, order, key="k") == first
    assert await installing.standing(order) == first
    assert (await installing.fitters(), await installing.told(order)) == (free, told)
    assert len(told) == 1


@pytest.mark.parametrize("step", STEPS)
async def test_one_key_is_for_one_command(installing: Installing, step: str) -> None:
    order = await brought_to(installing, AGREED)
    await STEPS[step](installing, order, key="k")
    async with refused(installing.admin, "IDEMPOTENCY_CONFLICT"):
        await OTHERS[step](installing, order, key="k")
    for other in STEPS.keys() - {step}:
        async with refused(installing.admin, "IDEMPOTENCY_CONFLICT"):
            await STEPS[other](installing, order, key="k")


@pytest.mark.parametrize("step", STEPS)
async def test_one_key_is_for_one_order(installing: Installing, step: str) -> None:
    order = await brought_to(installing, AGREED)
    other = await installing.arrived()
    await STEPS[step](installing, order, key="k")
    async with refused(installing.admin, "IDEMPOTENCY_CONFLICT"):
        await STEPS[step](installing, other, key="k")


async def test_the_same_report_at_once_is_kept_once(installing: Installing) -> None:
    order = await brought_to(installing, AGREED)
    works = (installing.report(order, done("SN-1"), key="k") for _ in range(5))
    first, *others = await asyncio.gather(*works)
    assert others == [first] * 4
    assert await installing.outcomes(order) == ["done"]
    assert await installing.told(order) == [Told("done", "done", *MORNING)]


# -------------------------------------------------------------------------------- as it was seen


@pytest.mark.parametrize("step", ["report", "give up"])
async def test_who_saw_it_before_is_told_how_it_stands(installing: Installing, step: str) -> None:
    order = await brought_to(installing, UNDONE)
    agreed = await installing.arrange(order)
    for seen_version in (0, 1, 3):
        async with refused(installing.admin, "INSTALLATION_CHANGED") as seen:
            await STEPS[step](installing, order, seen=seen_version)
        assert isinstance(seen.error, InstallationChanged)
        assert seen.error.installation == agreed
    assert (await STEPS[step](installing, order, seen=2)).version == 3


@pytest.mark.parametrize("step", ["report", "give up"])
async def test_what_nobody_has_reported_on_was_seen_as_0(installing: Installing, step: str) -> None:
    order = await brought_to(installing, AGREED)
    async with refused(installing.admin, "INSTALLATION_CHANGED"):
        await STEPS[step](installing, order, seen=1)
    assert (await STEPS[step](installing, order, seen=0)).version == 1


# ------------------------------------------------------------------------------- whose they are


@pytest.mark.parametrize("step", STEPS)
async def test_everybody_does_what_they_may(
    installing: Installing, world: World, step: str
) -> None:
    order = await brought_to(installing, AGREED)
    for stranger in (world.dealer, world.store, world.other_brand):
        async with refused(installing.admin, "UNKNOWN_ORDER"):
            await STEPS[step](installing, order, who=stranger)
    async with refused(installing.admin, "WRITE_REFUSED"):
        await STEPS[step](installing, order, who=world.group)
    lacking = replace(world.brand, permissions=world.brand.permissions - {NEEDED[step]})
    async with refused(installing.admin, "PERMISSION_MISSING"):
        await STEPS[step](installing, order, who=lacking)
    only = replace(world.brand, permissions=frozenset({NEEDED[step]}))
    assert (await STEPS[step](installing, order, who=only)).version == 1


@pytest.mark.parametrize("step", STEPS)
async def test_a_dealer_works_on_orders_of_its_own(
    installing: Installing, world: World, step: str
) -> None:
    await installing.furnish(visits=3)
    order = await installing.arrived(shop="dshop")
    async with refused(installing.admin, "UNKNOWN_ORDER"):
        await STEPS[step](installing, order, who=world.other_dealer)
    assert (await STEPS[step](installing, order, who=world.dealer)).version == 1


@pytest.mark.parametrize("step", STEPS)
async def test_of_an_order_that_is_not_there_nothing_is_said(
    installing: Installing, step: str
) -> None:
    order = await brought_to(installing, AGREED)
    nowhere = replace(order, order_id=999_999)
    async with refused(installing.admin, "UNKNOWN_ORDER"):
        await STEPS[step](installing, nowhere)


async def test_everybody_sees_what_is_theirs(installing: Installing, world: World) -> None:
    await installing.furnish(visits=3)
    ours, theirs = await installing.arrived(), await installing.arrived(shop="dshop")
    for order, number in ((ours, 1), (theirs, 2)):
        await installing.report(order, done(f"SN-{number}"))
    both, own, none = {ours.order_id, theirs.order_id}, {theirs.order_id}, set[int]()
    for who, seen in (
        (world.brand, both),
        (world.group, both),
        (world.dealer, own),
        (world.other_dealer, none),
        (world.store, none),
        (world.other_brand, none),
    ):
        assert set(await listed(installing, who=who)) == seen
        for order in (ours, theirs):
            sees = order.order_id in seen
            assert (await installing.standing(order, who) is not None) is sees
            visits = await installing.visits(order, who)
            assert [len(visit.report.units) for visit in visits] == [1] * sees


# -------------------------------------------------------------------------------------- listing


async def listed(
    installing: Installing,
    *statuses: InstallationStatus,
    until: date = DAY,
    after: int = 0,
    limit: int = 10,
    who: Principal | None = None,
) -> list[int]:
    """Return the orders of a page of installations, in some states or any."""
    reader = who or installing.world.brand
    wanted = statuses or tuple(InstallationStatus)
    async with installing.database.tenant_transaction(reader, read_only=True) as tx:
        page = await page_of_installations(tx, wanted, until, after, limit)
    for found in page:
        assert found.status in wanted
    return [found.order_id for found in page]


async def test_installations_are_listed_by_how_they_stand(installing: Installing) -> None:
    await installing.furnish(visits=9)
    orders = [await installing.arrived() for _ in range(5)]
    agreed, again, undone, finished, over = orders
    await installing.stock("wh", A=1)
    await installing.arrived({"A": 1})  # nobody installs it
    for order in (again, undone):
        await installing.report(order, in_vain())
    await installing.arrange(again)
    await installing.report(finished, done("SN-1"))
    await installing.give_up(over)
    ids = [order.order_id for order in orders]
    assert await listed(installing) == ids
    assert await listed(installing, AGREED) == [agreed.order_id, again.order_id]
    assert await listed(installing, UNDONE) == [undone.order_id]
    assert await listed(installing, DONE, GIVEN_UP) == [finished.order_id, over.order_id]
    assert await listed(installing, after=ids[1], limit=2) == ids[2:4]
    assert await listed(installing, after=ids[4]) == []


async def test_installations_are_listed_up_to_a_day(installing: Installing) -> None:
    later = DAY + timedelta(days=1)
    await installing.furnish(visits=2)
    await installing.provide(INSTALLER, day=later)
    first, second = [await installing.arrived() for _ in range(2)]
    await installing.arrange(second, at(MORNING, later))
    assert await listed(installing, until=DAY - timedelta(days=1)) == []
    assert await listed(installing, until=DAY) == [first.order_id]
    assert await listed(installing, until=later) == [first.order_id, second.order_id]
