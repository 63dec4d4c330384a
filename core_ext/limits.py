"""Every bound of the compiled core, with its reason.

The same numbers stand as C constants in the `.pxd` files; each compiled module compares them when
it
is imported.
"""

from __future__ import annotations

from typing import Final

INT32_MOST: Final = 2**31 - 1

MAX_NODES: Final = 10_000
"""Nodes of one tenant: ten times the largest store network known to us; availability tables are
demands x nodes."""

MAX_SOURCES: Final = 2**16
"""Functional warehouses of one tenant: several a node."""

FREE_MOST: Final = 2**46
"""Largest amount, positive or negative, in one entry: summed over all sources it stays below
2**62.
"""

UNLIMITED: Final = 2**62
"""Capacity of a node that has no limit; taking from it changes nothing."""

MAX_DEMANDS: Final = 2_000
"""Demands of one order: the limit of the intake for platforms and imports."""

WHOLE_LINES: Final = 10
"""Demands up to which whole lines are planned exactly: 3**10 steps a node are under a
millisecond.
"""

WHOLE_NODES: Final = 64
"""Nodes the exact program looks at: ten positions of six bits fit one 64-bit word."""

MAX_TERMS: Final = 64
"""Terms of one policy: more than there are criteria."""

MAX_SUM_TERMS: Final = 8
"""DEPTH and GOODS terms of one policy: each keeps a sum of its own per parcel."""

MAX_POLICIES: Final = 1_000
"""Policies of one batch: the strategies of a brand, and some drafts of them."""

VALUE_MOST: Final = 2**60
"""Largest value of the goods of one order, in minor units: a thousand times the largest amount."""

MAX_SPLIT_NODES: Final = 10
"""Largest `max_nodes` of a policy; the number of open sets grows with its power."""

SPLIT_SETS: Final = 25_000
"""Open sets looked at for one order: all sets of up to 3 of 50 nodes are 20,875."""

MAX_PARCELS: Final = 64
"""Parcels of one order: packed costs are proved not to overflow for that many."""

SEARCH_PASSES: Final = 6
"""Passes of the local search over a large order; nearly all gain lies in the first two."""

COST_BITS: Final = 127
"""A total cost stays below 2**127, so that one more parcel can be added before it is compared."""

LIMIT_MOST: Final = 2**62
"""Largest `limit` of a term; every value of a term stays below 2**63."""

COUNTED_MOST: Final = 2**32
"""Free units of one source that availability counts: 10,000 times as much in each of `MAX_SOURCES`
sums to less than 2**62."""

UNITS_MOST: Final = 2**48
"""Largest reserve, limit, earmark, cap or depth: all sources together count no more units."""

MAX_VERTICES: Final = 2**12
"""Pools and shops of one graph: a SKU's numbers take 32 KiB, who lies below whom 32 MiB at most."""

MAX_LINKS: Final = 2**14
"""Links of one graph: four a vertex, and the flows into one vertex sum to 2**62 at most."""

MAX_CLASSES: Final = 2**14
"""Classes of sources: more than there are nodes; sources that feed the same links share one."""

MAX_LINK_MEMBERS: Final = 2**20
"""Members of all links together: 64 a link on average, 4 MiB."""

MAX_SET_MEMBERS: Final = 2**22
"""Classes in all distinct sets of a graph together: 16 MiB, of which each SKU reads its part."""

MAX_RULES: Final = 2**20
"""Profiles x links: 24 MiB, which one recomputation reads over and over."""

MAX_DEEPEST_TURNS: Final = 2**11
"""Links that leave one DEEPEST vertex: they are sorted for each SKU by insertion, in under 4 ms."""
