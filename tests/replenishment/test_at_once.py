"""Several look and decide at once: an alert is told once, and a proposal is decided once."""

import asyncio
from typing import Any

import pytest

from backend.replenishment.model import TransferState
from backend.replenishment.transfers import Decided, reject_transfer
from tests.catalogue import Connection
from tests.crowd import CROWD, all_at_once, all_wait, settle
from tests.inventory.stock import figures
from tests.replenishment.scene import Watched, node_rule
from tests.world import fresh_key

EVENTS = "select count(*) from outbox where type = $1"
SUPPLIES = "select count(*) from supply"
HOLD = "select from transfer_proposal for update"
LOOKING = 4


async def reject(watched: Watched, key: str = "") -> Decided:
    async with watched.database.tenant_transaction(watched.world.brand) as tx:
        return await reject_transfer(tx, 1, "", key=key or fresh_key())


async def look_anew(watched: Watched, count: int = LOOKING) -> None:
    """Let processes that have just started look at once."""
    await asyncio.gather(*(watched.another_watch().look() for _ in range(count)))


async def state(watched: Watched) -> TransferState:
    (transfer,) = await watched.transfers()
    return transfer.state


async def left(watched: Watched, admin: Connection) -> tuple[int, int]:
    """Return what is left in "far", and the supplies that are on their way."""
    on_hand = (await figures(admin, watched.world, "far")).on_hand
    return on_hand, int(await admin.fetchval(SUPPLIES))


async def test_of_managers_who_approve_at_once_one_does(
    proposed: Watched, admin: Connection
) -> None:
    approvals = (proposed.approve(1) for _ in range(CROWD))
    done, codes = await all_at_once(admin, approvals, "transfer_proposal")
    assert [one.transfer.state for one in done] == [TransferState.APPROVED]
    assert codes == ["UNKNOWN_TRANSFER"] * (CROWD - 1)
    assert await left(proposed, admin) == (12, 1)
    assert await admin.fetchval(EVENTS, "transfer.decided") == 1


async def test_one_key_at_once_has_one_answer(proposed: Watched, admin: Connection) -> None:
    rejections = (reject(proposed, "k") for _ in range(CROWD))
    done, codes = await all_at_once(admin, rejections, "transfer_proposal")
    assert (len(done), codes) == (CROWD, [])
    assert all(one == done[0] for one in done)
    assert await left(proposed, admin) == (20, 0)
    assert await admin.fetchval(EVENTS, "transfer.decided") == 1


async def test_who_approves_and_who_rejects_at_once(proposed: Watched, admin: Connection) -> None:
    works: list[Any] = [proposed.approve(1), reject(proposed), reject(proposed)]
    (done,), codes = await all_at_once(admin, works, "transfer_proposal")
    assert codes == ["UNKNOWN_TRANSFER"] * 2
    is_approved = done.transfer.state is TransferState.APPROVED
    assert await state(proposed) is done.transfer.state
    assert await left(proposed, admin) == ((12, 1) if is_approved else (20, 0))


@pytest.mark.parametrize("approves_first", [True, False])
async def test_who_approves_while_the_alert_is_cleared(
    proposed: Watched, admin: Connection, approves_first: bool
) -> None:
    await proposed.live.receive("wh", 10)
    works: list[Any] = [proposed.approve(1), proposed.watch.look()]
    async with admin.transaction():
        await admin.execute(HOLD)
        tasks = []
        for count, work in enumerate(works if approves_first else works[::-1], 1):
            tasks.append(asyncio.create_task(work))
            await all_wait(admin, count)
    _, codes = await settle(tasks)
    assert codes == ([] if approves_first else ["UNKNOWN_TRANSFER"])
    expected = TransferState.APPROVED if approves_first else TransferState.LAPSED
    assert await state(proposed) is expected
    assert await left(proposed, admin) == ((12, 1) if approves_first else (20, 0))
    assert await proposed.low() == []


async def test_who_approves_while_the_rule_is_dropped(proposed: Watched, admin: Connection) -> None:
    works: list[Any] = [proposed.approve(1), proposed.drop("low")]
    done, codes = await all_at_once(admin, works, "transfer_proposal")
    is_approved = len(done) == 2
    assert codes == ([] if is_approved else ["UNKNOWN_TRANSFER"])
    assert await left(proposed, admin) == ((12, 1) if is_approved else (20, 0))
    assert await proposed.look() == []


async def test_of_units_for_two_alerts_who_comes_first_has_them(
    watched: Watched, admin: Connection
) -> None:
    for warehouse, units in (("wh", 1), ("store", 1), ("far", 20)):
        await watched.live.receive(warehouse, units)
    await watched.set(
        node_rule(transfers="propose"),
        node_rule(code="store", subject="store", transfers="propose"),
    )
    await watched.look()
    await watched.live.adjust("far", -10)  # 14 were proposed, 10 are left
    done, codes = await all_at_once(admin, (watched.approve(n) for n in (1, 2)))
    assert [one.transfer.quantity for one in done] == [7]
    assert codes == ["NOT_ENOUGH_TO_MOVE"]
    assert await left(watched, admin) == (3, 1)


async def test_processes_that_look_at_once_send_once(watched: Watched, admin: Connection) -> None:
    await watched.live.receive("wh", 2)
    await watched.live.receive("far", 20)
    await watched.set(node_rule(transfers="automatic"))
    await look_anew(watched)
    await look_anew(watched)
    assert await left(watched, admin) == (14, 1)
    assert await admin.fetchval(EVENTS, "transfer.decided") == 1


async def test_processes_that_look_at_once_clear_once(proposed: Watched, admin: Connection) -> None:
    await proposed.live.receive("wh", 10)
    await look_anew(proposed)
    assert await proposed.low() == []
    assert await state(proposed) is TransferState.LAPSED
    for event in ("stock.alert_fired", "stock.alert_cleared", "transfer.decided"):
        assert await admin.fetchval(EVENTS, event) == 1


async def test_whatever_is_changed_meanwhile_in_the_end_each_is_told(watched: Watched) -> None:
    await watched.live.receive("wh", 2)
    await watched.live.receive("far", 20)
    changes = (watched.set(node_rule(transfers="propose", fill_to=n)) for n in range(8, 14))
    await asyncio.gather(look_anew(watched), *changes, look_anew(watched))
    assert [one.value for one in await watched.look()] == [2]
    waiting = [one for one in await watched.transfers() if one.state is TransferState.PROPOSED]
    assert len(waiting) == 1


async def test_of_managers_who_set_a_rule_at_once_all_are_kept_in_turn(
    watched: Watched, admin: Connection
) -> None:
    works = [watched.set(node_rule(clears_at=8 + n, compare_version=0)) for n in range(CROWD)]
    answers = await asyncio.gather(*works, return_exceptions=True)
    kept = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert [rule.version for (rule,) in kept] == [1]
    assert {getattr(one, "code", one) for one in refused} == {"ALERT_RULE_CHANGED"}
    assert await admin.fetchval("select clears_at from alert_rule") == kept[0][0].clears_at
