"""The marketplace's orders: sellers as nodes, accents, cancellations."""

import os
from pathlib import Path

import pytest

from backend.network.regions.table import bundled_regions
from backend.runtime import Runtime
from loadtests.replay.olist import replay_olist
from loadtests.replay.olist_data import Places, plain


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


async def test_the_real_orders_add_up(runtime: Runtime, tmp_path: Path) -> None:
    data = os.environ.get("YIPAN_TEST_DATA")
    if not data:
        pytest.skip("YIPAN_TEST_DATA names no folder with the real data")
    folder = Path(data) / "olist-sample"
    report = await replay_olist(runtime, folder, rejects=tmp_path / "rejects.csv")
    assert (report.lines_read, report.lines_placed, report.orders_placed) == (1149, 1149, 1000)
    assert (report.lines_waiting, report.audit_differences) == (0, 0)
    assert report.parcels >= 1000
