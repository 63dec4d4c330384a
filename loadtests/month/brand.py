"""The month's brand: three warehouses, 26 SKUs, its dealers with their shops, quotas and terms."""

from datetime import date

from backend.after_sales.model import ReturnRule
from backend.after_sales.rules import set_return_rules
from backend.catalog.model import SkuDraft
from backend.channels.model import ShopDraft
from backend.channels.shops import create_shop
from backend.dropship.deposits import DepositEntryType, DepositMove, move_deposit
from backend.dropship.quotas.accounts import open_account, top_up
from backend.dropship.quotas.model import AccountDraft, QuotaKind
from backend.inventory.model import LevelKey
from backend.inventory.warehouses import create_warehouse
from backend.network.model import Condition, NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_legal_entity
from backend.runtime import Runtime
from loadtests.fresh_brand import ACTOR, BrandDraft, FreshBrand, create_fresh_brand
from loadtests.month.dealers import (
    ENTITY,
    SCARCE,
    SHARE_OF_LEVEL,
    Dealer,
    Habit,
    line_of,
    retail_prices,
)
from loadtests.month.month import Month
from loadtests.month.terms import Terms
from loadtests.receive_stock import receive_stock
from tenants import organisation

BRAND = BrandDraft("month", "Month", "CNY", "Asia/Shanghai", "app")
PLACES = {"shanghai": 310117, "guangzhou": 440113, "beijing": 110115}
CAPACITY = 100_000
JOINED = date(2026, 1, 1)
DEEP = 100_000
"""Units of what never runs out."""
COST_MINOR = 36_000
"""What an order takes of a quota, about."""
DAYS_AHEAD = {Habit.PROMPT: 5, Habit.LATE: 3, Habit.LUMPY: 4}
"""For so many days of orders a quota is enough at first."""
DEPOSIT_MINOR = 500_000


async def open_brand(
    runtime: Runtime, dealers: list[Dealer], orders: int, days: int, seed: int
) -> tuple[Month, Terms]:
    """Create the brand on the first morning, with its dealers, and what is agreed with them."""
    nodes = [
        NodeDraft(
            code=f"wh-{name}",
            name=name,
            kind=NodeKind.WAREHOUSE,
            region_code=place,
            priority=10,
            daily_capacity=CAPACITY,
        )
        for name, place in PLACES.items()
    ]
    skus = [
        SkuDraft(code=sku, name=sku, product_line=line_of(sku), weight_g=1_000)
        for sku in retail_prices()
    ]
    brand = await create_fresh_brand(runtime, BRAND, nodes, skus, code=BRAND.prefix)
    month = Month(runtime, brand.tenant_id, seed, dealers, days)
    await month.open()
    await _equip(month)
    await stock(month, brand, orders)
    total = sum(SHARE_OF_LEVEL[dealer.level] for dealer in dealers)
    for dealer in dealers:
        share = SHARE_OF_LEVEL[dealer.level] / total
        month.volume_minor[dealer.code] = int(orders * share / days * COST_MINOR)
        await _join(month, dealer)
        await _grant(month, dealer)
    terms = Terms(month)
    await terms.open()
    return month, terms


async def _equip(month: Month) -> None:
    async with month.database.tenant_transaction(month.system) as tx:
        entity = await create_legal_entity(tx, ENTITY, "North")
        assert entity, "it is new"
        for node in month.nodes.values():
            for condition in (Condition.INSPECTION, Condition.DEFECTIVE):
                code = f"{node.code}-{condition}"
                draft = WarehouseDraft(
                    node_id=node.id,
                    code=code,
                    condition=condition,
                    legal_entity_id=node.legal_entity_id,
                )
                await create_warehouse(tx, draft)
        await set_return_rules(tx, [ReturnRule(7)], month.key())


async def stock(month: Month, brand: FreshBrand, orders: int) -> None:
    """Fill the warehouses; of what is scarce there is too little, and only in one."""
    first = next(iter(brand.warehouses.values()))
    scarce = orders // 150
    units = {
        LevelKey(warehouse, sku_id): DEEP
        for sku, sku_id in brand.skus.items()
        for warehouse in brand.warehouses.values()
        if sku not in SCARCE
    }
    units |= {LevelKey(first, brand.skus[sku]): scarce for sku in SCARCE}
    await receive_stock(month.runtime, month.system, units, "opening")


async def _join(month: Month, dealer: Dealer) -> None:
    """Bring a dealer with its shops."""
    async with month.database.platform_transaction() as tx:
        dealer_id = await organisation.register_dealer(tx, ACTOR, dealer.code, dealer.code)
        await organisation.sign_agreement(tx, ACTOR, month.tenant_id, dealer_id, JOINED)
    month.ids[dealer.code] = dealer_id
    async with month.database.tenant_transaction(month.system) as tx:
        for shop in dealer.shops:
            await create_shop(tx, ShopDraft(shop, shop, "app", dealer_id))
    month.done["dealers"] += 1
    month.done["shops of dealers"] += len(dealer.shops)


async def _grant(month: Month, dealer: Dealer) -> None:
    """Open the quota of a dealer, and take its deposit."""
    amount = max(COST_MINOR, month.volume_minor[dealer.code] * DAYS_AHEAD[dealer.habit])
    draft = AccountDraft(
        code=dealer.code,
        dealer=dealer.code,
        kind=QuotaKind.CREDIT if dealer.is_credit else QuotaKind.PREPAID,
        limit_minor=amount if dealer.is_credit else 0,
        payment_days=dealer.payment_days if dealer.is_credit else None,
        legal_entity=dealer.entity,
    )
    kind = draft.kind.value
    await month.write(f"accounts: {kind}", lambda tx: open_account(tx, draft, key=month.key()))
    if not dealer.is_credit:
        given = (dealer.code, amount, f"first-{dealer.code}")
        await month.write("topped up", lambda tx: top_up(tx, *given, key=month.key()))
    move = DepositMove(
        dealer_id=month.ids[dealer.code],
        type=DepositEntryType.PAID,
        amount_minor=DEPOSIT_MINOR,
        reference=f"deposit-{dealer.code}",
    )
    await month.write("deposits: paid", lambda tx: move_deposit(tx, move, key=month.key()))
