"""What stands in the way is said in one clear error, and nothing is left running."""

import os
from pathlib import Path
from typing import Any

import pytest

from backend.embedded import folders, postgres, programs, services
from backend.embedded.errors import (
    DataFolderInUseError,
    DataFolderNotWritableError,
    DiskFullError,
    EmbeddedServiceError,
    FolderTakenError,
    ProgramMissingError,
    ServerDidNotStartError,
    failure_from_log,
)
from backend.embedded.processes import ChildServer
from backend.embedded.services import EmbeddedServices

from .asking import is_alive
from .conftest import START, Play


def test_a_second_process_is_refused(folder: Path, play: Play) -> None:
    with EmbeddedServices(folder):
        said, _ = play(START, folder).communicate()
    assert said.startswith("DataFolderInUseError")
    assert f"process {os.getpid()}" in said


def test_a_second_start_in_one_process_is_refused(folder: Path) -> None:
    first, second = (EmbeddedServices(folder, database=False) for _ in range(2))
    with first, pytest.raises(DataFolderInUseError):
        second.start()
    with second:
        pass


def test_a_read_only_folder_is_named(
    open_folder: Path, play: Play, normal_user: dict[str, Any]
) -> None:
    open_folder.chmod(0o500)
    said, _ = play(START, open_folder / ".yipan", **normal_user).communicate()
    assert said.startswith("DataFolderNotWritableError")
    assert str(open_folder) in said


def test_too_little_space_is_said_before_anything_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MINIMUM_FREE_BYTES", 2**60)
    with pytest.raises(DiskFullError, match="MB are needed"):
        EmbeddedServices(folder).start()


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("PANIC: could not write: No space left on device", DiskFullError),
        ("FATAL: could not open: Read-only file system", DataFolderNotWritableError),
        ("FATAL: could not open: Permission denied", DataFolderNotWritableError),
        ("FATAL: something else", ServerDidNotStartError),
    ],
)
def test_the_log_tells_the_kind_of_error(log: str, expected: type[EmbeddedServiceError]) -> None:
    error = failure_from_log("PostgreSQL", "ended with 1", f"first\n{log}\n")
    assert type(error) is expected
    assert str(error).endswith(f"PostgreSQL ended with 1: first | {log}")


def test_what_the_server_says_is_quoted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(postgres.SETTINGS, "shared_buffers", "nonsense")
    with pytest.raises(ServerDidNotStartError, match='"shared_buffers": "nonsense"'):
        EmbeddedServices(folder).start()


def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    child = ChildServer(
        "Sleep", log=tmp_path / "log", pid_file=tmp_path / "pid", mark="", stop_signals=(15, 9)
    )
    child.spawn(["/bin/sleep", "60"], tmp_path)
    with pytest.raises(ServerDidNotStartError, match="did not answer within"):
        child.wait_until(lambda: False, timeout_seconds=0.1)
    child.stop()


def test_a_server_deaf_to_the_first_signal_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.embedded.processes.STOP_TIMEOUT_SECONDS", 0.2)
    child = ChildServer(
        "Deaf", log=tmp_path / "log", pid_file=tmp_path / "pid", mark="", stop_signals=(15, 9)
    )
    child.spawn(["/bin/sh", "-c", "trap '' TERM; echo $$ > pid; exec sleep 60"], tmp_path)
    child.wait_until((tmp_path / "pid").exists)
    child.stop()
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_a_failed_start_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = EmbeddedServices(folder)
    with monkeypatch.context() as patch:
        patch.setattr(programs, "find_spec", lambda _: None)
        with pytest.raises(ProgramMissingError):
            refused.start()
    assert not (folder / "postgres/data/postmaster.pid").exists()
    with refused:
        pass


def test_a_taken_runtime_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(FolderTakenError):
        folders.make_runtime_folder(tmp_path / "link")


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedServiceError, match="file"):
        services.EmbeddedServices(tmp_path / "file").start()
