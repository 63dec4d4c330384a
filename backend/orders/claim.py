"""The first locks of a commit: the keys of the orders."""

from collections.abc import Iterable, Sequence

import msgspec

from backend.db.errors import YipanError
from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.orders.errors import OrderConflict
from backend.orders.intake import Key
from backend.orders.model import Answer, Refused
from backend.orders.work import Work

SQL = load_queries(__file__)
KeyRow = tuple[str, bytes, int]
"""The fields of the row type `new_key`."""

DECODE_OUTCOME = msgspec.json.Decoder(Answer)


def refused(error: YipanError) -> Refused:
    """Return a refusal as an outcome."""
    return Refused(error.code, error.message, error.path, getattr(error, "detail", {}))


async def claim_keys(tx: TenantTransaction, works: Sequence[Work]) -> dict[Work, Answer]:
    """Take the keys of new orders; returns those that exist already, with their answers.

    Locks the keys in their order, and waits for another transaction that holds one of them. A key
    with other content answers OrderConflict. An order that loses one key gives the other back.
    """
    keys = {key.key: (work, key) for work in works if work.intake for key in work.intake.keys}
    rows = key_rows(works)
    if await tx.fetch_value(SQL.claim_keys, tx.tenant_id, rows) == len(rows):
        return {}
    answers: dict[Work, Answer] = {}
    losers: set[Work] = set()
    lost: set[str] = set()
    for row in await tx.fetch(SQL.read_keys, tx.tenant_id, sorted(keys)):
        if row["is_new"]:
            continue
        work, key = keys[row["key"]]
        losers.add(work)
        lost.add(key.key)
        if row["fingerprint"] != key.fingerprint:
            answers[work] = refused(OrderConflict())
        else:
            answers.setdefault(work, DECODE_OUTCOME.decode(row["outcome"]))
    await delete_keys(tx, losers, except_for=lost)
    return answers


def key_rows(works: Iterable[Work]) -> list[KeyRow]:
    """Return the keys of new orders, each once."""
    rows = {
        key.key: (key.key, key.fingerprint, work.order_id)
        for work in works
        if work.intake
        for key in work.intake.keys
    }
    return list(rows.values())


async def stored_outcomes(tx: TenantTransaction, keys: Sequence[Key]) -> dict[Key, Answer]:
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
