"""Migrate, seed, audit and schema do what they say, and nothing where nothing is to be done."""

import json
from pathlib import Path

import pytest

from backend.db.migrate import migrations
from backend.demo.brand import WAREHOUSES, demo_skus
from tests.cli.databases import ask, contents_of, settings_for
from tests.cli.running import ROOT, Finished, run
from tests.conftest import Servers

EVENTS = "docs/reference/events"
TAMPER = """
    update stock_level set reserved = reserved + 1
    where (functional_warehouse_id, sku_id) =
          (select functional_warehouse_id, sku_id from stock_level limit 1)
"""


@pytest.fixture(scope="module")
def seeded(servers: Servers, seeded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """What `seed` said of a database without a table."""
    return run(tmp_path_factory.mktemp("seed"), "seed", **settings_for(servers, seeded_url))


def test_migrate_makes_the_schema_once(
    servers: Servers, unmigrated_url: str, tmp_path: Path
) -> None:
    settings = settings_for(servers, unmigrated_url)
    first = run(tmp_path, "migrate", **settings)
    assert (first.status, first.err) == (0, "")
    assert first.out == f"Applied: {', '.join(step.name for step in migrations())}.\n"
    before = contents_of(unmigrated_url)
    again = run(tmp_path, "migrate", **settings)
    assert (again.status, again.out) == (0, "Applied: nothing, the schema is the newest.\n")
    assert contents_of(unmigrated_url) == before


def test_what_is_seeded_passes_the_audit(
    servers: Servers, seeded_url: str, seeded: Finished, tmp_path: Path
) -> None:
    assert seeded == (0, "The demo's brand is there (tenant 1).\n", "")
    audited = run(tmp_path, "audit", "--json", **settings_for(servers, seeded_url))
    report = json.loads(audited.out)
    assert (audited.status, report["brand"], report["differences"]) == (0, "haiyun", [])
    assert report["levels"] > len(demo_skus()) * len(WAREHOUSES)


@pytest.mark.usefixtures("seeded")
def test_an_audit_that_finds_something_ends_with_1(
    servers: Servers, seeded_url: str, tmp_path: Path
) -> None:
    ask(seeded_url, TAMPER)
    audited = run(tmp_path, "audit", "--json", **settings_for(servers, seeded_url))
    assert audited.status == 1
    kinds = {difference["kind"] for difference in json.loads(audited.out)["differences"]}
    assert kinds >= {"level_is_not_its_movements", "reserved_is_not_the_orders"}


def test_schemas_are_written_without_any_server(tmp_path: Path) -> None:
    finished = run(tmp_path, "schema", "written.graphql", database_url="postgresql://nobody:1")
    assert (finished.status, finished.out, finished.err) == (0, "", "")
    assert {path.name for path in tmp_path.iterdir()} == {"written.graphql", "docs"}
    written = (tmp_path / "written.graphql").read_text("utf-8")
    assert written == (ROOT / "schema.graphql").read_text("utf-8")
    assert texts(tmp_path / EVENTS) == texts(ROOT / EVENTS)


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}
