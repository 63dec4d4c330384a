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
    Exchanging,
    cancel_replacement,
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
from backend.after_sales.request import begin_request, check_draft
from backend.after_sales.standing import SQL, returns_by_ids, set_return
from backend.after_sales.states import EXCHANGE, RETURN
from backend.catalog.find_skus import sku_ids_by_codes
from backend.db.commands import apply_once
from backend.db.errors import WriteRefused
from backend.db.pool import Database, TenantTransaction
from backend.inventory.counters import Counters
from backend.orders.apportion import apportion
from backend.orders.intake import Hold
from backend.orders.model import (
    AMOUNT_MINOR_MAX,
    QUANTITY_MAX,
    AddressDraft,
    HoldKind,
    LineDraft,
    OrderDraft,
    Placed,
    Refused,
    Shortage,
)
from backend.orders.place_orders import OrderIntake
from backend.orders.step import changing_order
from tenants.principal import Kind, Permission, PermissionMissing, Principal, system_principal

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
    UnknownSku, ExchangeRefused; then nothing has changed, or the request is cancelled.
    """
    check_draft(draft.back)
    _check_wanted(draft)
    principal.require(Permission.ORDERS_PLACE)
    order_id = draft.back.order_id
    async with changing_order(database, principal, order_id, Permission.ORDERS_CANCEL) as tx:
        content = ("request_exchange", draft)
        asked = await apply_once(tx, key, content, ReturnDone, partial(_ask, tx, draft))
    order, exchange = await _to_order(database, principal, asked.request.id)
    counters = Counters()
    if exchange.status is ExchangeStatus.ASKED:
        waits_for = Hold(HoldKind.EXCHANGE, WAITS)
        outcome = await intake.place(order, principal, waits_for=waits_for)
        exchange, counters = await _link(database, principal, asked.request.id, outcome)
        if isinstance(outcome, Refused):
            raise ExchangeRefused(f"It cannot be ordered: {outcome.message}", path=("wanted",))
    async with database.tenant_transaction(principal, read_only=True) as tx:
        request = (await returns_by_ids(tx, [asked.request.id]))[asked.request.id]
    return request, ExchangeDone(exchange, counters)


async def pay_exchange(
    database: Database,
    principal: Principal,
    return_id: int,
    reference: str,
    *,
    seen: int | None,
    key: str,
) -> ExchangeDone:
    """Note that the difference was paid, once: then what replaces it may be sent.

    For the brand. Locks the key, both orders, the exchange. Emits `exchange.changed`,
    `refund.changed`, `order.hold_released`. Raises PermissionMissing, WriteRefused,
    UnknownExchange, ExchangeChanged, InvalidAfterSalesInput, CommandConflict; then nothing has
    changed.
    """
    if not 0 < len(reference) <= TEXT_MAX:
        raise InvalidAfterSalesInput(
            f"Say what the payment is called, in 1 to {TEXT_MAX} characters.", path=("reference",)
        )

    async def work(tx: TenantTransaction) -> ExchangeDone:
        found = await lock_for(tx, return_id, EXCHANGE.step("pay"), seen)
        credit = found.exchange.credit_minor
        return ExchangeDone(await finish(tx, found, credit=credit, reference=reference), Counters())

    content = ("pay_exchange", return_id, reference, seen)
    return await _apply(database, principal, return_id, key, content, work)


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
    principal.require(Permission.ORDERS_CANCEL)
    if principal.kind in (Kind.STORE, Kind.DEALER):  # money: the brand's
        raise PermissionMissing(Permission.ORDERS_CANCEL)
    if principal.is_read_only:
        raise WriteRefused
    async with database.tenant_transaction(principal, read_only=True) as tx:
        if await tx.fetch_row(SQL.order_of_exchange, tx.tenant_id, return_id) is None:
            raise UnknownExchange
    system = system_principal(principal.tenant_id, principal.subject)
    async with database.tenant_transaction(system) as tx:
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
) -> tuple[OrderDraft, Exchange]:
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
        idempotency_key=f"exchange:{return_id}",
        shortage=Shortage.BACKORDER,
    )
    return order, found.exchange


async def _link(
    database: Database, principal: Principal, return_id: int, outcome: Placed | Refused
) -> tuple[Exchange, Counters]:
    """Note what was ordered; where the exchange has ended meanwhile, that is cancelled again."""
    system = system_principal(principal.tenant_id, principal.subject)
    async with database.tenant_transaction(system) as tx:
        found = await _locked(tx, return_id)
        exchange = found.exchange
        if isinstance(outcome, Refused):
            if exchange.status is ExchangeStatus.ASKED:
                exchange = await set_exchange(tx, exchange, ExchangeStatus.CANCELLED)
                await _cancel_request(tx, return_id, outcome.message)
            return exchange, Counters()
        if exchange.status is ExchangeStatus.ASKED:
            linked = await set_exchange(
                tx, exchange, ExchangeStatus.WAITING, replacement_id=outcome.order_id
            )
            return linked, Counters()
        if exchange.status is ExchangeStatus.CANCELLED:
            return exchange, await cancel_replacement(tx, outcome.order_id, principal.subject)
        return exchange, Counters()


async def _cancel_request(tx: TenantTransaction, return_id: int, why: str) -> None:
    row = (await returns_by_ids(tx, [return_id]))[return_id]
    if row.status in RETURN.step("cancel").sources:
        await set_return(tx, row, ReturnStatus.CANCELLED, decision=why[:TEXT_MAX])


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
