"""Who logs in is who they are now, in one brand; all others learn nothing and change nothing."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from backend.db.pool import Database
from tenants import authenticate, passwords
from tenants.authenticate import MEMORY_SECONDS, Authenticator
from tenants.errors import BrandChoiceRequired, LoginFailed, NoAccess, TokenInvalid
from tenants.found_brand import BrandDraft, create_brand
from tenants.members import NewUser
from tenants.principal import Kind, Permission, Principal
from tenants.tokens import TokenIssuer
from tests.catalogue import Connection, contents
from tests.conftest import SECRET
from tests.tenants import people
from tests.tenants.people import today
from tests.world import ACTOR, PASSWORD, World


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def authenticator(database: Database) -> Authenticator:
    return Authenticator(database, TokenIssuer(SECRET))


@pytest.fixture
def doorman(still: Database) -> Authenticator:
    """For tests that leave the world as it is."""
    return Authenticator(still, TokenIssuer(SECRET))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr(authenticate, "now", turned)
    return turned


async def log_in(doorman: Authenticator, email: str, brand: str | None = None) -> Principal:
    """Log in with the right password."""
    session, _ = await doorman.log_in(email, PASSWORD, brand)
    return session.principal


# ------------------------------------------------------------------------------ who gets in


@pytest.mark.parametrize("name", ["brand", "dealer", "store"])
async def test_a_member_is_who_they_are(
    ready_world: World, doorman: Authenticator, name: str
) -> None:
    email = {"dealer": "d1"}.get(name, name)
    session, shown = await doorman.log_in(f"{email}@example.com", PASSWORD, None)
    assert session.principal == getattr(ready_world, name)
    assert (session.brand_code, shown) == ("acme", email)
    assert await doorman.principal_of(session.token) == session.principal


async def test_the_case_of_an_address_does_not_matter(
    ready_world: World, doorman: Authenticator
) -> None:
    assert await log_in(doorman, "Brand@Example.COM") == ready_world.brand


async def test_logging_in_changes_nothing(
    ready_world: World, doorman: Authenticator, still_admin: Connection
) -> None:
    before = await contents(still_admin)
    await log_in(doorman, "brand@example.com")
    assert await contents(still_admin) == before


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("brand@example.com", "wrong horse"),
        ("brand@example.com", ""),
        ("brand@example.com", PASSWORD + " " * 2_000),
        ("brand@example.com", "\ud800" * 9),
        ("nobody@example.com", PASSWORD),
        ("", PASSWORD),
        ("%", PASSWORD),
        ("brand@example.com\0", PASSWORD),
        ("\ud800", PASSWORD),
    ],
    ids=ascii,
)
async def test_a_wrong_log_in_is_refused_alike(
    ready_world: World, doorman: Authenticator, still_admin: Connection, email: str, password: str
) -> None:
    before = await contents(still_admin)
    with pytest.raises(LoginFailed, match="address or the password is wrong") as refusal:
        await doorman.log_in(email, password, None)
    assert refusal.value.code == "LOGIN_FAILED"
    assert await contents(still_admin) == before


async def test_a_disabled_user_is_refused_like_one_who_never_was(
    world: World, database: Database, authenticator: Authenticator, admin: Connection
) -> None:
    await people.disable(database, world.brand.user_id or 0)
    before = await contents(admin)
    with pytest.raises(LoginFailed):
        await log_in(authenticator, "brand@example.com")
    assert await contents(admin) == before


@pytest.mark.parametrize("email", ["brand@example.com", "nobody@example.com"])
async def test_a_hash_is_computed_whoever_asks(
    ready_world: World, doorman: Authenticator, monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    looked_at: list[str] = []

    def watched(password: str, _: str) -> bool:
        looked_at.append(password)
        return False

    monkeypatch.setattr(passwords, "_verify", watched)
    with pytest.raises(LoginFailed):
        await doorman.log_in(email, "x" * 5_000, None)
    assert looked_at == ["x" * passwords.LENGTH_MAX]


async def test_a_password_with_something_after_its_end_is_wrong(
    ready_world: World, doorman: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_verify", lambda *_: True)
    with pytest.raises(LoginFailed):
        await doorman.log_in("brand@example.com", "x" * (passwords.LENGTH_MAX + 1), None)


async def test_a_user_without_a_membership_gets_nowhere(
    world: World, database: Database, authenticator: Authenticator, admin: Connection
) -> None:
    await people.register(database, "new@example.com")
    before = await contents(admin)
    with pytest.raises(NoAccess) as refusal:
        await log_in(authenticator, "new@example.com")
    assert refusal.value.code == "NO_ACCESS"
    assert await contents(admin) == before


# -------------------------------------------------------------------------- several brands


async def test_who_works_for_several_brands_names_one(
    world: World, database: Database, authenticator: Authenticator
) -> None:
    user_id = world.brand.user_id or 0
    await people.join(database, user_id, Kind.BRAND, (), brand_id=world.other_tenant_id)
    for brand in (None, "nowhere"):
        with pytest.raises(BrandChoiceRequired) as refusal:
            await log_in(authenticator, "brand@example.com", brand)
        assert refusal.value.code == "BRAND_CHOICE_REQUIRED"
        assert refusal.value.brands == ("acme", "other")
    chosen = await log_in(authenticator, "brand@example.com", "other")
    assert (chosen.tenant_id, chosen.permissions) == (world.other_tenant_id, frozenset())


async def test_nobody_chooses_a_brand_of_others(ready_world: World, doorman: Authenticator) -> None:
    with pytest.raises(BrandChoiceRequired) as refusal:
        await log_in(doorman, "brand@example.com", "other")
    assert refusal.value.brands == ("acme",)


async def test_two_roles_in_one_brand_need_no_choice(
    world: World, database: Database, authenticator: Authenticator
) -> None:
    scope: dict[str, Any] = {"brand_id": world.tenant_id, "node_ids": [world.nodes["wh"]]}
    await people.join(database, world.brand.user_id or 0, Kind.STORE, **scope)
    assert (await log_in(authenticator, "brand@example.com")).kind is Kind.BRAND


async def test_a_group_reads_in_each_of_its_brands(
    ready_world: World, doorman: Authenticator
) -> None:
    with pytest.raises(BrandChoiceRequired) as refusal:
        await log_in(doorman, "group@example.com")
    assert refusal.value.brands == ("acme", "other")
    assert await log_in(doorman, "group@example.com", "acme") == ready_world.group
    other = await log_in(doorman, "group@example.com", "other")
    assert (other.tenant_id, other.group_id) == (ready_world.other_tenant_id, ready_world.group_id)
    assert other.is_read_only


async def test_a_group_does_not_reach_brands_outside_of_it(
    world: World, database: Database, authenticator: Authenticator
) -> None:
    draft = BrandDraft("free", "Free", "CNY", "Asia/Shanghai")
    first = NewUser("first@example.com", "First", PASSWORD)
    await people.on_platform(database, lambda tx: create_brand(tx, ACTOR, draft, first))
    with pytest.raises(BrandChoiceRequired) as refusal:
        await log_in(authenticator, "group@example.com", "free")
    assert refusal.value.brands == ("acme", "other")


# ---------------------------------------------------------------------------------- dealers

PERIODS: dict[str, tuple[int, int | None, bool]] = {
    "begins today": (0, None, True),
    "ends today": (-9, 0, True),
    "begins tomorrow": (1, None, False),
    "ended yesterday": (-9, -1, False),
}
"""From and until which day, counted from today, and whether that is now."""


@pytest.mark.parametrize("name", PERIODS)
async def test_a_dealer_gets_in_while_the_agreement_is_in_force(
    world: World, database: Database, authenticator: Authenticator, name: str
) -> None:
    first, last, is_in_force = PERIODS[name]
    dealer = (world.other_tenant_id, world.dealers["d1"])
    period = (today(first), None if last is None else today(last))
    await people.sign_agreement(database, *dealer, *period)
    await people.end_agreement(database, world.tenant_id, world.dealers["d1"])
    if is_in_force:
        principal = await log_in(authenticator, "d1@example.com")
        assert (principal.tenant_id, principal.dealer_id) == dealer
    else:
        with pytest.raises(NoAccess):
            await log_in(authenticator, "d1@example.com")


async def test_a_dealer_of_two_brands_names_one(
    world: World, database: Database, authenticator: Authenticator
) -> None:
    dealer_id = world.dealers["d1"]
    await people.sign_agreement(database, world.other_tenant_id, dealer_id, today())
    with pytest.raises(BrandChoiceRequired):
        await log_in(authenticator, "d1@example.com")
    assert await log_in(authenticator, "d1@example.com", "acme") == world.dealer


async def test_a_dealers_store_ends_with_the_agreement(
    world: World, database: Database, authenticator: Authenticator
) -> None:
    dealer_id, node_id = world.dealers["d2"], world.nodes["dealer-node"]
    user_id = await people.register(database, "s@b")
    scope: dict[str, Any] = {"brand_id": world.tenant_id, "node_ids": [node_id]}
    await people.join(database, user_id, Kind.STORE, dealer_id=dealer_id, **scope)
    store = await log_in(authenticator, "s@b")
    assert (store.kind, store.dealer_id, store.node_ids) == (Kind.STORE, dealer_id, (node_id,))
    await people.end_agreement(database, world.tenant_id, dealer_id)
    with pytest.raises(NoAccess):
        await log_in(authenticator, "s@b")


# ------------------------------------------------------------------- what a token is worth


async def test_a_user_who_was_disabled_is_out_when_the_memory_ends(
    world: World, database: Database, authenticator: Authenticator, clock: Clock
) -> None:
    session, _ = await authenticator.log_in("brand@example.com", PASSWORD, None)
    assert await authenticator.principal_of(session.token) == world.brand
    await people.disable(database, world.brand.user_id or 0)
    clock.seconds += MEMORY_SECONDS - 0.1
    assert await authenticator.principal_of(session.token) == world.brand
    clock.seconds += 0.1
    with pytest.raises(TokenInvalid):
        await authenticator.principal_of(session.token)


async def test_a_process_that_never_saw_the_user_refuses_at_once(
    world: World, database: Database, authenticator: Authenticator
) -> None:
    session, _ = await authenticator.log_in("d1@example.com", PASSWORD, None)
    await people.end_agreement(database, world.tenant_id, world.dealers["d1"])
    with pytest.raises(TokenInvalid):
        await authenticator.principal_of(session.token)


ISSUED: dict[str, Callable[[World], Principal]] = {
    "a system": lambda world: world.system,
    "a key in the dress of a token": lambda world: Principal(
        tenant_id=world.tenant_id, kind=Kind.BRAND, subject="key:1"
    ),
    "another kind": lambda world: Principal(
        tenant_id=world.tenant_id, kind=Kind.STORE, subject=world.brand.subject
    ),
    "another brand": lambda world: Principal(
        tenant_id=world.other_tenant_id, kind=Kind.BRAND, subject=world.brand.subject
    ),
    "another dealer": lambda world: Principal(
        tenant_id=world.tenant_id,
        kind=Kind.DEALER,
        subject=world.dealer.subject,
        dealer_id=world.dealers["d2"],
    ),
    "nobody": lambda world: Principal(
        tenant_id=world.tenant_id, kind=Kind.BRAND, subject="user:999"
    ),
}


@pytest.mark.parametrize("name", ISSUED)
async def test_a_token_for_what_nobody_is_is_worth_nothing(
    ready_world: World, doorman: Authenticator, name: str
) -> None:
    token = TokenIssuer(SECRET).issue(ISSUED[name](ready_world))
    with pytest.raises(TokenInvalid):
        await doorman.principal_of(token)


async def test_a_token_gives_the_permissions_of_now(
    world: World, database: Database, authenticator: Authenticator
) -> None:
    user_id = await people.register(database, "new@example.com")
    granted = {Permission.ORDERS_READ}
    await people.join(database, user_id, Kind.BRAND, granted, brand_id=world.tenant_id)
    claimed = Principal(
        tenant_id=world.tenant_id,
        kind=Kind.BRAND,
        subject=f"user:{user_id}",
        permissions=frozenset(Permission),
    )
    found = await authenticator.principal_of(TokenIssuer(SECRET).issue(claimed))
    assert found.permissions == granted


async def test_a_token_for_a_store_stays_with_that_store(
    world: World, database: Database, authenticator: Authenticator
) -> None:
    user_id, kind = world.store.user_id or 0, Kind.STORE
    second = (world.nodes["wh"],)
    await people.join(database, user_id, kind, brand_id=world.tenant_id, node_ids=second)
    for nodes in (second, world.store.node_ids):
        token = TokenIssuer(SECRET).issue(msgspec.structs.replace(world.store, node_ids=nodes))
        assert (await authenticator.principal_of(token)).node_ids == nodes
    token = TokenIssuer(SECRET).issue(msgspec.structs.replace(world.store, node_ids=(77,)))
    assert (await authenticator.principal_of(token)) == world.store


async def test_two_users_known_to_one_process_stay_apart(
    world: World, database: Database, authenticator: Authenticator
) -> None:
    user_id = await people.register(database, "new@example.com")
    await people.join(database, user_id, Kind.BRAND, (), brand_id=world.tenant_id)
    tokens = [
        (await authenticator.log_in(email, PASSWORD, None))[0].token
        for email in ("brand@example.com", "new@example.com")
    ]
    known = [await authenticator.principal_of(token) for token in tokens * 2]
    assert [who.user_id for who in known] == [world.brand.user_id, user_id] * 2
    assert [bool(who.permissions) for who in known] == [True, False] * 2


# ---------------------------------------------------------------------- switching the brand


async def test_a_user_switches_within_their_brands(
    ready_world: World, doorman: Authenticator
) -> None:
    roles = await doorman.brands_of(ready_world.group)
    assert [(role.code, role.kind) for role in roles] == [
        ("acme", Kind.GROUP),
        ("other", Kind.GROUP),
    ]
    session = await doorman.switch(ready_world.group, "other")
    assert session.principal.tenant_id == ready_world.other_tenant_id
    with pytest.raises(BrandChoiceRequired):
        await doorman.switch(ready_world.brand, "other")


async def test_an_api_key_switches_nowhere(ready_world: World, doorman: Authenticator) -> None:
    key = Principal(tenant_id=ready_world.tenant_id, kind=Kind.BRAND, subject="key:1")
    assert await doorman.brands_of(key) == []
    with pytest.raises(NoAccess):
        await doorman.switch(key, "acme")
