"""Handing over (出库) and arriving (签收): the units leave the stock of their node, for good."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from backend.db.errors import YipanError
from backend.db.pool import Database, Record, TenantTransaction
from backend.events.model import Payload
from backend.fulfilment.bulk import Done, carry_out
from backend.fulfilment.carriers.accounts import labelling_accounts
from backend.fulfilment.errors import NoWaybill, PackedTogether
from backend.fulfilment.events import (
    FulfilmentDelivered,
    FulfilmentRefused,
    FulfilmentShipped,
    SentParcel,
)
from backend.fulfilment.model import ParcelStatus
from backend.fulfilment.waves import SQL
from backend.orders.errors import InterceptPending
from backend.orders.find_work import open_intercepts
from backend.orders.move_fulfilments import (
    FulfilmentKey,
    Moved,
    lock_orders_of,
    move_fulfilments,
)
from backend.orders.states import FULFILMENT
from tenants.principal import Principal

SHIP = FULFILMENT.step("ship")
DELIVER, REFUSE = FULFILMENT.step("deliver"), FULFILMENT.step("refuse")


async def ship_fulfilments(
    database: Database, principal: Principal, keys: Sequence[FulfilmentKey], key: str
) -> Done:
    """Note that the parcels of fulfilments were handed over, once; each is answered by itself.

    The units leave the stock of their nodes (`shipped`). Locks the key, the orders, then their
    levels in order. Emits `fulfilment.shipped`, and `fulfilment.delivered` of what its carrier says
    has arrived already. Refused, one by one: what `move_fulfilments` refuses, InterceptPending
    where somebody asked to stop it, or what lies in one parcel with it, PackedTogether where some
    of that is not handed over too, NoWaybill where a carrier that gives waybills has given none
    yet. Raises what `carry_out` does.
    """
    return await carry_out(
        database, principal, key, ("ship", keys), keys, lambda tx: _ship(tx, keys)
    )


async def _ship(tx: TenantTransaction, keys: Sequence[FulfilmentKey]) -> Moved:
    await lock_orders_of(tx, keys)
    columns = [key.order_id for key in keys], [key.fulfilment_no for key in keys]
    parcels: defaultdict[FulfilmentKey, list[Record]] = defaultdict(list)
    for row in await tx.fetch(SQL.parcels_of_fulfilments, tx.tenant_id, *columns):
        parcels[FulfilmentKey(row["order_id"], row["fulfilment_no"])].append(row)
    asked = set(await open_intercepts(tx, keys))
    together = await _together(tx, keys)
    carriers = await labelling_accounts(tx)

    def tell(row: Record) -> Payload:
        key = FulfilmentKey(row["order_id"], row["fulfilment_no"])
        sent = tuple(SentParcel(each["carrier"], each["waybill"]) for each in parcels[key])
        return FulfilmentShipped(*key, row["node_id"], sent)

    def may_not(row: Record) -> YipanError | None:
        key = FulfilmentKey(row["order_id"], row["fulfilment_no"])
        if asked & {key, *together[key]}:
            return InterceptPending()
        if together[key] - set(keys):
            return PackedTogether()
        lacks = any(
            each["waybill"] is None and each["carrier"] in carriers for each in parcels[key]
        )
        return NoWaybill() if lacks else None

    def goes_with(row: Record, refused: Collection[FulfilmentKey]) -> YipanError | None:
        key = FulfilmentKey(row["order_id"], row["fulfilment_no"])
        return PackedTogether() if together[key] & set(refused) else None

    moved = await move_fulfilments(tx, SHIP, keys, tell, check=may_not, beside=goes_with)
    await _set_parcels(tx, moved, ParcelStatus.SHIPPED)
    # A carrier may have been quicker to tell than whoever handed them over.
    await settle_delivered(tx, [FulfilmentKey(row[0], row[1]) for row in moved.done])
    return moved


async def _together(
    tx: TenantTransaction, keys: Sequence[FulfilmentKey]
) -> Mapping[FulfilmentKey, set[FulfilmentKey]]:
    """Return the fulfilments that lie in one parcel with each."""
    columns = [key.order_id for key in keys], [key.fulfilment_no for key in keys]
    found: defaultdict[FulfilmentKey, set[FulfilmentKey]] = defaultdict(set)
    for row in await tx.fetch(SQL.joint_parcels, tx.tenant_id, *columns):
        key = FulfilmentKey(row["with_order_id"], row["with_fulfilment_no"])
        found[key].add(FulfilmentKey(row["order_id"], row["fulfilment_no"]))
    return found


async def deliver_fulfilments(
    database: Database, principal: Principal, keys: Sequence[FulfilmentKey], key: str
) -> Done:
    """Note that fulfilments have arrived, as somebody says; each is answered by itself, once.

    Locks the key, then the orders. Emits `fulfilment.delivered`. Raises what `carry_out` does.
    """
    return await carry_out(
        database, principal, key, ("deliver", keys), keys, lambda tx: deliver(tx, keys)
    )


async def deliver(tx: TenantTransaction, keys: Iterable[FulfilmentKey]) -> Moved:
    """Note that fulfilments have arrived, with all their parcels."""

    def tell(row: Record) -> Payload:
        return FulfilmentDelivered(row["order_id"], row["fulfilment_no"], row["node_id"])

    moved = await move_fulfilments(tx, DELIVER, keys, tell)
    await _set_parcels(tx, moved, ParcelStatus.DELIVERED)
    return moved


async def settle_delivered(tx: TenantTransaction, keys: Iterable[FulfilmentKey]) -> None:
    """Let fulfilments end that were handed over and of which no parcel is on its way any more.

    They have arrived, unless all their parcels came back.
    """
    wanted = list(keys)
    columns = [key.order_id for key in wanted], [key.fulfilment_no for key in wanted]
    rows = await tx.fetch(SQL.arrived_fulfilments, tx.tenant_id, *columns)
    accepted = [FulfilmentKey(row[0], row[1]) for row in rows if row["is_accepted"]]
    refused = [FulfilmentKey(row[0], row[1]) for row in rows if not row["is_accepted"]]
    if accepted:
        await deliver(tx, accepted)
    if refused:
        await move_fulfilments(tx, REFUSE, refused, _told_refused)


def _told_refused(row: Record) -> Payload:
    return FulfilmentRefused(row["order_id"], row["fulfilment_no"], row["node_id"])


async def _set_parcels(tx: TenantTransaction, moved: Moved, status: ParcelStatus) -> None:
    columns = [row["order_id"] for row in moved.done], [row["fulfilment_no"] for row in moved.done]
    await tx.execute(SQL.set_parcel_status, tx.tenant_id, *columns, status.value)
