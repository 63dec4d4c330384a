"""Authority is read again in the commit: who lost it since the log-in places nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from backend.db.pool import Transaction
from backend.orders.model import OrderDraft, Placed, Refused
from backend.runtime import Runtime
from loadtests.waiting import until
from tenants import members
from tenants.principal import Kind, Principal
from tests.catalogue import Connection
from tests.orders.checks import assert_clean, facts, placed, refused
from tests.tenants import people
from tests.tenants.people import on_platform
from tests.world import PASSWORD, World, draft, paid, receive

Loss = Callable[[Runtime, World, Connection], Awaitable[tuple[Principal, str]]]
"""Takes somebody's authority away after the log-in; returns who it was, and their shop."""

REVOKE = "delete from platform.membership where user_id = $1"
EXPIRE = "update platform.api_key set expires_at = clock_timestamp() where id = $1"
WAITING = "select exists (select from pg_locks where not granted)"


async def logged_in(runtime: Runtime, email: str) -> Principal:
    session, _ = await runtime.authenticator.log_in(email, PASSWORD, "acme")
    return await runtime.authenticator.principal_of(session.token)


async def with_key(runtime: Runtime, world: World, **scope: Any) -> tuple[int, Principal]:
    key_id, key = await people.issue_key(runtime.database, world.tenant_id, **scope)
    return key_id, await runtime.authenticator.principal_of(key)


async def disabled(runtime: Runtime, world: World, _: Connection) -> tuple[Principal, str]:
    who = await logged_in(runtime, "brand@example.com")
    await people.disable(runtime.database, who.user_id or 0)
    return who, "shop"


async def member_no_more(
    runtime: Runtime, world: World, admin: Connection
) -> tuple[Principal, str]:
    who = await logged_in(runtime, "brand@example.com")
    await admin.execute(REVOKE, who.user_id)
    return who, "shop"


async def member_elsewhere(
    runtime: Runtime, world: World, admin: Connection
) -> tuple[Principal, str]:
    who = await logged_in(runtime, "brand@example.com")
    await admin.execute(REVOKE, who.user_id)
    user_id = who.user_id or 0
    await people.join(runtime.database, user_id, Kind.BRAND, brand_id=world.other_tenant_id)
    return who, "shop"


async def another_kind(runtime: Runtime, world: World, admin: Connection) -> tuple[Principal, str]:
    who = await logged_in(runtime, "brand@example.com")
    await admin.execute(REVOKE, who.user_id)
    scope: dict[str, Any] = {"brand_id": world.tenant_id, "node_ids": (world.nodes["wh"],)}
    await people.join(runtime.database, who.user_id or 0, Kind.STORE, **scope)
    return who, "shop"


async def another_dealers(
    runtime: Runtime, world: World, admin: Connection
) -> tuple[Principal, str]:
    """Both dealers have an agreement; the user went from one to the other."""
    who = await logged_in(runtime, "d1@example.com")
    await admin.execute(REVOKE, who.user_id)
    other = world.dealers["d2"]
    await people.join(runtime.database, who.user_id or 0, Kind.DEALER, dealer_id=other)
    return who, "dshop"


async def without_agreement(runtime: Runtime, world: World, _: Connection) -> tuple[Principal, str]:
    """The dealer goes on working for the other brand."""
    who = await logged_in(runtime, "d1@example.com")
    dealer_id = world.dealers["d1"]
    await people.sign_agreement(runtime.database, world.other_tenant_id, dealer_id, people.today())
    await people.end_agreement(runtime.database, world.tenant_id, dealer_id)
    return who, "dshop"


async def agreement_over(
    runtime: Runtime, world: World, admin: Connection
) -> tuple[Principal, str]:
    """It ended by the calendar, while the dealer was logged in."""
    who = await logged_in(runtime, "d1@example.com")
    update = "update platform.agreement set ends_on = $1 where dealer_id = $2"
    await admin.execute(update, people.today(-1), who.dealer_id)
    return who, "dshop"


async def revoked_key(runtime: Runtime, world: World, _: Connection) -> tuple[Principal, str]:
    key_id, who = await with_key(runtime, world)
    await people.revoke_key(runtime.database, world.tenant_id, key_id)
    return who, "shop"


async def expired_key(runtime: Runtime, world: World, admin: Connection) -> tuple[Principal, str]:
    key_id, who = await with_key(runtime, world)
    await admin.execute(EXPIRE, key_id)
    return who, "shop"


async def dealers_key(runtime: Runtime, world: World, _: Connection) -> tuple[Principal, str]:
    dealer_id = world.dealers["d1"]
    _id, who = await with_key(runtime, world, kind=Kind.DEALER, dealer_id=dealer_id)
    await people.end_agreement(runtime.database, world.tenant_id, dealer_id)
    return who, "dshop"


