"""A platform that pushes the orders of its shops."""

from collections import deque
from functools import partial
from typing import Any

import msgspec
from locust import between, task
from locust.contrib.fasthttp import FastResponse

from loadtests.locust.front_end import FrontEnd
from loadtests.locust.made_orders import next_number
from loadtests.locust.order_answers import page_answers
from loadtests.locust.scenario import Program
from loadtests.locust.tallies import TALLIES

PATH = "/intake/orders"
PAGE_MIN = 20
PAGE_MAX = 200
AGAIN_SHARE = 0.2
"""Pages that begin with orders sent before: platforms send again what they are not sure of."""
AGAIN_ORDERS = 10
REMEMBERED = 200
Order = dict[str, Any]


class PlatformUser(FrontEnd):
    """A connector of a platform (天猫, 京东, …): collects paid orders and pushes them by the page.

    Traffic: a page of 20 to 200 orders, then a pause of 5 to 10 seconds in which the next ones
    come together. Every fifth page begins with orders of an earlier page, which must get the same
    order ids again. A share of 1 in 11 users, and most of the orders.
    """

    weight = 1
    wait_time = between(5, 10)

    def on_start(self) -> None:
        self.platform: Program = self.one_of(self.scenario.platforms)
        self.credential = self.platform.key
        self.sent: deque[Order] = deque(maxlen=REMEMBERED)
        self.known: dict[str, str] = {}
        """The orders of what is remembered as sent, by external id."""

    @task
    def push_page(self) -> None:
        again = self._some_again()
        size = self.random.randint(PAGE_MIN, PAGE_MAX)
        fresh = [self._paid_order() for _ in range(size - len(again))]
        page = [*again, *fresh]
        ids = [order["externalId"] for order in page]
        body = b"".join(msgspec.json.encode(order) + b"\n" for order in page)
        found = self.send(PATH, body, partial(self._read, ids), f"POST {PATH}")
        if found is None:
            return
        TALLIES.orders += len(fresh)
        self.sent.extend(fresh)
        self.known |= found
        self.known = {order["externalId"]: self.known[order["externalId"]] for order in self.sent}

    def _read(self, ids: list[str], response: FastResponse) -> dict[str, str]:
        return page_answers(response.status_code, response.content or b"", ids, self.known)

    def _some_again(self) -> list[Order]:
        if len(self.sent) < AGAIN_ORDERS or self.random.random() >= AGAIN_SHARE:
            return []
        return self.random.sample(list(self.sent), AGAIN_ORDERS)

    def _paid_order(self) -> Order:
        return self.maker(self.platform.skus).order(
            self.random.choice(self.platform.shops),
            externalId=f"P{self.number}-{next_number()}",
        )
