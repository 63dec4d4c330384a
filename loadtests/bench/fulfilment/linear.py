"""Linear programs for HiGHS from columns of numbers, and what is read of their solutions."""

from typing import NamedTuple

import highspy
import numpy as np

from backend.routing.solver import silent_highs
from loadtests.bench.fulfilment.instance import Numbers
from loadtests.bench.fulfilment.network import Floats
from loadtests.bench.milp import NotSolved

GAP = 1e-6
"""HiGHS may end this far from the optimum of an integer program, relative to it."""


class Columns(NamedTuple):
    """Columns of at least 0; their entries come column by column."""

    cost: Floats
    start: Numbers
    """Of each column's entries, and the end of the last one's."""
    row: Numbers
    value: Floats


class Solution(NamedTuple):
    """The least cost, and what proves it."""

    cost: float
    columns: Floats
    """Empty where they were not asked for."""
    duals: Floats
    """Of each row: what one more of its bound changes the cost by."""


class Solver:
    """A program of least cost whose bounds change and to which columns are added."""

    def __init__(
        self,
        columns: Columns,
        least: Floats,
        most: Floats,
        *,
        method: str = "choose",
        are_whole: bool = False,
    ) -> None:
        """`least` and `most` bound the rows; `method` is an algorithm of HiGHS."""
        problem = highspy.HighsLp()
        count = len(columns.cost)
        problem.num_col_, problem.num_row_ = count, len(least)
        problem.col_cost_ = columns.cost
        problem.col_lower_, problem.col_upper_ = np.zeros(count), np.full(count, np.inf)
        problem.row_lower_, problem.row_upper_ = least, most
        problem.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        problem.a_matrix_.start_ = columns.start.astype(np.int32)
        problem.a_matrix_.index_ = columns.row.astype(np.int32)
        problem.a_matrix_.value_ = columns.value
        if are_whole:
            problem.integrality_ = [highspy.HighsVarType.kInteger] * count
        self._highs = silent_highs()
        self._highs.setOptionValue("solver", method)
        self._highs.setOptionValue("mip_rel_gap", GAP)
        self._highs.passModel(problem)
        self._rows = np.arange(len(least), dtype=np.int32)

    def bound(self, least: Floats, most: Floats) -> None:
        """Set the bounds of all rows."""
        self._highs.changeRowsBounds(len(self._rows), self._rows, least, most)

    def add(self, columns: Columns) -> None:
        """Add columns."""
        count = len(columns.cost)
        self._highs.addCols(
            count,
            columns.cost,
            np.zeros(count),
            np.full(count, np.inf),
            len(columns.row),
            columns.start[:-1].astype(np.int32),
            columns.row.astype(np.int32),
            columns.value,
        )

    def solve(self, *, needs_columns: bool = False) -> Solution:
        """Solve, from where it was if it was solved before. Raises NotSolved."""
        self._highs.run()
        status = self._highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise NotSolved(status)
        solution = self._highs.getSolution()
        return Solution(
            cost=float(self._highs.getObjectiveValue()),
            columns=np.array(solution.col_value if needs_columns else []),
            duals=np.array(solution.row_dual),
        )


def by_columns(cost: Floats, column: Numbers, row: Numbers, value: Floats) -> Columns:
    """Return columns from entries given in any order, each with its column."""
    order = np.argsort(column, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=len(cost)))])
    return Columns(cost, start, row[order], value[order])
