"""What the made-up brand of the planner's benchmark has agreed, and knows of its nodes."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import product
from random import Random
from typing import Any

from backend.network.model import (
    Capability,
    ChannelTerms,
    DealerTerms,
    Lane,
    Node,
    NodeKind,
    Slot,
    SlotKind,
    SlotProvider,
)
from backend.network.regions.table import bundled_regions
from backend.network.terms import NetworkTerms
from backend.routing.network_view import Figures, NetworkView
from backend.routing.slot_book import SlotBook

CARRIERS = ("sf", "yto")
DEALERS = (1, 2)
INSTALLED = "ac"
"""The category of what is installed."""
SLOT_DAYS, SLOT_STARTS, SLOT_INSTALLERS = 30, (480, 660, 840, 1_020), 10


def drawn_node_terms(random: Random) -> dict[str, Any]:
    """Draw what a node can do, and when and at what cost it sends."""
    capabilities = [one for one in Capability if random.random() < 0.5]
    return {
        "capabilities": frozenset(capabilities),
        "cut_off_minute": random.choice([None, 720, 960, 1_200]),
        "working_days": random.choice([127, 63, 31]),
        "service_level": random.randrange(10),
        "handling_minor": random.randrange(50, 300),
        "keeps_for_region": random.random() < 0.3,
    }


def drawn_terms(random: Random, nodes: Sequence[Node], today: date) -> NetworkTerms:
    """Draw lanes from most nodes to most provinces, closed days, terms of dealers and channels."""
    provinces = [region.code for region in bundled_regions().by_code.values() if region.level == 1]
    lanes = {
        node.id: tuple(
            _lane(random, node.id, carrier, province)
            for carrier in CARRIERS
            for province in provinces
            if random.random() < 0.8
        )
        for node in nodes
        if random.random() < 0.8
    }
    return NetworkTerms(
        mark=1,
        first_day=today,
        closed_days={node.id: frozenset({today + timedelta(days=1)}) for node in nodes[::7]},
        lanes=lanes,
        dealers={
            dealer: DealerTerms(
                dealer_id=dealer,
                territory=tuple(random.sample(provinces, 10)),
                performance_bp=random.randrange(8_000, 10_001),
                service_fee_minor=random.randrange(100, 900),
            )
            for dealer in DEALERS
        },
        channels={
            (channel, kind): ChannelTerms(
                channel=channel, node_kind=kind, commission_bp=random.randrange(200, 900)
            )
            for channel in ("tmall", "jd", "douyin")
            for kind in NodeKind
        },
    )


def _lane(random: Random, node_id: int, carrier: str, province: int) -> Lane:
    return Lane(
        id=0,
        node_id=node_id,
        carrier=carrier,
        region_code=province,
        base_minor=random.randrange(600, 2_000),
        step_minor=random.randrange(50, 500),
        step_g=1_000,
        transit_minutes=random.randrange(300, 6_000),
        is_active=True,
    )


def drawn_figures(random: Random, node_ids: Sequence[int], skus: int) -> Figures:
    """Draw the accuracy of nodes, and ages and shadow prices of the first SKUs."""
    return Figures(
        accuracy_bp={node: random.randrange(9_000, 10_001) for node in node_ids},
        age_days={sku: {n: random.randrange(120) for n in node_ids} for sku in range(skus)},
        price_minor={sku: {n: random.randrange(500) for n in node_ids} for sku in range(skus)},
    )


def month_of_slots(view: NetworkView) -> SlotBook:
    """Return a dock for each node and ten installers, with four windows on each of thirty days."""
    assert view.today is not None, "the view looks at a day"
    docks = [(node.id, SlotKind.DELIVERY) for node in view.nodes]
    kinds = [*docks, *[(None, SlotKind.INSTALLATION)] * SLOT_INSTALLERS]
    providers = [
        SlotProvider(
            id=number,
            code=f"p{number}",
            name=f"p{number}",
            kind=kind,
            node_id=node_id,
            regions=(),
            categories=(INSTALLED,) if node_id is None else (),
            is_active=True,
        )
        for number, (node_id, kind) in enumerate(kinds)
    ]
    slots = [
        Slot(one.id, view.today + timedelta(days=later), first, first + 180, number, 9, 9)
        for number, (one, later, first) in enumerate(
            product(providers, range(SLOT_DAYS), SLOT_STARTS)
        )
    ]
    return SlotBook(providers, slots, view)
