"""Saying how a carrier is reached, and with what its messages are signed."""

from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.fulfilment.carriers.model import TEXT_MAX, CarrierAccount
from backend.fulfilment.errors import InvalidFulfilmentInput
from backend.fulfilment.waves import SQL
from tenants.principal import Permission

SECRET_LENGTH_MIN = 16


async def set_carrier_account(
    tx: TenantTransaction, code: str, name: str, url: str, secret: str, *, is_active: bool, key: str
) -> str:
    """Say how a carrier is reached, or (no address) that it gives no waybills, once.

    With an address it has a secret too: what we ask carries it, and what it tells is signed with
    it. Raises PermissionMissing, InvalidFulfilmentInput, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    for field, text in (("code", code), ("name", name)):
        if not 0 < len(text) <= TEXT_MAX or not text.isprintable():
            raise InvalidFulfilmentInput("1 to 500 printable characters.", path=(field,))
    if url and not url.startswith(("http://", "https://")):
        raise InvalidFulfilmentInput("An address begins with https:// or http://.", path=("url",))
    if url and (len(secret) < SECRET_LENGTH_MIN or not secret.isascii()):
        raise InvalidFulfilmentInput(
            f"A secret has {SECRET_LENGTH_MIN} ASCII characters or more.", path=("secret",)
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
