"""Saying how a carrier is reached, and with what its messages are signed."""

import httpx2

from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.fulfilment.carriers.model import TEXT_MAX, CarrierAccount
from backend.fulfilment.errors import InvalidFulfilmentInput
from backend.fulfilment.waves import SQL
from tenants.principal import Permission

SECRET_LENGTH_MIN = 16


async def set_carrier_account(
    tx: TenantTransaction,
    code: str,
    name: str,
    url: str,
    secret: str | None,
    *,
    is_active: bool,
    key: str,
) -> str:
    """Say how a carrier is reached, or (no address) that it gives no waybills, once.

    With an address it has a secret too: what we ask carries it, and what it tells is signed with
    it; None keeps the one that it has. Raises PermissionMissing, InvalidFulfilmentInput,
    CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    for field, text in (("code", code), ("name", name)):
        if not 0 < len(text) <= TEXT_MAX or not text.isprintable():
            raise InvalidFulfilmentInput("1 to 500 printable characters.", path=(field,))
    if url and not _is_address(url):
        raise InvalidFulfilmentInput("An address begins with https:// or http://.", path=("url",))
    kept = await tx.fetch_value(SQL.any_secret, tx.tenant_id, code) or ""
    used = kept if secret is None else secret
    if (url or used) and not _is_secret(used):
        raise InvalidFulfilmentInput(
            f"A secret has {SECRET_LENGTH_MIN} to {TEXT_MAX} printable ASCII characters.",
            path=("secret",),
        )

    async def work() -> str:
        await tx.execute(SQL.set_carrier_account, tx.tenant_id, code, name, url, secret, is_active)
        return code

    content = ("carrier_account", code, name, url, secret, is_active)
    return await apply_once(tx, key, content, str, work)


async def carrier_accounts(tx: TenantTransaction) -> list[Record]:
    """Return the accounts of the brand, without their secrets, by code."""
    return await tx.fetch(SQL.carrier_accounts, tx.tenant_id)


async def labelling_accounts(tx: TenantTransaction) -> dict[str, CarrierAccount]:
    """Return the accounts of carriers that give waybills, by code."""
    rows = await tx.fetch(SQL.labelling_accounts, tx.tenant_id)
    return {row["code"]: CarrierAccount(*row) for row in rows}


def _is_address(url: str) -> bool:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host) and len(url) <= TEXT_MAX


def _is_secret(secret: str) -> bool:
    is_plain = secret.isascii() and secret.isprintable()
    return is_plain and SECRET_LENGTH_MIN <= len(secret) <= TEXT_MAX
