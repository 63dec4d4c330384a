"""Rules hold orders before nodes begin with them: each is asked once, and nothing goes unasked."""

import asyncio
from typing import Any

import msgspec
import pytest

from backend.catalog.model import SkuDraft
from backend.catalog.save_skus import save_skus
from backend.conditions.model import Condition
from backend.orders.auditing.auditor import Audited, audit_placed
from backend.orders.auditing.model import ORDER_ATTRIBUTES, Action, AuditRule
from backend.orders.auditing.rules import audit_rules, set_audit_rules
from backend.orders.cancel_orders import cancel_order
from backend.orders.model import AddressDraft, OrderStatus, Placed
from backend.routing.traits import OrderTraits
from backend.runtime import Runtime
from tests.catalogue import Connection
from tests.fulfilment.working import Working
from tests.orders.checks import assert_clean, placed
from tests.refusals import refused
from tests.world import HANGZHOU, World, draft, fresh_key, receive

S = OrderStatus


def when(attribute: str, operator: str, *values: str) -> Condition:
    test = {"attribute": attribute, "operator": operator, "values": values}
    return msgspec.convert({"test": test}, Condition)


def rule(code: str, condition: Condition, action: Action = Action.HOLD) -> AuditRule:
    return AuditRule(code, f"because of {code}", action, condition)


DEAR = rule("dear", when("order.amount_minor", "at_least", "5000"))


class Auditing(Working):
    """A brand with rules."""

    async def set(self, *rules: AuditRule) -> list[AuditRule]:
        async with self.runtime.database.tenant_transaction(self.world.brand) as tx:
            return await set_audit_rules(tx, rules, fresh_key())

    async def place(self, **changes: Any) -> Placed:
        lines = changes.pop("lines", {"A": 1})
        order = draft(lines, **({"region": HANGZHOU} | changes))
        return placed(await self.runtime.intake.place(order, self.world.brand))

    async def audit(self) -> tuple[int, int]:
        """Audit all there is; returns how many orders, and how many of them were held."""
        found = Audited(0, 0, has_more=True)
        orders = held = 0
        while found.has_more:
            found = await audit_placed(
                self.runtime.database, self.world.tenant_id, self.runtime.regions
            )
            orders, held = orders + found.orders, held + found.held
        return orders, held

    async def status(self, order: Placed) -> OrderStatus:
        return (await self.standing(order)).status


@pytest.fixture
async def auditing(runtime: Runtime, world: World) -> Auditing:
    for sku in "AB":
        await receive(runtime.database, world.brand, "store", sku, 500)
    return Auditing(runtime, world)


async def test_what_a_rule_is_for_is_held_and_the_rest_goes_on(
    auditing: Auditing, admin: Connection
) -> None:
    await auditing.set(DEAR)
    cheap, dear = await auditing.place(), await auditing.place(lines={"A": 9})
    assert await auditing.audit() == (2, 1)
    assert [await auditing.status(one) for one in (cheap, dear)] == [S.ALLOCATED, S.HELD]
    hold = await admin.fetchrow("select kind, reason, placed_by from order_hold")
    assert hold is not None
    assert tuple(hold) == ("audit", "because of dear", "rule:dear")
    assert (await auditing.release()).fulfilments == 1
    assert await auditing.audit() == (0, 0)
    await assert_clean(auditing.runtime, auditing.world)


async def test_what_was_not_audited_is_not_released(auditing: Auditing) -> None:
    before = await auditing.place()
    await auditing.set(DEAR)
    order = await auditing.place()
    wave = await auditing.release()
    assert [one.code for one in wave.refused] == ["NOT_AUDITED"]
    assert await auditing.status(before) is S.IN_FULFILMENT
    await auditing.audit()
    assert (await auditing.release()).fulfilments == 1
    assert await auditing.status(order) is S.IN_FULFILMENT


