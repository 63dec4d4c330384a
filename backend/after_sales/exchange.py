"""Exchanging (换货): what replaces goods is ordered, and reserved, before they are back."""

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from backend.after_sales.errors import (
    AlreadySent,
    ExchangeRefused,
    InvalidAfterSalesInput,
    UnknownExchange,
)
from backend.after_sales.exchanging import (
    NOTHING_CAME,
    Exchanging,
    credit_and_due,
    drop,
    finish,
    is_begun,
    lock_exchange,
    lock_for,
    set_exchange,
)
from backend.after_sales.model import (
    LINES_MAX,
    TEXT_MAX,
    Exchange,
    ExchangeDone,
    ExchangeDraft,
    ExchangeStatus,
    Return,
    ReturnDone,
    ReturnKind,
    ReturnStatus,
    WantedLine,
)
from backend.after_sales.request import begin_request, check_draft, told_of
from backend.after_sales.standing import SQL, deciding, returns_by_ids, set_return
from backend.after_sales.states import EXCHANGE, RETURN
from backend.catalog.find_skus import sku_ids_by_codes
from backend.db.commands import apply_once
from backend.db.pool import Database, TenantTransaction
from backend.inventory.counters import Counters
from backend.orders.apportion import apportion
from backend.orders.cancel_orders import cancel_rest
from backend.orders.errors import NothingToPay, TooBusy, WrongAmount
from backend.orders.intake import Hold
from backend.orders.model import (
    AMOUNT_MINOR_MAX,
    QUANTITY_MAX,
    AddressDraft,
    HoldKind,
    LineDraft,
    OrderDraft,
    OrderStatus,
    Outcome,
    Refused,
    Shortage,
)
from backend.orders.place_orders import RETRY_AFTER_SECONDS, OrderIntake
from backend.orders.refunds import mark_paid
from backend.orders.step import changing_order, tell_order
from tenants.principal import Kind, Permission, Principal, system_principal

WAITS = "It goes when what it is exchanged for is back."
DECODE_LINES = msgspec.json.Decoder(tuple[LineDraft, ...])


async def request_exchange(
    database: Database,
    intake: OrderIntake,
    principal: Principal,
    draft: ExchangeDraft,
    key: str,
) -> tuple[Return, ExchangeDone]:
    """Ask to send units of an order back for others, once; those are ordered, and reserved, now.

    They are an order of their own, of the same shop to the same place, which is held until what
    comes back was inspected and the difference is paid. Without prices the exchange is even: what
    is wanted costs what comes back is worth. A command that broke off is carried on by giving it
    again. Locks the key, the order; then what placing an order does. Emits what `request_return`
    and `OrderIntake.place` do, and `exchange.changed`. Raises what `request_return` does,
    UnknownSku, TooBusy, ExchangeRefused; then nothing has changed, or the request is cancelled,
    or (TooBusy) waits to be given again.
    """
    check_draft(draft.back)
    _check_wanted(draft)
    principal.require(Permission.ORDERS_PLACE)
    order_id = draft.back.order_id
    async with changing_order(database, principal, order_id, Permission.ORDERS_CANCEL) as tx:
        content = ("request_exchange", draft)
        asked = await apply_once(tx, key, content, ReturnDone, partial(_ask, tx, draft))
    order, found = await _to_order(database, principal, asked.request.id)
    counters = Counters()
    exchange = found.exchange
    if exchange.status is ExchangeStatus.ASKED:
        outcome: Outcome | None = None
        if found.replacement is None:
            waits_for = Hold(HoldKind.EXCHANGE, WAITS)
            outcome = await intake.place(order, principal, waits_for=waits_for)
            if isinstance(outcome, Refused) and outcome.code == TooBusy.code:
                raise TooBusy(RETRY_AFTER_SECONDS)
        exchange, counters = await _link(database, principal, asked.request.id, outcome)
    async with database.tenant_transaction(principal, read_only=True) as tx:
        request = (await returns_by_ids(tx, [asked.request.id]))[asked.request.id]
    if exchange.status is ExchangeStatus.CANCELLED and exchange.replacement_id is None:
        raise ExchangeRefused(f"It cannot be ordered: {request.decision}", path=("wanted",))
    return request, ExchangeDone(exchange, counters)


