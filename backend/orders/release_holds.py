"""Releasing holds: somebody has resolved what an order was held for."""

from typing import NamedTuple

from backend.catalog.find_skus import sku_id_by_code
from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.network.errors import UnknownRegion
from backend.network.regions.table import RegionTable
from backend.orders.claim import SQL
from backend.orders.dealing.holds import and_for_quota
from backend.orders.errors import OrderRefused, UnknownHold
from backend.orders.events import OrderHoldReleased
from backend.orders.model import HoldKind, OrderStatus
from backend.orders.states import check_step, derive_status
from backend.orders.step import StepEvent, changing_order, lines_of_order, under_holds, write_step
from tenants.principal import Kind, Permission, Principal


class HoldUnresolved(OrderRefused):
    """What the order is held for is not resolved; give what it lacks."""

    code = "HOLD_UNRESOLVED"


BY_AGREEMENT = "The brand decides whether it is sent other than agreed with the dealer."
BRAND_DECIDES: dict[HoldKind, str] = {
    HoldKind.EXCHANGE: "The brand decides whether it is sent before what it replaces is back.",
    HoldKind.AGREEMENT: BY_AGREEMENT,
    HoldKind.ASSORTMENT: BY_AGREEMENT,
    HoldKind.TERRITORY: BY_AGREEMENT,
    HoldKind.DEALER_PRICE: BY_AGREEMENT,
    HoldKind.RESALE_PRICE: BY_AGREEMENT,
}
"""What a dealer is told who would release a hold that only the brand may."""


class Resolution(NamedTuple):
    """What a hold needs to be released: the right SKU, or the right region."""

    hold_no: int
    sku: str | None = None
    region_code: int | None = None


async def release_hold(
    database: Database,
    principal: Principal,
    order_id: int,
    resolution: Resolution,
    regions: RegionTable,
    key: str,
) -> OrderStatus:
    """Release one hold of an order and return the status that it leads to.

    When the last hold that kept the order from stock is gone, its units wait like any other
    (`backordered`), and the next allocation gives them what there is. Locks the key, the order,
    then its holds. Emits `order.hold_released`. Raises UnknownOrder, UnknownHold, HoldUnresolved,
    UnknownSku, UnknownRegion, CommandConflict; then nothing has changed. The same key answers the
    same again; releasing a released hold under another key is refused as unknown.
    """
    async with changing_order(database, principal, order_id, Permission.ORDERS_PLACE) as tx:
        return await apply_once(
            tx,
            key,
            ("release", order_id, resolution),
            OrderStatus,
            lambda: _release(tx, order_id, resolution, regions, principal),
        )


async def _release(
    tx: TenantTransaction,
    order_id: int,
    resolution: Resolution,
    regions: RegionTable,
    principal: Principal,
) -> OrderStatus:
    order = (await tx.fetch(SQL.lock_orders, tx.tenant_id, [order_id]))[0]
    holds = await tx.fetch(SQL.open_holds, tx.tenant_id, order_id)
    hold = next((row for row in holds if row["hold_no"] == resolution.hold_no), None)
    if hold is None:
        raise UnknownHold
    if principal.kind is Kind.DEALER and hold["kind"] in BRAND_DECIDES:
        raise HoldUnresolved(BRAND_DECIDES[hold["kind"]])
    await _resolve(tx, order_id, hold, resolution, regions)
    await tx.execute(SQL.release_hold, tx.tenant_id, order_id, [hold["hold_no"]], principal.subject)
    rest = [HoldKind(row["kind"]) for row in holds if row is not hold]
    return await _advance(tx, order, rest, HoldKind(hold["kind"]))


async def release_kind(tx: TenantTransaction, order: Record, kind: HoldKind) -> None:
    """Release what a locked order is held for of a kind, if it is: that has come about."""
    holds = await tx.fetch(SQL.open_holds, tx.tenant_id, order["id"])
    over = [row["hold_no"] for row in holds if row["kind"] == kind]
    if over:
        await tx.execute(SQL.release_hold, tx.tenant_id, order["id"], over, tx.principal.subject)
        rest = [HoldKind(row["kind"]) for row in holds if row["hold_no"] not in over]
        await _advance(tx, order, rest, kind)


async def _resolve(
    tx: TenantTransaction,
    order_id: int,
    hold: Record,
    resolution: Resolution,
    regions: RegionTable,
) -> None:
    kind = HoldKind(hold["kind"])
    if kind is HoldKind.SKU_UNKNOWN:
        if resolution.sku is None:
            raise HoldUnresolved
        sku_id = await sku_id_by_code(tx, resolution.sku)
        await tx.execute(
            SQL.resolve_line, tx.tenant_id, order_id, hold["line_no"], sku_id, resolution.sku
        )
    elif kind is HoldKind.PICKUP:
        raise HoldUnresolved("Choose where it is fetched, or that it is sent (pickupMove).")
    elif kind is HoldKind.QUOTA:
        raise HoldUnresolved("It goes when the quota allows it: top it up, raise it, or pay.")
    elif kind is HoldKind.DEPOSIT:
        raise HoldUnresolved("It goes when the rest is paid (orderPayRest).")
    elif kind is HoldKind.ADDRESS_UNRESOLVED:
        if resolution.region_code is None:
            raise HoldUnresolved
        if resolution.region_code not in regions.by_code:
            raise UnknownRegion(f"There is no region {resolution.region_code}.")
        await tx.execute(SQL.resolve_address, tx.tenant_id, order_id, resolution.region_code)


async def _advance(
    tx: TenantTransaction, order: Record, rest: list[HoldKind], released: HoldKind
) -> OrderStatus:
    before = await lines_of_order(tx, order["id"])
    rest = await and_for_quota(tx, order, before, rest)
    after = under_holds(before, rest)
    status = check_step(OrderStatus(order["status"]), derive_status(after, is_held=bool(rest)))
    events = [StepEvent(OrderHoldReleased(order["id"], status, released))]
    await write_step(tx, order, (before, after), status, events)
    return status
