"""`yipan import` answers every line of a file, places what can be placed, and each order once."""

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backend.db.pool import Database
from tests.cli.databases import Settings, contents_of, settings_for
from tests.cli.records import record
from tests.cli.running import Finished, run
from tests.conftest import Servers
from tests.world import World, receive

UNKNOWN: dict[str, Any] = {"lines": [{"sku": "nonsense", "quantity": 1}]}
LINES = {
    record(1): "allocated",
    '{"shop": "shop", "externalId"': "INVALID_ORDER",
    record(2, shop="dshop"): "allocated",
    "": None,
    record(3, **UNKNOWN): "held",
    record(4, **UNKNOWN, isPaid=False): "UNKNOWN_SKU",
    record(5, shop="nonsense"): "UNKNOWN_SHOP",
    record(6, lines=[{"sku": "B", "quantity": 1}]): "backordered",
    record(7, 90, isPaid=False): "INSUFFICIENT_STOCK",
    record(1) + " ": "allocated",
    record(1, 2): "ORDER_CONFLICT",
    "[" * 100_000: "INVALID_ORDER",
    '{"shop": "\\ud800"}': "INVALID_ORDER",
    " \t": None,
    record(8): "allocated",
}
"""The lines of a file, each with the status of its order or the code of its refusal.

Blank ones have no answer; the one with a space behind it is the first one once more.
"""


class Imported(NamedTuple):
    """What an import said, its answers by line, and what is in the database after it."""

    finished: Finished
    answers: dict[int, dict[str, Any]]
    contents: dict[str, str]


def import_again(folder: Path, url: str, settings: Settings) -> Imported:
    """Import the file of the folder, for the first time or once more."""
    words = ("import", "orders.ndjson", "--brand", "acme", "--answers", "answers.ndjson", "--json")
    finished = run(folder, *words, **settings)
    answers = [json.loads(line) for line in (folder / "answers.ndjson").read_bytes().splitlines()]
    contents = contents_of(url)
    return Imported(finished, {answer["line"]: answer for answer in answers}, contents)


async def receive_twenty(url: str, world: World) -> None:
    database = await Database.connect(url)
    await receive(database, world.brand, "wh", "A", 20)
    await database.close()


@pytest.fixture(scope="module")
def imports(
    servers: Servers, ready_world: World, world_url: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Imported, Imported]:
    """The same file twice, into a brand with twenty units of A."""
    folder = tmp_path_factory.mktemp("import")
    (folder / "orders.ndjson").write_text("\n".join(LINES), "utf-8")
    asyncio.run(receive_twenty(world_url, ready_world))
    settings = settings_for(servers, world_url)
    first = import_again(folder, world_url, settings)
    return first, import_again(folder, world_url, settings)


EXPECTED = {number: result for number, result in enumerate(LINES.values(), 1) if result}


@pytest.mark.parametrize("number", EXPECTED)
def test_each_line_has_its_answer(imports: tuple[Imported, Imported], number: int) -> None:
    answer = imports[0].answers[number]
    assert answer.get("status", answer.get("code")) == EXPECTED[number]
    assert answer["result"] == ("refused" if EXPECTED[number].isupper() else "placed")
    assert answer["result"] == "placed" or answer["message"]


def test_answers_come_in_the_order_of_the_lines(imports: tuple[Imported, Imported]) -> None:
    assert list(imports[0].answers) == list(EXPECTED)


def test_the_results_are_counted_in_one_json_object(imports: tuple[Imported, Imported]) -> None:
    finished = imports[0].finished
    assert (finished.status, finished.err) == (0, "")
    counts = {result: list(EXPECTED.values()).count(result) for result in EXPECTED.values()}
    expected = {"brand": "acme", "file": "orders.ndjson", "results": counts}
    assert json.loads(finished.out) == expected


def test_a_line_given_twice_is_one_order(imports: tuple[Imported, Imported]) -> None:
    by_line = imports[0].answers
    assert by_line[1]["orderId"] == by_line[10]["orderId"]
    placed = {answer["orderId"] for answer in by_line.values() if "orderId" in answer}
    assert len(placed) == 5


def test_the_same_file_again_changes_nothing(imports: tuple[Imported, Imported]) -> None:
    first, again = imports
    assert again.answers == first.answers
    assert again.contents == first.contents
    assert again.finished == first.finished


def test_the_audit_finds_nothing(
    imports: tuple[Imported, Imported], servers: Servers, world_url: str, tmp_path: Path
) -> None:
    audited = run(tmp_path, "audit", "--json", **settings_for(servers, world_url))
    reports = [json.loads(line) for line in audited.out.splitlines()]
    assert audited.status == 0
    assert [report["brand"] for report in reports] == ["acme", "other"]
    assert [report["differences"] for report in reports] == [[], []]
    assert [report["lines"] for report in reports] == [5, 0]
