"""Waves that are released by themselves, at times of the day (波次时刻)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from backend.db.commands import apply_once
from backend.db.pool import Database, TenantTransaction
from backend.fulfilment.errors import InvalidFulfilmentInput, NothingToRelease
from backend.fulfilment.waves import SQL, WaveDraft, release_wave
from backend.network.errors import UnknownNode
from backend.network.nodes import list_nodes
from backend.network.ranges import MINUTES_A_DAY
from tenants.brands import Brand
from tenants.principal import Permission, system_principal

WAVE_TIMES_MAX = 500


class WaveTime(msgspec.Struct, frozen=True):
    """A time of the day where the brand is: then a node, or each, gets what is ready for it."""

    minute: int
    """Since midnight."""
    node_id: int | None = None
    with_waiting: bool = False
    """Also what is there of orders of which other units wait for stock."""


async def set_wave_times(
    tx: TenantTransaction, times: Sequence[WaveTime], local: datetime, key: str
) -> list[WaveTime]:
    """Replace all times at which the brand's waves are released by themselves, once.

    A time that is over for today is one from tomorrow on; `local` is the time where the brand is.
    Raises PermissionMissing, InvalidFulfilmentInput, UnknownNode, CommandConflict; then nothing has
    changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    _check(times)

    async def work() -> list[WaveTime]:
        wanted = {one.node_id for one in times if one.node_id is not None}
        if wanted - {node.id for node in await list_nodes(tx)}:
            raise UnknownNode
        now = _minute(local)
        today, yesterday = local.date(), local.date() - timedelta(days=1)
        await tx.execute(SQL.lock_wave_times, tx.tenant_id)
        await tx.execute(SQL.delete_wave_times, tx.tenant_id)
        await tx.execute(
            SQL.insert_wave_times,
            tx.tenant_id,
            [one.node_id for one in times],
            [one.minute for one in times],
            [one.with_waiting for one in times],
            [today if one.minute <= now else yesterday for one in times],
        )
        return await list_wave_times(tx)

    return await apply_once(tx, key, ("wave_times", times), list[WaveTime], work)


async def list_wave_times(tx: TenantTransaction) -> list[WaveTime]:
    """Return the times at which the brand's waves are released by themselves."""
    rows = await tx.fetch(SQL.wave_times, tx.tenant_id)
    return [WaveTime(row["minute"], row["node_id"], row["with_waiting"]) for row in rows]


async def release_due_waves(database: Database, brand: Brand, local: datetime | None = None) -> int:
    """Release the waves whose time has come today: what was placed before it, and is ready.

    Returns how many fulfilments were released. Several processes may do so at once: each wave is
    released once, under a key of its day. One that was missed is made good on the same day; later
    the next one takes what it would have.
    """
    local = local or brand.local_time()
    principal = system_principal(brand.id, "waves")
    day = local.date()
    async with database.tenant_transaction(principal, read_only=True) as tx:
        due = await tx.fetch(SQL.due_wave_times, tx.tenant_id, day, _minute(local))
    released = 0
    for number, node_id, minute, with_waiting in due:
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        draft = WaveDraft(node_id, midnight + timedelta(minutes=minute), with_waiting)
        key = f"wave:{day}:{minute}:{node_id or 'all'}"
        try:
            wave = await release_wave(database, principal, draft, local, key)
            released += wave.fulfilments
        except NothingToRelease:
            pass
        async with database.tenant_transaction(principal) as tx:
            await tx.execute(SQL.note_wave_time, tx.tenant_id, number, day, minute)
    return released


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute


def _check(times: Sequence[WaveTime]) -> None:
    if len(times) > WAVE_TIMES_MAX:
        raise InvalidFulfilmentInput(f"At most {WAVE_TIMES_MAX} times.", path=("times",))
    if len({(one.node_id, one.minute) for one in times}) < len(times):
        raise InvalidFulfilmentInput("A time stands there twice.", path=("times",))
    for index, one in enumerate(times):
        if not 0 <= one.minute < MINUTES_A_DAY:
            raise InvalidFulfilmentInput(
                f"A time is a minute from 0 to {MINUTES_A_DAY - 1}.",
                path=("times", index, "minute"),
            )
