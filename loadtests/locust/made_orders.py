"""Orders as buyers put them together."""

import itertools
from collections.abc import Sequence
from random import Random
from typing import Any

PRICE_MINOR = 19_900
FEW_LINES = (1, 1, 1, 2, 2, 3, 4)
"""Most orders have a line or two."""

_numbers = itertools.count(1)


def next_number() -> int:
    """Return a number that no other order of this process has."""
    return next(_numbers)


class OrderMaker:
    """Makes orders of some SKUs for buyers in real districts."""

    def __init__(self, random: Random, skus: Sequence[str], districts: Sequence[int]) -> None:
        self._random = random
        self._skus = skus
        self._districts = districts

    def order(self, shop: str, **fields: Any) -> dict[str, Any]:
        """Return an order for a shop; `fields` are added."""
        skus = self._random.sample(self._skus, self._random.choice(FEW_LINES))
        lines = [self._line(sku, self._random.randint(1, 2)) for sku in skus]
        return {"shop": shop, "address": self._address(), "lines": lines, **fields}

    def order_of_one(self, shop: str, sku: str, **fields: Any) -> dict[str, Any]:
        """Return an order of one unit of a SKU."""
        lines = [self._line(sku, 1)]
        return {"shop": shop, "address": self._address(), "lines": lines, **fields}

    def _line(self, sku: str, quantity: int) -> dict[str, Any]:
        return {"sku": sku, "quantity": quantity, "unitPriceMinor": PRICE_MINOR}

    def _address(self) -> dict[str, Any]:
        random = self._random
        return {
            "detail": f"人民路 {random.randrange(1, 999)} 号",
            "regionCode": random.choice(self._districts),
            "name": "王女士",
            "phone": f"138{random.randrange(10**8):08}",
        }
