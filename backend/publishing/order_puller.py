"""Fetches the paid orders of a shop's platform and places them."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from backend.channels.platform import ChannelOrder, ChannelStock
from backend.db.pool import Database
from backend.orders.model import AddressDraft, LineDraft, OrderDraft, Outcome, Placed
from backend.orders.place_orders import OrderIntake
from backend.publishing.connections import SQL
from backend.publishing.model import ShopAccess
from tenants.principal import system_principal

log = structlog.get_logger(__name__)


class OrderPuller:
    """Takes the orders of one shop from where it stopped; each is placed once, however often it
    comes, and the cursor moves on when all of a page are durable."""

    def __init__(
        self,
        tenant_id: int,
        database: Database,
        intake: OrderIntake,
        shop: ShopAccess,
        channel: ChannelStock,
        owner: str,
    ) -> None:
        self._database = database
        self._intake = intake
        self._shop = shop
        self._channel = channel
        self._owner = owner
        self._cursor = shop.orders_cursor
        self._principal = system_principal(tenant_id, "puller")

    async def pull(self) -> int:
        """Place the next page of orders; returns how many there were.

        Raises ChannelAway, ChannelBusy, ChannelRefused and DatabaseUnavailable; then the page comes
        again.
        """
        page = await self._channel.orders(self._cursor, self._channel.orders_page_max)
        if not page.orders:
            return 0
        drafts = [self._draft(order) for order in page.orders]
        outcomes = await self._intake.place_many(drafts, self._principal)
        self._report(page.orders, outcomes)
        async with self._database.tenant_transaction(self._principal) as tx:
            await tx.execute(
                SQL.store_cursor, tx.tenant_id, self._shop.shop_id, page.next, self._owner
            )
        self._cursor = page.next
        return len(page.orders)

    def _draft(self, order: ChannelOrder) -> OrderDraft:
        buyer = order.buyer
        return OrderDraft(
            shop=self._shop.shop_code,
            external_id=order.number,
            is_paid=True,
            ordered_at=datetime.fromisoformat(order.paid_at),
            total_minor=order.total_minor,
            address=AddressDraft(
                detail=buyer.address,
                region_code=buyer.region_code,
                name=buyer.name,
                phone=buyer.phone,
            ),
            lines=tuple(
                LineDraft(line.listing, line.quantity, line.unit_price_minor)
                for line in order.lines
            ),
        )

    def _report(self, orders: Sequence[ChannelOrder], outcomes: Sequence[Outcome]) -> None:
        """Say what could not be placed: a paid order is only refused if it cannot be read."""
        for order, outcome in zip(orders, outcomes, strict=True):
            if not isinstance(outcome, Placed):
                log.error(
                    "puller.not_placed",
                    shop=self._shop.shop_code,
                    order=order.number,
                    code=outcome.code,
                )
