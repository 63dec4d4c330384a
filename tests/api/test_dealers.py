"""Dealers' terms and quotas through the API: each command once, and what a dealer sees of it."""

from typing import Any

import pytest

from backend.runtime import Runtime
from graphql_schema.paging import id_of
from loadtests.waiting import until
from tenants.principal import Permission, Principal
from tests.after_sales.desk import Desk
from tests.api.client import Api, order
from tests.api.users import user_with
from tests.catalogue import Connection
from tests.dropship.dealing import PRICE, Dealing
from tests.orders.checks import placed
from tests.world import World, fresh_key, paid, receive

AGREEMENT = """... on DealerAgreementRecorded { agreement { id code dealerId status startsOn endsOn
    territory productLines addedSkus { code } excludedSkus { code } isExclusive quotaAccountId
    replacesId version approvedBy settlement { freightPaidBy returnsPaidBy shareBp settleDays
    depositMinor shipWithinHours } } }"""
PROFILE = """... on DealerProfileRecorded { profile { dealerId level parentDealerId isSuspended
    reason } }"""
PRICES = """... on DealerPriceListRecorded { priceList { id code dealerId level status startsOn
    endsOn version approvedBy } }"""
QUOTA = """... on QuotaRecorded { account { id code dealerId kind grantedMinor usedMinor leftMinor
    isOverdrawn paymentDays overdueMinor isBlocked warnBp version } }"""
CHANGED = "... on TermsChanged { version }"
TOO_SMALL = "... on QuotaTooSmall { requestedMinor availableMinor }"
MUTATIONS: dict[str, tuple[str, str]] = {
    "dealerAgreementSave": ("DealerAgreementSaveInput", AGREEMENT),
    "dealerAgreementApprove": ("TermsDecideInput", AGREEMENT + CHANGED),
    "dealerAgreementDiscard": ("TermsDecideInput", AGREEMENT + CHANGED),
    "dealerAgreementEnd": ("TermsEndInput", AGREEMENT),
    "dealerSetProfile": ("DealerSetProfileInput", PROFILE),
    "dealerPriceListSave": ("DealerPriceListSaveInput", PRICES),
    "dealerPriceListApprove": ("TermsDecideInput", PRICES + CHANGED),
    "dealerPriceListDiscard": ("TermsDecideInput", PRICES + CHANGED),
    "dealerPriceListEnd": ("TermsEndInput", PRICES),
    "quotaOpen": ("QuotaOpenInput", QUOTA),
    "quotaSetLimit": ("QuotaSetLimitInput", QUOTA),
    "quotaTopUp": ("QuotaPaymentInput", QUOTA),
    "quotaPayOut": ("QuotaPaymentInput", QUOTA + TOO_SMALL),
    "quotaPay": ("QuotaPaymentInput", QUOTA),
    "quotaIncrease": ("QuotaIncreaseInput", QUOTA),
}
AGREEMENTS = """query ($dealer: ID) { dealerAgreements(first: 9, dealerId: $dealer) {
    edges { node { id code status } } } }"""
PROFILES = "query { dealerProfiles { dealerId level } }"
PRICE_LISTS = "query { dealerPriceLists(first: 9) { edges { node { id code status } } } }"
LISTED_PRICES = """query ($list: ID!) { dealerPrices(priceListId: $list) {
    sku { code } priceMinor minResaleMinor } }"""
ACCOUNTS = """query ($dealer: ID) { quotaAccounts(first: 9, dealerId: $dealer) { edges { node {
    id code entries(first: 9) { edges { node { type grantedDeltaMinor usedDeltaMinor reference
    reason orderId } } } } } } }"""
LINES = """query ($id: ID!) { node(id: $id) { ... on Order { status lines {
    agreementId dealerPriceMinor quotaAccountId } } } }"""
