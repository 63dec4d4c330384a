"""Exchanging: what replaces goods is reserved at once, and goes when they are back and paid for."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from backend.after_sales.errors import (
    ExchangeChanged,
    ExchangeRefused,
    InvalidAfterSalesInput,
    NothingToRefund,
    NotReturnable,
    TooManyReturned,
)
from backend.after_sales.exchange import (
    drop_exchange,
    pay_exchange,
    request_exchange,
    waive_exchange,
)
from backend.after_sales.exchanging import exchanges_by_returns
from backend.after_sales.model import (
    Exchange,
    ExchangeDraft,
    ExchangeStatus,
    ReturnDraft,
    ReturnKind,
    ReturnUnits,
    WantedLine,
)
from backend.catalog.errors import UnknownSku
from backend.fulfilment.errors import NothingToRelease
from backend.orders.cancel_orders import CancelLine, cancel_order
from backend.orders.errors import NothingToPay, TooBusy, WrongAmount
from backend.orders.find_orders import orders_by_ids
from backend.orders.model import OrderStatus, Placed
from backend.orders.release_holds import HoldUnresolved, Resolution, release_hold
from tenants.principal import PermissionMissing, Principal
from tests.after_sales.desk import AUTOMATIC, PRICE, Desk
from tests.catalogue import Connection
from tests.orders.checks import assert_clean
from tests.refusals import refused
from tests.world import HANGZHOU, draft, fresh_key, receive

E = ExchangeStatus
S = OrderStatus
EVEN = (WantedLine("B", 1),)


class Exchanging(Desk):
    """A desk where goods are exchanged."""

    admin: Connection

    async def exchange(
        self,
        order: Placed,
        wanted: tuple[WantedLine, ...] = EVEN,
        units: int = 1,
        *,
        key: str = "",
        **changes: Any,
    ) -> Exchange:
        back = ReturnDraft(
            order.order_id, ReturnKind.RETURN, (ReturnUnits(1, units),), "要大一号", **changes
        )
        who = self.world.brand
        _, done = await request_exchange(
            self.database, self.runtime.intake, who, ExchangeDraft(back, wanted), key or fresh_key()
        )
        return done.exchange

    async def back(self, exchange: Exchange, **found: Any) -> Exchange:
        """Let the goods come, and be found to be something; returns how it stands then."""
        await self.receive(exchange.return_id)
        await self.inspect(exchange.return_id, **found)
        return await self.stands(exchange)

    async def stands(self, exchange: Exchange) -> Exchange:
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            return (await exchanges_by_returns(tx, [exchange.return_id]))[exchange.return_id]

    async def replacement(self, exchange: Exchange) -> tuple[OrderStatus, bool, int]:
        """Return where what replaces it stands, whether it is paid, and what it costs."""
        assert exchange.replacement_id is not None
        ids = [exchange.replacement_id]
        async with self.database.tenant_transaction(self.world.brand, read_only=True) as tx:
            row = (await orders_by_ids(tx, ids))[ids[0]]
        paid = await self.is_paid(ids[0])
        return OrderStatus(row["status"]), paid, row["total_minor"]

    async def is_paid(self, order_id: int) -> bool:
        query = "select is_paid from orders where id = $1"
        return bool(await self.admin.fetchval(query, order_id))

    async def pay(self, exchange: Exchange, amount_minor: int = 500) -> Exchange:
        done = await pay_exchange(
            self.database,
            self.world.brand,
            exchange.return_id,
            amount_minor,
            "WX-1",
            seen=None,
            key=fresh_key(),
        )
        return done.exchange

    async def waive(self, exchange: Exchange) -> Exchange:
        done = await waive_exchange(
            self.database,
            self.world.brand,
            exchange.return_id,
            "老客户",
            seen=None,
            key=fresh_key(),
        )
        return done.exchange

    async def let_go(self, exchange: Exchange, who: Principal | None = None) -> Placed:
        """Let what replaces it be sent before; returns that."""
        assert exchange.replacement_id is not None
        await release_hold(
            self.database,
            who or self.world.brand,
            exchange.replacement_id,
            Resolution(1),
            self.runtime.regions,
            fresh_key(),
        )
        return Placed(exchange.replacement_id, S.ALLOCATED, ())

    async def cancel(self, order_id: int) -> None:
        done = await cancel_order(self.database, self.world.brand, order_id, None, fresh_key())
        await self.runtime.publish_counters(self.world.tenant_id, done.counters)

    async def drop(self, exchange: Exchange, **given: Any) -> Exchange:
        given = {"seen": None, "key": fresh_key()} | given
        done = await drop_exchange(self.database, self.world.brand, exchange.return_id, **given)
        await self.runtime.publish_counters(self.world.tenant_id, done.counters)
        return done.exchange


@pytest.fixture
async def desk(desk: Desk, admin: Connection) -> Exchanging:
    found = Exchanging(desk.runtime, desk.world)
    found.admin = admin
    await found.rule(AUTOMATIC)
    await receive(found.database, found.world.brand, "store", "B", 10)
    return found


async def test_an_even_exchange_is_reserved_at_once_and_goes_when_it_is_back(
    desk: Exchanging,
) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order)
    assert exchange.status is E.WAITING
    assert await desk.replacement(exchange) == (S.HELD, False, PRICE)
    assert exchange.replacement_id is not None
    with pytest.raises(NothingToRelease):
        await desk.working.release()
    done = await desk.back(exchange, good=1)
    assert (done.status, done.credit_minor, done.due_minor) == (E.DONE, PRICE, 0)
    assert await desk.replacement(done) == (S.ALLOCATED, True, PRICE)
    assert await desk.refunds(order) == [("returned", "paid", PRICE)]
    await desk.working.release()
    await assert_clean(desk.runtime, desk.world)


async def test_a_dearer_one_waits_for_the_difference(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order, (WantedLine("B", 1, 1_500),))
    unpaid = await desk.back(exchange, good=1)
    assert (unpaid.status, unpaid.credit_minor, unpaid.due_minor) == (E.UNPAID, PRICE, 500)
    assert await desk.replacement(unpaid) == (S.HELD, False, 1_500)
    assert await desk.refunds(order) == [("returned", "kept", PRICE)]
    done = await desk.pay(unpaid)
    assert (done.status, done.due_minor, done.reference) == (E.DONE, 500, "WX-1")
    assert await desk.replacement(done) == (S.ALLOCATED, True, 1_500)
    assert await desk.refunds(order) == [("returned", "paid", PRICE)]
    await assert_clean(desk.runtime, desk.world)


async def test_of_a_cheaper_one_the_rest_is_paid_back(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order, (WantedLine("B", 1, 400),), units=2)
    done = await desk.back(exchange, good=2)
    assert (done.status, done.credit_minor) == (E.DONE, 400)
    assert await desk.refunds(order) == [("returned", "due", 2 * PRICE)]
    query = "select amount_minor - offset_minor from refund where order_id = $1"
    assert await desk.admin.fetchval(query, order.order_id) == 2 * PRICE - 400
    with pytest.raises(InvalidAfterSalesInput):
        await desk.move(order, 1, "waive")
    await desk.move(order, 1, "pay")
    await assert_clean(desk.runtime, desk.world)


async def test_what_was_denied_is_to_be_paid_or_dropped(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order)
    unpaid = await desk.back(exchange, denied=1)
    assert (unpaid.status, unpaid.credit_minor, unpaid.due_minor) == (E.UNPAID, 0, PRICE)
    dropped = await desk.drop(unpaid)
    assert dropped.status is E.CANCELLED
    assert (await desk.replacement(dropped))[0] is S.CANCELLED
    assert await desk.refunds(order) == []
    await assert_clean(desk.runtime, desk.world)


async def test_dropping_it_pays_back_what_came(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order, (WantedLine("B", 1, 1_500),))
    await desk.back(exchange, good=1)
    dropped = await desk.drop(exchange)
    assert dropped.status is E.CANCELLED
    assert await desk.refunds(order) == [("returned", "due", PRICE)]
    assert (await desk.replacement(dropped))[0] is S.CANCELLED
    await assert_clean(desk.runtime, desk.world)


@pytest.mark.parametrize("is_rejected", [True, False])
async def test_what_does_not_come_back_is_not_replaced(
    desk: Exchanging, *, is_rejected: bool
) -> None:
    await desk.rule(replace(AUTOMATIC, is_automatic=False))
    order = await desk.arrived(3)
    exchange = await desk.exchange(order)
    await desk.end(exchange.return_id, is_rejected=is_rejected)
    ended = await desk.stands(exchange)
    assert ended.status is E.CANCELLED
    assert (await desk.replacement(ended))[0] is S.CANCELLED
    await assert_clean(desk.runtime, desk.world)


async def test_the_brand_may_send_it_before(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order)
    sent = await desk.let_go(exchange)
    await desk.working.until(sent, "ship")
    done = await desk.back(exchange, good=1)
    assert done.status is E.DONE
    assert await desk.replacement(done) == (S.SHIPPED, True, PRICE)
    await assert_clean(desk.runtime, desk.world)


async def test_what_was_sent_and_nothing_came_for_is_to_be_paid(
    desk: Exchanging, admin: Connection
) -> None:
    order = await desk.arrived(3)
    exchange = await desk.exchange(order)
    sent = await desk.let_go(exchange)
    await desk.working.until(sent, "ship")
    await desk.end(exchange.return_id, is_rejected=False)
    unpaid = await desk.stands(exchange)
    assert (unpaid.status, unpaid.due_minor) == (E.UNPAID, PRICE)
    async with refused(admin, "ALREADY_SENT"):
        await desk.drop(unpaid)
    assert (await desk.pay(unpaid, PRICE)).status is E.DONE
    await assert_clean(desk.runtime, desk.world)


async def test_where_the_replacement_was_cancelled_it_is_paid_back(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order)
    assert exchange.replacement_id is not None
    await desk.cancel(exchange.replacement_id)
    assert (await desk.back(exchange, good=1)).status is E.CANCELLED
    assert await desk.refunds(order) == [("returned", "due", PRICE)]
    await assert_clean(desk.runtime, desk.world)


async def test_what_is_cancelled_after_it_was_exchanged_is_paid_back(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order)
    await desk.back(exchange, good=1)
    assert exchange.replacement_id is not None
    await desk.cancel(exchange.replacement_id)
    replacement = Placed(exchange.replacement_id, S.CANCELLED, ())
    assert await desk.refunds(replacement) == [("cancelled", "due", PRICE)]
    await assert_clean(desk.runtime, desk.world)


async def test_a_command_that_broke_off_is_carried_on(
    desk: Exchanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    key = fresh_key()

    async def breaks_off(*_: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr("backend.after_sales.exchange._link", breaks_off)
    with pytest.raises(ConnectionError):
        await desk.exchange(order, key=key)
    monkeypatch.undo()
    exchange = await desk.exchange(order, key=key)
    assert exchange.status is E.WAITING
    again = await desk.exchange(order, key=key)
    assert again.replacement_id == exchange.replacement_id
    query = "select count(*) from orders"
    assert await desk.admin.fetchval(query) == 2
    assert (await desk.back(exchange, good=1)).status is E.DONE


async def test_of_two_who_decide_at_once_one_is_told_so(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order, (WantedLine("B", 1, 1_500),))
    await desk.back(exchange, good=1)
    said = await asyncio.gather(desk.pay(exchange), desk.drop(exchange), return_exceptions=True)
    (refusal,) = [one for one in said if isinstance(one, BaseException)]
    assert isinstance(refusal, ExchangeChanged)
    done = await desk.stands(exchange)
    is_paid = done.status is E.DONE
    assert await desk.refunds(order) == [("returned", "paid" if is_paid else "due", PRICE)]
    await assert_clean(desk.runtime, desk.world)


async def test_what_comes_while_it_is_given_up_is_paid_back_or_exchanged(
    desk: Exchanging,
) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order)
    await desk.receive(exchange.return_id)
    await asyncio.gather(
        desk.inspect(exchange.return_id, good=1), desk.drop(exchange), return_exceptions=True
    )
    done = await desk.stands(exchange)
    is_exchanged = done.status is E.DONE
    assert await desk.refunds(order) == [("returned", "paid" if is_exchanged else "due", PRICE)]
    await assert_clean(desk.runtime, desk.world)


async def test_what_cannot_be_ordered_is_not_sent_back(desk: Exchanging) -> None:
    order = await desk.arrived(3)
    query = "update orders set region_code = null, address = '' where id = $1"
    await desk.admin.execute(query, order.order_id)
    key = fresh_key()
    for _ in range(2):  # whoever asks again hears the same
        with pytest.raises(ExchangeRefused):
            await desk.exchange(order, key=key)
    told = "select payload->>'status' from outbox where type = 'return.changed' order by id desc"
    assert await desk.admin.fetchval(told) == "cancelled"
    assert await desk.admin.fetchval("select status from return_request") == "cancelled"
    assert await desk.admin.fetchval("select status from exchange") == "cancelled"
    assert await desk.admin.fetchval("select count(*) from orders") == 1


async def test_refusals_change_nothing(desk: Exchanging, admin: Connection) -> None:
    order = await desk.arrived(3)
    for wanted in (
        (),
        (WantedLine("B", 0),),
        (WantedLine("B", 1, -1),),
        (WantedLine("B", 1, 5), WantedLine("A", 1)),
    ):
        async with refused(admin, InvalidAfterSalesInput.code):
            await desk.exchange(order, wanted)
    async with refused(admin, UnknownSku.code):
        await desk.exchange(order, (WantedLine("nothing", 1),))
    async with refused(admin, TooManyReturned.code):
        await desk.exchange(order, units=4)
    exchange = await desk.exchange(order)
    async with refused(admin, ExchangeChanged.code):
        await desk.pay(exchange)
    async with refused(admin, ExchangeChanged.code):
        await desk.drop(exchange, seen=exchange.version + 1)
    world = desk.world
    for who in (world.store, world.dealer):
        with pytest.raises(PermissionMissing):
            await drop_exchange(desk.database, who, exchange.return_id, seen=None, key=fresh_key())
    async with refused(admin, "UNKNOWN_EXCHANGE"):
        await drop_exchange(
            desk.database, world.brand, exchange.return_id + 9, seen=None, key=fresh_key()
        )


async def test_even_exchanges_cost_what_comes_back_to_the_last_fen(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1", order_discount_minor=100)
    exchange = await desk.exchange(order, (WantedLine("B", 2), WantedLine("A", 1)), units=2)
    worth = (3 * PRICE - 100) * 2 // 3
    assert (await desk.replacement(exchange))[2] == worth
    done = await desk.back(exchange, good=2)
    assert (done.status, done.credit_minor, done.due_minor) == (E.DONE, worth, 0)


async def test_what_is_due_follows_what_replaces_it(desk: Exchanging, admin: Connection) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order, (WantedLine("B", 2, 1_000),))
    assert (await desk.back(exchange, good=1)).due_minor == 1_000
    assert exchange.replacement_id is not None
    await cancel_order(
        desk.database,
        desk.world.brand,
        exchange.replacement_id,
        [CancelLine(1, 1)],
        fresh_key(),
    )
    assert (await desk.stands(exchange)).due_minor == 0
    async with refused(admin, WrongAmount.code):
        await desk.pay(exchange, 1_000)
    assert (await desk.pay(exchange, 0)).status is E.DONE
    assert await desk.refunds(order) == [("returned", "paid", PRICE)]


async def test_nobody_pays_for_what_was_cancelled(desk: Exchanging, admin: Connection) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order, (WantedLine("B", 1, 1_500),))
    await desk.back(exchange, good=1)
    assert exchange.replacement_id is not None
    await desk.cancel(exchange.replacement_id)
    async with refused(admin, NothingToPay.code):
        await desk.pay(exchange)
    async with refused(admin, NothingToPay.code):
        await desk.waive(exchange)
    assert (await desk.drop(exchange)).status is E.CANCELLED
    assert await desk.refunds(order) == [("returned", "due", PRICE)]
    await assert_clean(desk.runtime, desk.world)


async def test_no_more_is_paid_back_of_it_than_was_paid(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order, (WantedLine("B", 2, 1_000),))
    assert exchange.replacement_id is not None
    done = await cancel_order(
        desk.database,
        desk.world.brand,
        exchange.replacement_id,
        [CancelLine(1, 1)],
        fresh_key(),
    )
    await desk.runtime.publish_counters(desk.world.tenant_id, done.counters)
    assert (await desk.back(exchange, good=1)).status is E.DONE
    await desk.cancel(exchange.replacement_id)
    replacement = Placed(exchange.replacement_id, S.CANCELLED, ())
    assert await desk.refunds(replacement) == [("cancelled", "due", PRICE)]
    await assert_clean(desk.runtime, desk.world)


async def test_what_replaces_it_comes_back_when_it_is_settled(
    desk: Exchanging, admin: Connection
) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order)
    sent = await desk.let_go(exchange)
    await desk.working.until(sent, "deliver")
    async with refused(admin, NotReturnable.code):
        await desk.ask(sent)
    async with refused(admin, NothingToRefund.code):
        await desk.grant(sent, 100)
    await desk.back(exchange, good=1)
    back = (await desk.ask(sent)).request
    await desk.receive(back.id)
    await desk.inspect(back.id, good=1)
    assert await desk.refunds(sent) == [("returned", "due", PRICE)]
    await assert_clean(desk.runtime, desk.world)


async def test_what_was_given_away_is_exchanged_for_its_price(desk: Exchanging) -> None:
    order = await desk.arrived(1, order_discount_minor=PRICE, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order, (WantedLine("B", 1, 500),))
    unpaid = await desk.back(exchange, good=1)
    assert (unpaid.status, unpaid.credit_minor, unpaid.due_minor) == (E.UNPAID, 0, 500)
    assert (await desk.pay(unpaid)).status is E.DONE
    await assert_clean(desk.runtime, desk.world)


async def test_the_difference_may_be_forgone(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    exchange = await desk.exchange(order)
    sent = await desk.let_go(exchange)
    await desk.working.until(sent, "ship")
    assert (await desk.back(exchange, denied=1)).status is E.UNPAID
    assert (await desk.waive(exchange)).status is E.DONE
    query = "select is_paid, paid_minor from orders where id = $1"
    assert tuple(await desk.admin.fetchrow(query, exchange.replacement_id) or ()) == (True, 0)
    await assert_clean(desk.runtime, desk.world)


async def test_only_what_is_paid_back_is_told(desk: Exchanging) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")
    even = await desk.exchange(order)
    await desk.receive(even.return_id)
    assert (await desk.inspect(even.return_id, good=1)).owed_minor == 0
    cheaper = await desk.exchange(order, (WantedLine("B", 1, 400),))
    await desk.receive(cheaper.return_id)
    assert (await desk.inspect(cheaper.return_id, good=1)).owed_minor == PRICE - 400
    query = "select payload->>'amountMinor' from outbox where type = 'refund.due'"
    assert [row[0] for row in await desk.admin.fetch(query)] == [str(PRICE - 400)]


@pytest.mark.parametrize("ending", ["inspect", "drop", "reject"])
async def test_what_was_ordered_and_not_noted_is_found(
    desk: Exchanging, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    order = await desk.arrived(3, is_paid=True, external_id="X1")

    async def breaks_off(*_: Any) -> Any:
        raise ConnectionError

    if ending == "reject":
        await desk.rule(replace(AUTOMATIC, is_automatic=False))
    monkeypatch.setattr("backend.after_sales.exchange._link", breaks_off)
    with pytest.raises(ConnectionError):
        await desk.exchange(order)
    monkeypatch.undo()
    return_id = await desk.admin.fetchval("select return_id from exchange")
    async with desk.database.tenant_transaction(desk.world.brand, read_only=True) as tx:
        exchange = (await exchanges_by_returns(tx, [return_id]))[return_id]
    assert (exchange.status, exchange.replacement_id) == (E.ASKED, None)
    if ending == "inspect":
        exchange = await desk.back(exchange, good=1)
        assert exchange.status is E.DONE
    elif ending == "drop":
        exchange = await desk.drop(exchange)
    else:
        await desk.end(return_id, is_rejected=True)
        exchange = await desk.stands(exchange)
    wanted = S.ALLOCATED if ending == "inspect" else S.CANCELLED
    assert (await desk.replacement(exchange))[0] is wanted
    await assert_clean(desk.runtime, desk.world)


async def test_who_is_too_busy_ends_nothing(
    desk: Exchanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, key = await desk.arrived(3, is_paid=True, external_id="X1"), fresh_key()
    monkeypatch.setattr("backend.orders.lane.QUEUE_MAX", 0)
    with pytest.raises(TooBusy):
        await desk.exchange(order, key=key)
    monkeypatch.undo()
    assert (await desk.exchange(order, key=key)).status is E.WAITING


async def test_a_dealer_sends_nothing_before(desk: Exchanging, admin: Connection) -> None:
    world = desk.world
    await receive(desk.database, world.brand, "store", "A", 5)
    order = await desk.place(draft({"A": 1}, region=HANGZHOU, shop="dshop"))
    await desk.working.until(order, "deliver")
    exchange = await desk.exchange(order)
    async with refused(admin, HoldUnresolved.code):
        await desk.let_go(exchange, world.dealer)
    await desk.let_go(exchange)


async def test_even_is_even_whichever_units_come_first(desk: Exchanging) -> None:
    order = await desk.arrived(
        4, stock=9, is_paid=True, external_id="X1", order_discount_minor=3_798
    )
    first, second = await desk.exchange(order), await desk.exchange(order)
    assert (await desk.back(second, good=1)).status is E.DONE
    assert (await desk.back(first, good=1)).status is E.DONE
    await assert_clean(desk.runtime, desk.world)
