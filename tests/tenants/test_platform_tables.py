"""Platform tables: no way in but a few functions, each pinned, each change noted."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import asyncpg
import pytest

from backend.db.errors import AlreadyExists
from backend.db.pool import Database, Transaction
from tenants import members, organisation, posts
from tenants.brands import SQL
from tenants.principal import Kind, Principal
from tests.catalogue import Connection, contents, names
from tests.tenants.test_policies import privileges
from tests.test_imports import imports
from tests.world import ACTOR, PASSWORD, World

PLATFORM = "select oid::regclass::text from pg_class where relnamespace = 'platform'::regnamespace"
TABLES = f"{PLATFORM} and relkind in ('r', 'p')"
FUNCTIONS = (
    "select oid::regprocedure::text from pg_proc where pronamespace = 'platform'::regnamespace"
)
OURS = "pronamespace::regnamespace::text in ('public', 'platform')"
INTERNAL = {"platform.note(text,text,text)", "platform.permissions_today(bigint,text[])"}
"""What the functions call, and nobody else."""
PUBLIC = {
    "ensure_partitions(integer)",
    "mark_events()",
    "claim_keys(bigint,new_key[])",
    "append_events(bigint,new_event[])",
    "closed_nodes(bigint,bigint[])",
    "retired_skus(bigint,bigint[])",
    "promised_of_supply(bigint,bigint)",
    "awaited_by_line(bigint,bigint,integer)",
    "paid_of_order(bigint,bigint)",
    "price_of_order(bigint,bigint)",
    "node_in_use(bigint,bigint)",
    "stale_dealings(bigint,bigint[])",
    "orders_placed_before(bigint,bigint[],timestamp with time zone)",
}
"""What the application may call outside of the platform's schema."""


async def test_the_application_has_no_privilege_on_any_table(admin: Connection) -> None:
    tables = await names(admin, TABLES)
    assert len(tables) >= 8
    for table in tables:
        assert await privileges(admin, table) == [], table


async def test_a_forgotten_function_gets_nowhere(
    database: Database, world: World, admin: Connection, database_url: str
) -> None:
    before = await contents(admin)
    settings = {"role": "yipan_app"}
    application = await asyncpg.connect(database_url, server_settings=settings)
    for table in await names(admin, TABLES):
        for attempt in (f"select from {table}", f"delete from {table}"):  # noqa: S608
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute(attempt)
    await application.close()
    assert await contents(admin) == before


async def test_every_function_is_pinned(admin: Connection) -> None:
    functions = await names(admin, FUNCTIONS)
    assert len(functions) > 15
    pinned = f"""{FUNCTIONS}
        and prosecdef and proconfig = '{{"search_path=platform, pg_temp"}}'
        and pg_get_userbyid(proowner) = 'yipan_owner'
    """
    assert set(await names(admin, pinned)) == set(functions)


async def test_whatever_runs_as_somebody_else_is_pinned(admin: Connection) -> None:
    loose = f"""
        select oid::regprocedure from pg_proc where {OURS} and prosecdef
        and not exists (select from unnest(proconfig) c where c like 'search_path=%, pg_temp')
    """  # noqa: S608
    assert await names(admin, loose) == []


async def test_nothing_is_callable_by_everybody(admin: Connection) -> None:
    public = f"select oid::regprocedure from pg_proc where {OURS} and (proacl is null or exists ("  # noqa: S608
    public += "select from aclexplode(proacl) where grantee = 0))"
    assert await names(admin, public) == []


async def test_the_application_calls_the_functions_and_no_others(admin: Connection) -> None:
    callable_ = f"""
        select oid::regprocedure::text from pg_proc
        where {OURS} and has_function_privilege('yipan_app', oid, 'execute')
    """  # noqa: S608
    expected = {*await names(admin, FUNCTIONS), *PUBLIC} - INTERNAL
    assert set(await names(admin, callable_)) == expected


async def test_only_tenants_and_orders_call_them() -> None:
    users = {one.source.split(".")[0] for one in imports() if one.target == "tenants.brands"}
    assert users <= {"tenants", "backend", "graphql_schema", "loadtests"}


# --------------------------------------------------------------------------- the audit log

Act = Callable[[Transaction, World], Awaitable[Any]]
SINCE = date(2020, 1, 1)


async def user_id(world: World) -> int:
    assert world.brand.user_id is not None
    return world.brand.user_id