NODE = "query ($id: ID!) { node(id: $id) { id } }"
BOUND = {"startsOn": "2020-01-01", "code": "X-1"}
UNTIL = "2100-01-01T00:00:00+08:00"
PAYMENT = {"amountMinor": 1_000, "reference": "bank-1", "account": "Q-1"}
INPUTS: dict[str, tuple[dict[str, Any], Permission]] = {
    "dealerAgreementSave": (BOUND | {"dealer": "d1"}, Permission.DEALERS_WRITE),
    "dealerAgreementApprove": ({"code": "X-1", "version": 1}, Permission.DEALERS_APPROVE),
    "dealerAgreementDiscard": ({"code": "X-1", "version": 1}, Permission.DEALERS_WRITE),
    "dealerAgreementEnd": ({"code": "X-1", "lastDay": "2030-01-01"}, Permission.DEALERS_APPROVE),
    "dealerSetProfile": ({"dealerId": id_of("Dealer", 1)}, Permission.DEALERS_WRITE),
    "dealerPriceListSave": (
        BOUND | {"prices": [{"sku": "A", "priceMinor": 600}]},
        Permission.DEALERS_WRITE,
    ),
    "dealerPriceListApprove": ({"code": "X-1", "version": 1}, Permission.DEALERS_APPROVE),
    "dealerPriceListDiscard": ({"code": "X-1", "version": 1}, Permission.DEALERS_WRITE),
    "dealerPriceListEnd": ({"code": "X-1", "lastDay": "2030-01-01"}, Permission.DEALERS_APPROVE),
    "quotaOpen": ({"code": "Q-9", "dealer": "d1", "kind": "CREDIT"}, Permission.QUOTA_WRITE),
    "quotaSetLimit": ({"account": "Q-1", "limitMinor": 1}, Permission.QUOTA_WRITE),
    "quotaTopUp": (PAYMENT, Permission.QUOTA_WRITE),
    "quotaPayOut": (PAYMENT, Permission.QUOTA_WRITE),
    "quotaPay": (PAYMENT, Permission.QUOTA_WRITE),
    "quotaIncrease": (
        {"account": "Q-1", "amountMinor": 1, "endsAt": UNTIL},
        Permission.QUOTA_WRITE,
    ),
}
"""Of each command something to say, and the permission that it needs."""
QUERIES = (AGREEMENTS, PROFILES, PRICE_LISTS, ACCOUNTS)


class DealersApi:
    """The API, as somebody uses it."""

    def __init__(self, api: Api, who: Principal) -> None:
        self.api, self.who = api, who

    async def run(self, name: str, who: Principal | None = None, /, **given: Any) -> dict[str, Any]:
        """Return the answer of a command."""
        input_type, found = MUTATIONS[name]
        query = f"""mutation ($input: {input_type}!) {{ {name}(input: $input) {{ __typename {found}
            ... on UserError {{ code path }} ... on PermissionDenied {{ permission }} }} }}"""
        given = {"idempotencyKey": fresh_key()} | given
        answer: dict[str, Any] = (await self.api.data(query, who or self.who, input=given))[name]
        return answer

    async def done(self, name: str, **given: Any) -> dict[str, Any]:
        """Return what a command has recorded."""
        answer = await self.run(name, **given)
        assert answer.pop("__typename").endswith("Recorded"), answer
        (recorded,) = answer.values()
        return dict(recorded)

    async def listed(
        self, query: str, who: Principal | None = None, **given: Any
    ) -> list[dict[str, Any]]:
        (page,) = (await self.api.data(query, who or self.who, **given)).values()
        return [edge["node"] for edge in page["edges"]]


@pytest.fixture
def dealers(api: Api, world: World) -> DealersApi:
    return DealersApi(api, world.brand)


@pytest.fixture
def dealing(runtime: Runtime, world: World, admin: Connection) -> Dealing:
    return Dealing(runtime, world, admin)


# ----------------------------------------------------------------------------- each command


async def test_an_agreement_from_its_draft_to_its_end(dealers: DealersApi, world: World) -> None:
    goods = {"productLines": ["cool"], "addedSkus": ["A"], "excludedSkus": ["B"]}
    settlement = {"freightPaidBy": "DEALER", "shareBp": 500}
    where = {"territory": [310_000], "settlement": settlement}
    saved = await dealers.done("dealerAgreementSave", **BOUND, **goods, **where, dealer="d1")
    assert saved == {
        "id": saved["id"],
        "code": "X-1",
        "dealerId": id_of("Dealer", world.dealers["d1"]),
        "status": "DRAFT",
        "startsOn": "2020-01-01",
        "endsOn": None,
        "territory": [310_000],
        "productLines": ["cool"],
        "addedSkus": [{"code": "A"}],
        "excludedSkus": [{"code": "B"}],
        "isExclusive": False,
        "quotaAccountId": None,
        "replacesId": None,
        "version": 1,
        "approvedBy": None,
        "settlement": {
            "freightPaidBy": "DEALER",
            "returnsPaidBy": "DEALER",
            "shareBp": 500,
            "settleDays": 30,
            "depositMinor": 0,
            "shipWithinHours": 48,
        },
    }
    late = await dealers.run("dealerAgreementApprove", code="X-1", version=2)
    assert (late["__typename"], late["code"], late["version"]) == (
        "TermsChanged",
        "DOCUMENT_CHANGED",
        1,
    )
    bound = await dealers.done("dealerAgreementApprove", code="X-1", version=1)
    assert (bound["status"], bound["approvedBy"]) == ("APPROVED", world.brand.subject)
    ended = await dealers.done("dealerAgreementEnd", code="X-1", lastDay="2030-01-01")
    assert (ended["endsOn"], ended["version"]) == ("2030-01-01", 3)


