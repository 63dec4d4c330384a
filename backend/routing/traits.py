"""What whoever sends an order may say about it for routing, beside where it goes."""

from datetime import date

import msgspec

LEVEL_MAX = 9
LABELS_MAX = 32
LABEL_LENGTH_MAX = 64


class OrderTraits(
    msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """Facts of an order that policies may ask about; all may be left out."""

    order_type: str = ""
    """As the channel calls it: normal, exchange, group buy."""
    customer_level: int = 0
    """0 for anybody, to 9 for the best customers."""
    payment: str = ""
    """How it is paid: alipay, on delivery, in instalments."""
    promised_on: date | None = None
    """The day by which the customer was promised to have it."""
    tags: tuple[str, ...] = ()
    promotions: tuple[str, ...] = ()
    """Codes of the promotions that it was sold under."""
    subsidy_region: int | None = None
    """The region whose subsidy (国补) it was sold with."""


NO_TRAITS = OrderTraits()


def fault_of(traits: OrderTraits) -> str | None:
    """Return what is wrong with traits, or None."""
    labels = (traits.order_type, traits.payment, *traits.tags, *traits.promotions)
    if len(labels) > LABELS_MAX + 2:
        return f"An order has at most {LABELS_MAX} tags and promotions."
    if any(len(label) > LABEL_LENGTH_MAX for label in labels):
        return f"A type, payment, tag or promotion has at most {LABEL_LENGTH_MAX} characters."
    if not 0 <= traits.customer_level <= LEVEL_MAX:
        return f"A customer's level lies between 0 and {LEVEL_MAX}."
    return None
