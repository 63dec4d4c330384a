"""Everything that can go wrong with one history: each fault at each effect, one at a time."""

from collections.abc import Iterator

import msgspec

from loadtests.torture.effects import Fault
from loadtests.torture.history import History, make_history
from loadtests.torture.play import play


def sweep(seed: int) -> Iterator[History]:
    """Yield the history of a seed with every fault at every effect until all is answered."""
    calm = msgspec.structs.replace(make_history(seed), faults=(), accidents=())
    for machine, effects in enumerate(play(calm).effects):
        for number in range(1, effects + 1):
            for fault in Fault:
                yield msgspec.structs.replace(calm, faults=((machine, number, fault),))
