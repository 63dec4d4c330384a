"""What the front ends ask exists, and costs what a front end may spend."""

import subprocess
import sys
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from loadtests.locust.documents import DOCUMENTS
from loadtests.locust.plays import DAY_PLAY, MINUTE_PLAY

ROOT = Path(__file__).parents[2]
UNPATCHED = ("access", "plays", "run", "order_answers", "made_orders")
"""Of the package; they run beside asyncio, which Locust's patches would break."""


@pytest.mark.parametrize("field", DOCUMENTS)
def test_a_document_goes_with_the_schema(field: str) -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text("utf-8"))
    document = parse(DOCUMENTS[field])
    assert validate(schema, document) == []
    (operation,) = document.definitions
    assert operation.to_dict()["name"]["value"] == field


def test_every_document_has_a_threshold() -> None:
    for play in (MINUTE_PLAY, DAY_PLAY):
        assert set(DOCUMENTS) <= {threshold.name for threshold in play.thresholds.by_name}


def test_nothing_is_patched_outside_of_locusts_process() -> None:
    imports = ";".join(f"import loadtests.locust.{name}" for name in UNPATCHED)
    program = f"{imports}; import sys; sys.exit('gevent' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_locust_finds_who_plays() -> None:
    locust = [sys.executable, "-m", "locust", "-f", "loadtests/locust/locustfile.py"]
    command = [*locust, "--list", "--scenario", "none"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    found = {line.strip() for line in listed.stdout.splitlines() if "User" in line}
    assert found >= {"BrandUser", "DealerUser", "FlashSaleUser", "PlatformUser", "StoreUser"}
