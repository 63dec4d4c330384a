"""Reserved units of an order that are given back: under its lock, in the one order of locks."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from backend.db.pool import Record, TenantTransaction
from backend.inventory import ledger
from backend.inventory.allotments.counters import take_allotments
from backend.inventory.allotments.model import AllotmentAt
from backend.inventory.counters import Counters
from backend.inventory.earmarks.queries import lock_open_earmarks
from backend.inventory.model import CauseKind, FreeAt, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.network.capacity import CapacityAt, CapacityKey, lock_capacities, take_locked
from backend.orders.claim import SQL
from backend.orders.events import FulfilmentCancelled
from backend.orders.step import StepEvent


class Releasing:
    """Units of reservations of one order that are to be released, and what comes back with them.

    What an earmark gave goes back to it while it is open, what allotments gave to these, and the
    places at the nodes of parcels with nothing left in them to their capacity.
    """

    def __init__(
        self, tx: TenantTransaction, order_id: int, reservations: Sequence[Record]
    ) -> None:
        """`reservations` are all that are active, of the order that the caller has locked."""
        self._tx = tx
        self._order_id = order_id
        self._reservations = reservations
        self._parts: list[tuple[Record, int]] = []
        self._open_earmarks: set[int] = set()

    def add(self, reservation: Record, units: int) -> None:
        """Let so many units of a reservation be released."""
        self._parts.append((reservation, units))

    async def lock(self, others: Iterable[LevelKey] = ()) -> None:
        """Lock the earmarks, then all levels that are given back to, and `others` with them."""
        earmarks = {row["earmark_id"] for row, _ in self._parts if row["earmark_id"]}
        self._open_earmarks = await lock_open_earmarks(self._tx, earmarks)
        keys = [LevelKey(row["functional_warehouse_id"], row["sku_id"]) for row, _ in self._parts]
        keys += others
        if keys:
            await ledger.lock_levels(self._tx, keys)

    async def carry_out(
        self, actor: str, lost: Sequence[Movement] = ()
    ) -> tuple[Counters, list[StepEvent]]:
        """Release what was added, after `lock`; returns the counters after it, and the events.

        `lost` are movements of the same levels that come with it.
        """
        levels = await self._release(actor, lost)
        allotments = await self._give_allotments_back()
        empty = await self._cancel_empty_fulfilments()
        capacities = await self._give_capacities_back(empty)
        events = [_fulfilment_cancelled(row) for row in empty]
        return Counters(levels, capacities, allotments), events

    async def _release(self, actor: str, lost: Sequence[Movement]) -> list[FreeAt]:
        if not self._parts:
            return []
        movements = [
            Movement(
                key=LevelKey(row["functional_warehouse_id"], row["sku_id"]),
                type=MovementType.RELEASED,
                quantity=part,
                cause_kind=CauseKind.ORDER,
                cause_id=self._order_id,
                cause_line=row["line_no"],
                earmark_id=row["earmark_id"] if row["earmark_id"] in self._open_earmarks else None,
            )
            for row, part in self._parts
        ]
        levels = await ledger.record(self._tx, [*movements, *lost], actor)
        await self._tx.execute(
            SQL.release_reservations,
            self._tx.tenant_id,
            [self._order_id] * len(self._parts),
            [row["reservation_no"] for row, _ in self._parts],
            [part for _, part in self._parts],
        )
        return await ledger.free_after(
            self._tx, levels.values(), with_earmarks=bool(self._open_earmarks)
        )

    async def _give_allotments_back(self) -> list[AllotmentAt]:
        """Give back what the released units took of allotments."""
        back: defaultdict[int, int] = defaultdict(int)
        for row, part in self._parts:
            for one in row["allotment_ids"] or ():
                back[one] -= part
        return list((await take_allotments(self._tx, back)).values())

    async def _cancel_empty_fulfilments(self) -> list[Record]:
        """Cancel the fulfilments with nothing left in them, and return them."""
        tx = self._tx
        left: defaultdict[int, int] = defaultdict(int)
        for row in self._reservations:
            left[row["fulfilment_no"]] += row["active"]
        for row, part in self._parts:
            left[row["fulfilment_no"]] -= part
        live = await tx.fetch(SQL.live_fulfilments, tx.tenant_id, [self._order_id])
        empty = [row for row in live if left[row["fulfilment_no"]] == 0]
        if empty:
            numbers = [row["fulfilment_no"] for row in empty]
            orders = [self._order_id] * len(numbers)
            await tx.execute(SQL.cancel_fulfilments, tx.tenant_id, orders, numbers)
        return empty

    async def _give_capacities_back(self, fulfilments: Sequence[Record]) -> list[CapacityAt]:
        """Give back the places at the nodes that parcels took."""
        back: defaultdict[CapacityKey, int] = defaultdict(int)
        for row in fulfilments:
            if row["capacity_day"] is not None:
                back[CapacityKey(row["node_id"], row["capacity_day"])] -= 1
        await lock_capacities(self._tx, back)
        return list((await take_locked(self._tx, back)).values())


def _fulfilment_cancelled(row: Record) -> StepEvent:
    payload = FulfilmentCancelled(row["order_id"], row["fulfilment_no"])
    return StepEvent(payload, row["node_id"])
