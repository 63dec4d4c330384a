"""The week's brand: the demo's, with what a week of work needs beside it."""

from datetime import timedelta

from backend.after_sales.model import ReturnRule
from backend.after_sales.rules import set_return_rules
from backend.catalog.find_skus import skus_by_ids
from backend.catalog.save_skus import save_skus
from backend.conditions.model import Comparison, Condition, Operator
from backend.demo.brand import STORES, WAREHOUSES
from backend.demo.seed import seed_demo
from backend.fulfilment.carriers.accounts import set_carrier_account
from backend.fulfilment.deadlines import Deadline, set_deadlines
from backend.fulfilment.wave_times import WaveTime, set_wave_times
from backend.inventory.levels import page_of_levels
from backend.inventory.model import LevelKey
from backend.inventory.supplies.model import SupplyDraft, SupplyKind
from backend.inventory.supplies.supplies import set_supplies
from backend.network.model import NodeKind
from backend.orders.auditing.model import Action, AuditRule
from backend.orders.auditing.rules import set_audit_rules
from backend.orders.model import FulfilmentStatus
from backend.orders.queue_rule import QueueBy, set_queue_rule
from backend.orders.supplies.receive import receive_supply
from backend.runtime import Runtime
from loadtests.week.nodes import CARRIER, CARRIER_NAME
from loadtests.week.plan import LARGE_PRICE_MINOR, MONDAY, NEW_SKUS, new_skus
from loadtests.week.week import Week

F = FulfilmentStatus
DEADLINES = (
    Deadline(F.RESERVED, 16 * 60, 24 * 60),
    Deadline(F.RELEASED, 5 * 60, 12 * 60),
    Deadline(F.PICKING, 5 * 60, 16 * 60),
    Deadline(F.PICKED, 12 * 60, 18 * 60),
    Deadline(F.PACKED, 60 * 60, 73 * 60, NodeKind.STORE),
    Deadline(F.PACKED, 14 * 60, 26 * 60),
    Deadline(F.SHIPPED, 72 * 60, 96 * 60),
)
LATE, LATE_ON = "PO-2", 5
WAVE_MINUTES = (10 * 60, 14 * 60, 18 * 60)
AWAITED = {"PO-1": 2, LATE: 3, "PO-3": 9}
"""On which day of the week each supply is expected at first; LATE comes on LATE_ON instead."""
LEVELS_MAX, ENOUGH = 100_000, 8
SUPPLIED = 40
"""Units of each new SKU in each supply; of the late one only half comes."""


async def open_brand(runtime: Runtime, carrier_url: str, secret: str, seed: int) -> Week:
    """Create the brand on the Monday morning of the week, and return its week."""
    tenant_id = await seed_demo(runtime.database, runtime.brands)
    week = Week(runtime, tenant_id, seed)
    local = (await runtime.brands.get(tenant_id)).local_time()
    async with week.database.tenant_transaction(week.system) as tx:
        await save_skus(tx, list(new_skus()))
        await set_deadlines(tx, DEADLINES, week.key())
        await set_audit_rules(tx, _audit_rules(), week.key())
        await set_return_rules(tx, [ReturnRule(7)], week.key())
        times = [WaveTime(minute, with_waiting=True) for minute in WAVE_MINUTES]
        await set_wave_times(tx, times, local, week.key())
        account = (CARRIER, CARRIER_NAME, carrier_url, secret)
        await set_carrier_account(tx, *account, is_active=True, key=week.key())
        await set_queue_rule(tx, QueueBy.CUSTOMER_LEVEL, week.key())
        for code, day in AWAITED.items():
            await set_supplies(tx, _supply(code, day), key=week.key())
    await week.open()
    return week


def _audit_rules() -> list[AuditRule]:
    def test(attribute: str, operator: Operator, value: str) -> Condition:
        return Condition(test=Comparison(attribute, operator, (value,)))

    remark = test("order.remark", Operator.CONTAINS, "代付")
    large = test("order.amount_minor", Operator.AT_LEAST, str(LARGE_PRICE_MINOR))
    return [
        AuditRule("proxy-payment", "代付订单，先联系", Action.HOLD, remark),
        AuditRule("large", "大额订单", Action.HOLD, large),
    ]


def _supply(code: str, day: int) -> list[SupplyDraft]:
    on = (MONDAY + timedelta(days=day)).date()
    warehouse = f"{WAREHOUSES[0].code}-good"
    return [
        SupplyDraft(
            code=code,
            line_no=number,
            kind=SupplyKind.PURCHASE,
            warehouse=warehouse,
            sku=sku,
            quantity=SUPPLIED,
            expected_on=on,
        )
        for number, sku in enumerate(NEW_SKUS, 1)
    ]


async def expect_later(week: Week) -> None:
    """Learn that a supply comes later; who waits for it is told."""
    async with week.database.tenant_transaction(week.people[2]) as tx:
        await set_supplies(tx, _supply(LATE, LATE_ON), key=week.key())
    week.done["supplies that come later"] += 1


async def receive(week: Week, code: str, units: int) -> None:
    """Receive units of each line of a supply; who waits is given them, better customers first."""
    for number in range(1, len(NEW_SKUS) + 1):
        asked = (code, number, units)
        received = await receive_supply(
            week.database, week.people[2], week.runtime.intake.ids, asked, key=week.key()
        )
        await week.runtime.publish_levels(week.tenant_id, received.levels)
        await week.runtime.settle()
    week.done["supplies received"] += 1


async def carried(week: Week) -> dict[str, set[str]]:
    """Return the SKUs of which each store has enough for a week."""
    found: dict[str, set[str]] = {store.code: set() for store in STORES}
    async with week.reading() as tx:
        levels = await page_of_levels(
            tx, sku_id=None, node_id=None, after=LevelKey(0, 0), limit=LEVELS_MAX
        )
        skus = await skus_by_ids(tx, sorted({level.sku_id for level in levels}))
    for level in levels:
        code = week.nodes[level.node_id].code
        if code in found and level.signed_free >= ENOUGH:
            found[code].add(skus[level.sku_id].code)
    return found
