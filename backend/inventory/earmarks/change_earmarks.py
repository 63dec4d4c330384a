"""Opening, filling, emptying and closing earmarks."""

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec

from backend.catalog.find_skus import sku_ids_by_codes
from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.inventory import ledger
from backend.inventory.change_stock import warehouse_by_code
from backend.inventory.earmarks import model
from backend.inventory.earmarks.errors import (
    EarmarkClosed,
    InvalidEarmark,
    NotEnoughToEarmark,
    ShortEarmark,
    UnknownPool,
)
from backend.inventory.earmarks.model import Earmark, EarmarkDraft, EarmarkLine, OpenEarmark
from backend.inventory.earmarks.queries import SQL, earmark_by_code, lock_earmark
from backend.inventory.errors import InvalidQuantity
from backend.inventory.model import QUANTITY_MAX, CauseKind, Level, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.inventory.pools.layouts import LAYOUTS, compile_in_force
from backend.network.regions.table import RegionTable
from tenants.principal import Permission


class EarmarkChanged(msgspec.Struct, frozen=True):
    """An earmark after a command, and the levels that it changed; those are to be published."""

    earmark: Earmark
    levels: list[Level]


async def open_earmark(tx: TenantTransaction, draft: EarmarkDraft, *, key: str) -> EarmarkChanged:
    """Open an earmark, empty, once, and return it.

    Locks the key, then the layouts. Raises InvalidEarmark, UnknownPool, AlreadyExists,
    CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    work = partial(open_new, tx, draft)
    return await apply_once(tx, key, ("open_earmark", draft), EarmarkChanged, work)


async def open_new(tx: TenantTransaction, draft: EarmarkDraft) -> EarmarkChanged:
    """Do what `open_earmark` does, as a part of the caller's command."""
    _check(draft)
    await LAYOUTS.lock(tx)  # the pool stays
    active = await LAYOUTS.active(tx)
    if active is None or draft.pool not in {pool.code for pool in active.document.pools}:
        raise UnknownPool(path=("pool",))
    lending = draft.lending
    await tx.fetch_value(
        SQL.insert_earmark,
        tx.tenant_id,
        draft.code,
        draft.name,
        draft.kind.value,
        draft.pool,
        draft.ends_at,
        None if lending is None else lending.keep_bp,
        0 if lending is None else lending.keep_days,
        tx.principal.subject,
    )
    return EarmarkChanged(await earmark_by_code(tx, draft.code), [])


async def fill_earmark(
    tx: TenantTransaction,
    code: str,
    lines: Sequence[EarmarkLine],
    *,
    key: str,
    regions: RegionTable,
) -> EarmarkChanged:
    """Keep free units for an earmark's pool, all lines or none, once; returns the earmark.

    A line without a functional warehouse takes from those that feed the pool, where most is free
    first. Locks the key, the earmark, then the levels in order. Raises UnknownEarmark,
    EarmarkClosed, UnknownSku, UnknownWarehouse, InvalidQuantity, InvalidEarmark, UnknownPool,
    NotEnoughToEarmark, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    work = partial(fill, tx, code, lines, regions)
    return await apply_once(tx, key, ("fill_earmark", code, lines), EarmarkChanged, work)


async def fill(
    tx: TenantTransaction, code: str, lines: Sequence[EarmarkLine], regions: RegionTable
) -> EarmarkChanged:
    """Do what `fill_earmark` does, as a part of the caller's command."""
    _check_lines(lines)
    earmark = await lock_earmark(tx, code)
    ground = _Ground(tx, earmark, MovementType.EARMARKED)
    upstream = await _upstream(tx, earmark, lines, regions)
    return await ground.move(lines, upstream, code)


