"""From a token or an API key to a principal, and back."""

import hashlib
import secrets
import time

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from tenants.errors import TokenInvalid
from tenants.principal import Kind, Permission, Principal

ALGORITHM = "HS256"
LIFETIME_SECONDS = 8 * 3600
"""A working day."""
SECRET_BYTES_MIN = 32
API_KEY_PREFIX = "yk_"


class TokenIssuer:
    """Signs and reads tokens with the server's secret."""

    def __init__(self, secret: str) -> None:
        assert len(secret.encode()) >= SECRET_BYTES_MIN, "a short secret can be guessed"
        self._key = OctKey.import_key(secret)
        self._claims = jwt.JWTClaimsRegistry(exp={"essential": True}, sub={"essential": True})

    def issue(self, principal: Principal, *, lifetime_seconds: int = LIFETIME_SECONDS) -> str:
        """Return a signed token for a principal."""
        claims = {
            "sub": principal.subject,
            "exp": int(time.time()) + lifetime_seconds,
            "tenant": principal.tenant_id,
            "kind": principal.kind.value,
            "group": principal.group_id,
            "dealer": principal.dealer_id,
            "nodes": list(principal.node_ids),
            "permissions": sorted(principal.permissions),
        }
        return jwt.encode({"alg": ALGORITHM}, claims, self._key)

    def read(self, token: str) -> Principal:
        """Return the principal of a token; raises TokenInvalid if it is forged or has expired."""
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            self._claims.validate(claims)
            return Principal(
                tenant_id=int(claims["tenant"]),
                kind=Kind(claims["kind"]),
                subject=str(claims["sub"]),
                group_id=claims["group"],
                dealer_id=claims["dealer"],
                node_ids=tuple(claims["nodes"]),
                permissions=frozenset(Permission(name) for name in claims["permissions"]),
            )
        except (JoseError, KeyError, ValueError, TypeError) as error:
            raise TokenInvalid from error


def new_api_key() -> str:
    """Return a fresh API key; it is shown once, and stored as a hash."""
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


def hash_api_key(key: str) -> bytes:
    """Return what is stored of an API key. 256 random bits need no slow hash."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
