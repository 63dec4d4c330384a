"""Where orders go whose files do not say it."""

from collections.abc import Callable
from functools import cache
from random import Random

from backend.network.regions.table import RegionTable


def draw_regions(regions: RegionTable, country: str, level: int, seed: int) -> Callable[[str], int]:
    """Return a function from a name (a customer, an invoice) to the region where it is at home.

    Every region of the country's level is as likely as any other; the same seed and name give the
    same region, in whichever order they are asked for.
    """
    codes = sorted(
        region.code
        for region in regions.by_code.values()
        if region.country == country and region.level == level
    )

    @cache
    def draw(name: str) -> int:
        return Random(f"{seed}:{name}").choice(codes)

    return draw
