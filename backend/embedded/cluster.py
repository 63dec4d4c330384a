"""PostgreSQL's data: made by initdb, reached by another account, freed from a dead server."""

import os
import shutil
import subprocess
from pathlib import Path

from backend.embedded.account import Account, hand_over, named_account, run_as
from backend.embedded.errors import failure_from_log
from backend.embedded.processes import ENVIRONMENT

INITDB_TIMEOUT_SECONDS = 120
# The locale is PostgreSQL's own, so sorting is the same on every system.
INITDB_OPTIONS = (
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=trust",
    "--auth-host=reject",
)
WORKING_FOLDER = Path("/proc/self/cwd")


def data_argument(data: Path, account: Account | None) -> str:
    """How a program that is started inside `data` names it.

    Another account may not pass the folders above, but once inside it needs no path: we enter the
    folder as root, and Linux leads from this name straight to where the process stands. So the
    data stays where the user looks for it, and the folders above stay as closed as they are.
    """
    if account is None or not WORKING_FOLDER.exists():
        return str(data)
    return str(WORKING_FOLDER)


def make_cluster(programs: Path, data: Path, account: Account | None) -> None:
    """Make the database in `data` for `account`; a half-made one is never left there."""
    unfinished = data.with_name("data.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    maker = None if account is None else named_account()
    if maker is not None:
        hand_over(unfinished, maker)
    made = subprocess.run(
        [
            str(programs / "bin" / "initdb"),
            f"--pgdata={data_argument(unfinished, maker)}",
            *INITDB_OPTIONS,
        ],
        cwd=unfinished,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=INITDB_TIMEOUT_SECONDS,
        start_new_session=True,
        **run_as(maker),
    )
    if made.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise failure_from_log("initdb", f"ended with {made.returncode}", made.stderr)
    if account is not None:
        hand_over(unfinished, account)
    unfinished.rename(data)


def forget_dead_server(data: Path) -> bool:
    """Make way for a new server after one that died; return whether one did.

    PostgreSQL refuses to start while the number in its pid file is alive, though by now it may be
    another program's, or a zombie's. It lets its own parent's number pass and then makes sure that
    no session of the dead server still writes: so we put our number there and keep that check.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return False
    lines = pid_file.read_text().splitlines()
    if not lines:
        pid_file.unlink()
        return True
    # As root we must not be led elsewhere by a link that the server's account left here.
    opened = os.open(pid_file, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
    with os.fdopen(opened, "w") as file:
        file.write("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    return True
