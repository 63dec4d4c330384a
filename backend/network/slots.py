"""Slots (档期): visits that somebody makes at agreed times, to deliver or to install.

Slots are the last counters of the lock order, sorted by provider, day and window.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.network.errors import InvalidTerms, UnknownNode, UnknownSlotProvider
from backend.network.model import (
    EVERY_DAY,
    Slot,
    SlotKind,
    SlotProvider,
    SlotProviderDraft,
    SlotWindow,
)
from backend.network.nodes import SQL
from backend.network.ranges import (
    MINUTES_A_DAY,
    require_between,
    require_name,
    require_region,
)
from backend.network.regions.table import RegionTable
from backend.network.terms_version import raise_terms_version
from tenants.principal import Permission

PROVIDERS_MAX = 1_000
"""Of a brand: who plans reads all of them."""
REGIONS_MAX = 1_000
CATEGORIES_MAX = 100
DAYS_MAX = 400
"""Days that are set at once, and to which visits are agreed in advance."""
WINDOWS_MAX = 24
"""Of a day, set at once: one an hour."""
VISITS_MAX = 100_000
SLOTS_READ_MAX = 20_000


class Window(NamedTuple):
    """A time that somebody would agree to."""

    day: date
    from_minute: int
    to_minute: int

    def lies_in(self, other: "Window") -> bool:
        """Whether it is a part, or all, of another one."""
        is_within = other.from_minute <= self.from_minute and self.to_minute <= other.to_minute
        return self.day == other.day and is_within


class SlotMoved(AssertionError):
    """A slot has fewer free visits than were read under its lock."""


async def set_slot_provider(
    tx: TenantTransaction, draft: SlotProviderDraft, *, key: str, regions: RegionTable
) -> int:
    """Set who makes visits, or change one that is there, once; returns its id.

    What it does, and for which node, stays as it was. Locks the key, then the version of the terms.
    Raises InvalidTerms, OutOfRange, UnknownRegion, UnknownNode, CommandConflict; then nothing has
    changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    _check_provider(draft, regions)
    kept = replace(
        draft,
        regions=tuple(sorted(set(draft.regions))),
        categories=tuple(sorted(set(draft.categories))),
    )

    async def work() -> int:
        await raise_terms_version(tx)
        node_id = None
        if kept.node is not None:
            node_id = await tx.fetch_value(SQL.node_of_code, tx.tenant_id, kept.node)
            if node_id is None:
                raise UnknownNode(f"There is no node {kept.node!r}.", path=("location",))
        provider_id: int | None = await tx.fetch_value(
            SQL.set_slot_provider,
            tx.tenant_id,
            kept.code,
            kept.name,
            kept.kind.value,
            node_id,
            list(kept.regions),
            list(kept.categories),
            kept.is_active,
        )
        if provider_id is None:
            raise InvalidTerms(
                "What a provider does, and for which location, stays; take another code.",
                path=("code",),
            )
        if len(await list_slot_providers(tx)) > PROVIDERS_MAX:
            raise InvalidTerms(f"A brand has at most {PROVIDERS_MAX:,} providers.", path=("code",))
        return provider_id

    return await apply_once(tx, key, ("set_slot_provider", kept), int, work)


