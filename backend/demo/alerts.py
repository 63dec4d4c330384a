"""The demo's alert rules: shops that would run dry, and a region that is filled up."""

from backend.db.pool import TenantTransaction
from backend.network.regions.table import RegionTable
from backend.replenishment.alert_rules import alert_rules, set_alert_rules
from backend.replenishment.model import AlertRuleDraft, Scope, Transfers

SHANGHAI = 310000
RULES = (
    AlertRuleDraft(code="店铺将断货", scope=Scope.SHOP, fires_below=5, clears_at=20),
    AlertRuleDraft(
        code="上海低库存",
        scope=Scope.REGION,
        subject=str(SHANGHAI),
        fires_below=30,
        clears_at=60,
        fill_to=120,
        transfers=Transfers.PROPOSE,
    ),
)


async def seed_alert_rules(tx: TenantTransaction, regions: RegionTable) -> None:
    """Set the rules where there are none."""
    if not await alert_rules(tx):
        await set_alert_rules(tx, RULES, key="demo-alert-rules", regions=regions)
