"""A data folder that cannot be written, or has no room, is named, and nothing is left in it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.cli.running import Finished, end_of, launch, run

OTHER_USER = 65533
# The user's Python may lie where others cannot enter, so the user is left after its start.
AS_OTHER_USER = f"""
import os
from backend.cli import main
os.setgroups([])
os.setgid({OTHER_USER})
os.setuid({OTHER_USER})
main()
"""
SMALL_DISK = "20m"


def cannot(what: str) -> NoReturn:
    """Skip a test for which the machine is not good enough; on the build server that fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"the build server cannot {what}")
    pytest.skip(f"this machine cannot {what}")


def run_as_normal_user(folder: Path, *words: str, **settings: object) -> Finished:
    """Run a command as somebody for whom permissions count."""
    if os.geteuid() != 0:
        return run(folder, *words, **settings)
    finished = end_of(launch([sys.executable, "-c", AS_OTHER_USER, *words], folder, settings))
    if "os.set" in finished.err and "PermissionError" in finished.err:
        cannot("run a program as another user")
    return finished


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that everybody may enter, which pytest's own are not, and nobody write to."""
    folder = Path(tempfile.mkdtemp(prefix="yipan-test-"))
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


def test_a_read_only_folder_is_named(read_only: Path) -> None:
    finished = run_as_normal_user(Path("/"), "demo", data=read_only / ".yipan")
    assert (finished.status, finished.out) == (1, "")
    (line,) = finished.said
    assert line.startswith("Cannot start: The data folder cannot be written; ")
    assert f"{read_only}/.yipan" in line
    assert "YIPAN_DATA" in line
    assert not list(read_only.iterdir())


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, with hardly any room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode != 0:
        cannot("mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named(full_disk: Path) -> None:
    finished = run(full_disk.parent, "demo", data=full_disk / ".yipan")
    assert (finished.status, finished.out) == (1, "")
    (line,) = finished.said
    assert line.startswith("Cannot start: The disk is full; ")
    assert f"{full_disk}/.yipan has" in line
    assert "YIPAN_DATA" in line
    assert not (full_disk / ".yipan/postgres").exists()
