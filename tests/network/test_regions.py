"""The bundled regions: sound, loaded once, and found by their names."""

from collections.abc import Sequence

import pytest

from backend.db.pool import Database, Transaction
from backend.network.model import Region
from backend.network.nodes import load_regions
from backend.network.regions.table import RegionTable, bundled_regions
from tests.catalogue import Connection, contents

FOUND: dict[tuple[str, ...], int] = {
    ("浙江省",): 330000,
    ("浙江省", "杭州市"): 330100,
    ("浙江省", "杭州市", "西湖区"): 330106,
    ("浙江省", "西湖区"): 330106,
    ("杭州市", "西湖区"): 330106,
    (" 浙江省 ", "", "杭州市\n"): 330100,
    ("北京市",): 110000,
    ("北京市", "北京市"): 110000,
    ("北京市", "朝阳区"): 110105,
    ("北京市", "市辖区", "朝阳区"): 110105,
    ("上海市", "上海市", "浦东新区"): 310115,
    ("浦东新区",): 310115,
    ("香港特别行政区",): 810000,
    ("SP", "São Paulo"): 3550308,
    ("PI", "Bom Jesus"): 2201903,
}
"""Paths of names: all of it, a level left out, a level said twice, blanks."""
NOT_FOUND: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "blanks": ("", " "),
    "an unknown name": ("Atlantis",),
    "an unknown name in a known one": ("浙江省", "Atlantis"),
    "a known name in an unknown one": ("Atlantis", "西湖区"),
    "a name of two cities": ("朝阳区",),
    "a name of several districts": ("鼓楼区",),
    "a name of several towns": ("Bom Jesus",),
    "a name of every province": ("市辖区",),
    "a city of another province": ("江苏省", "杭州市"),
    "a province inside of its city": ("杭州市", "浙江省"),
}


@pytest.mark.parametrize("path", FOUND, ids="/".join)
def test_a_path_of_names_leads_to_its_region(path: tuple[str, ...]) -> None:
    region = bundled_regions().resolve(path)
    assert region is not None
    assert region.code == FOUND[path]


@pytest.mark.parametrize("name", NOT_FOUND)
def test_what_is_unknown_or_ambiguous_is_not_guessed(name: str) -> None:
    assert bundled_regions().resolve(NOT_FOUND[name]) is None


def test_of_a_city_and_its_district_of_one_name_the_city_is_meant() -> None:
    province = Region(1, "XX", "P", None, 1, 0, 0)
    city, district = Region(2, "XX", "N", 1, 2, 0, 0), Region(3, "XX", "N", 2, 3, 0, 0)
    table = RegionTable([province, city, district])
    for path in (("N",), ("P", "N"), ("P", "N", "N")):
        assert table.resolve(path) == city


def test_every_region_is_found_by_its_whole_path() -> None:
    table = bundled_regions()
    for region in table.by_code.values():
        path: Sequence[str] = [each.name for each in reversed(table.ancestors(region.code))]
        assert table.resolve(path) == region


def test_ancestors_come_innermost_first() -> None:
    table = bundled_regions()
    assert [region.code for region in table.ancestors(330106)] == [330106, 330100, 330000]
    assert table.ancestors(7) == []


def test_every_region_lies_in_a_larger_one_of_its_country() -> None:
    table = bundled_regions()
    for region in table.by_code.values():
        _, *around = table.ancestors(region.code)
        assert [each.level for each in around] == sorted({each.level for each in around})[::-1]
        assert all(each.level < region.level for each in around)
        assert (around[-1] if around else region).level == 1
        assert {each.country for each in around} <= {region.country}


def test_every_region_lies_on_the_globe() -> None:
    for region in bundled_regions().by_code.values():
        assert abs(region.longitude_e6) <= 180_000_000
        assert abs(region.latitude_e6) <= 90_000_000
        assert (region.longitude_e6, region.latitude_e6) != (0, 0)


async def test_the_database_has_the_bundled_table(still: Database, still_admin: Connection) -> None:
    names = "code, country, name, parent_code, level, longitude_e6, latitude_e6"
    rows = await still_admin.fetch(f"select {names} from region")  # noqa: S608
    stored = {row["code"]: tuple(row) for row in rows}
    assert stored == {
        region.code: tuple(getattr(region, name) for name in names.split(", "))
        for region in bundled_regions().by_code.values()
    }


async def test_loading_again_changes_nothing(still_url: str, still_admin: Connection) -> None:
    before = await contents(still_admin)
    owner = Transaction(still_admin)
    await load_regions(owner)
    assert await contents(still_admin) == before


async def test_loading_fills_up_what_is_missing(admin: Connection) -> None:
    before = await contents(admin)
    await admin.execute("delete from region where level = 3 and code % 2 = 0")
    await load_regions(Transaction(admin))
    assert await contents(admin) == before