async def test_an_agreement_that_replaces_another(dealers: DealersApi) -> None:
    account = await dealers.done("quotaOpen", code="Q-1", dealer="d1", kind="CREDIT")
    old = await dealers.done("dealerAgreementSave", **BOUND, dealer="d1")
    await dealers.done("dealerAgreementApprove", code="X-1", version=1)
    what = {"code": "X-2", "dealer": "d1", "startsOn": "2030-01-01", "quotaAccount": "Q-1"}
    overlapping = await dealers.run("dealerAgreementSave", **what)
    assert overlapping["code"] == "AGREEMENT_OVERLAPS"
    new = await dealers.done("dealerAgreementSave", **what, replaces="X-1")
    assert (new["replacesId"], new["quotaAccountId"]) == (old["id"], account["id"])
    gone = await dealers.done("dealerAgreementDiscard", code="X-2", version=1)
    assert gone["status"] == "DISCARDED"
    late = await dealers.run("dealerAgreementDiscard", code="X-2", version=1)
    assert (late["__typename"], late["version"]) == ("TermsChanged", 2)


async def test_a_profile(dealers: DealersApi, world: World) -> None:
    one, two = (id_of("Dealer", world.dealers[code]) for code in ("d1", "d2"))
    given = {"level": "gold", "parentDealerId": two, "isSuspended": True, "reason": "late"}
    assert await dealers.done("dealerSetProfile", dealerId=one, **given) == {
        "dealerId": one,
        **given,
    }
    above = await dealers.run("dealerSetProfile", dealerId=two, parentDealerId=one)
    assert (above["code"], above["path"]) == ("INVALID_PROFILE", ["parent"])
    found = await dealers.api.data(PROFILES, world.dealer)
    assert found["dealerProfiles"] == [{"dealerId": one, "level": "gold"}]
    assert (await dealers.api.data(PROFILES, world.other_dealer))["dealerProfiles"] == []


async def test_a_price_list_from_its_draft_to_its_end(dealers: DealersApi) -> None:
    prices = [{"sku": "A", "priceMinor": 600, "minResaleMinor": 900}]
    saved = await dealers.done("dealerPriceListSave", **BOUND, prices=prices, level="gold")
    assert (saved["level"], saved["dealerId"], saved["status"]) == ("gold", None, "DRAFT")
    late = await dealers.run("dealerPriceListApprove", code="X-1", version=9)
    assert (late["__typename"], late["version"]) == ("TermsChanged", 1)
    held = await dealers.done("dealerPriceListApprove", code="X-1", version=1)
    assert (held["status"], held["version"]) == ("APPROVED", 2)
    found = await dealers.api.data(LISTED_PRICES, dealers.who, list=held["id"])
    assert found["dealerPrices"] == [
        {"sku": {"code": "A"}, "priceMinor": 600, "minResaleMinor": 900}
    ]
    ended = await dealers.done("dealerPriceListEnd", code="X-1", lastDay="2030-01-01")
    assert ended["endsOn"] == "2030-01-01"
    await dealers.done("dealerPriceListSave", code="X-2", startsOn="2020-01-01", prices=prices)
    gone = await dealers.done("dealerPriceListDiscard", code="X-2", version=1)
    assert gone["status"] == "DISCARDED"


