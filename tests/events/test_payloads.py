"""The schemas of the events: checked in, and never broken for who reads them already."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from backend.event_types import PAYLOADS, payload_schema
from tests.events.compatible import Schema, breaks

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "reference" / "events"
RELEASED = Path(__file__).parent / "released"
"""As first published, one for each event; never edited, only added to."""


def schema(folder: Path, kind: str) -> Any:
    return json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))


def test_every_event_has_its_schema_and_no_other_has() -> None:
    for folder in (PUBLISHED, RELEASED):
        assert {path.stem for path in folder.glob("*.json")} == PAYLOADS.keys()


@pytest.mark.parametrize("kind", PAYLOADS)
def test_the_schema_that_is_checked_in_is_that_of_the_code(kind: str) -> None:
    text = (PUBLISHED / f"{kind}.json").read_bytes()
    assert text == payload_schema(PAYLOADS[kind]), "run `yipan schema`"
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.parametrize("kind", PAYLOADS)
def test_who_reads_the_first_schema_reads_todays(kind: str) -> None:
    assert breaks(schema(RELEASED, kind), schema(PUBLISHED, kind)) == []


def changed(change: str) -> Schema:
    """Return the schema of `order.placed`, changed in one way."""
    new: Schema = copy.deepcopy(schema(RELEASED, "order.placed"))
    placed = new["$defs"]["OrderPlaced"]
    match change:
        case "field gone":
            del placed["properties"]["units"]
        case "field optional":
            placed["required"].remove("units")
        case "other type":
            placed["properties"]["units"] = {"type": "string"}
        case "may be null":
            placed["properties"]["currency"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
        case "third type":
            placed["properties"]["externalId"]["anyOf"].append({"type": "integer"})
        case "value gone":
            new["$defs"]["HoldKind"]["enum"].remove("audit")
        case "field new":
            placed["properties"]["remark"] = {"type": "string"}
        case "value new":
            new["$defs"]["HoldKind"]["enum"].append("fraud")
    return new


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("field gone", "$.units"),
        ("field optional", "$.units"),
        ("other type", "$.units"),
        ("may be null", "$.currency"),
        ("third type", "$.externalId"),
        ("value gone", "$.holds[]"),
        ("field new", None),
        ("value new", None),
    ],
)
def test_a_break_is_found(change: str, broken: str | None) -> None:
    found = breaks(schema(RELEASED, "order.placed"), changed(change))
    assert {text.split(" ")[0] for text in found} == ({broken} if broken else set())
