"""The region table: loaded from files into PostgreSQL once, held in memory by every process."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from backend.network.model import Region

FILES = Path(__file__).parent


class RegionTable:
    """Regions by code and by path of names."""

    def __init__(self, regions: Iterable[Region]) -> None:
        self.by_code = {region.code: region for region in regions}
        self._by_name: dict[str, list[Region]] = defaultdict(list)
        for region in self.by_code.values():
            self._by_name[region.name].append(region)

    def ancestors(self, code: int) -> list[Region]:
        """Return the region and what it lies in, innermost first."""
        found: list[Region] = []
        region = self.by_code.get(code)
        while region is not None:
            found.append(region)
            region = self.by_code.get(region.parent_code) if region.parent_code else None
        return found

    def resolve(self, path: Sequence[str]) -> Region | None:
        """Return the one region that a path of names (outermost first) leads to, or None.

        Names that repeat the level above, as in 上海市 / 上海市 / 浦东新区, and a 市辖区 left out
        are both understood: the last name decides, the others must not contradict it.
        """
        names = [name.strip() for name in path if name.strip()]
        if not names:
            return None
        found = [
            region
            for region in self._by_name.get(names[-1], ())
            if set(names) <= {ancestor.name for ancestor in self.ancestors(region.code)}
        ]
        outermost = [region for region in found if region.level == min(r.level for r in found)]
        return outermost[0] if len(outermost) == 1 else None


@cache
def bundled_regions() -> RegionTable:
    """Return the table of the files beside this module."""
    return RegionTable(
        Region(
            code=int(row["code"]),
            country=path.stem,
            name=row["name"],
            parent_code=int(row["parent_code"]) if row["parent_code"] else None,
            level=int(row["level"]),
            longitude_e6=int(row["longitude_e6"]),
            latitude_e6=int(row["latitude_e6"]),
        )
        for path in sorted(FILES.glob("*.csv"))
        for row in _rows(path)
    )


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
