"""People of a brand at its front end."""

from collections import deque
from functools import partial

from locust import between, task

from loadtests.locust.front_end import FrontEnd
from loadtests.locust.order_answers import (
    cancelled,
    check_level,
    check_listed,
    check_sku,
    opened,
    placed,
    quantities_of,
)
from loadtests.locust.tallies import TALLIES

SHOP = "shop"
"""Of the brand itself, as in `loadtests.fresh_brand`."""
REMEMBERED = 50
"""Orders that somebody placed and may still cancel."""


class BrandUser(FrontEnd):
    """A clerk of a brand: logs in once, then reads lists and now and then acts.

    Traffic: a pause of 1 to 4 seconds after each screen, as somebody has who scans a list for one
    thing. Of 20 screens 17 read (orders 6, stock 5, one order with lines and events 4, SKUs 2), two
    place an order by hand (a phone call), one cancels such an order. A share of 3 in 11 users: few
    people, but their lists are the dearest reads.
    """

    weight = 3
    wait_time = between(1, 4)

    def on_start(self) -> None:
        self.person = self.one_of(self.scenario.people)
        self.log_in(self.person, "BRAND")
        self.own_orders: deque[tuple[str, int]] = deque(maxlen=REMEMBERED)

    @task(6)
    def read_orders(self) -> None:
        self.turn_page("orders", "Order", check_listed)

    @task(5)
    def read_stock(self) -> None:
        self.turn_page("stockLevels", "StockLevel", check_level)

    @task(2)
    def read_skus(self) -> None:
        self.turn_page("skus", "Sku", check_sku)

    @task(4)
    def open_order(self) -> None:
        page = self.last_page.get("orders")
        if page is None or not page.nodes:
            self.read_orders()
            return
        order_id = self.random.choice(page.nodes)["id"]
        self.ask("order", partial(opened, order_id=order_id), id=order_id)

    @task(2)
    def place_by_hand(self) -> None:
        maker = self.maker(self.scenario.skus[self.person.brand])
        order = maker.order(SHOP, idempotencyKey=self.fresh_key(), remark="by phone")
        quantities = quantities_of(order)
        order_id = self.ask("orderPlace", partial(placed, quantities=quantities), input=order)
        if order_id is not None:
            TALLIES.orders += 1
            self.own_orders.append((order_id, sum(quantities)))

    @task(1)
    def cancel_own(self) -> None:
        if not self.own_orders:
            self.place_by_hand()
            return
        order_id, units = self.own_orders.popleft()
        self.ask(
            "orderCancel",
            partial(cancelled, order_id=order_id, units=units),
            input={
                "orderId": order_id,
                "idempotencyKey": self.fresh_key(),
                "reason": "the customer called again",
            },
        )
