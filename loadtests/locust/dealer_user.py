"""A dealer's front end."""

from collections import defaultdict, deque
from functools import partial

from locust import between, task

from loadtests.locust.answers import Fields
from loadtests.locust.front_end import FrontEnd
from loadtests.locust.order_answers import (
    check_dealers_order,
    check_level,
    hidden,
    placed,
    quantities_of,
)
from loadtests.locust.scenario import Program
from loadtests.locust.tallies import TALLIES

REMEMBERED = 100
_recent: defaultdict[str, deque[str]] = defaultdict(partial(deque, maxlen=REMEMBERED))
"""The newest orders of each dealer, by the dealer's code: what the others must not see."""


class DealerUser(FrontEnd):
    """A customer in a dealer's web shop, whose server talks to Yipan with an API key.

    Traffic: a pause of 0.5 to 2 seconds, short because each page of the shop asks at once for what
    it shows. Of 13 steps 5 look at stock, 4 check out, 3 look at the dealer's own orders, one tries
    to open an order of another dealer and must not see it. A share of 5 in 11 users: the web shops
    are where most orders one by one come from.
    """

    weight = 5
    wait_time = between(0.5, 2)

    def on_start(self) -> None:
        self.dealer: Program = self.one_of(self.scenario.dealers)
        self.credential = self.dealer.key

    @task(5)
    def browse_stock(self) -> None:
        self.turn_page("stockLevels", "StockLevel", check_level)

    @task(4)
    def check_out(self) -> None:
        order = self.maker(self.dealer.skus).order(
            self.dealer.shops[0],
            idempotencyKey=self.fresh_key(),
            remark=self.dealer.code,
        )
        check = partial(placed, quantities=quantities_of(order))
        order_id = self.ask("orderPlace", check, input=order)
        if order_id is not None:
            TALLIES.orders += 1
            _recent[self.dealer.code].append(order_id)

    @task(3)
    def read_own_orders(self) -> None:
        self.turn_page("orders", "Order", self._check_own)

    @task(1)
    def open_anothers_order(self) -> None:
        others = [code for code in _recent if code != self.dealer.code]
        if not others:
            return
        order_id = self.random.choice(_recent[self.random.choice(others)])
        self.ask("order", hidden, name="order (another dealer's)", id=order_id)

    def _check_own(self, order: Fields) -> None:
        check_dealers_order(order, self.dealer.shops[0], self.dealer.code)
