"""Repairs: a customer's unit comes, is priced, repaired or not, and goes home; it is no stock."""

import asyncio
from typing import Any

import pytest

from backend.after_sales.errors import RepairChanged
from backend.after_sales.model import Repair, RepairDraft, RepairStatus, UnitMove
from backend.after_sales.repairs import move_repair, page_of_repairs, request_repair
from backend.orders.model import Placed
from tenants.principal import Principal
from tests.after_sales.desk import Desk
from tests.catalogue import Connection
from tests.inventory.stock import figures
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import fresh_key

TOLD = "select payload->>'status' as status from outbox where type = 'repair.changed' order by id"


async def ask(desk: Desk, order: Placed, *, key: str = "", **given: Any) -> Repair:
    said: dict[str, Any] = {"order_id": order.order_id, "line_no": 1, "fault": "不制冷"} | given
    draft = RepairDraft(**said)
    return await request_repair(desk.database, desk.world.brand, draft, key or fresh_key())


async def move(
    desk: Desk, repair: Repair, step: str, *, key: str = "", seen: int | None = None, **given: Any
) -> Repair:
    """Let whose step it is take it: the store, or who sold it."""
    at_store = step in ("receive", "quote", "finish", "send_home")
    who: Principal = given.pop("who", desk.world.store if at_store else desk.world.brand)
    if step == "receive":
        given = {"node_id": desk.store} | given
    done = UnitMove(step, **given)
    return await move_repair(desk.database, who, repair.id, done, seen=seen, key=key or fresh_key())


async def quoted(desk: Desk, price: int = 9_900) -> Repair:
    repair = await ask(desk, await desk.arrived(2), serial="SN-1")
    await move(desk, repair, "receive")
    return await move(desk, repair, "quote", text="压缩机坏", amount_minor=price)


async def test_it_is_repaired_for_a_price_and_goes_home(desk: Desk, admin: Connection) -> None:
    repair = await quoted(desk)
    assert (repair.status, repair.price_minor, repair.finding) == ("quoted", 9_900, "压缩机坏")
    await move(desk, repair, "accept", amount_minor=9_900, text="pay-1")
    await move(desk, repair, "finish", text="换了压缩机")
    home = await move(desk, repair, "send_home", carrier="sf", waybill="SF9")
    assert (home.status, home.reference, home.work) == ("closed", "pay-1", "换了压缩机")
    assert (home.carrier, home.waybill, home.serial) == ("sf", "SF9", "SN-1")
    told = [row["status"] for row in await admin.fetch(TOLD)]
    assert told == ["requested", "received", "quoted", "accepted", "repaired", "closed"]
    assert (await figures(admin, desk.world, "store")).on_hand == 3
    await assert_clean(desk.runtime, desk.world)


async def test_under_warranty_nobody_is_asked(desk: Desk) -> None:
    repair = await quoted(desk, price=0)
    assert repair.status == "accepted"
    assert (await move(desk, repair, "finish", text="换了")).status == "repaired"
    assert (await move(desk, repair, "send_home")).waybill == ""


async def test_a_price_may_be_said_anew_until_it_is_paid(desk: Desk, admin: Connection) -> None:
    repair = await quoted(desk)
    await move(desk, repair, "quote", text="还有电路板", amount_minor=19_900)
    async with refused(admin, "WRONG_AMOUNT"):
        await move(desk, repair, "accept", amount_minor=9_900, text="pay-1")
    done = await move(desk, repair, "accept", amount_minor=19_900, text="pay-1")
    assert done.status == "accepted"
    async with refused(admin, "REPAIR_CHANGED"):
        await move(desk, repair, "quote", text="更多", amount_minor=1)


async def test_too_dear_it_goes_home_as_it_is(desk: Desk) -> None:
    repair = await quoted(desk)
    assert (await move(desk, repair, "decline", text="太贵")).work == "太贵"
    assert (await move(desk, repair, "send_home")).status == "closed"


async def test_it_does_not_come(desk: Desk, admin: Connection) -> None:
    repair = await ask(desk, await desk.arrived(1))
    assert (await move(desk, repair, "cancel", text="好了")).status == "cancelled"
    async with refused(admin, "REPAIR_CHANGED"):
        await move(desk, repair, "receive")


