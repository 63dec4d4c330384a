"""What goods need of the node that sends them."""

from enum import IntFlag

from backend.catalog.model import Sku, SkuDraft
from backend.network.model import Capability

OVERSIZE_MM = 1_200
"""The longest edge that parcel networks of express carriers take."""
OVERSIZE_G = 30_000
"""The heaviest piece that one person carries, and most express carriers take."""
KILOGRAM_MM3 = 6_000_000
"""Volume that is charged as a kilogram: express carriers divide cubic centimetres by 6,000."""


class Need(IntFlag):
    """Bits of what goods need; 0 for ordinary parcels."""

    OVERSIZE = 1
    CHILLED = 2
    FROZEN = 4
    DANGEROUS = 8
    INSTALLS = 16


# Plain numbers: flags take ten times as long to be joined and compared.
_OVERSIZE, _CHILLED, _FROZEN, _DANGEROUS, _INSTALLS = map(int, Need)

CAPABILITY_OF = {
    _OVERSIZE: Capability.OVERSIZE,
    _CHILLED: Capability.CHILLED,
    _FROZEN: Capability.FROZEN,
    _DANGEROUS: Capability.DANGEROUS,
    _INSTALLS: Capability.INSTALLS,
}


def needs_of(sku: Sku) -> int:
    """Return what a SKU needs: its size and weight, its attributes `temperature` (chilled, frozen)
    and `dangerous` (true), and whether it is installed.
    """
    needs = 0
    edges = (sku.length_mm, sku.width_mm, sku.height_mm)
    if max(edges) > OVERSIZE_MM or sku.weight_g > OVERSIZE_G:
        needs |= _OVERSIZE
    temperature = sku.attributes.get("temperature")
    if temperature == "chilled":
        needs |= _CHILLED
    if temperature == "frozen":
        needs |= _FROZEN
    if sku.attributes.get("dangerous") is True:
        needs |= _DANGEROUS
    if sku.needs_installation:
        needs |= _INSTALLS
    return needs


def lacks(needs: int, capabilities: frozenset[Capability]) -> int:
    """Return the needs that these capabilities do not meet."""
    return sum(
        need
        for need, capability in CAPABILITY_OF.items()
        if needs & need and capability not in capabilities
    )


def charged_weight_g(sku: Sku | SkuDraft) -> int:
    """Return the weight that carriers charge a unit by: its own, or that of its volume.

    A gram at least: what nobody has weighed is charged the first weight of a parcel too.
    """
    volume_mm3 = sku.length_mm * sku.width_mm * sku.height_mm
    return max(1, sku.weight_g, volume_mm3 * 1_000 // KILOGRAM_MM3)