async def pay_exchange(
    database: Database,
    principal: Principal,
    return_id: int,
    amount_minor: int,
    reference: str,
    *,
    seen: int | None,
    key: str,
) -> ExchangeDone:
    """Note that the difference was paid, all of it, once: then what replaces it may be sent.

    For the brand. Locks the key, both orders, the exchange. Emits `exchange.changed`,
    `refund.changed`, `order.hold_released`. Raises PermissionMissing, WriteRefused,
    UnknownExchange, ExchangeChanged, WrongAmount, NothingToPay, InvalidAfterSalesInput,
    CommandConflict; then nothing has changed.
    """
    _check_reference(reference)

    async def work(tx: TenantTransaction) -> ExchangeDone:
        found = await lock_for(tx, return_id, EXCHANGE.step("pay"), seen)
        credit, due = await _what_is_due(tx, found)
        if amount_minor != due:
            raise WrongAmount(f"{due} is to be paid now.", path=("amountMinor",))
        done = await finish(tx, found, credit=credit, paid_beside=due, reference=reference)
        return ExchangeDone(done, Counters())

    content = ("pay_exchange", return_id, amount_minor, reference, seen)
    return await _apply(database, principal, return_id, key, content, work)


async def waive_exchange(
    database: Database,
    principal: Principal,
    return_id: int,
    reason: str,
    *,
    seen: int | None,
    key: str,
) -> ExchangeDone:
    """Forgo the difference, once: what replaces it may be sent, or was.

    Guarantees and errors are those of `pay_exchange`.
    """
    _check_reference(reason)

    async def work(tx: TenantTransaction) -> ExchangeDone:
        found = await lock_for(tx, return_id, EXCHANGE.step("waive"), seen)
        credit, _ = await _what_is_due(tx, found)
        done = await finish(tx, found, credit=credit, paid_beside=0, reference=reason)
        return ExchangeDone(done, Counters())

    content = ("waive_exchange", return_id, reason, seen)
    return await _apply(database, principal, return_id, key, content, work)


async def _what_is_due(tx: TenantTransaction, found: Exchanging) -> tuple[int, int]:
    """Return credit and difference as what replaces it costs now; raises NothingToPay."""
    if found.replacement is None or found.replacement["status"] == OrderStatus.CANCELLED:
        raise NothingToPay("What replaces it was cancelled: give the exchange up.")
    return await credit_and_due(tx, found)


async def drop_exchange(
    database: Database, principal: Principal, return_id: int, *, seen: int | None, key: str
) -> ExchangeDone:
    """Give an exchange up, once: what replaces it is cancelled, and what came back is owed.

    While nothing has come back, what was asked for is sent back all the same, and paid back. Locks
    the key, both orders, the exchange, then what cancelling does. Emits `exchange.changed`,
    `refund.changed`, `order.cancelled`. Raises AlreadySent, and what `pay_exchange` does.
    """

    async def work(tx: TenantTransaction) -> ExchangeDone:
        found = await lock_for(tx, return_id, EXCHANGE.step("drop"), seen)
        if found.replacement is not None and await is_begun(tx, found.replacement["id"]):
            raise AlreadySent
        counters = await drop(tx, found, principal.subject)
        return ExchangeDone((await _locked(tx, return_id)).exchange, counters)

    content = ("drop_exchange", return_id, seen)
    return await _apply(database, principal, return_id, key, content, work)


async def _apply(
    database: Database,
    principal: Principal,
    return_id: int,
    key: str,
    content: tuple[object, ...],
    work: Callable[[TenantTransaction], Awaitable[ExchangeDone]],
) -> ExchangeDone:
    """Carry a command out about money, which is the brand's."""
    known = SQL.order_of_exchange, UnknownExchange()
    never = (Kind.STORE, Kind.DEALER)
    async with deciding(database, principal, return_id, known, never) as tx:
        return await apply_once(tx, key, content, ExchangeDone, partial(work, tx))


async def _ask(tx: TenantTransaction, draft: ExchangeDraft) -> ReturnDone:
    await sku_ids_by_codes(tx, [line.sku for line in draft.wanted])
    units = {part.line_no: part.quantity for part in draft.back.lines}
    order_id = draft.back.order_id
    asked = await begin_request(tx, draft.back)
    worth = await tx.fetch_value(
        SQL.worth_of_units, tx.tenant_id, order_id, list(units), list(units.values())
    )
    order = await tx.fetch_row(SQL.place_of_order, tx.tenant_id, order_id)
    assert order is not None, "it is locked"
    lines = _priced(draft.wanted, worth)
    await tx.execute(
        SQL.insert_exchange,
        tx.tenant_id,
        asked.request.id,
        order_id,
        order["dealer_id"],
        msgspec.json.encode(lines).decode(),
        draft.wanted[0].unit_price_minor is None,
    )
    return asked


