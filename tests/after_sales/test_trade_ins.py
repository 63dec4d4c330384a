"""Trade-ins (以旧换新): an old unit comes, is graded and credited, or goes home; it is no stock."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from backend.after_sales.errors import TradeInChanged
from backend.after_sales.model import Inspected, TradeIn, TradeInDraft, TradeInStatus, UnitMove
from backend.after_sales.receive import inspect_return
from backend.after_sales.states import TRADE_IN
from backend.after_sales.trade_ins import (
    move_trade_in,
    page_of_trade_ins,
    promise_trade_in,
    trade_ins_by_ids,
)
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.model import LineDraft, Placed
from tenants.principal import Permission, Principal
from tests.after_sales.desk import PRICE, Desk
from tests.catalogue import Connection
from tests.inventory.stock import figures
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import ALL, HANGZHOU, draft, fresh_key, receive

PROMISED = 600
AT_STORE = ("receive", "grade", "send_home")
NEEDS: dict[str, dict[str, Any]] = {
    "cancel": {"text": "不换了"},
    "receive": {},
    "grade": {"text": "外观九成新", "amount_minor": PROMISED},
    "accept": {"amount_minor": PROMISED},
    "decline": {"text": "太低"},
    "send_home": {"carrier": "sf", "waybill": "SF9"},
    "pay": {"text": "alipay-1"},
}
"""What each step needs that somebody takes."""
WAYS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "promised": (),
    "received": (("receive", {}),),
    "graded": (("receive", {}), ("grade", {"amount_minor": 400})),
    "declined": (("receive", {}), ("grade", {"amount_minor": 400}), ("decline", {})),
    "closed": (
        ("receive", {}),
        ("grade", {"amount_minor": 400}),
        ("decline", {}),
        ("send_home", {}),
    ),
    "credited": (("receive", {}), ("grade", {})),
    "paid": (("receive", {}), ("grade", {}), ("pay", {})),
    "cancelled": (("cancel", {}),),
}
"""How a trade-in that is promised comes to stand elsewhere, for `come`."""
TOLD = """select payload->>'status' as status, (payload->>'creditMinor')::bigint as credit
    from outbox where type = 'trade_in.changed' order by id"""


async def promise(
    desk: Desk, order: Placed, *, who: Principal | None = None, key: str = "", **given: Any
) -> TradeIn:
    """Promise so much for an old refrigerator that is given for the first line of an order."""
    said: dict[str, Any] = {
        "order_id": order.order_id,
        "line_no": 1,
        "description": "旧冰箱，双门，能制冷",
        "promised_minor": PROMISED,
        "serial": "OLD-1",
    }
    who = who or desk.world.brand
    return await promise_trade_in(
        desk.database, who, TradeInDraft(**(said | given)), key or fresh_key()
    )


async def move(
    desk: Desk,
    trade_in: TradeIn,
    step: str,
    *,
    who: Principal | None = None,
    key: str = "",
    seen: int | None = None,
    **given: Any,
) -> TradeIn:
    """Let whose step it is take it: the store, or who sold the new one."""
    who = who or (desk.world.store if step in AT_STORE else desk.world.brand)
    if step == "receive":
        given = {"node_id": desk.store} | given
    done = UnitMove(step, **given)
    return await move_trade_in(
        desk.database, who, trade_in.id, done, seen=seen, key=key or fresh_key()
    )


async def come(desk: Desk, trade_in: TradeIn, status: str) -> TradeIn:
    """Let a trade-in that is promised stand elsewhere."""
    for step, given in WAYS[status]:
        trade_in = await move(desk, trade_in, step, **(NEEDS[step] | given))
    assert trade_in.status == status
    return trade_in


async def promised(desk: Desk, units: int = 1) -> TradeIn:
    """Promise something for the old one with an order of new ones that no node has begun with."""
    return await promise(desk, await desk.placed(units))


async def standing(desk: Desk, trade_in: TradeIn) -> TradeIn:
    async with desk.database.tenant_transaction(desk.world.brand, read_only=True) as tx:
        return (await trade_ins_by_ids(tx, [trade_in.id]))[trade_in.id]


async def cancel(desk: Desk, order: Placed, units: int) -> None:
    """Cancel units of new ones."""
    lines = [CancelLine(1, units)]
    done = await cancel_order(
        desk.database, desk.world.brand, order.order_id, lines, fresh_key(), "不要了"
    )
    await desk.runtime.publish_counters(desk.world.tenant_id, done.counters)


# ------------------------------------------------------------------------------------ whole lives


async def test_what_is_as_promised_is_credited_at_once_and_paid(
    desk: Desk, admin: Connection
) -> None:
    trade_in = await promise(desk, await desk.arrived(1))
    assert (trade_in.status, trade_in.version, trade_in.node_id) == ("promised", 1, None)
    assert (trade_in.promised_minor, trade_in.credit_minor) == (PROMISED, 0)
    assert (trade_in.description, trade_in.serial) == ("旧冰箱，双门，能制冷", "OLD-1")
    received = await move(desk, trade_in, "receive")
    assert (received.status, received.node_id) == ("received", desk.store)
    graded = await move(desk, trade_in, "grade", text="外观九成新", amount_minor=PROMISED)
    assert (graded.status, graded.finding) == ("credited", "外观九成新")
    assert graded.credit_minor == PROMISED
    paid = await move(desk, trade_in, "pay", text="alipay-1")
    assert (paid.status, paid.reference, paid.version) == ("paid", "alipay-1", 4)
    assert await standing(desk, trade_in) == paid
    told = [(row["status"], row["credit"]) for row in await admin.fetch(TOLD)]
    assert told == [("promised", 0), ("received", 0), ("credited", 600), ("paid", 600)]
    assert (await figures(admin, desk.world, "store")).on_hand == 4
    await assert_clean(desk.runtime, desk.world)


async def test_what_is_worth_less_is_credited_once_the_customer_takes_that(
    desk: Desk, admin: Connection
) -> None:
    trade_in = await come(desk, await promised(desk), "graded")
    assert trade_in.credit_minor == 400
    for amount_minor in (0, 399, 401, PROMISED):
        async with refused(admin, "WRONG_AMOUNT"):
            await move(desk, trade_in, "accept", amount_minor=amount_minor)
    accepted = await move(desk, trade_in, "accept", amount_minor=400)
    assert (accepted.status, accepted.credit_minor) == ("credited", 400)
    assert (await move(desk, trade_in, "pay", text="alipay-2")).credit_minor == 400
    told = [row["status"] for row in await admin.fetch(TOLD)]
    assert told == ["promised", "received", "graded", "credited", "paid"]
    await assert_clean(desk.runtime, desk.world)


async def test_who_wants_more_has_it_sent_home(desk: Desk, admin: Connection) -> None:
    trade_in = await come(desk, await promised(desk), "graded")
    assert (await move(desk, trade_in, "decline", text="太低")).reason == "太低"
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await move(desk, trade_in, "send_home", carrier="sf")
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await move(desk, trade_in, "send_home", waybill="SF9")
    home = await move(desk, trade_in, "send_home", carrier="sf", waybill="SF9")
    assert (home.status, home.carrier, home.waybill) == ("closed", "sf", "SF9")
    told = [row["status"] for row in await admin.fetch(TOLD)]
    assert told == ["promised", "received", "graded", "declined", "closed"]
    await assert_clean(desk.runtime, desk.world)


async def test_the_customer_may_fetch_it(desk: Desk) -> None:
    trade_in = await come(desk, await promised(desk), "declined")
    home = await move(desk, trade_in, "send_home")
    assert (home.status, home.carrier, home.waybill) == ("closed", "", "")


async def test_it_does_not_come_after_all(desk: Desk, admin: Connection) -> None:
    trade_in = await promised(desk)
    cancelled = await move(desk, trade_in, "cancel", text="送给邻居了")
    assert (cancelled.status, cancelled.reason) == ("cancelled", "送给邻居了")
    async with refused(admin, "TRADE_IN_CHANGED"):
        await move(desk, trade_in, "receive")
    assert [row["status"] for row in await admin.fetch(TOLD)] == ["promised", "cancelled"]


@pytest.mark.parametrize(
    ("worth", "status", "credit"),
    [
        (0, "graded", 0),
        (599, "graded", 599),
        (600, "credited", 600),
        (601, "credited", 600),
        (10**9, "credited", 600),
    ],
)
async def test_the_credit_is_what_it_is_worth_and_at_most_what_was_promised(
    desk: Desk, worth: int, status: str, credit: int
) -> None:
    trade_in = await come(desk, await promised(desk), "received")
    graded = await move(desk, trade_in, "grade", text="屏幕有划痕", amount_minor=worth)
    assert (graded.status, graded.credit_minor) == (status, credit)


async def test_it_may_be_graded_anew_until_it_is_credited(desk: Desk, admin: Connection) -> None:
    trade_in = await come(desk, await promised(desk), "graded")
    lower = await move(desk, trade_in, "grade", text="压缩机也坏", amount_minor=100)
    assert (lower.status, lower.credit_minor, lower.finding) == ("graded", 100, "压缩机也坏")
    async with refused(admin, "WRONG_AMOUNT"):
        await move(desk, trade_in, "accept", amount_minor=400)
    higher = await move(desk, trade_in, "grade", text="看错了，是好的", amount_minor=700)
    assert (higher.status, higher.credit_minor) == ("credited", PROMISED)
    async with refused(admin, "TRADE_IN_CHANGED"):
        await move(desk, trade_in, "grade", text="又看错了", amount_minor=1)


# ---------------------------------------------------------------------------- what may be promised


async def test_no_more_is_promised_than_a_new_one_costs(desk: Desk, admin: Connection) -> None:
    order = await desk.placed(2)
    async with refused(admin, "TRADE_IN_REFUSED") as seen:
        await promise(desk, order, promised_minor=PRICE + 1)
    assert "1000" in str(seen.error)
    assert (await promise(desk, order, promised_minor=PRICE)).promised_minor == PRICE


async def test_a_new_one_costs_what_is_left_after_its_discount(
    desk: Desk, admin: Connection
) -> None:
    await receive(desk.database, desk.world.brand, "store", "A", 2)
    lines = (LineDraft("A", 2, PRICE, discount_minor=301),)
    order = await desk.place(replace(draft(region=HANGZHOU), lines=lines))
    async with refused(admin, "TRADE_IN_REFUSED"):
        await promise(desk, order, promised_minor=850)
    assert (await promise(desk, order, promised_minor=849)).status == "promised"


async def test_no_more_old_ones_than_new_ones(desk: Desk, admin: Connection) -> None:
    order = await desk.placed(2)
    first = await promise(desk, order)
    second = await promise(desk, order)
    async with refused(admin, "TRADE_IN_REFUSED"):
        await promise(desk, order)
    await move(desk, first, "cancel", text="不换了")
    assert (await promise(desk, order)).status == "promised"
    async with refused(admin, "TRADE_IN_REFUSED"):
        await promise(desk, order)
    await come(desk, second, "declined")
    assert (await promise(desk, order)).status == "promised"


async def test_what_is_credited_or_paid_keeps_its_new_one(desk: Desk, admin: Connection) -> None:
    order = await desk.placed(2)
    await come(desk, await promise(desk, order), "credited")
    await come(desk, await promise(desk, order), "paid")
    async with refused(admin, "TRADE_IN_REFUSED"):
        await promise(desk, order)


async def test_of_two_promises_at_once_for_one_new_one_one_counts(
    desk: Desk, admin: Connection
) -> None:
    order = await desk.placed(1)
    answers = await asyncio.gather(
        *(promise(desk, order, serial=f"OLD-{number}") for number in range(4)),
        return_exceptions=True,
    )
    kinds = sorted(type(answer).__name__ for answer in answers)
    assert kinds == ["TradeIn", *["TradeInRefused"] * 3]
    assert await admin.fetchval("select count(*) from trade_in") == 1


async def test_nothing_is_promised_for_what_is_cancelled_or_not_bought(
    desk: Desk, admin: Connection
) -> None:
    order = await desk.placed(2)
    async with refused(admin, "TRADE_IN_REFUSED"):
        await promise(desk, order, line_no=9)
    await cancel(desk, order, 1)
    await promise(desk, order)
    async with refused(admin, "TRADE_IN_REFUSED"):
        await promise(desk, order)


async def test_nothing_is_promised_for_what_is_sent_back(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(1)
    request = (await desk.ask(order, 1)).request
    async with refused(admin, "TRADE_IN_REFUSED"):
        await promise(desk, order)
    await desk.end(request.id, is_rejected=True)
    assert (await promise(desk, order)).status == "promised"


# ------------------------------------------------------------------------- what becomes of the new


async def test_there_is_no_credit_for_a_new_one_that_is_cancelled(
    desk: Desk, admin: Connection
) -> None:
    order = await desk.placed(1)
    trade_in = await come(desk, await promise(desk, order), "received")
    await cancel(desk, order, 1)
    graded = await move(desk, trade_in, "grade", text="九成新", amount_minor=PRICE)
    assert (graded.status, graded.credit_minor) == ("graded", PROMISED)
    async with refused(admin, "TRADE_IN_REFUSED"):
        await move(desk, trade_in, "accept", amount_minor=PROMISED)
    assert (await move(desk, trade_in, "decline", text="新机已取消")).status == "declined"
    assert (await move(desk, trade_in, "send_home")).status == "closed"
    await assert_clean(desk.runtime, desk.world)


async def test_there_is_no_credit_for_a_new_one_that_goes_back(
    desk: Desk, admin: Connection
) -> None:
    order = await desk.arrived(1)
    trade_in = await come(desk, await promise(desk, order), "graded")
    request = (await desk.ask(order, 1)).request
    async with refused(admin, "TRADE_IN_REFUSED"):
        await move(desk, trade_in, "accept", amount_minor=400)
    again = await move(desk, trade_in, "grade", text="看错了", amount_minor=PRICE)
    assert (again.status, again.credit_minor) == ("graded", PROMISED)
    await desk.end(request.id, is_rejected=False, reason="客户留下了")
    assert (await move(desk, trade_in, "accept", amount_minor=PROMISED)).status == "credited"
    await assert_clean(desk.runtime, desk.world)


@pytest.mark.parametrize(("denied", "status"), [(0, "graded"), (1, "credited")])
async def test_a_new_one_that_was_not_taken_back_is_still_bought(
    desk: Desk, denied: int, status: str
) -> None:
    order = await desk.arrived(1)
    trade_in = await come(desk, await promise(desk, order), "received")
    request = (await desk.ask(order, 1)).request
    await desk.approve(request.id)
    await desk.receive(request.id)
    await inspect(desk, request.id, [Inspected(1, 1 - denied, 0, 0, denied)])
    graded = await move(desk, trade_in, "grade", text="九成新", amount_minor=PROMISED)
    assert graded.status == status


async def inspect(desk: Desk, return_id: int, found: Sequence[Inspected]) -> None:
    done = await inspect_return(
        desk.database, desk.world.store, return_id, found, seen=None, key=fresh_key()
    )
    await desk.runtime.publish_counters(desk.world.tenant_id, done.counters)


async def test_of_two_new_ones_of_which_one_goes_back_one_is_credited(
    desk: Desk, admin: Connection
) -> None:
    order = await desk.arrived(2)
    first, second = [await come(desk, await promise(desk, order), "received") for _ in range(2)]
    await desk.ask(order, 1)
    graded = [
        (await move(desk, one, "grade", text="九成新", amount_minor=PROMISED)).status
        for one in (first, second)
    ]
    assert graded == ["credited", "graded"]
    async with refused(admin, "TRADE_IN_REFUSED"):
        await move(desk, second, "accept", amount_minor=PROMISED)


async def test_of_two_grades_at_once_for_one_new_one_one_is_credited(desk: Desk) -> None:
    order = await desk.arrived(2)
    both = [await come(desk, await promise(desk, order), "received") for _ in range(2)]
    await desk.ask(order, 1)
    graded = await asyncio.gather(
        *(move(desk, one, "grade", text="九成新", amount_minor=PROMISED) for one in both)
    )
    assert sorted(one.status for one in graded) == ["credited", "graded"]


# --------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "given",
    [
        {"description": ""},
        {"description": "冰" * 201},
        {"serial": "x" * 101},
        {"promised_minor": 0},
        {"promised_minor": -1},
        {"promised_minor": 10**18},
    ],
    ids=str,
)
async def test_a_promise_is_well_formed(
    desk: Desk, admin: Connection, given: dict[str, Any]
) -> None:
    order = await desk.placed(1)
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await promise(desk, order, **given)


async def test_a_promise_may_be_as_long_as_it_may(desk: Desk) -> None:
    order = await desk.placed(1)
    kept = await promise(desk, order, description="冰" * 200, serial="x" * 100, promised_minor=1)
    assert (len(kept.description), len(kept.serial)) == (200, 100)


@pytest.mark.parametrize(
    ("status", "step", "given"),
    [
        ("promised", "cancel", {"text": ""}),
        ("promised", "receive", {"node_id": None}),
        ("received", "grade", {"text": "", "amount_minor": 1}),
        ("received", "grade", {"text": "好" * 201, "amount_minor": 1}),
        ("received", "grade", {"text": "好", "amount_minor": -1}),
        ("received", "grade", {"text": "好", "amount_minor": 10**18}),
        ("graded", "accept", {"amount_minor": -1}),
        ("graded", "decline", {"text": ""}),
        ("declined", "send_home", {"carrier": "sf"}),
        ("declined", "send_home", {"carrier": "sf", "waybill": "x" * 201}),
        ("credited", "pay", {"text": ""}),
    ],
)
async def test_a_step_has_what_it_needs(
    desk: Desk, admin: Connection, status: str, step: str, given: dict[str, Any]
) -> None:
    trade_in = await come(desk, await promised(desk), status)
    who = desk.world.brand if step == "receive" else None
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await move(desk, trade_in, step, who=who, **given)


async def test_it_comes_to_a_location_that_there_is(desk: Desk, admin: Connection) -> None:
    trade_in = await promised(desk)
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await move(desk, trade_in, "receive", who=desk.world.brand, node_id=999_999)
    far = await move(
        desk, trade_in, "receive", who=desk.world.brand, node_id=desk.world.nodes["far"]
    )
    assert far.node_id == desk.world.nodes["far"]


@pytest.mark.parametrize("status", WAYS)
async def test_each_step_has_its_time(desk: Desk, admin: Connection, status: str) -> None:
    trade_in = await come(desk, await promised(desk), status)
    for step, given in NEEDS.items():
        if status in TRADE_IN.step(step).sources:
            continue
        async with refused(admin, "TRADE_IN_CHANGED") as seen:
            await move(desk, trade_in, step, who=desk.world.brand, **given)
        assert isinstance(seen.error, TradeInChanged)
        assert seen.error.trade_in == trade_in


async def test_who_saw_it_before_is_told_how_it_stands(desk: Desk, admin: Connection) -> None:
    trade_in = await come(desk, await promised(desk), "graded")
    async with refused(admin, "TRADE_IN_CHANGED") as seen:
        await move(desk, trade_in, "decline", text="太低", seen=1)
    assert isinstance(seen.error, TradeInChanged)
    assert (seen.error.trade_in.status, seen.error.trade_in.version) == ("graded", 3)
    done = await move(desk, trade_in, "decline", text="太低", seen=trade_in.version)
    assert (done.status, done.version) == ("declined", 4)


async def test_what_there_is_not_is_unknown(desk: Desk, admin: Connection) -> None:
    nobody = replace(await promised(desk), id=999_999)
    for step, given in NEEDS.items():
        async with refused(admin, "UNKNOWN_TRADE_IN"):
            await move(desk, nobody, step, **given)
    order = await desk.placed(1)
    async with refused(admin, "UNKNOWN_ORDER"):
        await promise(desk, order, order_id=999_999)


# --------------------------------------------------------------------------------------------- once


async def test_the_same_promise_again_is_the_same(desk: Desk, admin: Connection) -> None:
    order = await desk.placed(2)
    first, again = [await promise(desk, order, key="p") for _ in range(2)]
    assert first == again
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await promise(desk, order, key="p", promised_minor=PROMISED - 1)
    assert await admin.fetchval("select count(*) from trade_in") == 1
    assert len(await admin.fetch(TOLD)) == 1


@pytest.mark.parametrize(
    ("status", "step", "other"),
    [
        ("promised", "cancel", {"text": "又一个原因"}),
        ("promised", "receive", {"seen": 1}),
        ("received", "grade", {"amount_minor": 599}),
        ("graded", "accept", {"amount_minor": 399}),
        ("graded", "decline", {"text": "还是太低"}),
        ("declined", "send_home", {"waybill": "SF8"}),
        ("credited", "pay", {"text": "alipay-9"}),
    ],
)
async def test_the_same_step_again_is_the_same(
    desk: Desk, admin: Connection, status: str, step: str, other: dict[str, Any]
) -> None:
    trade_in = await come(desk, await promised(desk), status)
    given = NEEDS[step] | ({"amount_minor": 400} if step == "accept" else {})
    first, again = [await move(desk, trade_in, step, key="k", **given) for _ in range(2)]
    assert first == again == await standing(desk, trade_in)
    assert first.version == trade_in.version + 1
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await move(desk, trade_in, step, key="k", **(given | other))
    assert len(await admin.fetch(TOLD)) == first.version


async def test_of_two_answers_one_counts(desk: Desk) -> None:
    trade_in = await come(desk, await promised(desk), "graded")
    answers = await asyncio.gather(
        move(desk, trade_in, "accept", amount_minor=400),
        move(desk, trade_in, "decline", text="太低"),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["TradeIn", "TradeInChanged"]


async def test_it_is_paid_once(desk: Desk) -> None:
    trade_in = await come(desk, await promised(desk), "credited")
    answers = await asyncio.gather(
        *(move(desk, trade_in, "pay", text=f"alipay-{number}") for number in range(3)),
        return_exceptions=True,
    )
    kinds = sorted(type(answer).__name__ for answer in answers)
    assert kinds == ["TradeIn", "TradeInChanged", "TradeInChanged"]


# ------------------------------------------------------------------------------------ who may what


async def test_a_store_grades_and_does_not_decide(desk: Desk, admin: Connection) -> None:
    order = await desk.placed(1)
    store = desk.world.store
    async with refused(admin, "UNKNOWN_ORDER"):  # a store sees no orders
        await promise(desk, order, who=store)
    trade_in = await promise(desk, order)
    for step in ("cancel", "accept", "decline", "pay"):
        async with refused(admin, "PERMISSION_MISSING"):
            await move(desk, trade_in, step, who=store, **NEEDS[step])
    assert (await come(desk, trade_in, "credited")).status == "credited"
    async with refused(admin, "PERMISSION_MISSING"):
        await move(desk, trade_in, "pay", who=store, text="alipay-1")


async def test_a_store_works_on_what_lies_with_it(desk: Desk, admin: Connection) -> None:
    elsewhere = replace(desk.world.store, node_ids=(desk.world.nodes["far"],))
    trade_in = await promised(desk)
    async with refused(admin, "UNKNOWN_TRADE_IN"):
        await move(desk, trade_in, "receive", who=elsewhere)
    async with refused(admin, "UNKNOWN_TRADE_IN"):
        await move(desk, trade_in, "receive", node_id=desk.world.nodes["wh"])
    async with refused(admin, "UNKNOWN_TRADE_IN"):
        await move(desk, trade_in, "grade", **NEEDS["grade"])  # it is nowhere yet
    await come(desk, trade_in, "received")
    async with refused(admin, "UNKNOWN_TRADE_IN"):
        await move(desk, trade_in, "grade", who=elsewhere, **NEEDS["grade"])
    await move(desk, trade_in, "grade", text="划痕", amount_minor=400)
    await move(desk, trade_in, "decline", text="太低")
    async with refused(admin, "UNKNOWN_TRADE_IN"):
        await move(desk, trade_in, "send_home", who=elsewhere)
    assert (await move(desk, trade_in, "send_home")).status == "closed"


async def test_a_dealer_decides_about_its_own_and_does_not_pay(
    desk: Desk, admin: Connection
) -> None:
    dealer = desk.world.dealer
    order = await desk.placed(1, shop="dshop")
    async with refused(admin, "UNKNOWN_ORDER"):
        await promise(desk, order, who=desk.world.other_dealer)
    trade_in = await promise(desk, order, who=dealer)
    assert trade_in.requested_by == dealer.subject
    async with refused(admin, "WRITE_REFUSED"):  # in its nodes others work
        await move(desk, trade_in, "receive", who=dealer)
    await come(desk, trade_in, "graded")
    async with refused(admin, "UNKNOWN_TRADE_IN"):
        await move(desk, trade_in, "accept", who=desk.world.other_dealer, amount_minor=400)
    accepted = await move(desk, trade_in, "accept", who=dealer, amount_minor=400)
    assert accepted.status == "credited"
    async with refused(admin, "PERMISSION_MISSING"):
        await move(desk, trade_in, "pay", who=dealer, text="alipay-1")
    assert (await move(desk, trade_in, "pay", text="alipay-1")).status == "paid"


async def test_others_orders_are_nobodys_to_promise_for(desk: Desk, admin: Connection) -> None:
    order = await desk.placed(1)
    for who in (desk.world.dealer, desk.world.other_brand):
        async with refused(admin, "UNKNOWN_ORDER"):
            await promise(desk, order, who=who)
    trade_in = await promise(desk, order)
    for who in (desk.world.dealer, desk.world.other_brand):
        async with refused(admin, "UNKNOWN_TRADE_IN"):
            await move(desk, trade_in, "cancel", who=who, text="不换了")
    async with refused(admin, "UNKNOWN_TRADE_IN"):
        await move(desk, trade_in, "receive", who=desk.world.other_brand)


async def test_a_group_only_looks(desk: Desk, admin: Connection) -> None:
    order = await desk.placed(2)
    trade_in = await promise(desk, order)
    async with refused(admin, "WRITE_REFUSED"):
        await promise(desk, order, who=desk.world.group)
    for step, given in NEEDS.items():
        async with refused(admin, "WRITE_REFUSED"):
            await move(desk, trade_in, step, who=desk.world.group, **given)
    assert await seen_by(desk, desk.world.group) == [trade_in.id]


@pytest.mark.parametrize(
    ("permission", "steps"),
    [
        (Permission.ORDERS_PLACE, ("promise",)),
        (Permission.ORDERS_CANCEL, ("cancel", "accept", "decline", "pay")),
        (Permission.FULFILMENT_WRITE, ("receive", "grade", "send_home")),
    ],
)
async def test_each_step_needs_its_permission(
    desk: Desk, admin: Connection, permission: Permission, steps: tuple[str, ...]
) -> None:
    order = await desk.placed(2)
    trade_in = await promise(desk, order)
    without = replace(desk.world.brand, permissions=ALL - {permission})
    for step in steps:
        async with refused(admin, "PERMISSION_MISSING"):
            if step == "promise":
                await promise(desk, order, who=without)
            else:
                await move(desk, trade_in, step, who=without, **NEEDS[step])


# ------------------------------------------------------------------------------------ who sees what


async def seen_by(desk: Desk, who: Principal, **given: Any) -> list[int]:
    """Return what somebody sees of it: of a node, of an order, in some states, page by page."""
    said: dict[str, Any] = {
        "of": (None, None),
        "statuses": list(TradeInStatus),
        "after": 0,
        "limit": 10,
    }
    async with desk.database.tenant_transaction(who, read_only=True) as tx:
        return [one.id for one in await page_of_trade_ins(tx, **(said | given))]


async def test_everybody_sees_what_is_theirs(desk: Desk) -> None:
    world = desk.world
    own = await promise(desk, await desk.placed(1, shop="dshop"))
    brands = await promise(desk, await desk.placed(1))
    assert await seen_by(desk, world.brand) == [own.id, brands.id]
    assert await seen_by(desk, world.dealer) == [own.id]
    for who in (world.other_dealer, world.store, world.other_brand):
        assert await seen_by(desk, who) == []
    await come(desk, brands, "received")
    assert await seen_by(desk, world.store) == [brands.id]
    assert await seen_by(desk, replace(world.store, node_ids=(world.nodes["far"],))) == []


async def test_they_are_found_page_by_page(desk: Desk) -> None:
    order, other = await desk.placed(3), await desk.placed(1)
    ids = [(await promise(desk, order)).id for _ in range(3)]
    last = await come(desk, await promise(desk, other), "received")
    brand = desk.world.brand
    assert await seen_by(desk, brand, limit=2) == ids[:2]
    assert await seen_by(desk, brand, limit=2, after=ids[1]) == [ids[2], last.id]
    assert await seen_by(desk, brand, of=(None, order.order_id)) == ids
    assert await seen_by(desk, brand, of=(desk.store, None)) == [last.id]
    assert await seen_by(desk, brand, of=(desk.store, order.order_id)) == []
    assert await seen_by(desk, brand, statuses=[TradeInStatus.RECEIVED]) == [last.id]
