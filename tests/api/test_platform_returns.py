"""What buyers ask for on platforms, through the API: seen by the brand, and decided by it."""

from datetime import datetime
from typing import Any

import pytest

from backend.publishing.decide_returns import REASON_MAX
from backend.runtime import Runtime
from graphql_schema.paging import PAGE_MAX, id_of
from tenants.principal import Permission, Principal
from tests.after_sales.desk import Desk
from tests.api.client import Api
from tests.api.users import user_with
from tests.catalogue import Connection, contents
from tests.world import World, fresh_key

FIELDS = """id shop number platformOrder kind status reason problem refusal isSettled changedAt
    orderId returnId"""
LIST = f"""query ($onlyProblems: Boolean! = false, $first: Int! = 20, $after: String) {{
    platformReturns(onlyProblems: $onlyProblems, first: $first, after: $after) {{
        edges {{ node {{ {FIELDS} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
NODE = f"query ($id: ID!) {{ node(id: $id) {{ ... on PlatformReturn {{ {FIELDS} }} }} }}"
DECIDE = f"""mutation ($input: PlatformReturnDecideInput!) {{ platformReturnDecide(input: $input) {{
    __typename ... on PlatformReturnDecided {{ platformReturn {{ {FIELDS} }} }}
    ... on UserError {{ code message path }} ... on PermissionDenied {{ permission }} }} }}"""
STORE = """
    insert into channel_return (tenant_id, shop_id, number, order_number, kind, theirs, units,
                                reason, problem, is_settled, order_id, return_id, changed_at,
                                ask_after)
    select s.tenant_id, s.id, $3, 'P-1', $4, $5, '[{"listing": "A", "quantity": 1}]', '尺寸不合适',
           $6, $7, $8, $9, timestamptz '2026-01-02 03:04Z', timestamptz '2099-01-01 00:00Z'
    from shop s where s.tenant_id = $1 and s.code = $2
    returning id
