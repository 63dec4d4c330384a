"""What the demo's network can do and costs: terms of nodes, carriers, dealers and channels.

Figures are round, and nobody's: an express for small parcels and a freight for large ones, dearer
and slower by distance.
"""

from typing import NamedTuple

from msgspec.structs import replace

from backend.db.pool import TenantTransaction
from backend.demo import brand as demo
from backend.network.channel_terms import set_channel_terms
from backend.network.dealer_terms import set_dealer_terms
from backend.network.geo import distance_m
from backend.network.lanes import set_lanes
from backend.network.model import (
    EVERY_DAY,
    Capability,
    ChannelTerms,
    DealerTerms,
    LaneDraft,
    NodeKind,
    NodeTerms,
    Region,
)
from backend.network.node_terms import set_node_terms
from backend.network.regions.table import RegionTable
from backend.network.terms import terms_mark
from tenants.organisation import dealers_of_brand

PROVINCE = 1
DAY_MINUTES = 1_440
ZONES_KM = (400, 1_000, 1_800)
"""How far each zone reaches: the node's own province is the first, what is beyond all the last."""
MONDAY_TO_SATURDAY = EVERY_DAY >> 1


class Carrier(NamedTuple):
    """A carrier, with its charge for a first and a further weight and its days, by zone."""

    code: str
    step_g: int
    base_minor: tuple[int, ...]
    step_minor: tuple[int, ...]
    days: tuple[int, ...]


CARRIERS = (
    Carrier("express", 1_000, (800, 1_000, 1_200, 1_800), (200, 400, 600, 1_000), (1, 2, 3, 4)),
    Carrier(
        "freight", 10_000, (3_000, 4_000, 5_000, 7_000), (600, 900, 1_200, 1_800), (2, 3, 4, 6)
    ),
)
WAREHOUSE_CAN = {
    "wh-shanghai": frozenset({Capability.OVERSIZE, Capability.INSTALLS}),
    "wh-guangzhou": frozenset({Capability.OVERSIZE, Capability.INSTALLS}),
    "wh-beijing": frozenset({Capability.OVERSIZE}),
}
TERMS_OF_KIND = {
    NodeKind.WAREHOUSE: NodeTerms(cut_off_minute=20 * 60, service_level=5, handling_minor=300),
    NodeKind.STORE: NodeTerms(
        capabilities=frozenset({Capability.HANDS_OVER}),
        cut_off_minute=16 * 60,
        service_level=3,
        handling_minor=600,
        keeps_for_region=True,
    ),
    NodeKind.DEALER: NodeTerms(
        capabilities=frozenset({Capability.OVERSIZE, Capability.INSTALLS}),
        cut_off_minute=18 * 60,
        working_days=MONDAY_TO_SATURDAY,
        service_level=4,
        handling_minor=500,
    ),
}
DEALERS = {
    "dealer-huadong": ((330000, 310000, 320000, 340000, 350000, 360000), 9_600, 1_500),
    "dealer-huanan": ((440000, 450000, 460000, 350000, 360000, 430000), 9_200, 1_200),
    "dealer-xinan": ((510000, 500000, 520000, 530000, 610000), 8_800, 1_800),
    "dealer-huazhong": ((420000, 410000, 430000, 340000, 360000, 500000, 610000), 9_000, 1_400),
}
"""Its own province and neighbours, performance in basis points, fee of a parcel in fen."""
COMMISSIONS_BP = {
    "tmall": {NodeKind.WAREHOUSE: 500, NodeKind.STORE: 450, NodeKind.DEALER: 550},
    "jd": {NodeKind.WAREHOUSE: 800, NodeKind.STORE: 700, NodeKind.DEALER: 850},
    "douyin": {NodeKind.WAREHOUSE: 300, NodeKind.STORE: 250, NodeKind.DEALER: 400},
}


async def seed_terms(tx: TenantTransaction, regions: RegionTable) -> None:
    """Set all terms where none were ever set."""
    if await terms_mark(tx):
        return
    for node in demo.NODES:
        await set_node_terms(tx, node.code, node_terms(node))
    await set_lanes(tx, demo_lanes(regions), key="demo-lanes", regions=regions)
    dealers = {dealer.code: dealer.id for dealer in await dealers_of_brand(tx, tx.tenant_id)}
    for code, (territory, performance_bp, fee_minor) in DEALERS.items():
        terms = DealerTerms(
            dealer_id=dealers[code],
            territory=territory,
            performance_bp=performance_bp,
            service_fee_minor=fee_minor,
        )
        await set_dealer_terms(tx, terms, key=f"demo-terms-{code}", regions=regions)
    commissions = [
        ChannelTerms(channel=channel, node_kind=kind, commission_bp=commission_bp)
        for channel, by_kind in COMMISSIONS_BP.items()
        for kind, commission_bp in by_kind.items()
    ]
    await set_channel_terms(tx, commissions, key="demo-channel-terms")


def node_terms(node: demo.DemoNode) -> NodeTerms:
    """Return what a node can do, and when and at what cost it sends."""
    terms = TERMS_OF_KIND[node.kind]
    capabilities = WAREHOUSE_CAN.get(node.code, terms.capabilities)
    return replace(terms, capabilities=capabilities)


def demo_lanes(regions: RegionTable) -> list[LaneDraft]:
    """Return the lanes of both carriers from every warehouse to every province."""
    provinces = [
        region
        for region in regions.by_code.values()
        if region.country == "CN" and region.level == PROVINCE
    ]
    return [
        _lane(node.code, carrier, province, zone_of(node, province, regions))
        for node in demo.WAREHOUSES
        for carrier in CARRIERS
        for province in provinces
    ]


def zone_of(node: demo.DemoNode, province: Region, regions: RegionTable) -> int:
    """Return how far a province is from a node, as an index of a carrier's figures."""
    at = regions.by_code[node.region_code]
    if regions.ancestors(node.region_code)[-1] == province:
        return 0
    metres = distance_m(
        at.longitude_e6, at.latitude_e6, province.longitude_e6, province.latitude_e6
    )
    return sum(metres > reach_km * 1_000 for reach_km in ZONES_KM)


def _lane(node: str, carrier: Carrier, province: Region, zone: int) -> LaneDraft:
    return LaneDraft(
        node=node,
        carrier=carrier.code,
        region_code=province.code,
        base_minor=carrier.base_minor[zone],
        step_minor=carrier.step_minor[zone],
        step_g=carrier.step_g,
        transit_minutes=carrier.days[zone] * DAY_MINUTES,
    )
