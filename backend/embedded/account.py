"""The account PostgreSQL runs under when we are root, for it refuses to run as root.

We take a number from a range that no distribution hands out, so nothing else on the machine runs
under it, and make no system user. `initdb` alone insists on a name in the password file: it runs
as `nobody`, and what it made is handed over. Data that has an owner already keeps it, so that a
demo started once with sudo stays usable without.
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.embedded.errors import CannotLeaveRootError

# systemd's register of user numbers lists 65520 to 65533 as unused, and containers that map a
# single 16-bit range still have them.
SERVER_NUMBERS = range(65520, 65534)


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int

    def owns(self, path: Path) -> bool:
        return path.stat().st_uid == self.uid


def server_account(data: Path) -> Account | None:
    """Who runs the server on `data`; None means ourselves, for we are not root."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (found := data.stat()).st_uid != 0:
        return Account(found.st_uid, found.st_gid)
    for number in SERVER_NUMBERS:
        if not _has_name(number):
            return Account(number, number)
    raise CannotLeaveRootError(f"All of {SERVER_NUMBERS} have names.")


def named_account() -> Account:
    """`nobody`, the one unprivileged account that every system names."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise CannotLeaveRootError("initdb needs the account `nobody`.") from error
    return Account(entry.pw_uid, entry.pw_gid)


def hand_over(folder: Path, account: Account) -> None:
    """Make `account` the owner of `folder` and all in it."""
    try:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    except OSError as error:
        raise CannotLeaveRootError(f"{error.filename}: {error.strerror}") from error


def run_as(account: Account | None) -> dict[str, Any]:
    """The arguments with which `subprocess` starts a program under `account`."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _has_name(number: int) -> bool:
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True
