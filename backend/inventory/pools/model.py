"""The layout of a brand's stock as data: which pool takes from where, and what each shop is given.

Layers (五层库存): physical (物理库存) are the nodes and functional (功能逻辑仓) their functional
warehouses; a *supply* pool (逻辑供货) takes from sets of functional warehouses; a *dispatch* pool
(调度供货) takes from pools and is given to shops by *shares*; a shop's number goes through its
*sync* policy (库存同步) before the platform sees it.

Everything is named by code. Ratios are basis points: 10,000 is the whole. Ratios of shares may add
up to more than the whole: they shape what is offered, stock decides what is sold.
"""

from enum import StrEnum

import msgspec

from backend.conditions.model import Condition

WHOLE_BP = 10_000
POOLS_MAX = 200
SHARES_MAX = 2_000
"""Shares of a layout: a thousand shops of dealers, each with two."""
LINKS_MAX = 50
"""Links into one pool."""
WAREHOUSES_MAX = 5_000
"""Functional warehouses that one link names; `where` has no such bound."""
RULES_MAX = 50
"""Rules of one link."""
UNITS_MAX = 10**9
CODE_LENGTH_MAX = 64
NAME_LENGTH_MAX = 200


class Layer(StrEnum):
    """Which layer a pool belongs to; links run from lower to higher layers."""

    SUPPLY = "supply"
    DISPATCH = "dispatch"


class Mode(StrEnum):
    """How a pool is given to its shops."""

    SHARED = "shared"
    """共享: each share is a ratio of all there is; shares overlap."""
    PARTITIONED = "partitioned"
    """分仓: shares of a whole; ratios add up to the whole at most."""
    CHANNEL_FIRST = "channel_first"
    """渠道优先: in order of rank, each up to its `most`, the rest downwards."""
    DEPTH_FIRST = "depth_first"
    """库存深度优先: as channel first, but the shop comes first that has most of the SKU already,
    from other pools; equal ones in order of rank."""


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Other figures for where a condition holds; of several rules the first that holds counts."""

    when: Condition
    ratio_bp: int | None = None
    reserve: int | None = None
    most: int | None = None


class Flow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """How much flows: `ratio_bp` of what is beyond `reserve` (保留数), at most `most`; in units."""

    ratio_bp: int = WHOLE_BP
    reserve: int = 0
    most: int | None = None
    rules: tuple[Rule, ...] = ()


class Supply(Flow, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A link from functional warehouses: those named, and those for which `where` holds.

    Another owner's goods, and goods with a purpose of their own, are only taken by name.
    """

    warehouses: tuple[str, ...] = ()
    where: Condition | None = None


class Feed(Flow, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A link from other pools, taken together."""

    pools: tuple[str, ...]


class Pool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A quantity per SKU that flows in over links and is given on."""

    code: str
    name: str
    layer: Layer
    mode: Mode = Mode.SHARED
    supplies: tuple[Supply, ...] = ()
    feeds: tuple[Feed, ...] = ()


class Share(Flow, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a pool gives to a shop. `rank` is its turn in the modes that have turns, 0 first.

    A shop with a `binding` share sells no more than it is offered, though there be more in stock.
    """

    pool: str
    shop: str
    rank: int = 0
    binding: bool = False


class Sync(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a platform is told of a shop's number, in this order; units.

    `buffer` is taken off, what is below `zero_below` counts as 0, `cap` is the most that is shown.
    A change of less than `minimum_change` is not sent, unless to or from 0.
    """

    shop: str
    buffer: int = 0
    cap: int | None = None
    zero_below: int = 0
    minimum_change: int = 1

    def shown(self, number: int) -> int:
        """Return what the platform shall show for a shop's number."""
        left = max(0, number - self.buffer)
        if left < self.zero_below:
            return 0
        return left if self.cap is None else min(left, self.cap)

    def is_worth_sending(self, shown: int | None, wanted: int) -> bool:
        """Whether to tell a platform, which shows `shown` (None: nobody knows), of `wanted`."""
        if shown is None or shown == wanted:
            return shown is None
        return 0 in (shown, wanted) or abs(wanted - shown) >= self.minimum_change


class Layout(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """All pools of a brand, what they give to which shop, and what platforms are told.

    With `least_accuracy_bp` a node offers only such a part of its stock as was found to be there,
    but at least so many basis points; without, all of it.
    """

    pools: tuple[Pool, ...] = ()
    shares: tuple[Share, ...] = ()
    syncs: tuple[Sync, ...] = ()
    least_accuracy_bp: int | None = None
