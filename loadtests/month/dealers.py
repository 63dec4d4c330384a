"""The dealers of a month and the goods that they sell: what they are at first.

What a dealer is follows from its number, so that few of them are of all sorts already.
"""

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

CHINA = ZoneInfo("Asia/Shanghai")
FIRST_OF_NEXT = datetime(2026, 12, 1, tzinfo=CHINA)
"""The month ends here, however many days of it are played."""
DAYS, DEALERS, ORDERS = 30, 40, 10_000
HOURS = {1: 4, 10: 38, 15: 32, 20: 26}
"""The rounds of a day, and what share of its orders each brings."""
NIGHT, MORNING, AFTERNOON, EVENING = HOURS
SHOPS_EACH = 3
PRODUCT_LINES = ("cool", "warm", "clean")
SKUS_OF_LINE = 8
NEW_LINE, NEW_SKUS = "new", ("NEW-01", "NEW-02")
"""No price list has them before the middle of the month."""
SCARCE = ("COOL-01", "WARM-01")
TERRITORY = (310000, 320000, 330000, 440000, 510000)
LEAST_BP, CHEAP_BP, ALL_BP = 8_500, 8_000, 10_000
"""Of what a SKU sells for: the least that a dealer may ask, and what is less than that."""


class Shape(IntEnum):
    """What is special about a dealer; nothing about whoever has none of these."""

    PLAIN = 0
    TERRITORY = 1
    LINES = 2
    SHARED = 3
    """Two agreements take of its one quota account."""
    OWN_PRICES = 4
    TERRITORY_AND_LINES = 5
    PAUSED = 6
    """Its agreement ends, and another one is approved some days later."""
    ENDED = 7
    """Its agreement ends for good."""
    SUSPENDED = 8
    """For some days."""
    LEAVES = 9
    """Its agreement with the platform ends."""


SHAPES_CYCLE = 11
"""So many dealers are of all sorts; an odd number, so that each shape is on credit and prepaid."""


class Habit(IntEnum):
    """How a dealer pays."""

    PROMPT = 0
    LATE = 1
    """Some days after what is due, or only once orders wait."""
    LUMPY = 2
    """All at once, now and then."""


class Dealer(NamedTuple):
    """A dealer, as it is agreed upon at first."""

    number: int
    shape: Shape
    level: str
    parent: str | None
    is_credit: bool
    payment_days: int
    habit: Habit
    entity: str | None
    """The brand's legal entity that issues its documents."""

    @property
    def code(self) -> str:
        return dealer_code(self.number)

    @property
    def territory(self) -> tuple[int, ...]:
        bounded = (Shape.TERRITORY, Shape.TERRITORY_AND_LINES)
        return TERRITORY if self.shape in bounded else ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The product lines that it may sell; none named: all."""
        bounded = (Shape.LINES, Shape.TERRITORY_AND_LINES)
        return PRODUCT_LINES[:2] if self.shape in (*bounded, Shape.SHARED) else ()

    @property
    def shops(self) -> tuple[str, ...]:
        return tuple(f"{self.code}-{number}" for number in range(1, SHOPS_EACH + 1))


LEVELS = ("gold", "silver", "bronze", "bronze", "silver")
SHARE_OF_LEVEL = {"gold": 3, "silver": 2, "bronze": 1}
"""How many of the orders each brings."""
PRICE_BP = {"gold": 6_000, "silver": 6_500, "bronze": 7_000}
OWN_PRICE_BP = 5_500
"""Of what a SKU sells for: what dealers pay."""
ENTITY = "north"


def dealer_code(number: int) -> str:
    return f"dealer-{number:02}"


def dealers_of(number: int, days: int) -> list[Dealer]:
    """Return the dealers of a month; a shorter one has shorter terms of payment."""
    return [_dealer(one, days) for one in range(number)]


def _dealer(number: int, days: int) -> Dealer:
    place = number % SHAPES_CYCLE
    is_sub = number % len(LEVELS) == 2
    return Dealer(
        number=number,
        shape=Shape(place) if place < len(Shape) else Shape.PLAIN,
        level=LEVELS[number % len(LEVELS)],
        parent=dealer_code(number - 2) if is_sub else None,
        is_credit=number % 2 == 0,
        payment_days=max(1, days * (2 + number % 3) // DAYS),
        habit=Habit(number // 2 % len(Habit)),
        entity=ENTITY if number % 4 == 1 else None,
    )


def retail_prices() -> dict[str, int]:
    """Return what every SKU sells for, in fen."""
    found = {
        f"{line.upper()}-{number:02}": 9_900 + 2_700 * number + 1_300 * at
        for at, line in enumerate(PRODUCT_LINES)
        for number in range(1, SKUS_OF_LINE + 1)
    }
    return found | dict.fromkeys(NEW_SKUS, 29900)


def line_of(sku: str) -> str:
    """Return the product line of a SKU."""
    return sku.split("-", 1)[0].lower()
