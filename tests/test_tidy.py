"""The house style, as far as a test can enforce it.

Three checks have an escape: a comment on the same statement that says why, `# sql-ok: reason` for
SQL in Python and `# door-ok: reason` for a connection taken (or anything acquired) elsewhere.
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("backend", "core_ext", "graphql_schema", "tenants", "loadtests")
CODE = (".py", ".pyi", ".pyx", ".pxd", ".lua")
MODULE_LINES_MAX = 500
MODULE_LINES_MEDIAN_MAX = 120
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_USUAL_MAX = 35
FUNCTIONS_USUAL_SHARE = 0.9
COLUMNS_MAX = 100
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
READS_ENVIRONMENT = {"backend/settings.py"}
DOORS = {"backend/db/pool.py", "backend/db/migrate.py"}
SQL_START = re.compile(
    r"\s*(select\b.*(\(|\bfrom\b|\d)|insert\s+into\b|update\s+\S+\s+set\b|delete\s+from\b"
    r"|with\s+\w+\s+as\b|truncate\b|set\s+(local\s+)?(role|\w+_timeout)\b"
    r"|(create|alter|drop|grant|lock|copy)\s+(table|index|role|database|schema|policy|function)\b)",
    re.IGNORECASE | re.DOTALL,
)
# What only the machine of its author has, and papers that are not part of the repository.
FOREIGN = re.compile(
    r"(?<![\w.~>])/(home|root|Users|work)/\w|\b[A-Z]:\\\\?Users\b|\bDESIGN\.md\b|\bSTYLE\.md\b"
    r"|(?<![\w/.-])[s]hared/(?=\W|reference|data|seeds|tools|hooks)"
)
TEXT_BYTES_MAX = 2_000_000
"""Larger files are data, and nobody wrote a path into them."""


class Module(NamedTuple):
    """A parsed Python file of ours."""

    path: str
    lines: list[str]
    tree: ast.Module

    def at(self, node: ast.AST, message: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {message}"

    def has_escape(self, node: ast.AST, word: str) -> bool:
        first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
        return any(re.search(rf"# {word}: \w", line) for line in self.lines[first - 1 : last])


Check = Callable[[Module], Iterator[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked() -> list[Path]:
    """Return the files that are, or would be, under version control."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    paths = [ROOT / name for name in names.split("\0") if name]
    return [path for path in paths if path.is_file()]


