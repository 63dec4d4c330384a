"""What everybody of the month shares: who they are, how the orders stand, and what was done."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import date, timedelta

from backend.db.pool import Record, TenantTransaction
from backend.dropship.quotas.accounts import account_by_code
from backend.dropship.quotas.model import QuotaAccount
from backend.inventory.counters import Counters
from backend.orders.find_orders import fulfilments_of_orders, lines_of_orders, orders_by_ids
from backend.orders.model import FulfilmentStatus, OrderDraft, OrderStatus
from backend.orders.move_fulfilments import FulfilmentKey
from backend.runtime import Runtime
from loadtests.month.dealers import FIRST_OF_NEXT, Dealer
from loadtests.month.plan import Planned
from loadtests.week.week import FINAL, Week
from tenants.principal import Kind, Permission, Principal


class Order:
    """An order of the month, as it stood when it was last looked at."""

    def __init__(self, planned: Planned, order_id: int, seed: int) -> None:
        self.planned = planned
        self.id = order_id
        self.random = planned.random(seed)
        self.status = OrderStatus.HELD
        self.version = 0
        self.fulfilments: list[Record] = []
        self.lines: list[Record] = []
        self.has_story = False
        """Whether more is to happen to it than to any other."""

    @property
    def name(self) -> str:
        return f"{self.planned.draft.external_id} ({self.planned.fate})"

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def left(self) -> int:
        """The units of its first line that are not cancelled."""
        return int(self.lines[0]["quantity"] - self.lines[0]["cancelled"])

    @property
    def is_dealt(self) -> bool:
        """Whether it is said of its first line by which agreement it is sold."""
        return self.lines[0]["agreement_id"] is not None

    def keys(self, *statuses: FulfilmentStatus) -> list[FulfilmentKey]:
        """Return its fulfilments that stand somewhere."""
        return [
            FulfilmentKey(row["order_id"], row["fulfilment_no"])
            for row in self.fulfilments
            if row["status"] in statuses
        ]

    def node_of(self, key: FulfilmentKey) -> int:
        return next(
            int(row["node_id"])
            for row in self.fulfilments
            if row["fulfilment_no"] == key.fulfilment_no
        )


class Month(Week):
    """The month so far."""

    def __init__(
        self, runtime: Runtime, tenant_id: int, seed: int, dealers: Sequence[Dealer], days: int
    ) -> None:
        super().__init__(runtime, tenant_id, seed)
        self.dealers = dealers
        self.days = days
        self.ids: dict[str, int] = {}
        """Of the dealers, by code."""
        self.orders: dict[int, Order] = {}
        self.allows: Callable[[Dealer, OrderDraft], bool] = lambda dealer, order: True
        """Whether a dealer's terms of today allow an order."""
        self.volume_minor: dict[str, int] = {}
        """What orders of each dealer take of its quota on a day, by an estimate."""

    def as_dealer(self, dealer: Dealer) -> Principal:
        """Return who acts for a dealer, and sees nothing else."""
        return Principal(
            tenant_id=self.tenant_id,
            kind=Kind.DEALER,
            subject=f"dealer:{dealer.code}",
            dealer_id=self.ids[dealer.code],
            permissions=frozenset(Permission),
        )

    @property
    def pace(self) -> int:
        """How slowly customers are, in a month of so many days."""
        return max(1, self.days // 10)

    def day_at(self, share: float) -> int:
        """Return the day, counted from 0, that lies so far in the month."""
        return int(self.days * share)

    def date_of(self, day: int) -> date:
        return (FIRST_OF_NEXT - timedelta(days=self.days - day)).date()

    async def account(self, code: str) -> QuotaAccount:
        async with self.reading() as tx:
            return await account_by_code(tx, code)

    async def write(self, what: str, work: Callable[[TenantTransaction], Awaitable[object]]) -> int:
        """Do something as the brand in a transaction, count it, and tell of a quota it changed."""
        async with self.database.tenant_transaction(self.clerk) as tx:
            done = await work(tx)
        self.done[what] += 1
        if isinstance(done, QuotaAccount):
            await self.runtime.publish_counters(self.tenant_id, Counters(quotas=[done.at]))
            await self.runtime.settle()
        return 1

    async def not_written(
        self, what: str, code: str, work: Callable[[TenantTransaction], Awaitable[object]]
    ) -> None:
        """Do as the brand what must be refused."""

        async def command() -> None:
            async with self.database.tenant_transaction(self.clerk) as tx:
                await work(tx)

        await self.refused(what, code, command())

    async def look_at(self, orders: Iterable[Order]) -> None:
        """See how orders stand now."""
        looked = [one for one in orders if not one.is_final]
        ids = [one.id for one in looked]
        async with self.reading() as tx:
            rows = await orders_by_ids(tx, ids)
            fulfilments = await fulfilments_of_orders(tx, ids)
            lines = await lines_of_orders(tx, ids)
        for one in looked:
            row = rows[one.id]
            one.status, one.version = OrderStatus(row["status"]), row["event_sequence"]
            one.fulfilments, one.lines = fulfilments.get(one.id, []), lines[one.id]

    def is_fated(self, order_id: int, *fates: object) -> bool:
        """Whether an order's own story does this step."""
        order = self.orders.get(order_id)
        return order is not None and order.planned.fate in fates and order.has_story


Act = Callable[[Month, Order], Awaitable[None]]
Story = Callable[[Month, Order], AsyncIterator[None]]
