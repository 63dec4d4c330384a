"""The file of the lines that were not placed, each with its reason."""

import csv
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self


class SourceLine(Protocol):
    """A line of a source file, as it was read."""

    @property
    def file(self) -> str: ...

    @property
    def number(self) -> int:
        """Which line of the file; the header is line 1."""

    @property
    def raw(self) -> Sequence[str]: ...


class RejectsFile:
    """A CSV file: file, line number and reason, then the line's own columns."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["file", "line", "reason", *columns])

    def write(self, line: SourceLine, reason: str) -> None:
        self._writer.writerow([line.file, line.number, reason, *line.raw])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
