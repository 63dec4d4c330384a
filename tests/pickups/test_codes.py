"""Who may fetch an order: codes and tokens, right, wrong, used, revoked, guessed, of others."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from backend.pickups.codes import codes_of_order, public_key
from backend.pickups.errors import PickupLocked, WrongPickupCode
from backend.pickups.hand_over import LOCKED_MINUTES, WRONG_CODES_MAX
from backend.pickups.model import CodeState, PickupStatus
from tenants.principal import PermissionMissing
from tests.catalogue import Connection
from tests.orders.checks import assert_clean
from tests.pickups.counter import Counter
from tests.refusals import refused

P = PickupStatus


async def test_a_code_opens_an_order_once(counter: Counter, admin: Connection) -> None:
    order = await counter.ready()
    code = await counter.code(order)
    assert len(code) == 8
    await counter.hand_over(order, code)
    async with refused(admin, "PICKUP_CHANGED"):
        await counter.hand_over(order, code)
    found = await codes_of_order(counter.database, counter.world.brand, order.order_id)
    assert [(one.state, one.code, one.token) for one in found] == [(CodeState.USED, None, None)]


async def test_a_phone_checks_a_token_without_us(counter: Counter) -> None:
    order = await counter.ready()
    token = await counter.token(order)
    key = OKPKey.import_key(await public_key(counter.database, counter.world.store))
    claims = jwt.decode(token, key, algorithms=["Ed25519"]).claims
    pickup = await counter.pickup(order)
    assert pickup.keep_until is not None
    assert claims == {
        "sub": str(order.order_id),
        "loc": pickup.node_id,
        "no": 1,
        "exp": int(pickup.keep_until.timestamp()),
    }
    assert key.as_dict(private=False).get("d") is None
    await counter.hand_over(order, token)
    assert await counter.status(order) is P.HANDED_OVER


async def test_a_forged_token_opens_nothing(counter: Counter, admin: Connection) -> None:
    order, other = await counter.ready(), await counter.ready()
    token = await counter.token(order)
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = str(other.order_id)
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    mine = OKPKey.generate_key("Ed25519")
    own = jwt.encode({"alg": "Ed25519"}, claims, mine, algorithms=["Ed25519"])
    for forged in (f"{head}.{changed}.{signature}", own, "a.b.c", token):
        async with refused(admin, "WRONG_PICKUP_CODE"):
            await counter.hand_over(other, forged)
    await counter.hand_over(order, token)


async def test_guesses_lock_an_order(counter: Counter, admin: Connection) -> None:
    order = await counter.ready()
    code = await counter.code(order)
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    results = await asyncio.gather(
        *(counter.hand_over(order, wrong) for _ in range(3 * WRONG_CODES_MAX)),
        return_exceptions=True,
    )
    looked_at = [one for one in results if isinstance(one, WrongPickupCode)]
    assert len(looked_at) == WRONG_CODES_MAX
    assert all(isinstance(one, WrongPickupCode | PickupLocked) for one in results)
    with pytest.raises(PickupLocked) as locked:
        await counter.hand_over(order, code)
    assert locked.value.locked_until > datetime.now(UTC)
    await admin.execute("update pickup set locked_until = clock_timestamp() - interval '1 s'")
    await counter.hand_over(order, code)
    row = await admin.fetchrow("select status, wrong_codes, locked_until from pickup")
    assert row is not None
    assert tuple(row) == ("handed_over", 0, None)
    await assert_clean(counter.runtime, counter.world)


async def test_keeping_it_longer_does_not_unlock_it(counter: Counter) -> None:
    order = await counter.ready()
    for _ in range(WRONG_CODES_MAX):
        with pytest.raises(WrongPickupCode):
            await counter.hand_over(order, "x")
    await counter.keep(order, datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(PickupLocked):
        await counter.hand_over(order, await counter.code(order))


async def test_the_qr_code_opens_what_is_locked(counter: Counter) -> None:
    order = await counter.ready()
    for _ in range(WRONG_CODES_MAX):
        with pytest.raises(WrongPickupCode):
            await counter.hand_over(order, "x")
    with pytest.raises(PickupLocked):
        await counter.hand_over(order, await counter.code(order))
    await counter.hand_over(order, await counter.token(order))
    assert await counter.status(order) is P.HANDED_OVER


async def test_one_code_is_not_tried_on_order_after_order(
    counter: Counter, admin: Connection
) -> None:
    order = await counter.ready(1, stock=30)
    await admin.execute(
        "update pickup set wrong_codes = 50, wrong_at = clock_timestamp() where order_id = $1",
        order.order_id,
    )
    other = await counter.ready(1, stock=0)
    with pytest.raises(PickupLocked):
        await counter.hand_over(other, await counter.code(other))
    await admin.execute(
        "update pickup set wrong_at = clock_timestamp() - make_interval(mins => $1)",
        LOCKED_MINUTES,
    )
    await counter.hand_over(other, await counter.code(other))


async def test_whom_the_buyer_sends(counter: Counter, admin: Connection) -> None:
    order = await counter.sold()
    assert await counter.issue(order) == 1
    await counter.make_ready(order)
    assert await counter.issue(order, 1, name="王五") == 2
    found = await codes_of_order(counter.database, counter.world.brand, order.order_id)
    assert [(one.name, one.state) for one in found] == [
        ("李四", CodeState.REVOKED),
        ("王五", CodeState.ACTIVE),
    ]
    with pytest.raises(WrongPickupCode):
        await counter.hand_over(order, "00000000")
    await counter.hand_over(order, await counter.code(order, 2))
    told = await admin.fetchval("select payload from outbox where type = 'pickup.handed_over'")
    assert json.loads(told)["codeNo"] == 2


async def test_a_revoked_code_opens_nothing(counter: Counter, admin: Connection) -> None:
    order = await counter.ready()
    code, token = await counter.code(order), await counter.token(order)
    await counter.issue(order, 1)
    with pytest.raises(WrongPickupCode):
        await counter.hand_over(order, code)
    async with refused(admin, "WRONG_PICKUP_CODE"):
        await counter.hand_over(order, token)


async def test_a_code_of_another_store_opens_nothing(counter: Counter, admin: Connection) -> None:
    order = await counter.sold(1, at="dealer-node")
    await counter.make_ready(order, counter.world.brand)
    code = await counter.code(order)
    async with refused(admin, "UNKNOWN_PICKUP"):
        await counter.hand_over(order, code)
    async with refused(admin, "WRITE_REFUSED"):
        await counter.hand_over(order, code, who=counter.world.dealer)


async def test_stores_are_shown_no_codes(counter: Counter, admin: Connection) -> None:
    order = await counter.ready()
    with pytest.raises(PermissionMissing):
        await codes_of_order(counter.database, counter.world.store, order.order_id)
    async with refused(admin, "UNKNOWN_PICKUP"):
        await codes_of_order(counter.database, counter.world.other_dealer, order.order_id)


async def test_codes_of_what_is_not_ready_are_not_shown(counter: Counter) -> None:
    order = await counter.sold()
    await counter.issue(order)
    found = await codes_of_order(counter.database, counter.world.brand, order.order_id)
    assert [(one.code, one.token) for one in found] == [(None, None)]


async def test_what_a_fast_clock_says_happened_now(counter: Counter, admin: Connection) -> None:
    order = await counter.ready()
    ahead = datetime.now(UTC) + timedelta(days=3)
    await counter.hand_over(order, await counter.code(order), happened_at=ahead)
    told = await admin.fetchval("select payload from outbox where type = 'pickup.handed_over'")
    assert datetime.fromisoformat(json.loads(told)["happenedAt"]) < ahead - timedelta(days=2)
