"""Gives back what attempts left behind that died between admit and finish.

A token older than TOKEN_AGE_SECONDS belongs to a process that died or that is slower than anything
we allow. Its counters are read again in PostgreSQL, set if newer, and the token is dropped: if the
commit did happen, the base shows it; if it comes later still, PostgreSQL decides as always.
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from backend.admission.admission import Admission
from backend.admission.model import Base
from backend.metrics import REAPED

log = structlog.get_logger(__name__)

TOKEN_AGE_SECONDS = 3.0
TOKENS_PER_PASS = 1_000

ReadCounters = Callable[[int, Sequence[str]], Awaitable[list[Base]]]
"""Reads the named counters of a tenant anew from PostgreSQL."""


async def reap(
    admission: Admission,
    tenant_id: int,
    read_counters: ReadCounters,
    *,
    age_seconds: float = TOKEN_AGE_SECONDS,
) -> int:
    """Drop the tenant's tokens of that age and return how many; raises ValkeyAway."""
    tokens = await admission.stale(tenant_id, int(age_seconds * 1000), TOKENS_PER_PASS)
    if not tokens:
        return 0
    counters = sorted({take.counter for _, takes in tokens for take in takes})
    bases = await read_counters(tenant_id, counters)
    await admission.finish(tenant_id, [token for token, _ in tokens], bases)
    REAPED.inc(len(tokens))
    log.warning("admission.reaped", tenant=tenant_id, tokens=len(tokens))
    return len(tokens)
