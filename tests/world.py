"""A small brand to test with, and ways to say what it has.

Brand "acme": nodes "wh" (warehouse, Shanghai), "store" (Hangzhou), "far" (warehouse, Beijing)
and "dealer-node" (dealer d1's, Guangzhou), each with a functional warehouse of the node's own code;
SKUs "A", "B", "C" of 1 kg; shops "shop" (the brand's), "dshop" (dealer d1's), "dshop2" (dealer
d2's). No stock. A second brand "other" has a warehouse "wh", a SKU "A" and a shop "shop".
"""

import itertools
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.channels.model import ShopDraft
from backend.channels.shops import create_shop
from backend.db.pool import Database
from backend.inventory.change_stock import StockReceive, change_stock
from backend.inventory.model import Level
from backend.inventory.warehouses import create_warehouse
from backend.network.model import NodeDraft, NodeKind, WarehouseDraft
from backend.network.nodes import create_node
from backend.network.regions.table import bundled_regions
from backend.orders.model import AddressDraft, LineDraft, OrderDraft
from tenants import organisation
from tenants.principal import Kind, Permission, Principal, system_principal

ACTOR = "test"
SHANGHAI, HANGZHOU, BEIJING, GUANGZHOU = 310104, 330106, 110105, 440106
PASSWORD = "correct horse"
ALL = frozenset(Permission)

_keys = itertools.count(1)


class World(NamedTuple):
    """The ids of what was created, and who may act."""

    tenant_id: int
    other_tenant_id: int
    group_id: int
    nodes: dict[str, int]
    skus: dict[str, int]
    dealers: dict[str, int]
    brand: Principal
    dealer: Principal
    other_dealer: Principal
    store: Principal
    group: Principal
    other_brand: Principal

    @property
    def system(self) -> Principal:
        return system_principal(self.tenant_id, "test")


def fresh_key() -> str:
    return f"key-{next(_keys)}"


def draft(
    lines: Mapping[str, int] | None = None, *, region: int = SHANGHAI, **changes: Any
) -> OrderDraft:
    """Return an order of units by SKU, for the shop "shop", with a fresh idempotency key."""
    values: dict[str, Any] = {
        "shop": "shop",
        "address": AddressDraft(detail="某路 1 号", region_code=region, name="张三", phone="138"),
        "lines": tuple(LineDraft(sku, n, 1_000) for sku, n in (lines or {"A": 1}).items()),
        "idempotency_key": fresh_key(),
    }
    return OrderDraft(**(values | changes))


def paid(external_id: str, lines: Mapping[str, int] | None = None, **changes: Any) -> OrderDraft:
    """Return a paid platform order: never refused."""
    return draft(lines, external_id=external_id, is_paid=True, idempotency_key=None, **changes)


async def receive(
    database: Database, who: Principal, warehouse: str, sku: str, quantity: int
) -> Level:
    """Put units into a functional warehouse."""
    command = StockReceive(warehouse=warehouse, sku=sku, quantity=quantity)
    async with database.tenant_transaction(who) as tx:
        return (await change_stock(tx, command, fresh_key()))[0]


async def create_world(database: Database) -> World:
    """Create both brands."""
    async with database.platform_transaction() as tx:
        group_id = await organisation.register_group(tx, ACTOR, "group", "Group")
        brands = {
            code: await organisation.register_brand(
                tx,
                ACTOR,
                code=code,
                name=code.title(),
                currency="CNY",
                time_zone="Asia/Shanghai",
                group_id=group_id,
            )
            for code in ("acme", "other")
        }
        dealers = {
            code: await organisation.register_dealer(tx, ACTOR, code, code) for code in ("d1", "d2")
        }
        for dealer_id in dealers.values():
            await organisation.sign_agreement(
                tx, ACTOR, brands["acme"], dealer_id, date(2020, 1, 1)
            )
    tenant_id = brands["acme"]
    nodes = await _network(database, tenant_id, dealers)
    skus = await _catalog(database, tenant_id, dealers)
    await _other(database, brands["other"])
    users = await _users(database, tenant_id, brands["other"], group_id, dealers, nodes)
    return World(
        tenant_id=tenant_id,
        other_tenant_id=brands["other"],
        group_id=group_id,
        nodes=nodes,
        skus=skus,
        dealers=dealers,
        brand=_principal(tenant_id, Kind.BRAND, users["brand"]),
        dealer=_principal(tenant_id, Kind.DEALER, users["d1"], dealer_id=dealers["d1"]),
        other_dealer=_principal(tenant_id, Kind.DEALER, users["d2"], dealer_id=dealers["d2"]),
        store=_principal(tenant_id, Kind.STORE, users["store"], node_ids=(nodes["store"],)),
        group=_principal(tenant_id, Kind.GROUP, users["group"], group_id=group_id),
        other_brand=_principal(brands["other"], Kind.BRAND, users["other"]),
    )


