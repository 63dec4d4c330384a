"""The demo's customers: a gentle stream of orders, now and then a delivery or a change of mind."""

import asyncio
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from backend.db.errors import YipanError
from backend.demo import brand as demo
from backend.demo.appointments import TIMES
from backend.inventory.change_stock import StockReceive, change_stock
from backend.network.model import Condition
from backend.orders.cancel_orders import cancel_order
from backend.orders.model import (
    AddressDraft,
    Appointment,
    LineDraft,
    OrderDraft,
    Pickup,
    Placed,
)
from backend.runtime import Runtime
from tenants.principal import system_principal

ORDERS_PER_SECOND = 2.0
PAID_SHARE = 0.8
"""Orders of platforms, paid already; the others come from web shops and may be refused."""
CANCEL_SHARE = 0.03
APPOINTED_SHARE = 0.3
"""Of orders with something that is installed: those that are to come at a time."""
PICKUP_SHARE = 0.15
"""Of orders with nothing that is installed: those that are fetched at a store."""
RECEIVE_EVERY = 25
"""Orders between two deliveries."""
RECENT = 50
CHINA = ZoneInfo("Asia/Shanghai")
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"


class Tally:
    """What happened, for the line at the bottom of the terminal."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.milliseconds: deque[float] = deque(maxlen=200)
        self.last = ""

    def line(self) -> str:
        """Return the state of affairs in one line."""
        counts, times = self.counts, sorted(self.milliseconds)
        median = f"{times[len(times) // 2]:.1f} ms" if times else "–"
        return (
            f"orders {counts['placed']:,}  allocated {counts['allocated']:,}  "
            f"waiting {counts['backordered'] + counts['partially_allocated']:,}  "
            f"held {counts['held']:,}  refused {counts['refused']:,}  "
            f"cancelled {counts['cancelled']:,}  on platforms {counts['bought']:,}  "
            f"sent {counts['shipped']:,}  arrived {counts['delivered']:,}  "
            f"fetched {counts['fetched']:,}  "
            f"median {median}  {self.last}"
        )


class DemoStream:
    """Places orders in the demo's brand until it is cancelled."""

    def __init__(self, runtime: Runtime, tenant_id: int, tally: Tally) -> None:
        self._runtime = runtime
        self._principal = system_principal(tenant_id, "demo")
        self._tally = tally
        self._random = Random()
        self._skus = demo.demo_skus()
        self._shops = [shop for shop in demo.SHOPS if shop.code not in demo.PLATFORM_SHOPS]

        self._regions = demo.districts(runtime.regions)
        self._placed: deque[int] = deque(maxlen=RECENT)
        self._run_id = datetime.now(UTC).strftime("%m%d%H%M%S")

    async def run(self) -> None:
        number = 0
        while True:
            number += 1
            try:
                await self._step(number)
            except YipanError as error:
                self._tally.last = error.message
            await asyncio.sleep(self._random.expovariate(ORDERS_PER_SECOND))

    async def _step(self, number: int) -> None:
        await self._place(number)
        if number % RECEIVE_EVERY == 0:
            await self._receive(number)
        if self._placed and self._random.random() < CANCEL_SHARE:
            await self._cancel(number)

    async def _place(self, number: int) -> None:
        started = asyncio.get_running_loop().time()
        draft = self._draft(number)
        outcome = await self._runtime.intake.place(draft, self._principal)
        self._tally.milliseconds.append((asyncio.get_running_loop().time() - started) * 1000)
        if isinstance(outcome, Placed):
            self._tally.counts["placed"] += 1
            self._tally.counts[outcome.status] += 1
            self._placed.append(outcome.order_id)
            self._tally.last = f"{draft.shop}: {len(draft.lines)} lines, {outcome.status}"
        else:
            self._tally.counts["refused"] += 1
            self._tally.last = f"{draft.shop}: {outcome.code}"

    def _draft(self, number: int) -> OrderDraft:
        random = self._random
        shop = random.choice(self._shops)
        chosen = random.sample(self._skus, k=min(1 + int(random.expovariate(0.8)), 6))
        lines = tuple(
            LineDraft(sku.code, 1 + int(random.random() < 0.15), price) for sku, price in chosen
        )
        goods = sum(line.quantity * line.unit_price_minor for line in lines)
        is_installed = any(sku.needs_installation for sku, _ in chosen)
        is_appointed = is_installed and random.random() < APPOINTED_SHARE
        store = None
        if not is_installed and random.random() < PICKUP_SHARE:
            store = random.choice(demo.STORES)
        name = random.choice(SURNAMES) + random.choice(("女士", "先生"))
        return OrderDraft(
            shop=shop.code,
            external_id=f"{self._run_id}-{number}",
            is_paid=random.random() < PAID_SHARE,
            address=AddressDraft(
                detail=f"人民路 {random.randrange(1, 999)} 号",
                region_code=store.region_code if store else random.choice(self._regions),
                name=name,
                phone=f"138{random.randrange(10**8):08}",
            ),
            lines=lines,
            order_discount_minor=goods // 20 if random.random() < 0.3 else 0,
            appointment=self._appointment() if is_appointed else msgspec.UNSET,
            pickup=Pickup(store.code) if store else msgspec.UNSET,
        )

    def _appointment(self) -> Appointment:
        """Return a time in the days to come: a window, or any time of the day."""
        today = datetime.now(CHINA).date()
        day = today + timedelta(days=self._random.randrange(4, 30))
        return Appointment(day, *self._random.choice((*TIMES, (0, 1_440))))

    async def _receive(self, number: int) -> None:
        sku = self._random.choice(self._skus)[0]
        node = self._random.choice(demo.WAREHOUSES)
        command = StockReceive(
            warehouse=f"{node.code}-{Condition.GOOD}", sku=sku.code, quantity=100
        )
        async with self._runtime.database.tenant_transaction(self._principal) as tx:
            levels = await change_stock(tx, command, f"receive-{self._run_id}-{number}")
        await self._runtime.publish_levels(self._principal.tenant_id, levels)
        self._tally.last = f"{node.name} received 100 × {sku.code}"

    async def _cancel(self, number: int) -> None:
        order_id = self._placed.popleft()
        cancelled = await cancel_order(
            self._runtime.database,
            self._principal,
            order_id,
            None,
            f"cancel-{self._run_id}-{number}",
            "changed my mind",
        )
        self._tally.counts["cancelled"] += 1
        await self._runtime.publish_counters(self._principal.tenant_id, cancelled.counters)
