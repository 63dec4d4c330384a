"""The marketplace's orders: accents, cancellations, presets in force and beside each other."""

import io
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from backend.network.regions.table import bundled_regions
from backend.routing.model import Preset
from backend.routing.policies import active_policy
from backend.runtime import Runtime
from loadtests.errors import OtherPreset
from loadtests.replay import olist_network
from loadtests.replay.compare_presets import PresetFigures
from loadtests.replay.olist import replay_olist
from loadtests.replay.olist_data import Places, plain
from loadtests.replay.olist_report import counts_of, tables_of
from tenants.principal import system_principal
from tests.replay.olist_files import write_files


def test_cities_are_found_without_their_accents() -> None:
    places = Places(bundled_regions())
    found = places.find("SP", "sao paulo")
    assert found is not None
    assert found.name == "São Paulo"
    state = places.find("SP", "a city that is not there")
    assert state is not None
    assert (state.name, state.level) == ("SP", 1)
    assert places.find("XX", "sao paulo") is None
    assert plain("Mogi-Guaçu") == "mogi guacu"


async def test_made_up_orders_add_up(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(olist_network, "RANGE_PERCENT", 0)
    folder, rejects = write_files(tmp_path), tmp_path / "rejects.csv"
    report = await replay_olist(runtime, folder, rejects=rejects, brand_code="made-up")
    assert (report.lines_read, report.lines_placed, report.orders_placed) == (5, 5, 3)
    assert (report.parcels, report.payments_differing, report.audit_differences) == (4, 1, 0)
    sold = report.as_sold
    # First kilograms of 9.00 and 15.00, which two further ones of 1.50 and three of 3.00 follow.
    assert (sold.freight_minor, sold.freight_paid_minor) == (6_000, 6_000)
    assert (sold.parcels, sold.split_orders, sold.cross_region_parcels) == (4, 1, 2)
    # Delivered after three days and six; said: a day to leave, and 3.5 days or 5 on the road.
    assert (sold.delivered_orders, sold.delivered_mean_days) == (2, 4.5)
    assert sold.delivered_error_days == pytest.approx(0.75)
    assert list(report.presets) == ["nearest", "fewest_splits", "stock_depth", "cost", "time"]
    shared = {name: getattr(sold, name) for name in PresetFigures.__struct_fields__}
    for figures in report.presets.values():  # each product lies at one seller: there is one way
        assert msgspec.structs.asdict(figures) == shared


async def test_orders_are_placed_under_the_preset_in_force(
    runtime: Runtime, tmp_path: Path
) -> None:
    folder, rejects = write_files(tmp_path), tmp_path / "rejects.csv"
    chosen: dict[str, Any] = {"rejects": rejects, "brand_code": "made-up"}
    report = await replay_olist(runtime, folder, preset=Preset.COST, **chosen)
    (brand,) = [brand for brand in await runtime.brands.all() if brand.code == "made-up"]
    async with runtime.database.tenant_transaction(system_principal(brand.id, "test")) as tx:
        document, version = await active_policy(tx)
    assert (report.preset, version) == ("cost", 1)
    assert [strategy.preset for strategy in document.strategies] == [Preset.COST]
    again = await replay_olist(runtime, folder, preset=Preset.COST, **chosen)
    assert (again.orders_placed, again.parcels) == (3, report.parcels)
    with pytest.raises(OtherPreset):
        await replay_olist(runtime, folder, preset=Preset.NEAREST, **chosen)


async def test_tables_show_every_preset(runtime: Runtime, tmp_path: Path) -> None:
    report = await replay_olist(
        runtime, write_files(tmp_path), rejects=tmp_path / "rejects.csv", preset=Preset.SOURCING
    )
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(*tables_of(report))
    shown = console.export_text()
    assert all(f"\n{name} " in shown for name in ("sold", "nearest", "stock_depth", "sourcing *"))
    assert "…" not in shown
    assert counts_of(report, as_tables=True).keys().isdisjoint({"presets", "as_sold", "tariff"})
    assert counts_of(report, as_tables=False)["presets"] == msgspec.to_builtins(report.presets)


@pytest.mark.parametrize("preset", [Preset.NEAREST, Preset.FEWEST_SPLITS, Preset.COST])
async def test_the_real_orders_add_up(runtime: Runtime, tmp_path: Path, preset: Preset) -> None:
    data = os.environ.get("YIPAN_TEST_DATA")
    if not data:
        pytest.skip("YIPAN_TEST_DATA names no folder with the real data")
    folder = Path(data) / "olist-sample"
    report = await replay_olist(runtime, folder, rejects=tmp_path / "rejects.csv", preset=preset)
    assert (report.lines_read, report.lines_placed, report.orders_placed) == (1149, 1149, 1000)
    assert (report.lines_waiting, report.audit_differences) == (0, 0)
    assert report.parcels >= 1000
    tariff, sold, presets = report.tariff, report.as_sold, report.presets
    assert (tariff.shipments, sold.parcels, sold.split_orders) == (1021, 1021, 20)
    assert tariff.mean_error_minor < 0.3 * tariff.mean_paid_minor
    assert abs(sold.freight_minor - sold.freight_paid_minor) < 0.01 * sold.freight_paid_minor
    assert all((p.orders, p.unplaced_units) == (1000, 0) for p in presets.values())
    # What was planned aside is what was placed, but for the parcels of two cancelled orders.
    assert presets[preset.value].parcels == report.parcels + report.orders_cancelled
    assert presets["fewest_splits"].parcels == min(p.parcels for p in presets.values())
    assert presets["nearest"].mean_distance_m == min(p.mean_distance_m for p in presets.values())
    assert presets["cost"].freight_minor == min(p.freight_minor for p in presets.values())
    assert presets["cost"].freight_minor < sold.freight_minor
