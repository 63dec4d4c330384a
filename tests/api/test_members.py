"""Members, API keys and agreements through the API: who may give what, and when it ends."""

from typing import Any

import pytest

from backend.runtime import Runtime
from graphql_schema.paging import id_of
from tenants import authenticate
from tenants.principal import Principal
from tests.api.client import Api
from tests.catalogue import Connection, contents
from tests.world import PASSWORD, World, fresh_key

ERROR = "... on UserError { code message }"
ADD = f"""mutation ($i: MemberAddInput!) {{ memberAdd(input: $i) {{
    ... on MemberAdded {{ memberId }} {ERROR} }} }}"""
REVOKE = f"""mutation ($i: MemberRevokeInput!) {{ memberRevoke(input: $i) {{
    ... on MemberRevoked {{ memberId }} {ERROR} }} }}"""
ISSUE = f"""mutation ($i: ApiKeyIssueInput!) {{ apiKeyIssue(input: $i) {{
    ... on ApiKeyIssued {{ apiKeyId key }} {ERROR} }} }}"""
REVOKE_KEY = f"""mutation ($i: ApiKeyRevokeInput!) {{ apiKeyRevoke(input: $i) {{
    ... on ApiKeyRevoked {{ apiKeyId }} {ERROR} }} }}"""
SIGN = f"""mutation ($i: AgreementSignInput!) {{ agreementSign(input: $i) {{
    ... on AgreementSigned {{ dealerId }} {ERROR} }} }}"""
END = f"""mutation ($i: AgreementEndInput!) {{ agreementEnd(input: $i) {{
    ... on AgreementEnded {{ dealerId }} {ERROR} }} }}"""
LOG_IN = f"""mutation ($i: LogInInput!) {{ logIn(input: $i) {{
    ... on LoggedIn {{ token brand kind }} {ERROR} }} }}"""
SWITCH = f"""mutation ($i: SessionSwitchInput!) {{ sessionSwitch(input: $i) {{
    ... on SessionSwitched {{ token brand kind }} {ERROR}
    ... on BrandChoiceRequired {{ brands }} }} }}"""
VIEWER = "{ viewer { kind subject permissions brands { code kind } } }"


async def run(api: Api, query: str, who: Principal, **values: Any) -> dict[str, Any]:
    values.setdefault("idempotencyKey", fresh_key())
    (answer,) = (await api.data(query, who, i=values)).values()
    return dict(answer)


def role(kind: str, permissions: list[str] | None = None, **scope: Any) -> dict[str, Any]:
    return {"kind": kind, "permissions": permissions or ["ORDERS_READ"], **scope}


def newcomer(role: dict[str, Any], email: str = "new@example.com") -> dict[str, Any]:
    return {"email": email, "name": "New", "password": PASSWORD, "role": role}


async def token_of(api: Api, email: str, **choice: Any) -> str:
    values = {"email": email, "password": PASSWORD, **choice}
    answer = (await api.ask(LOG_IN, i=values))["data"]["logIn"]
    assert "token" in answer, answer
    return str(answer["token"])


async def viewer(api: Api, token: str) -> dict[str, Any] | None:
    """Return who a credential is, or None where it is refused."""
    response = await api.client.post(
        "/graphql", json={"query": VIEWER}, headers={"authorization": f"Bearer {token}"}
    )
    return None if response.status_code == 401 else dict(response.json()["data"]["viewer"])


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticate, "MEMORY_SECONDS", 0.0)


async def test_a_brand_adds_a_member_who_may_do_what_was_given(world: World, api: Api) -> None:
    key = fresh_key()
    added = await run(api, ADD, world.brand, **newcomer(role("BRAND")), idempotencyKey=key)
    again = await run(api, ADD, world.brand, **newcomer(role("BRAND")), idempotencyKey=key)
    assert added == again
    seen = await viewer(api, await token_of(api, "new@example.com"))
    assert seen is not None
    assert (seen["kind"], seen["permissions"]) == ("BRAND", ["ORDERS_READ"])


async def test_a_revoked_member_is_out_at_once(world: World, api: Api) -> None:
    added = await run(api, ADD, world.brand, **newcomer(role("BRAND")))
    token = await token_of(api, "new@example.com")
    assert await viewer(api, token) is not None
    await run(api, REVOKE, world.brand, memberId=added["memberId"])
    assert await viewer(api, token) is None