async def test_without_rules_nothing_waits(auditing: Auditing) -> None:
    await auditing.set(DEAR)
    await auditing.place()
    await auditing.set()
    assert (await auditing.release()).fulfilments == 1
    assert await auditing.audit() == (0, 0)


async def test_each_rule_holds_and_one_that_passes_ends_it(auditing: Auditing) -> None:
    vip = rule("vip", when("order.customer_level", "at_least", "9"), Action.PASS)
    many = rule("many", when("order.most_units", "at_least", "5"))
    await auditing.set(DEAR, vip, many)
    both = await auditing.place(lines={"A": 9})
    known = await auditing.place(lines={"A": 9}, traits=OrderTraits(customer_level=9))
    await auditing.audit()
    async with auditing.runtime.database.tenant_transaction(auditing.world.brand) as tx:
        rows = await tx._connection.fetch("select order_id, rules from order_audit order by 1")
    said = {row["order_id"]: row["rules"] for row in rows}
    assert said == {both.order_id: ["dear", "many"], known.order_id: ["dear"]}


FAR = AddressDraft(detail="某路 2 号", region_code=HANGZHOU, name="", phone="")
FLAGGED = OrderTraits(tags=("risk",), order_type="group", payment="cod", promotions=("p1",))
HELD: dict[str, tuple[Condition, dict[str, Any], dict[str, Any]]] = {
    "shop": (when("order.shop", "equals", "dshop"), {"shop": "dshop"}, {}),
    "dealer": (when("order.is_dealers", "equals", "true"), {"shop": "dshop"}, {}),
    "type": (when("order.type", "equals", "group"), {"traits": FLAGGED}, {}),
    "region": (when("order.region", "contains", "330000"), {}, {"region": 310104}),
    "amount": (when("order.amount_minor", "at_least", "2000"), {"lines": {"A": 2}}, {}),
    "discount": (
        when("order.discount_percent", "at_least", "50"),
        {"order_discount_minor": 500},
        {"order_discount_minor": 490},
    ),
    "lines": (when("order.lines", "at_least", "2"), {"lines": {"A": 1, "B": 1}}, {}),
    "units": (when("order.units", "at_least", "3"), {"lines": {"A": 3}}, {"lines": {"A": 2}}),
    "payment": (when("order.payment", "equals", "cod"), {"traits": FLAGGED}, {}),
    "tags": (when("order.tags", "contains", "risk"), {"traits": FLAGGED}, {}),
    "promotions": (when("order.promotions", "contains", "p1"), {"traits": FLAGGED}, {}),
    "remark": (
        when("order.remark", "contains", "发票"),
        {"remark": "请开发票"},
        {"remark": "快点"},
    ),
    "any remark": (when("order.has_remark", "equals", "true"), {"remark": "快点"}, {"remark": " "}),
    "no phone": (when("buyer.has_phone", "equals", "false"), {"address": FAR}, {}),
    "short address": (
        when("address.length", "at_most", "3"),
        {"address": msgspec.structs.replace(FAR, detail="1 号")},
        {},
    ),
    "paid": (
        when("order.is_paid", "equals", "true"),
        {"is_paid": True, "external_id": "x", "idempotency_key": None},
        {},
    ),
    "floor": (
        when("order.is_below_floor", "equals", "true"),
        {"lines": {"B": 1}, "order_discount_minor": 101},
        {"lines": {"B": 1}, "order_discount_minor": 100},
    ),
}


@pytest.mark.parametrize("asked", HELD)
async def test_what_rules_ask_about(auditing: Auditing, asked: str) -> None:
    condition, held, free = HELD[asked]
    async with auditing.runtime.database.tenant_transaction(auditing.world.brand) as tx:
        attributes = {"floor_price_minor": 900}
        await save_skus(tx, [SkuDraft(code="B", name="B", weight_g=1_000, attributes=attributes)])
    await auditing.set(rule("r", condition))
    orders = [await auditing.place(**held), await auditing.place(**free)]
    await auditing.audit()
    assert [await auditing.status(one) is S.HELD for one in orders] == [True, False]


