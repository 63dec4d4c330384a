"""Serving orders in turn as the stock stands, by cost and by the prices of the stock."""

from typing import Protocol

import numpy as np

from loadtests.bench.fulfilment.cheapest import Cheapest
from loadtests.bench.fulfilment.instance import Arrivals, Flags, Instance, Numbers
from loadtests.bench.fulfilment.network import Floats

ORDERS_AT_ONCE = 400


class Server(Protocol):
    """Serves one order after another; each sees what those before it took."""

    def serve(self, arrivals: Arrivals, stock: Numbers, price: Floats) -> Numbers:
        """Return the choices, each of least cost and price together; takes them from `stock`.

        `stock` (units) and `price` (of a unit) are (K - 1) x I.
        """


class TableServer:
    """Looks every kind of order up in a table, and makes it anew where a cell runs out.

    What is cheapest for a kind changes with which cells have stock, not with how much they have.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._cheapest = Cheapest(instance)
        items = instance.stock.shape[1]
        self._has_item = np.zeros((len(instance.rate), items), np.bool_)
        kinds, places = np.nonzero(instance.is_item)
        self._has_item[kinds, instance.items[kinds, places]] = True

    def serve(self, arrivals: Arrivals, stock: Numbers, price: Floats) -> Numbers:
        """As `Server` says."""
        kinds = np.unique(arrivals.kind)
        table = np.zeros(self._instance.items.shape, np.int64)
        has = stock > 0
        table[kinds] = self._cheapest.ways(kinds, price, has).centres
        done: list[Numbers] = []
        at = 0
        while at < len(arrivals.kind):
            some = arrivals.kind[at : at + ORDERS_AT_ONCE]
            choices, is_out = self._served(some, table, stock)
            done.append(choices)
            at += len(choices)
            if is_out.any():
                has = stock > 0
                changed = kinds[self._has_item[kinds][:, is_out].any(axis=1)]
                table[changed] = self._cheapest.ways(changed, price, has).centres
        return np.concatenate(done) if done else table[:0]

    def _served(self, kinds: Numbers, table: Numbers, stock: Numbers) -> tuple[Numbers, Flags]:
        """Serve orders until a cell lacks a unit; also return which items ran out somewhere."""
        items = stock.shape[1]
        choices = table[kinds]
        is_real = self._instance.is_item[kinds] & (choices < len(stock))
        cell = choices * items + self._instance.items[kinds]
        taken = np.bincount(cell[is_real], minlength=stock.size)
        lacking = np.flatnonzero(taken > stock.ravel()).tolist()
        if len(lacking):
            first = min(self._first_lack(cell, is_real, c, stock.ravel()[c]) for c in lacking)
            choices = choices[:first]
            taken = np.bincount(cell[:first][is_real[:first]], minlength=stock.size)
        had = stock > 0
        stock -= taken.reshape(stock.shape)
        return choices, (had & (stock == 0)).any(axis=0)

    @staticmethod
    def _first_lack(cell: Numbers, is_real: Flags, c: int, left: int) -> int:
        orders, _ = np.nonzero((cell == c) & is_real)
        return int(orders[left])
