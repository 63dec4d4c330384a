"""What the replay of Olist reports beside the counts of every replay, and how it is shown."""

import msgspec
from rich.box import SIMPLE
from rich.table import Table

from loadtests.replay.compare_presets import MINUTES_A_DAY, PresetFigures
from loadtests.replay.olist_tariff import Tariff
from loadtests.replay.report import ReplayReport

MINOR_PER_UNIT = 100
SHOWN_AS_TABLES = frozenset({"tariff", "as_sold", "presets"})


class AsSold(PresetFigures, kw_only=True):
    """How the sellers sent the orders themselves, by the lanes, and what the files say of it."""

    freight_paid_minor: int = 0
    """As the files have it."""
    delivered_orders: int = 0
    delivered_mean_days: float = 0.0
    """From the order to the customer, as the files have it."""
    delivered_error_days: float = 0.0
    """Mean of the absolute difference between that and what lead times and lanes say."""


class OlistReport(ReplayReport, kw_only=True):
    """The counts of the replay, and what each preset makes of its orders and opening stock."""

    preset: str
    """The one that the orders were placed under."""
    tariff: Tariff
    as_sold: AsSold
    presets: dict[str, PresetFigures]


def tables_of(report: OlistReport) -> list[Table]:
    """Return the tariff and the comparison of the presets as tables for people."""
    return [_tariff(report.tariff), _comparison(report)]


def _tariff(tariff: Tariff) -> Table:
    table = _table(
        "Freight by zone", "zone", "shipments", "first kg", "further kg", "days", "mean error"
    )
    table.caption = (
        f"Paid in the mean: {_money(tariff.mean_paid_minor)}; "
        f"off in the mean: {_money(tariff.mean_error_minor)}, "
        f"held out {_money(tariff.held_out_error_minor)}."
    )
    for zone in tariff.zones:
        table.add_row(
            zone.zone,
            f"{zone.shipments:,}",
            _money(zone.base_minor),
            _money(zone.step_minor),
            f"{zone.transit_minutes / MINUTES_A_DAY:.1f}",
            _money(zone.mean_error_minor),
        )
    return table


def _comparison(report: OlistReport) -> Table:
    table = _table(
        "The same orders and opening stock",
        *("preset", "parcels", "split", "freight", "an order", "km", "cross-region", "days"),
        "unplaced",
    )
    sold = report.as_sold
    table.caption = (
        f"Paid in truth: {_money(sold.freight_paid_minor)}; "
        f"delivered within {sold.delivered_mean_days:.1f} days in the mean."
    )
    for name, figures in ({"sold": sold} | report.presets).items():
        table.add_row(
            f"{name} *" if name == report.preset else name,
            f"{figures.parcels:,}",
            f"{figures.split_share:.1%}",
            f"{figures.freight_minor / MINOR_PER_UNIT:,.0f}",
            _money(figures.freight_minor_per_order),
            f"{figures.mean_distance_m / 1_000:,.0f}",
            f"{figures.cross_region_share:.1%}",
            f"{figures.mean_days:.1f}",
            f"{figures.unplaced_units:,}",
        )
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, box=SIMPLE, padding=0, show_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _money(minor: float) -> str:
    return f"{minor / MINOR_PER_UNIT:,.2f}"


def counts_of(report: ReplayReport, *, as_tables: bool) -> dict[str, object]:
    """Return the fields of a report; without those that `tables_of` shows, where it does."""
    fields: dict[str, object] = msgspec.to_builtins(report)
    return {n: v for n, v in fields.items() if not (as_tables and n in SHOWN_AS_TABLES)}
