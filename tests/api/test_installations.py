"""Installation through the API: the visits of who installs are reported, agreed anew, listed."""

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend.orders.model import Placed
from backend.routing.promises import TIMES_MAX
from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tenants.principal import Permission, Principal
from tests.api.client import Api
from tests.api.users import user_with
from tests.catalogue import Connection, contents
from tests.inventory.pools.living import Living
from tests.network.slots import AFTERNOON, DOCK, INSTALLER, MORNING, put_provider
from tests.orders.appointments.agreeing import DAY, at
from tests.orders.appointments.test_on_their_way import cancel, take
from tests.orders.checks import placed
from tests.orders.installations.installing import PHOTO, SIGNATURE, Installing, done, in_vain
from tests.world import BEIJING, SHANGHAI, World, draft, fresh_key

VISIT = """visitNo day firstMinute endMinute outcome note photos units { lineNo serial } signature
    reportedBy reportedAt"""
FIELDS = f"id orderId status version day fromMinute toMinute reason visits {{ {VISIT} }}"
SAVED = f"""__typename ... on InstallationSaved {{ installation {{ {FIELDS} }} }}
    ... on InstallationChanged {{ code installation {{ id status version }} }}
    ... on UserError {{ code message path }} ... on PermissionDenied {{ permission }}"""
LIST = """query ($statuses: [InstallationStatus!], $until: Date, $first: Int! = 20,
    $after: String) {
    installations(statuses: $statuses, until: $until, first: $first, after: $after) {
    edges { node { orderId status } } pageInfo { hasNextPage endCursor } } }"""
NODE = f"query ($id: ID!) {{ node(id: $id) {{ ... on Installation {{ {FIELDS} }} }} }}"
TIMES = """query ($id: ID!) { installationTimes(orderId: $id) { day fromMinute toMinute } }"""
INPUTS = {
    "installationReport": "InstallationReportInput",
    "installationAgree": "InstallationAgreeInput",
    "installationGiveUp": "InstallationGiveUpInput",
}
LATER = {"day": DAY.isoformat(), "fromMinute": AFTERNOON[0], "toMinute": AFTERNOON[1]}
IN_VAIN: dict[str, Any] = {"outcome": "NO_SHOW", "note": "到门无人，电话不接"}
NEEDS: dict[str, dict[str, Any]] = {
    "installationReport": IN_VAIN,
    "installationAgree": {"appointment": LATER},
    "installationGiveUp": {"reason": "客户自己找人装"},
}
"""What each command needs beside the order."""


def finished(*serials: str, **changes: Any) -> dict[str, Any]:
    """Return the report of who has installed units of the first line."""
    return {
        "outcome": "DONE",
        "photos": [PHOTO],
        "signature": SIGNATURE,
        "units": [{"lineNo": 1, "serial": serial} for serial in serials],
    } | changes