async def test_a_credit_is_limited_increased_and_paid(dealers: DealersApi, world: World) -> None:
    given = {"code": "Q-1", "dealer": "d1", "kind": "CREDIT", "limitMinor": 5_000}
    opened = await dealers.done("quotaOpen", **given, paymentDays=30, warnBp=[1_000])
    assert opened == {
        "id": opened["id"],
        "code": "Q-1",
        "dealerId": id_of("Dealer", world.dealers["d1"]),
        "kind": "CREDIT",
        "grantedMinor": 5_000,
        "usedMinor": 0,
        "leftMinor": 5_000,
        "isOverdrawn": False,
        "paymentDays": 30,
        "overdueMinor": 0,
        "isBlocked": False,
        "warnBp": [1_000],
        "version": 1,
    }
    again = await dealers.run("quotaOpen", **given)
    assert again["code"] == "ALREADY_EXISTS"
    lowered = await dealers.done("quotaSetLimit", account="Q-1", limitMinor=4_000, reason="late")
    assert lowered["leftMinor"] == 4_000
    more = {"account": "Q-1", "amountMinor": 500, "endsAt": UNTIL, "reason": "promotion"}
    assert (await dealers.done("quotaIncrease", **more))["leftMinor"] == 4_500
    paid_back = await dealers.done("quotaPay", **PAYMENT)
    assert (paid_back["usedMinor"], paid_back["leftMinor"]) == (-1_000, 5_500)
    (account,) = await dealers.listed(ACCOUNTS)
    entries = [edge["node"] for edge in account["entries"]["edges"]]
    assert [(one["type"], one["reference"], one["reason"]) for one in entries] == [
        ("PAID", "bank-1", ""),
        ("INCREASED", None, "promotion"),
        ("LIMIT_SET", None, "late"),
        ("OPENED", None, ""),
    ]


async def test_what_is_paid_ahead_is_recorded_once_and_paid_out(dealers: DealersApi) -> None:
    await dealers.done("quotaOpen", code="Q-1", dealer="d1", kind="PREPAID")
    assert (await dealers.done("quotaTopUp", **PAYMENT))["leftMinor"] == 1_000
    again = await dealers.run("quotaTopUp", **PAYMENT)
    assert (again["code"], again["path"]) == ("ALREADY_RECORDED", ["reference"])
    out = {"account": "Q-1", "reference": "bank-2"}
    assert await dealers.run("quotaPayOut", **out, amountMinor=1_001) == {
        "__typename": "QuotaTooSmall",
        "code": "QUOTA_TOO_SMALL",
        "path": [],
        "requestedMinor": 1_001,
        "availableMinor": 1_000,
    }
    assert (await dealers.done("quotaPayOut", **out, amountMinor=1_000))["leftMinor"] == 0


# ------------------------------------------------------------------------------- who may not


@pytest.mark.parametrize("name", INPUTS)
async def test_a_dealer_says_nothing_of_its_terms(
    dealers: DealersApi, world: World, name: str
) -> None:
    given, _ = INPUTS[name]
    answer = await dealers.run(name, world.dealer, **given)
    assert (answer["__typename"], answer["code"]) == ("InputRefused", "WRITE_REFUSED")


async def test_who_lacks_a_permission_is_told_which(
    dealers: DealersApi, runtime: Runtime, world: World
) -> None:
    other = await user_with(runtime, world, Permission.ORDERS_PLACE)
    for name, (given, permission) in INPUTS.items():
        answer = await dealers.run(name, other, **given)
        assert (answer["__typename"], answer["permission"]) == (
            "PermissionDenied",
            permission.value,
        )
    for query in QUERIES:
        answer = await dealers.api.ask(query, other)
        extensions = answer["errors"][0]["extensions"]
        assert extensions["permission"] == Permission.DEALERS_READ.value


async def test_a_dealer_sees_its_own(dealers: DealersApi, world: World) -> None:
    for code in ("d1", "d2"):
        await dealers.done("quotaOpen", code=code, dealer=code, kind="CREDIT")
        await dealers.done("dealerAgreementSave", **BOUND | {"code": code}, dealer=code)
        await dealers.done("dealerAgreementApprove", code=code, version=1)
        prices = [{"sku": "A", "priceMinor": 600}]
        await dealers.done(
            "dealerPriceListSave", **BOUND | {"code": code}, dealer=code, prices=prices
        )
        await dealers.done("dealerPriceListApprove", code=code, version=1)
    other = id_of("Dealer", world.dealers["d2"])
    for query in (AGREEMENTS, PRICE_LISTS, ACCOUNTS):
        of_all = {one["code"]: one["id"] for one in await dealers.listed(query)}
        assert list(of_all) == ["d1", "d2"]
        assert [one["code"] for one in await dealers.listed(query, world.dealer)] == ["d1"]
        seen = [await dealers.api.data(NODE, world.dealer, id=one) for one in of_all.values()]
        assert [one["node"] for one in seen] == [{"id": of_all["d1"]}, None]
    for query in (AGREEMENTS, ACCOUNTS):
        assert [one["code"] for one in await dealers.listed(query, dealer=other)] == ["d2"]
        assert await dealers.listed(query, world.dealer, dealer=other) == []