def _priced(wanted: tuple[WantedLine, ...], worth: int) -> tuple[LineDraft, ...]:
    """Return the lines of the order: at their prices, or together at what comes back is worth."""
    if wanted[0].unit_price_minor is not None:
        return tuple(LineDraft(one.sku, one.quantity, one.unit_price_minor or 0) for one in wanted)
    lines = []
    for one, share in zip(wanted, apportion(worth, [one.quantity for one in wanted]), strict=True):
        price = -(-share // one.quantity)
        lines.append(LineDraft(one.sku, one.quantity, price, price * one.quantity - share))
    return tuple(lines)


async def _to_order(
    database: Database, principal: Principal, return_id: int
) -> tuple[OrderDraft, Exchanging]:
    """Return the order that replaces what comes back, and how the exchange stands."""
    system = system_principal(principal.tenant_id, principal.subject)
    async with database.tenant_transaction(system) as tx:
        found = await _locked(tx, return_id)
        place = await tx.fetch_row(SQL.place_of_order, tx.tenant_id, found.exchange.order_id)
    assert place is not None, "its order exists"
    order = OrderDraft(
        shop=place["shop"],
        address=AddressDraft(
            place["address"],
            region_code=place["region_code"],
            name=place["buyer_name"],
            phone=place["buyer_phone"],
        ),
        lines=DECODE_LINES.decode(found.wanted),
        external_id=f"exchange-{return_id}",
        shortage=Shortage.BACKORDER,
    )
    return order, found


async def _link(
    database: Database, principal: Principal, return_id: int, outcome: Outcome | None
) -> tuple[Exchange, Counters]:
    """Note what was ordered; where the exchange has ended meanwhile, that is cancelled again."""
    system = system_principal(principal.tenant_id, principal.subject)
    async with database.tenant_transaction(system) as tx:
        found = await _locked(tx, return_id)
        exchange, replacement = found.exchange, found.replacement
        if exchange.status is not ExchangeStatus.ASKED:
            if exchange.status is ExchangeStatus.CANCELLED and replacement is not None:
                who = principal.subject
                return exchange, await cancel_rest(tx, replacement["id"], who, NOTHING_CAME)
            return exchange, Counters()
        if replacement is not None:
            await mark_paid(tx, replacement["id"], 0, is_paid=False)
            return await set_exchange(tx, found, ExchangeStatus.WAITING), Counters()
        assert isinstance(outcome, Refused), "what was placed is found by its key"
        await _cancel_request(tx, return_id, outcome.message)
        return await set_exchange(tx, found, ExchangeStatus.CANCELLED), Counters()


async def _cancel_request(tx: TenantTransaction, return_id: int, why: str) -> None:
    row = (await returns_by_ids(tx, [return_id]))[return_id]
    if row.status in RETURN.step("cancel").sources:
        after = await set_return(tx, row, ReturnStatus.CANCELLED, decision=why[:TEXT_MAX])
        await tell_order(tx, row.order_id, told_of(after))


async def _locked(tx: TenantTransaction, return_id: int) -> Exchanging:
    found = await lock_exchange(tx, return_id)
    assert found is not None, "it was asked for"
    return found


def _check_wanted(draft: ExchangeDraft) -> None:
    if draft.back.kind is not ReturnKind.RETURN:
        raise InvalidAfterSalesInput("Goods come back for what is wanted instead.", path=("kind",))
    if not 0 < len(draft.wanted) <= LINES_MAX:
        raise InvalidAfterSalesInput(f"Name 1 to {LINES_MAX} lines.", path=("wanted",))
    if len({one.unit_price_minor is None for one in draft.wanted}) > 1:
        raise InvalidAfterSalesInput("Give a price to each line, or to none.", path=("wanted",))
    for at, one in enumerate(draft.wanted):
        if not 1 <= one.quantity <= QUANTITY_MAX:
            raise InvalidAfterSalesInput("1 unit or more.", path=("wanted", at, "quantity"))
        if not 0 <= (one.unit_price_minor or 0) <= AMOUNT_MINOR_MAX:
            raise InvalidAfterSalesInput(
                "A unit price is 0 or more.", path=("wanted", at, "unitPriceMinor")
            )


def _check_reference(text: str) -> None:
    if not 0 < len(text) <= TEXT_MAX:
        raise InvalidAfterSalesInput(
            f"Say what the payment is called, or why, in 1 to {TEXT_MAX} characters.",
            path=("reference",),
        )
