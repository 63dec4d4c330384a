"""Giving a parcel to another carrier, or asking the same one anew."""

from backend.db.commands import apply_once
from backend.db.pool import Database, TenantTransaction
from backend.fulfilment.bulk import working
from backend.fulfilment.carriers.model import TEXT_MAX
from backend.fulfilment.errors import InvalidFulfilmentInput, UnknownParcel
from backend.fulfilment.find import parcels_by_ids
from backend.fulfilment.model import ParcelStatus
from backend.fulfilment.waves import SQL
from backend.orders.move_fulfilments import FulfilmentKey, lock_fulfilment, lock_orders_of
from backend.orders.states import FULFILMENT
from tenants.principal import Principal


async def change_carrier(
    database: Database, principal: Principal, parcel_id: int, carrier: str, key: str
) -> int:
    """Let another carrier take a parcel that was not handed over yet, once; returns its id.

    Its waybill is forgotten; where the carrier gives waybills, it is asked for one, the same
    carrier too: that gives the same again for the same parcel. Locks the key, then the order.
    Raises PermissionMissing, WriteRefused, InvalidFulfilmentInput, UnknownParcel,
    UnknownFulfilment, WrongFulfilmentState, CommandConflict; then nothing has changed.
    """
    if not 0 < len(carrier) <= TEXT_MAX:
        raise InvalidFulfilmentInput("Say who carries it.", path=("carrier",))
    async with working(database, principal) as tx:
        return await apply_once(
            tx, key, ("carrier", parcel_id, carrier), int, lambda: _change(tx, parcel_id, carrier)
        )


async def _change(tx: TenantTransaction, parcel_id: int, carrier: str) -> int:
    row = next(iter(await parcels_by_ids(tx, [parcel_id])), None)
    if row is None or row["status"] == ParcelStatus.CANCELLED:
        raise UnknownParcel
    if row["host_id"] is not None:
        raise InvalidFulfilmentInput("It lies in the parcel of another order: change that one.")
    key = FulfilmentKey(row["order_id"], row["fulfilment_no"])
    rows = await tx.fetch(SQL.fulfilments_of_parcel, tx.tenant_id, parcel_id)
    await lock_orders_of(tx, [FulfilmentKey(*one) for one in rows])
    await lock_fulfilment(tx, key, FULFILMENT.step("ship").sources)
    await tx.execute(SQL.change_carrier, tx.tenant_id, parcel_id, carrier)
    return parcel_id
