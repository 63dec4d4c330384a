"""Stock that is watched: setting rules, looking, and what came of it."""

from typing import Any, NamedTuple

from backend.network.regions.table import bundled_regions
from backend.replenishment.alert_rules import drop_alert_rule, set_alert_rules
from backend.replenishment.alerts import page_of_alerts
from backend.replenishment.model import (
    AlertRule,
    AlertRuleDraft,
    Measure,
    Scope,
    StockAlert,
    TransferProposal,
    Transfers,
)
from backend.replenishment.transfers import Decided, approve_transfer, page_of_transfers
from backend.replenishment.watch import StockWatch
from tests.inventory.pools.living import Living
from tests.world import fresh_key

NEWEST = 2**62
LISTED = 100


class Low(NamedTuple):
    """An open alert: rule, subject, SKU and what was left."""

    rule: str
    subject: int
    sku: str
    value: int


def node_rule(**changes: Any) -> AlertRuleDraft:
    """Return a rule "low" for the node "wh": fires below 5 units, clears at 8."""
    return rule(**{"scope": "node", "subject": "wh"} | changes)


def rule(**changes: Any) -> AlertRuleDraft:
    """Return a rule "low" that fires below 5 units and clears at 8."""
    values: dict[str, Any] = {
        "code": "low",
        "fires_below": 5,
        "clears_at": 8,
        "leave_days": 0,
    } | changes
    values["scope"] = Scope(values["scope"])
    values["measure"] = Measure(values.get("measure", "units"))
    values["transfers"] = Transfers(values.get("transfers", "none"))
    return AlertRuleDraft(**values)


class Watched:
    """A brand, and a process that watches its stock."""

    def __init__(self, live: Living) -> None:
        self.live = live
        self.world = live.world
        self.database = live.runtime.database
        self.watch = self.another_watch()

    def another_watch(self) -> StockWatch:
        runtime = self.live.runtime
        return StockWatch(
            runtime.database,
            runtime.books,
            runtime.brands,
            bundled_regions(),
            runtime.publish_levels,
        )

    async def set(self, *drafts: AlertRuleDraft, key: str | None = None) -> list[AlertRule]:
        async with self.database.tenant_transaction(self.world.brand) as tx:
            return await set_alert_rules(
                tx, drafts, key=key or fresh_key(), regions=bundled_regions()
            )

    async def propose_eight(self) -> None:
        """By a rule "low", have 8 of the 20 units in "far" proposed for "wh", which has 2."""
        await self.live.receive("wh", 2)
        await self.live.receive("far", 20)
        await self.set(node_rule(transfers="propose", fill_to=10))
        await self.look()
        await self.live.runtime.settle()

    async def drop(self, code: str) -> None:
        async with self.database.tenant_transaction(self.world.brand) as tx:
            await drop_alert_rule(tx, code, key=fresh_key())

    async def look(self) -> list[Low]:
        """Let the process look, and return what is low."""
        await self.watch.look()
        return await self.low()

    async def low(self) -> list[Low]:
        names = {sku_id: code for code, sku_id in self.world.skus.items()}
        found = await self.alerts(only_open=True)
        return sorted(
            Low(one.rule_code, one.subject_id, names[one.sku_id], one.fired_with) for one in found
        )

    async def alerts(self, *, only_open: bool = False) -> list[StockAlert]:
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            return await page_of_alerts(tx, NEWEST, LISTED, only_open=only_open)

    async def transfers(self) -> list[TransferProposal]:
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            return await page_of_transfers(tx, NEWEST, LISTED, None)

    async def approve(self, transfer_id: int, **given: Any) -> Decided:
        today = (await self.live.runtime.brands.get(self.world.tenant_id)).local_time().date()
        async with self.database.tenant_transaction(self.world.brand) as tx:
            return await approve_transfer(tx, transfer_id, today, key=fresh_key(), **given)
