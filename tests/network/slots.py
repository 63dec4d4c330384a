"""Providers and slots that tests set."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from msgspec.structs import replace

from backend.db.pool import Database
from backend.network.model import SlotKind, SlotProviderDraft, SlotWindow
from backend.network.regions.table import bundled_regions
from backend.network.slots import set_slot_provider, set_slots
from tenants.principal import Principal
from tests.world import fresh_key

MORNING, AFTERNOON = (540, 720), (780, 1_020)
"""9 to 12, and 13 to 17."""
DOCK = SlotProviderDraft(code="dock", name="Dock", kind=SlotKind.DELIVERY, node="wh")
INSTALLER = SlotProviderDraft(code="fitters", name="Fitters", kind=SlotKind.INSTALLATION)


def dock_of(node: str) -> SlotProviderDraft:
    return replace(DOCK, code=f"dock-{node}", node=node)


def windows(*times: tuple[int, int], visits: int = 1) -> list[SlotWindow]:
    return [SlotWindow(first_minute=a, end_minute=b, visits=visits) for a, b in times]


async def put_provider(
    database: Database, who: Principal, draft: SlotProviderDraft, key: str = ""
) -> int:
    async with database.tenant_transaction(who) as tx:
        return await set_slot_provider(tx, draft, key=key or fresh_key(), regions=bundled_regions())


async def put_slots(
    database: Database,
    who: Principal,
    provider: str,
    days: tuple[date, date],
    times: Sequence[SlotWindow],
    key: str = "",
    **given: Any,
) -> int:
    async with database.tenant_transaction(who) as tx:
        return await set_slots(tx, provider, days, times, key=key or fresh_key(), **given)
