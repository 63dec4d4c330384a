"""Documents of which a brand has versions: proposed as drafts, one of them active, the rest kept.

Each kind has a table of its own and refusals of its own; how versions come about is the same.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from backend.db.commands import apply_once
from backend.db.errors import YipanError
from backend.db.pool import Record, TenantTransaction
from backend.db.sql import Query
from tenants.principal import Permission

DocumentT = TypeVar("DocumentT")

COMMENT_LENGTH_MAX = 1_000
VERSION_MAX = 2**31 - 1


class VersionStatus(StrEnum):
    """A document is edited as a draft, one is active, and those before it are kept."""

    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"


class Version(msgspec.Struct, Generic[DocumentT], frozen=True, kw_only=True):
    """One version of a brand's document."""

    version: int
    based_on: int
    """The version that was active when it was proposed; 0 for none."""
    status: VersionStatus
    document: DocumentT
    comment: str
    proposed_by: str
    proposed_at: datetime
    activated_by: str | None
    activated_at: datetime | None


class VersionQueries(NamedTuple):
    """The statements of a kind's table; all but the first two return rows of a version."""

    lock: Query
    """Lets one transaction at a time give versions and states."""
    archive_active: Query
    insert: Query
    activate: Query
    one: Query
    active: Query
    some: Query
    page: Query


class VersionRefusals(NamedTuple):
    """How a kind is refused."""

    invalid: type[YipanError]
    unknown: type[YipanError]
    not_draft: type[YipanError]
    changed: Callable[[int], YipanError]
    """Made of the version that is active."""


class Versions(Generic[DocumentT]):
    """The versions of one kind of document, of any brand."""

    def __init__(
        self,
        name: str,
        table: str,
        document_type: type[DocumentT],
        queries: VersionQueries,
        refusals: VersionRefusals,
    ) -> None:
        """`name` is what messages and commands call it, `table` where it is kept."""
        self._name = name
        self._table = table
        self._decode = msgspec.json.Decoder(document_type).decode
        self._version_type: Any = Version[document_type]  # type: ignore[valid-type]
        self._queries = queries
        self._refusals = refusals

    async def propose(
        self,
        tx: TenantTransaction,
        document: DocumentT,
        *,
        based_on: int,
        comment: str,
        key: str,
        check: Callable[[DocumentT], Awaitable[object]],
    ) -> Version[DocumentT]:
        """Keep a document as a draft, once, and return it.

        Locks the key, then the brand's versions. Raises what `check` raises, PermissionMissing,
        CommandConflict and the refusals for a bad comment and for another version that is active
        than it is based on; then nothing has changed.
        """
        tx.principal.require(Permission.NETWORK_WRITE)
        self._check_comment(comment)

        async def work() -> Version[DocumentT]:
            await check(document)
            await self.lock(tx)
            await self._need_active(tx, based_on)
            encoded = msgspec.json.encode(document).decode()
            subject = tx.principal.subject
            row = await tx.fetch_row(
                self._queries.insert, tx.tenant_id, based_on, encoded, comment, subject
            )
            return self._saved(row)

        content = (self._table, document, based_on, comment)
        return await apply_once(tx, key, content, self._version_type, work)

    async def activate(
        self,
        tx: TenantTransaction,
        version: int,
        *,
        key: str,
        check: Callable[[DocumentT], Awaitable[object]],
    ) -> Version[DocumentT]:
        """Let a draft decide from now on, once, and return it; the one before it is archived.

        Locks the key, then the brand's versions. Raises what `check` raises, PermissionMissing,
        CommandConflict and the refusals for a version that is unknown, no draft, or based on
        another one than is active; then nothing has changed.
        """
        tx.principal.require(Permission.NETWORK_WRITE)

        async def work() -> Version[DocumentT]:
            await self.lock(tx)
            draft = await self.get(tx, version)
            if draft.status is not VersionStatus.DRAFT:
                raise self._refusals.not_draft
            await self._need_active(tx, draft.based_on)
            await check(draft.document)
            await tx.execute(self._queries.archive_active, tx.tenant_id)
            subject = tx.principal.subject
            row = await tx.fetch_row(self._queries.activate, tx.tenant_id, version, subject)
            return self._saved(row)

        return await apply_once(
            tx, key, (f"activate_{self._name}", version), self._version_type, work
        )

    async def lock(self, tx: TenantTransaction) -> None:
        """Let no version be proposed or activated until the transaction ends."""
        await tx.execute(self._queries.lock, tx.tenant_id)

    async def get(self, tx: TenantTransaction, version: int) -> Version[DocumentT]:
        """Return a version; raises the refusal for one that is unknown."""
        row = None
        if 0 < version <= VERSION_MAX:
            row = await tx.fetch_row(self._queries.one, tx.tenant_id, version)
        if row is None:
            raise self._refusals.unknown(f"There is no {self._name} of version {version}.")
        return self.version_of(row)

    async def active(self, tx: TenantTransaction) -> Version[DocumentT] | None:
        """Return the version that decides, if there is one."""
        row = await tx.fetch_row(self._queries.active, tx.tenant_id)
        return None if row is None else self.version_of(row)

    async def page(self, tx: TenantTransaction, below: int, limit: int) -> list[Version[DocumentT]]:
        """Return up to `limit` versions below one, the newest first."""
        rows = await tx.fetch(self._queries.page, tx.tenant_id, below, limit)
        return [self.version_of(row) for row in rows]

    async def some(
        self, tx: TenantTransaction, keys: Sequence[tuple[int, ...]]
    ) -> dict[tuple[int, ...], Version[DocumentT]]:
        """Return versions, each by its number alone."""
        versions = [version for (version,) in keys if version <= VERSION_MAX]
        rows = await tx.fetch(self._queries.some, tx.tenant_id, versions)
        return {(row["version"],): self.version_of(row) for row in rows}

    def version_of(self, row: Record) -> Version[DocumentT]:
        """Return what a row says."""
        values = dict(row)
        document = self._decode(values.pop("document"))
        status = VersionStatus(values.pop("status"))
        return Version(document=document, status=status, **values)

    def _saved(self, row: Record | None) -> Version[DocumentT]:
        assert row is not None, "what is written under the lock returns its row"
        return self.version_of(row)

    async def _need_active(self, tx: TenantTransaction, version: int) -> None:
        """Refuse unless this version is the active one; 0 for none."""
        found = await self.active(tx)
        active = 0 if found is None else found.version
        if active != version:
            raise self._refusals.changed(active)

    def _check_comment(self, comment: str) -> None:
        is_text = not any("\ud800" <= letter <= "\udfff" for letter in comment)
        if len(comment) > COMMENT_LENGTH_MAX or "\0" in comment or not is_text:
            raise self._refusals.invalid(
                f"A comment has at most {COMMENT_LENGTH_MAX} characters.", path=("comment",)
            )
