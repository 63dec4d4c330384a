"""Plays many histories, in several processes, and says which of them came to a bad end.

python -m loadtests.torture.run [--histories N] [--first SEED] [--sweeps N] [--processes N]
python -m loadtests.torture.run --seed SEED      one history, with every effect of it
"""

import argparse
import itertools
import logging
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from loadtests.saying import say
from loadtests.torture.history import History, make_history
from loadtests.torture.play import play
from loadtests.torture.sweep import sweep
from loadtests.torture.twin_core import twin_core

HISTORIES = 20_000
SWEEPS = 4
TWIN_EVERY = 50
"""Every so many histories one is played again with the twins of the core: effect for effect."""
CHUNK = 20
PROGRESS_EVERY = 1_000


class Bad(NamedTuple):
    """A history that came to a bad end."""

    history: History
    findings: list[str]


def check(history: History) -> Bad | None:
    """Play a history and return it with what was found, if anything was."""
    try:
        played = play(history)
    except Exception as error:
        return Bad(history, [f"it raised {error!r}"])
    findings = list(played.findings)
    if history.seed % TWIN_EVERY == 0:
        with twin_core():
            again = play(history)
        if again.trace != played.trace:
            findings.append("the twins of the core went another way")
    return Bad(history, findings) if findings else None


def check_many(histories: Iterable[History], processes: int) -> Iterator[Bad | None]:
    """Play histories in several processes; the results come in no order."""
    quiet()
    if processes == 1:
        yield from map(check, histories)
        return
    with multiprocessing.get_context("spawn").Pool(processes, initializer=quiet) as pool:
        yield from pool.imap_unordered(check, histories, chunksize=CHUNK)


def quiet() -> None:
    """Log nothing: failures are what a history is made of."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def main() -> None:
    options = _parser().parse_args()
    quiet()
    if options.seed is not None:
        sys.exit(_show(make_history(options.seed)))
    histories = itertools.chain(
        map(make_history, range(options.first, options.first + options.histories)),
        itertools.chain.from_iterable(
            map(sweep, range(options.first, options.first + options.sweeps))
        ),
    )
    started = time.monotonic()
    count = bad_count = 0
    for bad in check_many(histories, options.processes):
        count += 1
        if bad is not None:
            bad_count += 1
            print_bad(bad)
        if count % PROGRESS_EVERY == 0:
            say(f"{count:7,} histories, {bad_count} bad")
    minutes = (time.monotonic() - started) / 60
    say(f"{count:,} histories in {minutes:.1f} minutes, {bad_count} of them bad")
    sys.exit(1 if bad_count else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Play histories with everything going wrong.")
    number = partial(parser.add_argument, type=int)
    number("--histories", default=HISTORIES)
    number("--first", default=0, help="the seed of the first")
    number("--sweeps", default=SWEEPS, help="histories with each fault at each effect")
    number("--processes", default=2)
    number("--seed", help="play this one, and show it")
    return parser


def _show(history: History) -> int:
    say(msgspec.json.format(msgspec.json.encode(history)).decode())
    played = play(history)
    say("\n".join(played.trace))
    say("\n".join(played.findings) or "nothing is wrong with it")
    return 1 if played.findings else 0


def print_bad(bad: Bad) -> None:
    say(f"seed {bad.history.seed}, faults {bad.history.faults}:")
    for finding in bad.findings:
        say(f"    {finding}")


if __name__ == "__main__":
    main()