async def issue_and_revoke(tx: Transaction, world: World) -> None:
    key_id, _ = await organisation.issue_api_key(tx, ACTOR, world.tenant_id, "shop's", [])
    await organisation.revoke_api_key(tx, ACTOR, world.tenant_id, key_id)


def register_brand(tx: Transaction, _: World) -> Awaitable[Any]:
    return organisation.register_brand(
        tx, ACTOR, code="new", name="New", currency="CNY", time_zone="Asia/Shanghai"
    )


def grant(tx: Transaction, world: World) -> Awaitable[Any]:
    user = world.brand.user_id or 0
    return organisation.grant_membership(
        tx, ACTOR, user, Kind.BRAND, [], brand_id=world.other_tenant_id
    )


async def revoke(tx: Transaction, world: World) -> None:
    manager = Principal(tenant_id=world.tenant_id, kind=Kind.SYSTEM, subject=ACTOR)
    (first,) = await members.list_members(tx, manager, 0, 1)
    await members.revoke_membership(tx, manager, first.id)


async def organise(tx: Transaction, world: World) -> None:
    manager = Principal(tenant_id=world.tenant_id, kind=Kind.SYSTEM, subject=ACTOR)
    for code in ("east", "west"):
        await posts.save_department(tx, manager, code, code, None)
    await posts.delete_department(tx, manager, "west")
    await posts.save_role(tx, manager, "clerk", "clerk", frozenset())
    (first,) = await members.list_members(tx, manager, 0, 1)
    post = await posts.give_post(tx, manager, posts.PostDraft(first.id, "clerk", SINCE))
    await posts.end_post(tx, manager, post, SINCE)


ACTS: dict[str, Act] = {
    "register_group": lambda tx, _: organisation.register_group(tx, ACTOR, "g2", ""),
    "register_brand": register_brand,
    "register_dealer": lambda tx, _: organisation.register_dealer(tx, ACTOR, "d3", ""),
    "sign_agreement": lambda tx, w: organisation.sign_agreement(
        tx, ACTOR, w.other_tenant_id, w.dealers["d1"], SINCE
    ),
    "end_agreement": lambda tx, w: organisation.end_agreement(
        tx, ACTOR, w.tenant_id, w.dealers["d1"]
    ),
    "register_user": lambda tx, _: organisation.register_user(tx, ACTOR, "a@b", "", PASSWORD),
    "disable_user": lambda tx, w: organisation.disable_user(tx, ACTOR, w.brand.user_id or 0),
    "grant_membership": grant,
    "revoke_membership": revoke,
    "issue_api_key": issue_and_revoke,
    "revoke_api_key": issue_and_revoke,
    "save_department": organise,
    "delete_department": organise,
    "save_role": organise,
    "give_post": organise,
    "end_post": organise,
}
BOOKKEEPING = {"lease_relays", "store_relay", "leave_relays", "lock_departments"}
"""What machines write of themselves all the time, and a lock; nobody asks who did it."""
LOG = "select actor || ' ' || action from platform.audit_log order by id"


@pytest.mark.parametrize("action", ACTS)
async def test_each_change_is_noted(
    database: Database, world: World, admin: Connection, action: str
) -> None:
    before = await contents(admin)
    noted = await names(admin, LOG)
    async with database.platform_transaction() as tx:
        await ACTS[action](tx, world)
    new = (await names(admin, LOG))[len(noted) :]
    assert f"{ACTOR} {action}" in new
    after = await contents(admin)
    assert {table for table in after if after[table] != before[table]} > {"platform.audit_log"}


async def test_every_change_is_tried(admin: Connection) -> None:
    changing = f"""
        select proname from pg_proc
        where pronamespace = 'platform'::regnamespace and provolatile = 'v' and proname <> 'note'
    """  # noqa: F541
    assert set(await names(admin, changing)) == set(ACTS) | BOOKKEEPING


async def test_what_is_refused_is_not_noted(
    database: Database, world: World, admin: Connection
) -> None:
    before = await contents(admin)
    with pytest.raises(AlreadyExists):
        async with database.platform_transaction() as tx:
            await organisation.register_dealer(tx, ACTOR, "d1", "")
    assert await contents(admin) == before


async def test_reading_functions_are_marked_as_such(
    database: Database, world: World, admin: Connection
) -> None:
    before = await contents(admin)
    async with database.platform_transaction(read_only=True) as tx:
        assert await tx.fetch(SQL.brands)
        assert await tx.fetch(SQL.dealers_of_brand, world.tenant_id)
    assert await contents(admin) == before
