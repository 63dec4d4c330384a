"""A buyer of a flash sale."""

from functools import partial
from time import monotonic
from typing import Any

from locust import task

from loadtests.locust.front_end import FrontEnd
from loadtests.locust.order_answers import bought
from loadtests.locust.tallies import TALLIES

NAME = "orderPlace (flash sale)"
FOR_EVER = 86_400.0
MOMENT = 0.25
"""Seconds in which all have tapped: nobody's finger is exact."""


class FlashSaleUser(FrontEnd):
    """Somebody who wants the one SKU of which there are few, and buys when the sale opens.

    Traffic: nothing until then, and one order of one unit in the moment after; who is told to come
    back later, or hears nothing, asks again with the same key. That it is sold out is a good
    answer. As many as the scenario says, beside the shares of all others, because the moment at
    which everybody does the same is what no think time makes.
    """

    fixed_count = 1
    """Set by the locustfile to the scenario's number of buyers, before anybody starts."""
    opens_at = FOR_EVER
    """By the monotonic clock; set when the run starts."""

    def on_start(self) -> None:
        self.credential = self.scenario.seller.key
        self.is_done = False
        self.opening = self.opens_at + self.random.random() * MOMENT

    def wait_time(self) -> float:
        return FOR_EVER if self.is_done else max(0.0, self.opening - monotonic())

    @task
    def buy(self) -> None:
        if monotonic() < self.opening:
            return
        self.is_done = True
        seller, sku = self.scenario.seller, self.scenario.sale.sku
        order = self.maker(seller.skus).order_of_one(
            seller.shops[0], sku, idempotencyKey=self.fresh_key()
        )
        self.ask("orderPlace", partial(self._count, sku), name=NAME, input=order)

    def _count(self, sku: str, data: dict[str, Any]) -> bool:
        order_id = bought(data, sku)
        if order_id is None:
            TALLIES.missed += 1
        else:
            TALLIES.bought += 1
            TALLIES.orders += 1
        return True
