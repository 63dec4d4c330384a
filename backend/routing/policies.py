"""Proposing, finding and activating policies."""

import msgspec

from backend.catalog.find_skus import skus_by_codes
from backend.channels.shops import active_shops
from backend.db.pool import TenantTransaction
from backend.db.sql import load_queries
from backend.db.versions import Version, VersionQueries, VersionRefusals, Versions
from backend.network.nodes import list_nodes
from backend.network.regions.table import RegionTable
from backend.routing.check_policy import Known, check_policy, named_in
from backend.routing.errors import InvalidPolicy, PolicyChanged, PolicyNotDraft, UnknownPolicy
from backend.routing.model import DEFAULT_POLICY, PolicyDocument

SQL = load_queries(__file__)

DOCUMENT_BYTES_MAX = 256 * 1024

PolicyVersion = Version[PolicyDocument]

POLICIES = Versions(
    "policy",
    "routing_policy",
    PolicyDocument,
    VersionQueries(
        lock=SQL.lock_policies,
        archive_active=SQL.archive_active_policy,
        insert=SQL.insert_policy,
        activate=SQL.activate_policy,
        one=SQL.policy,
        active=SQL.active_policy,
        some=SQL.policies_by_versions,
        page=SQL.page_of_policies,
    ),
    VersionRefusals(InvalidPolicy, UnknownPolicy, PolicyNotDraft, PolicyChanged),
)


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

    Locks and guarantees are those of `Versions.propose`. Raises InvalidPolicy, InvalidCondition,
    CommandConflict and, where `based_on` is not the active version, PolicyChanged.
    """

    async def check(proposed: PolicyDocument) -> None:
        await check_in_network(tx, proposed, regions)

    _check_size(document)
    return await POLICIES.propose(
        tx, document, based_on=based_on, comment=comment, key=key, check=check
    )


async def activate_policy(
    tx: TenantTransaction, version: int, *, key: str, regions: RegionTable
) -> PolicyVersion:
    """Let a draft route from now on, once, and return it; the one before it is archived.

    What it names is looked at again. Locks and guarantees are those of `Versions.activate`. Raises
    UnknownPolicy, PolicyNotDraft, InvalidPolicy, CommandConflict and, where another version was
    activated after the draft was proposed, PolicyChanged.
    """

    async def check(draft: PolicyDocument) -> None:
        await check_in_network(tx, draft, regions)

    return await POLICIES.activate(tx, version, key=key, check=check)


def _check_size(document: PolicyDocument) -> None:
    """Raise InvalidPolicy where a document cannot be stored."""
    try:
        encoded = msgspec.json.encode(document)
    except UnicodeEncodeError as error:
        raise InvalidPolicy("A text here contains half of a surrogate pair.") from error
    if len(encoded) > DOCUMENT_BYTES_MAX:
        raise InvalidPolicy(
            f"A policy has at most {DOCUMENT_BYTES_MAX} bytes.", path=("strategies",)
        )


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


async def document_of(tx: TenantTransaction, version: int) -> PolicyDocument:
    """Return the document of a version; the default policy for 0. Raises UnknownPolicy."""
    return DEFAULT_POLICY if version == 0 else (await POLICIES.get(tx, version)).document


async def active_policy(tx: TenantTransaction) -> tuple[PolicyDocument, int]:
    """Return what orders are routed by, with its version; the default policy has version 0."""
    found = await POLICIES.active(tx)
    return (DEFAULT_POLICY, 0) if found is None else (found.document, found.version)
