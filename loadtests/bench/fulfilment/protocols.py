"""What is run: networks, how instances are drawn, and how many of them."""

from typing import NamedTuple

from loadtests.bench.fulfilment.instance import Setting


class Protocol(NamedTuple):
    """Instances of one setting, and sequences of orders for each."""

    name: str
    """Behind the names of its figures; empty for the main one."""
    setting: Setting
    instances: int
    sequences: int
    is_large: bool = False
    """On the network of 99 metros and ten centres."""
    prices_made: int = 50
    """How often a run makes its prices anew."""
    futures: int = 4
    """Drawn for each new set of prices by the policy that draws them."""
    has_optimum: bool = False
    """The integer program of the clairvoyant is solved for every sequence."""


MAIN = Setting(items=20, largest=5, sets_a_size=5, periods=10_000, carried=0.75, has_safety=True)
AMIL = MAIN._replace(periods=1_000, has_safety=False)
LARGE = Setting(
    items=100, largest=10, sets_a_size=10, periods=100_000, carried=0.5, has_safety=True
)

FULL = (
    Protocol("", MAIN, 30, 30),
    Protocol("mean_stock", MAIN._replace(has_safety=False), 30, 30),
    Protocol("two_items", AMIL._replace(largest=2), 30, 100),
    Protocol("five_items", AMIL, 30, 100),
    Protocol("clairvoyant", AMIL, 30, 3, has_optimum=True),
    Protocol("large_half", LARGE, 5, 5, True, prices_made=10, futures=1),
    Protocol("large_quarter", LARGE._replace(carried=0.25), 5, 5, True, prices_made=10, futures=1),
)
QUICK = tuple(
    protocol._replace(instances=10, sequences=1) for protocol in FULL if not protocol.is_large
)
"""The same in minutes instead of hours, without the large network."""
