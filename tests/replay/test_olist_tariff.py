"""A tariff of made-up shipments, by hand."""

import pytest

from backend.network.regions.table import bundled_regions
from loadtests.replay.olist_tariff import (
    ZONES,
    Shipment,
    fit_tariff,
    lane_of,
    rounded_mean,
    zone_between,
)

SAO_PAULO, CAMPINAS, PRESIDENTE_PRUDENTE = 3550308, 3509502, 3541406
RIO, SALVADOR, FORTALEZA, MANAUS = 3304557, 2927408, 2304400, 1302603
OWN_NEAR, OWN_FAR, OTHER_NEAR = 0, 1, 2


@pytest.mark.parametrize(
    ("town", "zone"),
    [
        (SAO_PAULO, "own state, to 100 km"),
        (CAMPINAS, "own state, to 100 km"),
        (PRESIDENTE_PRUDENTE, "own state, beyond"),
        (RIO, "other state, to 400 km"),
        (SALVADOR, "other state, to 1,500 km"),
        (FORTALEZA, "other state, beyond"),
    ],
)
def test_a_zone_is_state_and_distance(town: int, zone: str) -> None:
    regions = bundled_regions()
    found = zone_between(regions.by_code[SAO_PAULO], regions.by_code[town], regions)
    assert ZONES[found].name == zone


def test_first_and_further_weight_come_from_what_was_paid() -> None:
    tariff = fit_tariff(
        [
            Shipment(OWN_NEAR, 500, 900, 1_000),
            Shipment(OWN_NEAR, 1_000, 1_004, 1_100),
            Shipment(OWN_NEAR, 2_500, 1_250, None),
        ]
    )
    near = tariff.zones[OWN_NEAR]
    # 9.52 in the mean, by fifty; the whole of 31.54 less three times 9.50 over two kilograms: 1.52.
    assert (near.shipments, near.base_minor, near.step_minor) == (3, 950, 150)
    # 1,050 minutes are 17.5 hours.
    assert near.transit_minutes == 18 * 60
    assert (near.mean_error_minor, tariff.mean_error_minor) == (34.67, 34.67)
    assert (tariff.median_error_minor, tariff.mean_paid_minor) == (50.0, 1_051.33)
    # By the light and the heavy one 9.00 and 1.75, 1.04 off the other; by that 10.00 for all.
    assert tariff.held_out_error_minor == pytest.approx((104 + 100 + 250) / 3, abs=0.01)


def test_a_zone_without_shipments_is_charged_like_the_one_before_it() -> None:
    tariff = fit_tariff(
        [Shipment(OWN_FAR, 500, 1_300, 600), Shipment(OTHER_NEAR, 5_000, 2_000, None)]
    )
    bases = [zone.base_minor for zone in tariff.zones]
    assert bases == [1_300, 1_300, 2_000, 2_000, 2_000, 2_000]
    assert {zone.step_minor for zone in tariff.zones} == {0}
    assert {zone.transit_minutes for zone in tariff.zones} == {600}
    assert fit_tariff([]).zones[0].base_minor == 0


def test_further_weight_never_costs_less_than_nothing() -> None:
    heavy = fit_tariff([Shipment(OWN_NEAR, 900, 1_000, 0), Shipment(OWN_NEAR, 9_000, 500, 0)])
    assert (heavy.zones[OWN_NEAR].base_minor, heavy.zones[OWN_NEAR].step_minor) == (1_000, 0)


def test_a_lane_charges_what_its_zone_does() -> None:
    regions = bundled_regions()
    tariff = fit_tariff([Shipment(OWN_NEAR, 1, 900, 60), Shipment(5, 1, 3_000, 120)])
    start = regions.by_code[SAO_PAULO]
    lane = lane_of("warehouse-sp", start, regions.by_code[MANAUS], tariff, regions)
    assert (lane.node, lane.region_code, lane.step_g) == ("warehouse-sp", MANAUS, 1_000)
    assert (lane.base_minor, lane.step_minor, lane.transit_minutes) == (3_000, 0, 120)


def test_means_are_rounded_half_up() -> None:
    assert [rounded_mean(total, 2, 5) for total in (4, 5, 14, 15)] == [0, 5, 5, 10]
