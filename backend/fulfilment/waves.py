"""Releasing orders to their nodes in waves (波次): from then on somebody works on them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from backend.db.commands import apply_once, part_of_key
from backend.db.errors import YipanError
from backend.db.pool import Database, Record, TenantTransaction
from backend.db.sql import load_queries
from backend.events.model import Payload
from backend.fulfilment.bulk import answers_of, check_size, working
from backend.fulfilment.errors import InvalidFulfilmentInput, NothingToRelease
from backend.fulfilment.events import FulfilmentReleased
from backend.fulfilment.model import BULK_MAX, WAVE_MAX, Answered, Wave
from backend.moments import fault_of_time
from backend.orders.auditing.auditor import unaudited_orders
from backend.orders.auditing.model import NotAudited
from backend.orders.find_work import BEFORE_ALL, ReadyFor, ready_fulfilments
from backend.orders.move_fulfilments import Batch, FulfilmentKey, Moved, move_fulfilments
from backend.orders.states import FULFILMENT
from tenants.principal import Kind, Principal

SQL = load_queries(__file__)
RELEASE = FULFILMENT.step("release")
BEFORE_ITS_DAY = timedelta(days=1)
"""An order with an appointment is begun with on the day before it."""
REFUSED_MAX = 100
"""Refusals that a wave lists: orders that were changed while it was released."""


class WaveDraft(NamedTuple):
    """What a wave releases: of a node or of all, placed before a time, at most so many."""

    node_id: int | None = None
    placed_before: datetime | None = None
    with_waiting: bool = False
    """Also what is there of orders of which other units wait for stock."""
    limit: int = WAVE_MAX


class _Piece(msgspec.Struct, frozen=True):
    """One transaction of a wave."""

    wave_id: int
    released: int
    last: FulfilmentKey
    is_last: bool
    refused: tuple[Answered, ...]


async def release_wave(
    database: Database, principal: Principal, draft: WaveDraft, local: datetime, key: str
) -> Wave:
    """Let nodes begin with what is ready for them, the oldest orders first.

    Ready is what nobody holds, of orders of which nothing waits for stock, and, with an
    appointment, from the day before it; what rules have not audited yet is refused, one by one.
    `local` is the time where the brand is. In pieces of BULK_MAX, each once under a key of its own:
    who was cut off asks again with the same key, and it goes on where it was. Locks, in each piece,
    its key and the orders. Emits `fulfilment.released`. Raises PermissionMissing, WriteRefused,
    InvalidFulfilmentInput, NothingToRelease, CommandConflict.
    """
    if not 0 < draft.limit <= WAVE_MAX:
        raise InvalidFulfilmentInput(f"A wave has 1 to {WAVE_MAX} fulfilments.", path=("limit",))
    ready = ReadyFor(
        draft.node_id,
        draft.placed_before,
        draft.with_waiting,
        (local + BEFORE_ITS_DAY).date(),
    )
    if draft.placed_before is not None and (fault := fault_of_time(draft.placed_before)):
        raise InvalidFulfilmentInput(fault, path=("placedBefore",))
    if principal.kind is Kind.STORE and draft.node_id not in principal.node_ids:
        raise InvalidFulfilmentInput("Say for which of your nodes.", path=("locationId",))
    wave = Wave(0, 0, ())
    after = BEFORE_ALL
    for number in range(-(-draft.limit // BULK_MAX)):
        limit = min(BULK_MAX, draft.limit - number * BULK_MAX)
        content = "release_wave", draft, number
        async with working(database, principal) as tx:

            async def work(
                tx: TenantTransaction = tx,
                wave_id: int = wave.id,
                after: FulfilmentKey = after,
                limit: int = limit,
            ) -> _Piece:
                return await _release(tx, wave_id, ready, after, limit)

            piece_key = part_of_key(key, str(number)) if number else key
            piece = await apply_once(tx, piece_key, content, _Piece, work)
        refused = (*wave.refused, *piece.refused)[:REFUSED_MAX]
        wave = Wave(piece.wave_id, wave.fulfilments + piece.released, refused)
        after = piece.last
        if piece.is_last:
            break
    return wave


async def _release(
    tx: TenantTransaction, wave_id: int, ready: ReadyFor, after: FulfilmentKey, limit: int
) -> _Piece:
    keys = await ready_fulfilments(tx, ready, after, limit)
    if not keys:
        if not wave_id:
            raise NothingToRelease
        return _Piece(wave_id, 0, after, True, ())
    wave_id, moved = await _move(tx, wave_id, ready.node_id, keys)
    refused = tuple(answer for answer in answers_of(keys, moved) if not answer.is_done)
    return _Piece(wave_id, len(moved.done), keys[-1], len(keys) < limit, refused)


async def release_fulfilments(
    database: Database, principal: Principal, keys: Sequence[FulfilmentKey], key: str
) -> Wave:
    """Let nodes begin with these fulfilments, whatever else their orders wait for.

    Each is answered by itself. Guarantees and errors are those of `release_wave`.
    """
    check_size(keys, BULK_MAX)
    async with working(database, principal) as tx:

        async def work() -> Wave:
            wave_id, moved = await _move(tx, 0, None, keys)
            refused = tuple(answer for answer in answers_of(keys, moved) if not answer.is_done)
            return Wave(wave_id, len(moved.done), refused)

        return await apply_once(tx, key, ("release", keys), Wave, work)


async def _move(
    tx: TenantTransaction, wave_id: int, node_id: int | None, keys: Sequence[FulfilmentKey]
) -> tuple[int, Moved]:
    """Release fulfilments as part of a wave, a new one for 0."""
    if not wave_id:
        wave_id = await tx.fetch_value(SQL.insert_wave, tx.tenant_id, node_id, tx.principal.subject)

    def tell(row: Record) -> Payload:
        return FulfilmentReleased(row["order_id"], row["fulfilment_no"], row["node_id"], wave_id)

    unaudited = await unaudited_orders(tx, sorted({key.order_id for key in keys}))

    def not_yet(row: Record) -> YipanError | None:
        return NotAudited() if row["order_id"] in unaudited else None

    batch = Batch(wave_id=wave_id)
    moved = await move_fulfilments(tx, RELEASE, keys, tell, batch=batch, check=not_yet)
    await tx.execute(SQL.count_wave, tx.tenant_id, wave_id, len(moved.done))
    return wave_id, moved
