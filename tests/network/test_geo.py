"""Distances agree with published ones, whichever way they are measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.network.geo import distance_m

Point = tuple[float, float]
"""Longitude and latitude in degrees."""


def between(a: Point, b: Point) -> int:
    longitude_a, latitude_a, longitude_b, latitude_b = (round(x * 1e6) for x in (*a, *b))
    return distance_m(longitude_a, latitude_a, longitude_b, latitude_b)


# The first two: documentation of the Rust crate `geo`, Haversine (docs.rs/geo), with the mean
# radius that we have too. The third: Rosetta Code, "Haversine formula", for 6371.0 km.
ON_THE_SPHERE: dict[str, tuple[Point, Point, float]] = {
    "Sofia - Plovdiv": ((23.319941, 42.698334), (24.742168, 42.136097), 132_433.099),
    "New York - London": ((-74.006, 40.7128), (-0.1278, 51.5074), 5_570_230.0),
    "Nashville - Los Angeles": ((-86.67, 36.12), (-118.40, 33.94), 2_886_444.443),
}
SPHERE_TOLERANCE = 2e-6
"""The radius of the third is smaller by 1.4 millionths."""


@pytest.mark.parametrize("name", ON_THE_SPHERE)
def test_great_circles_are_as_published(name: str) -> None:
    a, b, metres = ON_THE_SPHERE[name]
    assert between(a, b) == pytest.approx(metres, rel=SPHERE_TOLERANCE, abs=0.5)


# The first: the test line of the Geocentric Datum of Australia Technical Manual, ICSM, chapter 4.
# The second: the length of the meridian quadrant of GRS 80, H. Moritz, Geodetic Reference System
# 1980, Journal of Geodesy 74 (2000).
ON_THE_ELLIPSOID: dict[str, tuple[Point, Point, float]] = {
    "Flinders Peak - Buninyong": (
        (144 + 25 / 60 + 29.5244 / 3600, -(37 + 57 / 60 + 3.7203 / 3600)),
        (143 + 55 / 60 + 35.3839 / 3600, -(37 + 39 / 60 + 10.1561 / 3600)),
        54_972.271,
    ),
    "equator - pole": ((0, 0), (0, 90), 10_001_965.7293),
}


@pytest.mark.parametrize("name", ON_THE_ELLIPSOID)
def test_the_sphere_is_near_the_ellipsoid(name: str) -> None:
    a, b, metres = ON_THE_ELLIPSOID[name]
    assert between(a, b) == pytest.approx(metres, rel=0.005)


longitudes = st.integers(-180_000_000, 180_000_000)
latitudes = st.integers(-90_000_000, 90_000_000)
HALF_AROUND_M = 20_015_115


@given(longitudes, latitudes, longitudes, latitudes)
def test_there_is_as_far_as_back(a: int, b: int, c: int, d: int) -> None:
    there = distance_m(a, b, c, d)
    assert there == distance_m(c, d, a, b)
    assert 0 <= there <= HALF_AROUND_M


@given(longitudes, latitudes)
def test_a_place_is_no_distance_from_itself(longitude: int, latitude: int) -> None:
    assert distance_m(longitude, latitude, longitude, latitude) == 0
    assert distance_m(longitude, 90_000_000, 0, 90_000_000) == 0


@pytest.mark.parametrize("latitude", [0, 60_000_000])
def test_the_date_line_is_no_barrier(latitude: int) -> None:
    across = distance_m(179_999_000, latitude, -179_999_000, latitude)
    assert across == distance_m(-1_000, latitude, 1_000, latitude)


def test_opposite_points_are_half_around() -> None:
    for latitude in range(-90, 91, 5):
        far = distance_m(0, latitude * 10**6, 180_000_000, -latitude * 10**6)
        assert abs(far - HALF_AROUND_M) <= 1
