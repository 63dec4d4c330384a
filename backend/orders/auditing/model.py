"""Rules by which orders are held, and what they may ask about."""

from enum import StrEnum

import msgspec

from backend.conditions.attributes import Type, attributes
from backend.conditions.model import Condition
from backend.db.errors import YipanError

RULES_MAX = 100
"""Rules of a brand: each costs every order some microseconds."""
TEXT_MAX = 100
FLOOR_ATTRIBUTE = "floor_price_minor"
"""The attribute of a SKU that says below which price of a unit nobody sells it."""

ORDER_ATTRIBUTES = attributes(
    ("order.shop", Type.TEXT, "The code of the shop."),
    ("order.channel", Type.TEXT, "The channel of the shop, as in tmall."),
    ("order.is_dealers", Type.FLAG, "Whether a dealer owns the shop."),
    ("order.type", Type.TEXT, "The type of the order, as its channel calls it."),
    ("order.region", Type.SET, "Codes of the district, city and province that it goes to."),
    ("order.amount_minor", Type.NUMBER, "What is to be paid for it, in minor units."),
    ("order.discount_percent", Type.NUMBER, "What is taken off its goods, in whole per cent."),
    ("order.lines", Type.NUMBER, "How many lines it has."),
    ("order.units", Type.NUMBER, "How many units it has."),
    ("order.most_units", Type.NUMBER, "The units of its largest line."),
    ("order.is_below_floor", Type.FLAG, "Whether a unit costs less than its SKU's floor price."),
    ("order.is_paid", Type.FLAG, "Whether it is paid already, on its platform."),
    ("order.payment", Type.TEXT, "How it is paid."),
    ("order.customer_level", Type.NUMBER, "The level of the customer, 0 to 9."),
    ("order.tags", Type.SET, "Its tags; a platform's risk flags are tags."),
    ("order.promotions", Type.SET, "Codes of the promotions that it was sold under."),
    ("order.has_remark", Type.FLAG, "Whether the customer said something."),
    ("order.remark", Type.SET, "What the customer said; contains: a word, or a part of one."),
    ("buyer.has_phone", Type.FLAG, "Whether a telephone number is given."),
    ("buyer.is_new", Type.FLAG, "Whether nobody with this number has ordered before."),
    ("buyer.orders_of_day", Type.NUMBER, "Orders with this number within 24 hours, with it."),
    ("address.length", Type.NUMBER, "How many characters the address has."),
    ("address.orders_of_day", Type.NUMBER, "Orders to this address within 24 hours, with it."),
)


class Action(StrEnum):
    """What a rule does with an order that it is for."""

    HOLD = "hold"
    PASS = "pass"
    """The order passes: rules behind this one are not asked."""


class AuditRule(msgspec.Struct, frozen=True):
    """One rule; rules are asked in their order."""

    code: str
    name: str
    """Why an order is held, as people read it."""
    action: Action
    condition: Condition


class InvalidAuditRule(YipanError):
    """The rules cannot be used; the message says which one and why."""

    code = "INVALID_AUDIT_RULE"


class NotAudited(YipanError):
    """The order has not been audited yet; in a second or two it is."""

    code = "NOT_AUDITED"