class Fitters:
    """Who installs for a brand, over the API."""

    def __init__(self, api: Api, brand: Installing) -> None:
        self.api, self.brand, self.world = api, brand, brand.world

    async def run(
        self, name: str, order: Placed | str, who: Principal | None = None, **values: Any
    ) -> dict[str, Any]:
        """Return what a command answers of an order."""
        query = f"mutation ($input: {INPUTS[name]}!) {{ {name}(input: $input) {{ {SAVED} }} }}"
        order_id = order if isinstance(order, str) else id_of("Order", order.order_id)
        given = {"idempotencyKey": fresh_key(), "orderId": order_id} | values
        return dict((await self.api.data(query, who or self.world.brand, input=given))[name])

    async def saved(self, name: str, order: Placed, **values: Any) -> dict[str, Any]:
        """Return how an installation stands after a command that is carried out."""
        answer = await self.run(name, order, **values)
        assert answer["__typename"] == "InstallationSaved", answer
        return dict(answer["installation"])

    async def page(self, who: Principal | None = None, **values: Any) -> dict[str, Any]:
        answer = await self.api.data(LIST, who or self.world.brand, **values)
        return dict(answer["installations"])

    async def listed(self, who: Principal | None = None, **values: Any) -> list[str]:
        """Return the orders of the first page, by id."""
        edges = (await self.page(who, **values))["edges"]
        return [edge["node"]["orderId"] for edge in edges]

    async def node(self, order: Placed, who: Principal | None = None) -> Any:
        number = id_of("Installation", order.order_id)
        return (await self.api.data(NODE, who or self.world.brand, id=number))["node"]

    async def times(
        self, order: Placed, who: Principal | None = None
    ) -> list[tuple[date, int, int]]:
        """Return the times at which an order could be installed, as they are offered."""
        given = {"id": id_of("Order", order.order_id)}
        found = (await self.api.data(TIMES, who or self.world.brand, **given))["installationTimes"]
        return [
            (date.fromisoformat(one["day"]), one["fromMinute"], one["toMinute"]) for one in found
        ]

    async def no_times(self, order: str, who: Principal | None = None) -> str:
        """Return with which code times are refused to somebody."""
        answer = await self.api.ask(TIMES, who or self.world.brand, id=order)
        (error,) = answer["errors"]
        return str(error["extensions"]["code"])


@pytest.fixture
async def fitters(api: Api, live: Living, admin: Connection) -> Fitters:
    """9 coolers in "wh", which fitters install, 9 of them each half-day."""
    brand = Installing(live.runtime, live.world, admin)
    await brand.begin()
    await brand.furnish(visits=9)
    return Fitters(api, brand)


def ids(*orders: Placed) -> list[str]:
    return [id_of("Order", order.order_id) for order in orders]


async def test_an_installation_from_a_visit_in_vain_to_the_signature(fitters: Fitters) -> None:
    order = await fitters.brand.arrived({"AC": 2})
    undone = await fitters.saved("installationReport", order, **IN_VAIN)
    assert (undone["status"], undone["version"]) == ("UNDONE", 1)
    again = await fitters.saved("installationAgree", order, appointment=LATER)
    assert (again["status"], again["version"], again["fromMinute"]) == ("AGREED", 2, AFTERNOON[0])
    report = finished("SN-0001", "SN-0002", note="加铜管 1 米")
    after = await fitters.saved("installationReport", order, **report, seenVersion=2)
    first, second = after.pop("visits")
    assert after == {
        "id": id_of("Installation", order.order_id),
        "orderId": id_of("Order", order.order_id),
        "status": "DONE",
        "version": 3,
        **LATER,
        "reason": "",
    }
    assert first.pop("reportedAt") < second.pop("reportedAt")
    by = {"reportedBy": fitters.world.brand.subject, "day": DAY.isoformat()}
    assert first == by | {
        "visitNo": 1,
        "firstMinute": MORNING[0],
        "endMinute": MORNING[1],
        **IN_VAIN,
        "photos": [],
        "units": [],
        "signature": "",
    }
    assert second == by | {
        "visitNo": 2,
        "firstMinute": AFTERNOON[0],
        "endMinute": AFTERNOON[1],
        **report,
    }
    assert (await fitters.node(order))["visits"] != []


async def test_an_installation_is_given_up(fitters: Fitters) -> None:
    order = await fitters.brand.arrived()
    after = await fitters.saved("installationGiveUp", order, reason="客户搬家")
    assert (after["status"], after["reason"], after["visits"]) == ("GIVEN_UP", "客户搬家", [])
    assert await fitters.brand.fitters() == (9, 9)


