"""Where a tenant's counters lie in Valkey; its hash tag keeps one call in one slot."""

KINDS = ("base", "version", "pending", "tokens", "ages")
"""The hashes and the sorted set of an epoch; see functions.lua."""


def warm_key(tenant_id: int) -> str:
    """Return the key that holds the epoch which is warm."""
    return f"y:{{{tenant_id}}}:epoch"


def warming_key(tenant_id: int) -> str:
    """Return the key that holds the epoch which somebody warms; it expires with whoever does."""
    return f"y:{{{tenant_id}}}:warming"


def epoch_keys(tenant_id: int, epoch: int) -> tuple[str, ...]:
    """Return the keys that belong to one epoch alone."""
    return tuple(f"y:{{{tenant_id}}}:{epoch}:{kind}" for kind in KINDS)


def ages_key(tenant_id: int, epoch: int) -> str:
    """Return the key of the sorted set that has every pending token."""
    return epoch_keys(tenant_id, epoch)[KINDS.index("ages")]


def function_keys(tenant_id: int, epoch: int) -> tuple[str, ...]:
    """Return the keys that the server-side functions take."""
    return (warm_key(tenant_id), *epoch_keys(tenant_id, epoch), warming_key(tenant_id))
