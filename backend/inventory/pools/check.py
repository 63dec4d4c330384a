"""What a layout must be by itself, whatever the brand has: bounds, names, no cycle, no way up."""

from collections.abc import Hashable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from backend.conditions.compile import compile_condition
from backend.inventory.pools import model
from backend.inventory.pools.attributes import RULE_ATTRIBUTES, SOURCE_ATTRIBUTES
from backend.inventory.pools.errors import InvalidLayout
from backend.inventory.pools.model import WHOLE_BP, Flow, Layer, Layout, Mode, Pool, Share, Sync

Path = tuple[str | int, ...]


def check_layout(layout: Layout) -> list[str]:
    """Return the codes of the pools so that each comes after those it takes from.

    Raises InvalidLayout and InvalidCondition, with the path of what is wrong.
    """
    least = layout.least_accuracy_bp
    if least is not None and not 0 <= least <= WHOLE_BP:
        raise InvalidLayout(
            f"The least accuracy lies between 0 and {WHOLE_BP} basis points.",
            path=("leastAccuracyBp",),
        )
    _at_most(len(layout.pools), model.POOLS_MAX, "pools", ("pools",))
    _at_most(len(layout.shares), model.SHARES_MAX, "shares", ("shares",))
    _at_most(len(layout.syncs), model.SHARES_MAX, "sync policies", ("syncs",))
    pools = {pool.code: pool for pool in layout.pools}
    _once([pool.code for pool in layout.pools], "pool", "pools")
    for index, pool in enumerate(layout.pools):
        _check_pool(pool, pools, ("pools", index))
    order = _in_order(layout)
    _once([(share.pool, share.shop) for share in layout.shares], "share", "shares")
    for index, share in enumerate(layout.shares):
        _check_share(share, pools, ("shares", index))
    _check_wholes(layout, pools)
    _once([sync.shop for sync in layout.syncs], "sync policy of shop", "syncs")
    for index, sync in enumerate(layout.syncs):
        _check_sync(sync, ("syncs", index))
    return order


def _check_pool(pool: Pool, pools: dict[str, Pool], path: Path) -> None:
    if (
        not 0 < len(pool.code.strip()) <= len(pool.code) <= model.CODE_LENGTH_MAX
        or not pool.code.isprintable()
    ):
        raise InvalidLayout(
            f"A pool's code has 1 to {model.CODE_LENGTH_MAX} printable characters.",
            path=(*path, "code"),
        )
    if not 0 < len(pool.name.strip()) <= model.NAME_LENGTH_MAX or not pool.name.isprintable():
        raise InvalidLayout(
            f"A pool's name has 1 to {model.NAME_LENGTH_MAX} printable characters.",
            path=(*path, "name"),
        )
    if pool.layer is Layer.SUPPLY and pool.feeds:
        raise InvalidLayout(
            "A supply pool takes from functional warehouses; make it a dispatch pool to take from "
            "pools.",
            path=(*path, "feeds"),
        )
    if pool.mode is not Mode.SHARED and pool.layer is not Layer.DISPATCH:
        raise InvalidLayout(
            "Only a dispatch pool is given to shops in turns or parts.", path=(*path, "mode")
        )
    _at_most(len(pool.supplies) + len(pool.feeds), model.LINKS_MAX, "links into a pool", path)
    for at, supply in enumerate(pool.supplies):
        where = (*path, "supplies", at)
        _check_flow(supply, where)
        if not supply.warehouses and supply.where is None:
            raise InvalidLayout("Say from which warehouses, by code or by `where`.", path=where)
        _at_most(len(supply.warehouses), model.WAREHOUSES_MAX, "warehouses of a link", where)
        _once(list(supply.warehouses), "functional warehouse", "warehouses", where)
        if supply.where is not None:
            compile_condition(supply.where, SOURCE_ATTRIBUTES, (*where, "where"))
    for at, feed in enumerate(pool.feeds):
        where = (*path, "feeds", at)
        _check_flow(feed, where)
        if not feed.pools:
            raise InvalidLayout("Say from which pools.", path=(*where, "pools"))
        _once(list(feed.pools), "pool", "pools", where)
        for code in feed.pools:
            _check_feed(code, pools, (*where, "pools"))


