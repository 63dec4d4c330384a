"""Proposing, finding and activating policies."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from backend.catalog.find_skus import skus_by_codes
from backend.channels.shops import active_shops
from backend.db.commands import apply_once
from backend.db.pool import Record, TenantTransaction
from backend.db.sql import load_queries
from backend.network.nodes import list_nodes
from backend.network.regions.table import RegionTable
from backend.routing.check_policy import Known, check_policy, named_in
from backend.routing.errors import InvalidPolicy, PolicyChanged, PolicyNotDraft, UnknownPolicy
from backend.routing.model import DEFAULT_POLICY, PolicyDocument
from tenants.principal import Permission

SQL = load_queries(__file__)

COMMENT_LENGTH_MAX = 1_000
DOCUMENT_BYTES_MAX = 256 * 1024
VERSION_MAX = 2**31 - 1


class PolicyStatus(StrEnum):
    """Where a version stands."""

    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a brand's policy."""

    version: int
    based_on: int
    """The version that was active when it was proposed; 0 for none."""
    status: PolicyStatus
    document: PolicyDocument
    comment: str
    proposed_by: str
    proposed_at: datetime
    activated_by: str | None
    activated_at: datetime | None


async def propose_policy(
    tx: TenantTransaction,
    document: PolicyDocument,
    *,
    based_on: int,
    comment: str,
    key: str,
    regions: RegionTable,
) -> PolicyVersion:
    """Keep a policy as a draft, once, and return it; nothing is routed by it yet.

    Locks the key, then the brand's policies. Raises InvalidPolicy, InvalidCondition,
    CommandConflict and, where `based_on` is not the active version, PolicyChanged; then nothing has
    changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    encoded = _encoded(document, comment)

    async def work() -> PolicyVersion:
        await check_in_network(tx, document, regions)
        await tx.execute(SQL.lock_policies, tx.tenant_id)
        await _need_active(tx, based_on)
        row = await tx.fetch_row(
            SQL.insert_policy,
            tx.tenant_id,
            based_on,
            encoded.decode(),
            comment,
            tx.principal.subject,
        )
        assert row is not None, "an insert returns its row"
        return _version(row)

    content = ("routing_policy", document, based_on, comment)
    return await apply_once(tx, key, content, PolicyVersion, work)


async def activate_policy(
    tx: TenantTransaction, version: int, *, key: str, regions: RegionTable
) -> PolicyVersion:
    """Let a draft route from now on, once, and return it; the one before it is archived.

    What it names is looked at again. Locks the key, then the brand's policies. Raises
    UnknownPolicy, PolicyNotDraft, InvalidPolicy, CommandConflict and, where another version was
    activated after the draft was proposed, PolicyChanged; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)

    async def work() -> PolicyVersion:
        await tx.execute(SQL.lock_policies, tx.tenant_id)
        draft = await policy_version(tx, version)
        if draft.status is not PolicyStatus.DRAFT:
            raise PolicyNotDraft
        await _need_active(tx, draft.based_on)
        await check_in_network(tx, draft.document, regions)
        await tx.execute(SQL.archive_active_policy, tx.tenant_id)
        row = await tx.fetch_row(SQL.activate_policy, tx.tenant_id, version, tx.principal.subject)
        assert row is not None, "the draft is there, and the policies are locked"
        return _version(row)

    return await apply_once(tx, key, ("activate_policy", version), PolicyVersion, work)


def _encoded(document: PolicyDocument, comment: str) -> bytes:
    """Return a document as it is stored; raises InvalidPolicy where it, or the comment, cannot."""
    if len(comment) > COMMENT_LENGTH_MAX or "\0" in comment or not _is_text(comment):
        raise InvalidPolicy(
            f"A comment has at most {COMMENT_LENGTH_MAX} characters.", path=("comment",)
        )
    try:
        encoded = msgspec.json.encode(document)
    except UnicodeEncodeError as error:
        raise InvalidPolicy("A text here contains half of a surrogate pair.") from error
    if len(encoded) > DOCUMENT_BYTES_MAX:
        raise InvalidPolicy(
            f"A policy has at most {DOCUMENT_BYTES_MAX} bytes.", path=("strategies",)
        )
    return encoded


def _is_text(text: str) -> bool:
    """Whether it has no half of a surrogate pair."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


async def check_in_network(
    tx: TenantTransaction, document: PolicyDocument, regions: RegionTable
) -> None:
    """Raise InvalidPolicy or InvalidCondition where the brand cannot be routed by a document."""
    check_policy(document)  # what it names can be looked up then
    codes = sorted(named_in(document, "goods.skus"))
    known = Known(
        regions=regions,
        sku_codes=frozenset(await skus_by_codes(tx, codes)) if codes else frozenset(),
        shop_codes=frozenset(await active_shops(tx)),
        node_codes=frozenset(node.code for node in await list_nodes(tx)),
    )
    check_policy(document, known)


async def policy_version(tx: TenantTransaction, version: int) -> PolicyVersion:
    """Return a version; raises UnknownPolicy."""
    row = None
    if 0 < version <= VERSION_MAX:
        row = await tx.fetch_row(SQL.policy, tx.tenant_id, version)
    if row is None:
        raise UnknownPolicy(f"There is no policy of version {version}.")
    return _version(row)


async def document_of(tx: TenantTransaction, version: int) -> PolicyDocument:
    """Return the document of a version; the default policy for 0. Raises UnknownPolicy."""
    return DEFAULT_POLICY if version == 0 else (await policy_version(tx, version)).document


async def active_policy(tx: TenantTransaction) -> tuple[PolicyDocument, int]:
    """Return what orders are routed by, with its version; the default policy has version 0."""
    row = await tx.fetch_row(SQL.active_policy, tx.tenant_id)
    if row is None:
        return DEFAULT_POLICY, 0
    return msgspec.json.decode(row["document"], type=PolicyDocument), int(row["version"])


async def page_of_policies(tx: TenantTransaction, below: int, limit: int) -> list[PolicyVersion]:
    """Return up to `limit` versions below one, the newest first."""
    rows = await tx.fetch(SQL.page_of_policies, tx.tenant_id, below, limit)
    return [_version(row) for row in rows]


async def policies_by_versions(
    tx: TenantTransaction, keys: Sequence[tuple[int, ...]]
) -> dict[tuple[int, ...], PolicyVersion]:
    """Return versions, each by its number alone."""
    versions = [version for (version,) in keys if version <= VERSION_MAX]
    rows = await tx.fetch(SQL.policies_by_versions, tx.tenant_id, versions)
    return {(row["version"],): _version(row) for row in rows}


async def _need_active(tx: TenantTransaction, version: int) -> None:
    """Raise PolicyChanged unless this version is the active one; 0 for none."""
    _, active = await active_policy(tx)
    if active != version:
        raise PolicyChanged(active)


def _version(row: Record) -> PolicyVersion:
    values = dict(row)
    document = msgspec.json.decode(values.pop("document"), type=PolicyDocument)
    status = PolicyStatus(values.pop("status"))
    return PolicyVersion(document=document, status=status, **values)
