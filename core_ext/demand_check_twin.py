"""The checks of a batch of orders, in plain Python."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from core_ext.demand import MAY_SPLIT, TAKE_WHAT_IS_THERE, Demand
from core_ext.limits import INT32_MOST, MAX_DEMANDS, MAX_POLICIES, VALUE_MOST
from core_ext.parcel_cost_twin import Policy
from core_ext.stock_book_twin import StockBook


def check_demand(book: StockBook, policies: Sequence[Policy], demand: Demand) -> None:
    """ValueError unless the batch has the shapes and ranges that `Demand` describes."""
    if not 1 <= len(policies) <= MAX_POLICIES:
        raise ValueError(f"a batch has 1 to {MAX_POLICIES} policies")
    for policy in policies:
        if book.node_count != policy.node_count:
            raise ValueError(f"{book.node_count} nodes in the book, {policy.node_count} elsewhere")
    orders, rows = len(demand.order_offsets) - 1, len(demand.sku)
    _check_array("order_offsets", demand.order_offsets, "i", orders + 1)
    for name, values in (("place", demand.place), ("filter", demand.filter)):
        _check_array(name, values, "i", orders)
    _check_array("flags", demand.flags, "B", orders)
    for name, values in (
        ("sku", demand.sku),
        ("quantity", demand.quantity),
        ("unit_weight_g", demand.unit_weight_g),
    ):
        _check_array(name, values, "q", rows)
    if orders < 0 or demand.order_offsets[0] != 0 or demand.order_offsets[-1] != rows:
        raise ValueError(f"order_offsets must run from 0 to {rows}")
    _check_scopes(book.source_count, demand, orders)
    _check_array("unit_value", demand.unit_value, "q", rows if len(demand.unit_value) else 0)
    _check_array("goods", demand.goods, "i", rows if len(demand.goods) else 0)
    _check_chains(demand, orders, len(policies))
    for order in range(orders):
        for number in chain_of(demand, order):
            _check_order(policies[number], demand, order)


def chain_of(demand: Demand, order: int) -> Sequence[int]:
    """The policies that an order goes through, by number."""
    if not demand.chain:
        return (0,)
    return demand.chain[demand.chain_offsets[order] : demand.chain_offsets[order + 1]]


def _check_chains(demand: Demand, orders: int, policies: int) -> None:
    """Every order has at least one policy, and all of them exist."""
    offsets, chain = demand.chain_offsets, demand.chain
    if not offsets and not chain:
        return
    _check_array("chain_offsets", offsets, "i", orders + 1)
    if offsets[0] != 0 or offsets[-1] != len(chain):
        raise ValueError(f"chain_offsets must run from 0 to {len(chain)}")
    for order in range(orders):
        if offsets[order] >= offsets[order + 1]:
            raise ValueError(f"order {order} goes through no policy")
    for number in chain:
        if not 0 <= number < policies:
            raise ValueError(f"there is no policy {number}")


def _check_scopes(sources: int, demand: Demand, orders: int) -> None:
    _check_array("scope", demand.scope, "i", orders if len(demand.scope) else 0)
    scopes = demand.scopes
    if scopes and (not sources or len(scopes) % sources):
        raise ValueError(f"scopes must be rows of {sources} bytes")
    if not set(scopes) <= {0, 1}:
        raise ValueError("scopes must be bytes that are 0 or 1")
    rows = len(scopes) // sources if sources else 0
    for order, scope in enumerate(demand.scope):
        if not -1 <= scope < rows:
            raise ValueError(f"order {order} has scope {scope}")


def _check_order(policy: Policy, demand: Demand, order: int) -> None:
    first, end = demand.order_offsets[order], demand.order_offsets[order + 1]
    if not 1 <= end - first <= MAX_DEMANDS:
        raise ValueError(f"order {order} has {end - first} demands")
    if not 0 <= demand.place[order] < policy.place_count:
        raise ValueError(f"order {order} goes to place {demand.place[order]}")
    if not -1 <= demand.filter[order] < len(policy.filters) // policy.node_count:
        raise ValueError(f"order {order} has filter {demand.filter[order]}")
    if demand.flags[order] & ~(TAKE_WHAT_IS_THERE | MAY_SPLIT):
        raise ValueError(f"order {order} has flags {demand.flags[order]}")
    rows = range(first, end)
    if any(demand.quantity[r] < 1 or demand.unit_weight_g[r] < 0 for r in rows):
        raise ValueError(f"order {order} has a quantity below 1 or a weight below 0")
    units = sum(demand.quantity[r] for r in rows)
    weight_g = sum(demand.quantity[r] * demand.unit_weight_g[r] for r in rows)
    if units > INT32_MOST or weight_g > INT32_MOST:
        raise ValueError(f"order {order} has {units} units of {weight_g} g together")
    values = [demand.unit_value[r] for r in rows] if demand.unit_value else []
    worth = sum(demand.quantity[r] * v for r, v in zip(rows, values, strict=False))
    if min(values, default=0) < 0 or worth > VALUE_MOST:
        raise ValueError(f"order {order} is worth too much, or has a value below 0")
    if any(not -1 <= demand.goods[r] < policy.goods_count for r in rows if demand.goods):
        raise ValueError(f"order {order} has goods of no class")
    if len({demand.sku[r] for r in rows}) < len(rows):
        raise ValueError(f"order {order} has a SKU twice")


def _check_array(name: str, values: array[int], code: str, length: int) -> None:
    if memoryview(values).format != code:
        raise ValueError(f"{name} must be an array({code!r})")
    if len(values) != length:
        raise ValueError(f"{name} has {len(values)} numbers instead of {length}")
