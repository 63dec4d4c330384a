"""What a process knows of a tenant's allotments: whose they are, and what is left of them."""

from collections.abc import Collection, Iterable
from enum import IntEnum

from backend.inventory.allotments.model import AllotmentAt, AllotmentState


class _Owner(IntEnum):
    SHOP = 0
    DEALER = 1


class AllotmentBook:
    """The active allotments; follows PostgreSQL by version."""

    def __init__(self, states: Iterable[AllotmentState] = ()) -> None:
        self._known: dict[int, AllotmentState] = {}
        self._ids: dict[tuple[_Owner, int, int], int] = {}
        self.learn(states)

    def __bool__(self) -> bool:
        return bool(self._ids)

    def learn(self, states: Iterable[AllotmentState]) -> set[int]:
        """Take over what is not older; returns the SKUs of which some allotment has changed.

        What `apply` has heard of a version leaves open whether the allotment is active.
        """
        changed = set()
        for state in states:
            known = self._known.get(state.id)
            if known is not None and (known == state or known.version > state.version):
                continue
            self._known[state.id] = state
            changed.add(state.sku_id)
            if state.is_active:
                self._ids[_key(state)] = state.id
            else:
                self._ids.pop(_key(state), None)
        return changed

    def apply(self, counters: Iterable[AllotmentAt]) -> set[int]:
        """Take over what is newer of those that are known; returns their SKUs."""
        changed = set()
        for counter in counters:
            known = self._known.get(counter.id)
            if known is not None and known.version < counter.version:
                self._known[counter.id] = known._replace(free=counter.free, version=counter.version)
                changed.add(known.sku_id)
        return changed

    def of(self, sku_id: int, shop_id: int, dealer_id: int | None) -> tuple[int, ...]:
        """Return the allotments that bound an order of a shop, rising."""
        if not self._ids:
            return ()
        found = [self._ids.get((_Owner.SHOP, shop_id, sku_id))]
        if dealer_id is not None:
            found.append(self._ids.get((_Owner.DEALER, dealer_id, sku_id)))
        return tuple(sorted(one for one in found if one is not None))

    def only(self, ids: Collection[int]) -> "AllotmentBook":
        """Return a book of some allotments, as they are now: one that learns nothing more."""
        return AllotmentBook(self._known[one] for one in ids if one in self._known)

    def left(self, allotment_id: int) -> int:
        """Return the units that are left of an allotment; 0 where more are taken than it has."""
        return max(0, self._known[allotment_id].free)

    def cap(self, sku_id: int, shop_id: int, dealer_id: int | None) -> int | None:
        """Return how many units of a SKU a shop may sell; None where nothing bounds it."""
        ids = self.of(sku_id, shop_id, dealer_id)
        return min((self.left(one) for one in ids), default=None)

    def sku_ids(self) -> set[int]:
        """Return the SKUs that some allotment bounds."""
        return {sku_id for _, _, sku_id in self._ids}


def _key(state: AllotmentState) -> tuple[_Owner, int, int]:
    if state.shop_id is not None:
        return _Owner.SHOP, state.shop_id, state.sku_id
    assert state.dealer_id is not None, "it is a shop's or a dealer's"
    return _Owner.DEALER, state.dealer_id, state.sku_id
