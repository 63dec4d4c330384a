"""Where orders come from."""

import msgspec


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """A shop on a channel; a dealer's where it has one, else the brand's own."""

    id: int
    code: str
    name: str
    channel: str
    dealer_id: int | None
    legal_entity_id: int | None
    is_active: bool


class ShopDraft(msgspec.Struct, frozen=True):
    """A shop to be created."""

    code: str
    name: str
    channel: str
    dealer_id: int | None = None
    legal_entity_id: int | None = None