async def test_what_is_not_as_it_was_seen_is_shown(fitters: Fitters) -> None:
    order = await fitters.brand.arrived()
    await fitters.brand.report(order, in_vain())
    shown = {"id": id_of("Installation", order.order_id), "status": "UNDONE", "version": 1}
    for name in ("installationReport", "installationGiveUp"):
        answer = await fitters.run(name, order, **NEEDS[name], seenVersion=0)
        assert answer["__typename"] == "InstallationChanged"
        assert (answer["code"], answer["installation"]) == ("INSTALLATION_CHANGED", shown)
    await fitters.brand.give_up(order)
    answer = await fitters.run("installationAgree", order, appointment=LATER)
    assert answer["installation"] == shown | {"status": "GIVEN_UP", "version": 2}


async def test_what_is_wrong_changes_nothing(fitters: Fitters, admin: Connection) -> None:
    brand = fitters.brand
    other, there = await brand.arrived(), await brand.arrived({"AC": 2})
    await brand.report(other, done("SN-1"))
    coming = await brand.order({"AC": 1}, at(MORNING))
    await brand.stock("wh", A=1)
    plain = await brand.arrived({"A": 1})
    backwards = LATER | {"fromMinute": 5, "toMinute": 4}
    night = LATER | {"fromMinute": 1_380, "toMinute": 1_440}
    report, agree, end = INPUTS
    bad: list[tuple[str, Placed | str, dict[str, Any], str]] = [
        (report, there, finished("SN-2"), "INVALID_REPORT"),
        (report, there, finished("SN-2", "SN-3", photos=[]), "INVALID_REPORT"),
        (report, there, finished("SN-2", "SN-3", signature=""), "INVALID_REPORT"),
        (report, there, finished("SN-2", ""), "INVALID_REPORT"),
        (report, there, IN_VAIN | {"note": ""}, "INVALID_REPORT"),
        (report, there, IN_VAIN | {"outcome": "SITE_PROBLEM"}, "INVALID_REPORT"),
        (report, there, finished("SN-1", "SN-2"), "ALREADY_EXISTS"),
        (report, coming, finished("SN-4"), "NOT_ARRIVED"),
        (report, plain, finished("SN-4"), "NOTHING_TO_INSTALL"),
        (agree, coming, {"appointment": LATER}, "NOT_ARRIVED"),
        (agree, there, {"appointment": night}, "NO_APPOINTMENT"),
        (agree, there, {"appointment": backwards}, "INVALID_ORDER"),
        (end, there, {"reason": ""}, "INVALID_REPORT"),
        (end, plain, {"reason": "不装了"}, "NOTHING_TO_INSTALL"),
    ]
    for name in INPUTS:
        bad.append((name, id_of("Order", 999_999), NEEDS[name], "UNKNOWN_ORDER"))
        bad.append((name, id_of("Installation", 1), NEEDS[name], "INVALID_ID"))
        bad.append((name, there, {**NEEDS[name], "idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY"))
    before = await contents(admin)
    for name, order, given, code in bad:
        answer = await fitters.run(name, order, **given)
        assert (answer["__typename"], answer["code"]) == ("InputRefused", code), (given, answer)
    assert await contents(admin) == before


@pytest.mark.parametrize("name", NEEDS)
async def test_the_same_command_again_is_the_same(fitters: Fitters, name: str) -> None:
    order = await fitters.brand.arrived()
    first = await fitters.saved(name, order, **NEEDS[name], idempotencyKey="k")
    assert await fitters.saved(name, order, **NEEDS[name], idempotencyKey="k") == first
    other = await fitters.run(
        "installationGiveUp", order, reason="墙体不能打孔", idempotencyKey="k"
    )
    assert other["code"] == "IDEMPOTENCY_CONFLICT"


async def test_everybody_does_what_they_may(
    fitters: Fitters, runtime: Runtime, world: World, admin: Connection
) -> None:
    order = await fitters.brand.arrived()
    reader = await user_with(runtime, world, Permission.ORDERS_READ)
    needed = ("fulfilment:write", "orders:place", "orders:cancel")
    before = await contents(admin)
    for name, permission in zip(INPUTS, needed, strict=True):
        denied = await fitters.run(name, order, reader, **NEEDS[name])
        assert (denied["__typename"], denied["permission"]) == ("PermissionDenied", permission)
        for who, code in ((world.dealer, "UNKNOWN_ORDER"), (world.group, "WRITE_REFUSED")):
            assert (await fitters.run(name, order, who, **NEEDS[name]))["code"] == code
    assert await contents(admin) == before
    assert await fitters.listed(reader) == ids(order)
    worker = await user_with(runtime, world, Permission.FULFILMENT_WRITE)
    for query, given in ((LIST, {}), (NODE, {"id": id_of("Installation", order.order_id)})):
        answer = await fitters.api.ask(query, worker, **given)
        assert answer["errors"][0]["extensions"]["code"] == "PERMISSION_MISSING"


async def test_installations_are_listed_by_how_they_stand(fitters: Fitters) -> None:
    brand = fitters.brand
    agreed, undone, finished_one, over = [await brand.arrived() for _ in range(4)]
    await brand.report(undone, in_vain())
    await brand.report(finished_one, done("SN-1"))
    await brand.give_up(over)
    assert await fitters.listed() == ids(agreed, undone)  # those that are to be done
    assert await fitters.listed(statuses=["UNDONE"]) == ids(undone)
    assert await fitters.listed(statuses=["DONE", "GIVEN_UP"]) == ids(finished_one, over)
    (edge,) = (await fitters.page(statuses=["DONE"]))["edges"]
    assert edge["node"] == {"orderId": ids(finished_one)[0], "status": "DONE"}


async def test_installations_are_listed_up_to_a_day(fitters: Fitters) -> None:
    brand, later = fitters.brand, DAY + timedelta(days=2)
    await brand.provide(INSTALLER, day=later)
    soon, then = [await brand.arrived() for _ in range(2)]
    await brand.arrange(then, at(MORNING, later))

    async def until(day: date) -> list[str]:
        return await fitters.listed(until=day.isoformat())

    assert await until(DAY - timedelta(days=1)) == []
    assert await until(DAY) == ids(soon)
    assert await until(later) == ids(soon, then)
    assert await fitters.listed() == ids(soon, then)


async def test_installations_are_listed_page_by_page(fitters: Fitters) -> None:
    orders = [await fitters.brand.arrived() for _ in range(5)]
    seen: list[str] = []
    after: str | None = None
    for size, more in ((2, True), (2, True), (1, False)):
        page = await fitters.page(first=2, after=after)
        assert (len(page["edges"]), page["pageInfo"]["hasNextPage"]) == (size, more)
        seen += [edge["node"]["orderId"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    assert seen == ids(*orders)
    for bad in ({"first": 0}, {"first": 101}, {"after": "x"}):
        answer = await fitters.api.ask(LIST, fitters.world.brand, **bad)
        assert answer["errors"][0]["extensions"]["code"] == "INVALID_PAGE"


async def test_everybody_sees_what_is_theirs(fitters: Fitters, world: World) -> None:
    ours = await fitters.brand.arrived()
    theirs = await fitters.brand.arrived(shop="dshop")
    report = finished("SN-1")
    answer = await fitters.run("installationReport", theirs, world.dealer, **report)
    assert answer["installation"]["visits"][0]["reportedBy"] == world.dealer.subject
    states = ["AGREED", "DONE"]
    for who, seen in (
        (world.brand, [ours, theirs]),
        (world.group, [ours, theirs]),
        (world.dealer, [theirs]),
        (world.other_dealer, []),
        (world.store, []),
        (world.other_brand, []),
    ):
        assert await fitters.listed(who, statuses=states) == ids(*seen)
        for order in (ours, theirs):
            found = await fitters.node(order, who)
            assert (found is not None) is (order in seen)
    found = await fitters.node(theirs, world.dealer)
    (visit,) = found["visits"]
    assert (found["status"], visit["units"]) == ("DONE", report["units"])


async def test_what_is_not_installed_is_no_installation(fitters: Fitters) -> None:
    await fitters.brand.stock("wh", A=1)
    order = await fitters.brand.arrived({"A": 1})
    assert await fitters.node(order) is None
    assert await fitters.listed() == []


# ------------------------------------------------------------------------- when it could be done


async def test_the_free_windows_of_who_installs_are_offered(fitters: Fitters) -> None:
    order = await fitters.brand.arrived()
    assert await fitters.times(order) == [(DAY, *MORNING), (DAY, *AFTERNOON)]


async def test_a_dock_offers_no_time_to_install(fitters: Fitters) -> None:
    """The visit of a carrier is none of who installs, and stretches none of theirs."""
    brand, later = fitters.brand, DAY - timedelta(days=1)
    order = await brand.arrived()
    await brand.provide(DOCK, MORNING, day=later)
    await brand.provide(INSTALLER, AFTERNOON, day=later)
    found = [time for time in await fitters.times(order) if time[0] == later]
    assert found == [(later, *AFTERNOON)]


async def test_what_is_offered_can_be_agreed(fitters: Fitters) -> None:
    order = await fitters.brand.arrived({"AC": 2})
    await fitters.brand.report(order, in_vain())
    offered = await fitters.times(order)
    assert offered
    for day, first, end in offered:
        agreed = {"day": day.isoformat(), "fromMinute": first, "toMinute": end}
        after = await fitters.saved("installationAgree", order, appointment=agreed)
        assert (after["status"], after["fromMinute"], after["toMinute"]) == ("AGREED", first, end)


async def test_windows_that_are_taken_are_not_offered(fitters: Fitters, admin: Connection) -> None:
    brand = fitters.brand
    order = await brand.arrived()
    await admin.execute("update slot set limit_visits = taken + 1")
    other = await brand.arrived(time=AFTERNOON)
    assert await fitters.times(order) == [(DAY, *MORNING)]
    await brand.give_up(other)
    assert (DAY, *AFTERNOON) in await fitters.times(order)


async def test_those_who_install_something_else_or_elsewhere_are_not_offered(
    fitters: Fitters,
) -> None:
    brand, evening = fitters.brand, (1_080, 1_260)
    order = await brand.arrived()
    for provider in (
        replace(INSTALLER, code="screens", categories=("tv",)),
        replace(INSTALLER, code="north", regions=(BEIJING,)),
    ):
        await brand.provide(provider, evening)
    assert (DAY, *evening) not in await fitters.times(order)
    coolers = replace(INSTALLER, code="coolers", categories=("ac",), regions=(SHANGHAI,))
    await brand.provide(coolers, evening)
    assert (DAY, *evening) in await fitters.times(order)
    await put_provider(brand.database, brand.world.brand, replace(coolers, is_active=False))
    assert (DAY, *evening) not in await fitters.times(order)


async def test_who_installs_all_of_it_is_offered(fitters: Fitters) -> None:
    brand, evening = fitters.brand, (1_080, 1_260)
    await brand.stock("wh", TV=1)
    order = await brand.arrived({"AC": 1, "TV": 1})
    for category in ("ac", "tv"):
        one = replace(INSTALLER, code=f"only-{category}", categories=(category,))
        await brand.provide(one, evening)
    assert (DAY, *evening) not in await fitters.times(order)
    both = replace(INSTALLER, code="both", categories=("ac", "tv"))
    await brand.provide(both, evening)
    assert (DAY, *evening) in await fitters.times(order)


async def test_times_come_the_earliest_first_and_not_all_of_them(fitters: Fitters) -> None:
    brand = fitters.brand
    order = await brand.arrived()
    earlier = [DAY - timedelta(days=n) for n in range(TIMES_MAX, 0, -1)]
    for day in reversed(earlier):
        await brand.provide(INSTALLER, MORNING, day=day)
    assert await fitters.times(order) == [(day, *MORNING) for day in earlier]


async def test_a_day_that_is_over_is_not_offered(fitters: Fitters) -> None:
    past = DAY - timedelta(days=33)
    order = await fitters.brand.arrived()
    await fitters.brand.provide(INSTALLER, day=past)
    assert past not in [day for day, _, _ in await fitters.times(order)]


async def test_times_are_offered_until_it_is_done_or_given_up(fitters: Fitters) -> None:
    brand = fitters.brand
    undone, finished_one, over = [await brand.arrived() for _ in range(3)]
    await brand.report(undone, in_vain())
    assert await fitters.times(undone) != []
    await brand.report(finished_one, done("SN-1"))
    await brand.give_up(over)
    for order in (finished_one, over):
        assert await fitters.times(order) == []


async def test_no_time_is_offered_before_it_has_come(fitters: Fitters) -> None:
    coming = await fitters.brand.order({"AC": 1}, at(MORNING))
    assert await fitters.times(coming) == []
    await take(fitters.brand, coming, "wh", "ship")
    assert await fitters.times(coming) == []


async def test_no_time_is_offered_before_all_of_it_has_come(fitters: Fitters) -> None:
    await fitters.brand.stock("far", A=1)
    order = await fitters.brand.arrived({"AC": 1, "A": 1})
    assert await fitters.times(order) == []
    await take(fitters.brand, order, "far", "deliver")
    assert await fitters.times(order) != []


async def test_no_time_is_offered_where_no_time_was_agreed(fitters: Fitters, live: Living) -> None:
    await fitters.brand.stock("wh", A=1)
    order = placed(await live.runtime.intake.place(draft({"A": 1}), live.brand))
    await take(fitters.brand, order, "wh", "deliver")
    assert await fitters.times(order) == []


async def test_no_time_is_offered_where_nothing_is_to_be_installed(fitters: Fitters) -> None:
    """It was delivered at an agreed time, and that is all."""
    await fitters.brand.stock("wh", A=1)
    order = await fitters.brand.arrived({"A": 1})
    assert await fitters.times(order) == []


async def test_no_time_is_offered_where_what_was_to_be_installed_is_cancelled(
    fitters: Fitters,
) -> None:
    brand = fitters.brand
    await brand.stock("far", A=1)
    order = await brand.order({"AC": 1, "A": 1}, at(MORNING))
    await cancel(brand, order, 1)
    await take(brand, order, "far", "deliver")
    assert await fitters.times(order) == []


async def test_times_are_offered_to_who_may_see_the_order(
    fitters: Fitters, runtime: Runtime, world: World
) -> None:
    ours = await fitters.brand.arrived()
    theirs = await fitters.brand.arrived(shop="dshop")
    worker = await user_with(runtime, world, Permission.FULFILMENT_WRITE)
    for who, seen in (
        (world.brand, [ours, theirs]),
        (world.group, [ours, theirs]),
        (world.dealer, [theirs]),
        (world.other_dealer, []),
        (world.store, []),
        (world.other_brand, []),
    ):
        for order in (ours, theirs):
            if order in seen:
                assert (DAY, *AFTERNOON) in await fitters.times(order, who)
            else:
                assert await fitters.no_times(ids(order)[0], who) == "UNKNOWN_ORDER"
    assert await fitters.no_times(ids(ours)[0], worker) == "PERMISSION_MISSING"
    assert await fitters.no_times(id_of("Order", 999_999)) == "UNKNOWN_ORDER"
    for nonsense in (id_of("Installation", ours.order_id), "x"):
        assert await fitters.no_times(nonsense) == "INVALID_ID"


async def test_looking_for_times_books_nothing(fitters: Fitters, admin: Connection) -> None:
    order = await fitters.brand.arrived()
    before = await contents(admin)
    assert await fitters.times(order)
    assert await contents(admin) == before