LOSSES: tuple[Loss, ...] = (
    disabled,
    member_no_more,
    member_elsewhere,
    another_kind,
    another_dealers,
    without_agreement,
    agreement_over,
    revoked_key,
    expired_key,
    dealers_key,
)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
async def test_who_lost_authority_since_the_log_in_places_nothing(
    runtime: Runtime, world: World, admin: Connection, loss: Loss
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    who, shop = await loss(runtime, world, admin)
    before = await facts(runtime, world)
    refused(await runtime.intake.place(draft({"A": 1}, shop=shop), who), "NOT_AUTHORISED")
    assert await facts(runtime, world) == before
    await assert_clean(runtime, world)


@pytest.mark.parametrize(("email", "shop"), [("brand@", "shop"), ("d1@", "dshop")])
async def test_without_a_loss_the_order_is_placed(
    runtime: Runtime, world: World, email: str, shop: str
) -> None:
    """Without this the refusals above might have other reasons."""
    await receive(runtime.database, world.brand, "wh", "A", 5)
    who = await logged_in(runtime, f"{email}example.com")
    placed(await runtime.intake.place(draft({"A": 1}, shop=shop), who))


async def test_with_a_key_the_order_is_placed(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    _, who = await with_key(runtime, world)
    placed(await runtime.intake.place(draft({"A": 1}), who))


async def test_authority_is_read_after_the_last_wait_for_a_lock(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    before = await facts(runtime, world)
    who = await logged_in(runtime, "d1@example.com")
    async with admin.transaction():
        await admin.execute("select from stock_level for update")
        placing = asyncio.create_task(runtime.intake.place(draft(shop="dshop"), who))
        await until(lambda: admin.fetchval(WAITING))
        await people.end_agreement(runtime.database, world.tenant_id, world.dealers["d1"])
    refused(await placing, "NOT_AUTHORISED")
    assert await facts(runtime, world) == before


# ----------------------------------------------------------------- whichever way it commits

WAYS: dict[str, Callable[[], OrderDraft]] = {
    "admitted": lambda: draft({"A": 1}),
    "in the last attempt": lambda: paid("e1", {"B": 1}),
    "held": lambda: paid("e2", {"Z": 1}),
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_of_committing_looks_again(
    runtime: Runtime, world: World, admin: Connection, way: str
) -> None:
    """Stock of A is known to admission; of B there is none, and nobody knows Z."""
    await receive(runtime.database, world.brand, "wh", "A", 5)
    key_id, who = await with_key(runtime, world)
    placed(await runtime.intake.place(draft({"A": 1}), world.brand))
    await people.revoke_key(runtime.database, world.tenant_id, key_id)
    before = await facts(runtime, world)
    refused(await runtime.intake.place(WAYS[way](), who), "NOT_AUTHORISED")
    assert await facts(runtime, world) == before
    await assert_clean(runtime, world)


async def test_the_others_of_a_batch_are_placed(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 9)
    who, _ = await without_agreement(runtime, world, admin)
    lanes = [await runtime.intake.submit_bulk(draft(), world.brand) for _ in range(2)]
    lanes.insert(1, await runtime.intake.submit_bulk(draft(shop="dshop"), who))
    lanes.append(await runtime.intake.submit_bulk(draft(shop="dshop2"), world.other_dealer))
    outcomes = [await lane for lane in lanes]
    assert [type(outcome) for outcome in outcomes] == [Placed, Refused, Placed, Placed]
    assert (await facts(runtime, world)).reserved == 3
    await assert_clean(runtime, world)


async def test_the_key_of_a_refused_order_is_free_again(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    who, shop = await without_agreement(runtime, world, admin)
    order = draft(shop=shop)
    refused(await runtime.intake.place(order, who), "NOT_AUTHORISED")
    await admin.execute("update platform.agreement set ended_at = null")
    placed(await runtime.intake.place(order, who))


async def test_what_was_placed_before_is_answered_as_before(
    runtime: Runtime, world: World, admin: Connection
) -> None:
    """The order exists; that its owner may place no more does not change it."""
    await receive(runtime.database, world.brand, "wh", "A", 5)
    order = draft(shop="dshop")
    first = placed(await runtime.intake.place(order, world.dealer))
    await without_agreement(runtime, world, admin)
    before = await facts(runtime, world)
    assert await runtime.intake.place(order, world.dealer) == first
    assert await facts(runtime, world) == before


async def test_a_group_places_nothing_with_every_permission(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    before = await facts(runtime, world)
    refused(await runtime.intake.place(draft(), world.group), "UNKNOWN_SHOP")
    assert await facts(runtime, world) == before


async def revoke_all(tx: Transaction, manager: Principal) -> None:
    for member in await members.list_members(tx, manager, 0, 9):
        await members.revoke_membership(tx, manager, member.id)


async def test_a_revoked_membership_ends_at_the_next_order(runtime: Runtime, world: World) -> None:
    await receive(runtime.database, world.brand, "wh", "A", 5)
    who = await logged_in(runtime, "d1@example.com")
    await on_platform(runtime.database, lambda tx: revoke_all(tx, who))
    before = await facts(runtime, world)
    refused(await runtime.intake.place(draft(shop="dshop"), who), "NOT_AUTHORISED")
    assert await facts(runtime, world) == before
