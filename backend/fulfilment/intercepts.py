"""Asking a node to stop what it has begun with (拦截), and its answer."""

import msgspec

from backend.db.commands import apply_once
from backend.db.pool import Database, TenantTransaction
from backend.events.model import Payload
from backend.fulfilment.bulk import working
from backend.fulfilment.errors import (
    InvalidFulfilmentInput,
    UnknownIntercept,
)
from backend.fulfilment.events import FulfilmentIntercepted, InterceptAsked, InterceptRefused
from backend.fulfilment.model import TEXT_MAX, InterceptState
from backend.fulfilment.waves import SQL
from backend.inventory.counters import Counters
from backend.orders.errors import InterceptPending
from backend.orders.find_work import open_intercepts
from backend.orders.give_up import give_up
from backend.orders.model import OrderStatus
from backend.orders.move_fulfilments import FulfilmentKey, lock_fulfilment
from backend.orders.states import FULFILMENT
from backend.orders.step import changing_order, tell_order
from tenants.principal import Permission, Principal

STOP = FULFILMENT.step("intercept")


class Stopped(msgspec.Struct, frozen=True):
    """What an answer came to: how many units were stopped, none where the node goes on."""

    status: OrderStatus
    units: int
    counters: Counters
    """To be published after the commit."""


async def ask_intercept(
    database: Database, principal: Principal, key: FulfilmentKey, reason: str, command_key: str
) -> int:
    """Ask a node to stop what it does for an order; returns the number of the request.

    Until the node answers, its parcels may not be handed over. Locks the key, then the order. Emits
    `fulfilment.intercept_asked`. Raises PermissionMissing, WriteRefused, UnknownOrder,
    InvalidFulfilmentInput, UnknownFulfilment, WrongFulfilmentState, InterceptPending,
    CommandConflict; then nothing has changed.
    """
    if not 0 < len(reason) <= TEXT_MAX:
        raise InvalidFulfilmentInput("Say why, in 1 to 200 characters.", path=("reason",))
    async with changing_order(database, principal, key.order_id, Permission.ORDERS_CANCEL) as tx:
        return await apply_once(
            tx,
            command_key,
            ("intercept", key, reason),
            int,
            lambda: _ask(tx, key, reason, principal.subject),
        )


async def _ask(tx: TenantTransaction, key: FulfilmentKey, reason: str, actor: str) -> int:
    row = await lock_fulfilment(tx, key, STOP.sources)
    if await open_intercepts(tx, [key]):
        raise InterceptPending
    where = row["node_id"], row["dealer_id"]
    number: int = await tx.fetch_value(
        SQL.insert_intercept, tx.tenant_id, *key, *where, reason, actor
    )
    await tell_order(tx, key.order_id, InterceptAsked(*key, row["node_id"], reason), row["node_id"])
    return number


async def answer_intercept(
    database: Database,
    principal: Principal,
    key: FulfilmentKey,
    *,
    stops: bool,
    answer: str,
    command_key: str,
) -> Stopped:
    """Answer that a fulfilment is stopped, or that it is too late, once.

    Stopped, its units are free again, and cancelled of the order; its parcels go nowhere, and what
    it took of earmarks, allotments, capacity and visits is given back. Locks the key, the order,
    earmarks, then its counters in order. Emits `fulfilment.intercepted` and `fulfilment.cancelled`,
    or `fulfilment.intercept_refused`. Raises PermissionMissing, WriteRefused,
    InvalidFulfilmentInput, UnknownFulfilment, WrongFulfilmentState, UnknownIntercept,
    CommandConflict; then nothing has changed.
    """
    if len(answer) > TEXT_MAX:
        raise InvalidFulfilmentInput(f"At most {TEXT_MAX} characters.", path=("answer",))
    async with working(database, principal) as tx:
        return await apply_once(
            tx,
            command_key,
            ("answer", key, stops, answer),
            Stopped,
            lambda: _answer(tx, key, stops, answer),
        )


async def _answer(tx: TenantTransaction, key: FulfilmentKey, stops: bool, answer: str) -> Stopped:
    row = await lock_fulfilment(tx, key, STOP.sources)
    number = (await open_intercepts(tx, [key])).get(key)
    if number is None:
        raise UnknownIntercept
    state = InterceptState.STOPPED if stops else InterceptState.REFUSED
    actor = tx.principal.subject
    await tx.execute(SQL.answer_intercept, tx.tenant_id, *key, number, state.value, answer, actor)
    if not stops:
        refused = InterceptRefused(*key, row["node_id"], answer)
        status = await tell_order(tx, key.order_id, refused, row["node_id"])
        return Stopped(status, 0, Counters())

    def tell(units: int) -> Payload:
        return FulfilmentIntercepted(*key, row["node_id"], units)

    order_id, number = key
    status, units, counters = await give_up(tx, order_id, [number], row["node_id"], tell)
    await tx.execute(SQL.cancel_parcels, tx.tenant_id, *key)
    return Stopped(status, units, counters)
