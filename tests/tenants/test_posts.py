"""Departments, roles and posts: a tree of any shape, rights by name and for a time, deputies."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend.db.pool import Database
from tenants import posts
from tenants.authenticate import Authenticator
from tenants.errors import UnknownMember
from tenants.organisation import grant_membership, register_user
from tenants.posts import InvalidOrganisation, PostDraft
from tenants.principal import Kind, Permission, PermissionMissing, Principal
from tenants.tokens import TokenIssuer
from tests.catalogue import Connection
from tests.conftest import SECRET
from tests.refusals import refused
from tests.world import ACTOR, PASSWORD, World

P = Permission
TODAY = date.today()
DAY = timedelta(days=1)
CLERK = frozenset({P.ORDERS_READ, P.ORDERS_PLACE})


class Office:
    """The organisation of somebody, and a member of it who is given nothing by itself."""

    def __init__(self, database: Database, world: World, who: Principal) -> None:
        self.database = database
        self.world = world
        self.who = who
        self.users: dict[int, int] = {}

    async def do(self, case: Callable[..., Awaitable[Any]], *given: Any, who: Any = None) -> Any:
        async with self.database.platform_transaction() as tx:
            return await case(tx, who or self.who, *given)

    async def hire(self, name: str) -> int:
        """Return the membership of somebody new."""
        is_dealer = self.who.kind is Kind.DEALER
        async with self.database.platform_transaction() as tx:
            user = await register_user(tx, ACTOR, f"{name}@example.com", name, PASSWORD)
            member = await grant_membership(
                tx,
                ACTOR,
                user,
                self.who.kind,
                [],
                brand_id=None if is_dealer else self.world.tenant_id,
                dealer_id=self.who.dealer_id,
            )
        self.users[member] = user
        return member

    async def may(self, member: int) -> frozenset[Permission]:
        """Return what a member may do now."""
        claimed = replace(self.who, subject=f"user:{self.users[member]}")
        tokens = TokenIssuer(SECRET)
        found = await Authenticator(self.database, tokens).principal_of(tokens.issue(claimed))
        return found.permissions

    async def department(self, code: str, parent: str | None = None) -> int:
        return int(await self.do(posts.save_department, code, code, parent))

    async def role(self, code: str = "clerk", permissions: frozenset[P] = CLERK) -> int:
        return int(await self.do(posts.save_role, code, code, permissions))

    async def give(self, member: int, first: date = TODAY, last: date | None = None) -> int:
        return int(await self.do(posts.give_post, PostDraft(member, "clerk", first, last)))


@pytest.fixture(params=["brand", "dealer"])
async def office(database: Database, world: World, request: pytest.FixtureRequest) -> Office:
    """The brand's organisation, or that of its dealer."""
    return Office(database, world, getattr(world, request.param))


# -------------------------------------------------------------------------------- departments


async def test_departments_are_a_tree(office: Office) -> None:
    east = await office.department("east")
    await office.department("shanghai", "east")
    await office.department("pudong", "shanghai")
    found = {one.code: one.parent_id for one in await office.do(posts.list_departments)}
    assert found["east"] is None
    assert found["shanghai"] == east
    await office.department("pudong", "east")
    found = {one.code: one.parent_id for one in await office.do(posts.list_departments)}
    assert found["pudong"] == east


async def test_nothing_lies_below_itself(office: Office, admin: Connection) -> None:
    await office.department("east")
    await office.department("shanghai", "east")
    for parent in ("east", "shanghai"):
        async with refused(admin, "INVALID_ORGANISATION"):
            await office.department("east", parent)


async def test_of_two_that_move_below_each_other_one_does(office: Office) -> None:
    for code in ("east", "west"):
        await office.department(code)
    moves = (office.department("east", "west"), office.department("west", "east"))
    found = await asyncio.gather(*moves, return_exceptions=True)
    assert sorted(isinstance(one, InvalidOrganisation) for one in found) == [False, True]


async def test_a_tree_has_an_end(office: Office, admin: Connection) -> None:
    await office.department("0")
    for n in range(1, posts.DEPTH_MAX):
        await office.department(str(n), str(n - 1))
    async with refused(admin, "INVALID_ORGANISATION"):
        await office.department("deeper", str(posts.DEPTH_MAX - 1))
    await office.department("top")
    async with refused(admin, "INVALID_ORGANISATION"):
        await office.department("0", "top")


async def test_only_what_is_empty_is_deleted(office: Office, admin: Connection) -> None:
    await office.department("east")
    await office.department("shanghai", "east")
    for code in ("east", "nowhere"):
        async with refused(admin, "INVALID_ORGANISATION"):
            await office.do(posts.delete_department, code)
    await office.do(posts.delete_department, "shanghai")
    await office.do(posts.delete_department, "east")
    assert await office.do(posts.list_departments) == []


@pytest.mark.parametrize("code", ["", " ", "x" * 101, "a\x00b"])
async def test_a_department_has_a_name(office: Office, admin: Connection, code: str) -> None:
    async with refused(admin, "INVALID_ORGANISATION"):
        await office.department(code)


async def test_nobody_sees_anothers_organisation(database: Database, world: World) -> None:
    for who in (world.brand, world.dealer):
        await Office(database, world, who).department(who.kind)
    for who in (world.brand, world.dealer):
        found = await Office(database, world, who).do(posts.list_departments)
        assert [one.code for one in found] == [who.kind]
    for who in (world.other_dealer, world.other_brand):
        assert await Office(database, world, who).do(posts.list_departments) == []


