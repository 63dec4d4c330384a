"""Having returns (上门取退), repairs and trade-ins fetched at the customer's door (上门取件)."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import msgspec

from backend.after_sales.errors import InvalidAfterSalesInput, UnknownReturn
from backend.after_sales.model import TEXT_MAX, ReturnKind, ReturnStatus, TradeInStatus
from backend.after_sales.repairs import WORK as REPAIRS
from backend.after_sales.request import told_of
from backend.after_sales.standing import SQL, deciding, return_of, set_return
from backend.after_sales.states import REPAIR, RETURN, TRADE_IN
from backend.after_sales.trade_ins import WORK as TRADE_INS
from backend.after_sales.trade_ins import set_trade_in, trade_in_of
from backend.db.commands import apply_once
from backend.db.errors import YipanError
from backend.db.pool import Database, TenantTransaction
from backend.db.sql import Query
from backend.fulfilment.carriers.model import Recipient
from backend.fulfilment.collections.model import (
    CollectedFor,
    Collection,
    CollectionDraft,
    CollectionTime,
    Subject,
)
from backend.fulfilment.collections.standing import (
    ask_collection,
    call_off,
    change_time,
    check_moments,
    collections_by_ids,
)
from backend.fulfilment.errors import NothingToCollect, UnknownCollection
from backend.machines import Machine
from backend.network.nodes import list_nodes
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.step import tell_order
from tenants.principal import Kind, Permission, Principal

WEIGHT_G_MAX = 1_000_000


class Wanted(msgspec.Struct, frozen=True):
    """Who comes when, and where it goes to; no sender: from where the order went."""

    time: CollectionTime
    node_id: int
    weight_g: int | None = None
    sender: Recipient | None = None


class _Fetched(NamedTuple):
    """What may be fetched: as long as its machine takes such a step from where it stands."""

    machine: Machine
    step: str
    order_of: Query
    lock: Query
    unknown: type[YipanError]


FETCHED: Mapping[CollectedFor, _Fetched] = {
    CollectedFor.RETURN: _Fetched(
        RETURN, "send_back", SQL.order_of_return, SQL.lock_return, UnknownReturn
    ),
    CollectedFor.REPAIR: _Fetched(
        REPAIR, "receive", REPAIRS.order_of, REPAIRS.lock, REPAIRS.unknown
    ),
    CollectedFor.TRADE_IN: _Fetched(
        TRADE_IN, "collect", TRADE_INS.order_of, TRADE_INS.lock, TRADE_INS.unknown
    ),
}


async def request_collection(
    database: Database, principal: Principal, subject: Subject, wanted: Wanted, key: str
) -> Collection:
    """Have what a customer sends fetched, once: its carrier is asked in the background.

    A return must be approved. Locks the key, the order, the subject. Emits `collection.changed`.
    Raises PermissionMissing, WriteRefused, UnknownReturn, UnknownRepair, UnknownTradeIn,
    NothingToCollect, CollectionAsked, InvalidAfterSalesInput, InvalidFulfilmentInput,
    CommandConflict; then nothing has changed.
    """
    if wanted.weight_g is not None and not 0 <= wanted.weight_g <= WEIGHT_G_MAX:
        raise InvalidAfterSalesInput(f"It weighs 0 to {WEIGHT_G_MAX} g.", path=("weightG",))
    if wanted.sender is not None:
        _check_sender(wanted.sender)
    check_moments(wanted.time)

    async def work(tx: TenantTransaction) -> Collection:
        return await _ask(tx, subject, wanted)

    kind = FETCHED[subject.kind]
    known = kind.order_of, kind.unknown()
    async with deciding(database, principal, subject.id, known, (Kind.STORE,)) as tx:
        content = ("request_collection", subject, wanted)
        return await apply_once(tx, key, content, Collection, partial(work, tx))


def _check_sender(sender: Recipient) -> None:
    for field in ("name", "phone", "address"):
        if not 0 < len(getattr(sender, field)) <= TEXT_MAX:
            raise InvalidAfterSalesInput(
                f"Say it in 1 to {TEXT_MAX} characters.", path=("place", field)
            )


async def _ask(tx: TenantTransaction, subject: Subject, wanted: Wanted) -> Collection:
    kind = FETCHED[subject.kind]
    ids = await tx.fetch_row(kind.order_of, tx.tenant_id, subject.id)
    if ids is None:
        raise kind.unknown
    await lock_orders_of(tx, [FulfilmentKey(ids["order_id"], 0)])
    row = await tx.fetch_row(kind.lock, tx.tenant_id, subject.id)
    assert row is not None, "none of them is deleted"
    is_claim = row.get("kind", ReturnKind.RETURN) != ReturnKind.RETURN
    if is_claim or row["status"] not in kind.machine.step(kind.step).sources:
        raise NothingToCollect(f"It is {row['status']}: nothing is to be fetched of it.")
    place = await tx.fetch_row(SQL.place_of_order, tx.tenant_id, row["order_id"])
    assert place is not None, "orders are not deleted"
    there = [node for node in await list_nodes(tx) if node.id == wanted.node_id]
    if not there or not there[0].is_active or not there[0].serves(place["dealer_id"]):
        raise InvalidAfterSalesInput("There is no such location.", path=("locationId",))
    from_there = (place["buyer_name"], place["buyer_phone"], place["region_code"], place["address"])
    weight_g = wanted.weight_g
    if weight_g is None:
        line_no = None if subject.kind is CollectedFor.RETURN else row["line_no"]
        weighed = (subject.id, row["order_id"], line_no)
        weight_g = int(await tx.fetch_value(SQL.weight_to_fetch, tx.tenant_id, *weighed))
    sender = wanted.sender or Recipient(*from_there)
    if not sender.address:
        raise InvalidAfterSalesInput("Say where it is to be fetched.", path=("place",))
    draft = CollectionDraft(
        subject,
        row["order_id"],
        wanted.node_id,
        place["dealer_id"],
        wanted.time,
        sender,
        weight_g,
    )
    return await ask_collection(tx, draft)


async def change_collection(
    database: Database,
    principal: Principal,
    collection_id: int,
    time: CollectionTime | None,
    *,
    seen: int | None,
    key: str,
) -> Collection:
    """Agree on another time or carrier for a collection, or (None) let nobody come; once.

    What was booked is voided with its carrier. Locks the key, the order. Emits
    `collection.changed`. Raises PermissionMissing, WriteRefused, UnknownCollection,
    CollectionChanged, InvalidFulfilmentInput, CommandConflict; then nothing has changed.
    """

    async def work(tx: TenantTransaction) -> Collection:
        if time is None:
            return await call_off(tx, collection_id, seen)
        return await change_time(tx, collection_id, time, seen)

    principal.require(Permission.ORDERS_CANCEL)
    if time is not None:
        check_moments(time)
    async with database.tenant_transaction(principal, read_only=True) as tx:
        found = (await collections_by_ids(tx, [collection_id])).get(collection_id)
    if found is None:
        raise UnknownCollection
    kind = FETCHED[found.subject.kind]
    known = kind.order_of, kind.unknown()
    async with deciding(database, principal, found.subject.id, known, (Kind.STORE,)) as tx:
        content = ("change_collection", collection_id, time, seen)
        return await apply_once(tx, key, content, Collection, partial(work, tx))


async def note_collected(tx: TenantTransaction, collection: Collection) -> None:
    """Let what a carrier has fetched be on its way; its order is locked.

    A repair waits for what it is until it has come.
    """
    subject = collection.subject
    if subject.kind is CollectedFor.REPAIR:
        return
    row = await tx.fetch_row(FETCHED[subject.kind].lock, tx.tenant_id, subject.id)
    assert row is not None, "none of them is deleted"
    if subject.kind is CollectedFor.RETURN and row["status"] == ReturnStatus.APPROVED:
        sent_by = collection.time.carrier, collection.waybill
        after = await set_return(
            tx,
            return_of(row),
            ReturnStatus.SENT_BACK,
            node_id=collection.node_id,
            sent_by=sent_by,
        )
        await tell_order(tx, after.order_id, told_of(after), after.node_id)
    if subject.kind is CollectedFor.TRADE_IN and row["status"] == TradeInStatus.PROMISED:
        trade_in = trade_in_of(row)
        moved = msgspec.structs.replace(
            trade_in,
            status=TradeInStatus.COLLECTED,
            node_id=collection.node_id,
            carrier=collection.time.carrier,
            waybill=collection.waybill,
        )
        await set_trade_in(tx, moved)
