"""Whoever asks for help gets it: the commands, and of each what it does and takes."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from backend.cli import cli
from tests.cli.running import run

WIDE = {"COLUMNS": "300"}
"""A terminal in which no explanation is broken off by what stands beside it."""


def names() -> list[str]:
    """Return the commands as they are typed."""
    return sorted(typer.main.get_command(cli).commands)  # type: ignore[attr-defined]


def letters(text: str) -> str:
    """Return a text without its frames, its line breaks and the spaces between."""
    return "".join(text.replace("│", " ").split())


def test_the_program_lists_its_commands(tmp_path: Path) -> None:
    finished = run(tmp_path, "--help")
    assert (finished.status, finished.err) == (0, "")
    listed = {line.split()[1] for line in finished.out.splitlines() if line.startswith("│ ")}
    assert listed >= set(names()) >= {"demo", "serve", "worker", "seed", "import", "audit"}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", names())
def test_each_command_says_what_it_does(name: str) -> None:
    command = typer.main.get_command(cli).commands[name]  # type: ignore[attr-defined]
    result = CliRunner().invoke(cli, [name, "--help"], env=WIDE)
    assert result.exit_code == 0
    assert command.help
    assert letters(command.help) in letters(result.output)


@pytest.mark.parametrize("name", names())
def test_each_option_is_explained(name: str) -> None:
    command = typer.main.get_command(cli).commands[name]  # type: ignore[attr-defined]
    result = CliRunner().invoke(cli, [name, "--help"], env=WIDE)
    shown = [parameter for parameter in command.params if not parameter.hidden]
    assert all(parameter.help for parameter in shown)
    assert all(letters(parameter.help) in letters(result.output) for parameter in shown)
