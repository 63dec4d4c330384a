"""Commands that apply once: the key, the fingerprint, and two who come at once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.db.commands import (
    CommandConflict,
    InvalidKey,
    claim_command,
    command_key,
    fingerprint,
    store_outcome,
)
from backend.db.errors import YipanError
from backend.db.pool import Database
from tenants.principal import Kind, Principal, system_principal
from tests.catalogue import Connection, contents

WAIT_SECONDS = 0.2
"""Long enough for a statement that nothing holds up to be done."""
CONTENT = ("receive", 5)
SOMEBODY = system_principal(1, "somebody")


async def run(
    database: Database, key: str, content: object = CONTENT, who: Principal = SOMEBODY
) -> str | None:
    """Carry out a command whose outcome is "done"; returns what was stored before."""
    async with database.tenant_transaction(who) as tx:
        stored = await claim_command(tx, key, content)
        if stored is None:
            await store_outcome(tx, key, "done")
        return stored


async def test_again_is_answered_from_the_first_time(database: Database) -> None:
    assert await run(database, "k") is None
    assert await run(database, "k") == "done"


async def test_something_else_under_the_key_is_refused(
    database: Database, admin: Connection
) -> None:
    await run(database, "k")
    before = await contents(admin)
    with pytest.raises(CommandConflict):
        await run(database, "k", ("receive", 6))
    assert await contents(admin) == before


@pytest.mark.parametrize(
    "other",
    [
        system_principal(1, "another"),
        system_principal(2, "somebody"),
        Principal(tenant_id=1, kind=Kind.BRAND, subject="user:7"),
    ],
    ids=str,
)
async def test_keys_of_others_never_meet(database: Database, other: Principal) -> None:
    await run(database, "k")
    assert await run(database, "k", ("receive", 6), other) is None


async def test_the_second_waits_for_the_outcome_of_the_first(database: Database) -> None:
    async with database.tenant_transaction(SOMEBODY) as tx:
        assert await claim_command(tx, "k", CONTENT) is None
        second = asyncio.create_task(run(database, "k"))
        other = asyncio.create_task(run(database, "k", "something else"))
        done, _ = await asyncio.wait([second, other], timeout=WAIT_SECONDS)
        assert not done
        await store_outcome(tx, "k", "the first's")
    assert await second == "the first's"
    with pytest.raises(CommandConflict):
        await other


async def claim_and_fail(database: Database, meanwhile: Callable[[], Awaitable[None]]) -> None:
    async with database.tenant_transaction(SOMEBODY) as tx:
        assert await claim_command(tx, "k", CONTENT) is None
        await meanwhile()
        raise YipanError


async def test_a_rollback_frees_the_key(database: Database) -> None:
    started = []

    async def meanwhile() -> None:
        started.append(asyncio.create_task(run(database, "k", "something else")))
        done, _ = await asyncio.wait(started, timeout=WAIT_SECONDS)
        assert not done

    with pytest.raises(YipanError):
        await claim_and_fail(database, meanwhile)
    assert await started[0] is None
    assert await run(database, "k", "something else") == "done"


@pytest.mark.parametrize("key", ["", "x" * 201, "a\0b", "a\nb", "\ud800"], ids=ascii)
async def test_a_bad_key_is_refused(database: Database, admin: Connection, key: str) -> None:
    before = await contents(admin)
    with pytest.raises(InvalidKey):
        await run(database, key)
    assert await contents(admin) == before


@pytest.mark.parametrize("key", ["x" * 200, "订单 1", "a:b"])
async def test_a_good_key_is_taken(database: Database, key: str) -> None:
    assert await run(database, key) is None
    assert await run(database, key) == "done"


def test_keys_say_whose_they_are() -> None:
    assert command_key("user:7", "k") == "i:user:7:k"


# ------------------------------------------------------------------------------ fingerprints

contents_of_commands = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(contents_of_commands, contents_of_commands)
def test_fingerprints_differ_where_contents_do(one: object, other: object) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (repr_sorted(one) == repr_sorted(other))


def repr_sorted(content: object) -> str:
    if isinstance(content, dict):
        return repr(sorted((key, repr_sorted(value)) for key, value in content.items()))
    if isinstance(content, tuple):
        return f"({','.join(map(repr_sorted, content))})"
    return repr(content)


@given(st.dictionaries(st.text(), st.integers(0, 9)), st.sets(st.text()))
def test_the_order_of_maps_and_sets_is_no_content(map_: dict[str, int], set_: set[str]) -> None:
    backwards = dict(reversed(map_.items()))
    assert fingerprint((map_, set_)) == fingerprint((backwards, sorted(set_)))