# -------------------------------------------------------------------------------- of orders


async def test_a_line_says_by_what_a_dealer_sells_it(
    dealers: DealersApi, dealing: Dealing, world: World
) -> None:
    await receive(dealing.database, world.brand, "wh", "A", 10)
    account, agreed = await dealing.credit(6_000), await dealing.agree(quota_account="Q-1")
    await dealing.price()
    sold = await dealers.api.place(world.dealer, order(fresh_key(), shop="dshop"))
    found = (await dealers.api.data(LINES, world.dealer, id=sold["orderId"]))["node"]
    assert found["lines"] == [
        {
            "agreementId": id_of("DealerAgreement", agreed.id),
            "dealerPriceMinor": PRICE,
            "quotaAccountId": id_of("QuotaAccount", account.id),
        }
    ]
    (listed,) = await dealers.listed(ACCOUNTS, world.dealer)
    taken = listed["entries"]["edges"][0]["node"]
    assert (taken["type"], taken["usedDeltaMinor"]) == ("TAKEN", PRICE)
    assert taken["orderId"] == sold["orderId"]


async def test_beyond_its_quota_a_dealer_is_refused(
    dealers: DealersApi, dealing: Dealing, world: World
) -> None:
    await receive(dealing.database, world.brand, "wh", "A", 10)
    await dealing.credit(PRICE - 1)
    await dealing.agree(quota_account="Q-1")
    await dealing.price()
    sold = await dealers.api.place(world.dealer, order(fresh_key(), shop="dshop"))
    assert sold["code"] == "QUOTA_EXCEEDED"
    brands = await dealers.api.place(world.brand, order(fresh_key()))
    node = (await dealers.api.data(LINES, world.brand, id=brands["orderId"]))["node"]
    nothing = {"agreementId": None, "dealerPriceMinor": None, "quotaAccountId": None}
    assert node["lines"] == [nothing]


async def test_a_top_up_lets_who_waits_go_at_once(
    dealers: DealersApi, dealing: Dealing, runtime: Runtime, world: World
) -> None:
    await receive(dealing.database, world.brand, "wh", "A", 10)
    await dealing.prepaid(100)
    await dealing.agree(quota_account="Q-1")
    await dealing.price()
    await dealing.warm()
    waits = placed(
        await runtime.intake.place(paid(fresh_key(), {"A": 2}, shop="dshop"), world.brand)
    )
    assert waits.holds == ("quota",)
    given = {"account": "Q-1", "amountMinor": 2 * PRICE, "reference": "bank-1"}
    await dealers.done("quotaTopUp", **given)
    assert await dealing.held_for(waits) == []
    assert await dealing.used() == 2 * PRICE
    await until(lambda: dealing.admin.fetchval("select bool_and(reserved = 2) from order_line"))
    await dealing.assert_clean()


MISSING = """mutation ($input: ReturnRequestInput!) { returnRequest(input: $input) {
    ... on ReturnSaved { request { id } } ... on UserError { code } } }"""
APPROVE = """mutation ($input: ReturnApproveInput!) { returnApprove(input: $input) { __typename
    ... on UserError { code } } }"""


async def test_what_never_came_gives_its_quota_back_everywhere(
    dealers: DealersApi, dealing: Dealing, runtime: Runtime, world: World
) -> None:
    await dealing.credit(6_000)
    await dealing.agree(quota_account="Q-1")
    await dealing.price()
    desk = Desk(runtime, world)
    sold = id_of("Order", (await desk.arrived(3, shop="dshop")).order_id)
    lines = [{"lineNo": 1, "quantity": 1}]
    asked = {"orderId": sold, "kind": "MISSING", "lines": lines, "reason": "未收到"}
    asked["idempotencyKey"] = fresh_key()
    saved = (await dealers.api.data(MISSING, world.brand, input=asked))["returnRequest"]
    approved = {"idempotencyKey": fresh_key(), "returnId": saved["request"]["id"]}
    await dealers.api.data(APPROVE, world.brand, input=approved)
    assert await dealing.used() == 2 * PRICE
    await dealing.assert_clean()
