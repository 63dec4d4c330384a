"""Finding orders: what was asked for becomes terms, and the rarest of them leads."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from backend.db.errors import YipanError
from backend.db.pool import TenantTransaction
from backend.moments import fault_of_time
from backend.orders.model import TEXT_MAX, OrderStatus
from backend.orders.search.index import SQL
from backend.orders.search.terms import (
    SUFFIX_DIGITS,
    buyer_term,
    dealer_term,
    digits_of,
    node_term,
    number_term,
    phone_term,
    shop_term,
    sku_term,
    status_term,
)

RARE = 500
"""Orders from which on a term counts as common; how many there are then matters little."""
LOOKED_AT_MAX = 5_000
"""Entries of a leading term in one go: some 15 ms where hardly any has the other terms too."""
SKUS_MAX = 20
FOREVER_AGO = datetime(2000, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2200, 1, 1, tzinfo=UTC)

ANY_STATUS = [status_term(one) for one in OrderStatus]

Key = tuple[datetime, int]
"""Of a found order: when it was placed, and its id."""
BEGINNING: Key = (FAR_OFF, 2**62)
"""Behind this key comes everything."""


class InvalidSearch(YipanError):
    """What is to be found is not said in a way that could match an order."""

    code = "INVALID_SEARCH"


class OrderSearch(msgspec.Struct, frozen=True, kw_only=True):
    """What orders are to be like: all that is given must be so."""

    number: str | None = None
    """That the channel gave it; exactly."""
    buyer: str | None = None
    """Name, in whatever case."""
    phone: str | None = None
    """The last digits of the telephone number, four at least."""
    skus: tuple[str, ...] = ()
    """Each of them stands on a line, by code."""
    node_id: int | None = None
    """Does, or did, something for it."""
    shop_id: int | None = None
    statuses: tuple[OrderStatus, ...] = ()
    """One of them; none: any."""
    placed_from: datetime | None = None
    placed_before: datetime | None = None


class Found(NamedTuple):
    """Some of what is to be found."""

    keys: list[Key]
    until: Key | None = None
    """So far was looked, though fewer were found than asked for: go on behind it."""


async def find_orders(
    tx: TenantTransaction, search: OrderSearch, *, after: Key, limit: int
) -> Found:
    """Return up to `limit` orders that the principal may see, newest first, as they were indexed.

    Of each term that leads, LOOKED_AT_MAX orders are looked at. Raises InvalidSearch.
    """
    check_search(search)
    every = _terms(search, tx.principal.dealer_id)
    statuses = [status_term(one) for one in dict.fromkeys(search.statuses)]
    begin, end = search.placed_from or FOREVER_AGO, search.placed_before or FAR_OFF
    driving, others, is_one_of = statuses or ANY_STATUS, every, None
    if every:
        terms = [*every, *statuses]
        counts = await tx.fetch(SQL.count_terms, tx.tenant_id, terms, begin, end, RARE)
        orders = {row["term"]: row["orders"] for row in counts}
        rarest = min(every, key=lambda term: orders[term])
        if not statuses or orders[rarest] <= sum(orders[term] for term in statuses):
            driving = [rarest]
            others = [term for term in every if term != rarest]
            is_one_of = statuses or None
    before = min(after, (end, 0))
    suffix = digits_of(search.phone) if search.phone is not None else None
    further = suffix if suffix is not None and len(suffix) > SUFFIX_DIGITS else None
    rows = await tx.fetch(
        SQL.find_orders,
        tx.tenant_id,
        driving,
        others,
        is_one_of,
        begin,
        *before,
        further,
        limit,
        LOOKED_AT_MAX,
    )
    keys = [(row["placed_at"], row["order_id"]) for row in rows]
    if len(keys) == limit:
        return Found(keys)
    last = await tx.fetch_row(SQL.looked_at, tx.tenant_id, driving, begin, *before, LOOKED_AT_MAX)
    if last is None:
        return Found(keys)
    until = (last["placed_at"], last["order_id"])
    return Found([key for key in keys if key >= until], until)


def check_search(search: OrderSearch) -> None:
    """Raise InvalidSearch where nothing could be found by what is said."""
    texts = {"number": search.number, "buyer": search.buyer, "phone": search.phone}
    for name, text in texts.items():
        if text is not None and not 0 < len(text.strip()) <= TEXT_MAX:
            raise InvalidSearch(f"{name} has 1 to {TEXT_MAX} characters.", path=(name,))
        if text is not None and "\x00" in text:
            raise InvalidSearch("A text here cannot contain the character NUL.", path=(name,))
    if search.phone is not None and len(digits_of(search.phone)) < SUFFIX_DIGITS:
        raise InvalidSearch(f"Say the last {SUFFIX_DIGITS} digits at least.", path=("phone",))
    if len(search.skus) > SKUS_MAX:
        raise InvalidSearch(f"At most {SKUS_MAX} SKUs at once.", path=("skus",))
    if any("\x00" in code for code in search.skus):
        raise InvalidSearch("A text here cannot contain the character NUL.", path=("skus",))
    for name, moment in (
        ("placedFrom", search.placed_from),
        ("placedBefore", search.placed_before),
    ):
        if moment is not None and (fault := fault_of_time(moment)):
            raise InvalidSearch(fault, path=(name,))
    begin, end = search.placed_from, search.placed_before
    if begin is not None and end is not None and begin >= end:
        raise InvalidSearch("The span of time is empty.", path=("placedBefore",))


def _terms(search: OrderSearch, dealer_id: int | None) -> list[str]:
    """Return the terms that an order must have, all of them."""
    terms: list[str] = []
    if search.number is not None:
        terms.append(number_term(search.number))
    if search.buyer is not None:
        terms.append(buyer_term(search.buyer))
    if search.phone is not None:
        terms.append(phone_term(search.phone))
    terms += [sku_term(code) for code in dict.fromkeys(search.skus)]
    if search.node_id is not None:
        terms.append(node_term(search.node_id))
    if search.shop_id is not None:
        terms.append(shop_term(search.shop_id))
    if dealer_id is not None:
        terms.append(dealer_term(dealer_id))
    return terms