async def test_only_who_manages_members_does(office: Office, admin: Connection) -> None:
    few = replace(office.who, permissions=frozenset(P) - {P.MEMBERS_WRITE})
    for who in (few, office.world.store, office.world.group):
        async with refused(admin, "PERMISSION_MISSING"):
            await office.do(posts.save_department, "x", "x", None, who=who)
        async with refused(admin, "PERMISSION_MISSING"):
            await office.do(posts.save_role, "x", "x", CLERK, who=who)


# -------------------------------------------------------------------------------------- roles


async def test_a_member_may_what_its_role_says_on_its_days(office: Office) -> None:
    member = await office.hire("li")
    await office.role()
    assert await office.may(member) == frozenset()
    await office.give(member, TODAY + 3 * DAY)
    assert await office.may(member) == frozenset()
    post = await office.give(member, TODAY - 3 * DAY, TODAY + 3 * DAY)
    assert await office.may(member) == CLERK
    await office.do(posts.end_post, post, TODAY - DAY)
    assert await office.may(member) == frozenset()


async def test_who_has_a_role_may_what_it_says_now(office: Office) -> None:
    member = await office.hire("li")
    await office.role()
    await office.give(member)
    await office.role("clerk", frozenset({P.STOCK_READ}))
    assert await office.may(member) == {P.STOCK_READ}


async def test_nobody_gives_what_it_lacks(office: Office, admin: Connection) -> None:
    member = await office.hire("li")
    await office.role("clerk", frozenset({P.QUOTA_WRITE}))
    office.who = replace(office.who, permissions=frozenset(P) - {P.QUOTA_WRITE})
    async with refused(admin, "PERMISSION_MISSING"):
        await office.give(member)
    async with refused(admin, "PERMISSION_MISSING"):
        await office.role("more", frozenset({P.QUOTA_WRITE}))
    async with refused(admin, "PERMISSION_MISSING"):
        await office.role("clerk", frozenset())


async def test_only_members_are_given_posts(office: Office, admin: Connection) -> None:
    await office.role()
    others = Office(office.database, office.world, office.world.other_dealer)
    stranger = await others.hire("wang")
    for member in (stranger, 10**9):
        async with refused(admin, "UNKNOWN_MEMBER"):
            await office.give(member)


@pytest.mark.parametrize(
    "changes", [{"role": "none"}, {"department": "none"}, {"ends_on": TODAY - DAY}]
)
async def test_what_is_no_post_is_refused(
    office: Office, admin: Connection, changes: dict[str, Any]
) -> None:
    member = await office.hire("li")
    await office.role()
    draft = PostDraft(member, "clerk", TODAY)._replace(**changes)
    async with refused(admin, "INVALID_ORGANISATION"):
        await office.do(posts.give_post, draft)


async def test_who_leaves_leaves_its_posts(office: Office, admin: Connection) -> None:
    member = await office.hire("li")
    await office.role()
    await office.give(member)
    await admin.execute("delete from platform.membership where id = $1", member)
    assert await office.do(posts.list_posts, 0, 10) == []


# ------------------------------------------------------------------------------------ deputies


async def test_a_deputy_may_the_same_for_a_time(office: Office) -> None:
    holder, deputy = await office.hire("li"), await office.hire("zhang")
    await office.role()
    post = await office.give(holder)
    await office.do(posts.stand_in, post, deputy, TODAY, TODAY + DAY)
    assert await office.may(deputy) == CLERK
    found = await office.do(posts.list_posts, post, 1)
    assert (found[0].member_id, found[0].deputy_for) == (deputy, post)


async def test_a_deputy_ends_with_whom_it_stands_in_for(office: Office) -> None:
    holder, deputy = await office.hire("li"), await office.hire("zhang")
    await office.role()
    post = await office.give(holder, TODAY - 3 * DAY)
    await office.do(posts.stand_in, post, deputy, TODAY, TODAY + DAY)
    await office.do(posts.end_post, post, TODAY - DAY)
    assert await office.may(deputy) == frozenset()


async def test_who_holds_a_post_names_its_deputy(office: Office) -> None:
    holder, deputy = await office.hire("li"), await office.hire("zhang")
    await office.role()
    post = await office.give(holder)
    as_holder = replace(office.who, subject=f"user:{office.users[holder]}", permissions=frozenset())
    await office.do(posts.stand_in, post, deputy, TODAY, TODAY, who=as_holder)
    assert await office.may(deputy) == CLERK
    as_deputy = replace(as_holder, subject=f"user:{office.users[deputy]}")
    with pytest.raises(PermissionMissing):
        await office.do(posts.stand_in, post, holder, TODAY, TODAY, who=as_deputy)


async def test_nobody_stands_in_for_itself_or_for_a_deputy(
    office: Office, admin: Connection
) -> None:
    holder, deputy = await office.hire("li"), await office.hire("zhang")
    await office.role()
    post = await office.give(holder)
    with pytest.raises(UnknownMember):
        await office.do(posts.stand_in, post, holder, TODAY, TODAY)
    standing = await office.do(posts.stand_in, post, deputy, TODAY, TODAY)
    async with refused(admin, "INVALID_ORGANISATION"):
        await office.do(posts.stand_in, standing, holder, TODAY, TODAY)


async def test_what_is_done_is_noted(office: Office, admin: Connection) -> None:
    await office.department("east")
    note = "select action from platform.audit_log order by id desc limit 1"
    assert await admin.fetchval(note) == "save_department"
