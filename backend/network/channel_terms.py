"""What channels charge of an order, by the kind of node that sends it."""

from collections.abc import Sequence

from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.network.errors import InvalidTerms
from backend.network.model import ChannelTerms, NodeKind
from backend.network.nodes import SQL
from backend.network.ranges import BASIS_POINTS, require_between, require_name
from backend.network.terms_version import raise_terms_version
from tenants.principal import Permission

CHANNEL_TERMS_MAX = 500
"""Set at once: a hundred channels with all five kinds of node."""


async def set_channel_terms(
    tx: TenantTransaction, terms: Sequence[ChannelTerms], *, key: str
) -> list[ChannelTerms]:
    """Set what channels charge, once, all or none, and return all there is then.

    What is there already for a channel and a kind of node is changed, the rest stays. Locks the
    key, then the version of the terms. Raises InvalidTerms, OutOfRange, CommandConflict; then
    nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    _check(terms)

    async def work() -> list[ChannelTerms]:
        await raise_terms_version(tx)
        await tx.execute(
            SQL.set_channel_terms,
            tx.tenant_id,
            [one.channel for one in terms],
            [one.node_kind.value for one in terms],
            [one.commission_bp for one in terms],
        )
        return await list_channel_terms(tx)

    return await apply_once(tx, key, ("set_channel_terms", terms), list[ChannelTerms], work)


async def list_channel_terms(tx: TenantTransaction) -> list[ChannelTerms]:
    """Return what channels charge, by channel and kind of node."""
    rows = await tx.fetch(SQL.channel_terms, tx.tenant_id)
    return [ChannelTerms(**{**row, "node_kind": NodeKind(row["node_kind"])}) for row in rows]


def _check(terms: Sequence[ChannelTerms]) -> None:
    if not 0 < len(terms) <= CHANNEL_TERMS_MAX:
        raise InvalidTerms(f"Give 1 to {CHANNEL_TERMS_MAX} terms.", path=("terms",))
    if len({(one.channel, one.node_kind) for one in terms}) < len(terms):
        raise InvalidTerms("A channel and kind of node stands there twice.", path=("terms",))
    for index, one in enumerate(terms):
        require_name(("terms", index, "channel"), one.channel)
        require_between(("terms", index, "commissionBp"), one.commission_bp, 0, BASIS_POINTS)
