"""State machines as data: which step leads from which state to which, and what it does.

A machine is proved complete when it is made: every state can be reached, and every state that is
not final has a way out. Served by the API, drawn into `docs/` by `yipan states`.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

HEAD = """# State machines

Written by `yipan schema` from the code; `orderProcess` of the API says the same. What leads from a
state into itself is left out of the pictures.
"""
START = ""
"""Where everything comes from: it does not exist yet."""


class Step(NamedTuple):
    """One way from states to states."""

    name: str
    sources: frozenset[str]
    targets: frozenset[str]
    """More than one where it depends on what else there is."""
    by: str = ""
    """The permission that it takes; none: Yipan does it by itself."""
    stock: str = ""
    """The movements of stock, and other counters, that come with it."""
    event: str = ""
    """What is told of it."""

    @property
    def target(self) -> str:
        """The state that it leads to, of a step that leads to one."""
        (only,) = self.targets
        return only


def step(
    name: str,
    sources: Iterable[str],
    targets: Iterable[str],
    *,
    by: str = "",
    stock: str = "",
    event: str = "",
) -> Step:
    """Return a step; START among the sources means that it makes something new."""
    return Step(name, frozenset(sources), frozenset(targets), by, stock, event)


class Machine:
    """The states of a thing, those that are final, and the steps between them."""

    def __init__(
        self,
        name: str,
        title: str,
        states: Iterable[str],
        final: Iterable[str],
        steps: Sequence[Step],
    ) -> None:
        """Raises AssertionError for a table that is not complete."""
        self.name = name
        self.title = title
        """What users call it."""
        self.states = tuple(str(state) for state in states)
        self.final = frozenset(str(state) for state in final)
        self.steps = tuple(steps)
        self._pairs = frozenset(
            (source, target)
            for each in self.steps
            for source in each.sources
            for target in each.targets
        )
        self._check()

    def allows(self, before: str, after: str) -> bool:
        """Whether some step leads from one state to the other."""
        return (before, after) in self._pairs

    def step(self, name: str) -> Step:
        """Return the step of a name, which exists."""
        return next(each for each in self.steps if each.name == name)

    def _check(self) -> None:
        known = set(self.states)
        named = {state for pair in self._pairs for state in pair} - {START}
        assert named <= known, f"{self.name} has no state {named - known}"
        names = [each.name for each in self.steps]
        assert len(set(names)) == len(names), f"{self.name} has a step twice"
        reached, frontier = set[str](), {START}
        while frontier:
            frontier = {after for before, after in self._pairs if before in frontier} - reached
            reached |= frontier
        assert reached == known, f"unreachable in {self.name}: {known - reached}"
        for state in known - self.final:
            ways = {after for before, after in self._pairs if before == state}
            assert ways - {state}, f"no way out of {state} in {self.name}"
        for state in self.final:
            ways = {after for before, after in self._pairs if before == state}
            assert not ways, f"{state} of {self.name} is not final"


def page_of(machines: Iterable[Machine]) -> str:
    """Return machines as a page of documentation: a diagram (Mermaid) and a table of each."""
    parts = [HEAD]
    parts += [_section_of(machine) for machine in machines]
    return "\n".join(parts)


def _section_of(machine: Machine) -> str:
    arrows: dict[tuple[str, str], list[str]] = {}
    for each in machine.steps:
        for source in sorted(each.sources):
            for target in sorted(each.targets - {source}):
                arrows.setdefault((source, target), []).append(each.name)
    ends = "[*]"
    drawn = [
        f"    {source or ends} --> {target}: {', '.join(names)}"
        for (source, target), names in sorted(arrows.items())
    ]
    drawn += [f"    {state} --> {ends}" for state in sorted(machine.final)]
    rows = [
        f"| `{each.name}` | {_said(each.sources)} | {_said(each.targets)} | {_code(each.by)} | "
        f"{each.stock} | {_code(each.event)} |"
        for each in machine.steps
    ]
    return "\n".join(
        [
            f"## {machine.name} ({machine.title})\n",
            "```mermaid",
            "stateDiagram-v2",
            *drawn,
            "```\n",
            "| step | from | to | permission | stock | event |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _said(states: Iterable[str]) -> str:
    return ", ".join(f"`{state}`" if state else "(new)" for state in sorted(states))