def test_every_attribute_is_asked_about_by_some_test() -> None:
    tested = {condition.test.attribute for condition, *_ in HELD.values() if condition.test}
    others = {"order.channel", "order.most_units", "order.customer_level", "buyer.is_new"}
    others |= {"buyer.orders_of_day", "address.orders_of_day"}
    assert tested | others == ORDER_ATTRIBUTES.keys()


async def test_who_orders_for_the_first_time_and_who_orders_often(auditing: Auditing) -> None:
    await auditing.set(
        rule("new", when("buyer.is_new", "equals", "true")),
        rule("often", when("buyer.orders_of_day", "at_least", "3")),
        rule("crowd", when("address.orders_of_day", "at_least", "4")),
    )
    phones = ("138", "138", "138", "139", "137")
    orders = []
    for number, phone in enumerate(phones):
        detail = "某路 1号" if number % 2 else "某路1 号"
        address = AddressDraft(detail=detail, region_code=HANGZHOU, name="张三", phone=phone)
        orders.append(await auditing.place(address=address))
    await auditing.audit()
    async with auditing.runtime.database.tenant_transaction(auditing.world.brand) as tx:
        rows = await tx._connection.fetch("select rules from order_audit order by order_id")
    assert [row["rules"] for row in rows] == [
        ["new"],
        [],
        ["often"],
        ["new", "crowd"],
        ["new", "crowd"],
    ]


async def test_two_auditors_audit_once(auditing: Auditing, admin: Connection) -> None:
    await auditing.set(DEAR)
    for _ in range(6):
        await auditing.place(lines={"A": 9})
    await asyncio.gather(*(auditing.audit() for _ in range(4)))
    await auditing.audit()
    assert await admin.fetchval("select count(*) from order_hold") == 6
    assert await admin.fetchval("select count(*) from order_audit") == 6


async def test_what_is_over_is_not_held(auditing: Auditing, admin: Connection) -> None:
    await auditing.set(DEAR)
    order = await auditing.place(lines={"A": 9})
    database, brand = auditing.runtime.database, auditing.world.brand
    await cancel_order(database, brand, order.order_id, None, fresh_key())
    assert await auditing.audit() == (1, 1)
    assert await admin.fetchval("select count(*) from order_hold") == 0


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([DEAR, DEAR], "INVALID_AUDIT_RULE"),
        ([rule("", DEAR.condition)], "INVALID_AUDIT_RULE"),
        ([rule("x" * 101, DEAR.condition)], "INVALID_AUDIT_RULE"),
        ([rule(f"r{number}", DEAR.condition) for number in range(101)], "INVALID_AUDIT_RULE"),
        ([rule("r", when("order.color", "equals", "red"))], "INVALID_CONDITION"),
        ([rule("r", when("order.lines", "at_least", "many"))], "INVALID_CONDITION"),
        ([rule("r", Condition())], "INVALID_CONDITION"),
    ],
)
async def test_rules_that_make_no_sense_are_refused(
    auditing: Auditing, admin: Connection, rules: list[AuditRule], code: str
) -> None:
    async with refused(admin, code):
        await auditing.set(*rules)


async def test_rules_are_kept_in_their_order(auditing: Auditing) -> None:
    rules = [rule(code, DEAR.condition) for code in "zab"]
    assert await auditing.set(*rules) == rules
    async with auditing.runtime.database.tenant_transaction(auditing.world.brand) as tx:
        assert await audit_rules(tx) == rules


async def test_a_store_sets_no_rules(auditing: Auditing, admin: Connection) -> None:
    door = auditing.runtime.database.tenant_transaction(auditing.world.store)
    async with refused(admin, "WRITE_REFUSED"), door as tx:
        await set_audit_rules(tx, [DEAR], fresh_key())
