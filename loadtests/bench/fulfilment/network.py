"""The networks: metros that order, fulfilment centres that ship, and what a parcel costs.

The set-up of Jasin and Sinha (2015) as Ma (2023) and Amil, Makhdoumi and Wei (2025) use it: a
parcel costs so much, and a unit in it so much and so much a mile. What nobody has in stock comes
from a dummy centre, the last one of every network, at twice the price of the farthest.
"""

import csv
from collections.abc import Sequence
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PARCEL_COST = 8.759
UNIT_COST = 0.423
UNIT_COST_A_MILE = 0.000541
DUMMY_FACTOR = 2
EARTH_KM, KM_A_MILE = 6_371.0, 1.61


class Place(NamedTuple):
    """A point on the map; `population` is 0 for a fulfilment centre."""

    name: str
    latitude: float
    longitude: float
    population: int = 0


class Network(NamedTuple):
    """Costs and weights; J metros, K centres of which the last one is the dummy."""

    unit_cost: Floats
    """J x K: of one unit from the centre to the metro."""
    parcel_cost: Floats
    """K: of one order's parcel from the centre, whatever is in it."""
    share: Floats
    """J: of the demand, in proportion to the population."""

    @property
    def centres(self) -> int:
        """Centres that have stock; also the number of the dummy."""
        return len(self.parcel_cost) - 1


METROS = (
    Place("New York", 40.6943, -73.9249, 18_680_025),
    Place("Los Angeles", 34.1141, -118.4068, 12_531_334),
    Place("Chicago", 41.8375, -87.6866, 8_586_888),
    Place("Miami", 25.784, -80.2101, 6_076_316),
    Place("Dallas", 32.7935, -96.7667, 5_910_669),
    Place("Houston", 29.786, -95.3885, 5_724_418),
    Place("Philadelphia", 40.0077, -75.1339, 5_540_199),
    Place("Atlanta", 33.7628, -84.422, 5_151_496),
    Place("Washington", 38.9047, -77.0163, 5_066_973),
    Place("Boston", 42.3188, -71.0852, 4_465_966),
)
CENTRES = (
    Place("OAK4", 37.7448, -121.3985),
    Place("IND1", 39.9797, -86.3833),
    Place("AVP3", 41.2776, -75.4973),
    Place("CAE1", 33.9114, -81.0501),
    Place("DFW7", 32.9709, -97.3348),
)
MORE_CENTRES = (
    Place("ONT6", 33.873, -117.2361),
    Place("PHX6", 33.433, -112.1644),
    Place("BNA2", 36.1202, -86.4096),
    Place("SAT1", 29.6021, -98.289),
    Place("RIC2", 37.3521, -77.3269),
)
METROS_FILE = "us_metros.csv"


def miles_between(a: Place, b: Place) -> float:
    """Return the great-circle distance (haversine)."""
    north = radians(b.latitude - a.latitude)
    east = radians(b.longitude - a.longitude)
    both = cos(radians(a.latitude)) * cos(radians(b.latitude))
    chord = sin(north / 2) ** 2 + both * sin(east / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(chord)) / KM_A_MILE


def network_of(metros: Sequence[Place], centres: Sequence[Place]) -> Network:
    """Price every way from a centre to a metro, and put the dummy behind."""
    miles = np.array([[miles_between(m, c) for c in centres] for m in metros])
    unit_cost = UNIT_COST + UNIT_COST_A_MILE * miles
    dummy = DUMMY_FACTOR * unit_cost.max(axis=1, keepdims=True)
    population = np.array([m.population for m in metros], np.float64)
    parcel_cost = np.full(len(centres) + 1, PARCEL_COST)
    parcel_cost[-1] = DUMMY_FACTOR * PARCEL_COST
    return Network(np.hstack([unit_cost, dummy]), parcel_cost, population / population.sum())


def small_network() -> Network:
    """Ten metros, five centres."""
    return network_of(METROS, CENTRES)


def large_network(data: Path) -> Network | None:
    """Ninety-nine metros from the file in the folder, ten centres; None where it is not there."""
    file = data / METROS_FILE
    if not file.is_file():
        return None
    with file.open(encoding="utf-8", newline="") as lines:
        metros = [
            Place(
                row["city"],
                float(row["latitude"]),
                float(row["longitude"]),
                int(row["population"]),
            )
            for row in csv.DictReader(lines)
        ]
    return network_of(metros, CENTRES + MORE_CENTRES)
