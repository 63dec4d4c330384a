"""The first locks of a commit: the keys of the orders, and the authority behind them."""

from collections.abc import Sequence

import msgspec

from backend.db.errors import YipanError
from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.orders.errors import NotAuthorised, OrderConflict
from backend.orders.intake import Key
from backend.orders.model import Outcome, Refused
from backend.orders.work import Work

SQL = load_queries(__file__)
DECODE_OUTCOME = msgspec.json.Decoder(Outcome)


def refused(error: YipanError) -> Refused:
    """Return a refusal as an outcome."""
    return Refused(error.code, error.message, error.path, getattr(error, "detail", {}))


async def claim_keys(tx: TenantTransaction, works: Sequence[Work]) -> dict[Work, Outcome]:
    """Take the keys of new orders; returns those that exist already, with their answers.

    Locks the keys in their order, and waits for another transaction that holds one of them. A key
    with other content answers OrderConflict. An order that loses one key gives the other back.
    """
    keys = {key.key: (work, key) for work in works if work.intake for key in work.intake.keys}
    names = sorted(keys)
    rows = await tx.fetch(
        SQL.claim_keys, tx.tenant_id, names, [keys[name][1].fingerprint for name in names]
    )
    if len(rows) == len(names):
        return {}
    lost = set(names) - {row["key"] for row in rows}
    losers = {keys[name][0] for name in lost}
    stored = {row["key"]: row for row in await tx.fetch(SQL.read_keys, tx.tenant_id, list(lost))}
    answers: dict[Work, Outcome] = {}
    for name in sorted(lost):
        work, key = keys[name]
        row = stored.get(name)
        if row is None or row["fingerprint"] != key.fingerprint:
            answers[work] = refused(OrderConflict())
        else:
            answers.setdefault(work, DECODE_OUTCOME.decode(row["outcome"]))
    await delete_keys(tx, losers, except_for=lost)
    return answers


async def stored_outcomes(tx: TenantTransaction, keys: Sequence[Key]) -> dict[Key, Outcome]:
    """Return what was answered under those of the keys that belong to the same content."""
    names = sorted({key.key for key in keys})
    rows = await tx.fetch(SQL.read_keys, tx.tenant_id, names)
    stored = {Key(row["key"], row["fingerprint"]): row["outcome"] for row in rows}
    return {key: DECODE_OUTCOME.decode(stored[key]) for key in keys if key in stored}


async def delete_keys(
    tx: TenantTransaction, works: set[Work], *, except_for: set[str] | None = None
) -> None:
    """Give back the keys of orders that were not placed."""
    names = {key.key for work in works if work.intake for key in work.intake.keys}
    names -= except_for or set()
    if names:
        await tx.execute(SQL.delete_keys, tx.tenant_id, sorted(names))


async def check_authority(tx: TenantTransaction, works: Sequence[Work]) -> dict[Work, Outcome]:
    """Read again whether those who place the orders may still do so; returns the refusals."""
    principals = list(dict.fromkeys(work.intake.principal for work in works if work.intake))
    if not principals:
        return {}
    rows = await tx.fetch(
        SQL.authority_in_force,
        tx.tenant_id,
        [principal.kind.value for principal in principals],
        [principal.user_id for principal in principals],
        [principal.key_id for principal in principals],
        [principal.dealer_id for principal in principals],
    )
    in_force = {principals[row["ordinal"] - 1] for row in rows}
    return {
        work: refused(NotAuthorised())
        for work in works
        if work.intake and work.intake.principal not in in_force
    }
