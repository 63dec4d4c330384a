"""A command under its key is done once: again it has the same answer, another one is refused."""

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from backend.db.errors import YipanError
from backend.db.pool import TenantTransaction
from backend.network.regions.table import bundled_regions
from backend.replenishment.alert_rules import drop_alert_rule, set_alert_rules
from backend.replenishment.model import TransferState
from backend.replenishment.transfers import approve_transfer, reject_transfer
from tests.catalogue import Connection, contents
from tests.refusals import refused
from tests.replenishment.scene import Watched, node_rule
from tests.replenishment.test_refusals import TODAY
from tests.world import fresh_key

Act = Callable[[TenantTransaction, str], Awaitable[object]]


def setting(clears_at: int = 9) -> Act:
    drafts = [node_rule(clears_at=clears_at)]
    return lambda tx, key: set_alert_rules(tx, drafts, key=key, regions=bundled_regions())


def dropping(code: str = "low") -> Act:
    return lambda tx, key: drop_alert_rule(tx, code, key=key)


def approving(quantity: int | None = None) -> Act:
    return lambda tx, key: approve_transfer(tx, 1, TODAY, key=key, quantity=quantity)


def rejecting(note: str = "") -> Act:
    return lambda tx, key: reject_transfer(tx, 1, note, key=key)


async def act(watched: Watched, what: Act, key: str = "k") -> object:
    """Do something in a transaction of its own."""
    async with watched.database.tenant_transaction(watched.world.brand) as tx:
        return await what(tx, key)


@pytest.mark.parametrize(
    ("what", "other"),
    [
        (setting(), setting(10)),
        (dropping(), dropping("else")),
        (approving(3), approving(4)),
        (rejecting(), rejecting("why")),
        (approving(), rejecting()),
    ],
)
async def test_what_was_done_is_answered_again(
    proposed: Watched, admin: Connection, what: Act, other: Act
) -> None:
    done = await act(proposed, what)
    before = await contents(admin)
    assert await act(proposed, what) == done
    assert await contents(admin) == before
    async with refused(admin, "IDEMPOTENCY_CONFLICT"):
        await act(proposed, other)


async def test_a_rule_that_was_dropped_since_is_not_set_again(
    watched: Watched, admin: Connection
) -> None:
    done = await act(watched, setting())
    await act(watched, dropping(), "another")
    assert await act(watched, setting()) == done
    assert await admin.fetchval("select count(*) from alert_rule") == 0


async def test_a_key_that_was_refused_is_free_again(proposed: Watched, admin: Connection) -> None:
    for bad, code in (
        (approving(9), "INVALID_QUANTITY"),
        (setting(3), "INVALID_ALERT_RULE"),
        (dropping("else"), "UNKNOWN_ALERT_RULE"),
    ):
        async with refused(admin, code):
            await act(proposed, bad)
    await act(proposed, approving(8))
    assert [one.state for one in await proposed.transfers()] == [TransferState.APPROVED]


async def test_keys_of_different_users_do_not_meet(proposed: Watched, admin: Connection) -> None:
    await act(proposed, approving())
    somebody = replace(proposed.world.brand, subject="user:999")
    async with (
        refused(admin, "UNKNOWN_TRANSFER"),
        proposed.database.tenant_transaction(somebody) as tx,
    ):
        await approving()(tx, "k")


async def test_the_key_of_the_watch_is_not_a_users(watched: Watched) -> None:
    await watched.live.receive("wh", 2)
    await watched.live.receive("far", 20)
    await act(watched, setting(), "transfer-1")
    await watched.set(node_rule(transfers="automatic"))
    await watched.look()
    assert [one.state for one in await watched.transfers()] == [TransferState.APPROVED]


async def test_no_key_is_no_command(proposed: Watched, admin: Connection) -> None:
    for what in (setting(), dropping(), approving(), rejecting()):
        async with refused(admin, "INVALID_IDEMPOTENCY_KEY"):
            await act(proposed, what, "")


async def test_what_has_lapsed_is_not_decided(proposed: Watched, admin: Connection) -> None:
    await proposed.live.receive("wh", 10)
    await proposed.look()
    await proposed.live.runtime.settle()
    for what in (approving(), rejecting()):
        async with refused(admin, "UNKNOWN_TRANSFER"):
            await act(proposed, what, fresh_key())


async def test_a_rule_that_comes_back_is_a_new_one(watched: Watched) -> None:
    (first,) = await watched.set(node_rule(compare_version=0))
    await watched.drop("low")
    with pytest.raises(YipanError, match="changed since"):
        await watched.set(node_rule(compare_version=1))
    (second,) = await watched.set(node_rule(compare_version=0))
    assert (second.version, second.id == first.id) == (1, False)
