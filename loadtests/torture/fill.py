"""The world of a history, as rows."""

import msgspec
from msgspec.structs import asdict, replace

from backend.network.model import NodeTerms
from backend.network.regions.table import bundled_regions
from backend.routing.model import DEFAULT_POLICY, Rerouting
from loadtests.torture.database_server import DatabaseServer
from loadtests.torture.history import HALVES, INSTALLED, SKUS, SLOT_DAY, History
from loadtests.torture.played import TENANT, Played
from loadtests.torture.stock_statements import BEGAN, FIGURES

EARMARK = 1
REROUTING = replace(DEFAULT_POLICY, rerouting=Rerouting(least_saving_minor=1))
"""The policy of histories in which orders are given to other nodes."""
NODE_TERMS = asdict(NodeTerms()) | {"capabilities": []}


def fill(played: Played, server: DatabaseServer) -> None:
    """Store the brand, its network and its stock."""
    _fill_brand(server)
    _fill_network(server, played.history)
    _fill_slots(server, played.history)
    if played.history.reroutes:
        document = msgspec.json.encode(REROUTING).decode()
        told = {"comment": "", "proposed_by": "t", "proposed_at": BEGAN}
        told |= {"activated_by": "t", "activated_at": BEGAN}
        state = {"version": 1, "based_on": 0, "status": "active", "document": document}
        server.fill("routing_policy", 1, **state, **told)
    _fill_stock(server, played.history)
    played.observer.begin()


def _fill_brand(server: DatabaseServer) -> None:
    store = server.fill
    brand = {"code": "acme", "name": "Acme", "currency": "CNY", "time_zone": "Asia/Shanghai"}
    store("brand", TENANT, id=TENANT, group_id=None, **brand)
    shop = {"code": "shop", "name": "Shop", "channel": "tmall", "is_active": True}
    store("shop", 1, id=1, dealer_id=None, legal_entity_id=None, **shop)
    for number, code in enumerate(SKUS, 1):
        sizes = {"length_mm": 0, "width_mm": 0, "height_mm": 0}
        names = {"code": code, "name": code, "category": "", "product_line": ""}
        is_installed = code == INSTALLED
        flags = {"needs_installation": is_installed, "attributes": "{}", "is_active": True}
        store("sku", number, id=number, weight_g=1_000, **sizes, **names, **flags)


def _fill_network(server: DatabaseServer, history: History) -> None:
    store = server.fill
    for number, node in enumerate(history.nodes, 1):
        region = bundled_regions().by_code[node.region_code]
        store(
            "node",
            number,
            id=number,
            code=node.code,
            name=node.code,
            kind="warehouse",
            region_code=node.region_code,
            longitude_e6=region.longitude_e6,
            latitude_e6=region.latitude_e6,
            priority=100,
            daily_capacity=node.daily_capacity,
            lead_time_minutes=0,
            legal_entity_id=None,
            dealer_id=None,
            serves_all=True,
            is_active=True,
            **NODE_TERMS,
        )
        kind = {"code": node.code, "condition": "good", "purpose": "default", "rank": 0}
        owner = {"legal_entity_id": None, "dealer_id": None}
        store("functional_warehouse", number, id=number, node_id=number, **kind, **owner)


def _fill_slots(server: DatabaseServer, history: History) -> None:
    for number, visits in enumerate(history.visits, 1):
        node_id = number if number <= len(history.nodes) else None
        kind = "installation" if node_id is None else "delivery"
        names = {"code": f"p{number}", "name": "p", "regions": [], "categories": []}
        server.fill(
            "slot_provider", number, id=number, kind=kind, node_id=node_id, is_active=True, **names
        )
        for half, ((first, end), limit) in enumerate(zip(HALVES, visits, strict=True), 1):
            window = {"day": SLOT_DAY, "first_minute": first, "end_minute": end}
            slot_id = 10 * number + half
            counted = {"limit_visits": limit, "taken": 0}
            server.fill("slot", slot_id, id=slot_id, provider_id=number, **window, **counted)


def _fill_stock(server: DatabaseServer, history: History) -> None:
    store = server.fill
    warehouses = {node.code: number for number, node in enumerate(history.nodes, 1)}
    kept = {(code, sku): (unused, lent) for code, sku, unused, lent in history.kept}
    for number, (code, sku, units) in enumerate(history.stock):
        key = (warehouses[code], SKUS.index(sku) + 1)
        unused, lent = kept.get((code, sku), (0, 0))
        figures = {**dict.fromkeys(FIGURES, 0), "on_hand": units, "earmark_unused": unused}
        place = {
            "functional_warehouse_id": key[0],
            "sku_id": key[1],
            "node_id": key[0],
            "dealer_id": None,
        }
        store("stock_level", key, **place, **figures, version=1)
        if (code, sku) in kept:
            mark = {"sku_id": key[1], "functional_warehouse_id": key[0], "earmark_id": EARMARK}
            units_of = {"filled": unused + lent, "unused": unused, "lent": lent}
            store("earmark_level", tuple(mark.values()), **mark, **units_of)
        deltas = {"on_hand_delta": units, "reserved_delta": 0}
        store("stock_movement", -1 - number, **place, **deltas, recorded_at=BEGAN)
