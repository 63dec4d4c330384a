"""Parcels that come back without having been accepted (拒收)."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from backend.db.pool import TenantTransaction
from backend.fulfilment.errors import ParcelNotOnItsWay, UnknownParcel
from backend.fulfilment.find import lines_of_parcels, parcels_by_ids
from backend.fulfilment.ship import settle_delivered
from backend.fulfilment.waves import SQL
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of


class CameBack(NamedTuple):
    """A parcel that is in a node again, and the units in it by line."""

    key: FulfilmentKey
    carrier: str
    waybill: str
    units: Mapping[int, int]


async def lock_parcel(tx: TenantTransaction, parcel_id: int) -> CameBack:
    """Return what is in a parcel, with its order locked; raises UnknownParcel."""
    rows = await parcels_by_ids(tx, [parcel_id])
    if not rows:
        raise UnknownParcel
    key = FulfilmentKey(rows[0]["order_id"], rows[0]["fulfilment_no"])
    await lock_orders_of(tx, [key])
    units: Counter[int] = Counter()
    for line in (await lines_of_parcels(tx, [parcel_id])).get(parcel_id, []):
        units[line["line_no"]] += line["quantity"]
    return CameBack(key, rows[0]["carrier"], rows[0]["waybill"] or "", units)


async def take_parcel_in(tx: TenantTransaction, parcel_id: int, parcel: CameBack) -> None:
    """Let a locked parcel be in a node again; its fulfilment ends with its last parcel.

    Emits `fulfilment.refused` where all of it came back, or `fulfilment.delivered`. Raises
    ParcelNotOnItsWay.
    """
    if await tx.fetch_value(SQL.return_parcel, tx.tenant_id, parcel_id) is None:
        raise ParcelNotOnItsWay
    await settle_delivered(tx, [parcel.key])
