"""What dealers are to the brand: levels, who is above whom, who is suspended."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.commands import CommandConflict
from backend.db.pool import Database
from backend.dropship.errors import InvalidProfile
from backend.dropship.model import ANY_LEVEL, Profile
from backend.dropship.profiles import DEPTH_MAX, TEXT_MAX, profiles, set_profile
from tenants import organisation
from tenants.principal import Permission, Principal
from tests.catalogue import Connection
from tests.refusals import refused
from tests.world import ACTOR, World, fresh_key

NOBODY = 2**40
LONG = "t" * (TEXT_MAX + 1)


async def say(
    database: Database, who: Principal, dealer_id: int, key: str = "", **changes: Any
) -> Profile:
    async with database.tenant_transaction(who) as tx:
        profile = Profile(dealer_id=dealer_id, **changes)
        return await set_profile(tx, profile, key=key or fresh_key())


async def known(database: Database, who: Principal) -> Mapping[int, Profile]:
    async with database.tenant_transaction(who, read_only=True) as tx:
        return await profiles(tx)


@pytest.fixture
async def dealers(database: Database, world: World) -> Sequence[int]:
    """One more than may stand above each other, and one more."""
    found = []
    async with database.platform_transaction() as tx:
        for number in range(DEPTH_MAX + 2):
            one = await organisation.register_dealer(tx, ACTOR, f"sub{number}", "Sub")
            await organisation.sign_agreement(tx, ACTOR, world.tenant_id, one, date(2020, 1, 1))
            found.append(one)
    return found


async def test_what_is_said_of_a_dealer_is_known(database: Database, world: World) -> None:
    d1, d2 = world.dealers["d1"], world.dealers["d2"]
    assert await known(database, world.brand) == {}
    said = await say(database, world.brand, d1, level=" gold ", parent_id=d2)
    assert said == Profile(dealer_id=d1, level="gold", parent_id=d2)
    await say(database, world.brand, d1, is_suspended=True, reason="overdue")
    now = Profile(dealer_id=d1, level=ANY_LEVEL, is_suspended=True, reason="overdue")
    assert await known(database, world.brand) == {d1: now}


async def test_a_dealer_is_shown_its_own(database: Database, world: World) -> None:
    for dealer_id in world.dealers.values():
        await say(database, world.brand, dealer_id, level="gold")
    assert list(await known(database, world.dealer)) == [world.dealers["d1"]]
    assert list(await known(database, world.other_dealer)) == [world.dealers["d2"]]
    assert await known(database, world.other_brand) == {}


async def test_the_same_command_again_answers_again(database: Database, world: World) -> None:
    d1 = world.dealers["d1"]
    said = await say(database, world.brand, d1, "k", level="gold")
    assert await say(database, world.brand, d1, "k", level="gold") == said
    with pytest.raises(CommandConflict):
        await say(database, world.brand, d1, "k", level="silver")


async def test_nobody_is_above_itself(
    database: Database, world: World, dealers: Sequence[int]
) -> None:
    first, second, third, *_ = dealers
    await say(database, world.brand, second, parent_id=first)
    await say(database, world.brand, third, parent_id=second)
    for above in (first, second, third):
        with pytest.raises(InvalidProfile, match="its own sub-dealer"):
            await say(database, world.brand, first, parent_id=above)
    await say(database, world.brand, second)
    assert (await say(database, world.brand, first, parent_id=third)).parent_id == third


async def test_only_so_many_are_above_one(
    database: Database, world: World, dealers: Sequence[int]
) -> None:
    *upper, last = dealers
    for above, dealer_id in itertools.pairwise(upper):
        await say(database, world.brand, dealer_id, parent_id=above)
    with pytest.raises(InvalidProfile, match="At most"):
        await say(database, world.brand, last, parent_id=upper[-1])


async def test_who_has_sub_dealers_comes_under_another_no_deeper(
    database: Database, world: World, dealers: Sequence[int]
) -> None:
    top, *lower = dealers
    for above, dealer_id in itertools.pairwise(lower):
        await say(database, world.brand, dealer_id, parent_id=above)
    with pytest.raises(InvalidProfile, match="At most"):
        await say(database, world.brand, lower[0], parent_id=top)
    await say(database, world.brand, lower[-1])
    assert (await say(database, world.brand, lower[0], parent_id=top)).parent_id == top


async def test_two_at_once_do_not_come_above_each_other(database: Database, world: World) -> None:
    d1, d2 = world.dealers["d1"], world.dealers["d2"]
    done = await asyncio.gather(
        say(database, world.brand, d1, parent_id=d2),
        say(database, world.brand, d2, parent_id=d1),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, InvalidProfile) for one in done) == [False, True]


# --------------------------------------------------------------------------------- refusals


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown dealer": ({"dealer_id": NOBODY}, "UNKNOWN_DEALER"),
    "an unknown dealer above": ({"parent_id": NOBODY}, "UNKNOWN_DEALER"),
    "a long level": ({"level": LONG}, "INVALID_PROFILE"),
    "a long reason": ({"reason": LONG}, "INVALID_PROFILE"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_said_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, name: str
) -> None:
    changes, code = REFUSED[name]
    dealer_id = changes.get("dealer_id", ready_world.dealers["d1"])
    rest = {field: value for field, value in changes.items() if field != "dealer_id"}
    async with refused(still_admin, code):
        await say(still, ready_world.brand, dealer_id, **rest)


async def test_it_is_not_above_itself(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    d1 = ready_world.dealers["d1"]
    async with refused(still_admin, "INVALID_PROFILE"):
        await say(still, ready_world.brand, d1, parent_id=d1)


@pytest.mark.parametrize("who", ["dealer", "other_dealer", "store", "group"])
async def test_who_may_only_read_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World, who: str
) -> None:
    async with refused(still_admin, "WRITE_REFUSED"):
        await say(still, getattr(ready_world, who), ready_world.dealers["d1"])


async def test_who_lacks_the_permission_changes_nothing(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    brand = ready_world.brand
    without = replace(brand, permissions=brand.permissions - {Permission.DEALERS_WRITE})
    async with refused(still_admin, "PERMISSION_MISSING"):
        await say(still, without, ready_world.dealers["d1"])


async def test_another_brands_dealer_is_unknown(
    still: Database, still_admin: Connection, ready_world: World
) -> None:
    async with refused(still_admin, "UNKNOWN_DEALER"):
        await say(still, ready_world.other_brand, ready_world.dealers["d1"])
