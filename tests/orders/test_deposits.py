"""Deposits: reserved at once, sent when the rest is paid, cancelled when it is not in time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.deposits.deposits import deposits_of_orders, end_deposits, pay_rest
from backend.orders.errors import NothingToPay, WrongAmount
from backend.orders.model import Deposit, OrderStatus, Placed, Refused
from backend.orders.release_holds import HoldUnresolved, Resolution, release_hold
from backend.runtime import Runtime
from loadtests.waiting import until
from tests.after_sales.desk import Desk
from tests.catalogue import Connection
from tests.orders.checks import assert_clean, placed
from tests.refusals import refused
from tests.world import HANGZHOU, World, draft, fresh_key, receive

S = OrderStatus
SOON = datetime.now(UTC) + timedelta(days=3)
TWO = {"A": 2}


class Paying(Desk):
    """A brand whose customers pay in two."""

    admin: Connection

    async def ordered(self, amount: int = 300, *, is_kept: bool = True, **changes: Any) -> Placed:
        order = draft(TWO, region=HANGZHOU, deposit=Deposit(amount, SOON, is_kept), **changes)
        outcome = placed(await self.runtime.intake.place(order, self.world.brand))
        await until(lambda: self.runtime.admission.ensure_warm(self.world.tenant_id))
        return outcome

    async def pay(self, order: Placed, amount: int, key: str = "") -> OrderStatus:
        return await pay_rest(
            self.database, self.world.brand, order.order_id, amount, "WX-1", key or fresh_key()
        )

    async def end(self) -> int:  # type: ignore[override]
        done, counters = await end_deposits(self.database, self.world.tenant_id)
        await self.runtime.publish_counters(self.world.tenant_id, counters)
        return done

    async def late(self) -> None:
        await self.admin.execute("update order_deposit set pay_by = now() - interval '1 minute'")

    async def deposit(self, order: Placed) -> tuple[str, int]:
        """Return where the deposit of an order stands, and what is due."""
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            (row,) = (await deposits_of_orders(tx, [order.order_id]))[order.order_id]
        return row["status"], row["due_minor"]

    async def stands(self, order: Placed) -> OrderStatus:
        return (await self.working.standing(order)).status


@pytest.fixture
async def paying(runtime: Runtime, world: World, admin: Connection) -> Paying:
    found = Paying(runtime, world)
    found.admin = admin
    await receive(runtime.database, world.brand, "store", "A", 10)
    return found


async def test_it_is_reserved_at_once_and_goes_when_the_rest_is_paid(paying: Paying) -> None:
    order = await paying.ordered()
    assert (order.status, order.holds) == (S.HELD, ("deposit",))
    assert order.lines[0].reserved == 2
    assert await paying.deposit(order) == ("open", 1_700)
    assert await paying.pay(order, 1_700) is S.ALLOCATED
    assert await paying.deposit(order) == ("paid", 0)
    await paying.working.until(order, "ship")
    await assert_clean(paying.runtime, paying.world)


async def test_paid_it_is_paid_back_in_full_when_it_is_cancelled(paying: Paying) -> None:
    order = await paying.ordered()
    await paying.pay(order, 1_700)
    done = await cancel_order(
        paying.database, paying.world.brand, order.order_id, None, fresh_key()
    )
    await paying.runtime.publish_counters(paying.world.tenant_id, done.counters)
    assert await paying.refunds(order) == [("cancelled", "due", 2_000)]
    await assert_clean(paying.runtime, paying.world)


async def test_what_is_due_follows_the_order(paying: Paying, admin: Connection) -> None:
    order = await paying.ordered()
    one = [CancelLine(1, 1)]
    await cancel_order(paying.database, paying.world.brand, order.order_id, one, fresh_key())
    assert await paying.deposit(order) == ("open", 700)
    async with refused(admin, WrongAmount.code):
        await paying.pay(order, 1_700)
    await paying.pay(order, 700)
    assert await admin.fetchval("select paid_minor from orders") == 1_000


@pytest.mark.parametrize("is_kept", [True, False])
async def test_what_is_not_paid_in_time_is_cancelled(paying: Paying, *, is_kept: bool) -> None:
    order = await paying.ordered(is_kept=is_kept)
    assert await paying.end() == 0
    await paying.late()
    assert [await paying.end(), await paying.end()] == [1, 0]
    assert await paying.stands(order) is S.CANCELLED
    assert await paying.refunds(order) == ([] if is_kept else [("cancelled", "due", 300)])
    with pytest.raises(NothingToPay):
        await paying.pay(order, 1_700)
    await assert_clean(paying.runtime, paying.world)


async def test_who_cancels_before_gets_back_what_is_not_kept(paying: Paying) -> None:
    order = await paying.ordered(is_kept=False)
    done = await cancel_order(
        paying.database, paying.world.brand, order.order_id, None, fresh_key()
    )
    await paying.runtime.publish_counters(paying.world.tenant_id, done.counters)
    assert await paying.end() == 1
    assert await paying.refunds(order) == [("cancelled", "due", 300)]
    assert await paying.deposit(order) == ("ended", 0)
    await assert_clean(paying.runtime, paying.world)


async def test_the_brand_may_pay_back_what_is_kept_and_no_more(paying: Paying) -> None:
    order = await paying.ordered()
    await paying.late()
    await paying.end()
    assert (await paying.grant(order, 300)).amount_minor == 300


async def test_a_payment_has_a_name(paying: Paying, admin: Connection) -> None:
    order = await paying.ordered()
    for reference in ("", "x" * 201):
        async with refused(admin, "INVALID_ORDER"):
            await pay_rest(
                paying.database,
                paying.world.brand,
                order.order_id,
                1_700,
                reference,
                fresh_key(),
            )


async def test_paying_counts_once(paying: Paying, admin: Connection) -> None:
    order, key = await paying.ordered(), fresh_key()
    statuses = await asyncio.gather(*(paying.pay(order, 1_700, key) for _ in range(3)))
    assert set(statuses) == {S.ALLOCATED}
    async with refused(admin, NothingToPay.code):
        await paying.pay(order, 1_700)
    assert await admin.fetchval("select count(*) from outbox where type = 'order.paid'") == 1


async def test_who_pays_at_the_last_moment_pays_or_is_cancelled(paying: Paying) -> None:
    order = await paying.ordered()
    await paying.late()
    paid, _ = await asyncio.gather(paying.pay(order, 1_700), paying.end(), return_exceptions=True)
    if isinstance(paid, BaseException):
        assert isinstance(paid, NothingToPay)
        assert await paying.stands(order) is S.CANCELLED
    else:
        assert await paying.stands(order) is S.ALLOCATED
    await assert_clean(paying.runtime, paying.world)


async def test_nobody_releases_it_by_hand(paying: Paying, admin: Connection) -> None:
    order = await paying.ordered()
    async with refused(admin, HoldUnresolved.code):
        await release_hold(
            paying.database,
            paying.world.brand,
            order.order_id,
            Resolution(1),
            paying.runtime.regions,
            fresh_key(),
        )


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"deposit": Deposit(0, SOON)}, ("deposit", "amountMinor")),
        ({"deposit": Deposit(2_000, SOON)}, ("deposit", "amountMinor")),
        ({"deposit": Deposit(1, datetime(2020, 1, 1, tzinfo=UTC))}, ("deposit", "payBy")),
        ({"deposit": Deposit(1, datetime(2030, 1, 1))}, ("deposit", "payBy")),
        ({"deposit": Deposit(1, SOON), "is_paid": True, "external_id": "X"}, ("deposit",)),
    ],
)
async def test_what_is_no_deposit_is_refused(
    paying: Paying, admin: Connection, changes: dict[str, Any], path: tuple[str, ...]
) -> None:
    order = draft(TWO, region=HANGZHOU, **changes)
    outcome = await paying.runtime.intake.place(order, paying.world.brand)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.path) == ("INVALID_ORDER", path)
    assert await admin.fetchval("select count(*) from orders") == 0