"""
CHANGED_AT = datetime.fromisoformat("2026-01-02T03:04:00+00:00")
PROBLEM = "NOT_RETURNABLE: It was delivered too long ago."
WHY = "定制商品不退"


class Platforms:
    """The requests that shops of a brand have on platforms, and who looks at them."""

    def __init__(self, api: Api, world: World, admin: Connection) -> None:
        self.api, self.world, self.admin = api, world, admin

    async def asked(
        self,
        number: str,
        shop: str = "shop",
        kind: str = "return",
        status: str = "wait_seller",
        problem: str = "",
        *,
        is_settled: bool = False,
        here: tuple[int | None, int | None] = (None, None),
        tenant_id: int = 0,
    ) -> str:
        """Keep a request as one that was noted long ago and rests; returns its id."""
        given = (shop, number, kind, status, problem, is_settled, *here)
        found = await self.admin.fetchval(STORE, tenant_id or self.world.tenant_id, *given)
        return id_of("PlatformReturn", found)

    async def page(self, who: Principal | None = None, **values: Any) -> dict[str, Any]:
        answer = await self.api.data(LIST, who or self.world.brand, **values)
        return dict(answer["platformReturns"])

    async def listed(self, who: Principal | None = None, **values: Any) -> list[str]:
        """Return what the platform calls the requests of the first page."""
        edges = (await self.page(who, **values))["edges"]
        return [edge["node"]["number"] for edge in edges]

    async def node(self, request: str, who: Principal | None = None) -> Any:
        return (await self.api.data(NODE, who or self.world.brand, id=request))["node"]

    async def decide(
        self, request: str, who: Principal | None = None, **values: Any
    ) -> dict[str, Any]:
        """Return what is answered to whoever refuses a request, where nothing else is said."""
        given = {
            "idempotencyKey": fresh_key(),
            "platformReturnId": request,
            "refuses": True,
            "reason": WHY,
        } | values
        answer = await self.api.data(DECIDE, who or self.world.brand, input=given)
        return dict(answer["platformReturnDecide"])

    async def decided(self, request: str, **values: Any) -> dict[str, Any]:
        """Return a request about which is decided what may be."""
        answer = await self.decide(request, **values)
        assert answer["__typename"] == "PlatformReturnDecided", answer
        return dict(answer["platformReturn"])

    async def is_due(self, request: str) -> bool:
        """Whether a request is to be looked at now."""
        number = (await self.node(request))["number"]
        due = "select ask_after <= clock_timestamp() from channel_return where number = $1"
        return bool(await self.admin.fetchval(due, number))


@pytest.fixture
def platforms(api: Api, world: World, admin: Connection) -> Platforms:
    return Platforms(api, world, admin)


# ------------------------------------------------------------------------------- what is seen


async def test_a_request_says_how_it_stands_there_and_here(
    platforms: Platforms, runtime: Runtime, world: World
) -> None:
    desk = Desk(runtime, world)
    await desk.furnish()
    order = await desk.arrived()
    ours = (await desk.ask(order)).request
    here = (order.order_id, ours.id)
    request = await platforms.asked("R-1", problem=PROBLEM, here=here)
    (edge,) = (await platforms.page())["edges"]
    seen = dict(edge["node"])
    assert datetime.fromisoformat(seen.pop("changedAt")) == CHANGED_AT
    assert seen == {
        "id": request,
        "shop": "shop",
        "number": "R-1",
        "platformOrder": "P-1",
        "kind": "RETURN",
        "status": "WAIT_SELLER",
        "reason": "尺寸不合适",
        "problem": PROBLEM,
        "refusal": None,
        "isSettled": False,
        "orderId": id_of("Order", order.order_id),
        "returnId": id_of("Return", ours.id),
    }
    assert await platforms.node(request) == edge["node"]


async def test_a_request_whose_order_is_not_here_is_none_of_ours_yet(platforms: Platforms) -> None:
    request = await platforms.asked("R-1", kind="refund_only", problem="The order is not here yet.")
    seen = await platforms.node(request)
    assert (seen["orderId"], seen["returnId"], seen["kind"]) == (None, None, "REFUND_ONLY")


@pytest.mark.parametrize(
    "status",
    ["wait_seller", "wait_buyer_send", "wait_seller_receive", "refused", "closed", "done"],
)
async def test_every_status_of_a_platform_has_its_name(platforms: Platforms, status: str) -> None:
    request = await platforms.asked("R-1", status=status)
    assert (await platforms.node(request))["status"] == status.upper()


async def test_requests_are_listed_until_they_have_ended_the_oldest_first(
    platforms: Platforms,
) -> None:
    for number in ("R-2", "R-1", "R-3"):
        await platforms.asked(number)
    settled = await platforms.asked("R-0", status="done", is_settled=True)
    # The platform has ended it; here it has not.
    await platforms.asked("R-4", shop="dshop", status="done")
    assert await platforms.listed() == ["R-2", "R-1", "R-3", "R-4"]
    assert (await platforms.node(settled))["isSettled"] is True


async def test_those_with_which_something_is_wrong_are_listed_alone(platforms: Platforms) -> None:
    await platforms.asked("R-1")
    await platforms.asked("R-2", problem=PROBLEM)
    await platforms.asked("R-3", problem=PROBLEM, is_settled=True)
    await platforms.asked("R-4", shop="dshop2", problem=PROBLEM)
    assert await platforms.listed(onlyProblems=True) == ["R-2", "R-4"]
    assert await platforms.listed(onlyProblems=False) == ["R-1", "R-2", "R-4"]


async def test_requests_are_listed_page_by_page(platforms: Platforms) -> None:
    for number in range(5):
        await platforms.asked(f"R-{number}", problem=PROBLEM if number != 1 else "")
    for only_problems, sizes in ((False, [2, 2, 1]), (True, [2, 2])):
        seen: list[str] = []
        after: str | None = None
        for place, size in enumerate(sizes, 1):
            page = await platforms.page(onlyProblems=only_problems, first=2, after=after)
            assert len(page["edges"]) == size
            assert page["pageInfo"]["hasNextPage"] is (place < len(sizes))
            seen += [edge["node"]["number"] for edge in page["edges"]]
            after = page["pageInfo"]["endCursor"]
        skipped = {"R-1"} if only_problems else set()
        assert seen == [f"R-{n}" for n in range(5) if f"R-{n}" not in skipped]
        assert await platforms.listed(onlyProblems=only_problems, after=after) == []


@pytest.mark.parametrize(
    "values", [{"first": 0}, {"first": PAGE_MAX + 1}, {"after": "x"}, {"after": id_of("Order", 1)}]
)
async def test_a_page_that_cannot_be_is_refused(
    platforms: Platforms, values: dict[str, Any]
) -> None:
    answer = await platforms.api.ask(LIST, platforms.world.brand, **values)
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_PAGE"


async def test_the_brand_and_its_group_see_requests_and_nobody_else(
    platforms: Platforms, world: World
) -> None:
    ours = await platforms.asked("R-1")
    of_dealer = await platforms.asked("R-2", shop="dshop")
    other = await platforms.asked("R-3", tenant_id=world.other_tenant_id)
    seen = {
        world.brand: ["R-1", "R-2"],
        world.group: ["R-1", "R-2"],
        world.dealer: [],
        world.other_dealer: [],
        world.store: [],
        world.other_brand: ["R-3"],
    }
    for who, expected in seen.items():
        assert await platforms.listed(who) == expected
        assert await platforms.listed(who, onlyProblems=True) == []
        for request, number in ((ours, "R-1"), (of_dealer, "R-2"), (other, "R-3")):
            found = await platforms.node(request, who)
            assert (found is not None) is (number in expected), (who, number)


async def test_reading_takes_the_permission_to_read_orders(
    platforms: Platforms, runtime: Runtime, world: World
) -> None:
    request = await platforms.asked("R-1")
    who = await user_with(runtime, world, Permission.ORDERS_CANCEL)
    queries: list[tuple[str, dict[str, Any]]] = [(LIST, {}), (NODE, {"id": request})]
    for query, values in queries:
        answer = await platforms.api.ask(query, who, **values)
        assert answer["errors"][0]["extensions"]["code"] == "PERMISSION_MISSING"
    nobody = await platforms.api.ask(LIST)
    assert nobody["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_request_that_is_not_there_is_null(platforms: Platforms) -> None:
    assert await platforms.node(id_of("PlatformReturn", 999_999)) is None


# ------------------------------------------------------------------------------ what is decided


async def test_a_request_is_refused_with_the_reason_that_the_buyer_reads(
    platforms: Platforms,
) -> None:
    request = await platforms.asked("R-1", problem=PROBLEM)
    before = await platforms.node(request)
    assert not await platforms.is_due(request)
    after = await platforms.decided(request)
    assert await platforms.node(request) == after
    assert datetime.fromisoformat(after["changedAt"]) > CHANGED_AT
    changed = {"refusal": WHY, "problem": "", "changedAt": after["changedAt"]}
    assert after == before | changed
    assert await platforms.is_due(request)
    assert await platforms.listed() == ["R-1"]
    assert await platforms.listed(onlyProblems=True) == []


async def test_a_request_is_tried_once_more(platforms: Platforms) -> None:
    request = await platforms.asked("R-1", problem=PROBLEM)
    before = await platforms.node(request)
    after = await platforms.decided(request, refuses=False, reason="")
    assert after == before | {"problem": "", "changedAt": after["changedAt"]}
    assert after["refusal"] is None
    assert await platforms.is_due(request)


async def test_a_refusal_that_was_not_told_yet_is_taken_back(platforms: Platforms) -> None:
    request = await platforms.asked("R-1", problem=PROBLEM)
    assert (await platforms.decided(request))["refusal"] == WHY
    assert (await platforms.decided(request, reason="已使用"))["refusal"] == "已使用"
    assert (await platforms.decided(request, refuses=False))["refusal"] is None


async def test_the_longest_reason_is_taken(platforms: Platforms) -> None:
    request, longest = await platforms.asked("R-1"), "不" * REASON_MAX
    assert (await platforms.decided(request, reason=longest))["refusal"] == longest


async def test_one_request_is_decided_and_no_other(platforms: Platforms) -> None:
    first, second = [await platforms.asked(f"R-{n}", problem=PROBLEM) for n in (1, 2)]
    other = await platforms.node(second)
    await platforms.decided(first)
    assert await platforms.node(second) == other
    assert await platforms.listed(onlyProblems=True) == ["R-2"]


async def test_a_decision_that_cannot_be_is_refused(
    platforms: Platforms, admin: Connection
) -> None:
    request = await platforms.asked("R-1", problem=PROBLEM)
    ended = await platforms.asked("R-2", status="refused", is_settled=True)
    theirs = await platforms.asked("R-3", tenant_id=platforms.world.other_tenant_id)
    invalid, unknown = "INVALID_RETURN_DECISION", "UNKNOWN_CHANNEL_RETURN"
    bad: list[tuple[dict[str, Any], str, list[str]]] = [
        ({"reason": ""}, invalid, ["reason"]),
        ({"reason": "不" * (REASON_MAX + 1)}, invalid, ["reason"]),
        ({"refuses": False, "reason": "不" * (REASON_MAX + 1)}, invalid, ["reason"]),
        ({"reason": "a\0b"}, "TEXT_NOT_STORABLE", []),
        ({"platformReturnId": ended}, unknown, []),
        ({"platformReturnId": ended, "refuses": False}, unknown, []),
        ({"platformReturnId": theirs}, unknown, []),
        ({"platformReturnId": id_of("PlatformReturn", 999_999)}, unknown, []),
        ({"platformReturnId": id_of("Return", 1)}, "INVALID_ID", []),
        ({"platformReturnId": "x"}, "INVALID_ID", []),
        ({"idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY", []),
        ({"idempotencyKey": "k" * 201}, "INVALID_IDEMPOTENCY_KEY", []),
    ]
    before = await contents(admin)
    for changes, code, path in bad:
        answer = await platforms.decide(request, **changes)
        assert answer["__typename"] == "InputRefused", (changes, answer)
        assert (answer["code"], answer["path"]) == (code, path), changes
        assert answer["message"], changes
    assert await contents(admin) == before


@pytest.mark.parametrize("status", ["refused", "closed", "done"])
async def test_what_has_ended_on_its_platform_is_not_refused_there_any_more(
    platforms: Platforms, admin: Connection, status: str
) -> None:
    """Nobody would tell the platform: that the buyer was refused would be a lie."""
    request = await platforms.asked("R-1", status=status, problem=PROBLEM)
    before = await contents(admin)
    answer = await platforms.decide(request)
    assert answer["__typename"] == "InputRefused", answer
    assert await contents(admin) == before
    assert (await platforms.decided(request, refuses=False))["refusal"] is None


async def test_the_same_decision_again_is_the_same(platforms: Platforms, admin: Connection) -> None:
    request = await platforms.asked("R-1", problem=PROBLEM)
    other = await platforms.asked("R-2")
    first = await platforms.decided(request, idempotencyKey="k")
    before = await contents(admin)
    assert await platforms.decided(request, idempotencyKey="k") == first
    for target, changes in ((request, {"reason": "已使用"}), (request, {"refuses": False})):
        answer = await platforms.decide(target, idempotencyKey="k", **changes)
        assert (answer["__typename"], answer["code"]) == ("InputRefused", "IDEMPOTENCY_CONFLICT")
    answer = await platforms.decide(other, idempotencyKey="k")
    assert answer["code"] == "IDEMPOTENCY_CONFLICT"
    assert await contents(admin) == before


async def test_the_same_decision_again_is_the_same_after_the_end(
    platforms: Platforms, admin: Connection
) -> None:
    request = await platforms.asked("R-1", problem=PROBLEM)
    await platforms.decided(request, idempotencyKey="k")
    await admin.execute("update channel_return set is_settled = true, theirs = 'refused'")
    before = await contents(admin)
    again = await platforms.decided(request, idempotencyKey="k")
    assert (again["status"], again["isSettled"], again["refusal"]) == ("REFUSED", True, WHY)
    assert (await platforms.decide(request))["code"] == "UNKNOWN_CHANNEL_RETURN"
    assert await contents(admin) == before


async def test_a_refused_decision_leaves_its_key_free(platforms: Platforms) -> None:
    request = await platforms.asked("R-1")
    refused = await platforms.decide(request, reason="", idempotencyKey="k")
    assert refused["code"] == "INVALID_RETURN_DECISION"
    assert (await platforms.decided(request, idempotencyKey="k"))["refusal"] == WHY


async def test_only_the_brand_decides(
    platforms: Platforms, runtime: Runtime, world: World, admin: Connection
) -> None:
    requests = [await platforms.asked("R-1"), await platforms.asked("R-2", shop="dshop")]
    reader = await user_with(runtime, world, Permission.ORDERS_READ)
    before = await contents(admin)
    for request in requests:
        denied = await platforms.decide(request, reader)
        assert denied["__typename"] == "PermissionDenied"
        assert (denied["code"], denied["permission"]) == ("PERMISSION_MISSING", "orders:cancel")
        for who, code in (
            (world.group, "WRITE_REFUSED"),
            (world.dealer, "WRITE_REFUSED"),
            (world.other_dealer, "WRITE_REFUSED"),
            (world.store, "WRITE_REFUSED"),
            (world.other_brand, "UNKNOWN_CHANNEL_RETURN"),
        ):
            for refuses in (True, False):
                answer = await platforms.decide(request, who, refuses=refuses)
                assert answer["__typename"] == "InputRefused", answer
                assert answer["code"] == code, who
    assert await contents(admin) == before


async def test_who_may_cancel_orders_may_decide(
    platforms: Platforms, runtime: Runtime, world: World
) -> None:
    request = await platforms.asked("R-1")
    who = await user_with(runtime, world, Permission.ORDERS_CANCEL)
    answer = await platforms.decide(request, who)
    assert answer["__typename"] == "PlatformReturnDecided"
    assert answer["platformReturn"]["refusal"] == WHY
