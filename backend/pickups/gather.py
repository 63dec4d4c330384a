"""Letting a store have from elsewhere what an order that is fetched there waits for (调货自提).

The goods travel to the store first, and are handed over there then: two legs.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial

import msgspec

from backend.db.commands import apply_once
from backend.db.pool import Database, Record, TenantTransaction
from backend.inventory import ledger
from backend.inventory.levels import database_time
from backend.inventory.model import Level, LevelKey
from backend.inventory.supplies.dispatch import Dispatch, send
from backend.inventory.warehouses import list_warehouses
from backend.network.nodes import nodes_by_codes
from backend.orders.errors import UnknownOrder
from backend.orders.find_orders import orders_by_ids
from backend.orders.move_fulfilments import FulfilmentKey, lock_orders_of
from backend.orders.step import changing_order, tell_order
from backend.orders.supplies.awaited import awaited_lines, promise_units
from backend.pickups.errors import InvalidPickupInput, NothingToGather, PickupChanged, UnknownPickup
from backend.pickups.events import PickupGathered
from backend.pickups.model import Pickup
from backend.pickups.standing import SQL, pickup_of, pickups_of_orders
from backend.pickups.states import PICKUP
from backend.routing.live_book import LiveBook
from backend.routing.network_view import NetworkView
from tenants.principal import Kind, Permission, PermissionMissing, Principal

AHEAD_MAX = timedelta(days=90)
SOURCES_MAX = 20
CODE = "gather"


class Gathering(msgspec.Struct, frozen=True):
    """From which location the goods come, by its code, and when they are at the store."""

    location: str
    arrives_on: date


class GatheredLine(msgspec.Struct, frozen=True):
    """Units of a SKU that are on their way, and the code under which the store receives them."""

    code: str
    sku: str
    units: int


class Gathered(msgspec.Struct, frozen=True):
    """What is on its way to the store; the levels that it left are to be published."""

    pickup: Pickup
    supplies: tuple[GatheredLine, ...]
    levels: list[Level]


async def gather_pickup(
    database: Database,
    principal: Principal,
    order_id: int,
    gathering: Gathering,
    live: LiveBook,
    *,
    seen: int | None,
    key: str,
) -> Gathered:
    """Send what an order waits for at its store there, from a location that has all of it, once.

    Each line is a supply of the store, promised to the order; received, it is kept for it, and the
    store has it. For the brand. Locks the key, the order, its pickup, then supplies and levels.
    Emits `pickup.gathered`. Raises PermissionMissing, WriteRefused, UnknownOrder, UnknownPickup,
    PickupChanged, NothingToGather, InvalidPickupInput, NotEnoughToMove, CommandConflict; then
    nothing has changed.
    """
    _for_the_brand(principal)
    await live.freshen()

    async def work(tx: TenantTransaction) -> Gathered:
        return await _gather(tx, order_id, gathering, live, seen)

    async with changing_order(database, principal, order_id, Permission.STOCK_WRITE) as tx:
        content = ("gather_pickup", order_id, gathering, seen)
        return await apply_once(tx, key, content, Gathered, partial(work, tx))


async def gather_sources(
    database: Database, principal: Principal, order_id: int, live: LiveBook
) -> list[str]:
    """Return the codes of locations that have all that an order waits for at its store.

    The nearest to the store first, SOURCES_MAX at most; none where it waits for nothing, or is not
    fetched. For the brand. Raises PermissionMissing, UnknownOrder.
    """
    _for_the_brand(principal)
    await live.freshen()
    async with database.tenant_transaction(principal, read_only=True) as tx:
        order = (await orders_by_ids(tx, [order_id])).get(order_id)
        pickup = (await pickups_of_orders(tx, [order_id])).get(order_id)
        wanted = await awaited_lines(tx, order_id)
    if order is None:
        raise UnknownOrder
    view, store = live.book.view, 0 if pickup is None else pickup.node_id
    if store not in view.node_index or not wanted:
        return []
    region = view.nodes[view.node_index[store]].region_code
    sources = _sources(view, order)
    found = [
        (distance, node.code)
        for node, distance in zip(view.nodes, view.distances_m(region), strict=True)
        if node.id != store and _places(live, sources[node.id], wanted) is not None
    ]
    return [code for _, code in sorted(found)[:SOURCES_MAX]]


def _sources(view: NetworkView, order: Record) -> Mapping[int, list[int]]:
    """Return the sources that an order may be served from, as the book numbers them, by node."""
    seller = (order["shop_id"], order["dealer_id"])
    found: defaultdict[int, list[int]] = defaultdict(list)
    for index, source in enumerate(view.sources):
        if not source.earmark_id and view.may_send(seller, source.functional_warehouse_id):
            found[source.node_id].append(index)
    return found


def _for_the_brand(principal: Principal) -> None:
    principal.require(Permission.STOCK_WRITE)
    if principal.kind in (Kind.DEALER, Kind.STORE):
        raise PermissionMissing(Permission.STOCK_WRITE)


async def _gather(
    tx: TenantTransaction, order_id: int, gathering: Gathering, live: LiveBook, seen: int | None
) -> Gathered:
    order = (await lock_orders_of(tx, [FulfilmentKey(order_id, 0)]))[0]
    row = await tx.fetch_row(SQL.lock_pickup, tx.tenant_id, order_id)
    if row is None or order["pickup_node_id"] is None:
        raise UnknownPickup
    pickup = pickup_of(row)
    if pickup.status not in PICKUP.step("gather").sources or seen not in (None, pickup.version):
        raise PickupChanged(pickup)
    wanted = await awaited_lines(tx, order_id)
    if not wanted:
        raise NothingToGather
    today = (await database_time(tx)).date()
    if not today - timedelta(days=1) <= gathering.arrives_on <= today + AHEAD_MAX:
        raise InvalidPickupInput("Say when it is there, within 90 days.", path=("arrivesOn",))
    nodes = await nodes_by_codes(tx, [gathering.location])
    source = nodes[0].id if nodes else None
    places = None
    if source is not None and source != pickup.node_id:
        places = _places(live, _sources(live.book.view, order)[source], wanted)
    if places is None:
        raise InvalidPickupInput(
            f"{gathering.location!r} does not have all of it; see pickupSources.",
            path=("location",),
        )
    codes = {one.id: one.code for one in await list_warehouses(tx)}
    destination = _place_of_store(live.book.view, order, pickup.node_id)
    keys = {LevelKey(place, line["sku_id"]) for line, place in zip(wanted, places, strict=True)}
    await ledger.lock_levels(tx, sorted(keys), create=True)  # all of them, in the one order
    levels: list[Level] = []
    supplies = []
    for line, place in zip(wanted, places, strict=True):
        code = f"{CODE}-{order_id}-{order['event_sequence']}-{line['line_no']}"
        sent = await send(
            tx,
            Dispatch(
                code=code,
                source=codes[place],
                destination=codes[destination],
                sku=line["sku_code"],
                quantity=line["units"],
                arrives_on=gathering.arrives_on,
            ),
        )
        await promise_units(tx, order, line, sent.supply.id)
        levels += sent.levels
        supplies.append(GatheredLine(code, line["sku_code"], line["units"]))
    units = sum(line["units"] for line in wanted)
    assert source is not None, "it has all of it"
    payload = PickupGathered(order_id, pickup.node_id, source, units, gathering.arrives_on)
    await tell_order(tx, order_id, payload, pickup.node_id)
    return Gathered(pickup, tuple(supplies), levels)


def _places(live: LiveBook, sources: Sequence[int], wanted: Sequence[Record]) -> list[int] | None:
    """Return the functional warehouse of a node that has each line whole; None: it has not all."""
    view, book = live.book.view, live.book.book
    free: dict[tuple[int, int], int] = {}
    found = []
    for line in wanted:
        for index in sources:
            place = view.sources[index].functional_warehouse_id
            left = free.setdefault((place, line["sku_id"]), book.free(line["sku_id"], index))
            if left >= line["units"]:
                free[place, line["sku_id"]] = left - line["units"]
                found.append(place)
                break
        else:
            return None
    return found


def _place_of_store(view: NetworkView, order: Record, node_id: int) -> int:
    """Return the functional warehouse of a store that the order is served from."""
    for index in _sources(view, order)[node_id]:
        return view.sources[index].functional_warehouse_id
    raise InvalidPickupInput("The store has no place that this shop is served from.")
