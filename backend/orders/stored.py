"""Orders that exist, as the planner sees them: from their rows, as the intake saw them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from backend.catalog.find_skus import skus_by_ids
from backend.catalog.model import Sku
from backend.channels.model import Shop
from backend.channels.shops import shops_by_ids
from backend.db.pool import Record, TenantTransaction
from backend.orders.claim import SQL
from backend.orders.model import Shortage
from backend.orders.work import Backorder, WorkLine, request_of
from backend.routing.goods_needs import charged_weight_g, needs_of
from backend.routing.model import OrderFacts, Place, PlanRequest
from backend.routing.traits import OrderTraits

_traits = msgspec.json.Decoder(OrderTraits).decode


class Around(NamedTuple):
    """What stored orders are understood by."""

    shops: Mapping[int, Shop]
    skus: Mapping[int, Sku]
    ordered: Mapping[int, Mapping[int, int]]
    """By order, the units of each SKU that it had when it came."""
    sending: Mapping[int, frozenset[int]] = {}
    """The nodes that send a part of an order already."""


async def understand_stored(tx: TenantTransaction, rows: Sequence[Record]) -> list[Backorder]:
    """Return what is wanted of orders, each from its rows: one a line, together, by order.

    A row has the columns of the query `backorders`; `wanted` are the units of the line.
    """
    around = await _look_up(tx, list({row["order_id"] for row in rows}), rows)
    return [
        order_of(list(lines), around) for _, lines in groupby(rows, key=lambda row: row["order_id"])
    ]


async def _look_up(tx: TenantTransaction, ids: Sequence[int], rows: Sequence[Record]) -> Around:
    shops = await shops_by_ids(tx, list({row["shop_id"] for row in rows}))
    ordered: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for row in await tx.fetch(SQL.lines_of_orders, tx.tenant_id, ids):
        if row["sku_id"] is not None:
            ordered[row["order_id"]][row["sku_id"]] += row["quantity"]
    skus = await skus_by_ids(tx, list({sku_id for units in ordered.values() for sku_id in units}))
    sending: defaultdict[int, set[int]] = defaultdict(set)
    for row in await tx.fetch(SQL.live_fulfilments, tx.tenant_id, ids):
        sending[row["order_id"]].add(row["node_id"])
    nodes = {one: frozenset(found) for one, found in sending.items()}
    return Around(shops, skus, ordered, nodes)


def order_of(rows: Sequence[Record], around: Around) -> Backorder:
    """Return what is wanted of an order, from the rows of its lines; see `understand_stored`."""
    first = rows[0]
    shop, traits = around.shops[first["shop_id"]], _traits(first["traits"])
    return Backorder(
        order_id=first["order_id"],
        shop_id=shop.id,
        dealer_id=first["dealer_id"],
        place=Place(
            first["region_code"],
            shop.legal_entity_id,
            channel=shop.channel,
            customer_level=traits.customer_level,
            promised_on=traits.promised_on,
            subsidy_region=traits.subsidy_region,
            joins=around.sending.get(first["order_id"], frozenset()),
        ),
        lines=tuple([_line(row, around.skus[row["sku_id"]]) for row in rows]),
        facts=_facts(first, shop, around, traits),
        only_at=first["only_node_id"] or 0,
    )


def _facts(order: Record, shop: Shop, around: Around, traits: OrderTraits) -> OrderFacts:
    """Return what policies could ask about an order when it came."""
    ordered = [(around.skus[one], n) for one, n in around.ordered[order["order_id"]].items()]
    return OrderFacts(
        shop=shop,
        skus=[sku for sku, _ in ordered],
        units=sum(units for _, units in ordered),
        weight_g=sum(units * charged_weight_g(sku) for sku, units in ordered),
        amount_minor=order["total_minor"],
        remark=order["remark"],
        is_paid=order["is_paid"],
        is_presale=order["shortage"] == Shortage.PRESALE,
        traits=traits,
    )


def request_as_placed(order: Backorder, row: Record) -> PlanRequest:
    """Return an order as the planner saw it when it was placed; `row` is one of its rows."""
    takes_part = row["shortage"] != Shortage.REFUSE
    return msgspec.structs.replace(request_of(order), take_what_is_there=takes_part)


def _line(row: Record, sku: Sku) -> WorkLine:
    return WorkLine(
        row["line_no"],
        sku.id,
        row["wanted"],
        charged_weight_g(sku),
        max(0, row["amount_minor"]) * row["wanted"] // row["quantity"],
        needs_of(sku),
    )
