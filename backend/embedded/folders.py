"""The data folder, locked, and a short-lived one for what cannot lie in it."""

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.embedded.errors import DataFolderInUseError, DiskFullError, FolderTakenError

# A new database with its log takes about 80 MB; the rest lets the demo run for a while.
MINIMUM_FREE_BYTES = 256 * 2**20
# The address of a socket holds 108 bytes on Linux and 104 on macOS, one of them the final zero.
SOCKET_PATH_LIMIT_BYTES = 103
# Short on purpose, and the same in every terminal, which TMPDIR is not.
SHORT_FOLDER = Path("/tmp")
OTHER_FOLDERS = (Path("/var/tmp"), Path("/var/lib"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; DataFolderInUseError if another one holds it."""
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read() or "unknown"
            raise DataFolderInUseError(f"{folder} is held by process {holder}.") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def require_free_space(folder: Path) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < MINIMUM_FREE_BYTES:
        free_mb, needed_mb = free_bytes // 2**20, MINIMUM_FREE_BYTES // 2**20
        raise DiskFullError(f"{folder} has {free_mb} MB free, {needed_mb} MB are needed.")


def runtime_folder(data_folder: Path, below: Path = SHORT_FOLDER) -> Path:
    """Where things live while the servers run; named after the data folder, so found again."""
    digest = hashlib.sha256(os.fsencode(data_folder)).hexdigest()
    return below / f"yipan-{digest[:12]}"


def fits_socket(path: Path) -> bool:
    """Whether servers and clients take `path`: not too long, and no sign that separates a list."""
    return len(os.fsencode(path)) <= SOCKET_PATH_LIMIT_BYTES and not set('",') & set(str(path))


def make_runtime_folder(folder: Path) -> None:
    """Make `folder`, which others may enter but not change; FolderTakenError if it is not ours.

    Everyone can guess the name and write to the temporary folder, so what we find there counts
    only if it is a real folder and belongs to us.
    """
    try:
        folder.mkdir()
    except FileExistsError as error:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise FolderTakenError(folder) from error
    folder.chmod(0o711)


def remove_runtime_folders(data_folder: Path) -> None:
    """Remove what `make_runtime_folder` made for `data_folder`, wherever it had to be."""
    for below in (SHORT_FOLDER, *OTHER_FOLDERS):
        folder = runtime_folder(data_folder, below)
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid():
            shutil.rmtree(folder, ignore_errors=True)
