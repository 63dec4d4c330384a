"""Plays movements and settings over random graphs of pools, and compares every number.

After each step three ways must agree: updates of what was touched, a full recomputation by an
engine that knows nothing yet, and (for some of the seeds) the pure-Python twin, in every number on
the way.

python -m loadtests.torture.availability [--courses N] [--first SEED] [--twin-every N]
"""

from __future__ import annotations

import argparse
import sys
import time
from array import array
from functools import partial
from typing import Any, NamedTuple

from core_ext import availability, availability_twin, stock_book, stock_book_twin
from loadtests.saying import say
from loadtests.torture.pool_graphs import SKUS, Course, Step, course

COURSES = 10_000
TWIN_EVERY = 5
"""Every so many courses one is played against the twin: it takes ten times as long."""
OF_BOOK = frozenset({"put", "take", "give"})

Core = tuple[Any, Any]
COMPILED: Core = (stock_book, availability)
TWIN: Core = (stock_book_twin, availability_twin)


class Engine:
    """A book with what stands on it, kept up to date step by step."""

    def __init__(self, played: Course, core: Core) -> None:
        self.graph = played.graph
        self.engines = core[1]
        self.book = core[0].StockBook(array("i", [0] * len(played.graph.source_class)), 1)
        self.availability = self.engines.Availability(self.book, played.graph)
        self.settings: list[Step] = []

    def apply(self, step: Step) -> tuple[object, ...]:
        """Take a step and update its SKU; what was answered."""
        if step.name not in OF_BOOK:
            self.settings.append(step)
            getattr(self.availability, step.name)(step.sku, *step.arguments)
            return (self.availability.update(step.sku),)
        answer: object
        try:
            answer = getattr(self.book, step.name)(step.sku, *step.arguments)
        except ValueError:
            answer = ValueError
        return answer, self.availability.update(step.sku), self.book.sku_count

    def numbers(self) -> list[array[int]]:
        """The numbers of every SKU, as they are kept."""
        return [self.availability.numbers(sku) for sku in SKUS]

    def afresh(self) -> list[array[int]]:
        """The numbers of every SKU, from an engine that was just put on the same book."""
        fresh = self.engines.Availability(self.book, self.graph)
        for step in self.settings:
            getattr(fresh, step.name)(step.sku, *step.arguments)
        fresh.recompute()
        # Not of the book, and all the same with something set aside.
        fresh.update_many(array("q", SKUS))
        return [fresh.numbers(sku) for sku in SKUS]

    def derivations(self) -> list[Any]:
        """How every SKU's numbers come about."""
        return [self.availability.derive(sku) for sku in SKUS]


class Bad(NamedTuple):
    """A course on which two ways differed."""

    seed: int
    step: int
    finding: str


def play(played: Course, against_twin: bool) -> Bad | None:
    """Play a course; return where two ways first differed, if they did."""
    engine = Engine(played, COMPILED)
    twin = Engine(played, TWIN) if against_twin else None
    for number, step in enumerate(played.steps):
        bad = partial(Bad, played.seed, number)
        answer = engine.apply(step)
        if engine.numbers() != engine.afresh():
            return bad(f"after {step} the updates and a recomputation differ")
        if engine.numbers() != [found.number for found in engine.derivations()]:
            return bad(f"after {step} the numbers and their derivations differ")
        if engine.availability.recompute():
            return bad(f"after {step} the update left something to a recomputation")
        if twin is None:
            continue
        if twin.apply(step) != answer:
            return bad(f"the twin answers {step} otherwise")
        if twin.derivations() != engine.derivations() or twin.numbers() != engine.numbers():
            return bad(f"after {step} the twin differs")
        if number % 3 == 0 and twin.availability.take_changed() != take_changed(engine):
            return bad(f"after {step} the twin names other SKUs as changed")
    return None


def take_changed(engine: Engine) -> object:
    """SKUs that changed since it was last asked."""
    return engine.availability.take_changed()


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare three ways to what may be offered.")
    number = partial(parser.add_argument, type=int)
    number("--courses", default=COURSES)
    number("--first", default=0, help="the seed of the first")
    number("--twin-every", default=TWIN_EVERY, help="1: the twin plays every course")
    options = parser.parse_args()
    started = time.monotonic()
    bad: list[Bad] = []
    for seed in range(options.first, options.first + options.courses):
        found = play(course(seed), seed % options.twin_every == 0)
        if found:
            bad.append(found)
    seconds = time.monotonic() - started
    say(f"{options.courses:,} courses over pools in {seconds:.0f} seconds, {len(bad)} bad")
    if bad:
        say(f"seed {bad[0].seed}, step {bad[0].step}: {bad[0].finding}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
