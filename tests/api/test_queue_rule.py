"""The queue of waiting orders through the API: a brand says who gets first what comes."""

from typing import Any

from backend.orders.queue_rule import QueueBy
from backend.runtime import Runtime
from tenants.principal import Permission, Principal
from tests.api.client import Api, order
from tests.api.users import user_with
from tests.catalogue import Connection, contents
from tests.inventory.pools.living import Living
from tests.world import World, fresh_key

SET = """mutation ($input: QueueRuleSetInput!) { queueRuleSet(input: $input) { __typename
    ... on QueueRuleSaved { by } ... on UserError { code path }
    ... on PermissionDenied { permission } } }"""
RULE = "{ queueRule }"
LINES = "query ($id: ID!) { order(id: $id) { lines { reserved backordered } } }"


async def say(api: Api, who: Principal, by: QueueBy | str, key: str = "") -> dict[str, Any]:
    given = {"idempotencyKey": key or fresh_key(), "by": QueueBy(by).name}
    return dict((await api.data(SET, who, input=given))["queueRuleSet"])


async def rule(api: Api, who: Principal) -> str:
    return str((await api.data(RULE, who))["queueRule"])


async def waiting(api: Api, live: Living, number: str, level: int) -> str:
    """Place a paid order of a customer of a level, which waits; returns its id."""
    traits = {"customerLevel": level}
    cart = order(fresh_key(), externalId=number, isPaid=True, shortage="BACKORDER", traits=traits)
    placed = await api.place(live.brand, cart)
    assert placed["status"] == "BACKORDERED", placed
    return str(placed["orderId"])


async def reserved(api: Api, live: Living, order_id: str) -> int:
    (line,) = (await api.data(LINES, live.brand, id=order_id))["order"]["lines"]
    return int(line["reserved"])


async def test_a_brand_says_who_comes_first(api: Api, world: World) -> None:
    assert await rule(api, world.brand) == "AGE"
    saved = await say(api, world.brand, QueueBy.CUSTOMER_LEVEL)
    assert saved == {"__typename": "QueueRuleSaved", "by": "CUSTOMER_LEVEL"}
    assert await rule(api, world.brand) == "CUSTOMER_LEVEL"
    assert await rule(api, world.group) == "CUSTOMER_LEVEL"
    assert await rule(api, world.other_brand) == "AGE"
    assert (await say(api, world.brand, QueueBy.AGE))["by"] == "AGE"
    assert await rule(api, world.brand) == "AGE"


async def test_a_dealer_is_told_the_rule_that_its_orders_wait_by(api: Api, world: World) -> None:
    await say(api, world.brand, QueueBy.CUSTOMER_LEVEL)
    assert await rule(api, world.dealer) == "CUSTOMER_LEVEL"


async def test_a_better_customer_gets_what_comes(api: Api, live: Living) -> None:
    await say(api, live.brand, QueueBy.CUSTOMER_LEVEL)
    anybody = await waiting(api, live, "tb-1", 0)
    best = await waiting(api, live, "tb-2", 9)
    await live.receive("wh", 1)
    await live.runtime.settle()
    assert [await reserved(api, live, one) for one in (anybody, best)] == [0, 1]


async def test_the_same_command_again_is_the_same(api: Api, world: World) -> None:
    first = await say(api, world.brand, QueueBy.CUSTOMER_LEVEL, "k")
    assert await say(api, world.brand, QueueBy.CUSTOMER_LEVEL, "k") == first
    other = await say(api, world.brand, QueueBy.AGE, "k")
    assert (other["__typename"], other["code"]) == ("InputRefused", "IDEMPOTENCY_CONFLICT")
    bad = await say(api, world.brand, QueueBy.AGE, "x" * 201)
    assert bad["code"] == "INVALID_IDEMPOTENCY_KEY"
    assert await rule(api, world.brand) == "CUSTOMER_LEVEL"


async def test_who_may_not_set_it_changes_nothing(
    api: Api, world: World, runtime: Runtime, admin: Connection
) -> None:
    reader = await user_with(runtime, world, Permission.ORDERS_READ)
    builder = await user_with(runtime, world, Permission.NETWORK_WRITE)
    before = await contents(admin)
    denied = await say(api, reader, QueueBy.CUSTOMER_LEVEL)
    assert (denied["__typename"], denied["permission"]) == ("PermissionDenied", "network:write")
    for who in (world.dealer, world.store, world.group):
        refused = await say(api, who, QueueBy.CUSTOMER_LEVEL)
        assert (refused["__typename"], refused["code"]) == ("InputRefused", "WRITE_REFUSED")
    assert await contents(admin) == before
    assert await rule(api, reader) == "AGE"
    assert (await say(api, builder, QueueBy.CUSTOMER_LEVEL))["by"] == "CUSTOMER_LEVEL"
    answer = await api.ask(RULE, builder)
    assert answer["errors"][0]["extensions"]["code"] == "PERMISSION_MISSING"
