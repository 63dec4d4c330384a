"""Trying a policy on live orders before it is active: in the shadow, or for a share of them.

In the shadow a candidate plans every new order too, and only its figures are kept. As a canary it
routes a share of the orders for good. Where a figure that whoever started it has named gets worse
than the baseline's by more than was allowed, the rollout returns: all orders are routed by the
active policy again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.network.regions.table import RegionTable
from backend.routing.errors import (
    InvalidRollout,
    RolloutRunning,
    UnknownRollout,
)
from backend.routing.kpis import Figures, Kpi, value_of
from backend.routing.policies import POLICIES, SQL, active_policy, check_in_network
from tenants.principal import Permission

WHOLE_BP = 10_000
WORSE_BP_MAX = 100_000
LEAST_ORDERS_MAX = 10_000_000


class RolloutMode(StrEnum):
    """How a candidate is tried."""

    SHADOW = "shadow"
    CANARY = "canary"


class RolloutState(StrEnum):
    """Where a rollout stands."""

    RUNNING = "running"
    RETURNED = "returned"
    """It was ended because the named figure got worse."""
    ENDED = "ended"


class Side(StrEnum):
    """Whose orders figures are of."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate on trial."""

    id: int
    baseline: int
    """The version that was active when it was started; 0 for the default policy."""
    candidate: int
    mode: RolloutMode
    share_bp: int
    """Of the orders that the candidate routes; 0 in the shadow."""
    kpi: Kpi
    worse_bp: int
    """By how much the figure may be worse, of the baseline's."""
    least_orders: int
    """Orders of each side before anything is judged."""
    state: RolloutState
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    reason: str


class RolloutDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout to be started."""

    candidate: int
    mode: RolloutMode
    share_bp: int = 0
    kpi: Kpi = Kpi.COST
    worse_bp: int = 500
    least_orders: int = 200


async def start_rollout(
    tx: TenantTransaction, draft: RolloutDraft, *, key: str, regions: RegionTable
) -> Rollout:
    """Try a policy on live orders from now on, once.

    Locks the key, then the brand's policies. Raises InvalidRollout, UnknownPolicy, InvalidPolicy,
    CommandConflict and, where another one is running, RolloutRunning; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    _check(draft)

    async def work() -> Rollout:
        await tx.execute(SQL.lock_policies, tx.tenant_id)
        candidate = await POLICIES.get(tx, draft.candidate)
        await check_in_network(tx, candidate.document, regions)
        _, active = await active_policy(tx)
        if draft.candidate == active:
            raise InvalidRollout("This version is active already.", path=("candidate",))
        if await running_rollout(tx) is not None:
            raise RolloutRunning
        row = await tx.fetch_row(
            SQL.insert_rollout,
            tx.tenant_id,
            active,
            draft.candidate,
            draft.mode.value,
            draft.share_bp,
            draft.kpi.value,
            draft.worse_bp,
            draft.least_orders,
            tx.principal.subject,
        )
        assert row is not None, "an insert returns its row"
        return _rollout(row)

    return await apply_once(tx, key, ("start_rollout", draft), Rollout, work)


def _check(draft: RolloutDraft) -> None:
    is_canary = draft.mode is RolloutMode.CANARY
    least = 1 if is_canary else 0
    most = WHOLE_BP - 1 if is_canary else 0
    for name, value, low, high in (
        ("shareBp", draft.share_bp, least, most),
        ("worseBp", draft.worse_bp, 0, WORSE_BP_MAX),
        ("leastOrders", draft.least_orders, 1, LEAST_ORDERS_MAX),
    ):
        if not low <= value <= high:
            raise InvalidRollout(f"{name} lies between {low} and {high} here.", path=(name,))


