"""What cannot be set up is refused with a reason, and leaves nothing; what can says who did it."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from backend.db.errors import AlreadyExists, OutOfRange, UnknownReference, YipanError
from backend.db.pool import Database, Transaction
from tenants import dealers, organisation
from tenants.brands import BrandDirectory, UnknownBrand
from tenants.dealers import Period
from tenants.errors import MemberScope, UnknownDealer
from tenants.organisation import WeakPassword
from tenants.passwords import LENGTH_MAX, LENGTH_MIN
from tenants.principal import Kind, Permission, PermissionMissing, Principal
from tests.catalogue import Connection, contents
from tests.tenants.people import join, on_platform, register, today
from tests.world import ACTOR, ALL, PASSWORD, World

NOBODY = 999
SINCE = date(2020, 1, 1)
Act = Callable[[Transaction, World], Awaitable[Any]]


def brand(**changes: Any) -> Act:
    values = {"code": "new", "name": "New", "currency": "CNY", "time_zone": "Asia/Shanghai"}
    return lambda tx, _: organisation.register_brand(tx, ACTOR, **(values | changes))


def user(email: str = "new@example.com", password: str = PASSWORD) -> Act:
    return lambda tx, _: organisation.register_user(tx, ACTOR, email, "New", password)


def agreement(
    dealer: str | None = "d1", until: date | None = None, brand_id: int | None = None
) -> Act:
    """Sign an agreement of the second brand; None stands for what does not exist."""
    return lambda tx, world: organisation.sign_agreement(
        tx,
        ACTOR,
        brand_id or world.other_tenant_id,
        world.dealers[dealer] if dealer else NOBODY,
        SINCE,
        until,
    )


def membership(kind: Kind, user_id: int | None = None, **scope: Any) -> Act:
    return lambda tx, world: organisation.grant_membership(
        tx, ACTOR, user_id or world.brand.user_id or 0, kind, [], **scope
    )


def api_key(brand_id: int = 1, **scope: Any) -> Act:
    return lambda tx, _: organisation.issue_api_key(tx, ACTOR, brand_id, "k", [], **scope)


REFUSED: dict[str, tuple[Act, type[YipanError], str]] = {
    "group again": (
        lambda tx, _: organisation.register_group(tx, ACTOR, "group", ""),
        AlreadyExists,
        "group with this code",
    ),
    "brand again": (brand(code="acme"), AlreadyExists, "brand with this code"),
    "brand of no group": (brand(group_id=NOBODY), UnknownReference, "no such group"),
    "currency in small letters": (brand(currency="cny"), OutOfRange, "three capital letters"),
    "currency too long": (brand(currency="CNYX"), OutOfRange, "three capital letters"),
    "currency with an end of line": (brand(currency="CNY\n"), OutOfRange, "three capital letters"),
    "no currency": (brand(currency=""), OutOfRange, "three capital letters"),
    "time zone of nowhere": (brand(time_zone="Mars/Olympus"), OutOfRange, "no time zone"),
    "time zone that is a folder": (brand(time_zone="Asia"), OutOfRange, "no time zone"),
    "time zone that is too long": (brand(time_zone="a" * 300), OutOfRange, "no time zone"),
    "no time zone": (brand(time_zone=""), OutOfRange, "no time zone"),
    "time zone that is a path": (brand(time_zone="../../x"), OutOfRange, "no time zone"),
    "dealer again": (
        lambda tx, _: organisation.register_dealer(tx, ACTOR, "d1", ""),
        AlreadyExists,
        "dealer with this code",
    ),
    "agreement again": (agreement(brand_id=1), AlreadyExists, "have an agreement already"),
    "agreement of no dealer": (agreement(None), UnknownReference, "no such dealer"),
    "agreement of no brand": (agreement(brand_id=NOBODY), UnknownReference, "no such brand"),
    "agreement that ends first": (
        agreement(until=date(2019, 12, 31)),
        OutOfRange,
        "cannot end before it starts",
    ),
    "address again": (user("brand@example.com"), AlreadyExists, "e-mail address"),
    "address in capitals": (user("BRAND@example.com"), AlreadyExists, "e-mail address"),
    "short password": (user(password="x" * (LENGTH_MIN - 1)), WeakPassword, "8 to 1000"),
    "long password": (user(password="x" * (LENGTH_MAX + 1)), WeakPassword, "8 to 1000"),
    "no password": (user(password=""), WeakPassword, "8 to 1000"),
    "member of nothing": (membership(Kind.BRAND), OutOfRange, "one group, one brand"),
    "member of two": (membership(Kind.BRAND, brand_id=1, group_id=1), OutOfRange, "one group"),
    "dealer of a brand": (membership(Kind.DEALER, brand_id=1), OutOfRange, "one dealer"),
    "store without stores": (membership(Kind.STORE, brand_id=1), OutOfRange, "at least one store"),
    "nobody as a member": (
        membership(Kind.BRAND, NOBODY, brand_id=1),
        UnknownReference,
        "no such user",
    ),
    "member of no brand": (
        membership(Kind.BRAND, brand_id=NOBODY),
        UnknownReference,
        "no such brand",
    ),
    "member of no group": (
        membership(Kind.GROUP, group_id=NOBODY),
        UnknownReference,
        "no such group",
    ),
    "member of no dealer": (
        membership(Kind.DEALER, dealer_id=NOBODY),
        UnknownReference,
        "no such dealer",
    ),
    "key of no brand": (api_key(NOBODY), UnknownReference, "no such brand"),
    "key of no dealer": (
        api_key(kind=Kind.DEALER, dealer_id=NOBODY),
        UnknownReference,
        "no such dealer",
    ),
    "key of the system": (api_key(kind=Kind.SYSTEM), OutOfRange, "a brand's, a dealer's or a"),
    "key of a group": (api_key(kind=Kind.GROUP), OutOfRange, "a brand's, a dealer's or a"),
    "brand's key with a dealer": (api_key(dealer_id=1), OutOfRange, "one of its dealers"),
    "dealer's key without a dealer": (api_key(kind=Kind.DEALER), OutOfRange, "one of its dealers"),
    "store's key without stores": (api_key(kind=Kind.STORE), OutOfRange, "one of its stores"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_leaves_nothing(
    still: Database, ready_world: World, still_admin: Connection, name: str
) -> None:
    act, error, says = REFUSED[name]
    before = await contents(still_admin)
    with pytest.raises(error, match=says) as refusal:
        await on_platform(still, lambda tx: act(tx, ready_world))
    assert refusal.value.code == error.code
    assert await contents(still_admin) == before


async def test_a_refusal_takes_back_what_came_before_it(
    still: Database, ready_world: World, still_admin: Connection
) -> None:
    async def set_up(tx: Transaction) -> None:
        await organisation.register_group(tx, ACTOR, "g2", "")
        await organisation.register_dealer(tx, ACTOR, "d3", "")
        await brand(code="acme")(tx, ready_world)

    before = await contents(still_admin)
    with pytest.raises(AlreadyExists):
        await on_platform(still, set_up)
    assert await contents(still_admin) == before


# ------------------------------------------------------------------------- what is accepted


@pytest.mark.parametrize("password", ["x" * LENGTH_MIN, "密" * LENGTH_MIN])
async def test_a_password_of_eight_characters_will_do(database: Database, password: str) -> None:
    assert await register(database, "new@example.com", password)


async def test_an_address_is_kept_in_small_letters(database: Database, admin: Connection) -> None:
    await register(database, "New@Example.COM")
    assert await admin.fetchval("select email from platform.app_user") == "new@example.com"


async def test_what_has_ended_does_not_end_again(database: Database, world: World) -> None:
    dealer_id, user_id = world.dealers["d1"], world.brand.user_id or 0

    async def end(tx: Transaction) -> tuple[bool, bool]:
        ended = await organisation.end_agreement(tx, ACTOR, world.tenant_id, dealer_id)
        return ended, await organisation.disable_user(tx, ACTOR, user_id)

    assert await on_platform(database, end) == (True, True)
    assert await on_platform(database, end) == (False, False)


async def test_the_log_says_who_did_what_to_whom(
    database: Database, world: World, admin: Connection
) -> None:
    user_id = await register(database, "new@example.com")
    await join(database, user_id, Kind.BRAND, brand_id=world.tenant_id)
    rows = await admin.fetch(
        "select actor, action, subject from platform.audit_log order by id desc limit 2"
    )
    assert [tuple(row) for row in rows] == [
        (ACTOR, "grant_membership", str(user_id)),
        (ACTOR, "register_user", "new@example.com"),
    ]


async def test_the_log_never_holds_a_password(database: Database, admin: Connection) -> None:
    await register(database, "new@example.com", "a very secret password")
    for table in ("audit_log", "app_user"):
        text = f"select string_agg(t::text, '') from platform.{table} t"  # noqa: S608
        assert "very secret" not in await admin.fetchval(text)


# ---------------------------------------------------------------------------------- dealers


def manager(world: World, kind: Kind = Kind.BRAND, **changes: Any) -> Principal:
    return Principal(
        tenant_id=world.other_tenant_id,
        kind=kind,
        subject=ACTOR,
        permissions=changes.pop("permissions", ALL),
        **changes,
    )


ALWAYS = Period(SINCE)
FEW = frozenset(Permission) - {Permission.MEMBERS_WRITE}
DEALINGS: dict[str, tuple[Act, type[YipanError | PermissionMissing]]] = {
    "a dealer without a code": (
        lambda tx, w: dealers.bring_dealer(tx, manager(w), " ", "D3", ALWAYS),
        MemberScope,
    ),
    "a dealer without a name": (
        lambda tx, w: dealers.bring_dealer(tx, manager(w), "d3", " ", ALWAYS),
        MemberScope,
    ),
    "a dealer who is here": (
        lambda tx, w: dealers.bring_dealer(tx, manager(w), " d1 ", "D1", ALWAYS),
        AlreadyExists,
    ),
    "a new dealer for no time": (
        lambda tx, w: dealers.bring_dealer(
            tx, manager(w), "d3", "D3", Period(SINCE, date(2019, 1, 1))
        ),
        OutOfRange,
    ),
    "a dealer nobody knows": (
        lambda tx, w: dealers.sign_with_dealer(tx, manager(w), "d3", ALWAYS),
        UnknownDealer,
    ),
    "the end of no agreement": (
        lambda tx, w: dealers.end_with_dealer(tx, manager(w), w.dealers["d1"]),
        UnknownDealer,
    ),
    "without the permission": (
        lambda tx, w: dealers.sign_with_dealer(tx, manager(w, permissions=FEW), "d1", ALWAYS),
        PermissionMissing,
    ),
    "a dealer for itself": (
        lambda tx, w: dealers.sign_with_dealer(
            tx, manager(w, Kind.DEALER, dealer_id=w.dealers["d1"]), "d1", ALWAYS
        ),
        PermissionMissing,
    ),
    "a group": (
        lambda tx, w: dealers.end_with_dealer(
            tx, manager(w, Kind.GROUP, group_id=w.group_id), w.dealers["d1"]
        ),
        PermissionMissing,
    ),
    "a store looks at agreements": (
        lambda tx, w: dealers.list_agreements(tx, manager(w, Kind.STORE, node_ids=(1,)), 0, 9),
        PermissionMissing,
    ),
}


@pytest.mark.parametrize("name", DEALINGS)
async def test_dealings_that_cannot_be_leave_nothing(
    still: Database, ready_world: World, still_admin: Connection, name: str
) -> None:
    act, error = DEALINGS[name]
    before = await contents(still_admin)
    with pytest.raises(error) as refusal:
        await on_platform(still, lambda tx: act(tx, ready_world))
    assert refusal.value.code == error.code  # type: ignore[attr-defined]
    assert await contents(still_admin) == before


async def test_a_dealer_is_joined_for_a_time(database: Database, world: World) -> None:
    period = Period(today(-1), today(1))

    async def deal(tx: Transaction) -> list[tuple[str, date, date | None]]:
        await dealers.sign_with_dealer(tx, manager(world), "d1", period)
        await dealers.bring_dealer(tx, manager(world), " d3 ", "D3", ALWAYS)
        listed = await dealers.list_agreements(tx, manager(world), 0, 9)
        return [(one.dealer_code, one.starts_on, one.ends_on) for one in listed]

    assert await on_platform(database, deal) == [("d1", *period), ("d3", *ALWAYS)]


# ----------------------------------------------------------------------------------- brands


async def test_a_brand_that_is_new_is_found(database: Database, world: World) -> None:
    directory = BrandDirectory(database)
    assert (await directory.get(world.tenant_id)).code == "acme"
    assert await directory.find("new") is None
    brand_id = await on_platform(database, lambda tx: brand()(tx, world))
    found = await directory.get(brand_id)
    assert await directory.find("new") == found
    assert (found.code, found.group_id, found.time_zone) == ("new", None, "Asia/Shanghai")


async def test_an_unknown_brand_is_refused(still: Database, ready_world: World) -> None:
    with pytest.raises(UnknownBrand) as refusal:
        await BrandDirectory(still).get(NOBODY)
    assert refusal.value.code == "UNKNOWN_BRAND"


async def test_what_was_only_asked_for_is_not_noted(world: World, admin: Connection) -> None:
    count = "select count(*) from platform.audit_log"
    before = await admin.fetchval(count)
    for asked in (
        "select platform.disable_user('test', 999999)",
        "select platform.end_agreement('test', 1, 999999)",
        "select platform.revoke_api_key('test', 1, 999999)",
    ):
        assert await admin.fetchval(asked) is None
    assert await admin.fetchval(count) == before
