"""State machines: a table that is not complete is refused, and the page is that of the code."""

from pathlib import Path
from typing import Any

import pytest

from backend.event_types import PAYLOADS
from backend.machines import START, Machine, page_of, step
from backend.orders.states import ORDER
from backend.processes import MACHINES
from tenants.principal import Permission

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "state-machines.md"
MAKE, GO = step("make", [START], ["a"]), step("go", ["a"], ["b"])


def test_the_page_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(MACHINES), "run `yipan schema`"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_what_steps_name_exists(machine: Machine) -> None:
    for each in machine.steps:
        assert not each.by or Permission(each.by)
        assert not each.event or each.event in PAYLOADS


@pytest.mark.parametrize(
    ("states", "final", "steps", "fault"),
    [
        ("ab", "b", [MAKE, GO, step("on", ["b"], ["c"])], "has no state"),
        ("ab", "b", [MAKE, GO, GO], "has a step twice"),
        ("abc", "bc", [MAKE, GO], "unreachable"),
        ("ab", "", [MAKE, GO], "no way out of b"),
        ("ab", "", [MAKE, GO, step("stay", ["b"], ["b"])], "no way out of b"),
        ("ab", "b", [MAKE, GO, step("back", ["b"], ["a"])], "is not final"),
    ],
)
def test_a_machine_that_is_not_complete_is_refused(
    states: Any, final: Any, steps: Any, fault: str
) -> None:
    with pytest.raises(AssertionError, match=fault):
        Machine("thing", "物", states, final, steps)


def test_a_complete_machine_says_what_it_allows() -> None:
    machine = Machine("thing", "物", "ab", "b", [MAKE, GO])
    assert machine.allows(START, "a")
    assert machine.allows("a", "b")
    assert not machine.allows("b", "a")
    assert machine.step("go").target == "b"
    assert ORDER.final == {"cancelled", "complete", "delivered"}
