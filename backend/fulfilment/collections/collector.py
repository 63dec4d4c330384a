"""Asking carriers to come, as the background work of waybills does for parcels."""

from typing import NamedTuple

from backend.db.pool import Record, TenantTransaction
from backend.fulfilment.carriers.model import CollectionRequest, Recipient, Waybill
from backend.fulfilment.collections.model import CollectionStatus
from backend.fulfilment.collections.standing import SQL, lock_collection, set_collection
from backend.fulfilment.waves import SQL as FULFILMENT_SQL


class Asked(NamedTuple):
    """A collection whose carrier is to be asked, for one round."""

    id: int
    round: int
    carrier: str
    attempts: int
    request: CollectionRequest


async def collections_to_ask(tx: TenantTransaction, carriers: list[str], limit: int) -> list[Asked]:
    """Return collections that wait for these carriers, the longest waiting first."""
    rows = await tx.fetch(SQL.to_ask, tx.tenant_id, carriers, limit)
    return [_asked(tx.tenant_id, row) for row in rows]


def _asked(tenant_id: int, row: Record) -> Asked:
    sender = (row["sender_name"], row["sender_phone"], row["region_code"], row["address"])
    request = CollectionRequest(
        f"c-{tenant_id}-{row['id']}-{row['round']}",
        row["weight_g"],
        Recipient(*sender),
        row["from_at"],
        row["until_at"],
    )
    return Asked(row["id"], row["round"], row["carrier"], row["attempts"], request)


async def book(tx: TenantTransaction, asked: Asked, answer: Waybill) -> bool:
    """Let a carrier come, or tell it that nobody waits where something else was agreed since.

    Returns whether it comes for this. A number that something else has is the carrier's mistake:
    somebody has to look. Locks the order.
    """
    before = await lock_collection(tx, asked.id)
    called = (asked.carrier, answer.waybill)
    owner = await tx.fetch_value(SQL.keep_waybill, tx.tenant_id, *called, asked.id)
    is_parcels = await tx.fetch(
        FULFILMENT_SQL.parcels_by_waybills, tx.tenant_id, asked.carrier, [answer.waybill]
    )
    if owner != asked.id or is_parcels:
        await refuse(tx, asked, f"The carrier calls something else {answer.waybill} too.")
        return False
    if before.waybill == answer.waybill:  # two have asked for it
        return False
    if not await tx.fetch_value(SQL.round_of, tx.tenant_id, asked.id, asked.round):
        await tx.execute(FULFILMENT_SQL.void_waybill, tx.tenant_id, *called)
        return False
    given = (asked.id, answer.waybill, answer.label_url)
    await tx.execute(SQL.book_collection, tx.tenant_id, *given)
    await set_collection(tx, before, CollectionStatus.BOOKED)
    return True


async def refuse(tx: TenantTransaction, asked: Asked, said: str) -> None:
    """Let a carrier not come, and say why; locks the order."""
    before = await lock_collection(tx, asked.id)
    if await tx.fetch_value(SQL.round_of, tx.tenant_id, asked.id, asked.round):
        await set_collection(tx, before, CollectionStatus.REFUSED, said)


async def ask_later(tx: TenantTransaction, asked: Asked, pause: int, said: str) -> None:
    """Let a carrier that failed be asked again after so many seconds."""
    given = (asked.id, asked.round, pause, said)
    await tx.execute(SQL.ask_later, tx.tenant_id, *given)
