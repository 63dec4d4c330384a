"""A data folder that cannot be written, or has no room, is named, and nothing is left in it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tests.cli.running import run

SMALL_DISK = "size=20m"


def cannot(what: str) -> NoReturn:
    """Skip a test for which the machine is not good enough; on the build server that fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"the build server cannot {what}")
    pytest.skip(f"this machine cannot {what}")


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a disk of its own at a folder."""
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode != 0:
        cannot("mount a disk")
    yield
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write to; root is stopped by a disk that takes no writes."""
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    if os.geteuid() != 0:
        yield folder
        folder.chmod(0o700)
        return
    with mounted(folder, "ro"):
        yield folder


def test_a_read_only_folder_is_named(read_only: Path) -> None:
    finished = run(read_only.parent, "demo", data=read_only / ".yipan")
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
    with mounted(folder, SMALL_DISK):
        yield folder


def test_a_full_disk_is_named(full_disk: Path) -> None:
    finished = run(full_disk.parent, "demo", data=full_disk / ".yipan")
    assert (finished.status, finished.out) == (1, "")
    (line,) = finished.said
    assert line.startswith("Cannot start: The disk is full; ")
    assert f"{full_disk}/.yipan has" in line
    assert "YIPAN_DATA" in line
    assert not (full_disk / ".yipan/postgres").exists()
