"""What buyers ask for on a platform, and what we decide, go both ways and end the same."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from backend.after_sales.model import Inspected, ReturnRule
from backend.after_sales.receive import inspect_return
from backend.after_sales.rules import set_return_rules
from backend.after_sales.standing import refunds_of_orders, returns_of_orders
from backend.orders.model import OrderStatus, Placed
from backend.publishing import returns, shop_publisher
from backend.publishing.decide_returns import decide_channel_return
from loadtests.waiting import until
from tests.after_sales.desk import Desk
from tests.channels.marketplace import BUYER
from tests.fulfilment.working import Working
from tests.orders.checks import assert_clean
from tests.publishing.scene import Scene, publishing
from tests.refusals import refused
from tests.world import fresh_key

ROWS = "select * from channel_return order by id"
PRICE = 100


class Buyers:
    """Buyers of a shop on the platform, and the desk of the brand that serves them."""

    def __init__(self, scene: Scene, desk: Desk) -> None:
        self.scene, self.desk, self.shop = scene, desk, scene.shop

    async def bought(self, units: int = 2) -> tuple[Placed, str]:
        """Let an order be bought on the platform, placed here, and arrive."""
        return await self.bought_in_lines(units)

    async def bought_in_lines(self, *units: int) -> tuple[Placed, str]:
        """Let "A" be bought in several lines, and arrive."""
        lines = [{"listing": "A", "quantity": n, "unit_price_minor": PRICE} for n in units]
        bought = await self.shop.call("POST", "purchases", {"buyer": BUYER, "lines": lines})
        assert bought.status_code == 201, bought.text
        number = str(bought.json()["number"])
        await until(lambda: self._order(number))
        order = await self._order(number)
        assert order is not None
        await Working(self.scene.runtime, self.scene.world, "wh").until(order, "deliver")
        return order, number

    async def _order(self, number: str) -> Placed | None:
        for row in await self.scene.orders():
            if row["external_id"] == number:
                return Placed(row["id"], OrderStatus(row["status"]), ())
        return None

    async def ask(self, order: str, units: int = 1, kind: str = "return") -> str:
        body = {
            "kind": kind,
            "lines": [{"listing": "A", "quantity": units}],
            "reason": "尺寸不合适",
        }
        answer = await self.shop.call("POST", f"purchases/{order}/returns", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["number"])

    async def send(self, number: str) -> None:
        body = {"carrier": "sf", "waybill": f"SF{number}"}
        answer = await self.shop.call("POST", f"returns/{number}/shipment", body)
        assert answer.is_success, answer.text

    async def theirs(self, number: str) -> dict[str, Any]:
        """Return how a request stands on the platform."""
        found = (await self.shop.state())["returns"]
        return next(dict(one) for one in found if one["number"] == number)

    async def ours(self, order: Placed) -> list[Any]:
        database, brand = self.desk.database, self.desk.world.brand
        async with database.tenant_transaction(brand, read_only=True) as tx:
            return (await returns_of_orders(tx, [order.order_id])).get(order.order_id, [])

    async def refunds(self, order: Placed) -> list[tuple[str, int, str]]:
        database, brand = self.desk.database, self.desk.world.brand
        async with database.tenant_transaction(brand, read_only=True) as tx:
            found = (await refunds_of_orders(tx, [order.order_id])).get(order.order_id, [])
        return [(one.status.value, one.amount_minor, one.reference) for one in found]

    async def stands(self, number: str, status: str) -> None:
        """Wait until a request stands somewhere on the platform."""

        async def is_so() -> bool:
            return bool((await self.theirs(number))["status"] == status)

        await until(is_so)

    async def is_here(self, order: Placed, status: str) -> None:
        """Wait until our request of an order stands somewhere."""

        async def is_so() -> bool:
            return [one.status.value for one in await self.ours(order)] == [status]

        await until(is_so)

    async def row(self) -> Any:
        """Return what is kept of the only request; empty where there is none yet."""
        async with self.scene._turn:
            found = await self.scene.admin.fetch(ROWS)
        assert len(found) <= 1
        return found[0] if found else {"problem": "", "is_settled": False}

    async def settled(self) -> None:
        async def is_so() -> bool:
            return bool((await self.row())["is_settled"])

        await until(is_so)

    async def problem(self) -> str:
        async def is_so() -> bool:
            return bool((await self.row())["problem"])

        await until(is_so)
        return str((await self.row())["problem"])


@pytest.fixture
async def buyers(
    scene: Scene, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Buyers]:
    for module, name, seconds in (
        (shop_publisher, "RETURNS_SECONDS", 0.1),
        (returns, "LOOK_AGAIN_SECONDS", 0.1),
        (returns, "PROBLEM_SECONDS", 0.1),
    ):
        monkeypatch.setattr(module, name, seconds)
    desk = Desk(scene.runtime, scene.world)
    await desk.furnish()
    async with publishing(scene.runtime, scene.shop.http):
        await scene.caught_up()
        yield Buyers(scene, desk)
    await assert_clean(scene.runtime, scene.world)


async def test_what_we_agree_to_comes_back_and_the_platform_pays(buyers: Buyers) -> None:
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    (request,) = await buyers.ours(order)
    await buyers.desk.approve(request.id)
    await buyers.stands(number, "wait_buyer_send")
    await buyers.send(number)
    await buyers.is_here(order, "sent_back")
    (request,) = await buyers.ours(order)
    assert (request.carrier, request.waybill) == ("sf", f"SF{number}")
    await buyers.desk.receive(request.id, at="wh", who=buyers.desk.world.brand)
    await inspect(buyers, request.id, good=1)
    await buyers.stands(number, "done")
    assert (await buyers.theirs(number))["amount_minor"] == PRICE
    await buyers.settled()
    assert await buyers.refunds(order) == [("paid", PRICE, number)]


async def test_what_we_reject_is_refused_there_with_the_reason(buyers: Buyers) -> None:
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    (request,) = await buyers.ours(order)
    await buyers.desk.end(request.id, is_rejected=True, reason="已使用")
    await buyers.stands(number, "refused")
    await buyers.settled()
    assert await buyers.refunds(order) == []


async def test_a_refund_without_goods_is_paid_by_the_platform(buyers: Buyers) -> None:
    order, bought = await buyers.bought()
    number = await buyers.ask(bought, kind="refund_only")
    await buyers.is_here(order, "requested")
    (request,) = await buyers.ours(order)
    await buyers.desk.approve(request.id)
    await buyers.stands(number, "done")
    await buyers.settled()
    assert await buyers.refunds(order) == [("paid", PRICE, number)]


async def test_a_buyer_who_keeps_it_ends_it_here_too(buyers: Buyers) -> None:
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    assert (await buyers.shop.call("DELETE", f"returns/{number}")).is_success
    await buyers.is_here(order, "cancelled")
    await buyers.settled()


async def test_by_rule_it_is_agreed_to_at_once(buyers: Buyers) -> None:
    desk = buyers.desk
    await desk.rule(ReturnRule(days=7, is_automatic=True))
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    await buyers.stands(number, "wait_buyer_send")
    await buyers.is_here(order, "approved")


async def test_what_is_denied_is_refused_there(buyers: Buyers) -> None:
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    (request,) = await buyers.ours(order)
    await buyers.desk.approve(request.id)
    await buyers.stands(number, "wait_buyer_send")
    await buyers.send(number)
    await buyers.is_here(order, "sent_back")
    await buyers.desk.receive(request.id, at="wh", who=buyers.desk.world.brand)
    await inspect(buyers, request.id, denied=1)
    await buyers.stands(number, "refused")
    await buyers.settled()
    assert await buyers.refunds(order) == []


async def test_what_the_platform_has_paid_before_still_comes_back(buyers: Buyers) -> None:
    """极速退款: our refund is paid once the goods were looked at, and nobody pays it twice."""
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    body = {"amount_minor": PRICE}
    assert (await buyers.shop.call("POST", f"returns/{number}/payment", body)).is_success
    await buyers.is_here(order, "approved")
    (request,) = await buyers.ours(order)
    await buyers.desk.receive(request.id, at="wh", who=buyers.desk.world.brand)
    assert await buyers.refunds(order) == []
    await inspect(buyers, request.id, good=1)
    await buyers.settled()
    assert await buyers.refunds(order) == [("paid", PRICE, number)]


async def test_what_was_waived_here_is_not_paid_there(buyers: Buyers) -> None:
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    (request,) = await buyers.ours(order)
    await buyers.desk.approve(request.id)
    await buyers.stands(number, "wait_buyer_send")
    await buyers.shop.break_down("error500", operation="answer")
    await buyers.desk.receive(request.id, at="wh", who=buyers.desk.world.brand)
    await inspect(buyers, request.id, good=1)

    async def is_asked() -> bool:
        return [one[0] for one in await buyers.refunds(order)] == ["asked"]

    await until(is_asked)
    await buyers.desk.move(order, 1, "pay")
    await buyers.shop.control("DELETE", "faults")
    assert "paid here" in await buyers.problem()
    assert (await buyers.theirs(number))["status"] == "wait_buyer_send"


async def test_whatever_a_buyer_writes_the_others_go_on(buyers: Buyers) -> None:
    order, bought = await buyers.bought()
    body = {"kind": "return", "lines": [{"listing": "A", "quantity": 1}], "reason": "x\0" * 240}
    answer = await buyers.shop.call("POST", f"purchases/{bought}/returns", body)
    assert answer.status_code == 201
    await buyers.is_here(order, "requested")
    (request,) = await buyers.ours(order)
    assert request.reason == "x" * 200


async def test_a_platform_that_fails_is_answered_again(buyers: Buyers) -> None:
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    for kind in ("error500", "reset", "timeout_after"):
        await buyers.shop.break_down(kind, operation="answer", calls=1)
        await buyers.shop.break_down(kind, operation="returns", calls=1)
    (request,) = await buyers.ours(order)
    await buyers.desk.approve(request.id)
    await buyers.stands(number, "wait_buyer_send")
    assert len(await buyers.ours(order)) == 1


async def test_what_the_rules_refuse_waits_for_somebody_who_decides(buyers: Buyers) -> None:
    desk = buyers.desk
    async with desk.database.tenant_transaction(desk.world.brand) as tx:
        await set_return_rules(tx, [ReturnRule(days=0)], fresh_key())
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    assert "NOT_RETURNABLE" in await buyers.problem()
    assert (await buyers.theirs(number))["status"] == "wait_seller"
    row = await buyers.row()
    async with desk.database.tenant_transaction(desk.world.brand) as tx:
        await decide_channel_return(
            tx, row["id"], refuses=True, reason="定制商品不退", key=fresh_key()
        )
    await buyers.stands(number, "refused")
    await buyers.settled()
    assert await buyers.ours(order) == []


async def test_what_is_refused_there_by_hand_ends_here_too(buyers: Buyers) -> None:
    """It was asked for here already: nobody approves, or receives, what the buyer was denied."""
    desk = buyers.desk
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    row = await buyers.row()
    async with desk.database.tenant_transaction(desk.world.brand) as tx:
        await decide_channel_return(
            tx, row["id"], refuses=True, reason="定制商品不退", key=fresh_key()
        )
    await buyers.stands(number, "refused")
    await buyers.settled()
    assert [one.status.value for one in await buyers.ours(order)] == ["rejected"]


async def test_it_is_tried_again_once_the_rules_allow_it(buyers: Buyers) -> None:
    desk = buyers.desk
    await desk.rule(ReturnRule(days=0))
    order, bought = await buyers.bought()
    number = await buyers.ask(bought)
    await buyers.problem()
    await desk.rule(ReturnRule(days=7, is_automatic=True))
    await buyers.stands(number, "wait_buyer_send")
    await buyers.is_here(order, "approved")
    assert (await buyers.row())["problem"] == ""


async def test_a_request_that_is_told_twice_is_one_here(buyers: Buyers) -> None:
    order, bought = await buyers.bought()
    await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    async with buyers.scene._turn:
        await buyers.scene.admin.execute("update shop_connection set returns_cursor = ''")
        await buyers.scene.admin.execute("update shop_connection set owner = null")
    await buyers.scene.turns(4)
    assert len(await buyers.ours(order)) == 1
    assert (await buyers.row())["return_id"] is not None


async def test_more_than_was_bought_waits_for_somebody(buyers: Buyers) -> None:
    """Two requests for the same unit: the second one is more than the customer has."""
    order, bought = await buyers.bought(1)
    await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    number = await buyers.ask(bought)

    async def is_told() -> bool:
        async with buyers.scene._turn:
            rows = await buyers.scene.admin.fetch(ROWS)
        return any(
            row["number"] == number and "TOO_MANY_RETURNED" in row["problem"] for row in rows
        )

    await until(is_told)


async def test_what_was_sent_back_of_one_line_is_not_asked_of_it_again(buyers: Buyers) -> None:
    """The order has two lines of the same listing: the second request is for the second one."""
    order, bought = await buyers.bought_in_lines(1, 1)
    await buyers.ask(bought)
    await buyers.is_here(order, "requested")
    await buyers.ask(bought)

    async def is_looked_at() -> bool:
        async with buyers.scene._turn:
            rows = await buyers.scene.admin.fetch(ROWS)
        return len(rows) == 2 and all(row["return_id"] or row["problem"] for row in rows)

    await until(is_looked_at)
    async with buyers.scene._turn:
        rows = await buyers.scene.admin.fetch(ROWS)
    assert [row["problem"] for row in rows] == ["", ""]
    assert len(await buyers.ours(order)) == 2


async def test_who_decides_says_why(scene: Scene, admin: Any) -> None:
    database, world = scene.runtime.database, scene.world
    async with (
        refused(admin, "INVALID_RETURN_DECISION"),
        database.tenant_transaction(world.brand) as tx,
    ):
        await decide_channel_return(tx, 1, refuses=True, reason="", key=fresh_key())
    async with (
        refused(admin, "UNKNOWN_CHANNEL_RETURN"),
        database.tenant_transaction(world.brand) as tx,
    ):
        await decide_channel_return(tx, 1, refuses=False, reason="", key=fresh_key())


async def inspect(buyers: Buyers, return_id: int, **found: int) -> None:
    """Let the brand's people say what came to the warehouse."""
    desk = buyers.desk
    done = await inspect_return(
        desk.database,
        desk.world.brand,
        return_id,
        [Inspected(1, **found)],
        seen=None,
        key=fresh_key(),
    )
    await desk.runtime.publish_counters(desk.world.tenant_id, done.counters)
