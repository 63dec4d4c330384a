"""A token is its principal, signed by us, in force and whole; anything else is refused."""

import base64
import hashlib
import json
import time
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OctKey

from tenants.errors import TokenInvalid
from tenants.principal import Kind, Permission, Principal, system_principal
from tenants.tokens import (
    API_KEY_PREFIX,
    LIFETIME_SECONDS,
    TokenIssuer,
    hash_api_key,
    new_api_key,
)
from tests.conftest import SECRET

ISSUER = TokenIssuer(SECRET)
OTHER_SECRET = "another secret, also of more than 32 characters"
BRAND = Principal(tenant_id=1, kind=Kind.BRAND, subject="user:7", permissions=frozenset(Permission))
PRINCIPALS = [
    BRAND,
    Principal(tenant_id=2**62, kind=Kind.DEALER, subject="user:8", dealer_id=5),
    Principal(tenant_id=1, kind=Kind.STORE, subject="user:9", node_ids=(3, 1, 2)),
    Principal(
        tenant_id=1,
        kind=Kind.STORE,
        subject="user:9",
        dealer_id=5,
        node_ids=(3,),
        permissions=frozenset({Permission.ORDERS_READ}),
    ),
    Principal(tenant_id=1, kind=Kind.GROUP, subject="user:10", group_id=4),
    system_principal(1, "reaper"),
]


def claims(**changes: Any) -> dict[str, Any]:
    """Return what a token of ours says, with changes."""
    values = {
        "sub": "user:7",
        "exp": int(time.time()) + 60,
        "tenant": 1,
        "kind": "brand",
        "group": None,
        "dealer": None,
        "nodes": [],
        "permissions": ["orders:read"],
    }
    return values | changes


def signed(payload: object, algorithm: str = "HS256", secret: str = SECRET) -> str:
    """Return a token that says anything, with a right signature."""
    key = OctKey.import_key(secret)
    return jws.serialize_compact({"alg": algorithm}, json.dumps(payload), key, [algorithm])


def part(content: object) -> str:
    """Return a part of a token, unsigned."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def assert_refused(token: str) -> None:
    with pytest.raises(TokenInvalid) as refusal:
        ISSUER.read(token)
    assert refusal.value.code == "UNAUTHENTICATED"


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda p: p.kind)
def test_a_token_is_read_as_it_was_issued(principal: Principal) -> None:
    assert ISSUER.read(ISSUER.issue(principal)) == principal
    assert TokenIssuer(SECRET).read(ISSUER.issue(principal)) == principal


def test_the_claims_by_hand_are_accepted() -> None:
    """Without this the refusals below might have other reasons."""
    assert ISSUER.read(signed(claims())).user_id == 7


# --------------------------------------------------------------------------------- forgeries

HEAD, BODY, MARK = ISSUER.issue(BRAND).split(".")
FORGED = {
    "another secret": TokenIssuer(OTHER_SECRET).issue(BRAND),
    "another body": f"{HEAD}.{part(claims(tenant=2))}.{MARK}",
    "another signature": f"{HEAD}.{BODY}.{MARK[:10]}{'A' if MARK[10] != 'A' else 'B'}{MARK[11:]}",
    "no signature": f"{HEAD}.{BODY}.",
    "two parts": f"{HEAD}.{BODY}",
    "five parts": f"{HEAD}.{BODY}.{MARK}.{BODY}.{MARK}",
    "no algorithm": f"{part({'alg': 'none'})}.{part(claims())}.",
    "None for an algorithm": f"{part({'alg': None})}.{part(claims())}.",
    "a list for an algorithm": f"{part({'alg': ['HS256']})}.{BODY}.{MARK}",
    "a head that is a list": f"{part([])}.{BODY}.{MARK}",
    "a head that is null": f"{part(None)}.{BODY}.{MARK}",
    "an encrypted token": f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..{BODY}.{BODY}.{MARK}",
    "HS512": signed(claims(), "HS512"),
    "HS384": signed(claims(), "HS384"),
    "spaces": f" {HEAD}.{BODY}.{MARK}",
    "nothing": "",
    "dots": "..",
    "nonsense": "nonsense",
    "no ASCII": "é.é.é",
    "no UTF-8": "\ud800.\ud800.\ud800",
    "NUL": "\0",
    "an API key": new_api_key(),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_we_did_not_sign_is_refused(name: str) -> None:
    assert_refused(FORGED[name])


@pytest.mark.parametrize("secret", ["", "x" * 31])
def test_a_secret_that_can_be_guessed_is_not_used(secret: str) -> None:
    with pytest.raises(AssertionError, match="can be guessed"):
        TokenIssuer(secret)


# ---------------------------------------------------------------------------------- validity


def test_a_token_ends_after_a_working_day() -> None:
    before = int(time.time())
    payload = ISSUER.issue(BRAND).split(".")[1]
    ends = json.loads(base64.urlsafe_b64decode(payload + "=="))["exp"]
    assert before <= ends - 8 * 3600 <= time.time()


@pytest.mark.parametrize("seconds", [-1, -LIFETIME_SECONDS])
def test_an_expired_token_is_refused(seconds: int) -> None:
    assert_refused(ISSUER.issue(BRAND, lifetime_seconds=seconds))


@pytest.mark.parametrize("missing", claims())
def test_a_token_that_lacks_a_claim_is_refused(missing: str) -> None:
    assert_refused(signed({name: value for name, value in claims().items() if name != missing}))


WRONG: dict[str, list[object]] = {
    "sub": [None, 7, "", ["user:7"]],
    "exp": [None, "tomorrow", "9999999999", [1]],
    "tenant": [None, "acme", [1], {}],
    "kind": [None, "janitor", "BRAND", 1, []],
    "nodes": [None, 3, True],
    "permissions": [None, 1, "orders:read", [1], [None], [["orders:read"]], ["orders:fly"]],
}


@pytest.mark.parametrize(
    ("claim", "value"), [(claim, value) for claim, values in WRONG.items() for value in values]
)
def test_a_claim_of_a_wrong_type_is_refused(claim: str, value: object) -> None:
    assert_refused(signed(claims(**{claim: value})))


@pytest.mark.parametrize("payload", [None, 1, "x", [], [claims()], {}], ids=range(6))
def test_a_token_that_says_nothing_is_refused(payload: object) -> None:
    assert_refused(signed(payload))


# ---------------------------------------------------------------------------------- API keys


def test_api_keys_are_long_and_never_the_same() -> None:
    keys = {new_api_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith(API_KEY_PREFIX) and len(key) == 3 + 43 for key in keys)


@pytest.mark.parametrize("key", ["yk_abc", "", "é", "\ud800"])
def test_the_hash_of_any_key_is_its_sha_256(key: str) -> None:
    assert hash_api_key(key) == hashlib.sha256(key.encode(errors="surrogatepass")).digest()
