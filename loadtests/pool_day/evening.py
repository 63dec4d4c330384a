"""The evening: no unit sold twice, none lost, and what is shown is what was computed."""

import asyncio
from collections import Counter
from datetime import date
from typing import Any

from backend.audit.audit import audit
from backend.inventory.levels import page_of_levels
from backend.inventory.model import LevelKey
from backend.inventory.pools.model import Sync
from backend.inventory.supplies.supplies import TRANSFER_CODE, page_of_supplies
from backend.orders.find_orders import NEWEST, page_of_orders, units_sold_by_shop
from backend.replenishment.alert_rules import alert_rules
from backend.replenishment.alerts import open_alerts
from backend.replenishment.model import Scope
from backend.runtime import Runtime
from loadtests.fresh_brand import FreshBrand
from loadtests.pool_day.brand import shop_ids, stock_of
from loadtests.pool_day.platform import Platform

QUIET_SECONDS_MAX = 120.0
"""Given to the last numbers and orders to arrive."""
LOOK_AGAIN_SECONDS = 1.0
PAGE = 1_000


async def judge(runtime: Runtime, brand: FreshBrand, platform: Platform, came: int) -> list[str]:
    """Return what is wrong in the evening; waits until numbers and orders have arrived."""
    faults: list[str] = []
    deadline = asyncio.get_running_loop().time() + QUIET_SECONDS_MAX
    while True:
        state = (await platform.state())["shops"]
        faults = await _lost_orders(runtime, brand, state)
        faults += await _wrong_numbers(runtime, brand, state)
        faults += await _unseen(runtime, brand)
        if not faults or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    await runtime.settle()
    report = await audit(runtime.database, runtime.admission, runtime.counters, brand.tenant_id)
    faults += [f"audit: {difference}" for difference in report.differences]
    on_hand = sum(level.on_hand for level in await _levels(runtime, brand))
    on_hand += await _on_the_way(runtime, brand)
    expected = sum(stock_of(brand).values()) + came
    if on_hand != expected:
        faults.append(f"{on_hand} units lie in all places, and should be {expected}")
    return faults


async def _on_the_way(runtime: Runtime, brand: FreshBrand) -> int:
    """Return the units that were sent to other nodes by rule, and have not come."""
    async with runtime.database.tenant_transaction(brand.principal, read_only=True) as tx:
        supplies = await page_of_supplies(tx, (date.min, 0), PAGE, only_open=True)
    return sum(one.outstanding for one in supplies if one.code.startswith(TRANSFER_CODE))


async def _lost_orders(runtime: Runtime, brand: FreshBrand, state: dict[str, Any]) -> list[str]:
    """Say which orders of the platform are not here once each."""
    here: Counter[tuple[int, str]] = Counter()
    before = NEWEST
    async with runtime.database.tenant_transaction(brand.principal, read_only=True) as tx:
        while rows := await page_of_orders(
            tx, status=None, shop_id=None, before=before, limit=PAGE
        ):
            here.update((row["shop_id"], row["external_id"]) for row in rows)
            before = rows[-1]["id"]
    ids = await shop_ids(runtime, brand)
    return [
        f"order {order['number']} of {code} is here {here[ids[code], order['number']]} times"
        for code, shop in state.items()
        for order in shop["orders"]
        if here[ids[code], order["number"]] != 1
    ]


async def _wrong_numbers(runtime: Runtime, brand: FreshBrand, state: dict[str, Any]) -> list[str]:
    """Say where a shop shows something else than is computed."""
    live = await runtime.books.open(brand.tenant_id)
    await live.freshen()
    pools = live.book.pools
    assert pools is not None, "the day has pools"
    faults = []
    for code, shop_id in (await shop_ids(runtime, brand)).items():
        shown = {sku: row["quantity"] for sku, row in state[code]["listings"].items()}
        sync = pools.sync_of(code)
        for sku, sku_id in brand.skus.items():
            number = pools.of_shop(sku_id, shop_id)
            assert number is not None, "every shop has a share"
            if _differs(sync, shown[sku], pools.shown(code, number)):
                faults.append(f"{code} shows {shown[sku]} of {sku}, computed are {number}")
    return faults


def _differs(sync: Sync, shown: int, wanted: int) -> bool:
    return shown != wanted and sync.is_worth_sending(shown, wanted)


async def _levels(runtime: Runtime, brand: FreshBrand) -> list[Any]:
    found: list[Any] = []
    after = LevelKey(0, 0)
    async with runtime.database.tenant_transaction(brand.principal, read_only=True) as tx:
        while rows := await page_of_levels(tx, sku_id=None, node_id=None, after=after, limit=PAGE):
            found += rows
            after = rows[-1].key
    return found


async def _unseen(runtime: Runtime, brand: FreshBrand) -> list[str]:
    """Say which shops offer less than people wanted to be told of, without an open alert."""
    live = await runtime.books.open(brand.tenant_id)
    async with runtime.database.tenant_transaction(brand.principal, read_only=True) as tx:
        rule = next(rule for rule in await alert_rules(tx) if rule.scope is Scope.SHOP)
        sold = await units_sold_by_shop(tx, live.brand.local_time())
        alerts = {(one.subject_id, one.sku_id) for one in await open_alerts(tx, None)}
    return [
        f"shop {shop_id} offers {number} of SKU {sku_id}, and nobody was told"
        for (shop_id, sku_id) in sold
        if (number := live.book.offered(sku_id, shop_id)) < rule.fires_below
        and (shop_id, sku_id) not in alerts
    ]
