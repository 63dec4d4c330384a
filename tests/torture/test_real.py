"""A few histories come to a good end on real servers as well; a broken pipeline's do not.

In processes of their own: those of a history that die leave sockets behind.
"""

import subprocess
import sys

RUN = "from loadtests.torture.real import main; main()"
ACCEPT_ALL = """
from unittest.mock import patch
patch("backend.orders.commit.accept", lambda works, locked: (list(works), [])).start()
"""


def play(code: str, *, first: int, histories: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, f"--first={first}", f"--histories={histories}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_histories_come_to_a_good_end_on_real_servers() -> None:
    played = play(RUN, first=33, histories=8)
    assert "8 histories on real servers" in played.stdout
    assert played.returncode == 0, played.stdout


def test_a_defect_is_found_on_real_servers() -> None:
    # By the clock on the wall it is chance whether a single one meets it.
    played = play(ACCEPT_ALL + RUN, first=0, histories=4)
    assert played.returncode == 1
    assert "seed" in played.stdout
