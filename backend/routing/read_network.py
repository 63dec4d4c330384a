"""Reading what orders are routed over: the network, its layout of pools, its terms."""

from datetime import datetime
from typing import NamedTuple

import structlog

from backend.channels.shops import shops_mark
from backend.db.errors import YipanError
from backend.db.pool import TenantTransaction
from backend.inventory.accuracy.accuracy import read_weights
from backend.inventory.accuracy.model import Weights
from backend.inventory.earmarks.model import OpenEarmark
from backend.inventory.earmarks.queries import open_earmarks
from backend.inventory.pools.compile import CompiledLayout
from backend.inventory.pools.layouts import LAYOUTS, active_version, compile_in_force
from backend.inventory.warehouses import list_warehouses
from backend.network.model import FunctionalWarehouse, Node
from backend.network.nodes import list_nodes
from backend.network.regions.table import RegionTable
from backend.network.terms import NetworkTerms, read_terms, terms_mark
from backend.routing.network_view import NetworkView

log = structlog.get_logger(__name__)


class Topology(NamedTuple):
    """What a stock book is numbered by; where it changes, the book is made anew."""

    nodes: list[Node]
    warehouses: list[FunctionalWarehouse]
    layout_version: int
    """The active layout of pools; 0 for none."""
    shops: tuple[int, int]
    """A mark that changes when a shop opens or closes; layouts name them."""
    earmarks: list[OpenEarmark]
    weights: Weights
    """What is known of the accuracy of nodes."""
    terms_mark: int
    """A mark that changes when lanes, closed days or terms of dealers and channels do."""


async def read_topology(tx: TenantTransaction) -> Topology:
    """Return what a stock book is numbered by, as it is now."""
    version = await active_version(tx)
    shops = await shops_mark(tx) if version else (0, 0)
    earmarks = await open_earmarks(tx) if version else []
    weights = await read_weights(tx)
    nodes, warehouses = await list_nodes(tx), await list_warehouses(tx)
    mark = await terms_mark(tx)
    return Topology(nodes, warehouses, version, shops, earmarks, weights, mark)


async def terms_in_force(
    tx: TenantTransaction, topology: Topology, local: datetime, known: NetworkTerms | None = None
) -> NetworkTerms:
    """Return the terms of the network, read again where they changed or another day began."""
    if known is None or (known.first_day, known.mark) != (local.date(), topology.terms_mark):
        return await read_terms(tx, local.date())
    return known


async def view_of(
    tx: TenantTransaction, topology: Topology, terms: NetworkTerms, regions: RegionTable
) -> tuple[NetworkView, CompiledLayout | None]:
    """Return the network, under the active layout where there is one that can be used."""
    layout = None
    active = await LAYOUTS.active(tx) if topology.layout_version else None
    if active is not None:
        try:
            layout = await compile_in_force(tx, active.document, regions)
        except YipanError as error:
            log.exception("pools.not_compiled", tenant=tx.tenant_id, error=error.message)
    earmarks = topology.earmarks
    view = NetworkView(topology.nodes, topology.warehouses, regions, layout, earmarks, terms)
    return view, layout