async def drop_earmark(
    tx: TenantTransaction, code: str, lines: Sequence[EarmarkLine], *, key: str
) -> EarmarkChanged:
    """Give unused units of an earmark back to all, all lines or none, once; returns the earmark.

    A line without a functional warehouse gives back where the earmark has most first. Locks and
    raises as `fill_earmark`.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    _check_lines(lines)

    async def work() -> EarmarkChanged:
        earmark = await lock_earmark(tx, code)
        ground = _Ground(tx, earmark, MovementType.EARMARK_DROPPED)
        return await ground.move(lines, earmark.warehouse_ids, code)

    return await apply_once(tx, key, ("drop_earmark", code, lines), EarmarkChanged, work)


async def close_earmark(tx: TenantTransaction, code: str, *, key: str) -> EarmarkChanged:
    """Give all that an earmark has unused back to all, forgive what it has lent, and close it.

    Once. What orders took stays theirs. Locks the key, the earmark, then its levels in order.
    Raises UnknownEarmark, EarmarkClosed, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.STOCK_WRITE)
    work = partial(_close, tx, code)
    return await apply_once(tx, key, ("close_earmark", code), EarmarkChanged, work)


async def _close(tx: TenantTransaction, code: str) -> EarmarkChanged:
    earmark = await lock_earmark(tx, code)
    rows = await tx.fetch(SQL.levels_of_earmark, tx.tenant_id, earmark.id)
    keys = [LevelKey(row["functional_warehouse_id"], row["sku_id"]) for row in rows]
    await ledger.lock_levels(tx, keys)
    rows = await tx.fetch(SQL.levels_of_earmark, tx.tenant_id, earmark.id)  # nobody moves them now
    cause_id = await ledger.next_cause_id(tx)
    movements = []
    for row in rows:
        key = LevelKey(row["functional_warehouse_id"], row["sku_id"])
        for kind, quantity in (
            (MovementType.EARMARK_REPAID, row["lent"]),
            (MovementType.EARMARK_DROPPED, row["lent"] + row["unused"]),
        ):
            if quantity:
                movements.append(_movement(earmark, key, kind, quantity, cause_id))
    levels = await ledger.record(tx, movements, tx.principal.subject) if movements else {}
    await tx.execute(SQL.close_earmark, tx.tenant_id, earmark.id, tx.principal.subject)
    return EarmarkChanged(await earmark_by_code(tx, code), list(levels.values()))


async def close_ended(tx: TenantTransaction, code: str) -> list[Level]:
    """Close an earmark whose time is over; returns the levels that changed.

    None if somebody else has closed it. Locks as `close_earmark` does.
    """
    try:
        return (await _close(tx, code)).levels
    except EarmarkClosed:
        return []


class _Ground:
    """An earmark under its lock, and what a command does to its levels."""

    def __init__(self, tx: TenantTransaction, earmark: OpenEarmark, kind: MovementType) -> None:
        self._tx = tx
        self._earmark = earmark
        self._kind = kind

    async def move(
        self, lines: Sequence[EarmarkLine], anywhere: Iterable[int], code: str
    ) -> EarmarkChanged:
        """Move the units of all lines, or raise NotEnoughToEarmark."""
        tx = self._tx
        sku_ids = await sku_ids_by_codes(tx, [line.sku for line in lines])
        named = {line.warehouse for line in lines if line.warehouse is not None}
        ids = {name: int((await warehouse_by_code(tx, name))["id"]) for name in sorted(named)}
        places = [[ids[line.warehouse]] if line.warehouse else list(anywhere) for line in lines]
        skus = [sku_ids[line.sku] for line in lines]
        keys = {
            LevelKey(at, sku) for sku, ids_of in zip(skus, places, strict=True) for at in ids_of
        }
        left = await self._left(keys)
        cause_id = await ledger.next_cause_id(tx)
        movements, short = [], []
        for line, sku_id, ids_of in zip(lines, skus, places, strict=True):
            wanted = line.quantity
            candidates = sorted(
                (LevelKey(at, sku_id) for at in ids_of), key=lambda key: (-left[key], key)
            )
            for key in candidates:
                if part := min(wanted, left[key]):
                    left[key] -= part
                    wanted -= part
                    movements.append(_movement(self._earmark, key, self._kind, part, cause_id))
            if wanted:
                short.append(ShortEarmark(line.sku, line.quantity, line.quantity - wanted))
        if short:
            raise NotEnoughToEarmark(short)
        levels = await ledger.record(tx, movements, tx.principal.subject)
        await self._note_warehouses(movements)
        return EarmarkChanged(await earmark_by_code(tx, code), list(levels.values()))

    async def _left(self, keys: Iterable[LevelKey]) -> dict[LevelKey, int]:
        """Lock the levels and return what may be moved of each: what is free, or what is unused."""
        wanted = sorted(set(keys))
        levels = await ledger.lock_levels(self._tx, wanted)
        left = dict.fromkeys(wanted, 0)
        if self._kind is MovementType.EARMARKED:
            return left | {key: max(0, level.signed_free) for key, level in levels.items()}
        for row in await self._tx.fetch(
            SQL.levels_of_earmark, self._tx.tenant_id, self._earmark.id
        ):
            key = LevelKey(row["functional_warehouse_id"], row["sku_id"])
            if key in left:
                left[key] = row["unused"]
        return left

    async def _note_warehouses(self, movements: Iterable[Movement]) -> None:
        known = set(self._earmark.warehouse_ids)
        used = known | {movement.key.functional_warehouse_id for movement in movements}
        if used != known:
            await self._tx.execute(
                SQL.note_warehouses, self._tx.tenant_id, self._earmark.id, sorted(used)
            )