async def set_slots(
    tx: TenantTransaction,
    code: str,
    days: tuple[date, date],
    windows: Sequence[SlotWindow],
    *,
    working_days: int = EVERY_DAY,
    key: str,
) -> int:
    """Set how many visits a provider makes in windows of days, once; returns how many slots.

    From the first of `days` to the last, both included, on the days of the week in `working_days`
    (bit 0 is Monday). A slot that is there has its limit changed: below what is taken, nothing more
    is agreed and what is agreed stays. Locks the key, then the slots in order. Raises OutOfRange,
    InvalidTerms, UnknownSlotProvider, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    chosen = _days(days, working_days)
    _check_windows(windows)

    async def work() -> int:
        await tx.execute(
            SQL.set_slots,
            tx.tenant_id,
            await _provider_of(tx, code),
            chosen,
            [window.first_minute for window in windows],
            [window.end_minute for window in windows],
            [window.visits for window in windows],
        )
        return len(chosen) * len(windows)

    content = ("set_slots", code, days, windows, working_days)
    return await apply_once(tx, key, content, int, work)


async def list_slot_providers(tx: TenantTransaction) -> list[SlotProvider]:
    """Return all providers, by id."""
    return await page_of_slot_providers(tx, 0, PROVIDERS_MAX + 1)


async def page_of_slot_providers(
    tx: TenantTransaction, after: int, limit: int
) -> list[SlotProvider]:
    """Return up to `limit` providers with ids above `after`."""
    rows = await tx.fetch(SQL.slot_providers, tx.tenant_id, after, limit)
    return [_provider(row) for row in rows]


async def slot_providers_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[SlotProvider]:
    """Return the providers of ids, in no order; what is not there is left out."""
    rows = await tx.fetch(SQL.slot_providers_by_ids, tx.tenant_id, ids)
    return [_provider(row) for row in rows]


async def page_of_slots(
    tx: TenantTransaction,
    days: tuple[date, date],
    provider: str | None,
    after: tuple[date, int],
    limit: int,
) -> list[Slot]:
    """Return up to `limit` slots from a day to another behind (day, id), of a provider or all.

    Raises UnknownSlotProvider.
    """
    provider_id = None if provider is None else await _provider_of(tx, provider)
    rows = await tx.fetch(SQL.page_of_slots, tx.tenant_id, *days, provider_id, *after, limit)
    return [Slot(*row) for row in rows]


async def slots_of_days(tx: TenantTransaction, first: date, last: date) -> list[Slot]:
    """Return the slots of active providers from a day to another, without locks."""
    rows = await tx.fetch(SQL.slots_of_days, tx.tenant_id, first, last, SLOTS_READ_MAX)
    return [Slot(*row) for row in rows]


async def slots_by_ids(tx: TenantTransaction, ids: Sequence[int]) -> list[Slot]:
    """Return the slots of ids, in no order; what is not there is left out."""
    return [Slot(*row) for row in await tx.fetch(SQL.slots_by_ids, tx.tenant_id, ids)]


async def lock_slots(
    tx: TenantTransaction, windows: Collection[Window], ids: Iterable[int] = ()
) -> list[Slot]:
    """Lock the slots of active providers within windows, and those of ids, in the one order."""
    days, firsts, ends = zip(*windows, strict=True) if windows else ((), (), ())
    rows = await tx.fetch(
        SQL.lock_slots, tx.tenant_id, list(days), list(firsts), list(ends), list(ids)
    )
    return [Slot(*row) for row in rows]


async def take_slots(tx: TenantTransaction, visits: Mapping[int, int]) -> None:
    """Lock slots, by id, and take visits of them, or (below 0) give these back.

    Raises SlotMoved if one has too few: who takes has read them under their locks.
    """
    moved = {slot_id: count for slot_id, count in visits.items() if count}
    if not moved:
        return
    rows = await tx.fetch(SQL.take_slots, tx.tenant_id, list(moved), list(moved.values()))
    if len(rows) < len(moved):
        raise SlotMoved


def _provider(row: Record) -> SlotProvider:
    typed = {
        "kind": SlotKind(row["kind"]),
        "regions": tuple(row["regions"]),
        "categories": tuple(row["categories"]),
    }
    return SlotProvider(**{**row, **typed})


async def _provider_of(tx: TenantTransaction, code: str) -> int:
    provider_id: int | None = await tx.fetch_value(SQL.slot_provider_of_code, tx.tenant_id, code)
    if provider_id is None:
        raise UnknownSlotProvider(f"There is no provider {code!r}.", path=("provider",))
    return provider_id


def _check_provider(draft: SlotProviderDraft, regions: RegionTable) -> None:
    require_name(("code",), draft.code)
    require_name(("name",), draft.name)
    if (draft.kind is SlotKind.DELIVERY) is (draft.node is None):
        raise InvalidTerms(
            "Who delivers does so for a location; an installer has none.", path=("location",)
        )
    if draft.kind is SlotKind.DELIVERY and draft.categories:
        raise InvalidTerms("Categories are those that an installer installs.", path=("categories",))
    if len(draft.regions) > REGIONS_MAX:
        raise InvalidTerms(f"Name at most {REGIONS_MAX:,} regions.", path=("regions",))
    if len(draft.categories) > CATEGORIES_MAX:
        raise InvalidTerms(f"Name at most {CATEGORIES_MAX} categories.", path=("categories",))
    for index, code in enumerate(draft.regions):
        require_region(("regions", index), code, regions)
    for index, category in enumerate(draft.categories):
        require_name(("categories", index), category)


def _days(days: tuple[date, date], working_days: int) -> list[date]:
    """Return the days of a period that are on the named days of the week."""
    first, last = days
    require_between(("workingDays",), working_days, 1, EVERY_DAY)
    count = (last - first).days + 1
    if not 1 <= count <= DAYS_MAX:
        raise InvalidTerms(f"Give 1 to {DAYS_MAX} days, the first one first.", path=("lastDay",))
    every = [first + timedelta(days=later) for later in range(count)]
    chosen = [day for day in every if working_days >> day.weekday() & 1]
    if not chosen:
        raise InvalidTerms("No day of these is one of the working days.", path=("workingDays",))
    return chosen


def _check_windows(windows: Sequence[SlotWindow]) -> None:
    if not 1 <= len(windows) <= WINDOWS_MAX:
        raise InvalidTerms(f"Give 1 to {WINDOWS_MAX} windows.", path=("windows",))
    if len({(each.first_minute, each.end_minute) for each in windows}) < len(windows):
        raise InvalidTerms("A window stands there twice.", path=("windows",))
    for index, window in enumerate(windows):
        path = ("windows", index)
        require_between((*path, "firstMinute"), window.first_minute, 0, MINUTES_A_DAY - 1)
        require_between(
            (*path, "endMinute"), window.end_minute, window.first_minute + 1, MINUTES_A_DAY
        )
        require_between((*path, "visits"), window.visits, 0, VISITS_MAX)