async def test_no_more_units_than_the_customer_has(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(2)
    first = await ask(desk, order)
    await desk.ask(order, 1)
    async with refused(admin, "TOO_MANY_RETURNED"):
        await ask(desk, order)
    await move(desk, first, "cancel")
    assert (await ask(desk, order)).status == "requested"
    async with refused(admin, "TOO_MANY_RETURNED"):
        await ask(desk, order, line_no=9)


async def test_what_is_repaired_is_not_sent_back_before_it_is_home(
    desk: Desk, admin: Connection
) -> None:
    order = await desk.arrived(1)
    repair = await ask(desk, order)
    async with refused(admin, "TOO_MANY_RETURNED"):
        await desk.ask(order, 1)
    await move(desk, repair, "cancel")
    assert (await desk.ask(order, 1)).request.status == "requested"


async def test_what_has_not_come_is_not_repaired(desk: Desk, admin: Connection) -> None:
    order = await desk.placed(2)
    async with refused(admin, "TOO_MANY_RETURNED"):
        await ask(desk, order)


@pytest.mark.parametrize("given", [{"fault": ""}, {"fault": "x" * 201}, {"serial": "x" * 101}])
async def test_a_wish_is_well_formed(desk: Desk, admin: Connection, given: dict[str, str]) -> None:
    order = await desk.arrived(1)
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await ask(desk, order, **given)


@pytest.mark.parametrize(
    ("step", "given"),
    [
        ("quote", {"text": "", "amount_minor": 1}),
        ("quote", {"text": "x", "amount_minor": -1}),
        ("quote", {"text": "x", "amount_minor": 10**18}),
        ("accept", {"text": "", "amount_minor": 9_900}),
        ("decline", {"text": ""}),
        ("finish", {"text": "x" * 201}),
        ("send_home", {"carrier": "sf"}),
        ("send_home", {"waybill": "SF1"}),
        ("receive", {"node_id": None}),
        ("receive", {"node_id": 999_999, "who": "brand"}),
    ],
)
async def test_a_step_has_what_it_needs(
    desk: Desk, admin: Connection, step: str, given: dict[str, Any]
) -> None:
    repair = await quoted(desk)
    if given.get("who") == "brand":
        given = given | {"who": desk.world.brand}
    async with refused(admin, "INVALID_AFTER_SALES_INPUT"):
        await move(desk, repair, step, **given)


async def test_who_saw_it_before_is_told_how_it_stands(desk: Desk, admin: Connection) -> None:
    repair = await quoted(desk)
    async with refused(admin, "REPAIR_CHANGED") as seen:
        await move(desk, repair, "decline", text="贵", seen=1)
    assert isinstance(seen.error, RepairChanged)
    assert (seen.error.repair.status, seen.error.repair.version) == ("quoted", repair.version)
    assert (await move(desk, repair, "decline", text="贵", seen=repair.version)).version == 4


async def test_the_same_command_again_is_the_same(desk: Desk, admin: Connection) -> None:
    order = await desk.arrived(2)
    first, again = [await ask(desk, order, key="k") for _ in range(2)]
    assert first == again
    await move(desk, first, "receive", key="r")
    once = await move(desk, first, "receive", key="r")
    assert once.version == 2
    assert await admin.fetchval("select count(*) from repair") == 1


async def test_of_two_answers_one_counts(desk: Desk) -> None:
    repair = await quoted(desk)
    answers = await asyncio.gather(
        move(desk, repair, "accept", amount_minor=9_900, text="pay"),
        move(desk, repair, "decline", text="贵"),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Repair", "RepairChanged"]


async def test_everybody_sees_and_does_what_is_theirs(desk: Desk, admin: Connection) -> None:
    repair = await ask(desk, await desk.arrived(1))
    async with refused(admin, "UNKNOWN_REPAIR"):
        await move(desk, repair, "receive", node_id=desk.world.nodes["wh"])
    async with refused(admin, "UNKNOWN_REPAIR"):
        await move(desk, repair, "quote", text="x")  # a store does not see what is nowhere yet
    async with refused(admin, "PERMISSION_MISSING"):
        await move(desk, repair, "cancel", who=desk.world.store)
    async with refused(admin, "UNKNOWN_REPAIR"):
        await move(desk, repair, "cancel", who=desk.world.dealer)
    assert await seen_by(desk, desk.world.store) == 0
    await move(desk, repair, "receive")
    assert await seen_by(desk, desk.world.store) == 1
    assert await seen_by(desk, desk.world.brand) == 1
    assert await seen_by(desk, desk.world.dealer) == 0


async def seen_by(desk: Desk, who: Principal) -> int:
    async with desk.database.tenant_transaction(who, read_only=True) as tx:
        return len(await page_of_repairs(tx, (None, None), list(RepairStatus), 0, 10))
