"""Terms that the tests of the network set, and how they are set and read."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from msgspec.structs import replace

from backend.db.pool import Database
from backend.network.channel_terms import set_channel_terms
from backend.network.dealer_terms import set_dealer_terms
from backend.network.lanes import set_lanes
from backend.network.model import (
    Capability,
    ChannelTerms,
    DealerTerms,
    LaneDraft,
    NodeKind,
    NodeTerms,
)
from backend.network.node_terms import set_closed_days, set_node_terms
from backend.network.regions.table import bundled_regions
from backend.network.terms import NetworkTerms, read_terms, terms_mark
from tenants.principal import Principal
from tests.world import HANGZHOU, World, fresh_key

TODAY = date(2030, 1, 31)
LANE = LaneDraft(
    node="wh",
    carrier="express",
    region_code=HANGZHOU,
    base_minor=800,
    step_minor=200,
    step_g=500,
    transit_minutes=1_440,
)
TERMS = NodeTerms(
    capabilities=frozenset({Capability.OVERSIZE, Capability.INSTALLS}),
    cut_off_minute=960,
    working_days=31,
    service_level=9,
    handling_minor=300,
    keeps_for_region=True,
)


def dealer_terms(world: World, **changes: Any) -> DealerTerms:
    """Return terms of dealer d1: Zhejiang and Shanghai, nearly perfect, 15.00 a parcel."""
    terms = DealerTerms(
        dealer_id=world.dealers["d1"],
        territory=(310000, 330000),
        performance_bp=9_900,
        service_fee_minor=1_500,
    )
    return replace(terms, **changes)


def commission(channel: str = "tmall", bp: int = 500) -> ChannelTerms:
    return ChannelTerms(channel=channel, node_kind=NodeKind.STORE, commission_bp=bp)


async def put_lanes(
    database: Database, who: Principal, lanes: Sequence[LaneDraft], key: str | None = None
) -> int:
    async with database.tenant_transaction(who) as tx:
        return await set_lanes(tx, lanes, key=key or fresh_key(), regions=bundled_regions())


async def put_node_terms(
    database: Database, who: Principal, terms: NodeTerms = TERMS, code: str = "wh"
) -> int:
    async with database.tenant_transaction(who) as tx:
        return await set_node_terms(tx, code, terms)


async def put_closed_days(
    database: Database,
    who: Principal,
    first: date = TODAY,
    last: date = TODAY,
    code: str = "wh",
    *,
    is_closed: bool = True,
) -> int:
    async with database.tenant_transaction(who) as tx:
        return await set_closed_days(tx, code, first, last, is_closed=is_closed)


async def put_dealer_terms(
    database: Database, who: Principal, terms: DealerTerms, key: str | None = None
) -> DealerTerms:
    async with database.tenant_transaction(who) as tx:
        return await set_dealer_terms(tx, terms, key=key or fresh_key(), regions=bundled_regions())


async def put_channel_terms(
    database: Database, who: Principal, terms: Sequence[ChannelTerms], key: str | None = None
) -> list[ChannelTerms]:
    async with database.tenant_transaction(who) as tx:
        return await set_channel_terms(tx, terms, key=key or fresh_key())


async def read(database: Database, who: Principal, today: date = TODAY) -> NetworkTerms:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await read_terms(tx, today)


async def mark(database: Database, who: Principal) -> int:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await terms_mark(tx)
