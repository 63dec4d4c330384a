"""The audit finds what dealers' quotas have wrong, figure by figure."""

from datetime import timedelta

import pytest

from backend.after_sales.model import ReturnKind
from backend.audit.audit import CHECKS
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.runtime import Runtime
from tests.after_sales.desk import Desk
from tests.audit.history import audited
from tests.catalogue import Connection
from tests.dropship.dealing import PRICE, Dealing
from tests.dropship.quotas import Quotas
from tests.world import World, fresh_key

ENTRIES, ORDERS = (name for name in CHECKS if name.startswith("quota"))
LIMIT, PAID = 6_000, 500
ORDER = "select order_id from order_line where quota_account_id is not null"
BROKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "what is granted": (
        "update quota_account set granted_minor = granted_minor - 1 where used_minor > 0",
        (ENTRIES,),
    ),
    "what is used": (
        "update quota_account set used_minor = used_minor - 1 where used_minor > 0",
        (ENTRIES,),
    ),
    "what is paid": (
        "update quota_account set paid_minor = paid_minor + 1 where used_minor > 0",
        (ENTRIES,),
    ),
    "what is due": (
        "update quota_account set due_minor = due_minor - 1 where used_minor > 0",
        (ENTRIES,),
    ),
    "up to when it is counted": (
        "update quota_account set due_before = due_before - 365 where used_minor > 0",
        (ENTRIES,),
    ),
    "a granting that is gone": (
        "delete from quota_entry where type = 'opened' and granted_delta > 0",
        (ENTRIES,),
    ),
    "a payment that is gone": ("delete from quota_entry where type = 'paid'", (ENTRIES,)),
    "a payment that an order made": (
        "update quota_entry set type = 'given_back' where type = 'paid'",
        (ENTRIES, ORDERS),
    ),
    "a taking that is gone": ("delete from quota_entry where type = 'taken'", (ENTRIES, ORDERS)),
    "a taking of more": (
        "update quota_entry set used_delta = used_delta + 1 where type = 'taken'",
        (ENTRIES, ORDERS),
    ),
    "a taking that is due another day": (
        "update quota_entry set due_on = due_on + 365 where type = 'taken'",
        (ENTRIES,),
    ),
    "a taking of another order": (
        "update quota_entry set order_id = order_id + 1 where type = 'taken'",
        (ORDERS, ORDERS),
    ),
    "a taking of another account": (
        "update quota_entry e set account_id = (select max(id) from quota_account)"
        " where e.type = 'taken'",
        (ENTRIES, ENTRIES, ORDERS, ORDERS),
    ),
    "a giving back of less": (
        "update quota_entry set used_delta = used_delta + 1 where type = 'given_back'",
        (ENTRIES, ORDERS),
    ),
    "more taken, and used": (
        "with taken as (update quota_entry set used_delta = used_delta + 1 where type = 'taken')"
        " update quota_account set used_minor = used_minor + 1, due_minor = due_minor + 1"
        " where used_minor > 0",
        (ORDERS,),
    ),
    "more returned, and less used": (
        "with back as (update quota_entry set used_delta = used_delta - 1 where type = 'returned')"
        " update quota_account set used_minor = used_minor - 1, due_minor = due_minor - 1"
        " where used_minor > 0",
        (ORDERS,),
    ),
    "a return that was a giving back": (
        "update quota_entry set type = 'given_back' where type = 'returned'",
        (ORDERS,),
    ),
    "what a unit costs its dealer": (
        "update order_line set dealer_price_minor = dealer_price_minor + 1"
        " where quota_account_id is not null",
        (ORDERS,),
    ),
    "an order without its account": (
        "update order_line set quota_account_id = null where quota_account_id is not null",
        (ORDERS,),
    ),
    "a return of nothing": (
        "update return_request set kind = 'refund_only' where kind = 'missing'",
        (ORDERS,),
    ),
}
"""What is broken by a statement, and the kinds of differences that say so."""


@pytest.fixture
async def brand(runtime: Runtime, world: World, admin: Connection) -> World:
    """The brand with its past; of 4 units of a dealer 1 was cancelled, and 1 never came.

    They are overdue, and partly paid. Another account is as it was opened.
    """
    dealing, quotas = Dealing(runtime, world, admin), Quotas(runtime.database, world.brand)
    await dealing.credit(LIMIT, payment_days=0)
    await dealing.credit(0, "Q-2")
    await dealing.agree(quota_account="Q-1")
    await dealing.price()
    await lose_one_of_four(Desk(runtime, world))
    await quotas.pay(PAID)
    today = (await runtime.brands.get(world.tenant_id)).today()
    await quotas.mind(today + timedelta(days=1))
    await dealing.tell(await quotas.account())
    return world


async def lose_one_of_four(desk: Desk) -> None:
    """Let a dealer sell 4 units, of which 1 is cancelled, and 1 of the others never comes."""
    order = await desk.placed(4, shop="dshop")
    one = [CancelLine(1, 1)]
    done = await cancel_order(desk.database, desk.world.brand, order.order_id, one, fresh_key())
    await desk.runtime.publish_counters(desk.world.tenant_id, done.counters)
    await desk.working.until(order, "deliver")
    lost = await desk.ask(order, 1, ReturnKind.MISSING)
    await desk.approve(lost.request.id)
    await desk.runtime.settle()


async def test_a_sound_quota_has_no_differences(
    runtime: Runtime, brand: World, admin: Connection
) -> None:
    assert (await audited(runtime, brand)).differences == []
    account = await Quotas(runtime.database, brand.brand).account()
    assert (account.granted_minor, account.used_minor) == (LIMIT, 2 * PRICE - PAID)
    assert (account.overdue_minor, account.is_blocked) == (2 * PRICE - PAID, True)


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_is_found(
    runtime: Runtime, brand: World, admin: Connection, name: str
) -> None:
    statement, kinds = BROKEN[name]
    status: str = await admin.execute(statement)
    assert status.endswith(" 1")
    found = [difference["kind"] for difference in (await audited(runtime, brand)).differences]
    assert sorted(found) == sorted(kinds)


async def test_a_difference_names_the_account_and_both_figures(
    runtime: Runtime, brand: World, admin: Connection
) -> None:
    await admin.execute("update quota_account set used_minor = used_minor + 1 where code = 'Q-1'")
    (found,) = (await audited(runtime, brand)).differences
    account = await Quotas(runtime.database, brand.brand).account()
    used = {"account_id": account.id, "used_minor": account.used_minor}
    assert found | used == found
    assert found["entries_used"] == account.used_minor - 1


async def test_a_difference_names_the_order_and_both_figures(
    runtime: Runtime, brand: World, admin: Connection
) -> None:
    dearer = "update order_line set dealer_price_minor = 601 where quota_account_id is not null"
    await admin.execute(dearer)
    (found,) = (await audited(runtime, brand)).differences
    order_id = await admin.fetchval(ORDER)
    assert found == {
        "kind": ORDERS,
        "order_id": order_id,
        "account_id": (await Quotas(runtime.database, brand.brand).account()).id,
        "taken_minor": 3 * 600,
        "wanted_minor": 3 * 601,
        "returned_minor": 600,
        "came_minor": 601,
    }
