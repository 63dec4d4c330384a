"""What carriers tell of parcels (物流轨迹): each thing once, in whatever order it comes."""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from backend.db.pool import Database, Record, TenantTransaction
from backend.fulfilment.carriers.model import EVENTS_MAX, TEXT_MAX, TrackingEvent, TrackingKind
from backend.fulfilment.collections.standing import collections_by_waybills
from backend.fulfilment.collections.tracking import OnCollected, say_of_collection
from backend.fulfilment.errors import InvalidFulfilmentInput, InvalidSignature, UnknownCarrier
from backend.fulfilment.events import ParcelTracked
from backend.fulfilment.model import ParcelStatus
from backend.fulfilment.ship import settle_delivered
from backend.fulfilment.waves import SQL
from backend.inventory.levels import database_time
from backend.moments import fault_of_time
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.step import tell_order
from tenants.principal import system_principal

ENDED = (ParcelStatus.CANCELLED, ParcelStatus.DELIVERED, ParcelStatus.RETURNED)
CLOCKS_DIFFER = timedelta(minutes=5)
TENANT_ID_END = 2**63
"""No brand has such a number: a bigint ends before it."""


class Tracked(NamedTuple):
    """What became of a message: things that were new, and those of parcels that nobody knows."""

    new: int
    unknown: int


async def check_signature(
    database: Database, tenant_id: int, carrier: str, body: bytes, signature: str
) -> None:
    """Check that a message is signed by a carrier: hexadecimal HMAC-SHA-256 of its body (RFC 2104).

    Raises UnknownCarrier, InvalidSignature.
    """
    if tenant_id >= TENANT_ID_END:
        raise UnknownCarrier
    reader = system_principal(tenant_id, f"carrier:{carrier}")
    async with database.tenant_transaction(reader, read_only=True) as tx:
        secret = await tx.fetch_value(SQL.carrier_secret, tenant_id, carrier)
    if not secret:
        raise UnknownCarrier
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.lower().encode(errors="replace")):
        raise InvalidSignature


async def record_tracking(
    database: Database,
    tenant_id: int,
    carrier: str,
    events: Sequence[TrackingEvent],
    on_collected: OnCollected,
) -> Tracked:
    """Keep what a carrier told, each event id once, and let what has arrived be delivered.

    What was fetched of a customer is so from then on, and `on_collected` told of.

    What is said of a parcel is the latest that happened, in whatever order it was told; of two at
    the same time, the later told. A fulfilment is delivered with the last of its parcels. What
    concerns no parcel of ours is kept, for somebody to look at. Locks the orders. Emits
    `parcel.tracked`, `fulfilment.delivered`. Raises InvalidFulfilmentInput; then nothing has
    changed.
    """
    if not 0 < len(events) <= EVENTS_MAX:
        raise InvalidFulfilmentInput(f"A message has 1 to {EVENTS_MAX} events.")
    for index, event in enumerate(events):
        if not (0 < len(event.id) <= TEXT_MAX and 0 < len(event.waybill) <= TEXT_MAX):
            raise InvalidFulfilmentInput("An event has an id and a waybill.", path=(index,))
        if len(event.place) > TEXT_MAX or len(event.text) > TEXT_MAX:
            raise InvalidFulfilmentInput(f"At most {TEXT_MAX} characters.", path=(index,))
        if fault := fault_of_time(event.happened_at):
            raise InvalidFulfilmentInput(fault, path=(index, "happenedAt"))
    async with database.tenant_transaction(system_principal(tenant_id, f"carrier:{carrier}")) as tx:
        return await _record(tx, carrier, events, on_collected)


async def _record(
    tx: TenantTransaction,
    carrier: str,
    events: Sequence[TrackingEvent],
    on_collected: OnCollected,
) -> Tracked:
    waybills = sorted({event.waybill for event in events})
    rows = await tx.fetch(SQL.parcels_by_waybills, tx.tenant_id, carrier, waybills)
    keys = {FulfilmentKey(row["order_id"], row["fulfilment_no"]) for row in rows}
    fetched = await collections_by_waybills(tx, carrier, waybills)
    await lock_orders_of(tx, keys | {FulfilmentKey(row["order_id"], 0) for row in fetched})
    # Read again under the locks: another message may have said more meanwhile, and a parcel may
    # have got its waybill.
    rows = await tx.fetch(SQL.parcels_by_waybills, tx.tenant_id, carrier, waybills)
    keys |= {FulfilmentKey(row["order_id"], row["fulfilment_no"]) for row in rows}
    await lock_orders_of(tx, keys)
    parcels: defaultdict[str, list[Record]] = defaultdict(list)
    for row in rows:
        parcels[row["waybill"]].append(row)
    collections = {row["waybill"]: row for row in fetched}
    new = await _insert(tx, carrier, events, parcels, collections)
    for waybill, told in new.items():
        if waybill in parcels:
            for parcel in parcels[waybill]:
                await _say(tx, carrier, parcel, told)
        elif waybill in collections:
            collection_id = collections[waybill]["id"]
            await say_of_collection(tx, collection_id, carrier, told, on_collected)
    await settle_delivered(tx, keys)
    count = sum(len(told) for told in new.values())
    known = parcels.keys() | collections.keys()
    return Tracked(count, sum(len(told) for one, told in new.items() if one not in known))


