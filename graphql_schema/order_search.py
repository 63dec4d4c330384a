"""Finding orders by what people know of them."""

from datetime import UTC, datetime, timedelta

import strawberry
from strawberry import relay

from backend.orders.find_orders import orders_by_ids
from backend.orders.model import OrderStatus
from backend.orders.search.find import BEGINNING, Key, OrderSearch, find_orders
from graphql_schema.context import YipanInfo
from graphql_schema.orders import Order, order_from
from graphql_schema.paging import (
    PAGE_DEFAULT,
    connection,
    cursor_of,
    key_of,
    number_of,
    page_size,
)
from tenants.principal import Permission

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@strawberry.input(description="What orders are to be like: all that is given must be so.")
class OrderSearchInput:
    number: str | None = strawberry.field(
        default=None, description="That the channel gave it; exactly."
    )
    buyer: str | None = strawberry.field(default=None, description="The whole name.")
    phone: str | None = strawberry.field(
        default=None, description="The last digits of the telephone number, four at least."
    )
    skus: list[str] = strawberry.field(
        default_factory=list, description="Each of them stands on a line; at most 20."
    )
    location_id: strawberry.ID | None = strawberry.field(
        default=None, description="Does, or did, something for it."
    )
    shop_id: strawberry.ID | None = None
    statuses: list[OrderStatus] = strawberry.field(
        default_factory=list, description="One of them; none: any."
    )
    placed_from: datetime | None = None
    placed_before: datetime | None = None


@strawberry.type
class OrderSearchQuery:
    @strawberry.field(
        description="Orders found by what is known of them, the newest first: as they stood a "
        "second ago, longer after a peak. What is shown of them is of now. A page may have fewer "
        "than are asked for where much has to be looked at: while there is a next page, go on."
    )
    async def orders_found(
        self,
        info: YipanInfo,
        search: OrderSearchInput,
        first: int = PAGE_DEFAULT,
        after: str | None = None,
    ) -> relay.Connection[Order]:
        info.context.principal.require(Permission.ORDERS_READ)
        limit = page_size(first)
        async with info.context.reading() as tx:
            found = await find_orders(tx, _search(search), after=_key(after), limit=limit)
            orders = await orders_by_ids(tx, [order_id for _, order_id in found.keys])
        rows = [(key, orders[key[1]]) for key in found.keys if key[1] in orders]
        page = connection(
            rows, first, lambda row: order_from(row[1]), lambda row: _cursor_of(row[0])
        )
        if found.until is not None:
            page.page_info.has_next_page = True
            page.page_info.end_cursor = _cursor_of(found.until)
        return page


def _search(search: OrderSearchInput) -> OrderSearch:
    location, shop = search.location_id, search.shop_id
    return OrderSearch(
        number=search.number,
        buyer=search.buyer,
        phone=search.phone,
        skus=tuple(search.skus),
        node_id=None if location is None else number_of("Location", location),
        shop_id=None if shop is None else number_of("Shop", shop),
        statuses=tuple(search.statuses),
        placed_from=search.placed_from,
        placed_before=search.placed_before,
    )


def _cursor_of(key: Key) -> str:
    return cursor_of((key[0] - EPOCH) // MICROSECOND, key[1])


def _key(cursor: str | None) -> Key:
    """Return the key of a cursor; raises InvalidPage."""
    start = (BEGINNING[0] - EPOCH) // MICROSECOND
    microseconds, order_id = key_of(cursor, (start, BEGINNING[1]))
    return EPOCH + MICROSECOND * min(max(microseconds, 0), start), order_id