async def end_rollout(tx: TenantTransaction, rollout_id: int, *, key: str) -> Rollout:
    """Route everything by the active policy again, once.

    Locks the key, then the brand's policies. Raises UnknownRollout where it is not running, and
    CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)

    async def work() -> Rollout:
        await tx.execute(SQL.lock_policies, tx.tenant_id)
        reason = f"Ended by {tx.principal.subject}."
        return await _end(tx, rollout_id, RolloutState.ENDED, reason)

    return await apply_once(tx, key, ("end_rollout", rollout_id), Rollout, work)


async def _end(tx: TenantTransaction, rollout_id: int, state: RolloutState, reason: str) -> Rollout:
    row = await tx.fetch_row(SQL.end_rollout, tx.tenant_id, rollout_id, state.value, reason)
    if row is None:
        raise UnknownRollout
    return _rollout(row)


async def running_rollout(tx: TenantTransaction) -> Rollout | None:
    """Return the rollout that is running, if one is."""
    row = await tx.fetch_row(SQL.running_rollout, tx.tenant_id)
    return None if row is None else _rollout(row)


async def page_of_rollouts(tx: TenantTransaction, below: int, limit: int) -> list[Rollout]:
    """Return up to `limit` rollouts below an id, the newest first."""
    return [
        _rollout(row) for row in await tx.fetch(SQL.page_of_rollouts, tx.tenant_id, below, limit)
    ]


async def rollouts_by_ids(
    tx: TenantTransaction, keys: Sequence[tuple[int, ...]]
) -> dict[tuple[int, ...], Rollout]:
    """Return rollouts, each by its number alone."""
    rows = await tx.fetch(SQL.rollouts_by_ids, tx.tenant_id, [number for (number,) in keys])
    return {(row["id"],): _rollout(row) for row in rows}


async def figures_of_rollouts(
    tx: TenantTransaction, ids: Sequence[int]
) -> dict[tuple[int, Side], Figures]:
    """Return the sums of both sides of rollouts; a side without orders is left out."""
    found = {}
    for row in await tx.fetch(SQL.figures_of_rollouts, tx.tenant_id, list(ids)):
        values = dict(row)
        at = values.pop("rollout_id"), Side(values.pop("side"))
        found[at] = Figures(**values)
    return found


async def add_figures(tx: TenantTransaction, seen: Mapping[tuple[int, Side], Figures]) -> None:
    """Add to the sums of rollouts, as the tenant's system."""
    for (rollout_id, side), sums in sorted(seen.items()):
        await tx.execute(
            SQL.add_figures, tx.tenant_id, rollout_id, side.value, *msgspec.structs.astuple(sums)
        )


async def judge_rollout(tx: TenantTransaction) -> Rollout | None:
    """End the running rollout if its figure got worse than allowed; returns it then.

    A rollout whose baseline is active no more ends too: nobody knows what to compare with.
    """
    running = await running_rollout(tx)
    if running is None:
        return None
    _, active = await active_policy(tx)
    if active != running.baseline:
        reason = f"Version {active} became active."
        return await _end(tx, running.id, RolloutState.ENDED, reason)
    sums = await figures_of_rollouts(tx, [running.id])
    reason = verdict(
        running,
        sums.get((running.id, Side.BASELINE), Figures()),
        sums.get((running.id, Side.CANDIDATE), Figures()),
    )
    if not reason:
        return None
    return await _end(tx, running.id, RolloutState.RETURNED, reason)


def verdict(rollout: Rollout, baseline: Figures, candidate: Figures) -> str:
    """Return why a rollout must return; none where it may go on."""
    if min(baseline.orders, candidate.orders) < rollout.least_orders:
        return ""
    before, after = value_of(rollout.kpi, baseline), value_of(rollout.kpi, candidate)
    if after <= before * (WHOLE_BP + rollout.worse_bp) / WHOLE_BP:
        return ""
    return (
        f"{rollout.kpi.value} rose from {before:.4g} to {after:.4g}, by more than "
        f"{rollout.worse_bp / 100:g} %, over {candidate.orders} orders."
    )


def _rollout(row: Record) -> Rollout:
    values = dict(row)
    return Rollout(
        mode=RolloutMode(values.pop("mode")),
        kpi=Kpi(values.pop("kpi")),
        state=RolloutState(values.pop("state")),
        **values,
    )
