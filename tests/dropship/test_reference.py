"""The reference of what there is for drop-shipping names what is there."""

import re
from pathlib import Path

from graphql_schema.schema import build_schema

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference/dropship.md").read_text("utf-8")
PARTS = 18


def test_every_operation_that_it_names_exists() -> None:
    schema = str(build_schema())
    operations = re.findall(r"`([a-z][A-Za-z]+)`", REFERENCE)
    known = set(re.findall(r"^\s+(\w+)[(:]", schema, re.MULTILINE))
    assert [name for name in operations if name not in known] == []


def test_every_test_that_it_names_exists() -> None:
    paths = re.findall(r"`(tests/[^`]+)`", REFERENCE)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_it_has_every_part() -> None:
    of_the_brand = REFERENCE.partition("## Dealers who send")[0]
    rows = [line for line in of_the_brand.splitlines() if re.match(r"\| [^|]+（?.*\(.+\) \|", line)]
    assert len(rows) == PARTS
