"""Who gets what under the locks: the core accepts the orders of a batch one after another."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from backend.dropship.quotas.model import QuotaAt, QuotaMove
from backend.inventory import ledger
from backend.inventory.allotments.model import AllotmentAt
from backend.inventory.model import LevelKey
from backend.network.capacity import CapacityAt, CapacityKey
from backend.network.model import Slot, SlotProvider
from backend.orders.model import Shortage
from backend.orders.stock_holds.ending import EndingHolds
from backend.orders.stock_holds.model import HoldPart
from backend.orders.work import Work
from core_ext import reserve


class Locked(NamedTuple):
    """The counters that a batch locked, as they were read."""

    levels: ledger.Locked
    allotments: dict[int, AllotmentAt]
    capacities: dict[CapacityKey, CapacityAt]
    slots: Sequence[Slot] = ()
    providers: Sequence[SlotProvider] = ()
    """Of the slots: all that the brand has."""
    quotas: Mapping[int, QuotaAt] = {}


def accept(works: Sequence[Work], locked: Locked) -> tuple[list[Work], list[Work]]:
    """Return whose counters are all there, in order, and who wanted more: all or none of an order.

    A parcel takes one of its node's capacity where the node has one.
    """
    level_index = {key: index for index, key in enumerate(locked.levels)}
    free = array("q", [level.free for level in locked.levels.values()])
    allotment_index = {one: len(free) + index for index, one in enumerate(locked.allotments)}
    free.extend([max(0, allotment.free) for allotment in locked.allotments.values()])
    capacity_index = {key.node_id: len(free) + index for index, key in enumerate(locked.capacities)}
    free.extend([capacity.free for capacity in locked.capacities.values()])
    slot_index = {slot.id: len(free) + index for index, slot in enumerate(locked.slots)}
    free.extend([max(0, slot.free) for slot in locked.slots])
    quota_index = {one: len(free) + index for index, one in enumerate(locked.quotas)}
    free.extend([max(0, quota.free) for quota in locked.quotas.values()])
    candidates, refused = [], []
    offsets, counters, quantities = array("i", [0]), array("i"), array("q")
    for work in works:
        needs = work.units_by_key
        if not enough(work) or not needs.keys() <= level_index.keys():
            refused.append(work)
            continue
        for key, quantity in needs.items():
            counters.append(level_index[key])
            quantities.append(quantity)
        for one, quantity in work.units_by_allotment.items():
            counters.append(allotment_index[one])
            quantities.append(quantity)
        for node_id in work.nodes:
            if node_id in capacity_index:
                counters.append(capacity_index[node_id])
                quantities.append(1)
        for slot_id in work.bookings.slots if work.bookings else ():
            counters.append(slot_index[slot_id])
            quantities.append(1)
        for account_id, amount in work.quota.items():
            counters.append(quota_index[account_id])
            quantities.append(amount)
        offsets.append(len(counters))
        candidates.append(work)
    answer = reserve(free, offsets, counters, quantities).accepted
    accepted = [work for work, taken in zip(candidates, answer, strict=True) if taken]
    if len(accepted) < len(candidates):
        refused += [work for work, taken in zip(candidates, answer, strict=True) if not taken]
    return accepted, refused


def with_freed(locked: Locked, holds: EndingHolds, ended: Iterable[int]) -> Locked:
    """Return the counters as they are once some of the holds have ended."""
    levels, allotments = dict(locked.levels), dict(locked.allotments)
    for hold_id in ended:
        for part in usable(holds.freed(hold_id), locked):
            if level := levels.get(part.key) or _used_up(part, locked):
                free = level.free + part.quantity
                levels[part.key] = msgspec.structs.replace(level, free=free)
            for one in part.allotment_ids:
                at = allotments[one]
                allotments[one] = at._replace(free=at.free + part.quantity)
    return locked._replace(levels=levels, allotments=allotments)


def usable(parts: Iterable[HoldPart], locked: Locked) -> list[HoldPart]:
    """Return the units of a hold as far as they are there.

    What an earmark gave is missing where more is reserved of its level than there is. Of other
    units the level itself says so.
    """
    found: list[HoldPart] = []
    missing: dict[LevelKey, int] = {}
    for part in parts:
        level = locked.levels.get(part.key._replace(earmark_id=0))
        if part.earmark_id is not None and level is not None:
            short = missing.setdefault(part.key.level, max(0, -level.unreserved))
            missing[part.key.level] -= min(short, part.quantity)
            part = part._replace(quantity=part.quantity - min(short, part.quantity))
        if part.quantity:
            found.append(part)
    return found


def _used_up(part: HoldPart, locked: Locked) -> ledger.LockedLevel | None:
    """Return what is locked of an earmark that keeps nothing more of its level: nothing."""
    level = locked.levels.get(part.key._replace(earmark_id=0))
    return None if level is None else msgspec.structs.replace(level, free=0)


def enough(work: Work) -> bool:
    """Whether a plan, if its units are there, gives the order enough of what it wants."""
    if not work.rows or work.shortage is Shortage.BACKORDER:
        return True
    if work.plan is None or work.misses_its_time:
        return False
    if work.shortage is Shortage.PARTIAL:
        return bool(work.plan.allocations)
    return work.plan.is_whole or (work.shortage is Shortage.PRESALE and work.is_covered)


def allotted_of(works: Iterable[Work]) -> dict[int, int]:
    """Return what works take of allotments."""
    units: dict[int, int] = {}
    for work in works:
        for one, quantity in work.units_by_allotment.items():
            units[one] = units.get(one, 0) + quantity
    return units


def moves_of(works: Iterable[Work]) -> list[QuotaMove]:
    """Return what works take of dealers' quotas."""
    return [
        QuotaMove(account_id, work.order_id, amount)
        for work in works
        for account_id, amount in work.quota.items()
        if amount
    ]


def parcels_of(works: Iterable[Work], locked: Locked) -> dict[CapacityKey, int]:
    """Return how many parcels the works send from each node that has a capacity."""
    keys = {key.node_id: key for key in locked.capacities}
    parcels: dict[CapacityKey, int] = {}
    for work in works:
        for node_id in work.nodes:
            key = keys.get(node_id)
            if key is not None:
                parcels[key] = parcels.get(key, 0) + 1
    return parcels


def visits_of(works: Iterable[Work]) -> dict[int, int]:
    """Return how many visits of each slot the works take."""
    return Counter(
        slot_id for work in works if work.bookings is not None for slot_id in work.bookings.slots
    )
