"""What a run of ours says on the terminal, at once, and how it ends."""

import sys
from collections.abc import Sequence
from typing import NoReturn

FAULTS_SHOWN = 20


def say(text: str) -> None:
    """Write a line, also where somebody reads us through a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def end_with(faults: Sequence[str]) -> NoReturn:
    """Say what was wrong, and end: with exit status 1 where anything was."""
    for fault in faults[:FAULTS_SHOWN]:
        say(f"  {fault}")
    say(f"{len(faults)} faults" if faults else "All is well.")
    sys.exit(1 if faults else 0)
