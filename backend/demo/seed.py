"""Puts the demo's brand into an empty database; does nothing where it is there."""

from datetime import date
from random import Random

from backend.catalog.save_skus import save_skus
from backend.channels.model import ShopDraft
from backend.channels.shops import create_shop
from backend.db.pool import Database, TenantTransaction, Transaction
from backend.demo import brand as demo
from backend.demo.alerts import seed_alert_rules
from backend.demo.appointments import seed_appointments
from backend.demo.layout import seed_layout
from backend.demo.routing import seed_policy
from backend.demo.terms import seed_terms
from backend.inventory import ledger
from backend.inventory.model import CauseKind, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.inventory.warehouses import create_warehouse, list_warehouses
from backend.network.model import Condition, NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_legal_entity, create_node, list_nodes
from backend.network.regions.table import bundled_regions
from tenants import organisation
from tenants.brands import BrandDirectory
from tenants.principal import Kind, Permission, system_principal

ACTOR = "system:demo"
BRAND_USER = "brand@haiyun.example"
DEALER_USER = "dealer@huadong.example"
STORE_USER = "store@xuhui.example"
ALL = tuple(Permission)
DEALER_MAY = (
    Permission.ORDERS_READ,
    Permission.ORDERS_PLACE,
    Permission.ORDERS_CANCEL,
    Permission.STOCK_READ,
)
STORE_MAY = (
    Permission.ORDERS_READ,
    Permission.STOCK_READ,
    Permission.STOCK_WRITE,
    Permission.FULFILMENT_WRITE,
)


async def seed_demo(database: Database, brands: BrandDirectory) -> int:
    """Create what is missing of the demo's brand, and return its id.

    Two steps, each whole or not at all: the organisation, then everything in it, with its rules and
    terms.
    """
    known = {brand.code: brand.id for brand in await brands.all()}
    async with database.platform_transaction() as tx:
        brand_id = known.get(demo.BRAND_CODE) or await _organisation(tx)
    async with database.tenant_transaction(system_principal(brand_id, "demo")) as tx:
        if not await list_nodes(tx):
            listed = await organisation.dealers_of_brand(tx, brand_id)
            dealers = {dealer.code: dealer.id for dealer in listed}
            nodes = await _network(tx, dealers)
            await _stock(tx)
            await _users(tx, brand_id, dealers, nodes)
        await seed_layout(tx, bundled_regions())
        await seed_alert_rules(tx, bundled_regions())
        await seed_terms(tx, bundled_regions())
        await seed_policy(tx, bundled_regions())
        await seed_appointments(tx, bundled_regions(), (await brands.get(brand_id)).today())
    return brand_id


async def _organisation(tx: Transaction) -> int:
    group_id = await organisation.register_group(tx, ACTOR, demo.GROUP_CODE, "海云集团")
    brand_id = await organisation.register_brand(
        tx,
        ACTOR,
        code=demo.BRAND_CODE,
        name=demo.BRAND_NAME,
        currency="CNY",
        time_zone="Asia/Shanghai",
        group_id=group_id,
    )
    for code, name, _ in demo.DEALERS:
        dealer_id = await organisation.register_dealer(tx, ACTOR, code, name)
        await organisation.sign_agreement(tx, ACTOR, brand_id, dealer_id, date(2026, 1, 1))
    return brand_id


async def _network(tx: TenantTransaction, dealers: dict[str, int]) -> dict[str, int]:
    regions = bundled_regions()
    entity = await create_legal_entity(tx, "haiyun", "海云电器有限公司")
    entities = {
        code: await create_legal_entity(tx, code, name, dealers[code])
        for code, name, _ in demo.DEALERS
    }
    nodes = {}
    for node in demo.NODES:
        dealer_id = dealers[node.dealer] if node.dealer else None
        owner = entities[node.dealer] if node.dealer else entity
        draft = NodeDraft(
            code=node.code,
            name=node.name,
            kind=node.kind,
            region_code=node.region_code,
            priority=node.priority,
            daily_capacity=node.daily_capacity,
            lead_time_minutes=240 if node.kind is NodeKind.WAREHOUSE else 120,
            legal_entity_id=owner,
            dealer_id=dealer_id,
        )
        nodes[node.code] = await create_node(tx, draft, regions)
        for condition in Condition:
            warehouse = WarehouseDraft(
                node_id=nodes[node.code],
                code=f"{node.code}-{condition}",
                condition=condition,
                legal_entity_id=owner,
                dealer_id=dealer_id,
            )
            await create_warehouse(tx, warehouse)
    for shop in demo.SHOPS:
        dealer_id = dealers[shop.dealer] if shop.dealer else None
        owner = entities[shop.dealer] if shop.dealer else entity
        await create_shop(tx, ShopDraft(shop.code, shop.name, shop.channel, dealer_id, owner))
    return nodes


async def _stock(tx: TenantTransaction) -> None:
    from_code = {warehouse.code: warehouse.id for warehouse in await list_warehouses(tx)}
    skus = demo.demo_skus()
    ids = await save_skus(tx, [draft for draft, _ in skus])
    random = Random(demo.SEED)
    movements = []
    for node in demo.NODES:
        cause_id = await ledger.next_cause_id(tx)
        for draft, _ in skus:
            units = demo.demo_stock(random, node.kind, is_major=draft.needs_installation)
            if units:
                movements.append(
                    Movement(
                        key=LevelKey(from_code[f"{node.code}-{Condition.GOOD}"], ids[draft.code]),
                        type=MovementType.RECEIVED,
                        quantity=units,
                        cause_kind=CauseKind.RECEIPT,
                        cause_id=cause_id,
                    )
                )
    await ledger.record(tx, movements, ACTOR)


async def _users(
    tx: Transaction, brand_id: int, dealers: dict[str, int], nodes: dict[str, int]
) -> None:
    user = await organisation.register_user(tx, ACTOR, BRAND_USER, "海云运营", demo.PASSWORD)
    await organisation.grant_membership(tx, ACTOR, user, Kind.BRAND, ALL, brand_id=brand_id)
    user = await organisation.register_user(tx, ACTOR, DEALER_USER, "华东经销商", demo.PASSWORD)
    await organisation.grant_membership(
        tx, ACTOR, user, Kind.DEALER, DEALER_MAY, dealer_id=dealers["dealer-huadong"]
    )
    user = await organisation.register_user(tx, ACTOR, STORE_USER, "徐汇店员", demo.PASSWORD)
    await organisation.grant_membership(
        tx, ACTOR, user, Kind.STORE, STORE_MAY, brand_id=brand_id, node_ids=[nodes["store-01"]]
    )
