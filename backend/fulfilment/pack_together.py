"""Packing together what several orders of one customer get from one node (合包发货).

Each order keeps a parcel of its own, which lies in that of the first: one waybill, one freight.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.fulfilment.bulk import check_size, working
from backend.fulfilment.errors import InvalidFulfilmentInput, NotOneCustomer
from backend.fulfilment.model import TEXT_MAX, WEIGHT_G_MAX, Packing
from backend.fulfilment.pack import pack
from backend.fulfilment.waves import SQL
from backend.orders.errors import UnknownFulfilment
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from tenants.principal import Principal

JOINT_MAX = 20
"""Orders in one parcel."""
HOURS_MAX = 24 * 14
PROPOSALS_MAX = 200


class Joint(msgspec.Struct, frozen=True):
    """A parcel with what several orders get."""

    parcel_id: int
    """The one that the others lie in; its carrier is asked for its waybill."""
    parcels: int
    weight_g: int


class Proposal(NamedTuple):
    """Fulfilments of one customer that a node could send together, and those picked already."""

    node_id: int
    buyer_name: str
    address: str
    keys: tuple[FulfilmentKey, ...]
    picked: int


async def pack_together(
    database: Database,
    principal: Principal,
    keys: Sequence[FulfilmentKey],
    carrier: str,
    weight_g: int | None,
    key: str,
) -> Joint:
    """Pack picked fulfilments of one node, for one customer at one address, into one parcel, once.

    All of them, or nothing: who is refused refuses all. They are handed over together. Locks the
    key, then the orders. Emits `fulfilment.packed` for each. Raises PermissionMissing,
    WriteRefused, InvalidFulfilmentInput, UnknownFulfilment, NotOneCustomer, what `pack_fulfilments`
    refuses, CommandConflict; then nothing has changed.
    """
    check_size(keys, JOINT_MAX)
    if len({one.order_id for one in keys}) < 2:
        raise InvalidFulfilmentInput("Name fulfilments of 2 orders or more.", path=("fulfilments",))
    if not 0 < len(carrier) <= TEXT_MAX:
        raise InvalidFulfilmentInput("Say who carries it.", path=("carrier",))
    if weight_g is not None and not 0 <= weight_g <= WEIGHT_G_MAX:
        raise InvalidFulfilmentInput(f"It weighs 0 to {WEIGHT_G_MAX} g.", path=("weightG",))

    async def work(tx: TenantTransaction) -> Joint:
        await lock_orders_of(tx, keys)
        await _check_customer(tx, keys)
        moved = await pack(tx, {one: Packing(one, carrier) for one in keys})
        for error in moved.refused.values():
            raise error
        row = await tx.fetch_row(SQL.join_parcels, tx.tenant_id, *_columns(keys), weight_g)
        assert row is not None, "each of them has a parcel"
        return Joint(row["id"], len(keys), row["weight_g"])

    async with working(database, principal) as tx:
        content = ("pack_together", keys, carrier, weight_g)
        return await apply_once(tx, key, content, Joint, partial(work, tx))


async def _check_customer(tx: TenantTransaction, keys: Sequence[FulfilmentKey]) -> None:
    """Raise UnknownFulfilment, and NotOneCustomer for several nodes, customers or addresses."""
    rows = await tx.fetch(SQL.places_of_fulfilments, tx.tenant_id, *_columns(keys))
    may_work = all(tx.principal.may_work_at(row["node_id"], None) for row in rows)
    if len(rows) < len(keys) or not may_work:
        raise UnknownFulfilment
    if len({_customer(row) for row in rows}) > 1 or not rows[0]["address"]:
        raise NotOneCustomer


def _customer(row: Record) -> tuple[object, ...]:
    names = ("node_id", "dealer_id", "buyer_name", "buyer_phone", "region_code", "address")
    return tuple(row[name] for name in names)


async def joint_proposals(
    tx: TenantTransaction, node_id: int | None, within_hours: int
) -> list[Proposal]:
    """Return what nodes could send together, PROPOSALS_MAX at most: of one, or of all.

    Fulfilments that are not packed yet, of orders of one customer, to one address, that the nodes
    were given within so many hours of now.
    """
    if not 1 <= within_hours <= HOURS_MAX:
        raise InvalidFulfilmentInput(f"1 to {HOURS_MAX} hours.", path=("withinHours",))
    given = (tx.tenant_id, node_id, within_hours, PROPOSALS_MAX)
    return [
        Proposal(
            row["node_id"],
            row["buyer_name"],
            row["address"],
            tuple(
                FulfilmentKey(*one) for one in zip(row["order_ids"], row["numbers"], strict=True)
            ),
            row["picked"],
        )
        for row in await tx.fetch(SQL.joint_proposals, *given)
    ]


def _columns(keys: Sequence[FulfilmentKey]) -> tuple[list[int], list[int]]:
    return [one.order_id for one in keys], [one.fulfilment_no for one in keys]
