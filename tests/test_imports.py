"""Imports run downward: the allowed directions, as data.

    graphql_schema, loadtests
      → use cases of backend.<centre>  → that centre's own queries
        → backend.db, backend.admission, backend.events
          → tenants.principal

A centre that needs another one is a decision: it is written down here first.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import pytest

from tests.test_tidy import files, modules, name_of, report

OURS = ("backend", "core_ext", "graphql_schema", "tenants", "loadtests")
GROUND = frozenset({"backend.db", "backend.admission", "backend.events"})
WATCHED = frozenset({"backend.clock", "backend.metrics"})
WHO = frozenset({"tenants", "tenants.principal"})
CENTRES: dict[str, frozenset[str]] = {
    "backend.catalog": frozenset(),
    "backend.channels": frozenset(),
    "backend.network": frozenset(),
    "backend.dropship": frozenset({"backend.catalog", "backend.channels", "backend.network"}),
    "backend.fulfilment": frozenset(
        {"backend.catalog", "backend.inventory", "backend.network", "backend.orders"}
    ),
    "backend.pickups": frozenset(
        {
            "backend.fulfilment",
            "backend.inventory",
            "backend.network",
            "backend.orders",
            "backend.routing",
        }
    ),
    "backend.after_sales": frozenset(
        {
            "backend.catalog",
            "backend.fulfilment",
            "backend.inventory",
            "backend.network",
            "backend.orders",
        }
    ),
    "backend.inventory": frozenset(
        {
            "backend.catalog",
            "backend.channels",
            "backend.dropship",
            "backend.network",
            "core_ext",
        }
    ),
    "backend.routing": frozenset(
        {
            "backend.catalog",
            "backend.channels",
            "backend.dropship",
            "backend.inventory",
            "backend.network",
            "core_ext",
        }
    ),
    "backend.orders": frozenset(
        {
            "backend.catalog",
            "backend.channels",
            "backend.dropship",
            "backend.inventory",
            "backend.network",
            "backend.routing",
            "core_ext",
        }
    ),
    "backend.publishing": frozenset(
        {
            "backend.after_sales",
            "backend.catalog",
            "backend.channels",
            "backend.inventory",
            "backend.orders",
            "backend.routing",
        }
    ),
    "backend.replenishment": frozenset(
        {
            "backend.catalog",
            "backend.channels",
            "backend.inventory",
            "backend.network",
            "backend.orders",
            "backend.routing",
            "core_ext",
        }
    ),
    "backend.documents": frozenset(
        {
            "backend.after_sales",
            "backend.channels",
            "backend.dropship",
            "backend.fulfilment",
            "backend.network",
            "backend.orders",
        }
    ),
    "backend.audit": frozenset({"backend.inventory"}),
}
"""Each centre with what it meets beside the ground; through public functions, never through SQL."""

LAYERS: dict[str, frozenset[str]] = {
    "tenants.principal": frozenset(),
    "core_ext": frozenset(),
    "backend.embedded": frozenset(),
    "backend.logs": frozenset(),
    "backend.clock": frozenset(),
    "backend.machines": frozenset(),
    "backend.moments": frozenset(),
    "backend.tracing": frozenset({"backend.db"}),
    "backend.metrics": frozenset({"backend.tracing"}),
    "backend.turnstile": frozenset({"backend.db", "backend.metrics"}),
    "backend.db": frozenset({"tenants.principal", "backend.clock", "core_ext"}),
    "tenants": frozenset({"tenants.principal", "backend.db", "backend.clock"}),
    "backend.settings": frozenset({"backend.db"}),
    "backend.server": frozenset({"backend.db"}),
    "backend.admission": frozenset({"tenants.principal", "backend.db"}) | WATCHED,
    "backend.events": frozenset({"tenants.principal", "backend.db"}) | WATCHED,
    "backend.conditions": frozenset({"backend.db"}),
    **{
        centre: met
        | GROUND
        | WHO
        | WATCHED
        | {"backend.conditions", "backend.machines", "backend.moments"}
        for centre, met in CENTRES.items()
    },
    "graphql_schema": frozenset(CENTRES)
    | GROUND
    | WHO
    | {"backend.conditions", "backend.machines", "backend.processes"},
    "loadtests": frozenset(CENTRES)
    | GROUND
    | WHO
    | {"core_ext", "backend.conditions", "backend.runtime", "backend.environment"}
    | {"backend.logs", "backend.settings"}
    # Who measures or breaks servers starts them.
    | {"backend.embedded", "backend.clock"}
    # A replay runs over the demo's nodes.
    | {"backend.demo"},
}
"""Each part with the parts that it may import."""

COMPOSING = frozenset(
    {
        "backend.__main__",
        "backend.app",
        "backend.cli",
        "backend.demo",
        "backend.environment",
        "backend.event_types",
        "backend.maintenance",
        "backend.messaging",
        "backend.processes",
        "backend.runtime",
        "backend.supervisor",
    }
)
"""These put everything together and may import it all; LAYERS says who may import them."""

SQL_LENT = {
    ("backend.app", "backend.db"),
    ("backend.maintenance", "backend.db"),
}
"""Who runs queries of another part: the readiness check and the creation of partitions."""


class Import(NamedTuple):
    """One name that one module imports from another of ours."""

    at: str
    source: str
    target: str
    name: str


def part_of(module: str) -> str:
    """Return the part of the system that a module belongs to, a key of the table."""
    words = module.split(".")
    if module == "tenants.principal":
        return module
    return ".".join(words[:2]) if words[0] == "backend" else words[0]


def module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@cache
def names() -> frozenset[str]:
    return frozenset(module_name(module.path) for module in modules())


@cache
def imports() -> list[Import]:
    """Return every import of ours by ours, resolved to the module that is meant."""
    found = []
    for module in modules():
        for node in ast.walk(module.tree):
            for target, name in _targets(node):
                at = module.at(node, target)
                found.append(Import(at, module_name(module.path), target, name))
    assert len(found) > 300, "the test does not see the imports"
    return found


def _targets(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        wanted = [(alias.name, "") for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.module, "imports name the whole path"
        wanted = [(node.module, alias.name) for alias in node.names]
    else:
        return
    for target, name in wanted:
        if target.split(".")[0] in OURS:
            submodule = f"{target}.{name}"
            yield (submodule, "") if submodule in names() else (target, name)


def may_import(source: str, target: str) -> bool:
    return source == target or source in COMPOSING or target in LAYERS.get(source, frozenset())


def test_imports_run_downward() -> None:
    report(
        f"{one.at} may not be imported by {part_of(one.source)}"
        for one in imports()
        if not may_import(part_of(one.source), part_of(one.target))
    )


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("tenants.principal", "backend.db"),
        ("backend.db", "tenants"),
        ("backend.admission", "backend.events"),
        ("backend.catalog", "backend.orders"),
        ("backend.orders", "graphql_schema"),
        ("backend.orders", "backend.runtime"),
        ("graphql_schema", "backend.app"),
        ("core_ext", "backend.db"),
        ("backend.nobody", "backend.db"),
    ],
)
def test_the_table_forbids(source: str, target: str) -> None:
    assert not may_import(source, target)


def test_every_part_is_in_the_table() -> None:
    known = LAYERS.keys() | COMPOSING | {"backend", "loadtests"}
    assert {part_of(name) for name in names()} <= known
    assert len(LAYERS.keys() & COMPOSING) == 0


def test_the_table_has_no_cycle() -> None:
    tuple(TopologicalSorter(LAYERS).static_order())


def test_modules_have_no_import_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for one in imports():
        graph.setdefault(one.source, set()).add(one.target)
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" ← ".join(error.args[1]), pytrace=False)


@pytest.mark.parametrize("simulated", ["backend.demo.platform.", "backend.demo.carrier."])
def test_what_is_simulated_shares_nothing_with_us(simulated: str) -> None:
    found = [one for one in imports() if one.source.startswith(simulated)]
    assert found, "the test does not see it"
    report(one.at for one in found if not f"{one.target}.".startswith(simulated))


def test_the_compiled_core_imports_nothing_of_ours() -> None:
    imported = re.compile(r"^\s*(?:from|import|cimport)\s+(?!core_ext)(\w+)")
    report(
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in files(".pyx", ".pxd", ".pyi")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (found := imported.match(line)) and found.group(1) in OURS
    )


# -------------------------------------------------------------------------- everybody's own SQL


def test_nobody_runs_the_queries_of_another() -> None:
    report(
        f"{one.at} lends its SQL to {part_of(one.source)}; call a function of it instead"
        for one in imports()
        if one.name == "SQL" and not may_run(part_of(one.source), part_of(one.target))
    )


def may_run(source: str, owner: str) -> bool:
    return source == owner or (source, owner) in SQL_LENT


def test_nobody_reaches_for_sql_through_a_module() -> None:
    report(
        module.at(node, "import SQL by its name, so that its use can be checked")
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr == "SQL"
    )


def test_queries_are_loaded_where_they_lie() -> None:
    folders = {name_of(path.parent) for path in files(".sql") if path.name == "queries.sql"}
    loading = {one.source for one in imports() if one.name == "load_queries"}
    assert {name.rpartition(".")[0].replace(".", "/") for name in loading} == folders
