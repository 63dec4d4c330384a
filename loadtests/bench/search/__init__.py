"""How long the first page takes of whatever is looked for among two million orders."""

from loadtests.bench.search.measure import run

__all__ = ["run"]
