"""The worked example, and ways to put a layout in force."""

from typing import Any

from backend.conditions.model import Comparison, Condition, Operator
from backend.db.pool import Database
from backend.inventory.pools import layouts as cases
from backend.inventory.pools.layouts import LayoutVersion
from backend.inventory.pools.model import (
    Feed,
    Layer,
    Layout,
    Mode,
    Pool,
    Rule,
    Share,
    Supply,
    Sync,
)
from backend.network.regions.table import bundled_regions
from tenants.principal import Principal
from tests.world import fresh_key

__all__ = ["Feed", "Layer", "Mode", "Pool", "Rule", "Share", "Supply", "Sync"]


def supply(code: str, *warehouses: str, **changes: Any) -> Pool:
    """Return a supply pool that takes from functional warehouses."""
    link = Supply(warehouses=warehouses, **changes)
    return Pool(code=code, name=code, layer=Layer.SUPPLY, supplies=(link,))


def dispatch(code: str, *pools: str, mode: Mode = Mode.SHARED, **changes: Any) -> Pool:
    """Return a dispatch pool that takes from each of some pools."""
    feeds = tuple(Feed(pools=(pool,), **changes) for pool in pools)
    return Pool(code=code, name=code, layer=Layer.DISPATCH, mode=mode, feeds=feeds)


def share(pool: str, shop: str, ratio_bp: int = 10_000, **changes: Any) -> Share:
    return Share(pool=pool, shop=shop, ratio_bp=ratio_bp, **changes)


EXAMPLE = Layout(
    pools=(
        supply("online", "wh"),
        supply("east-china", "wh", ratio_bp=3_000),
        dispatch("consumers", "online"),
    ),
    shares=(share("consumers", "shop", 8_000), share("consumers", "dshop", 6_000)),
)
"""Shanghai good stock 100 % to online, 30 % to East-China dealers; online 80 % to one shop and 60 %
to the other."""

BARE = Layout(pools=(supply("bare", "wh"),))
"""A pool that nobody is given anything of."""


def when(attribute: str, operator: str, *values: str) -> Condition:
    """Return a condition of one test."""
    return Condition(test=Comparison(attribute, Operator(operator), values))


async def propose(
    database: Database, who: Principal, layout: Layout, based_on: int = 0, key: str | None = None
) -> LayoutVersion:
    async with database.tenant_transaction(who) as tx:
        return await cases.propose_layout(
            tx,
            layout,
            based_on=based_on,
            comment="",
            key=key or fresh_key(),
            regions=bundled_regions(),
        )


async def activate(
    database: Database, who: Principal, version: int, key: str | None = None
) -> LayoutVersion:
    async with database.tenant_transaction(who) as tx:
        return await cases.activate_layout(
            tx, version, key=key or fresh_key(), regions=bundled_regions()
        )


async def put_in_force(database: Database, who: Principal, layout: Layout) -> LayoutVersion:
    """Propose a layout on top of what is active, and activate it."""
    async with database.tenant_transaction(who, read_only=True) as tx:
        active = await cases.active_version(tx)
    draft = await propose(database, who, layout, active)
    return await activate(database, who, draft.version)
