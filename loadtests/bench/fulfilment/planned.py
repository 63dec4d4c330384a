"""Serving orders by Yipan's planner: the network as a policy, the stock as a book."""

from array import array
from collections.abc import Sequence

import numpy as np

from core_ext import Policy, StockBook, plan
from core_ext.demand import Demand
from core_ext.policy import Kind, Limits, Term, pack_weighted
from loadtests.bench.fulfilment.instance import Arrivals, Instance, Numbers
from loadtests.bench.fulfilment.network import Floats

THOUSANDTHS = 1_000
"""Costs of the planner are whole: thousandths of the network's."""
PLENTY = 2**40
"""Units that the dummy has of everything."""


class PlannerServer:
    """Plans batches of orders: a node for every centre, whole units, one weighted sum of what a
    parcel costs, what a unit costs, and what it is worth where it lies.
    """

    def __init__(self, instance: Instance) -> None:
        network, items = instance.network, instance.stock.shape[1]
        self._instance = instance
        self._nodes = network.centres + 1
        self._cells = (
            array("q", np.tile(np.arange(items), self._nodes).tolist()),
            array("i", np.repeat(np.arange(self._nodes), items).tolist()),
        )
        self._costs = [
            Term(Kind.NODE, _thousandths(network.parcel_cost)),
            Term(Kind.UNIT, _thousandths(network.unit_cost.ravel())),
        ]

    def _policy(self, price: Floats) -> Policy:
        """Return the policy at prices, (K - 1) x I; every item is a class of goods of its own."""
        network, items = self._instance.network, price.shape[1]
        worth = np.vstack([price, np.zeros(items)]).T
        terms = [*self._costs, Term(Kind.GOODS, _thousandths(worth.ravel()))]
        return Policy(
            node_count=self._nodes,
            place_count=len(network.share),
            terms=pack_weighted(terms, [1, 1, 1]),
            limits=Limits(max_nodes=min(self._nodes, self._instance.items.shape[1])),
            goods_count=items,
        )

    def serve(self, arrivals: Arrivals, stock: Numbers, price: Floats) -> Numbers:
        """Return the choices, each of least cost and price together; takes them from `stock`.

        `stock` (units) and `price` (of a unit) are (K - 1) x I; each order sees what those before
        it took.
        """
        book = StockBook(array("i", range(self._nodes)), self._nodes)
        units = np.vstack([stock, np.full(stock.shape[1], PLENTY)]).ravel().tolist()
        book.put_many(*self._cells, array("q", units), array("q", [1]) * len(units))
        plans = plan(book, [self._policy(price)], self._demand(arrivals))
        is_item = self._instance.is_item[arrivals.kind]
        assert len(plans.allocation_node) == is_item.sum(), "the dummy has everything"
        choices = np.zeros(is_item.shape, np.int64)
        choices[is_item] = np.frombuffer(plans.allocation_node, np.int32)
        items = self._instance.items[arrivals.kind]
        is_real = is_item & (choices < len(stock))
        np.subtract.at(stock, (choices[is_real], items[is_real]), 1)
        return choices

    def _demand(self, arrivals: Arrivals) -> Demand:
        is_item = self._instance.is_item[arrivals.kind]
        orders, rows = len(arrivals.kind), int(is_item.sum())
        items = self._instance.items[arrivals.kind][is_item]
        return Demand(
            order_offsets=_ints(np.concatenate([[0], np.cumsum(is_item.sum(axis=1))])),
            sku=array("q", items.astype(np.int64).tobytes()),
            goods=_ints(items),
            quantity=array("q", [1]) * rows,
            unit_weight_g=array("q", [0]) * rows,
            place=_ints(self._instance.metro[arrivals.kind]),
            filter=array("i", [-1]) * orders,
            flags=array("B", [0]) * orders,
        )


def _thousandths(costs: Floats) -> "array[int]":
    return _ints(np.rint(costs * THOUSANDTHS))


def _ints(numbers: "Floats | Numbers | Sequence[int]") -> "array[int]":
    return array("i", np.asarray(numbers).astype(np.int32).tobytes())
