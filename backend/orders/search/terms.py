"""What an order is found by: a term is a letter for its kind, a colon and a value.

`index_orders` in `queries.sql` gives orders their terms; what is asked for is turned into the same
ones here.
"""

import re

from backend.orders.model import OrderStatus

SUFFIX_DIGITS = 4
"""Of a telephone number: people are asked for, and remember, the last four."""
NOT_DIGITS = re.compile(r"\D", re.ASCII)
BLANKS = " \t\u3000"
"""Around names and numbers, the blank of Chinese texts among them."""


def dealer_term(dealer_id: int) -> str:
    return f"d:{dealer_id}"


def shop_term(shop_id: int) -> str:
    return f"h:{shop_id}"


def status_term(status: OrderStatus) -> str:
    return f"t:{status}"


def number_term(external_id: str) -> str:
    """Of the number that the channel gave the order."""
    return f"x:{external_id.strip(BLANKS)}"


def buyer_term(name: str) -> str:
    return f"b:{name.strip(BLANKS).lower()}"


def phone_term(suffix: str) -> str:
    """Of the last four digits; the others are compared where they were given."""
    return f"p:{digits_of(suffix)[-SUFFIX_DIGITS:]}"


def sku_term(sku_code: str) -> str:
    """Of the code as it was ordered: what nobody knew then is found too."""
    return f"k:{sku_code}"


def node_term(node_id: int) -> str:
    return f"n:{node_id}"


def digits_of(text: str) -> str:
    return NOT_DIGITS.sub("", text)
