"""What orders cost: Yipan and the published policies on the same networks, orders and stock.

Pure computing in this process. Every policy serves the same sequences of orders; a figure is the
mean cost over the cost of the deterministic linear program, which no policy goes below on average.
Orders, stock and the futures that policies draw follow from the seed of the report: instance i
from (seed, i).
"""

from pathlib import Path

from backend.settings import read_settings
from loadtests.bench.fulfilment.measure import (
    CLAIRVOYANT,
    CLAIRVOYANT_BOUND,
    YIPAN,
    Measured,
    measured,
)
from loadtests.bench.fulfilment.network import Network, large_network, small_network
from loadtests.bench.fulfilment.protocols import FULL, QUICK, Protocol
from loadtests.bench.report import BenchReport, Options, Processor, Stopwatch

Figures = dict[str, dict[str, float]]


def run(options: Options) -> BenchReport:
    """Run every protocol, or a part of each if it is to be quick."""
    report = BenchReport(name="fulfilment", metrics={}, seconds=0.0, seed=options.seed)
    networks = {False: small_network(), True: _large(read_settings().test_data)}
    processor, watch = Processor(), Stopwatch()
    with processor.measured():
        for protocol in QUICK if options.quick else FULL:
            network = networks[protocol.is_large]
            if network is None:
                report.skipped.append(f"{protocol.name}: the file of metros is not there")
                continue
            report.metrics |= figures(protocol, measured(network, protocol, options.seed))
    report.seconds = round(watch.seconds, 3)
    report.cpu_seconds = processor.seconds
    return report


def _large(data: Path | None) -> Network | None:
    return None if data is None else large_network(data)


def figures(protocol: Protocol, found: Measured) -> Figures:
    """Return the figures of a protocol under their names."""
    behind = f"_{protocol.name}" if protocol.name else ""
    gaps = {"bound": 1.0} | {
        floor: found.cost_ratio[floor]
        for floor in (CLAIRVOYANT_BOUND, CLAIRVOYANT)
        if floor in found.cost_ratio
    }
    closed = {f"to_{floor}": found.gap_closed(YIPAN, ratio) for floor, ratio in gaps.items()}
    return {
        f"cost_ratio{behind}": _rounded(found.cost_ratio),
        f"interval{behind}": _rounded(found.interval),
        f"seconds_a_sequence{behind}": _rounded(found.seconds),
        f"gap_closed{behind}": _rounded(closed),
    }


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
