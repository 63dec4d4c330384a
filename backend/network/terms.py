"""All terms that routing asks for, read at once, and whether they must be read again."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from backend.db.pool import TenantTransaction
from backend.network.channel_terms import list_channel_terms
from backend.network.dealer_terms import list_dealer_terms
from backend.network.lanes import list_lanes
from backend.network.model import ChannelTerms, DealerTerms, Lane, NodeKind, SlotProvider
from backend.network.node_terms import closed_days
from backend.network.slots import list_slot_providers
from backend.network.terms_version import terms_version

CLOSED_DAYS_AHEAD = 60
"""How far routing looks for a day on which a node dispatches."""


class NetworkTerms(NamedTuple):
    """What routing asks of the network beside its nodes."""

    mark: int
    """What `terms_mark` returned, at the latest, before they were read."""
    first_day: date
    """From when on, for CLOSED_DAYS_AHEAD days, closed days are known."""
    closed_days: Mapping[int, frozenset[date]]
    """By node; a node that is left out has none."""
    lanes: Mapping[int, tuple[Lane, ...]]
    """Those in use by node, ascending by carrier and region."""
    dealers: Mapping[int, DealerTerms]
    """By dealer."""
    channels: Mapping[tuple[str, NodeKind], ChannelTerms]
    """By channel and kind of node."""
    providers: Sequence[SlotProvider] = ()
    """Who makes visits at agreed times."""


async def read_terms(tx: TenantTransaction, today: date) -> NetworkTerms:
    """Return all terms that the principal may see; `today` is the day where the brand is.

    The mark is read first: what is changed meanwhile has a later one.
    """
    mark = await terms_mark(tx)
    last_day = today + timedelta(days=CLOSED_DAYS_AHEAD - 1)
    closed = await closed_days(tx, today, last_day)
    by_node = groupby(await list_lanes(tx), attrgetter("node_id"))
    return NetworkTerms(
        mark=mark,
        first_day=today,
        closed_days={node_id: frozenset(days) for node_id, days in closed.items()},
        lanes={node_id: tuple(lanes) for node_id, lanes in by_node},
        dealers={terms.dealer_id: terms for terms in await list_dealer_terms(tx)},
        channels={
            (terms.channel, terms.node_kind): terms for terms in await list_channel_terms(tx)
        },
        providers=await list_slot_providers(tx),
    )


async def terms_mark(tx: TenantTransaction) -> int:
    """Return a mark that rises with every change of terms; one look at one row.

    Who has read terms at this mark, and on this day, need not read them again.
    """
    return await terms_version(tx)