def _principal(tenant_id: int, kind: Kind, user_id: int, **scope: Any) -> Principal:
    return Principal(
        tenant_id=tenant_id, kind=kind, subject=f"user:{user_id}", permissions=ALL, **scope
    )


async def _network(database: Database, tenant_id: int, dealers: dict[str, int]) -> dict[str, int]:
    listed = (
        ("wh", NodeKind.WAREHOUSE, SHANGHAI, None),
        ("store", NodeKind.STORE, HANGZHOU, None),
        ("far", NodeKind.WAREHOUSE, BEIJING, None),
        ("dealer-node", NodeKind.DEALER, GUANGZHOU, dealers["d1"]),
    )
    nodes = {}
    async with database.tenant_transaction(system_principal(tenant_id, "test")) as tx:
        for code, kind, region, dealer_id in listed:
            node = NodeDraft(
                code=code, name=code, kind=kind, region_code=region, dealer_id=dealer_id
            )
            nodes[code] = await create_node(tx, node, bundled_regions())
            await create_warehouse(
                tx, WarehouseDraft(node_id=nodes[code], code=code, dealer_id=dealer_id)
            )
    return nodes


async def _catalog(database: Database, tenant_id: int, dealers: dict[str, int]) -> dict[str, int]:
    async with database.tenant_transaction(system_principal(tenant_id, "test")) as tx:
        await create_shop(tx, ShopDraft("shop", "Shop", "tmall"))
        await create_shop(tx, ShopDraft("dshop", "Dealer's shop", "jd", dealers["d1"]))
        await create_shop(tx, ShopDraft("dshop2", "Other dealer's shop", "jd", dealers["d2"]))
        return await save_skus(
            tx, [SkuDraft(code=code, name=code, weight_g=1_000) for code in ("A", "B", "C")]
        )


async def _other(database: Database, tenant_id: int) -> None:
    async with database.tenant_transaction(system_principal(tenant_id, "test")) as tx:
        node = NodeDraft(code="wh", name="wh", kind=NodeKind.WAREHOUSE, region_code=SHANGHAI)
        node_id = await create_node(tx, node, bundled_regions())
        await create_warehouse(tx, WarehouseDraft(node_id=node_id, code="wh"))
        await create_shop(tx, ShopDraft("shop", "Shop", "tmall"))
        await save_skus(tx, [SkuDraft(code="A", name="A")])


async def _users(
    database: Database,
    tenant_id: int,
    other_tenant_id: int,
    group_id: int,
    dealers: dict[str, int],
    nodes: dict[str, int],
) -> dict[str, int]:
    scopes: dict[str, tuple[Kind, dict[str, Any]]] = {
        "brand": (Kind.BRAND, {"brand_id": tenant_id}),
        "other": (Kind.BRAND, {"brand_id": other_tenant_id}),
        "d1": (Kind.DEALER, {"dealer_id": dealers["d1"]}),
        "d2": (Kind.DEALER, {"dealer_id": dealers["d2"]}),
        "store": (Kind.STORE, {"brand_id": tenant_id, "node_ids": [nodes["store"]]}),
        "group": (Kind.GROUP, {"group_id": group_id}),
    }
    users = {}
    async with database.platform_transaction() as tx:
        for name, (kind, scope) in scopes.items():
            users[name] = await organisation.register_user(
                tx, ACTOR, f"{name}@example.com", name, PASSWORD
            )
            await organisation.grant_membership(tx, ACTOR, users[name], kind, ALL, **scope)
    return users
