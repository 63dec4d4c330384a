"""Orders whose goods are installed, and what people say of the visits."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.events.log import events_of_orders
from backend.orders.installations.installations import (
    agree_installation,
    give_up_installation,
    installations_of_orders,
    report_visit,
    visits_of_orders,
)
from backend.orders.installations.model import (
    Installation,
    InstallationVisit,
    InstalledUnit,
    VisitOutcome,
    VisitReport,
)
from backend.orders.model import Appointment, Placed
from tenants.principal import Principal
from tests.network.slots import AFTERNOON, INSTALLER, MORNING
from tests.orders.appointments.agreeing import Agreeing, at
from tests.orders.appointments.test_on_their_way import take
from tests.world import fresh_key

PHOTO, SIGNATURE = "oss://anzhuang/内机.jpg", "oss://qianming/张三.png"
IN_VAIN: Mapping[VisitOutcome, str] = {
    VisitOutcome.NO_SHOW: "到门无人，电话不接",
    VisitOutcome.INSTALLER_ABSENT: "师傅车坏在高架上，没有上门",
    VisitOutcome.FAILED: "少一根铜管，装不了",
    VisitOutcome.SITE_PROBLEM: "外墙无机位，量得窗台宽 42 cm",
}
"""Every outcome but that it is done, and why."""


def units(*serials: str, line_no: int = 1) -> tuple[InstalledUnit, ...]:
    return tuple(InstalledUnit(line_no, serial) for serial in serials)


def done(*serials: str, **changes: Any) -> VisitReport:
    """Return the report of who has installed units of the first line."""
    said = {"photos": (PHOTO,), "units": units(*serials), "signature": SIGNATURE}
    return VisitReport(VisitOutcome.DONE, **(said | changes))


def in_vain(outcome: VisitOutcome = VisitOutcome.NO_SHOW, **changes: Any) -> VisitReport:
    """Return the report of who has not installed it, with all that it must say."""
    photos = (PHOTO,) if outcome is VisitOutcome.SITE_PROBLEM else ()
    return VisitReport(outcome, **({"note": IN_VAIN[outcome], "photos": photos} | changes))


class Told(NamedTuple):
    """What an event says of an installation."""

    status: str
    outcome: str
    from_minute: int
    to_minute: int


class Installing(Agreeing):
    """A brand with "AC" and "TV", which are installed; fitters come in two half-days."""

    async def begin(self) -> None:
        screen = SkuDraft(code="TV", name="电视", category="tv", needs_installation=True)
        async with self.database.tenant_transaction(self.world.brand) as tx:
            self.world.skus.update(await save_skus(tx, [screen]))
        await super().begin()

    async def furnish(self, visits: int = 1, **stock: int) -> None:
        """Let "wh" have goods (9 coolers), and fitters make so many visits each half-day."""
        await self.stock("wh", **(stock or {"AC": 9}))
        await self.provide(INSTALLER, MORNING, AFTERNOON, visits=visits)

    async def arrived(
        self,
        lines: Mapping[str, int] | None = None,
        time: tuple[int, int] = MORNING,
        **changes: Any,
    ) -> Placed:
        """Let an order of "wh" (one cooler) arrive, which is to be installed then."""
        order = await self.order(lines or {"AC": 1}, at(time), **changes)
        await take(self, order, "wh", "deliver")
        return order

    async def report(
        self,
        order: Placed,
        report: VisitReport,
        *,
        seen: int | None = None,
        key: str = "",
        who: Principal | None = None,
    ) -> Installation:
        who, key = who or self.world.brand, key or fresh_key()
        return await report_visit(self.database, who, order.order_id, report, seen=seen, key=key)

    async def arrange(
        self,
        order: Placed,
        agreed: Appointment | None = None,
        *,
        key: str = "",
        who: Principal | None = None,
    ) -> Installation:
        """Agree on another time, the afternoon, to install what has come."""
        live = await self.runtime.books.open(self.world.tenant_id)
        await live.freshen()
        return await agree_installation(
            self.database,
            who or self.world.brand,
            order.order_id,
            agreed or at(AFTERNOON),
            live.book.planner,
            key or fresh_key(),
        )

    async def give_up(
        self,
        order: Placed,
        reason: str = "客户自己找人装",
        *,
        seen: int | None = None,
        key: str = "",
        who: Principal | None = None,
    ) -> Installation:
        who, key = who or self.world.brand, key or fresh_key()
        return await give_up_installation(
            self.database, who, order.order_id, reason, seen=seen, key=key
        )

    async def standing(self, order: Placed, who: Principal | None = None) -> Installation | None:
        """Return how an installation stands, as somebody may see it."""
        reader = who or self.world.brand
        async with self.database.tenant_transaction(reader, read_only=True) as tx:
            return (await installations_of_orders(tx, [order.order_id])).get(order.order_id)

    async def visits(self, order: Placed, who: Principal | None = None) -> list[InstallationVisit]:
        reader = who or self.world.brand
        async with self.database.tenant_transaction(reader, read_only=True) as tx:
            return (await visits_of_orders(tx, [order.order_id])).get(order.order_id, [])

    async def outcomes(self, order: Placed) -> list[str]:
        """Return what came of an order's visits, by number."""
        visits = await self.visits(order)
        assert [visit.visit_no for visit in visits] == list(range(1, len(visits) + 1))
        return [visit.report.outcome.value for visit in visits]

    async def fitters(self) -> tuple[int, int]:
        """Return the visits that fitters have left in the morning, and in the afternoon."""
        free = await self.free()
        return free["fitters-am"], free["fitters-pm"]

    async def told(self, order: Placed) -> list[Told]:
        """Return what an order's events say of its installation, by sequence."""
        ids = [order.order_id]
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            events = (await events_of_orders(tx, ids))[order.order_id]
        assert [one.sequence for one in events] == list(range(1, len(events) + 1))
        found = [one.payload for one in events if one.type == "installation.changed"]
        for payload in found:
            assert payload["orderId"] == order.order_id
        fields = ("status", "outcome", "fromMinute", "toMinute")
        return [Told(*(payload[name] for name in fields)) for payload in found]
