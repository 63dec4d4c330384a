"""The deterministic linear program: how often each centre ships what, if orders come as expected.

Its cost is a lower bound on the mean cost of every policy, also of one that knows the future
(Jasin and Sinha 2015); its shares are what the published policies round.
"""

from typing import NamedTuple

import numpy as np

from loadtests.bench.fulfilment.instance import Instance, Numbers
from loadtests.bench.fulfilment.linear import Solver, by_columns
from loadtests.bench.fulfilment.network import Floats


class Bound(NamedTuple):
    """What the program says."""

    cost: float
    """Of all periods."""
    share: Floats
    """R x M x K: how often the centre ships this item of this kind; 0 behind a kind's items."""
    price: Floats
    """(K - 1) x I: what one more unit in stock would save."""


def deterministic_bound(instance: Instance, method: str = "choose") -> Bound:
    """Solve the program. Raises NotSolved."""
    layout = _laid_out(instance)
    solution = _solver(instance, layout, method).solve(needs_columns=True)
    units = solution.columns[len(layout.parcel_kind) :]
    share = np.zeros((*instance.items.shape, instance.network.centres + 1))
    share[layout.kind, layout.place, layout.centre] = units.clip(0.0)
    total = share.sum(axis=2, keepdims=True)
    share /= np.where(total > 0, total, 1.0)
    price = -solution.duals[layout.stock_row :].reshape(instance.stock.shape)
    return Bound(solution.cost, share, price.clip(0.0))


class _Layout(NamedTuple):
    """Which column and row is what.

    Columns: parcels (kind, centre), then units (kind, place in the kind, centre) of centres that
    carry the item. Rows: every item is shipped; no unit without a parcel; stock.
    """

    parcel_kind: Numbers
    parcel_centre: Numbers
    parcel_column: Numbers
    """R x K."""
    kind: Numbers
    place: Numbers
    centre: Numbers
    shipped_row: Numbers
    """R x M."""
    link_row: int
    stock_row: int


def _laid_out(instance: Instance) -> _Layout:
    kinds, centres = len(instance.rate), instance.network.centres + 1
    can_ship = np.vstack([instance.carries, np.ones((1, instance.stock.shape[1]), np.bool_)])
    able = can_ship.T[instance.items] & instance.is_item[:, :, None]
    kind, place, centre = np.nonzero(able)
    parcel_kind, parcel_centre = np.nonzero(able.any(axis=1))
    parcel_column = np.full((kinds, centres), -1, np.int64)
    parcel_column[parcel_kind, parcel_centre] = np.arange(len(parcel_kind))
    shipped_row = np.cumsum(instance.is_item.ravel()).reshape(instance.items.shape) - 1
    shipped = int(instance.is_item.sum())
    return _Layout(
        parcel_kind,
        parcel_centre,
        parcel_column,
        kind,
        place,
        centre,
        shipped_row,
        link_row=shipped,
        stock_row=shipped + len(kind),
    )


def _solver(instance: Instance, layout: _Layout, method: str) -> Solver:
    """Columns are shares of the orders of a kind; stock is counted over all periods."""
    network, rate = instance.network, instance.rate
    kind, centre, parcels = layout.kind, layout.centre, len(layout.parcel_kind)
    unit = np.arange(len(kind))
    cost = instance.periods * np.concatenate(
        [
            rate[layout.parcel_kind] * network.parcel_cost[layout.parcel_centre],
            rate[kind] * network.unit_cost[instance.metro[kind], centre],
        ]
    )
    item = instance.items[kind, layout.place]
    is_real = centre < network.centres
    cell = centre[is_real] * instance.stock.shape[1] + item[is_real]
    one = np.ones(len(kind))
    entries = (
        (parcels + unit, layout.shipped_row[kind, layout.place], one),
        (parcels + unit, layout.link_row + unit, -one),
        (layout.parcel_column[kind, centre], layout.link_row + unit, one),
        (
            parcels + unit[is_real],
            layout.stock_row + cell,
            instance.periods * rate[kind[is_real]],
        ),
    )
    column, row, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    shipped, stock = np.ones(layout.link_row), instance.stock.ravel().astype(np.float64)
    return Solver(
        by_columns(cost, column, row, value),
        np.concatenate([shipped, np.zeros(len(kind)), np.full(len(stock), -np.inf)]),
        np.concatenate([shipped, np.full(len(kind), np.inf), stock]),
        method=method,
    )
