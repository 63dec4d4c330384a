"""The loader of named queries."""

from pathlib import Path

import pytest

from backend.db.sql import Query, load_queries, parse_queries

TEXT = """A line before the first name says nothing.

-- one --
-- The first.
select 1;

-- two --
-- The second, of two lines.
select $1,
       $2
"""


def test_a_query_has_name_description_and_text() -> None:
    assert parse_queries(TEXT) == [
        Query("one", "The first.", "select 1"),
        Query("two", "The second, of two lines.", "select $1,\n       $2"),
    ]


def test_queries_lie_beside_their_module(tmp_path: Path) -> None:
    (tmp_path / "queries.sql").write_text(TEXT)
    queries = load_queries(str(tmp_path / "use_case.py"))
    assert queries.two.description == "The second, of two lines."
    assert [query.name for query in queries] == ["one", "two"]


def test_an_unknown_name_says_where(tmp_path: Path) -> None:
    (tmp_path / "queries.sql").write_text(TEXT)
    with pytest.raises(AttributeError, match=r"queries\.sql has no query 'three'"):
        _ = load_queries(str(tmp_path / "use_case.py")).three


@pytest.mark.parametrize(
    "text", [TEXT + "-- one --\n-- Again.\nselect 2", "-- one --\nselect 1", "-- one --\n"]
)
def test_a_wrong_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="query 'one' is given twice or has no description"):
        parse_queries(text)
