"""Products as orders see them."""

from typing import Any

import msgspec


class Sku(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that can be sold and lies in stock."""

    id: int
    code: str
    name: str
    category: str
    product_line: str
    weight_g: int
    length_mm: int
    width_mm: int
    height_mm: int
    needs_installation: bool
    attributes: dict[str, Any]
    is_active: bool


class SkuDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A SKU to be created, or changed where its code exists."""

    code: str
    name: str
    category: str = ""
    product_line: str = ""
    weight_g: int = 0
    length_mm: int = 0
    width_mm: int = 0
    height_mm: int = 0
    needs_installation: bool = False
    attributes: dict[str, Any] = {}
    is_active: bool = True
