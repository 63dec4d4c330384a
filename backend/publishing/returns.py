"""What buyers ask for on a shop's platform (平台售后单): taken over, and answered as it goes here.

The platform and we each have a state of a request. Each look lets ours follow theirs where they
are ahead, and tells them what we have decided where we are: whatever happens in between, the next
look sees both as they are.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from backend.after_sales.model import (
    TEXT_MAX,
    Refund,
    RefundStatus,
    Return,
    ReturnDraft,
    ReturnKind,
    ReturnStatus,
    ReturnUnits,
)
from backend.after_sales.pay_back import move_refund
from backend.after_sales.request import (
    approve_return,
    end_return,
    request_return,
    send_back,
    units_claimed,
)
from backend.after_sales.standing import lines_of_returns, refunds_of_orders, returns_by_ids
from backend.channels.errors import ChannelAway, ChannelBusy
from backend.channels.platform import (
    ChannelReturn,
    ChannelReturnKind,
    ChannelReturnStatus,
    ChannelReturnUnits,
    ChannelStock,
    ReturnAction,
    ReturnAnswer,
)
from backend.db.errors import DatabaseUnavailable, YipanError
from backend.db.pool import Database, Record
from backend.orders.find_orders import lines_of_orders, orders_by_external_ids
from backend.publishing.connections import SQL
from backend.publishing.model import ShopAccess
from tenants.principal import system_principal

log = structlog.get_logger(__name__)

R, Theirs = ReturnStatus, ChannelReturnStatus
ROUND_MAX = 200
"""Requests that are looked at in a round: the longest waiting."""
LOOK_AGAIN_SECONDS, PROBLEM_SECONDS = 15, 120
"""How long a request rests of which nothing is to be said, and one that somebody has to look at."""
NOTHING, UNKNOWN_ORDER = "", "The order is not here yet."
KIND = {
    ChannelReturnKind.RETURN: ReturnKind.RETURN,
    ChannelReturnKind.REFUND_ONLY: ReturnKind.REFUND_ONLY,
}
OPEN = (R.REQUESTED, R.APPROVED, R.SENT_BACK)
TO_BE_PAID = (RefundStatus.DUE, RefundStatus.ASKED, RefundStatus.FAILED)


class ReturnsDesk:
    """Keeps the requests of one shop in step with its platform; one process at a time does."""

    def __init__(
        self,
        tenant_id: int,
        database: Database,
        shop: ShopAccess,
        channel: ChannelStock,
        owner: str,
    ) -> None:
        self._database = database
        self._shop = shop
        self._channel = channel
        self._owner = owner
        self._cursor = shop.returns_cursor
        self._principal = system_principal(tenant_id, f"platform:{shop.shop_code}")

    async def pull(self) -> int:
        """Note what has changed on the platform since the last time; returns how many there were.

        Raises ChannelAway, ChannelBusy, ChannelRefused and DatabaseUnavailable; then the page comes
        again.
        """
        page = await self._channel.returns(self._cursor, self._channel.orders_page_max)
        if not page.returns:
            return 0
        latest = {one.number: one for one in page.returns}
        async with self._database.tenant_transaction(self._principal) as tx:
            for number in sorted(latest):
                await tx.execute(SQL.note_channel_return, *self._row(latest[number]))
            given = (tx.tenant_id, self._shop.shop_id, page.next, self._owner)
            await tx.execute(SQL.store_returns_cursor, *given)
        self._cursor = page.next
        return len(page.returns)

    def _row(self, told: ChannelReturn) -> tuple[object, ...]:
        units = msgspec.json.encode(told.lines).decode()
        return (
            self._principal.tenant_id,
            self._shop.shop_id,
            _clean(told.number),
            _clean(told.order),
            told.kind.value,
            told.status.value,
            _clean(units, len(units)),
            _clean(told.reason),
            _clean(told.carrier),
            _clean(told.waybill),
        )

    async def due(self) -> Sequence[Record]:
        """Return the requests that are to be looked at, the longest waiting first."""
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            given = (tx.tenant_id, self._shop.shop_id, ROUND_MAX)
            return await tx.fetch(SQL.due_channel_returns, *given)

    async def look(self, row: Record) -> bool:
        """Bring one request in step; returns whether the platform was called for that.

        What cannot be is left for somebody to look at, with the reason. Raises ChannelAway,
        ChannelBusy and DatabaseUnavailable; then it is looked at again.
        """
        calls = Counter[str]()
        try:
            is_settled, problem = await _Case(self, row, calls).settle()
        except (ChannelAway, ChannelBusy, DatabaseUnavailable):
            raise
        except YipanError as error:
            is_settled, problem = False, f"{error.code}: {error.message}"
            log.warning("returns.not_in_step", shop=self._shop.shop_code, number=row["number"])
        pause = PROBLEM_SECONDS if problem else LOOK_AGAIN_SECONDS
        async with self._database.tenant_transaction(self._principal) as tx:
            given = (row["id"], row["changed_at"], problem, is_settled, pause)
            await tx.execute(SQL.rest_channel_return, tx.tenant_id, *given)
        return bool(calls)


class _Case:
    """One request, as both have it."""

    def __init__(self, desk: ReturnsDesk, row: Record, calls: Counter[str]) -> None:
        self._desk = desk
        self._row = row
        self._calls = calls
        self._number: str = row["number"]
        self._theirs = Theirs(row["theirs"])
        self._kind = ChannelReturnKind(row["kind"])
        self._database, self._principal = desk._database, desk._principal

    async def settle(self) -> tuple[bool, str]:
        """Let ours follow theirs, then tell them what is new; returns whether both have ended."""
        refusal = self._row["refusal"]
        if refusal is not None and not self._theirs.is_final:
            await self._answer(ReturnAction.REFUSE, refusal)
        if refusal is not None and self._row["return_id"] is None:
            return self._theirs.is_final, NOTHING
        ours = await self._ours()
        if ours is None:
            is_over = self._theirs in (Theirs.CLOSED, Theirs.REFUSED)
            return is_over, NOTHING if is_over else UNKNOWN_ORDER
        ours = await self._follow(ours)
        if not self._theirs.is_final:
            problem = await self._tell(ours)
            if problem:
                return False, problem
        return await self._end(ours)

    async def _ours(self) -> Return | None:
        """Return our request of it, asked for now where there is none; None without its order."""
        return_id = self._row["return_id"]
        if return_id is None:
            if self._theirs in (Theirs.CLOSED, Theirs.REFUSED):
                return None
            return_id = await self._request()
        if return_id is None:
            return None
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            return (await returns_by_ids(tx, [return_id]))[return_id]

    async def _request(self) -> int | None:
        shop_id = self._desk._shop.shop_id
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            found = await orders_by_external_ids(tx, shop_id, [self._row["order_number"]])
            order_id = found.get(self._row["order_number"])
            if order_id is None:
                return None
            lines = (await lines_of_orders(tx, [order_id]))[order_id]
            claimed = await units_claimed(tx, order_id)
        wanted = units_of(
            lines, msgspec.json.decode(self._row["units"], type=list[ChannelReturnUnits]), claimed
        )
        units = await self._decided(wanted)
        reason = self._row["reason"] or "on the platform"
        draft = ReturnDraft(order_id, KIND[self._kind], units, reason)
        key = self._key("request")
        done = await request_return(self._database, self._principal, draft, key)
        async with self._database.tenant_transaction(self._principal) as tx:
            given = (self._row["id"], order_id, done.request.id)
            await tx.execute(SQL.link_channel_return, tx.tenant_id, *given)
        return done.request.id

    async def _decided(self, wanted: tuple[ReturnUnits, ...]) -> tuple[ReturnUnits, ...]:
        """Keep of which lines it is asked, before it is: whoever breaks off asks of the same."""
        async with self._database.tenant_transaction(self._principal) as tx:
            given = (self._row["id"], msgspec.json.encode(wanted).decode())
            kept = await tx.fetch_value(SQL.decide_asked, tx.tenant_id, *given)
        return msgspec.json.decode(kept, type=tuple[ReturnUnits, ...])

    async def _follow(self, ours: Return) -> Return:
        """Let ours take the steps that theirs has taken already."""
        theirs, given = self._theirs, (self._database, self._principal, ours.id)
        is_agreed = theirs in (Theirs.WAIT_BUYER_SEND, Theirs.WAIT_SELLER_RECEIVE, Theirs.DONE)
        if is_agreed and ours.status is R.REQUESTED:
            key = self._key("approve")
            ours = (await approve_return(*given, seen=ours.version, key=key)).request
        if theirs is Theirs.WAIT_SELLER_RECEIVE and ours.status is R.APPROVED:
            sent_by = (self._row["carrier"] or "?", self._row["waybill"] or "?")
            key = self._key("send")
            ours = (await send_back(*given, sent_by, seen=ours.version, key=key)).request
        if theirs is Theirs.CLOSED and ours.status in OPEN:
            ours = await self._end_ours(ours, "closed by the buyer", is_rejected=False)
        if theirs is Theirs.REFUSED and ours.status in OPEN:
            is_rejected = ours.status is R.REQUESTED
            reason = self._row["refusal"] or "refused on the platform"
            ours = await self._end_ours(ours, reason, is_rejected=is_rejected)
        return ours

    async def _end_ours(self, ours: Return, reason: str, *, is_rejected: bool) -> Return:
        done = await end_return(
            self._database,
            self._principal,
            ours.id,
            is_rejected=is_rejected,
            reason=reason,
            seen=ours.version,
            key=self._key("end"),
        )
        return done.request

    async def _tell(self, ours: Return) -> str:
        """Tell the platform what was decided here, until it stands where that leads.

        Returns what somebody has to look at: what is paid here, or waived, the platform does not
        pay too.
        """
        if ours.status in (R.REJECTED, R.CANCELLED):
            await self._answer(ReturnAction.REFUSE, ours.decision or "not agreed")
            return NOTHING
        is_paid_now = ours.status is R.CLOSED
        owed = await self._asked_to_pay(ours) if is_paid_now else None
        if owed is not None and owed.status is not RefundStatus.ASKED:
            return f"What is owed of it is {owed.status} here: decide on the platform."
        is_refund_only = self._kind is ChannelReturnKind.REFUND_ONLY
        if is_paid_now and is_refund_only and owed is None:
            await self._answer(ReturnAction.REFUSE, "nothing of it is left to be paid back")
            return NOTHING
        if self._theirs is Theirs.WAIT_SELLER and ours.status is not R.REQUESTED:
            await self._answer(ReturnAction.AGREE)
        if is_paid_now and not self._theirs.is_final:
            if owed is None:
                await self._answer(ReturnAction.REFUSE, "what came is not what was sold")
            else:
                amount = owed.amount_minor - owed.offset_minor
                await self._answer(ReturnAction.CONFIRM, amount_minor=amount)
        return NOTHING

    async def _answer(
        self, action: ReturnAction, reason: str = "", *, amount_minor: int = 0
    ) -> None:
        self._calls[action] += 1
        answer = ReturnAnswer(action, reason, amount_minor)
        after = await self._desk._channel.answer_return(self._number, answer)
        self._theirs = after.status
        async with self._database.tenant_transaction(self._principal) as tx:
            given = (self._row["id"], after.status.value)
            await tx.execute(SQL.set_theirs, tx.tenant_id, *given)

    async def _asked_to_pay(self, ours: Return) -> Refund | None:
        """Return what is owed of it, if anything; whoever pays is the platform now."""
        owed = await self._owed(ours)
        if owed is not None and owed.status in (RefundStatus.DUE, RefundStatus.FAILED):
            owed = await self._move(owed, "ask")
        return owed

    async def _owed(self, ours: Return) -> Refund | None:
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            found = (await refunds_of_orders(tx, [ours.order_id])).get(ours.order_id, [])
        return next((one for one in found if one.return_id == ours.id), None)

    async def _move(self, owed: Refund, step: str) -> Refund:
        return await move_refund(
            self._database,
            self._principal,
            (owed.order_id, owed.refund_no),
            step,
            self._number,
            seen=owed.version,
            key=self._key(f"{step}-{owed.version}"),
        )

    async def _end(self, ours: Return) -> tuple[bool, str]:
        """Return whether both have ended, and what somebody has to look at."""
        if self._theirs is Theirs.DONE:
            if ours.status is R.CLOSED:
                owed = await self._owed(ours)
                if owed is not None and owed.status in TO_BE_PAID:
                    await self._move(owed, "pay")
                return True, NOTHING
            if ours.status in (R.REJECTED, R.CANCELLED):
                return False, "The platform has paid the buyer, and here it is refused."
            return False, NOTHING  # it is paid already, and still to come back
        if not self._theirs.is_final:
            return False, NOTHING
        owed = await self._owed(ours)
        if owed is not None and owed.status in TO_BE_PAID:
            return False, f"The platform has ended it, and {owed.amount_minor} is owed here."
        if ours.status is R.RECEIVED and await self._has_come(ours):
            return False, "The platform has ended it, and the goods are here."
        return ours.status not in OPEN, NOTHING

    async def _has_come(self, ours: Return) -> bool:
        async with self._database.tenant_transaction(self._principal, read_only=True) as tx:
            lines = (await lines_of_returns(tx, [ours.id])).get(ours.id, [])
        return any(line.received > line.denied for line in lines)

    def _key(self, step: str) -> str:
        return f"platform-return-{self._row['id']}-{step}"


def _clean(text: str, most: int = TEXT_MAX) -> str:
    """Return a text of a platform as it can be kept: whatever buyers write, the rest goes on."""
    return text.replace("\0", "").replace("\\u0000", "")[:most]


def units_of(
    lines: Sequence[Record], wanted: Sequence[ChannelReturnUnits], claimed: Mapping[int, int]
) -> tuple[ReturnUnits, ...]:
    """Return units of listings as units of an order's lines, the first lines first.

    `claimed` are units by line that are not there to be asked for. What no line has is asked of the
    last line of its listing, or of line 0: that is refused then.
    """
    asked: Counter[str] = Counter()
    for one in wanted:
        asked[one.listing] += one.quantity
    found: Counter[int] = Counter()
    for listing, quantity in asked.items():
        left, last = quantity, 0
        for line in lines:
            if line["sku_code"] == listing:
                last = line["line_no"]
                there = line["delivered"] + line["shipped"] - claimed.get(last, 0)
                part = max(0, min(left, there))
                found[last] += part
                left -= part
        found[last] += left
    return tuple(ReturnUnits(line_no, units) for line_no, units in sorted(found.items()) if units)
