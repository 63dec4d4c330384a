"""Asking for simulations, cancelling them, and reading them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.orders.simulation.errors import (
    InvalidPeriod,
    SimulationEnded,
    TooManySimulations,
    UnknownSimulation,
)
from backend.orders.simulation.model import (
    Difference,
    RankedDifference,
    Routed,
    Simulation,
    SimulationResult,
    SimulationState,
)
from backend.routing.policies import document_of
from tenants.principal import Permission

SQL = load_queries(__file__)

PERIOD_MAX = timedelta(days=400)
"""A year, and the same season of the year before."""
OPEN_MAX = 20
"""Simulations of a brand that wait: each takes minutes of one process."""
DETAILED_MAX = 50
"""Simulations of a brand whose differences are kept, the newest: 10,000 rows each."""
OPEN_STATES = (SimulationState.QUEUED, SimulationState.RUNNING)

_result = msgspec.json.Decoder(SimulationResult).decode


async def start_simulation(
    tx: TenantTransaction,
    *,
    baseline: int,
    candidate: int,
    since: datetime,
    until: datetime,
    key: str,
) -> Simulation:
    """Ask for a simulation, once, and return it; a worker takes it up.

    Of all but the newest DETAILED_MAX the differences are dropped; what they came to is kept.
    Locks the key, then the brand's simulations. Raises InvalidPeriod, UnknownPolicy for a version
    that does not exist (0 is the default policy), TooManySimulations, CommandConflict; then
    nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    if since.tzinfo is None or until.tzinfo is None:
        raise InvalidPeriod("Give times with their offset from UTC.", path=("since",))

    async def work() -> Simulation:
        if not since < until <= await tx.fetch_value(SQL.database_now):
            raise InvalidPeriod(path=("until",))
        if until - since > PERIOD_MAX:
            raise InvalidPeriod(path=("since",))
        await document_of(tx, baseline)
        await document_of(tx, candidate)
        await tx.execute(SQL.lock_simulations, tx.tenant_id)
        if await tx.fetch_value(SQL.open_simulations, tx.tenant_id) >= OPEN_MAX:
            raise TooManySimulations
        asked = (baseline, candidate, since, until, tx.principal.subject)
        row = await tx.fetch_row(SQL.insert_simulation, tx.tenant_id, *asked)
        assert row is not None, "an insert returns its row"
        await tx.execute(SQL.drop_old_differences, tx.tenant_id, DETAILED_MAX)
        return simulation_from(row)

    content = ("start_simulation", baseline, candidate, since, until)
    return await apply_once(tx, key, content, Simulation, work)


async def cancel_simulation(tx: TenantTransaction, simulation_id: int, *, key: str) -> Simulation:
    """End a simulation that waits or is run, once, and return it; whoever runs it notices.

    Locks the key, then the simulation. Raises UnknownSimulation, SimulationEnded, CommandConflict;
    then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)

    async def work() -> Simulation:
        found = await tx.fetch_row(SQL.lock_simulation, tx.tenant_id, simulation_id)
        if found is None:
            raise UnknownSimulation
        if SimulationState(found["state"]) not in OPEN_STATES:
            raise SimulationEnded
        row = await tx.fetch_row(SQL.cancel_simulation, tx.tenant_id, simulation_id)
        assert row is not None, "it is locked"
        return simulation_from(row)

    return await apply_once(tx, key, ("cancel_simulation", simulation_id), Simulation, work)


async def simulations_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Simulation]:
    """Return the simulations that exist and may be seen among the ids."""
    rows = await tx.fetch(SQL.simulations_by_ids, tx.tenant_id, ids)
    return [simulation_from(row) for row in rows]


async def simulation(tx: TenantTransaction, simulation_id: int) -> Simulation:
    """Return a simulation; raises UnknownSimulation."""
    found = await simulations_by_ids(tx, [simulation_id])
    if not found:
        raise UnknownSimulation
    return found[0]


async def page_of_simulations(tx: TenantTransaction, below: int, limit: int) -> list[Simulation]:
    """Return up to `limit` simulations below an id, the newest first."""
    rows = await tx.fetch(SQL.page_of_simulations, tx.tenant_id, below, limit)
    return [simulation_from(row) for row in rows]


async def page_of_differences(
    tx: TenantTransaction, simulation_id: int, after: int, limit: int
) -> list[RankedDifference]:
    """Return up to `limit` differences of a simulation after a rank, the largest first."""
    rows = await tx.fetch(SQL.page_of_differences, tx.tenant_id, simulation_id, after, limit)
    return [_difference(row) for row in rows]


async def differences_by_keys(
    tx: TenantTransaction, keys: Sequence[tuple[int, ...]]
) -> dict[tuple[int, ...], RankedDifference]:
    """Return differences by simulation and rank."""
    ids, ranks = [key[0] for key in keys], [min(key[1], 2**31 - 1) for key in keys]
    rows = await tx.fetch(SQL.differences_by_keys, tx.tenant_id, ids, ranks)
    return {(row["simulation_id"], row["rank"]): _difference(row) for row in rows}


def simulation_from(row: Record) -> Simulation:
    """Return a simulation as a row has it."""
    values = dict(row)
    result = values.pop("result")
    state = SimulationState(values.pop("state"))
    return Simulation(state=state, result=None if result is None else _result(result), **values)


def _difference(row: Record) -> RankedDifference:
    sides = [
        Routed(
            nodes=tuple(row[f"nodes_{side}"]),
            unplaced=row[f"unplaced_{side}"],
            freight_minor=row[f"freight_minor_{side}"],
            cost_minor=row[f"cost_minor_{side}"],
            distance_m=row[f"distance_m_{side}"],
            arrives_on=row[f"arrives_on_{side}"],
        )
        for side in ("before", "after")
    ]
    return RankedDifference(
        row["simulation_id"], row["rank"], Difference(row["order_id"], sides[0], sides[1])
    )
