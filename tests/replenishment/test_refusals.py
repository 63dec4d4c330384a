"""Who sets a bad rule, or decides on what does not wait, is told why; nothing has changed."""

from datetime import date
from typing import Any

import pytest

from backend.db.pool import Database
from backend.network.regions.table import bundled_regions
from backend.replenishment.alert_rules import drop_alert_rule, set_alert_rules
from backend.replenishment.transfers import approve_transfer, reject_transfer
from tenants.principal import Principal
from tests.catalogue import Connection
from tests.inventory.pools.layouts import when
from tests.refusals import refused
from tests.replenishment.scene import node_rule, rule
from tests.world import SHANGHAI, World, fresh_key

TODAY = date(2026, 11, 11)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fires_below": 0}, "INVALID_ALERT_RULE"),
        ({"fires_below": 9}, "INVALID_ALERT_RULE"),
        ({"fill_to": 7}, "INVALID_ALERT_RULE"),
        ({"clears_at": 10**10}, "INVALID_ALERT_RULE"),
        ({"measure": "days", "clears_at": 10**4}, "INVALID_ALERT_RULE"),
        ({"leave_days": -1}, "INVALID_ALERT_RULE"),
        ({"transit_days": 10**4}, "INVALID_ALERT_RULE"),
        ({"code": " "}, "INVALID_ALERT_RULE"),
        ({"code": "x" * 65}, "INVALID_ALERT_RULE"),
        ({"code": "a\nb"}, "INVALID_ALERT_RULE"),
        ({"scope": "region", "subject": None}, "INVALID_ALERT_RULE"),
        ({"scope": "shop", "subject": "shop", "transfers": "propose"}, "INVALID_ALERT_RULE"),
        ({"subject": "nowhere"}, "UNKNOWN_NODE"),
        ({"scope": "shop", "subject": "wh"}, "UNKNOWN_SHOP"),
        ({"scope": "region", "subject": "9"}, "UNKNOWN_REGION"),
        ({"where": when("shop.code", "in", "shop")}, "INVALID_CONDITION"),
        ({"where": when("sku.weight_g", "at_least", "heavy")}, "INVALID_CONDITION"),
        ({"compare_version": 0}, "ALERT_RULE_CHANGED"),
        ({"compare_version": 7}, "ALERT_RULE_CHANGED"),
        ({"code": "new", "compare_version": 1}, "ALERT_RULE_CHANGED"),
    ],
)
async def test_a_bad_rule_is_not_kept(
    still: Database, still_admin: Connection, world: World, changes: dict[str, Any], code: str
) -> None:
    good = rule(code="good", scope="region", subject=str(SHANGHAI))
    async with refused(still_admin, code), still.tenant_transaction(world.brand) as tx:
        await set_alert_rules(
            tx, [good, node_rule(**changes)], key=fresh_key(), regions=bundled_regions()
        )


async def test_a_rule_stands_there_once_and_there_are_some(
    still: Database, still_admin: Connection, world: World
) -> None:
    for drafts in ([], [node_rule(), node_rule()], [node_rule(code=str(n)) for n in range(201)]):
        async with (
            refused(still_admin, "INVALID_ALERT_RULE"),
            still.tenant_transaction(world.brand) as tx,
        ):
            await set_alert_rules(tx, drafts, key=fresh_key(), regions=bundled_regions())


async def test_what_does_not_wait_is_not_decided(
    still: Database, still_admin: Connection, world: World
) -> None:
    who = world.brand
    async with refused(still_admin, "UNKNOWN_TRANSFER"), still.tenant_transaction(who) as tx:
        await approve_transfer(tx, 99, TODAY, key=fresh_key())
    async with refused(still_admin, "UNKNOWN_TRANSFER"), still.tenant_transaction(who) as tx:
        await reject_transfer(tx, 99, "", key=fresh_key())
    async with refused(still_admin, "INVALID_REASON"), still.tenant_transaction(who) as tx:
        await reject_transfer(tx, 1, "x" * 501, key=fresh_key())
    async with refused(still_admin, "UNKNOWN_ALERT_RULE"), still.tenant_transaction(who) as tx:
        await drop_alert_rule(tx, "none", key=fresh_key())


@pytest.mark.parametrize("quantity", [0, -1, 9, 10**12])
async def test_no_other_quantity_leaves(
    still: Database, still_admin: Connection, world: World, quantity: int
) -> None:
    async with (
        refused(still_admin, "INVALID_QUANTITY"),
        still.tenant_transaction(world.brand) as tx,
    ):
        await approve_transfer(tx, 1, TODAY, key=fresh_key(), quantity=quantity)


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("dealer", "WRITE_REFUSED"),
        ("store", "WRITE_REFUSED"),
        ("group", "WRITE_REFUSED"),
        ("other_brand", "UNKNOWN_TRANSFER"),
    ],
)
async def test_nobody_else_decides(
    still: Database, still_admin: Connection, world: World, who: str, code: str
) -> None:
    principal: Principal = getattr(world, who)
    async with refused(still_admin, code), still.tenant_transaction(principal) as tx:
        await approve_transfer(tx, 1, TODAY, key=fresh_key())
