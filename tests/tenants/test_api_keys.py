"""An API key is kept as a hash, is what it was issued for, and ends when it is to end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.db.errors import YipanError
from backend.db.pool import Database
from tenants import api_keys, authenticate
from tenants.api_keys import issue_key, list_api_keys
from tenants.authenticate import MEMORY_SECONDS, Authenticator
from tenants.errors import MemberScope, TokenInvalid, UnknownApiKey
from tenants.members import Role
from tenants.principal import Kind, Permission, PermissionMissing, Principal
from tenants.tokens import TokenIssuer, hash_api_key
from tests.catalogue import TABLES, Connection, contents, names
from tests.conftest import SECRET
from tests.tenants import people
from tests.tenants.people import on_platform
from tests.world import ALL, World

PLACES = Role(Kind.BRAND, frozenset({Permission.ORDERS_PLACE}))
FAR = timedelta(days=1)


def authenticator_of(database: Database) -> Authenticator:
    """Return what a process that has seen nobody yet has."""
    return Authenticator(database, TokenIssuer(SECRET))


async def assert_refused(authenticator: Authenticator, key: str) -> None:
    with pytest.raises(TokenInvalid) as refusal:
        await authenticator.principal_of(key)
    assert refusal.value.code == "UNAUTHENTICATED"


async def test_only_the_hash_of_a_key_is_stored(
    database: Database, world: World, admin: Connection
) -> None:
    key_id, key = await people.issue_key(database, world.tenant_id)
    stored = await admin.fetchval("select key_hash from platform.api_key where id = $1", key_id)
    assert stored == hash_api_key(key)
    for table in await names(admin, TABLES):
        text = f"select count(*) from {table} t where strpos(t::text, $1) > 0"  # noqa: S608
        assert await admin.fetchval(text, key.removeprefix("yk_")) == 0


@pytest.mark.parametrize("kind", [Kind.BRAND, Kind.DEALER, Kind.STORE])
async def test_a_key_acts_as_what_it_was_issued_for(
    database: Database, world: World, kind: Kind
) -> None:
    scopes: dict[Kind, dict[str, Any]] = {
        Kind.BRAND: {},
        Kind.DEALER: {"dealer_id": world.dealers["d1"]},
        Kind.STORE: {"node_ids": (world.nodes["store"],)},
    }
    key_id, key = await people.issue_key(database, world.tenant_id, kind=kind, **scopes[kind])
    assert await authenticator_of(database).principal_of(key) == Principal(
        tenant_id=world.tenant_id,
        kind=kind,
        subject=f"key:{key_id}",
        permissions=ALL,
        **scopes[kind],
    )


@pytest.mark.parametrize(
    "key", ["yk_" + "A" * 43, "yk_", "yk_\0", "yk_\ud800", "yk_" + "x" * 9_999]
)
async def test_a_key_that_nobody_issued_is_refused(
    still: Database, ready_world: World, still_admin: Connection, key: str
) -> None:
    before = await contents(still_admin)
    await assert_refused(authenticator_of(still), key)
    assert await contents(still_admin) == before


async def test_a_key_ends_when_it_expires(database: Database, world: World) -> None:
    moment = datetime.now(UTC)
    _, over = await people.issue_key(database, world.tenant_id, expires_at=moment)
    _, valid = await people.issue_key(database, world.tenant_id, expires_at=moment + FAR)
    await assert_refused(authenticator_of(database), over)
    assert (await authenticator_of(database).principal_of(valid)).key_id is not None


async def test_a_dealers_key_ends_with_the_agreement(database: Database, world: World) -> None:
    dealer = {"kind": Kind.DEALER, "dealer_id": world.dealers["d1"]}
    _, key = await people.issue_key(database, world.tenant_id, **dealer)
    assert (await authenticator_of(database).principal_of(key)).kind is Kind.DEALER
    await people.end_agreement(database, world.tenant_id, world.dealers["d1"])
    await assert_refused(authenticator_of(database), key)


async def test_a_revoked_key_is_out_when_the_memory_ends(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = [0.0]
    monkeypatch.setattr(authenticate, "now", lambda: moments[0])
    key_id, key = await people.issue_key(database, world.tenant_id)
    authenticator = authenticator_of(database)
    known = await authenticator.principal_of(key)
    await people.revoke_key(database, world.tenant_id, key_id)
    await assert_refused(authenticator_of(database), key)
    moments[0] = MEMORY_SECONDS - 0.1
    assert await authenticator.principal_of(key) == known
    moments[0] = MEMORY_SECONDS
    await assert_refused(authenticator, key)


async def test_the_memory_of_keys_has_an_end(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticate, "REMEMBERED_MAX", 2)
    keys = [(await people.issue_key(database, world.tenant_id))[1] for _ in range(3)]
    authenticator = authenticator_of(database)
    known = [await authenticator.principal_of(key) for key in keys * 2]
    assert known[:3] == known[3:]
    assert len(authenticator._known) <= 2


# ------------------------------------------------------------------------------ who issues


async def test_keys_are_listed_by_page_and_by_owner(database: Database, world: World) -> None:
    dealer = {"kind": Kind.DEALER, "dealer_id": world.dealers["d1"]}
    first, _ = await people.issue_key(database, world.tenant_id)
    second, _ = await people.issue_key(database, world.tenant_id, **dealer)

    async def listed(who: Principal, after: int = 0, limit: int = 9) -> list[int]:
        keys = await on_platform(database, lambda tx: list_api_keys(tx, who, after, limit))
        return [key.id for key in keys]

    assert await listed(world.brand) == [first, second]
    assert await listed(world.brand, limit=1) == [first]
    assert await listed(world.brand, after=first) == [second]
    assert await listed(world.dealer) == [second]
    assert await listed(world.other_dealer) == await listed(world.other_brand) == []


FOREIGN_DEALER = Role(Kind.DEALER, frozenset(), dealer_id=999)
ISSUES: dict[str, tuple[str, str, Role, type[YipanError | PermissionMissing]]] = {
    "without a name": ("brand", "  ", PLACES, MemberScope),
    "for a dealer without an agreement": ("brand", "k", FOREIGN_DEALER, MemberScope),
    "by a dealer for the brand": ("dealer", "k", PLACES, MemberScope),
    "by a store": ("store", "k", PLACES, PermissionMissing),
    "by a group": ("group", "k", PLACES, PermissionMissing),
}


@pytest.mark.parametrize("name", ISSUES)
async def test_a_key_that_is_not_theirs_to_give_is_refused(
    still: Database, ready_world: World, still_admin: Connection, name: str
) -> None:
    who, shown, role, error = ISSUES[name]
    before = await contents(still_admin)
    with pytest.raises(error) as refusal:
        await on_platform(
            still, lambda tx: issue_key(tx, getattr(ready_world, who), shown, role, None)
        )
    assert refusal.value.code == error.code  # type: ignore[attr-defined]
    assert await contents(still_admin) == before


@pytest.mark.parametrize("name", ["store", "group"])
async def test_who_manages_nobody_sees_no_keys(
    still: Database, ready_world: World, name: str
) -> None:
    who: Principal = getattr(ready_world, name)
    with pytest.raises(PermissionMissing):
        await on_platform(still, lambda tx: list_api_keys(tx, who, 0, 9))


@pytest.mark.parametrize("name", ["dealer", "other_dealer", "other_brand"])
async def test_nobody_takes_back_a_key_of_others(
    database: Database, world: World, admin: Connection, name: str
) -> None:
    dealer = {"kind": Kind.DEALER, "dealer_id": world.dealers["d1"]}
    key_id, key = await people.issue_key(database, world.tenant_id)
    await people.issue_key(database, world.tenant_id, **dealer)
    before = await contents(admin)
    with pytest.raises(UnknownApiKey) as refusal:
        await on_platform(
            database, lambda tx: api_keys.revoke_key(tx, getattr(world, name), key_id)
        )
    assert refusal.value.code == "UNKNOWN_API_KEY"
    assert await contents(admin) == before
    assert (await authenticator_of(database).principal_of(key)).key_id == key_id


async def test_a_dealer_takes_back_its_own_key(database: Database, world: World) -> None:
    dealer = {"kind": Kind.DEALER, "dealer_id": world.dealers["d1"]}
    key_id, key = await people.issue_key(database, world.tenant_id, **dealer)
    await on_platform(database, lambda tx: api_keys.revoke_key(tx, world.dealer, key_id))
    await assert_refused(authenticator_of(database), key)
