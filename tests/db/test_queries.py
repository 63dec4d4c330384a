"""Every named query against the real schema, and every use of one against its text."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.db.pool import enter_text
from backend.db.sql import NAME_LINE, Queries, Query
from tenants.principal import system_principal
from tests.catalogue import Connection, tenant_tables
from tests.test_imports import SQL_LENT, module_name, part_of
from tests.test_tidy import Module, files, modules, name_of, report

FILES = sorted(path for path in files(".sql") if path.name == "queries.sql")
EACH_FILE = pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
DESCRIPTION_LENGTH_MAX = 98
TAKES_QUERY = {"fetch", "fetch_row", "fetch_value", "execute", "iterate"}
MENTION = re.compile(r"\b(from|join|update|into)\s+(\w+)", re.IGNORECASE)
NAMES_TENANT = re.compile(r"\btenant_id = \$1(?!\d)")
INSERTS_TENANT = re.compile(
    r"\binsert into \w+\s+\(\s*tenant_id\b.*?\b(select|values \()\s*\$1\b", re.S
)


def at(path: Path, query: Query) -> str:
    return f"{name_of(path)}: {query.name}"


def owner_of(path: Path) -> str:
    return part_of(module_name(f"{name_of(path.parent)}/any.py"))


def test_there_are_queries() -> None:
    assert len(FILES) >= 9
    assert sum(len(list(Queries(path))) for path in FILES) > 100


# ------------------------------------------------------------------------- against the schema


@EACH_FILE
async def test_queries_fit_the_schema(path: Path, application: Connection) -> None:
    async with application.transaction():
        await application.execute(enter_text(system_principal(1, "test")))
        for query in Queries(path):
            prepared = await application.prepare(query.text)
            columns = [column.name for column in prepared.get_attributes()]
            assert "?column?" not in columns, f"{at(path, query)}: a column without a name"
            assert len(set(columns)) == len(columns), f"{at(path, query)}: a column twice"
            parameters = [parameter.name for parameter in prepared.get_parameters()]
            assert len(parameters) == parameter_count(query), at(path, query)
            assert "unknown" not in parameters, f"{at(path, query)}: cast its parameters"


async def test_a_query_that_does_not_fit_is_seen(application: Connection) -> None:
    with pytest.raises(Exception, match="colour"):
        await application.prepare("select colour from sku where tenant_id = $1")


@EACH_FILE
async def test_queries_name_the_tenant(path: Path, application: Connection) -> None:
    tables = set(await tenant_tables(application))
    report(
        f"{at(path, query)}: names its tenant less often than its tables"
        for query in Queries(path)
        if forgets_tenant(query.text, tables)
    )


def forgets_tenant(text: str, tables: set[str]) -> bool:
    mentions = [verb.lower() for verb, table in MENTION.findall(text) if table in tables]
    inserts = mentions.count("into")
    if inserts and not INSERTS_TENANT.search(text):
        return True
    return len(NAMES_TENANT.findall(text)) < len(mentions) - inserts


@pytest.mark.parametrize(
    "text",
    [
        "select code from sku",
        "select code from sku where tenant_id = $10",
        "select 1 from orders o join shop s on s.id = o.shop_id where o.tenant_id = $1",
        "insert into sku (code, tenant_id) values ($1, $2)",
        "update sku set name = $1 where id = $2",
        "delete from sku where id = $1",
    ],
)
def test_a_forgotten_tenant_is_seen(text: str) -> None:
    assert forgets_tenant(text, {"sku", "orders", "shop"})


# ---------------------------------------------------------------------------- the files alone


@EACH_FILE
def test_queries_are_named_and_described(path: Path) -> None:
    queries = list(Queries(path))
    headings = [line for line in path.read_text("utf-8").splitlines() if line.endswith(" --")]
    assert headings == [f"-- {query.name} --" for query in queries]
    report(f"{at(path, query)}: {fault}" for query in queries for fault in faults(query))


def faults(query: Query) -> Iterator[str]:
    if not query.description.endswith(".") or len(query.description) > DESCRIPTION_LENGTH_MAX:
        yield "its description is one sentence on one line"
    if query.text.startswith("--") or not query.text:
        yield "a description of one line, then the statement"
    if ";" in query.text:
        yield "one statement"
    if NAME_LINE.pattern != r"^-- (\w+) --$":
        yield "the test and the loader read names alike"


def parameter_count(query: Query) -> int:
    return max((int(number) for number in re.findall(r"\$(\d+)", query.text)), default=0)


# --------------------------------------------------------------------------------- their use


def used(module: Module) -> Iterator[ast.Attribute]:
    """Yield every `SQL.name` of a module."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            continue
        if node.value.id == "SQL":
            yield node


def queries_for(part: str) -> dict[str, Query]:
    """Return the queries that the modules of a part may use."""
    lent = {owner for user, owner in SQL_LENT if user == part}
    paths = [path for path in FILES if owner_of(path) in {part, *lent}]
    return {query.name: query for path in paths for query in Queries(path)}


def test_every_used_query_exists() -> None:
    report(
        module.at(node, f"no query {node.attr!r}")
        for module in modules()
        for node in used(module)
        if node.attr not in queries_for(part_of(module_name(module.path)))
    )


def test_every_query_is_used() -> None:
    used_by_part = {
        (part_of(module_name(module.path)), node.attr)
        for module in modules()
        for node in used(module)
    }
    lent = {
        (owner, name) for user, owner in SQL_LENT for part, name in used_by_part if part == user
    }
    report(
        f"{at(path, query)} is used nowhere"
        for path in FILES
        for query in Queries(path)
        if (owner_of(path), query.name) not in used_by_part | lent
    )


def test_every_call_passes_what_the_query_takes() -> None:
    report(fault for module in modules() for fault in wrong_calls(module))


def wrong_calls(module: Module) -> Iterator[str]:
    known = queries_for(part_of(module_name(module.path)))
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in TAKES_QUERY or not node.args:
            continue
        query, *arguments = node.args
        if any(isinstance(argument, ast.Starred) for argument in arguments):
            continue
        if isinstance(query, ast.Attribute) and query.attr in known:
            takes = parameter_count(known[query.attr])
            if len(arguments) != takes:
                yield module.at(node, f"{query.attr} takes {takes}, not {len(arguments)}")


def test_a_wrong_call_is_seen() -> None:
    text = "tx.fetch(SQL.read_command, tenant)"
    module = Module("backend/db/any.py", [text], ast.parse(text))
    assert list(wrong_calls(module)) == ["backend/db/any.py:1: read_command takes 2, not 1"]
