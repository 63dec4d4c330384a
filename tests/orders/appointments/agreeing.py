"""Orders with appointments, and what is booked for them."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.db.pool import Database
from backend.network.model import SlotProviderDraft
from backend.network.slots import Window
from backend.orders.model import Appointment, OrderStatus, Outcome, Placed
from backend.orders.set_appointment import appointment_times, set_appointment
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.network.slots import AFTERNOON, MORNING, put_provider, put_slots, windows
from tests.orders.checks import placed
from tests.world import World, draft, fresh_key, paid, receive

DAY = date.today() + timedelta(days=30)
"""Long enough for every parcel to be there."""
FREE = """
    select p.code || case when s.first_minute = 540 then '-am' else '-pm' end as slot,
           s.limit_visits - s.taken as free
    from slot s join slot_provider p on p.tenant_id = s.tenant_id and p.id = s.provider_id
    order by 1
"""
BOOKED = """
    select a.is_booked,
           array(select p.code || case when s.first_minute = 540 then '-am' else '-pm' end
                 from (select f.slot_id as id from fulfilment f
                       where f.order_id = a.order_id and f.status = 'reserved'
                       union all select a.installation_slot_id) b
                 join slot s on s.id = b.id
                 join slot_provider p on p.id = s.provider_id order by 1) as slots
    from order_appointment a where a.order_id = $1
"""


def at(time: tuple[int, int] = (0, 1_440), day: date = DAY) -> Appointment:
    return Appointment(day, *time)


class Booked(NamedTuple):
    """What is booked for an order."""

    is_booked: bool
    slots: list[str]


class Agreeing:
    """A brand with a SKU that is installed, "AC" of category "ac", beside those of the world."""

    def __init__(self, runtime: Runtime, world: World, admin: Connection) -> None:
        self.runtime = runtime
        self.world = world
        self.admin = admin

    @property
    def database(self) -> Database:
        return self.runtime.database

    async def begin(self) -> None:
        cooler = SkuDraft(code="AC", name="AC", category="ac", needs_installation=True)
        async with self.database.tenant_transaction(self.world.brand) as tx:
            await save_skus(tx, [cooler])
            self.world.skus["AC"] = await tx._connection.fetchval(
                "select id from sku where code = 'AC'"
            )
        await until(lambda: self.runtime.admission.ensure_warm(self.world.tenant_id))

    async def stock(self, warehouse: str, **units: int) -> None:
        for sku, quantity in units.items():
            level = await receive(self.database, self.world.brand, warehouse, sku, quantity)
            await self.runtime.publish_levels(self.world.tenant_id, [level])

    async def provide(
        self,
        provider: SlotProviderDraft,
        *times: tuple[int, int],
        visits: int = 1,
        day: date = DAY,
    ) -> None:
        """Let a provider make visits in the morning and the afternoon, or in the times named."""
        await put_provider(self.database, self.world.brand, provider)
        given = windows(*(times or (MORNING, AFTERNOON)), visits=visits)
        await put_slots(self.database, self.world.brand, provider.code, (day, day), given)

    async def ask(self, lines: Mapping[str, int], agreed: Appointment, **changes: Any) -> Outcome:
        order = draft(lines, appointment=agreed, **changes)
        return await self.runtime.intake.place(order, self.world.brand)

    async def order(self, lines: Mapping[str, int], agreed: Appointment, **changes: Any) -> Placed:
        return placed(await self.ask(lines, agreed, **changes))

    async def pay(self, lines: Mapping[str, int], agreed: Appointment, **changes: Any) -> Placed:
        order = paid(fresh_key(), lines, appointment=agreed, **changes)
        return placed(await self.runtime.intake.place(order, self.world.brand))

    async def agree(
        self, order: Placed, agreed: Appointment, who: Principal | None = None, key: str = ""
    ) -> OrderStatus:
        live = await self.runtime.books.open(self.world.tenant_id)
        await live.freshen()
        return await set_appointment(
            self.database,
            who or self.world.brand,
            order.order_id,
            agreed,
            live.book.planner,
            key or fresh_key(),
        )

    async def times(self, order: Placed, who: Principal | None = None) -> list[Window]:
        """Return the times that could be agreed with an order."""
        live = await self.runtime.books.open(self.world.tenant_id)
        await live.freshen()
        return await appointment_times(
            self.database, who or self.world.brand, order.order_id, live.book.planner
        )

    async def free(self) -> dict[str, int]:
        """Return the visits that are free, by provider and time of day."""
        return {row["slot"]: row["free"] for row in await self.admin.fetch(FREE)}

    async def booked(self, order: Placed) -> Booked | None:
        row = await self.admin.fetchrow(BOOKED, order.order_id)
        return None if row is None else Booked(*row)

    async def kinds(self, order: Placed) -> list[str]:
        """Return what the order is held for."""
        rows = await self.admin.fetch(
            "select kind from order_hold where order_id = $1 and released_at is null"
            " order by hold_no",
            order.order_id,
        )
        return [row["kind"] for row in rows]

    async def status(self, order: Placed) -> str:
        found: str = await self.admin.fetchval(
            "select status from orders where id = $1", order.order_id
        )
        return found

    async def events(self, order: Placed) -> list[str]:
        rows = await self.admin.fetch(
            "select type from outbox where order_id = $1 order by sequence", order.order_id
        )
        return [row["type"] for row in rows]
