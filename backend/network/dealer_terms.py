"""What is agreed with dealers who send orders: territory, performance and fee."""

from collections.abc import Sequence

from msgspec.structs import replace

from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.network.errors import InvalidTerms
from backend.network.model import DealerTerms
from backend.network.nodes import SQL
from backend.network.ranges import BASIS_POINTS, require_between, require_money, require_region
from backend.network.regions.table import RegionTable
from backend.network.terms_version import raise_terms_version
from tenants.dealers import require_dealer
from tenants.principal import Permission

TERRITORY_MAX = 1_000
"""Regions of a dealer: who has more of them names their cities or provinces."""


async def set_dealer_terms(
    tx: TenantTransaction, terms: DealerTerms, *, key: str, regions: RegionTable
) -> DealerTerms:
    """Replace the terms of a dealer with an agreement, once, and return them.

    Locks the key, then the version of the terms. Raises InvalidTerms, OutOfRange, UnknownRegion,
    UnknownDealer, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.NETWORK_WRITE)
    _check(terms, regions)
    kept = replace(terms, territory=tuple(sorted(set(terms.territory))))

    async def work() -> DealerTerms:
        await require_dealer(tx, tx.tenant_id, kept.dealer_id)
        await raise_terms_version(tx)
        await tx.execute(
            SQL.set_dealer_terms,
            tx.tenant_id,
            kept.dealer_id,
            list(kept.territory),
            kept.performance_bp,
            kept.service_fee_minor,
        )
        return kept

    return await apply_once(tx, key, ("set_dealer_terms", kept), DealerTerms, work)


async def list_dealer_terms(tx: TenantTransaction) -> Sequence[DealerTerms]:
    """Return the terms of all dealers, by dealer; a dealer is shown its own."""
    rows = await tx.fetch(SQL.dealer_terms, tx.tenant_id)
    return [DealerTerms(**{**row, "territory": tuple(row["territory"])}) for row in rows]


def _check(terms: DealerTerms, regions: RegionTable) -> None:
    if len(terms.territory) > TERRITORY_MAX:
        raise InvalidTerms(f"Name at most {TERRITORY_MAX:,} regions.", path=("territory",))
    for index, code in enumerate(terms.territory):
        require_region(("territory", index), code, regions)
    require_between(("performanceBp",), terms.performance_bp, 0, BASIS_POINTS)
    require_money(("serviceFeeMinor",), terms.service_fee_minor)
