"""Which rule of safety stock counts, what it comes to, and which cannot be kept."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.errors import YipanError
from backend.db.pool import Database
from backend.inventory.model import QUANTITY_MAX
from backend.inventory.safety.keep_back import safety_rules, set_safety_rules
from backend.inventory.safety.model import (
    RULES_MAX,
    WEEKS_TENTHS_MAX,
    SafetyDraft,
    SafetyRule,
    SafetyRules,
    Scope,
    floor_of,
)
from backend.network.model import NodeKind
from tenants.principal import Permission, Principal
from tests.catalogue import Connection, contents
from tests.crowd import CROWD, start
from tests.refusals import refused
from tests.world import World, fresh_key

WAREHOUSE, STORE = NodeKind.WAREHOUSE, NodeKind.STORE


def rule(number: int = 1, **changes: Any) -> SafetyRule:
    names = ("sku_id", "node_id", "channel", "category", "node_kind")
    scope: dict[str, Any] = dict.fromkeys(names)
    figures: dict[str, Any] = {"units": None, "weeks_tenths": None}
    values = scope | figures | changes
    return SafetyRule(id=number, set_by="x", changed_at=datetime(2026, 1, 1, tzinfo=UTC), **values)


LADDER: Sequence[dict[str, Any]] = (
    {"sku_id": 1, "node_id": 10},
    {"sku_id": 1},
    {"category": "TV", "node_kind": STORE},
    {"category": "TV"},
    {"node_kind": STORE},
    {},
)
"""Scopes that fit SKU 1, a TV, in node 10, a store; the most specific first."""


@pytest.mark.parametrize(
    "places", [p for n in range(len(LADDER) + 1) for p in itertools.combinations(range(6), n)]
)
def test_the_most_specific_rule_wins(places: tuple[int, ...]) -> None:
    rules = [rule(place, units=place, **LADDER[place]) for place in reversed(places)]
    found = SafetyRules(rules).rule_for(1, "TV", 10, STORE)
    assert (None if found is None else found.id) == (min(places) if places else None)


@pytest.mark.parametrize(
    ("sku_id", "category", "node_id", "kind", "wins"),
    [
        (1, "TV", 10, STORE, 0),
        (1, "TV", 11, STORE, 1),
        (2, "TV", 10, STORE, 2),
        (2, "TV", 10, WAREHOUSE, 3),
        (2, "Radio", 10, STORE, 4),
        (2, "Radio", 10, WAREHOUSE, 5),
        (2, "", 10, WAREHOUSE, 5),
    ],
)
def test_what_does_not_fit_does_not_win(
    sku_id: int, category: str, node_id: int, kind: NodeKind, wins: int
) -> None:
    rules = SafetyRules(rule(place, units=1, **scope) for place, scope in enumerate(LADDER))
    found = rules.rule_for(sku_id, category, node_id, kind)
    assert found is not None
    assert found.id == wins


@pytest.mark.parametrize(
    ("sold", "tenths", "units"),
    [(28, 10, 7), (28, 5, 4), (1, 10, 1), (0, 10, 0), (29, 10, 8), (28, 0, 0), (280, 15, 105)],
)
def test_weeks_of_what_was_sold_are_rounded_up(sold: int, tenths: int, units: int) -> None:
    floor = floor_of(rule(7, weeks_tenths=tenths), sold, 28)
    assert floor.units == units
    assert floor.reason == f"rule 7: {tenths / 10:.1f} weeks, {sold} sold in 28 days"


def test_no_level_keeps_back_more_than_there_can_be() -> None:
    assert floor_of(rule(weeks_tenths=1_000), 10**9, 28).units == QUANTITY_MAX
    assert floor_of(rule(units=5), 10**9, 28) == (5, "rule 1: 5 units")


# ------------------------------------------------------------------------------------ commands


async def keep(
    database: Database, who: Principal, *drafts: SafetyDraft, key: str | None = None
) -> list[SafetyRule]:
    async with database.tenant_transaction(who) as tx:
        return await set_safety_rules(tx, drafts, key=key or fresh_key())


ALL = SafetyDraft(units=1)
MANY = [SafetyDraft(category=f"c{n}", units=1) for n in range(RULES_MAX + 1)]
AT = ("rules", 1)
REFUSED: dict[str, tuple[Sequence[SafetyDraft], str, tuple[str | int, ...]]] = {
    "too many": (MANY, "INVALID_SAFETY_RULE", ("rules",)),
    "a scope twice": ((ALL, SafetyDraft(weeks_tenths=1)), "INVALID_SAFETY_RULE", ("rules",)),
    "no figure": ((ALL, SafetyDraft(category="TV")), "INVALID_SAFETY_RULE", AT),
    "both figures": (
        (ALL, SafetyDraft(category="TV", units=1, weeks_tenths=1)),
        "INVALID_SAFETY_RULE",
        AT,
    ),
    "less than 0 units": (
        (ALL, SafetyDraft(category="TV", units=-1)),
        "INVALID_SAFETY_RULE",
        (*AT, "units"),
    ),
    "too many units": (
        (ALL, SafetyDraft(category="TV", units=QUANTITY_MAX + 1)),
        "INVALID_SAFETY_RULE",
        (*AT, "units"),
    ),
    "less than 0 weeks": (
        (ALL, SafetyDraft(category="TV", weeks_tenths=-1)),
        "INVALID_SAFETY_RULE",
        (*AT, "weeksTenths"),
    ),
    "too many weeks": (
        (ALL, SafetyDraft(category="TV", weeks_tenths=WEEKS_TENTHS_MAX + 1)),
        "INVALID_SAFETY_RULE",
        (*AT, "weeksTenths"),
    ),
    "a node without a SKU": (
        (ALL, SafetyDraft(node="wh", units=1)),
        "INVALID_SAFETY_RULE",
        (*AT, "sku"),
    ),
    "a SKU of a category": (
        (ALL, SafetyDraft(sku="A", category="TV", units=1)),
        "INVALID_SAFETY_RULE",
        AT,
    ),
    "a SKU in a kind of node": (
        (ALL, SafetyDraft(sku="A", node_kind=STORE, units=1)),
        "INVALID_SAFETY_RULE",
        AT,
    ),
    "an unknown SKU": ((ALL, SafetyDraft(sku="Z", units=1)), "UNKNOWN_SKU", ()),
    "an unknown node": (
        (ALL, SafetyDraft(sku="A", node="z", units=1)),
        "UNKNOWN_NODE",
        (*AT, "node"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_bad_rules_change_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    drafts, code, path = REFUSED[name]
    async with refused(still_admin, code) as seen:
        await keep(still, ready_world.brand, *drafts)
    assert isinstance(seen.error, YipanError)
    assert seen.error.path == path


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_who_may_only_read_sets_no_rule(
    still: Database, still_admin: Connection, ready_world: World, who: str
) -> None:
    async with refused(still_admin, "WRITE_REFUSED"):
        await keep(still, getattr(ready_world, who), ALL)


async def test_who_lacks_the_permission_sets_no_rule(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    brand = ready_world.brand
    without = replace(brand, permissions=brand.permissions - {Permission.STOCK_WRITE})
    async with refused(still_admin, "PERMISSION_MISSING"):
        await keep(still, without, ALL)


async def test_rules_replace_those_before_once(
    database: Database, world: World, admin: Connection
) -> None:
    await keep(database, world.brand, SafetyDraft(category="old", units=1))
    drafts = (
        SafetyDraft(sku="A", node="wh", units=3),
        SafetyDraft(sku="A", weeks_tenths=15),
        SafetyDraft(category="TV", node_kind=STORE, units=0),
        ALL,
    )
    first = await keep(database, world.brand, *drafts, key="k")
    figures = [(one.units, one.weeks_tenths) for one in first]
    assert figures == [(3, None), (None, 15), (0, None), (1, None)]
    assert first[0].scope == Scope(world.skus["A"], world.nodes["wh"])
    assert {one.set_by for one in first} == {world.brand.subject}
    before = await contents(admin)
    assert await keep(database, world.brand, *drafts, key="k") == first
    assert await contents(admin) == before
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await keep(database, world.brand, ALL, key="k")
    assert await keep(database, world.brand) == []


async def test_of_those_who_set_rules_at_once_one_set_is_left(
    database: Database, world: World, admin: Connection
) -> None:
    sets = [
        [SafetyDraft(category=f"c{n}-{m}", units=n) for m in range(3)] + [ALL] for n in range(CROWD)
    ]
    async with admin.transaction():
        await admin.execute("lock table safety_rule in share mode")
        tasks = await start(admin, (keep(database, world.brand, *each) for each in sets))
    done = [await task for task in tasks]
    async with database.tenant_transaction(world.brand, read_only=True) as tx:
        assert await safety_rules(tx) in done


async def test_rules_are_the_brands(database: Database, world: World) -> None:
    kept = await keep(database, world.brand, ALL)
    for who, seen in (
        (world.store, []),
        (world.group, kept),
        (world.dealer, []),
        (world.other_brand, []),
    ):
        async with database.tenant_transaction(who, read_only=True) as tx:
            assert await safety_rules(tx) == seen
