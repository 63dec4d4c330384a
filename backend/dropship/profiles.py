"""What dealers are to the brand: their level, whose sub-dealers they are, whether they wait."""

from collections.abc import Mapping

from backend.db.commands import apply_once
from backend.db.pool import TenantTransaction
from backend.dropship.dealing_version import SQL, raise_dealing_version
from backend.dropship.errors import InvalidProfile
from backend.dropship.model import Profile
from tenants.dealers import require_dealer
from tenants.principal import Permission

TEXT_MAX = 200
DEPTH_MAX = 5
"""Dealers above a dealer: more of them nobody can settle with."""


async def set_profile(tx: TenantTransaction, profile: Profile, *, key: str) -> Profile:
    """Say what a dealer is to the brand, once. A suspended dealer's new orders are held.

    Locks the key, then the version of dealers' terms. Raises PermissionMissing, UnknownDealer,
    InvalidProfile, CommandConflict; then nothing has changed.
    """
    tx.principal.require(Permission.DEALERS_WRITE)
    if len(profile.level) > TEXT_MAX or len(profile.reason) > TEXT_MAX:
        raise InvalidProfile(f"A text has at most {TEXT_MAX} characters.")

    async def work() -> Profile:
        await require_dealer(tx, tx.tenant_id, profile.dealer_id)
        await require_dealer(tx, tx.tenant_id, profile.parent_id)
        await raise_dealing_version(tx)
        await _check_above(tx, profile)
        await tx.execute(
            SQL.set_profile,
            tx.tenant_id,
            profile.dealer_id,
            profile.level.strip(),
            profile.parent_id,
            profile.is_suspended,
            profile.reason,
            tx.principal.subject,
        )
        return (await profiles(tx))[profile.dealer_id]

    return await apply_once(tx, key, ("set_profile", profile), Profile, work)


async def profiles(tx: TenantTransaction) -> Mapping[int, Profile]:
    """Return what the brand says of its dealers, by dealer; a dealer is shown its own."""
    return {row["dealer_id"]: Profile(**row) for row in await tx.fetch(SQL.profiles, tx.tenant_id)}


async def _check_above(tx: TenantTransaction, profile: Profile) -> None:
    """Raise InvalidProfile where a dealer would be above itself, or too many above one."""
    known = {**await profiles(tx), profile.dealer_id: profile}
    for dealer_id in (profile.dealer_id, *known):  # those below it have one more above them too
        above, steps = known[dealer_id].parent_id, 0
        while above is not None:
            steps += 1
            if above == dealer_id:
                raise InvalidProfile("A dealer is not its own sub-dealer.", path=("parent",))
            if steps > DEPTH_MAX:
                raise InvalidProfile(
                    f"At most {DEPTH_MAX} dealers are above one.", path=("parent",)
                )
            above = known[above].parent_id if above in known else None