async def _insert(
    tx: TenantTransaction,
    carrier: str,
    events: Sequence[TrackingEvent],
    parcels: Mapping[str, Sequence[Record]],
    collections: Mapping[str, Record],
) -> dict[str, list[TrackingEvent]]:
    """Keep the events that are new, and return them by waybill."""
    by_id = {event.id: event for event in reversed(events)}
    rows = []
    for event in sorted(by_id.values(), key=lambda event: event.id):  # one order for all
        found_in, collection = parcels.get(event.waybill), collections.get(event.waybill)
        where = (None, None, None, None)
        if found_in:
            parcel = found_in[0]  # the others lie in it
            where = (parcel["id"], parcel["node_id"], parcel["dealer_id"], None)
        elif collection is not None:
            where = (None, collection["node_id"], collection["dealer_id"], collection["id"])
        said = (event.kind.value, event.happened_at, event.place, event.text)
        rows.append((event.id, event.waybill, *where, *said))
    found: defaultdict[str, list[TrackingEvent]] = defaultdict(list)
    columns = zip(*rows, strict=True)
    for row in await tx.fetch(SQL.insert_tracking, tx.tenant_id, carrier, *columns):
        event = by_id[row["event_id"]]
        found[event.waybill].append(event)
    return found


async def adopt_tracking(
    tx: TenantTransaction, carrier: str, waybill: str, on_collected: OnCollected
) -> None:
    """Let what has its waybill now be where its carrier said before; locks its order."""
    fetched = await collections_by_waybills(tx, carrier, [waybill])
    for one in fetched:
        await lock_orders_of(tx, [FulfilmentKey(one["order_id"], 0)])
        where = one["id"], one["node_id"], one["dealer_id"]
        rows = await tx.fetch(
            SQL.adopt_tracking_of_collection, tx.tenant_id, carrier, waybill, *where
        )
        if rows:
            await say_of_collection(tx, one["id"], carrier, _events(rows), on_collected)
    parcels = await tx.fetch(SQL.parcels_by_waybills, tx.tenant_id, carrier, [waybill])
    if not parcels:
        return
    keys = [FulfilmentKey(one["order_id"], one["fulfilment_no"]) for one in parcels]
    await lock_orders_of(tx, keys)
    host = parcels[0]
    where = host["id"], host["node_id"], host["dealer_id"]
    rows = await tx.fetch(SQL.adopt_tracking, tx.tenant_id, carrier, waybill, *where)
    if rows:
        for parcel in parcels:
            await _say(tx, carrier, parcel, _events(rows))
        await settle_delivered(tx, keys)


def _events(rows: Iterable[Record]) -> list[TrackingEvent]:
    return [TrackingEvent(**{**row, "kind": TrackingKind(row["kind"])}) for row in rows]


async def _say(
    tx: TenantTransaction, carrier: str, parcel: Record, told: Iterable[TrackingEvent]
) -> None:
    """Let a parcel be where the latest event says, if that is later than what is known."""
    latest = max(told, key=lambda event: (event.happened_at, event.kind is TrackingKind.DELIVERED))
    # A clock that goes wrong must not silence all that comes after it.
    at = min(latest.happened_at, await database_time(tx) + CLOCKS_DIFFER)
    if parcel["said_at"] is not None and at < parcel["said_at"]:
        return
    if parcel["status"] in ENDED:
        return
    status = ParcelStatus(parcel["status"])
    if latest.kind.needs_somebody:
        status = ParcelStatus.EXCEPTION
    elif status is ParcelStatus.EXCEPTION:
        status = ParcelStatus.SHIPPED if parcel["is_gone"] else ParcelStatus.LABELLED
    await tx.execute(
        SQL.say_of_parcel, tx.tenant_id, parcel["id"], latest.kind.value, at, status.value
    )
    where = parcel["order_id"], parcel["fulfilment_no"], parcel["id"]
    payload = ParcelTracked(*where, carrier, latest.waybill, latest.kind.value, latest.place)
    await tell_order(tx, parcel["order_id"], payload, parcel["node_id"])
