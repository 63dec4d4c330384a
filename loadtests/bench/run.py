"""Which benchmarks there are, and how one is run."""

from enum import StrEnum
from importlib import import_module
from typing import Any

from loadtests.errors import BenchPackagesMissing


class BenchName(StrEnum):
    """The benchmarks; each is the module, or the package, of its name."""

    PLANNER = "planner"
    AVAILABILITY = "availability"
    ADMIT = "admit"
    INTAKE = "intake"
    CHECKOUT = "checkout"
    HOTSKU = "hotsku"
    HOTQUOTA = "hotquota"
    APPOINTMENTS = "appointments"
    LIFECYCLE = "lifecycle"
    SEARCH = "search"
    FRESHNESS = "freshness"
    FULFILMENT = "fulfilment"
    WHATIF = "whatif"


def run_bench(
    name: BenchName, *, seconds: float, seed: int | None, workers: int | None, quick: bool = False
) -> Any:
    """Run a benchmark and return its report.

    The modules are loaded here and not above: they need packages that a server does without.
    Raises BenchPackagesMissing.
    """
    try:
        reporting = import_module("loadtests.bench.report")
        measuring = import_module(f"loadtests.bench.{name}")
    except ModuleNotFoundError as error:
        raise BenchPackagesMissing(f"{error}. {BenchPackagesMissing.__doc__}") from error
    options = reporting.Options(
        seconds=seconds,
        workers=workers,
        quick=quick,
        **({} if seed is None else {"seed": seed}),
    )
    machine = reporting.machine()
    report = measuring.run(options)
    report.machine, report.versions = machine, reporting.versions()
    return report
