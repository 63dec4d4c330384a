"""What choices cost, and what becomes of choices that were made without looking at the stock.

A choice is a centre for each item of an order: an n x M array, whose entries behind an order's
items mean nothing.
"""

import numpy as np

from loadtests.bench.fulfilment.instance import Arrivals, Instance, Numbers
from loadtests.bench.fulfilment.network import Floats


def total_cost(instance: Instance, arrivals: Arrivals, choices: Numbers) -> float:
    """Return the cost of all orders: of each parcel once, and of every unit."""
    is_item = instance.is_item[arrivals.kind]
    costs = np.take_along_axis(instance.unit_costs()[arrivals.kind], choices, axis=1)
    used = np.bitwise_or.reduce(np.where(is_item, 1 << choices, 0), axis=1)
    return float(costs[is_item].sum() + parcel_costs(instance)[used].sum())


def parcel_costs(instance: Instance) -> Floats:
    """Return the cost of the parcels for every set of centres, as a number of one bit each."""
    costs = np.zeros(1)
    for cost in instance.network.parcel_cost:
        costs = np.concatenate([costs, costs + cost])
    return costs


def cells_of(instance: Instance, arrivals: Arrivals, choices: Numbers) -> tuple[Numbers, Numbers]:
    """Return the position of every item in `choices`, and the cell it takes from.

    Cells are numbered centre by centre; those of the dummy come behind all others.
    """
    position = np.flatnonzero(instance.is_item[arrivals.kind].ravel())
    items = instance.items[arrivals.kind].ravel()[position]
    return position, choices.ravel()[position] * instance.stock.shape[1] + items


def served(instance: Instance, arrivals: Arrivals, choices: Numbers) -> Numbers:
    """Return what happens to choices in turn: what is not in stock comes from the dummy."""
    position, cell = cells_of(instance, arrivals, choices)
    order = np.argsort(cell, kind="stable")
    ordered = cell[order]
    rank = np.arange(len(cell)) - np.searchsorted(ordered, ordered)
    dummies = np.full(instance.stock.shape[1], len(cell))
    stock = np.concatenate([instance.stock.ravel(), dummies])
    outcome = choices.copy()
    outcome.ravel()[position[order[rank >= stock[ordered]]]] = instance.network.centres
    return outcome


def taken_units(instance: Instance, arrivals: Arrivals, choices: Numbers) -> Numbers:
    """K x I: the units taken, those of the dummy last."""
    _, cell = cells_of(instance, arrivals, choices)
    centres, items = instance.network.centres + 1, instance.stock.shape[1]
    return np.bincount(cell, minlength=centres * items).reshape(centres, items)
