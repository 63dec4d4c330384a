"""Distances on the globe, in integers."""

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the earth (IUGG)."""


def distance_m(longitude_a: int, latitude_a: int, longitude_b: int, latitude_b: int) -> int:
    """Return the great-circle distance in metres of two points in millionths of a degree.

    Haversine formula (R. W. Sinnott, Sky and Telescope 68, 1984); within 0.5 % of the ellipsoid.
    """
    phi_a, phi_b = radians(latitude_a / 1e6), radians(latitude_b / 1e6)
    half_lat = (phi_b - phi_a) / 2
    half_lon = radians((longitude_b - longitude_a) / 1e6) / 2
    chord = sin(half_lat) ** 2 + cos(phi_a) * cos(phi_b) * sin(half_lon) ** 2
    return round(2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(chord))))