def files(*suffixes: str) -> list[Path]:
    """Return our source files with one of the endings."""
    return [
        path
        for path in tracked()
        if path.relative_to(ROOT).parts[0] in FOLDERS and path.suffix in suffixes
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def modules() -> list[Module]:
    found = []
    for path in files(".py"):
        text = path.read_text("utf-8")
        found.append(Module(name_of(path), text.splitlines(), ast.parse(text)))
    assert len(found) > 100, "the test looks in the wrong folder"
    return found


def line_count(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def functions(module: Module) -> Iterator[tuple[Function, int]]:
    """Yield every function with its number of lines, decorators aside."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            assert node.end_lineno is not None
            yield node, node.end_lineno - node.lineno + 1


def report(faults: Iterable[str]) -> None:
    listed = sorted(faults)
    if listed:
        pytest.fail("\n".join(listed), pytrace=False)


# ------------------------------------------------------------------------------------ sizes


def test_modules_are_short() -> None:
    report(
        f"{name_of(path)}:1: {count} lines, at most {MODULE_LINES_MAX}"
        for path in files(*CODE)
        if (count := line_count(path)) > MODULE_LINES_MAX
    )


def test_most_modules_fit_on_three_screens() -> None:
    counts = [len(module.lines) for module in modules() if module.lines]
    assert median(counts) <= MODULE_LINES_MEDIAN_MAX


def test_functions_fit_on_a_screen() -> None:
    report(
        module.at(node, f"{node.name} has {count} lines, at most {FUNCTION_LINES_MAX}")
        for module in modules()
        for node, count in functions(module)
        if count > FUNCTION_LINES_MAX
    )


def test_most_functions_are_much_shorter() -> None:
    counts = [count for module in modules() for _, count in functions(module)]
    usual = sum(count <= FUNCTION_LINES_USUAL_MAX for count in counts)
    assert usual / len(counts) >= FUNCTIONS_USUAL_SHARE


def test_lines_fit() -> None:
    report(
        f"{name_of(path)}:{number}: {len(line)} columns, at most {COLUMNS_MAX}"
        for path in files(*CODE, ".sql")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > COLUMNS_MAX
    )


# ---------------------------------------------------------------------------- what a module has


def vague_name(module: Module) -> Iterator[str]:
    for part in Path(module.path).with_suffix("").parts:
        if part in VAGUE_NAMES:
            yield f"{module.path}:1: {part!r} says nothing; name it by what it does"


def missing_docstring(module: Module) -> Iterator[str]:
    is_public = not Path(module.path).stem.startswith("_") or module.path.endswith("__init__.py")
    if is_public and module.tree.body and not ast.get_docstring(module.tree):
        yield f"{module.path}:1: a public module says in its docstring what it is for"


def inner_import(module: Module) -> Iterator[str]:
    for function, _ in functions(module):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield module.at(node, f"import inside of {function.name}")


def printing(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and node.id in {"print", "pprint"}:
            yield module.at(node, "print; log it, or let backend.cli say it")


def reading_environment(module: Module) -> Iterator[str]:
    if module.path in READS_ENVIRONMENT:
        return
    names = {"environ", "environb", "getenv", "putenv"}
    for node in ast.walk(module.tree):
        is_attribute = isinstance(node, ast.Attribute) and node.attr in names
        is_import = isinstance(node, ast.ImportFrom) and {a.name for a in node.names} & names
        if is_attribute or is_import:
            yield module.at(node, "only backend.settings reads the environment")


def sql_in_python(module: Module) -> Iterator[str]:
    texts = docstrings(module.tree)
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        is_sql = node not in texts and SQL_START.match(node.value)
        if is_sql and not module.has_escape(node, "sql-ok"):
            yield module.at(node, f"SQL belongs into a queries.sql: {node.value[:40]!r}")


def docstrings(tree: ast.Module) -> set[ast.expr]:
    """Return the bare strings: docstrings, and the texts below constants and fields."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def side_doors(module: Module) -> Iterator[str]:
    if module.path in DOORS:
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Attribute) or module.has_escape(node, "door-ok"):
            continue
        of_asyncpg = isinstance(node.value, ast.Name) and node.value.id == "asyncpg"
        is_ours = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
        if node.attr == "acquire" or (of_asyncpg and node.attr in {"connect", "create_pool"}):
            yield module.at(node, f".{node.attr}: connections are taken by backend.db.pool alone")
        if node.attr in {"_pool", "_connection"} and not is_ours:
            yield module.at(node, f".{node.attr} reaches behind the door")


def imported_doors(module: Module) -> Iterator[str]:
    if module.path in DOORS:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "asyncpg":
            yield module.at(node, "write `import asyncpg`, so that the door can be watched")


CHECKS: tuple[Check, ...] = (
    vague_name,
    missing_docstring,
    inner_import,
    printing,
    reading_environment,
    sql_in_python,
    side_doors,
    imported_doors,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_module_has(check: Check) -> None:
    report(fault for module in modules() for fault in check(module))


# A check that finds nothing may be blind: each must see what it is made for.
BAD: dict[Check, str] = {
    inner_import: "def f():\n    import os\n",
    printing: "print('x')\n",
    reading_environment: "import os\nos.environ['X']\n",
    sql_in_python: "TEXT = 'update orders set x = 1'\n",
    side_doors: "connection = pool.acquire()\n",
    imported_doors: "from asyncpg import connect\n",
    missing_docstring: "X = 1\n",
}


@pytest.mark.parametrize("check", BAD, ids=lambda check: check.__name__)
def test_the_check_sees(check: Check) -> None:
    text = BAD[check]
    assert list(check(Module("backend/some.py", text.splitlines(), ast.parse(text))))


@pytest.mark.parametrize(
    "text", ["'Select a brand.'", "'update'", "'With care, as ever'", "'delete failed'"]
)
def test_english_is_no_sql(text: str) -> None:
    assert not list(sql_in_python(Module("backend/some.py", [text], ast.parse(f"X = {text}"))))


def test_vague_names_are_seen() -> None:
    for path in ("backend/utils.py", "backend/common/orders.py"):
        assert list(vague_name(Module(path, [], ast.Module([], []))))


def test_an_escape_comment_needs_a_reason() -> None:
    for text, expected in (("X = 'delete from t'  # sql-ok:", 1), ("X = 'x'  # sql-ok: why", 0)):
        assert len(list(sql_in_python(Module("a.py", [text], ast.parse(text))))) == expected


# ------------------------------------------------------------------------------- the repository


def test_nothing_names_one_machine_or_private_papers() -> None:
    report(
        f"{name_of(path)}:{number}: {found.group()!r}"
        for path in tracked()
        if path.stat().st_size <= TEXT_BYTES_MAX
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if (found := FOREIGN.search(line))
    )


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_is_locked_by_hash(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert entries
    report(
        f"{name}: {entry.split()[0]} has no pinned version or no hash"
        for entry in entries
        if not re.match(r"[\w.\[\]-]+==\S+ ", entry) or "--hash=sha256:" not in entry
    )


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*")), ids=lambda path: path.name)
def test_no_registry_is_named(path: Path) -> None:
    registry = re.compile(r"^\s*(-i\b|-f\b|--index-url|--extra-index|--find-links)|://")
    lines = enumerate(path.read_text().splitlines(), 1)
    report(f"{path.name}:{number}: {line}" for number, line in lines if registry.search(line))


def test_setup_says_nothing_but_what_to_compile() -> None:
    tree = ast.parse((ROOT / "setup.py").read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    setups = [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "setup"]
    assert [[keyword.arg for keyword in call.keywords] for call in setups] == [["ext_modules"]]