def _check_feed(code: str, pools: dict[str, Pool], path: Path) -> None:
    source = pools.get(code)
    if source is None:
        raise InvalidLayout(f"There is no pool {code!r} in this layout.", path=path)
    if source.mode is not Mode.SHARED:
        raise InvalidLayout(
            f"Pool {code!r} is given to its shops in turns or parts: no other pool takes from it.",
            path=path,
        )


def _in_order(layout: Layout) -> list[str]:
    graph = {
        pool.code: [code for feed in pool.feeds for code in feed.pools] for pool in layout.pools
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " ← ".join(error.args[1])
        raise InvalidLayout(
            f"These pools take from one another: {circle}. Remove one of the links.",
            path=("pools",),
        ) from error


def _check_share(share: Share, pools: dict[str, Pool], path: Path) -> None:
    if share.pool not in pools:
        raise InvalidLayout(
            f"There is no pool {share.pool!r} in this layout.", path=(*path, "pool")
        )
    if not 0 <= share.rank <= model.SHARES_MAX:
        raise InvalidLayout(f"A rank lies between 0 and {model.SHARES_MAX}.", path=(*path, "rank"))
    _check_flow(share, path)


def _check_flow(flow: Flow, path: Path) -> None:
    _at_most(len(flow.rules), model.RULES_MAX, "rules of a link", (*path, "rules"))
    _check_figures(flow.ratio_bp, flow.reserve, flow.most, path)
    for index, rule in enumerate(flow.rules):
        where = (*path, "rules", index)
        _check_figures(
            flow.ratio_bp if rule.ratio_bp is None else rule.ratio_bp,
            flow.reserve if rule.reserve is None else rule.reserve,
            flow.most if rule.most is None else rule.most,
            where,
        )
        compile_condition(rule.when, RULE_ATTRIBUTES, (*where, "when"))


def _check_figures(ratio_bp: int, reserve: int, most: int | None, path: Path) -> None:
    if not 0 <= ratio_bp <= WHOLE_BP:
        raise InvalidLayout(
            f"A ratio lies between 0 and {WHOLE_BP} basis points (10,000 is all of it).",
            path=(*path, "ratioBp"),
        )
    _check_units(reserve, (*path, "reserve"))
    if most is not None:
        _check_units(most, (*path, "most"))


def _check_wholes(layout: Layout, pools: dict[str, Pool]) -> None:
    """A partitioned pool gives no more than it has, whatever rules hold."""
    sums = dict.fromkeys(pools, 0)
    for index, share in enumerate(layout.shares):
        largest = max([share.ratio_bp, *(rule.ratio_bp or 0 for rule in share.rules)])
        sums[share.pool] += largest
        if pools[share.pool].mode is Mode.PARTITIONED and sums[share.pool] > WHOLE_BP:
            raise InvalidLayout(
                f"The shares of {share.pool!r} add up to {sums[share.pool]} basis points with "
                f"their largest rules; a partitioned pool has {WHOLE_BP}.",
                path=("shares", index, "ratioBp"),
            )


def _check_sync(sync: Sync, path: Path) -> None:
    _check_units(sync.buffer, (*path, "buffer"))
    _check_units(sync.zero_below, (*path, "zeroBelow"))
    if sync.cap is not None:
        _check_units(sync.cap, (*path, "cap"))
    if not 1 <= sync.minimum_change <= model.UNITS_MAX:
        raise InvalidLayout(
            f"A minimum change lies between 1 and {model.UNITS_MAX} units.",
            path=(*path, "minimumChange"),
        )


def _check_units(units: int, path: Path) -> None:
    if not 0 <= units <= model.UNITS_MAX:
        raise InvalidLayout(f"Units lie between 0 and {model.UNITS_MAX}.", path=path)


def _at_most(count: int, most: int, what: str, path: Path) -> None:
    if count > most:
        raise InvalidLayout(f"There are {count} {what}; at most {most} are allowed.", path=path)


def _once(names: Sequence[Hashable], what: str, field: str, path: Path = ()) -> None:
    for index, name in _repeated(names):
        raise InvalidLayout(f"The {what} {name!r} stands here twice.", path=(*path, field, index))


def _repeated(names: Sequence[Hashable]) -> Iterator[tuple[int, Hashable]]:
    seen: set[Hashable] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index, name
        seen.add(name)
