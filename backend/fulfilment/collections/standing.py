"""How collections stand: asked for, moved, ended and read; their orders are locked before."""

from collections.abc import Iterable, Sequence

from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.fulfilment.carriers.accounts import labelling_accounts
from backend.fulfilment.collections.model import (
    AHEAD_MAX,
    WINDOW_MAX,
    CollectedFor,
    Collection,
    CollectionDraft,
    CollectionStatus,
    CollectionTime,
    Subject,
)
from backend.fulfilment.collections.states import COLLECTION
from backend.fulfilment.errors import (
    CollectionAsked,
    CollectionChanged,
    InvalidFulfilmentInput,
    NothingToCollect,
    UnknownCollection,
)
from backend.fulfilment.events import CollectionChanged as CollectionTold
from backend.fulfilment.waves import SQL as FULFILMENT_SQL
from backend.inventory.levels import database_time
from backend.moments import fault_of_time
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.step import tell_order

SQL = load_queries(__file__)


async def ask_collection(tx: TenantTransaction, draft: CollectionDraft) -> Collection:
    """Let a carrier be asked to fetch something, in the background; its order is locked.

    Raises CollectionAsked where that is so already, and InvalidFulfilmentInput.
    """
    await _check_time(tx, draft.time)
    subject = draft.subject
    if await _open_of(tx, subject) is not None:
        raise CollectionAsked
    if await was_fetched(tx, subject):
        raise NothingToCollect("It was fetched already.")
    sender, time = draft.sender, draft.time
    collection_id = await tx.fetch_value(
        SQL.insert_collection,
        tx.tenant_id,
        draft.order_id,
        draft.node_id,
        draft.dealer_id,
        subject.kind.value,
        subject.id,
        time.carrier,
        time.from_at,
        time.until_at,
        sender.name,
        sender.phone,
        sender.region_code,
        sender.address,
        draft.weight_g,
        tx.principal.actor,
    )
    return await told(tx, await _locked(tx, collection_id))


async def change_time(
    tx: TenantTransaction, collection_id: int, time: CollectionTime, seen: int | None
) -> Collection:
    """Let a carrier be asked to come at another time; locks the order.

    What was booked is voided. Raises UnknownCollection, CollectionChanged, InvalidFulfilmentInput.
    """
    await _check_time(tx, time)
    before = await _lock_to_move(tx, collection_id, "change_time", seen)
    await _void(tx, before)
    moved = (collection_id, time.carrier, time.from_at, time.until_at)
    row = await tx.fetch_row(SQL.change_time, tx.tenant_id, *moved)
    assert row is not None, "it is locked"
    return await told(tx, collection_of(row))


async def call_off(tx: TenantTransaction, collection_id: int, seen: int | None) -> Collection:
    """Let nobody come; locks the order. Raises UnknownCollection, CollectionChanged."""
    before = await _lock_to_move(tx, collection_id, "call_off", seen)
    await _void(tx, before)
    return await set_collection(tx, before, CollectionStatus.CANCELLED)


async def end_collection(tx: TenantTransaction, subject: Subject, *, has_come: bool) -> None:
    """Let nobody come any more for what came otherwise, or does not come; its order is locked.

    What its carrier has arrives with what it was fetched for, or is on its way still.
    """
    collection_id = await _open_of(tx, subject)
    if collection_id is None:
        return
    before = await _locked(tx, collection_id)
    if before.status is not CollectionStatus.COLLECTED:
        await _void(tx, before)
        await set_collection(tx, before, CollectionStatus.CANCELLED)
    elif has_come:
        await set_collection(tx, before, CollectionStatus.ARRIVED)


async def set_collection(
    tx: TenantTransaction, before: Collection, status: CollectionStatus, said: str = ""
) -> Collection:
    """Let a locked collection stand elsewhere, and tell of it."""
    assert COLLECTION.allows(before.status, status), f"no step from {before.status} to {status}"
    row = await tx.fetch_row(SQL.set_collection, tx.tenant_id, before.id, status.value, said)
    assert row is not None, "it is locked"
    return await told(tx, collection_of(row))


async def fetched_by(tx: TenantTransaction, before: Collection, carrier: str, waybill: str) -> None:
    """Let a locked collection be that of who has fetched it; whoever was booked does not come."""
    await _void(tx, before)
    await tx.execute(SQL.fetched_by, tx.tenant_id, before.id, carrier, waybill)


async def was_fetched(tx: TenantTransaction, subject: Subject) -> bool:
    """Whether a carrier has, or had, what is a part of something; its order is locked."""
    given = (tx.tenant_id, subject.kind.value, subject.id)
    return bool(await tx.fetch_value(SQL.was_fetched, *given))


