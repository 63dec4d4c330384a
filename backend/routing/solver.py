"""HiGHS, without the banner that it prints whatever one asks."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import highspy


@contextmanager
def greeting_on_stderr() -> Iterator[None]:
    """The first solver prints a banner, silent or not; standard output is for reports and logs."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def silent_highs() -> Any:
    """Return a solver that works in one thread and says nothing."""
    with greeting_on_stderr():
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    return solver
