"""Reserved units of an order that are given back: under its lock, in the one order of locks."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from backend.catalog.find_skus import skus_by_ids
from backend.db.pool import Record, TenantTransaction
from backend.inventory import ledger
from backend.inventory.allotments.counters import take_allotments
from backend.inventory.allotments.model import AllotmentAt
from backend.inventory.counters import Counters
from backend.inventory.earmarks.queries import lock_open_earmarks
from backend.inventory.model import CauseKind, FreeAt, LevelKey, Movement
from backend.inventory.movement_types import MovementType
from backend.network.capacity import CapacityAt, CapacityKey, lock_capacities, take_locked
from backend.network.slots import take_slots
from backend.orders.claim import SQL
from backend.orders.events import FulfilmentCancelled
from backend.orders.states import NOT_GONE
from backend.orders.step import StepEvent


class Releasing:
    """Units of reservations of one order that are to be released, and what comes back with them.

    What an earmark gave goes back to it while it is open, what allotments gave to these, and the
    places at the nodes of parcels with nothing left in them to their capacity; so do the visits by
    which those were to be delivered, and that of the installer once nothing is left to install.
    """

    def __init__(
        self, tx: TenantTransaction, order_id: int, reservations: Sequence[Record]
    ) -> None:
        """`reservations` are all that are active, of the order that the caller has locked.

        Those of what has left a node are none of them; its fulfilments and visits stay.
        """
        self._tx = tx
        self._order_id = order_id
        self._reservations = reservations
        self._parts: list[tuple[Record, int]] = []
        self._open_earmarks: set[int] = set()
        self._ends_appointment = False
        self.has_lost_appointment = False
        """Whether visits were booked that `end_appointment` has given back."""

    def end_appointment(self) -> None:
        """Let the order not come at its time any more: all its visits are given back."""
        self._ends_appointment = True

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
        live = await self._tx.fetch(SQL.live_fulfilments, self._tx.tenant_id, [self._order_id])
        empty = await self._cancel_empty_fulfilments(live)
        capacities = await self._give_capacities_back(empty)
        await self._give_slots_back(live, empty)
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

    async def _cancel_empty_fulfilments(self, live: Sequence[Record]) -> list[Record]:
        """Cancel the fulfilments with nothing left in them, and return them."""
        tx = self._tx
        left: defaultdict[int, int] = defaultdict(int)
        for row in self._reservations:
            left[row["fulfilment_no"]] += row["active"]
        for row, part in self._parts:
            left[row["fulfilment_no"]] -= part
        empty = [
            row for row in live if row["status"] in NOT_GONE and left[row["fulfilment_no"]] == 0
        ]
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

    async def _give_slots_back(self, live: Sequence[Record], empty: Sequence[Record]) -> None:
        """Give back the visits of fulfilments that are empty, and of an appointment that ends.

        One visit delivers all that a node sends of an order, in however many fulfilments. What has
        left its node keeps its visit.
        """
        tx, order_id = self._tx, self._order_id
        found = await tx.fetch(SQL.appointments_of_orders, tx.tenant_id, [order_id])
        if not found or not found[0]["is_booked"]:
            return
        gone = [row for row in live if row["status"] not in NOT_GONE]
        left = [row for row in live if row not in empty and row not in gone]
        ends = self._ends_appointment or not (gone or left)
        stay = gone if ends else [*gone, *left]
        back = {row["slot_id"] for row in live} - {row["slot_id"] for row in stay} - {None}
        installation = found[0]["installation_slot_id"]
        if installation is not None and (ends or not await self._is_to_be_installed()):
            back.add(installation)
            await tx.execute(SQL.end_installation, tx.tenant_id, order_id)
        await take_slots(tx, dict.fromkeys(back, -1))
        if ends:
            await tx.execute(SQL.end_appointment, tx.tenant_id, order_id)
        self.has_lost_appointment = self._ends_appointment

    async def _is_to_be_installed(self) -> bool:
        """Whether something of what is left, or on its way, is to be installed."""
        left: defaultdict[int, int] = defaultdict(int)
        for row in await self._tx.fetch(SQL.sent_skus, self._tx.tenant_id, self._order_id):
            left[row["sku_id"]] += 1
        for row in self._reservations:
            left[row["sku_id"]] += row["active"]
        for row, part in self._parts:
            left[row["sku_id"]] -= part
        skus = await skus_by_ids(self._tx, [sku_id for sku_id, units in left.items() if units])
        return any(sku.needs_installation for sku in skus.values())


def _fulfilment_cancelled(row: Record) -> StepEvent:
    payload = FulfilmentCancelled(row["order_id"], row["fulfilment_no"])
    return StepEvent(payload, row["node_id"])
