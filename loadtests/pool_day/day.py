"""What happens on the day: buyers, carts, and the people of the brand."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from random import Random
from typing import Any

from backend.inventory.accuracy.model import ShortageCause
from backend.inventory.allotments.counters import read_allotments
from backend.inventory.allotments.model import AllotmentLine
from backend.inventory.allotments.set_allotments import set_allotments
from backend.inventory.change_stock import StockSell, change_stock
from backend.inventory.counters import Counters
from backend.inventory.counts.count_stock import count_stock
from backend.inventory.counts.model import CountLine
from backend.inventory.earmarks.change_earmarks import (
    EarmarkChanged,
    close_earmark,
    fill_earmark,
    open_earmark,
)
from backend.inventory.earmarks.lend import lend_earmark
from backend.inventory.earmarks.model import EarmarkDraft, EarmarkKind, EarmarkLine, Lending
from backend.inventory.model import Level
from backend.inventory.safety.keep_back import keep_back, set_safety_rules
from backend.inventory.safety.model import SafetyDraft
from backend.inventory.safety.shop_floors import keep_back_of_shops
from backend.inventory.supplies.dispatch import Dispatch, dispatch
from backend.inventory.supplies.model import SupplyDraft, SupplyKind
from backend.inventory.supplies.supplies import TRANSFER_CODE, page_of_supplies, set_supplies
from backend.network.model import NodeKind
from backend.network.nodes import list_nodes
from backend.orders.cancel_orders import cancel_order
from backend.orders.errors import InvalidShortage, NothingToCancel, UnknownFulfilment
from backend.orders.find_orders import (
    NEWEST,
    page_of_fulfilments,
    reservations_of_orders,
    units_sold_by_shop,
)
from backend.orders.model import AddressDraft, Held, LineDraft, OrderDraft, Placed, Shortage
from backend.orders.report_shortage import ShortPick, report_shortage
from backend.orders.stock_holds.model import HoldTerms, StockHoldKind
from backend.orders.supplies.receive import receive_supply
from backend.replenishment.alert_rules import set_alert_rules
from backend.replenishment.model import AlertRuleDraft, Scope, Transfers
from backend.runtime import Runtime
from loadtests.fresh_brand import FreshBrand
from loadtests.pool_day import brand as goods
from loadtests.pool_day.platform import Platform

PLATFORM_BUYERS, DIRECT_BUYERS, CARTS, CANCELLERS, PRESALES = 8.0, 5.0, 2.0, 0.5, 0.5
"""A second, on the average."""
CART_SECONDS = 3
CHANNEL = "simulated"
NEWEST_FULFILMENT = (NEWEST, 0)
LISTED = 1_000
MISSED_OF = 3
"""Fulfilments of each node of which something is not found."""
ORDERED_UNITS = 40
"""Of each scarce SKU on each purchase order."""

Step = tuple[float, str, Callable[[], Awaitable[None]]]


class Day:
    """One day, from its morning to its evening."""

    def __init__(
        self, runtime: Runtime, brand: FreshBrand, platform: Platform, random: Random
    ) -> None:
        self._runtime = runtime
        self._brand = brand
        self._platform = platform
        self._random = random
        self._keys = itertools.count(1)
        self._orders: list[int] = []
        self.done: Counter[str] = Counter()
        self.came = 0
        """Units that came, less those that went over a till or were not found."""

    async def play(self, seconds: float, failing_seconds: float) -> None:
        """Let everybody act until the evening."""
        crowds = [
            asyncio.create_task(self._crowd(PLATFORM_BUYERS, self._buy_on_platform)),
            asyncio.create_task(self._crowd(DIRECT_BUYERS, self._buy)),
            asyncio.create_task(self._crowd(CARTS, self._fill_cart)),
            asyncio.create_task(self._crowd(CANCELLERS, self._cancel)),
            asyncio.create_task(self._crowd(PRESALES, self._buy_ahead)),
        ]
        began = asyncio.get_running_loop().time()
        for share, _, step in self._steps(failing_seconds / seconds):
            await asyncio.sleep(began + share * seconds - asyncio.get_running_loop().time())
            await step()
        await asyncio.sleep(began + seconds - asyncio.get_running_loop().time())
        for crowd in crowds:
            crowd.cancel()
        for ended in await asyncio.gather(*crowds, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        await asyncio.sleep(CART_SECONDS + 2)  # carts that were left expire

    def _steps(self, failing: float) -> list[Step]:
        """Return what the people of the brand do, and when, in parts of the day."""
        return [
            (0.02, "watch", self._watch),
            (0.05, "earmark", self._open_promotion),
            (0.08, "allot", self._allot),
            (0.12, "order", lambda: self._expect(date.today(), ORDERED_UNITS)),
            (0.20, "fail", self._platform.fail),
            (0.20 + failing * 0.4, "late", self._delay),
            (0.20 + failing * 0.6, "lend", self._lend),
            (0.20 + failing, "recover", self._platform.recover),
            (0.24 + failing, "safety", self._keep_back),
            (0.28 + failing, "count", self._count_and_sell),
            (0.30 + failing, "miss", self._miss),
            (0.32 + failing, "dispatch", self._dispatch),
            (0.36 + failing, "receive", lambda: self._receive("PO-1", ORDERED_UNITS // 2)),
            (0.40 + failing, "receive", lambda: self._receive("PO-2", ORDERED_UNITS // 2)),
            (0.44 + failing, "arrive", self._arrive),
            (0.48 + failing, "close", self._close_promotion),
        ]

    async def _crowd(self, a_second: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(a_second))
            await act()

    def _key(self) -> str:
        return f"day-{next(self._keys)}"

    # ------------------------------------------------------------------------------- buyers

    async def _buy_on_platform(self) -> None:
        self.done["bought" if await self._platform.buy() else "not shown"] += 1

    def _draft(self, **changes: Any) -> OrderDraft:
        sku = goods.sku_code(self._random.randrange(goods.SKUS))
        values: dict[str, Any] = {
            "shop": goods.shop_code(self._random.randrange(goods.SHOPS)),
            "address": AddressDraft(
                detail="解放路 1 号", region_code=self._random.choice(goods.REGIONS)
            ),
            "lines": (LineDraft(sku, self._random.randint(1, 3), 100),),
            "idempotency_key": self._key(),
        }
        return OrderDraft(**(values | changes))

    async def _buy(self) -> None:
        paid = {"external_id": self._key(), "is_paid": True} if self._random.random() < 0.5 else {}
        outcome = await self._runtime.intake.place(self._draft(**paid), self._brand.principal)
        self._note(outcome)

    async def _buy_ahead(self) -> None:
        """Order what is scarce, as far as it is to come."""
        lines = (LineDraft(self._random.choice(goods.SCARCE), 2, 100),)
        draft = self._draft(lines=lines, shortage=Shortage.PRESALE)
        outcome = await self._runtime.intake.place(draft, self._brand.principal)
        self.done["ahead" if isinstance(outcome, Placed) else "not to come"] += 1

    def _note(self, outcome: object) -> None:
        if isinstance(outcome, Placed):
            self._orders.append(outcome.order_id)
        self.done["placed" if isinstance(outcome, Placed) else "refused"] += 1

    async def _fill_cart(self) -> None:
        """Keep units; some pay soon, some too late, some never."""
        draft, terms = self._draft(), HoldTerms(StockHoldKind.CART, CART_SECONDS)
        held = await self._runtime.intake.take_hold(draft, terms, self._brand.principal)
        if not isinstance(held, Held):
            self.done["no cart"] += 1
            return
        self.done["carts"] += 1
        if self._random.random() < 0.6:
            late = self._random.random() < 0.2
            asyncio.get_running_loop().call_later(
                CART_SECONDS + 1.5 if late else 0.3, self._check_out, draft, held.hold_id
            )

    def _check_out(self, draft: OrderDraft, hold_id: int) -> None:
        async def pay() -> None:
            order = self._draft(shop=draft.shop, lines=draft.lines, hold=hold_id)
            self._note(await self._runtime.intake.place(order, self._brand.principal))

        self._paying = asyncio.create_task(pay())

    async def _cancel(self) -> None:
        if not self._orders:
            return
        order_id = self._random.choice(self._orders)
        try:
            cancelled = await cancel_order(
                self._runtime.database, self._brand.principal, order_id, None, self._key()
            )
        except NothingToCancel:
            return
        self.done["cancelled"] += 1
        await self._runtime.publish_counters(self._brand.tenant_id, cancelled.counters)

    # ------------------------------------------------------------------------- the brand's people

    def _writing(self) -> Any:
        return self._runtime.database.tenant_transaction(self._brand.principal)

    async def _publish(self, levels: list[Level]) -> None:
        await self._runtime.publish_levels(self._brand.tenant_id, levels)

    async def _earmarked(self, changed: EarmarkChanged) -> None:
        await self._publish(changed.levels)

    async def _watch(self) -> None:
        """Let people know where shops run low; a warehouse that does is filled up by rule."""
        rules = [
            AlertRuleDraft(code="shops", scope=Scope.SHOP, fires_below=10, clears_at=20),
            AlertRuleDraft(
                code="warehouse",
                scope=Scope.NODE,
                subject=goods.warehouse_code(0),
                fires_below=50,
                clears_at=52,
                fill_to=55,
                leave_days=0,
                transfers=Transfers.AUTOMATIC,
                transit_days=0,
            ),
        ]
        async with self._writing() as tx:
            await set_alert_rules(tx, rules, key=self._key(), regions=self._runtime.regions)

    async def _miss(self) -> None:
        """Nodes do not find some of what they were to send: others send it."""
        async with self._writing() as tx:
            nodes = [node.id for node in await list_nodes(tx)]
        for node_id in nodes:
            async with self._writing() as tx:
                rows = await page_of_fulfilments(
                    tx,
                    node_id=node_id,
                    status=None,
                    before=NEWEST_FULFILMENT,
                    limit=MISSED_OF,
                )
                found = await reservations_of_orders(tx, [row["order_id"] for row in rows])
            for row in rows:
                await self._report(row["order_id"], row["fulfilment_no"], found[row["order_id"]])

    async def _report(self, order_id: int, number: int, reservations: list[Any]) -> None:
        picks = [
            ShortPick(row["line_no"], 1)
            for row in reservations
            if row["fulfilment_no"] == number and row["active"]
        ][:1]
        if not picks:
            return
        database, brand = self._runtime.database, self._brand.principal
        cause, key = ShortageCause.NOT_FOUND, self._key()
        try:
            done = await report_shortage(database, brand, (order_id, number), picks, cause, key)
        except (UnknownFulfilment, InvalidShortage):
            return  # it was cancelled meanwhile
        self.came -= done.units
        self.done["not found"] += done.units
        await self._runtime.publish_counters(self._brand.tenant_id, done.counters)

    async def _open_promotion(self) -> None:
        draft = EarmarkDraft(
            code="11.11",
            name="Promotion",
            kind=EarmarkKind.PROMOTION,
            pool="promo",
            lending=Lending(keep_bp=3_000),
        )
        lines = [EarmarkLine(sku=sku, quantity=40) for sku in goods.PROMOTED]
        async with self._writing() as tx:
            await open_earmark(tx, draft, key=self._key())
        async with self._writing() as tx:
            changed = await fill_earmark(
                tx, "11.11", lines, key=self._key(), regions=self._runtime.regions
            )
        await self._earmarked(changed)

    async def _lend(self) -> None:
        local = (await self._runtime.brands.get(self._brand.tenant_id)).local_time()
        async with self._writing() as tx:
            changed = await lend_earmark(tx, "11.11", local, key=self._key())
        assert changed.earmark.lent > 0, "there is something to lend"
        await self._earmarked(changed)

    async def _close_promotion(self) -> None:
        async with self._writing() as tx:
            changed = await close_earmark(tx, "11.11", key=self._key())
        await self._earmarked(changed)

    async def _allot(self) -> None:
        lines = [
            AllotmentLine(sku=goods.sku_code(number), shop=goods.shop_code(39), quantity=10)
            for number in range(20, 40)
        ]
        async with self._writing() as tx:
            ids = [one.id for one in await set_allotments(tx, lines, key=self._key())]
        async with self._writing() as tx:
            counters = Counters(allotments=await read_allotments(tx, ids))
        await self._runtime.publish_counters(self._brand.tenant_id, counters)

    async def _expect(self, day: date, quantity: int) -> None:
        supplies = [
            SupplyDraft(
                code=code,
                line_no=number,
                kind=SupplyKind.PURCHASE,
                warehouse=goods.warehouse_code(at),
                sku=sku,
                quantity=quantity,
                expected_on=day,
                confidence_bp=9_000,
            )
            for at, code in enumerate(("PO-1", "PO-2"))
            for number, sku in enumerate(goods.SCARCE, 1)
        ]
        async with self._writing() as tx:
            await set_supplies(tx, supplies, key=self._key())
        await self._publish([])

    async def _delay(self) -> None:
        """Both purchase orders are late, and bring less than was ordered."""
        await self._expect(date.today() + timedelta(days=3), ORDERED_UNITS // 2)

    async def _receive(self, code: str, quantity: int) -> None:
        for number in range(1, len(goods.SCARCE) + 1):
            received = await receive_supply(
                self._runtime.database,
                self._brand.principal,
                self._runtime.intake.ids,
                (code, number, quantity),
                key=self._key(),
            )
            self.came += quantity
            self.done["kept"] += received.kept
            await self._publish(received.levels)

    async def _keep_back(self) -> None:
        rules = [SafetyDraft(node_kind=NodeKind.STORE, units=1), SafetyDraft(weeks_tenths=1)]
        rules += [SafetyDraft(sku=sku, channel=CHANNEL, units=2) for sku in goods.PROMOTED]
        async with self._writing() as tx:
            await set_safety_rules(tx, rules, key=self._key())
        local = (await self._runtime.brands.get(self._brand.tenant_id)).local_time()
        database, brand = self._runtime.database, self._brand.principal
        levels = await keep_back(database, brand, local)
        assert levels, "something is kept back"
        floors = await keep_back_of_shops(database, brand, local, units_sold_by_shop)
        assert floors == goods.SHOPS * len(goods.PROMOTED), "every shop keeps some back"
        await self._publish(levels)

    async def _count_and_sell(self) -> None:
        """A store finds one unit more or less than it should have, and sells one at its till."""
        for number in range(goods.STORES):
            place, sku = goods.store_code(number), goods.sku_code(20 + number)
            async with self._writing() as tx:
                sold = await change_stock(
                    tx, StockSell(warehouse=place, sku=sku, quantity=1), self._key()
                )
            await self._publish(sold)
            found = max(0, sold[0].on_hand + self._random.choice((-1, 1)))
            line = CountLine(warehouse=place, sku=sku, counted=found)
            async with self._writing() as tx:
                counted = await count_stock(tx, [line], key=self._key())
            self.came += counted.counts[0].variance - 1
            await self._publish(counted.levels)

    async def _dispatch(self) -> None:
        """Goods leave one warehouse for another one."""
        command = Dispatch(
            code="TR-1",
            source=goods.warehouse_code(1),
            destination=goods.warehouse_code(2),
            sku=goods.sku_code(45),
            quantity=3,
            arrives_on=date.today(),
        )
        async with self._writing() as tx:
            sent = await dispatch(tx, command, key=self._key())
        self.came -= command.quantity
        await self._publish(sent.levels)

    async def _arrive(self) -> None:
        """What was sent to another node comes, also what was sent by rule."""
        async with self._writing() as tx:
            supplies = await page_of_supplies(tx, (date.min, 0), LISTED, only_open=True)
        for supply in supplies:
            if supply.code.startswith(TRANSFER_CODE):
                await self._come(supply.code, supply.outstanding)
                self.done["transfers"] += 1
        await self._come("TR-1", 3)
        self.came += 3

    async def _come(self, code: str, quantity: int) -> None:
        received = await receive_supply(
            self._runtime.database,
            self._brand.principal,
            self._runtime.intake.ids,
            (code, 1, quantity),
            key=self._key(),
        )
        await self._publish(received.levels)
