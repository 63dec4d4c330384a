"""Holds plans of random orders, with every limit, against the optima of a solver.

Up to 10 lines and 64 nodes, under both objectives, with and without quantities that may be split
and orders that may be short. A plan that says it is proved must cost what the optimum costs, every
plan must be within the limits, there must be one where the solver finds one (but for a few whose
parcels can only just be worth enough), and no lower bound may lie above an optimum.

python -m loadtests.torture.optimum [--instances N] [--first SEED]
python -m loadtests.torture.optimum --seed SEED      one order, with what became of it
"""

import argparse
import sys
import time
from collections import Counter
from functools import partial
from math import comb
from typing import Final, NamedTuple

from core_ext import planner
from core_ext.limits import SPLIT_SETS
from core_ext.planner_twin import order_as_seen
from loadtests.bench.milp import (
    NotSolved,
    optimum_of_split_quantities,
    optimum_of_whole_lines,
    whole_lines_can_be_had,
)
from loadtests.saying import say
from loadtests.torture.optimum_cases import case
from loadtests.torture.optimum_rules import (
    Asked,
    Plan,
    additive_costs,
    broken_limits,
    plan_of,
    with_quantities,
)

INSTANCES: Final = 2_000
PROGRESS_EVERY: Final = 500
MISSED: Final = "missed for what parcels must be worth"
"""Split quantities whose parcels can only just be worth enough: the planner may give up on them."""
MISSED_MOST_SHARE: Final = 0.001
"""It missed 3 of 20,000 orders when this was written."""


class Held(NamedTuple):
    """An order that was planned and held against the solver."""

    kind: str
    is_proved: bool
    gap: int
    findings: list[str]
    plan: Plan


def hold(seed: int) -> Held:
    """Plan the order of a seed, and hold the plan against the optimum."""
    made = case(seed)
    policy, demand = made.policies[1], made.demand
    plan = plan_of(planner.plan(made.books[0], [made.policies[0]], demand))
    order = order_as_seen(made.books[1], policy, demand, 0)
    asked = Asked(policy, order, demand.flags[0])
    findings = broken_limits(asked, plan)
    if not asked.may_be_planned:
        return Held("refused", False, 0, findings, plan)
    try:
        return _against_solver(asked, plan, findings)
    except NotSolved:
        return Held("not settled by the solver", False, 0, findings, plan)


def _against_solver(asked: Asked, plan: Plan, findings: list[str]) -> Held:
    kind = "split quantities" if asked.is_split else "whole lines"
    if plan.placed == asked.capped:
        best = _optimum(asked, plan)
        gap = _compare(plan, best, findings)
        return Held(kind, plan.is_proved, gap, findings, plan)
    if _can_be_had(asked):
        if asked.is_split and asked.policy.limits.least_value and not findings:
            return Held(MISSED, False, 0, findings, plan)
        findings.append("there is a plan for all that can be had")
    if not any(plan.placed):
        return Held("no plan", False, 0, findings, plan)
    gap = _compare(plan, _optimum(asked, plan), findings)
    return Held(f"a part of {kind}", plan.is_proved, gap, findings, plan)


def _optimum(asked: Asked, plan: Plan) -> int | None:
    """Return the least cost of what was placed; where no program knows it, the plan's own."""
    order = with_quantities(asked.order, plan.placed)
    if not asked.is_split:
        return optimum_of_whole_lines(asked.policy, order, plan.cost)
    costs = additive_costs(asked.policy, order)
    if costs is None:
        return plan.cost
    return optimum_of_split_quantities(asked.policy, order, *costs)


def _compare(plan: Plan, best: int | None, findings: list[str]) -> int:
    if best is None:
        findings.append("the solver finds no plan")
        return 0
    if plan.lower_bound > best:
        findings.append(f"the lower bound {plan.lower_bound} is above the optimum {best}")
    if plan.cost < best or (plan.is_proved and plan.cost != best):
        findings.append(f"the plan costs {plan.cost}, the optimum {best}")
    return plan.cost - best


def _can_be_had(asked: Asked) -> bool:
    """Whether some plan gives the order all that is there for it; False where it is not looked
    for further, because there are too many sets of nodes.
    """
    if not asked.leaves_enough:
        return False
    policy, order = asked.policy, with_quantities(asked.order, asked.capped)
    if not asked.is_split:
        return whole_lines_can_be_had(policy, order)
    nodes = sum(any(row[n] for row in order.available) for n in range(policy.node_count))
    if sum(comb(nodes, k) for k in range(1, policy.limits.max_nodes + 1)) > SPLIT_SETS:
        return False
    nothing = [0] * policy.node_count
    free = optimum_of_split_quantities(policy, order, nothing, [nothing] * len(order.quantities))
    return free is not None


def main() -> None:
    options = _parser().parse_args()
    if options.seed is not None:
        sys.exit(_show(options.seed))
    started = time.monotonic()
    counts, proved = Counter[str](), Counter[str]()
    largest = bad = 0
    for number, seed in enumerate(range(options.first, options.first + options.instances), 1):
        held = hold(seed)
        counts[held.kind] += 1
        if held.is_proved:
            proved[held.kind] += 1
            largest = max(largest, held.gap)
        if held.findings:
            bad += 1
            _print_bad(seed, held)
        if number % PROGRESS_EVERY == 0:
            say(f"{number:7,} orders, {bad} bad")
    for kind, count in counts.most_common():
        say(f"{count:7,} {kind}, {proved[kind]:,} proved")
    seconds = time.monotonic() - started
    say(f"{options.instances:,} orders held against the solver in {seconds:.0f} seconds, {bad} bad")
    say(f"the largest gap of a proved plan is {largest}")
    sys.exit(1 if bad or counts[MISSED] > options.instances * MISSED_MOST_SHARE else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Hold plans against the optima of a solver.")
    number = partial(parser.add_argument, type=int)
    number("--instances", default=INSTANCES)
    number("--first", default=0, help="the seed of the first")
    number("--seed", help="hold this one, and show it")
    return parser


def _show(seed: int) -> int:
    made, held = case(seed), hold(seed)
    say(f"{made.demand}")
    say(f"{made.policies[1].limits}")
    say(f"{held.plan}")
    say(f"{held.kind}, {'proved' if held.is_proved else 'not proved'}, gap {held.gap}")
    say("\n".join(held.findings) or "nothing is wrong with it")
    return 1 if held.findings else 0


def _print_bad(seed: int, held: Held) -> None:
    say(f"seed {seed}, {held.kind}:")
    for finding in held.findings:
        say(f"    {finding}")


if __name__ == "__main__":
    main()