async def test_a_store_user_sees_its_locations_orders(world: World, api: Api) -> None:
    store = role("STORE", locationIds=[id_of("Location", world.nodes["store"])])
    await run(api, ADD, world.brand, **newcomer(store))
    seen = await viewer(api, await token_of(api, "new@example.com"))
    assert seen is not None
    assert seen["kind"] == "STORE"


async def test_nobody_gives_what_they_lack(
    runtime: Runtime, world: World, api: Api, admin: Connection
) -> None:
    added = await run(
        api, ADD, world.brand, **newcomer(role("BRAND", ["MEMBERS_WRITE", "ORDERS_READ"]))
    )
    assert "memberId" in added
    limited = await runtime.authenticator.principal_of(await token_of(api, "new@example.com"))
    before = await contents(admin)
    refused = await run(
        api, ADD, limited, **newcomer(role("BRAND", ["STOCK_WRITE"]), "other@example.com")
    )
    assert refused["code"] == "PERMISSION_MISSING"
    assert await contents(admin) == before


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a dealer makes a brand's user": ("dealer", role("BRAND"), "MEMBER_SCOPE"),
    "a dealer reaches into another": ("dealer", role("DEALER", dealerId="d2"), "MEMBER_SCOPE"),
    "a dealer takes a brand's store": ("dealer", role("STORE", locationIds=["wh"]), "MEMBER_SCOPE"),
    "a brand lets itself into a dealer": ("brand", role("DEALER", dealerId="d1"), "MEMBER_SCOPE"),
    "a store manages nobody": ("store", role("STORE", locationIds=["store"]), "PERMISSION_MISSING"),
    "a group writes nothing": ("group", role("BRAND"), "PERMISSION_MISSING"),
    "a store's role has no store": ("brand", role("STORE"), "MEMBER_SCOPE"),
    "nobody becomes the system": ("brand", role("SYSTEM"), "MEMBER_SCOPE"),
    "nobody becomes a group": ("brand", role("GROUP"), "MEMBER_SCOPE"),
    "a store of another brand": ("other_brand", role("STORE", locationIds=["wh"]), "MEMBER_SCOPE"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_role_that_is_not_theirs_to_give_is_refused(
    world: World, api: Api, admin: Connection, name: str
) -> None:
    who, wanted, code = REFUSED[name]
    scope = dict(wanted)
    if "dealerId" in scope:
        scope["dealerId"] = id_of("Dealer", world.dealers[scope["dealerId"]])
    if "locationIds" in scope:
        scope["locationIds"] = [id_of("Location", world.nodes[n]) for n in scope["locationIds"]]
    before = await contents(admin)
    answer = await run(api, ADD, getattr(world, who), **newcomer(scope))
    assert answer["code"] == code
    assert await contents(admin) == before


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"email": "brand@example.com"}, "ALREADY_EXISTS"), ({"password": "short"}, "WEAK_PASSWORD")],
)
async def test_a_log_in_that_cannot_be_made_is_refused(
    world: World, api: Api, admin: Connection, changes: dict[str, Any], code: str
) -> None:
    before = await contents(admin)
    answer = await run(api, ADD, world.brand, **(newcomer(role("BRAND")) | changes))
    assert answer["code"] == code
    assert await contents(admin) == before


async def test_a_dealer_manages_its_own_people(world: World, api: Api) -> None:
    own = role("DEALER", dealerId=id_of("Dealer", world.dealers["d1"]))
    added = await run(api, ADD, world.dealer, **newcomer(own))
    listed = await api.data("{ members { edges { node { id email kind } } } }", world.dealer)
    emails = [edge["node"]["email"] for edge in listed["members"]["edges"]]
    assert emails == ["d1@example.com", "new@example.com"]
    answer = await run(api, REVOKE, world.other_dealer, memberId=added["memberId"])
    assert answer["code"] == "UNKNOWN_MEMBER"


async def test_a_brand_brings_a_dealer_and_its_first_user(world: World, api: Api) -> None:
    values = {"dealerCode": "d3", "dealerName": "D3", "startsOn": "2020-01-01"}
    dealer_id = (await run(api, SIGN, world.brand, **values))["dealerId"]
    first = newcomer(role("DEALER", ["ORDERS_READ", "MEMBERS_WRITE"], dealerId=dealer_id))
    assert "memberId" in await run(api, ADD, world.brand, **first)
    second = newcomer(role("DEALER", dealerId=dealer_id), "second@example.com")
    assert (await run(api, ADD, world.brand, **second))["code"] == "MEMBER_SCOPE"


