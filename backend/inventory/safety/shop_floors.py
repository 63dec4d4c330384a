"""What shops keep back by the rules of their channel (各渠道安全库存).

Units that a shop may be offered and does not offer: a platform that sells while its number is on
the way finds them there. Orders that are paid may have them, others may not.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from backend.catalog.find_skus import page_of_skus
from backend.channels.model import Shop
from backend.channels.shops import active_shops
from backend.db.pool import Database, TenantTransaction
from backend.inventory.pools.live import SALES_WINDOW
from backend.inventory.safety.keep_back import SQL, safety_rules
from backend.inventory.safety.model import Floor, SafetyRule, SafetyRules, ShopFloor, floor_of
from tenants.principal import Principal

SKUS_A_PAGE = 1_000
FLOORS_A_TRANSACTION = 2_000
RULES_CHANGE_MAX = 5
"""Times that somebody may change the rules while shops follow them; then the next run does."""

At = tuple[int, int]
"""A shop and a SKU, by id."""
SoldByShop = Callable[[TenantTransaction, datetime], Awaitable[Mapping[At, int]]]
"""Returns the units that shops sold of SKUs in the SALES_WINDOW before a time."""


async def keep_back_of_shops(
    database: Database, principal: Principal, local: datetime, sold_by_shop: SoldByShop
) -> int:
    """Let every shop keep back what the rules of its channel say; returns how many changed.

    `local` is the time where the brand is. In steps, each a transaction. All processes learn of it
    when they look at the network again, within a second.
    """
    written = 0
    for _ in range(RULES_CHANGE_MAX):
        async with database.tenant_transaction(principal, read_only=True) as tx:
            rules = await safety_rules(tx)
            changed = await _changed(tx, SafetyRules(rules), local, sold_by_shop)
        steps = await _write(database, principal, rules, changed)
        written += steps
        if steps == len(changed):
            break
    return written


async def _changed(
    tx: TenantTransaction, rules: SafetyRules, local: datetime, sold_by_shop: SoldByShop
) -> list[tuple[At, Floor]]:
    """Return what shops should keep back that keep back something else."""
    rows = await tx.fetch(SQL.kept_shop_floors, tx.tenant_id)
    kept = {(row["shop_id"], row["sku_id"]): row["units"] for row in rows}
    wanted = await _wanted(tx, rules, local, sold_by_shop) if rules.of_channels() else {}
    wanted |= {at: Floor(0, "no rule") for at in kept.keys() - wanted.keys()}
    return sorted((at, floor) for at, floor in wanted.items() if kept.get(at) != floor.units)


async def _write(
    database: Database,
    principal: Principal,
    rules: Sequence[SafetyRule],
    changed: Sequence[tuple[At, Floor]],
) -> int:
    """Keep floors, as long as the rules are those that they follow from; returns how many."""
    for first in range(0, len(changed), FLOORS_A_TRANSACTION):
        step = changed[first : first + FLOORS_A_TRANSACTION]
        async with database.tenant_transaction(principal) as tx:
            await tx.execute(SQL.lock_safety_rules, tx.tenant_id)
            if await safety_rules(tx) != list(rules):
                return first
            await tx.execute(
                SQL.set_shop_floors,
                tx.tenant_id,
                [shop_id for (shop_id, _), _ in step],
                [sku_id for (_, sku_id), _ in step],
                [floor.units for _, floor in step],
                [floor.reason for _, floor in step],
            )
    return len(changed)


async def _wanted(
    tx: TenantTransaction, rules: SafetyRules, local: datetime, sold_by_shop: SoldByShop
) -> dict[At, Floor]:
    channels = {rule.channel for rule in rules.of_channels()}
    sold = await sold_by_shop(tx, local)
    shops = [shop for shop in (await active_shops(tx)).values() if shop.channel in channels]
    found: dict[At, Floor] = {}
    after = 0
    while shops and (page := await page_of_skus(tx, after, SKUS_A_PAGE)):
        after = page[-1].id
        for sku in page:
            for shop in shops:
                floor = _floor(rules, shop, sku.id, sku.category, sold)
                if floor.units:
                    found[shop.id, sku.id] = floor
    return found


def _floor(
    rules: SafetyRules, shop: Shop, sku_id: int, category: str, sold: Mapping[At, int]
) -> Floor:
    rule = rules.rule_for_shop(sku_id, category, shop.channel)
    if rule is None:
        return Floor(0, "no rule")
    return floor_of(rule, sold.get((shop.id, sku_id), 0), SALES_WINDOW.days)


async def changed_shop_floors(tx: TenantTransaction, since: datetime) -> list[ShopFloor]:
    """Return what shops keep back, of what changed since a time; 0 where they no longer do."""
    rows = await tx.fetch(SQL.changed_shop_floors, tx.tenant_id, since)
    return [ShopFloor(*row) for row in rows]


async def shop_floors_of_sku(tx: TenantTransaction, sku_id: int) -> list[ShopFloor]:
    """Return what shops keep back of a SKU."""
    rows = await tx.fetch(SQL.shop_floors_of_sku, tx.tenant_id, sku_id)
    return [ShopFloor(*row) for row in rows]


async def page_of_shop_floors(
    tx: TenantTransaction, shop_id: int, after: int, limit: int
) -> Sequence[ShopFloor]:
    """Return up to `limit` of what a shop keeps back, by SKU, after one."""
    rows = await tx.fetch(SQL.page_of_shop_floors, tx.tenant_id, shop_id, after, limit)
    return [ShopFloor(*row) for row in rows]


async def shop_floors_by_keys(
    tx: TenantTransaction, keys: Sequence[tuple[int, ...]]
) -> dict[tuple[int, ...], ShopFloor]:
    """Return what shops keep back, by shop and SKU."""
    columns = [[key[at] for key in keys] for at in range(2)]
    rows = await tx.fetch(SQL.shop_floors_by_keys, tx.tenant_id, *columns)
    return {(row["shop_id"], row["sku_id"]): ShopFloor(*row) for row in rows}
