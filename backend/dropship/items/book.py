"""What a process knows of the items of a tenant's dealers, as far as they were asked for."""

from collections.abc import Iterable, Set

from backend.db.pool import TenantTransaction
from backend.dropship.items.model import DealerItem
from backend.dropship.items.save_items import items_sold

ItemKey = tuple[int, str]
"""A dealer, and what an item is called in its shops."""
KEPT_MAX = 200_000


class ItemBook:
    """Items by dealer and name; whoever saves some raises the version of dealers' terms."""

    def __init__(self) -> None:
        self._known: dict[ItemKey, DealerItem | None] = {}

    def forget(self) -> None:
        """Read everything anew when it is asked for."""
        self._known.clear()

    def unknown(self, keys: Iterable[ItemKey]) -> Set[ItemKey]:
        """Return what nobody has asked for yet."""
        return {key for key in keys if key not in self._known}

    async def read(self, tx: TenantTransaction, keys: Set[ItemKey]) -> None:
        """Read what is called so, and remember what is not there as well."""
        if len(self._known) > KEPT_MAX:
            self._known.clear()
        dealers, codes = {dealer for dealer, _ in keys}, {code for _, code in keys}
        self._known |= dict.fromkeys(keys)
        for item in await items_sold(tx, sorted(dealers), sorted(codes)):
            self._known[item.dealer_id, item.code] = item

    def of(self, key: ItemKey) -> DealerItem | None:
        """Return an item that was asked for, None where there is none."""
        return self._known.get(key)
