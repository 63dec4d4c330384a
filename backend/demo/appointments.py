"""Who delivers and installs large goods at agreed times in the demo (送装一体)."""

from datetime import date, timedelta

from backend.db.pool import TenantTransaction
from backend.demo import brand as demo
from backend.network.model import EVERY_DAY, SlotKind, SlotProviderDraft, SlotWindow
from backend.network.regions.table import RegionTable
from backend.network.slots import set_slot_provider, set_slots

DAYS_AHEAD = 60
TIMES = ((540, 720), (780, 1_020), (1_080, 1_260))
"""Morning, afternoon and evening."""
DELIVERIES, INSTALLATIONS = 40, 25
"""Of a warehouse, and of an installer, in each window."""
INSTALLERS = {
    "install-east": ("华东安装服务", (310000, 320000, 330000, 340000, 350000, 360000, 370000)),
    "install-south": ("华南安装服务", (440000, 450000, 460000, 430000, 420000)),
    "install-north": ("华北安装服务", (110000, 120000, 130000, 140000, 150000, 410000)),
    "install-west": ("西部安装服务", (500000, 510000, 520000, 530000, 610000, 620000)),
}


async def seed_appointments(tx: TenantTransaction, regions: RegionTable, today: date) -> None:
    """Set who makes visits, and how many in the weeks to come; once on each day."""
    for warehouse in demo.WAREHOUSES:
        dock = SlotProviderDraft(
            code=f"dock-{warehouse.code}",
            name=f"{warehouse.name}预约配送",
            kind=SlotKind.DELIVERY,
            node=warehouse.code,
        )
        await _seed(tx, dock, DELIVERIES, regions, today)
    for code, (name, provinces) in INSTALLERS.items():
        installer = SlotProviderDraft(
            code=code, name=name, kind=SlotKind.INSTALLATION, regions=provinces
        )
        await _seed(tx, installer, INSTALLATIONS, regions, today)


async def _seed(
    tx: TenantTransaction,
    provider: SlotProviderDraft,
    visits: int,
    regions: RegionTable,
    today: date,
) -> None:
    await set_slot_provider(tx, provider, key=f"demo-{provider.code}", regions=regions)
    windows = [
        SlotWindow(first_minute=first, end_minute=end, visits=visits) for first, end in TIMES
    ]
    days = (today, today + timedelta(days=DAYS_AHEAD))
    key = f"demo-slots-{provider.code}-{today}"
    await set_slots(tx, provider.code, days, windows, working_days=EVERY_DAY, key=key)
