"""Commands that apply once: an idempotency key and a fingerprint of what was asked.

Keys come first in the lock order of every transaction. The insert waits for another transaction
that holds the same key, so whoever finds it stored finds its outcome with it.
"""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar, cast

import msgspec

from backend.db.errors import YipanError
from backend.db.pool import SQL, TenantTransaction

OutcomeT = TypeVar("OutcomeT")

KEY_LENGTH_MAX = 200
FINGERPRINT_BYTES = 16


class CommandConflict(YipanError):
    """This idempotency key was used for something else; take a fresh key for a new command."""

    code = "IDEMPOTENCY_CONFLICT"


class InvalidKey(YipanError):
    """An idempotency key has 1 to 200 printable characters; a UUID made by the client does well."""

    code = "INVALID_IDEMPOTENCY_KEY"


def command_key(subject: str, key: str) -> str:
    """Return the stored form: keys of different subjects never meet. Raises InvalidKey."""
    if not 0 < len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise InvalidKey
    return f"i:{subject}:{key}"


def part_of_key(key: str, part: str) -> str:
    """Return the key of a part of a command that is carried out in several. Raises InvalidKey."""
    command_key("", key)
    if len(key) + len(part) < KEY_LENGTH_MAX:
        return f"{key}/{part}"
    return f"{_digest(key.encode()).hex()}/{part}"


def fingerprint(content: object) -> bytes:
    """Return 16 bytes that differ wherever the content of two commands does."""
    return _digest(msgspec.msgpack.encode(content, order="deterministic"))


def fingerprint_in_order(content: object) -> bytes:
    """Return the fingerprint of content whose parts are in an order of their own, and stay in it.

    That of a struct is that of its fields as they follow each other.
    """
    return _digest(msgspec.msgpack.encode(content))


def _digest(encoded: bytes) -> bytes:
    return hashlib.blake2b(encoded, digest_size=FINGERPRINT_BYTES).digest()


async def claim_command(tx: TenantTransaction, key: str, content: object) -> str | None:
    """Take the key for this command, or return the outcome stored by an earlier run of it.

    Locks the key's row until the transaction ends. Raises CommandConflict if the key belongs to
    another command, InvalidKey for one that is empty or too long.
    """
    stored_key = command_key(tx.principal.subject, key)
    mark = fingerprint(content)
    if await tx.fetch_value(SQL.claim_command, tx.tenant_id, stored_key, mark):
        return None
    row = await tx.fetch_row(SQL.read_command, tx.tenant_id, stored_key)
    if row is None or row["fingerprint"] != mark:
        raise CommandConflict
    return str(row["outcome"])


async def store_outcome(tx: TenantTransaction, key: str, outcome: str) -> None:
    """Keep what the command answered, for whoever asks again."""
    await tx.execute(
        SQL.store_command, tx.tenant_id, command_key(tx.principal.subject, key), outcome
    )


async def apply_once(
    tx: TenantTransaction,
    key: str,
    content: object,
    outcome_type: type[OutcomeT],
    work: Callable[[], Awaitable[OutcomeT]],
) -> OutcomeT:
    """Do `work` in this transaction, or return what an earlier run under the key came to.

    Raises what `claim_command` and `work` raise; then the key is free again, with the transaction.
    """
    stored = await claim_command(tx, key, content)
    if stored is not None:
        return msgspec.json.decode(stored, type=outcome_type)
    outcome = await work()
    await store_outcome(tx, key, msgspec.json.encode(outcome).decode())
    return outcome


class _TakenBack(Exception):
    """A preview has come to its outcome, and nothing of it stays."""

    def __init__(self, outcome: object) -> None:
        super().__init__()
        self.outcome = outcome


async def apply_once_or_preview(
    door: AbstractAsyncContextManager[TenantTransaction],
    command: tuple[str, object],
    outcome_type: type[OutcomeT],
    work: Callable[[TenantTransaction], Awaitable[OutcomeT]],
    *,
    is_preview: bool,
) -> OutcomeT:
    """Apply a command (its key and content) once behind a door, or only say what it would come to.

    A preview does all of `work` and takes it back; its key stays free. Raises what `door`, `work`
    and `apply_once` raise.
    """
    key, content = command
    try:
        async with door as tx:
            if is_preview:
                raise _TakenBack(await work(tx))
            return await apply_once(tx, key, content, outcome_type, partial(work, tx))
    except _TakenBack as preview:
        return cast(OutcomeT, preview.outcome)