def _movement(
    earmark: OpenEarmark, key: LevelKey, kind: MovementType, quantity: int, cause_id: int
) -> Movement:
    return Movement(
        key=key,
        type=kind,
        quantity=quantity,
        cause_kind=CauseKind.EARMARK,
        cause_id=cause_id,
        earmark_id=earmark.id,
    )


async def _upstream(
    tx: TenantTransaction, earmark: OpenEarmark, lines: Iterable[EarmarkLine], regions: RegionTable
) -> frozenset[int]:
    """Return the functional warehouses that feed an earmark's pool, if some line needs them."""
    if all(line.warehouse for line in lines):
        return frozenset()
    active = await LAYOUTS.active(tx)
    layout = None if active is None else await compile_in_force(tx, active.document, regions)
    if layout is None or earmark.pool not in layout.vertex_of_pool:
        raise UnknownPool
    return layout.upstream[layout.vertex_of_pool[earmark.pool]]


def _check(draft: EarmarkDraft) -> None:
    for name, value, most in (
        ("code", draft.code, model.CODE_LENGTH_MAX),
        ("name", draft.name, model.NAME_LENGTH_MAX),
    ):
        if not 0 < len(value.strip()) <= len(value) <= most or not value.isprintable():
            raise InvalidEarmark(
                f"An earmark's {name} has 1 to {most} printable characters.", path=(name,)
            )
    if draft.ends_at is not None and draft.ends_at.tzinfo is None:
        raise InvalidEarmark(
            "Say in which time zone, as in 2026-11-11T20:00:00Z.", path=("endsAt",)
        )
    lending = draft.lending
    if lending is not None and not 0 <= lending.keep_bp <= 10_000:
        raise InvalidEarmark(
            "What an earmark keeps lies between 0 and 10000 basis points.",
            path=("lending", "keepBp"),
        )
    if lending is not None and not 0 <= lending.keep_days <= model.LEND_KEEP_DAYS_MAX:
        raise InvalidEarmark(
            f"What an earmark keeps lies between 0 and {model.LEND_KEEP_DAYS_MAX} days of sales.",
            path=("lending", "keepDays"),
        )


def _check_lines(lines: Sequence[EarmarkLine]) -> None:
    if not 0 < len(lines) <= model.LINES_MAX:
        raise InvalidEarmark(f"A command has 1 to {model.LINES_MAX} lines.", path=("lines",))
    for index, line in enumerate(lines):
        if not 0 < line.quantity <= QUANTITY_MAX:
            raise InvalidQuantity(path=("lines", index, "quantity"))
