"""Plays a minute, or a promotion day, on servers of its own, and judges what came out.

python -m loadtests.locust.run [--day] [--users N] [--workers N] [--seed N]

Exit status 1 if a threshold is missed, a flash sale does not add up or the audit finds anything.
"""

import argparse
import asyncio
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil
import uvloop

from backend.logs import set_up_logs
from loadtests.bench.ground import Ground, Serving, bench_servers, fresh_database, serving
from loadtests.bench.intake import audit_differences
from loadtests.bench.report import Processor, Stopwatch
from loadtests.locust.access import make_scenario, tenants_of, units_sold
from loadtests.locust.brand_set import SEED, TEMPLATE, create_brands
from loadtests.locust.plays import DAY_PLAY, MINUTE_PLAY, Play
from loadtests.locust.results import Results, load_results
from loadtests.locust.scenario import Scenario
from loadtests.locust.thresholds import CONTENDED_FACTOR, breaches, breaches_of_sale

WORKERS = 2
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
STOP_SECONDS = 30
"""How long users get to finish what they are at."""
OVERTIME_SECONDS = 180
"""After this much more than the play takes, Locust is stuck."""


class Options(NamedTuple):
    """How a play is run."""

    workers: int
    seed: int


async def run(ground: Ground, play: Play, options: Options) -> list[str]:
    """Play on servers, say what came out, and return what was missed."""
    fill = partial(create_brands, ground.where)
    with tempfile.TemporaryDirectory() as folder:
        async with fresh_database(ground, TEMPLATE, fill) as own:
            results = str(Path(folder, "results.json"))
            scenario = await make_scenario(own, play, options.seed, results)
            async with serving(own, workers=options.workers) as served:
                _say(f"Playing {play.name}, with {play.normal_users} users when all is normal …")
                played, others = await _play(served, scenario, Path(folder))
            sold = await units_sold(own, play.sale)
            differences = await audit_differences(own, await tenants_of(own))
    _say(f"{played.orders:,} orders placed; flash sale: {sold} of {play.sale.units} units sold")
    _say(f"audit: {differences} differences")
    limits = play.thresholds.on_machine(others)
    if limits is not play.thresholds:
        _say(f"others use {others:.0%} of the machine: limits of time × {CONTENDED_FACTOR:g}")
    found = breaches(played, limits) + breaches_of_sale(played, play.sale, sold)
    return found + ([f"audit: {differences} differences"] if differences else [])


async def _play(served: Serving, scenario: Scenario, folder: Path) -> tuple[Results, float]:
    """Let Locust play, and return what came out and the share of the machine that others used."""
    path = Path(folder, "scenario.json")
    scenario.save(path)
    processor, watch = Processor(), Stopwatch()
    psutil.cpu_percent()
    with processor.measured():
        await _run_locust(served, path, scenario.minutes * 60 + OVERTIME_SECONDS)
    machine = psutil.cpu_percent() / 100
    shares = _shares(processor.seconds, watch.seconds)
    own = sum(shares.values())
    listed = ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items())
    _say(f"CPU: the run {own:.0%} ({listed}), the machine {machine:.0%}")
    return load_results(Path(scenario.results)), max(0.0, machine - own)


async def _run_locust(served: Serving, scenario: Path, seconds_max: float) -> None:
    host, port = served.address
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless"]
    command += ["--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0"]
    command += ["--host", f"http://{host}:{port}", "--stop-timeout", str(STOP_SECONDS)]
    locust = await asyncio.create_subprocess_exec(*command, "--scenario", str(scenario))
    try:
        status = await asyncio.wait_for(locust.wait(), seconds_max)
    finally:
        if locust.returncode is None:
            locust.kill()
            await locust.wait()
    if status:
        raise RuntimeError(f"Locust ended with {status}; its output says why")


def _shares(cpu_seconds: dict[str, float], seconds: float) -> dict[str, float]:
    """Return who used which share of the machine; Locust is what has ended meanwhile."""
    cores = psutil.cpu_count() or 1
    return {
        "locust" if kind == "ended" else kind: used / seconds / cores
        for kind, used in cpu_seconds.items()
    }


def main() -> None:
    given = _parser().parse_args()
    set_up_logs("warning", for_people=True)
    play = DAY_PLAY if given.day else MINUTE_PLAY
    if given.users is not None:
        play = play._replace(normal_users=given.users)
    with bench_servers() as ground:
        found = uvloop.run(run(ground, play, Options(given.workers, given.seed)))
    _say("\n".join(["Missed:", *(f"    {text}" for text in found)] if found else ["All is well."]))
    sys.exit(1 if found else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Put load on Yipan and judge how it carries it.")
    parser.add_argument("--day", action="store_true", help="a promotion day in ten minutes")
    parser.add_argument("--users", type=int, help="when all is normal, instead of the play's")
    parser.add_argument("--workers", type=int, default=WORKERS, help="serving processes")
    parser.add_argument("--seed", type=int, default=SEED, help="for what is drawn by chance")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
