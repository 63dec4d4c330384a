"""What carriers tell of collections: fetched, missed, or there."""

from collections.abc import Awaitable, Callable, Sequence

from backend.db.pool import TenantTransaction
from backend.fulfilment.carriers.model import TrackingEvent, TrackingKind
from backend.fulfilment.collections.model import Collection, CollectionStatus
from backend.fulfilment.collections.standing import (
    fetched_by,
    lock_collection,
    set_collection,
)

OnCollected = Callable[[TenantTransaction, Collection], Awaitable[None]]
"""Lets what was fetched stand where it does then; everything is locked."""
HAS_IT = frozenset(
    {
        TrackingKind.PICKED_UP,
        TrackingKind.IN_TRANSIT,
        TrackingKind.OUT_FOR_DELIVERY,
        TrackingKind.DELIVERED,
    }
)
OVER = (CollectionStatus.ARRIVED, CollectionStatus.CANCELLED)


async def say_of_collection(
    tx: TenantTransaction,
    collection_id: int,
    carrier: str,
    told: Sequence[TrackingEvent],
    on_collected: OnCollected,
) -> None:
    """Let a collection be where a carrier says of a waybill, in whatever order that is told.

    Whoever has it has fetched it, with a waybill of before the time was changed too: then nobody
    comes anew. What was fetched is not missed any more. Locks the order.
    """
    said = sorted(told, key=lambda event: event.happened_at)
    kinds, last = {event.kind for event in said}, said[-1]
    collection = await lock_collection(tx, collection_id)
    if collection.status in OVER:
        return
    is_current = (carrier, last.waybill) == (collection.time.carrier, collection.waybill)
    if collection.status is not CollectionStatus.COLLECTED and kinds & HAS_IT:
        if not is_current:
            await fetched_by(tx, collection, carrier, last.waybill)
        collection = await set_collection(tx, collection, CollectionStatus.COLLECTED)
        await on_collected(tx, collection)
    elif not is_current:
        return
    if TrackingKind.DELIVERED in kinds:
        await set_collection(tx, collection, CollectionStatus.ARRIVED)
    elif collection.status is CollectionStatus.BOOKED:
        await set_collection(tx, collection, CollectionStatus.MISSED, last.text or last.kind.value)
    elif collection.status is CollectionStatus.COLLECTED and last.kind.needs_somebody:
        await set_collection(tx, collection, collection.status, last.text or last.kind.value)
