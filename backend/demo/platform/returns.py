"""What buyers of a shop want to send back, or to be paid back for."""

from msgspec.structs import replace

from backend.demo.platform import limits
from backend.demo.platform.refusal import Refusal
from backend.demo.platform.wire import (
    Return,
    ReturnAction,
    ReturnAnswer,
    ReturnDraft,
    ReturnKind,
    ReturnStatus,
    Shipment,
)

S, A = ReturnStatus, ReturnAction
FINAL = (S.REFUSED, S.CLOSED, S.DONE)
AFTER = {
    (A.AGREE, ReturnKind.RETURN): ((S.WAIT_SELLER,), S.WAIT_BUYER_SEND),
    (A.AGREE, ReturnKind.REFUND_ONLY): ((S.WAIT_SELLER,), S.DONE),
    (A.CONFIRM, ReturnKind.RETURN): ((S.WAIT_BUYER_SEND, S.WAIT_SELLER_RECEIVE), S.DONE),
}
"""From where to where an answer leads; a refusal ends whatever has not ended."""


class Returns:
    """The requests of a shop; each change is told again, in the order in which it happened."""

    def __init__(self, shop: str) -> None:
        self._shop = shop
        self._by_number: dict[str, Return] = {}
        self._changes: list[Return] = []

    def ask(self, order: str, draft: ReturnDraft) -> Return:
        """Let a buyer ask; raises Refusal for a shop that is full."""
        if len(self._by_number) >= limits.RETURNS_MAX:
            raise Refusal(409, "full", f"a shop has at most {limits.RETURNS_MAX} returns")
        number = f"{self._shop}-R{len(self._by_number) + 1:07}"
        made = Return(number, order, draft.kind, S.WAIT_SELLER, draft.lines, draft.reason)
        return self._set(made)

    def send(self, number: str, shipment: Shipment) -> Return:
        """Let a buyer send it back; raises Refusal where the seller has not agreed."""
        found = self._found(number, (S.WAIT_BUYER_SEND,))
        sent = {"carrier": shipment.carrier, "waybill": shipment.waybill}
        return self._set(replace(found, status=S.WAIT_SELLER_RECEIVE, **sent))

    def close(self, number: str) -> Return:
        """Let a buyer keep it; raises Refusal where it has ended."""
        open_ones = tuple(status for status in S if status not in FINAL)
        return self._set(replace(self._found(number, open_ones), status=S.CLOSED))

    def pay(self, number: str, amount_minor: int) -> Return:
        """Let the platform pay the buyer without asking the seller (极速退款)."""
        open_ones = tuple(status for status in S if status not in FINAL)
        found = self._found(number, open_ones)
        return self._set(replace(found, status=S.DONE, amount_minor=amount_minor))

    def answer(self, number: str, answer: ReturnAnswer, owed_minor: int) -> Return:
        """Let the seller answer; the same answer again changes nothing.

        `owed_minor` is what is paid back of a request without goods. Raises Refusal for an answer
        that does not fit.
        """
        found = self._found(number)
        if answer.action is A.REFUSE:
            sources, target = tuple(s for s in S if s not in FINAL), S.REFUSED
        else:
            sources, target = AFTER.get((answer.action, found.kind), ((), S.WAIT_SELLER))
        if sources and found.status is target:
            return found
        if found.status not in sources:
            raise Refusal(409, "not_now", f"it is {found.status}", stands=found.status)
        paid = 0
        if target is S.DONE:
            paid = answer.amount_minor if answer.action is A.CONFIRM else owed_minor
        return self._set(replace(found, status=target, amount_minor=paid))

    def since(self, place: int, limit: int) -> tuple[list[Return], int]:
        """Return up to `limit` changes from a place on, and the place after them."""
        found = self._changes[place : place + limit]
        return found, place + len(found)

    def of(self, number: str) -> Return:
        """Return a request; raises Refusal where there is none."""
        return self._found(number)

    def all(self) -> list[Return]:
        return list(self._by_number.values())

    def _found(self, number: str, statuses: tuple[ReturnStatus, ...] = tuple(S)) -> Return:
        found = self._by_number.get(number)
        if found is None:
            raise Refusal(404, "unknown_return", f"there is no return {number}")
        if found.status not in statuses:
            raise Refusal(409, "not_now", f"it is {found.status}", stands=found.status)
        return found

    def _set(self, after: Return) -> Return:
        self._by_number[after.number] = after
        self._changes.append(after)
        return after
