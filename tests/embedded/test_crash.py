"""What a killed process leaves behind, the next start finds and puts right."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backend.embedded.services import EmbeddedServices

from .asking import (
    comes_true,
    is_alive,
    leave_a_mark,
    mark_of,
    postmaster,
    valkey,
)
from .conftest import Play

START_AND_WAIT = """
import sys, time
from pathlib import Path
from backend.embedded.services import EmbeddedServices
EmbeddedServices(Path(sys.argv[1])).start()
print("started", flush=True)
time.sleep(60)
"""
# The system ends our children with us only if the main thread started them.
START_IN_A_THREAD = """
import sys, threading, time
from pathlib import Path
from backend.embedded.services import EmbeddedServices
services = EmbeddedServices(Path(sys.argv[1]))
thread = threading.Thread(target=services.start)
thread.start()
thread.join()
print("started", flush=True)
time.sleep(60)
"""


START_AND_WAIT_FOR_CTRL_C = """
import sys, time
from pathlib import Path
from backend.embedded.services import EmbeddedServices
from tests.embedded.asking import is_alive, postmaster, valkey
folder = Path(sys.argv[1])
with EmbeddedServices(folder):
    try:
        print("started", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.5)
        print(is_alive(postmaster(folder)), is_alive(valkey(folder)))
"""


def start_then_kill(play: Play, code: str, folder: Path) -> list[int]:
    """Kill a process in which the servers run; return the servers' numbers."""
    parent = play(code, folder)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    leave_a_mark(EmbeddedServices(folder))
    servers = [postmaster(folder), valkey(folder)]
    parent.kill()
    parent.wait()
    return servers


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of this")
def test_servers_end_with_a_killed_parent(folder: Path, play: Play) -> None:
    servers = start_then_kill(play, START_AND_WAIT, folder)
    assert comes_true(lambda: not any(is_alive(pid) for pid in servers))
    with EmbeddedServices(folder) as services:
        assert mark_of(services) == 42


def test_a_start_right_after_waits_for_their_end(folder: Path, play: Play) -> None:
    start_then_kill(play, START_AND_WAIT, folder)
    with EmbeddedServices(folder) as services:
        assert mark_of(services) == 42


def test_servers_left_running_are_replaced(folder: Path, play: Play) -> None:
    servers = start_then_kill(play, START_IN_A_THREAD, folder)
    assert all(is_alive(pid) for pid in servers)
    with EmbeddedServices(folder) as services:
        assert not any(is_alive(pid) for pid in servers)
        assert mark_of(services) == 42


def test_killed_servers_recover(folder: Path) -> None:
    services = EmbeddedServices(folder)
    services.start()
    leave_a_mark(services)
    for pid in (postmaster(folder), valkey(folder)):
        os.kill(pid, signal.SIGKILL)
    services.stop()
    with services:
        assert mark_of(services) == 42


def test_a_stranger_with_the_old_number_is_left_alone(folder: Path) -> None:
    with EmbeddedServices(folder) as services:
        leave_a_mark(services)
        pid_files = [folder / "postgres/data/postmaster.pid", folder / "valkey/valkey.pid"]
        texts = [path.read_text() for path in pid_files]
    with subprocess.Popen(["sleep", "60"]) as stranger:
        for path, text in zip(pid_files, texts, strict=True):
            path.write_text("\n".join([str(stranger.pid), *text.splitlines()[1:]]) + "\n")
            own(path)
        with EmbeddedServices(folder) as services:
            assert mark_of(services) == 42
        assert stranger.poll() is None
        stranger.kill()


def own(path: Path) -> None:
    """Give `path` to the owner of its folder, as if the server had written it."""
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


def test_ctrl_c_leaves_stopping_the_servers_to_us(folder: Path, play: Play) -> None:
    parent = play(START_AND_WAIT_FOR_CTRL_C, folder, start_new_session=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    os.killpg(parent.pid, signal.SIGINT)
    said, _ = parent.communicate()
    assert said == "True True\n"


@pytest.mark.parametrize("text", ["", "not a number\n"])
def test_a_broken_pid_file_is_no_obstacle(folder: Path, text: str) -> None:
    with EmbeddedServices(folder) as services:
        leave_a_mark(services)
    pid_file = folder / "postgres/data/postmaster.pid"
    pid_file.write_text(text)
    own(pid_file)
    with services:
        assert mark_of(services) == 42


def test_a_half_made_database_is_made_anew(folder: Path) -> None:
    unfinished = folder / "postgres/data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with EmbeddedServices(folder, valkey=False):
        assert not unfinished.exists()
