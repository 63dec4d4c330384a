"""Who may fetch an order, and how a store knows: codes of eight digits, and signed tokens.

A code follows from the signing key of the brand, the order and its number, so none is stored. A
token says the same, signed with Ed25519: a phone without network checks it with the public key.
Either opens an order once; that it was revoked or used a phone learns when it is back.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, Literal

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from backend.db.commands import apply_once
from backend.db.pool import Database, TenantTransaction
from backend.orders.step import changing_order
from backend.pickups.errors import InvalidPickupInput, TooManyCodes, UnknownPickup, WrongPickupCode
from backend.pickups.model import (
    CODES_MAX,
    TEXT_MAX,
    CodeState,
    Pickup,
    PickupCode,
    PickupStatus,
)
from backend.pickups.standing import SQL, pickups_of_orders
from backend.pickups.states import OPEN
from tenants.principal import Kind, Permission, PermissionMissing, Principal, system_principal

ALGORITHM = "Ed25519"
CURVE: Literal["Ed25519"] = "Ed25519"
DIGITS = 8


async def codes_of_order(
    database: Database, principal: Principal, order_id: int
) -> list[PickupCode]:
    """Return who may fetch an order; codes and tokens of what is ready, while they are valid.

    For who sold it: a store is shown the code by the customer. Raises PermissionMissing,
    UnknownPickup.
    """
    principal.require(Permission.ORDERS_PLACE)
    if principal.kind is Kind.STORE:
        raise PermissionMissing(Permission.ORDERS_PLACE)
    async with database.tenant_transaction(principal, read_only=True) as tx:
        pickup = (await pickups_of_orders(tx, [order_id])).get(order_id)
        if pickup is None:
            raise UnknownPickup
        rows = await tx.fetch(SQL.codes, tx.tenant_id, order_id)
    async with database.tenant_transaction(
        system_principal(principal.tenant_id, "pickup_codes")
    ) as tx:
        key = await signing_key(tx)
    is_ready = pickup.status is PickupStatus.READY
    return [
        PickupCode(
            row["code_no"],
            row["name"],
            row["phone"],
            CodeState(row["state"]),
            row["issued_at"],
            code_of(key, order_id, row["code_no"]) if is_valid else None,
            token_of(key, pickup, row["code_no"]) if is_valid else None,
        )
        for row in rows
        for is_valid in (is_ready and row["state"] == CodeState.ACTIVE,)
    ]


async def issue_code(
    database: Database,
    principal: Principal,
    order_id: int,
    holder: tuple[str, str],
    revokes: Sequence[int],
    key: str,
) -> int:
    """Let somebody, of a name and a telephone number, fetch an order, once; returns the code's
    number.

    With it, codes of these numbers are valid no more. Locks the key and the order. Raises
    PermissionMissing, WriteRefused, UnknownOrder, UnknownPickup, InvalidPickupInput, TooManyCodes,
    CommandConflict; then nothing has changed.
    """
    name, phone = holder
    if not 0 < len(name) <= TEXT_MAX or len(phone) > TEXT_MAX:
        raise InvalidPickupInput(f"Say who, in 1 to {TEXT_MAX} characters.", path=("name",))
    if len(revokes) > CODES_MAX:
        raise InvalidPickupInput(f"An order has {CODES_MAX} codes at most.", path=("revokes",))
    if principal.kind is Kind.STORE:
        raise PermissionMissing(Permission.ORDERS_PLACE)
    content = ("pickup_code", order_id, holder, revokes)
    async with changing_order(database, principal, order_id, Permission.ORDERS_PLACE) as tx:
        return await apply_once(
            tx, key, content, int, lambda: _issue(tx, order_id, holder, revokes)
        )


async def _issue(
    tx: TenantTransaction, order_id: int, holder: tuple[str, str], revokes: Sequence[int]
) -> int:
    row = await tx.fetch_row(SQL.lock_pickup, tx.tenant_id, order_id)
    if row is None or row["status"] not in OPEN:
        raise UnknownPickup
    if revokes:
        await end_codes(tx, order_id, CodeState.REVOKED, list(revokes))
    if len(await tx.fetch(SQL.codes, tx.tenant_id, order_id)) >= CODES_MAX:
        raise TooManyCodes
    number: int = await tx.fetch_value(SQL.insert_code, tx.tenant_id, order_id, *holder)
    return number


async def issue_first_code(tx: TenantTransaction, order_id: int, name: str, phone: str) -> None:
    """Let the buyer fetch a locked order, unless somebody may already."""
    rows = await tx.fetch(SQL.codes, tx.tenant_id, order_id)
    if not any(row["state"] == CodeState.ACTIVE for row in rows):
        await tx.fetch_value(SQL.insert_code, tx.tenant_id, order_id, name, phone)


async def end_codes(
    tx: TenantTransaction, order_id: int, state: CodeState, numbers: list[int] | None = None
) -> None:
    """Let codes of a locked order, or all, open nothing any more."""
    await tx.execute(SQL.end_codes, tx.tenant_id, order_id, state.value, numbers)


async def number_of_code(tx: TenantTransaction, order_id: int, given: str) -> int:
    """Return the number of the valid code of a locked order that these digits are, or that a
    token names. Raises WrongPickupCode.
    """
    key = await signing_key(tx)
    rows = await tx.fetch(SQL.codes, tx.tenant_id, order_id)
    valid = [row["code_no"] for row in rows if row["state"] == CodeState.ACTIVE]
    if is_token(given):
        claims = _claims_of(key, given)
        if claims.get("sub") == str(order_id) and claims.get("no") in valid:
            return int(claims["no"])
        raise WrongPickupCode
    for number in valid:
        if hmac.compare_digest(code_of(key, order_id, number).encode(), given.encode()):
            return int(number)
    raise WrongPickupCode


def is_token(given: str) -> bool:
    """Whether something is a token; all else is taken for a code of digits."""
    return given.count(".") == 2


async def public_key(database: Database, principal: Principal) -> dict[str, Any]:
    """Return the key (JWK, RFC 8037) by which phones check the tokens of a brand.

    Raises PermissionMissing.
    """
    principal.require(Permission.FULFILMENT_WRITE)
    system = system_principal(principal.tenant_id, "pickup_codes")
    async with database.tenant_transaction(system) as tx:
        return dict((await signing_key(tx)).as_dict(private=False))


async def signing_key(tx: TenantTransaction) -> OKPKey:
    """Return the signing key of a brand; made with the first code. Call it as the system."""
    stored = await tx.fetch_value(SQL.signing_key, tx.tenant_id)
    if stored is None:
        made = OKPKey.generate_key(CURVE).as_dict(private=True)
        await tx.execute(SQL.keep_key, tx.tenant_id, json.dumps(made))
        stored = await tx.fetch_value(SQL.signing_key, tx.tenant_id)
    return OKPKey.import_key(json.loads(stored))


def code_of(key: OKPKey, order_id: int, code_no: int) -> str:
    """Return the digits of a code."""
    secret = str(key.as_dict(private=True)["d"]).encode()
    digest = hmac.digest(secret, f"pickup:{order_id}:{code_no}".encode(), hashlib.sha256)
    return f"{int.from_bytes(digest[:8]) % 10**DIGITS:0{DIGITS}d}"


def token_of(key: OKPKey, pickup: Pickup, code_no: int) -> str:
    """Return the token of a code, valid for as long as the store keeps the order."""
    assert pickup.keep_until is not None, "what is ready is kept until a time"
    claims = {
        "sub": str(pickup.order_id),
        "loc": pickup.node_id,
        "no": code_no,
        "exp": int(pickup.keep_until.timestamp()),
    }
    return jwt.encode({"alg": ALGORITHM}, claims, key, algorithms=[ALGORITHM])


def _claims_of(key: OKPKey, token: str) -> dict[str, Any]:
    """Return what a token says, however old: that is for the order to say. Raises WrongPickupCode
    for one that is forged.
    """
    try:
        return jwt.decode(token, key, algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError, TypeError) as error:
        raise WrongPickupCode from error
