"""Terms by goods: a value a unit for each node and class of goods."""

from collections.abc import Callable

from backend.routing.criteria.criterion import MakeTerm
from backend.routing.goods_needs import Need, lacks
from backend.routing.model import Goods
from backend.routing.network_view import NetworkView
from backend.routing.numbering import Tables
from core_ext.policy import Kind, Term

UNITS_MAX = 1_023
"""Units that a criterion of this kind tells apart."""


def goods_term(name: str, row: Callable[[NetworkView, Goods], list[int]]) -> MakeTerm:
    """Return what makes a term with a value a unit for each node and class of goods."""

    def term(view: NetworkView, tables: Tables) -> Term:
        values = tables.goods.table(name, lambda goods: row(view, goods))
        return Term(kind=Kind.GOODS, values=values)

    return term


def unmet(name: str, needs: Need) -> MakeTerm:
    """Return what makes a term that counts units that need something the node cannot do."""

    def row(view: NetworkView, goods: Goods) -> list[int]:
        wanted = goods.needs & needs
        return [int(bool(lacks(wanted, node.capabilities))) for node in view.nodes]

    return goods_term(name, row)