async def test_one_log_in_serves_all_brands_of_a_dealer(world: World, api: Api) -> None:
    values = {"dealerCode": "d1", "startsOn": "2020-01-01"}
    signed = await run(api, SIGN, world.other_brand, **values)
    assert signed["dealerId"] == id_of("Dealer", world.dealers["d1"])
    token = await token_of(api, "d1@example.com", brand="acme")
    seen = await viewer(api, token)
    assert seen is not None
    assert [brand["code"] for brand in seen["brands"]] == ["acme", "other"]
    response = await api.client.post(
        "/graphql",
        json={"query": SWITCH, "variables": {"i": {"brand": "other"}}},
        headers={"authorization": f"Bearer {token}"},
    )
    switched = response.json()["data"]["sessionSwitch"]
    assert (switched["brand"], switched["kind"]) == ("other", "DEALER")


async def test_nobody_switches_to_a_brand_that_is_not_theirs(world: World, api: Api) -> None:
    answer = (await api.data(SWITCH, world.brand, i={"brand": "other"}))["sessionSwitch"]
    assert answer["brands"] == ["acme"]


async def test_an_agreement_that_ends_ends_the_dealers_access(world: World, api: Api) -> None:
    token = await token_of(api, "d1@example.com")
    assert await viewer(api, token) is not None
    dealer_id = id_of("Dealer", world.dealers["d1"])
    assert "dealerId" in await run(api, END, world.brand, dealerId=dealer_id)
    assert await viewer(api, token) is None
    assert (await run(api, END, world.brand, dealerId=dealer_id))["code"] == "UNKNOWN_DEALER"


async def test_a_key_is_shown_once_and_ends_when_it_is_revoked(world: World, api: Api) -> None:
    values = {"name": "shop", "role": role("BRAND", ["ORDERS_PLACE"]), "idempotencyKey": "k"}
    issued = await run(api, ISSUE, world.brand, **values)
    again = await run(api, ISSUE, world.brand, **values)
    assert again == {"apiKeyId": issued["apiKeyId"], "key": None}
    assert await viewer(api, issued["key"]) is not None
    await run(api, REVOKE_KEY, world.brand, apiKeyId=issued["apiKeyId"])
    assert await viewer(api, issued["key"]) is None
    gone = await run(api, REVOKE_KEY, world.brand, apiKeyId=issued["apiKeyId"])
    assert gone["code"] == "UNKNOWN_API_KEY"


async def test_the_secret_of_a_key_is_nowhere(world: World, api: Api, admin: Connection) -> None:
    values = {"name": "shop", "role": role("BRAND")}
    secret = (await run(api, ISSUE, world.brand, **values))["key"]
    stored = await admin.fetchval("select string_agg(outcome, '') from command_key")
    hashes = await admin.fetchval("select string_agg(k::text, '') from platform.api_key k")
    assert secret not in stored + hashes


async def test_a_dealer_does_not_touch_the_brands_keys(world: World, api: Api) -> None:
    issued = await run(api, ISSUE, world.brand, name="shop", role=role("BRAND"))
    answer = await run(api, REVOKE_KEY, world.dealer, apiKeyId=issued["apiKeyId"])
    assert answer["code"] == "UNKNOWN_API_KEY"
    listed = await api.data("{ apiKeys { edges { node { id } } } }", world.dealer)
    assert listed["apiKeys"]["edges"] == []


async def test_agreements_are_seen_by_the_brand_and_its_dealer(world: World, api: Api) -> None:
    query = "{ agreements { edges { node { dealerCode } } } }"

    async def codes(who: Principal) -> list[str]:
        edges = (await api.data(query, who))["agreements"]["edges"]
        return [edge["node"]["dealerCode"] for edge in edges]

    assert await codes(world.brand) == ["d1", "d2"]
    assert await codes(world.dealer) == ["d1"]
    assert await codes(world.other_brand) == []


async def test_a_key_acts_as_what_it_was_issued_for(world: World, api: Api) -> None:
    scope = {"dealerId": id_of("Dealer", world.dealers["d1"])}
    issued = await run(
        api, ISSUE, world.brand, name="erp", role=role("DEALER", ["ORDERS_PLACE"], **scope)
    )
    response = await api.client.post(
        "/graphql",
        json={"query": "{ orders { edges { node { id } } } }"},
        headers={"authorization": f"Bearer {issued['key']}"},
    )
    assert response.json()["errors"][0]["extensions"]["code"] == "PERMISSION_MISSING"
