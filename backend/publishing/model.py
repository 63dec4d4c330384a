"""How platforms are reached, and what they are known to show."""

import msgspec

from backend.channels.connectors import Access


class ShopAccess(msgspec.Struct, frozen=True, kw_only=True):
    """A shop that this process speaks for."""

    shop_id: int
    shop_code: str
    kind: str
    base_url: str
    remote_shop: str
    token: str
    calls_per_second: int
    orders_cursor: str
    returns_cursor: str
    problem: str | None
    """What whoever spoke for the shop before has left for a person."""

    @property
    def access(self) -> Access:
        return Access(self.base_url, self.remote_shop, self.token)

    def is_reached_as(self, other: "ShopAccess") -> bool:
        """Whether what is known of the one holds for the other."""
        return (
            self.kind == other.kind
            and self.access == other.access
            and self.calls_per_second == other.calls_per_second
        )


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """How the platform of a shop is reached."""

    shop_id: int
    shop_code: str
    kind: str
    base_url: str
    remote_shop: str
    calls_per_second: int
    """What the platform is believed to take of the shop."""
    is_active: bool
    problem: str | None
    """What a person has to look at."""


class Listing:
    """What a platform shows of a SKU, as far as we know, and what it shall show."""

    __slots__ = (
        "code",
        "differs_since",
        "is_drifted",
        "is_unlisted",
        "refused",
        "seen_other",
        "sequence",
        "shown",
        "wanted",
    )

    def __init__(self, code: str) -> None:
        self.code = code
        self.wanted = 0
        self.shown: int | None = None
        """What the platform last acknowledged; None if it never did."""
        self.sequence = 0
        self.differs_since: float | None = None
        self.is_drifted = False
        """The platform was found to show something else than it acknowledged."""
        self.is_unlisted = False
        """The platform does not sell it."""
        self.refused: int | None = None
        """A number that the platform did not take: it is not asked again."""
        self.seen_other: float | None = None
        """When it was first found to show less than it acknowledged: sold, or drifted."""