async def is_in_trouble(tx: TenantTransaction, subject: Subject) -> bool:
    """Whether the carrier that has something says that it will not arrive by itself."""
    collection_id = await _open_of(tx, subject)
    return collection_id is not None and bool((await _locked(tx, collection_id)).said)


def check_moments(time: CollectionTime) -> None:
    """Raise InvalidFulfilmentInput for a time that no calendar has."""
    for field, moment in (("fromAt", time.from_at), ("untilAt", time.until_at)):
        fault = fault_of_time(moment)
        if fault:
            raise InvalidFulfilmentInput(fault, path=("time", field))


async def lock_collection(tx: TenantTransaction, collection_id: int) -> Collection:
    """Return a collection, locked after its order; raises UnknownCollection."""
    order_id = await tx.fetch_value(SQL.order_of_collection, tx.tenant_id, collection_id)
    if order_id is None:
        raise UnknownCollection
    await lock_orders_of(tx, [FulfilmentKey(order_id, 0)])
    return await _locked(tx, collection_id)


async def told(tx: TenantTransaction, after: Collection) -> Collection:
    """Tell that a collection stands elsewhere."""
    payload = CollectionTold(
        after.order_id,
        after.id,
        after.subject.kind.value,
        after.subject.id,
        after.status.value,
        after.time.carrier,
        after.waybill,
        after.time.from_at,
        after.time.until_at,
    )
    await tell_order(tx, after.order_id, payload, after.node_id)
    return after


def collection_of(row: Record) -> Collection:
    given = {name: row[name] for name in _SAME}
    return Collection(
        **given,
        subject=Subject(CollectedFor(row["subject"]), row["subject_id"]),
        status=CollectionStatus(row["status"]),
        time=CollectionTime(row["carrier"], row["from_at"], row["until_at"]),
    )


_SAME = (
    "id",
    "order_id",
    "node_id",
    "version",
    "waybill",
    "label_url",
    "said",
    "requested_by",
    "requested_at",
    "changed_at",
)


async def collections_by_ids(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, Collection]:
    """Return the collections that the principal may see, by id."""
    rows = await tx.fetch(SQL.collections_by_ids, tx.tenant_id, list(ids))
    return {row["id"]: collection_of(row) for row in rows}


async def collections_by_waybills(
    tx: TenantTransaction, carrier: str, waybills: Sequence[str]
) -> list[Record]:
    """Return collections by what their carrier calls them, or called them before."""
    return await tx.fetch(SQL.collections_by_waybills, tx.tenant_id, carrier, waybills)


async def page_of_collections(
    tx: TenantTransaction,
    of: tuple[int | None, int | None],
    statuses: Iterable[CollectionStatus],
    after: int,
    limit: int,
) -> list[Collection]:
    """Return collections to a node and of an order (None: of any), in some states, after an id."""
    wanted = [status.value for status in statuses]
    given = (tx.tenant_id, *of, wanted, after, limit)
    return [collection_of(row) for row in await tx.fetch(SQL.page_of_collections, *given)]


async def _open_of(tx: TenantTransaction, subject: Subject) -> int | None:
    given = (tx.tenant_id, subject.kind.value, subject.id)
    found: int | None = await tx.fetch_value(SQL.open_collection, *given)
    return found


async def _locked(tx: TenantTransaction, collection_id: int) -> Collection:
    row = await tx.fetch_row(SQL.lock_collection, tx.tenant_id, collection_id)
    assert row is not None, "collections are not deleted"
    return collection_of(row)


async def _lock_to_move(
    tx: TenantTransaction, collection_id: int, name: str, seen: int | None
) -> Collection:
    found = await lock_collection(tx, collection_id)
    if found.status not in COLLECTION.step(name).sources or seen not in (None, found.version):
        raise CollectionChanged(found)
    return found


async def _void(tx: TenantTransaction, before: Collection) -> None:
    """Have a carrier told that nobody waits for it, if it said that it comes."""
    if before.waybill:
        given = (before.time.carrier, before.waybill)
        await tx.execute(FULFILMENT_SQL.void_waybill, tx.tenant_id, *given)


async def _check_time(tx: TenantTransaction, time: CollectionTime) -> None:
    """Raise InvalidFulfilmentInput for a time that is over, too long or too far, or nobody's."""
    now = await database_time(tx)
    if not time.from_at < time.until_at <= time.from_at + WINDOW_MAX:
        raise InvalidFulfilmentInput(
            "The customer is at home from one time until a later one, a day at most.",
            path=("time", "untilAt"),
        )
    if not now < time.until_at <= now + AHEAD_MAX:
        raise InvalidFulfilmentInput(
            "Agree on a time in the next 30 days.", path=("time", "untilAt")
        )
    if time.carrier not in await labelling_accounts(tx):
        raise InvalidFulfilmentInput(
            "The brand has no such carrier that is asked; see carrierAccounts.",
            path=("time", "carrier"),
        )
