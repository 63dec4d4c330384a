"""Requests of platforms with which something is wrong: somebody says what becomes of them."""

from collections.abc import Iterable

from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.publishing.connections import SQL
from backend.publishing.errors import InvalidReturnDecision, UnknownChannelReturn
from tenants.principal import Permission

REASON_MAX = 200


async def decide_channel_return(
    tx: TenantTransaction, request_id: int, *, refuses: bool, reason: str, key: str
) -> int:
    """Have a request refused on its platform, with a reason, or tried once more; once.

    It is done in the background, by the process that speaks for its shop. Returns its id. Raises
    PermissionMissing, WriteRefused, UnknownChannelReturn where it has ended, InvalidReturnDecision,
    CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.ORDERS_CANCEL)
    if len(reason) > REASON_MAX or (refuses and not reason):
        raise InvalidReturnDecision(
            f"Say why, in 1 to {REASON_MAX} characters: the buyer reads it.", path=("reason",)
        )

    async def work() -> int:
        refusal = reason if refuses else None
        given = (tx.tenant_id, request_id, refusal)
        found: int | None = await tx.fetch_value(SQL.decide_channel_return, *given)
        if found is None:
            raise UnknownChannelReturn
        return found

    content = ("decide_channel_return", request_id, refuses, reason)
    return await apply_once(tx, key, content, int, work)


async def channel_returns_by_ids(tx: TenantTransaction, ids: Iterable[int]) -> dict[int, Record]:
    """Return requests of platforms by their ids."""
    rows = await tx.fetch(SQL.channel_returns_by_ids, tx.tenant_id, list(ids))
    return {row["id"]: row for row in rows}


async def page_of_channel_returns(
    tx: TenantTransaction, after: int, limit: int, *, only_problems: bool
) -> list[Record]:
    """Return requests that have not ended, or those with which something is wrong, after an id."""
    return await tx.fetch(SQL.page_of_channel_returns, tx.tenant_id, only_problems, after, limit)
