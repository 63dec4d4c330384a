"""What the run tells Locust's process: where Yipan is, who may log in, what is played."""

from functools import cache
from pathlib import Path

import msgspec

from loadtests.locust.curve import Stage


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who logs in."""

    email: str
    password: str
    brand: str
    location: str = ""
    """The code of the store where somebody works."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program with an API key: of a dealer, or of a brand's platforms."""

    code: str
    key: str
    shops: tuple[str, ...]
    skus: tuple[str, ...]


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """A flash sale: many buyers, one SKU, few units."""

    sku: str
    units: int
    buyers: int
    minute: float
    """Of the run, in which it opens."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """All that Locust's process needs."""

    stages: tuple[Stage, ...]
    minutes: float
    normal_users: int
    arrivals_per_second: float
    """Users who come or go in a second; a log-in takes some 50 ms of a core."""
    people: tuple[Person, ...]
    stores: tuple[Person, ...]
    dealers: tuple[Program, ...]
    platforms: tuple[Program, ...]
    seller: Program
    """Who runs the flash sale."""
    sale: Sale
    skus: dict[str, tuple[str, ...]]
    """SKUs of each brand, by the brand's code."""
    districts: tuple[int, ...]
    """Where buyers live."""
    seed: int
    results: str
    """The file that takes the results."""

    def save(self, path: Path) -> None:
        path.write_bytes(msgspec.json.encode(self))


@cache
def load_scenario(path: str) -> Scenario:
    """Return the scenario in a file."""
    return msgspec.json.decode(Path(path).read_bytes(), type=Scenario)
